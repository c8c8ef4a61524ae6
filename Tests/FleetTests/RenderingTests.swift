// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Fleet

private let package = URL(filePath: #filePath).deletingLastPathComponent()

func shippedFleet() throws -> String {
    try String(contentsOf: package.appending(path: "../../deploy/fleet.yaml"), encoding: .utf8)
}

@Suite struct RenderingTests {
    /// The files in Golden, one for each that is rendered, with ':' for '/' in their names. UPDATE_GOLDEN=1 writes them.
    @Test func goldenFiles() throws {
        let text = """
            domain: mcp.example.com
            email: admin@example.com
            servers:
              - name: github-work
                image: mcp/github-mcp-server
                port: 3001
                auth: key
                secrets: [GITHUB_PERSONAL_ACCESS_TOKEN]
                env: { GREETING: "it's $5" }
                volumes: [data:/data]
                limits: { memory: 64MiB, cpus: 0.25, pids: 10 }
                options: { allow-host: other.example.com, server: stream }
              - name: own
                host: own.example.net
                command: [python3, -m, own]
                port: 3002
                public: true
                secrets: [TOKEN]
                env: { A: 1, B: "two words" }
                limits: { memory: 64MiB, cpus: 0.25, pids: 10 }
              - { name: local, image: mcp/time, port: 3003, host: none, isolation: session }
            """
        let fleet = try FleetReader.read(text, checkOption: { _, _ in nil }).get()
        let files = fleet.files(keys: ["github-work": "00000000000000000000000000000000"])
        let directory = package.appending(path: "Golden")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
                try FileManager.default.removeItem(at: directory.appending(path: name))
            }
            for file in files {
                try file.text.write(to: directory.appending(path: golden(file)), atomically: true, encoding: .utf8)
            }
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == files.map(golden).sorted()
        )
        for file in files {
            let wanted = try String(contentsOf: directory.appending(path: golden(file)), encoding: .utf8)
            #expect(file.text == wanted, "\(file.path):\n\(unifiedDiff(wanted, file.text))")
        }
        let modes = Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0.mode) })
        #expect(modes["/etc/nginx/mcp-keys/github-work.map"] == 0o640)
        #expect(modes["/opt/mcp/fleet/enable.sh"] == 0o755)
        #expect(files.filter(\.isSecret).map(\.path) == ["/etc/nginx/mcp-keys/github-work.map"])
    }

    @Test func withoutPublicServersThereIsNoWebServer() throws {
        let text = "servers: [{ name: a, command: x, port: 1, host: none }]"
        let paths = try FleetReader.read(text, checkOption: { _, _ in nil }).get().files(keys: [:]).map(\.path)
        #expect(paths.allSatisfy { !$0.contains("nginx") && !$0.contains("letsencrypt") && !$0.contains("clients") })
        #expect(paths.contains("/opt/mcp/config/a.env"))
    }

    @Test func encryptedSecrets() throws {
        let text = "encrypted-secrets: true\nservers: [{ name: a, image: x, port: 1, host: none, secrets: [T] }]"
        let files = try FleetReader.read(text, checkOption: { _, _ in nil }).get().files(keys: [:])
        let dropIn = files.first { $0.path == FleetPaths.dropIn("a") }
        #expect(dropIn?.text.hasSuffix("[Service]\nLoadCredentialEncrypted=T:/opt/mcp/secrets/a/T\n") == true)
    }

    private func golden(_ file: RenderedFile) -> String { String(file.path.dropFirst()).replacing("/", with: ":") }
}
