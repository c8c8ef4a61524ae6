// SPDX-License-Identifier: Apache-2.0

import Foundation
import Gateway
import NIOCore
import Testing

@testable import mcp_proxy

@Suite struct ConfigFileTests {
    func settings(_ text: String) throws -> [Option.Key: [String]] {
        try ConfigFileReader.read(text, path: "/c").settings.mapValues(\.texts)
    }

    @Test func valuesListsAndMappings() throws {
        #expect(
            try settings(
                """
                port: 8081
                requestTimeout: 30s
                debug: yes
                allow-origin: https://a.example
                allow-host: [a, "b"]
                env: { A: 1, B: "x=y" }
                client-capabilities: { sampling: {}, roots: { listChanged: true }, x: [1, -2.5e3, "1", null, it's] }
                """
            ) == [
                .port: ["8081"], .requestTimeout: ["30s"], .debug: ["yes"], .allowOrigin: ["https://a.example"],
                .allowHost: ["a", "b"], .env: ["A=1", "B=x=y"],
                .clientCapabilities: [
                    #"{"sampling":{},"roots":{"listChanged":true},"x":[1,-2.5e3,"1",null,"it's"]}"#
                ],
            ]
        )
        #expect(try settings("env: [A=1, B=2]") == [.env: ["A=1", "B=2"]])
        #expect(try settings("").isEmpty)
        #expect(try settings("# nothing\n").isEmpty)
    }

    @Test func theCommandAsAListOrAText() throws {
        #expect(try ConfigFileReader.read("command: [a, 'b c']", path: "/c").command == ["a", "b c"])
        #expect(try ConfigFileReader.read("command: a 'b c' d", path: "/c").command == ["a", "b c", "d"])
        #expect(try ConfigFileReader.read("args: -x '1 2'\ncommand: a", path: "/c").command == ["a", "-x", "1 2"])
    }

    @Test(arguments: [
        ("port: 1\nprot: 2\n", "/c:2: unknown key 'prot'; did you mean port?"),
        ("zzzzzz: 2\n", "/c:1: unknown key 'zzzzzz'; see mcp-proxy --help for the names"),
        ("help: true\n", "/c:1: unknown key 'help'; see mcp-proxy --help for the names"),
        ("config: /d\n", "/c:1: unknown key 'config'; see mcp-proxy --help for the names"),
        ("\n\nport: x\n", "/c:3: port cannot be 'x'; give a whole number from 0 to 65535"),
        ("cwd: /nope\n", "/c:1: cwd cannot be '/nope'; give a directory that exists"),
        ("port:\n", "/c:1: port has no value; give one, or remove the line"),
        (
            "port: [1, 2]\n",
            "/c:1: port has a value of the wrong shape; give a plain value, or a list where --help says so"
        ),
        ("port: 1\nport: 2\n", "/c:2: the key 'port' is given more than once; remove all but one"),
        (
            "max-line: 1M\nmaxLine: 2M\n",
            "/c:2: the key 'maxLine' is given more than once; remove all but one"
        ),
        ("- port\n", "/c:1: is not a list of keys and values; write lines such as port: 8080"),
        ("args: [x]\n", "/c: args stands without command; add the key command"),
        ("command: 'a \"b'\n", "/c:1: command has a quote without its end; close the quote"),
        (
            "env: { TOKEN: geheim\nport: 1\n",
            "/c:2: not valid YAML (expected ',' or '}'); mend the line"
        ),
        (
            "env: { TOKEN: &geheim x }\n",
            "/c:1: anchors are not supported in configuration files; write the values plainly, or in quotes"
        ),
    ])
    func errors(text: String, line: String) {
        let failure = failure(["--config", "/c", "server"], files: ["/c": text])
        #expect(failure?.line == "mcp-proxy: \(line)")
        #expect(failure?.status == 78)
    }

    @Test func aFileThatCannotBeRead() {
        #expect(
            failure(["--config", "/c", "server"])?.line
                == "mcp-proxy: the configuration file /c does not exist; check the path after --config"
        )
        let failure = failure(["server"], environment: ["MCP_PROXY_CONFIG": "/c"], unreadable: ["/c"])
        #expect(
            failure?.line
                == "mcp-proxy: the configuration file /c cannot be read (Permission denied); "
                + "check the path after --config"
        )
        #expect(failure?.status == 78)
    }

    @Test func theExampleInTheDocumentation() throws {
        let page = try String(contentsOf: repositoryFile("docs/configuration.md"), encoding: .utf8)
        let block = try #require(page.components(separatedBy: "```yaml\n").dropFirst().first)
        let yaml = try #require(block.components(separatedBy: "```").first)
        let configuration = try configuration(
            ["--config", "/c"],
            environment: ["TIME_API_KEY": "geheim"],
            files: ["/c": yaml]
        )
        #expect(configuration.listen == .tcp(host: "127.0.0.1", port: 3001))
        #expect(configuration.requestTimeout == .minutes(2))
        #expect(configuration.maxBodySize == 20 << 20)
        #expect(configuration.allowedHosts == ["mcp.example"])
        #expect(configuration.allowedOrigins == ["https://app.example", "https://console.example"])
        #expect(configuration.adminListen == .unix(path: "/run/mcp-proxy/time.sock"))
        #expect(configuration.clientCapabilities == #"{"sampling":{},"elicitation":{"form":{}}}"#)
        #expect(configuration.command.environment["LOG_LEVEL"] == "info")
        #expect(configuration.command.arguments == ["run", "-i", "--rm", "-e", "API_KEY", "mcp/time"])
        #expect(configuration.command.environment["API_KEY"] == "geheim")
        #expect(configuration.name == "time")
        for status in ExitStatus.allCases { #expect(page.contains("| \(status.rawValue) |")) }
    }
}

func repositoryFile(_ path: String) -> URL {
    var root = URL(filePath: #filePath)
    for _ in 1...3 { root.deleteLastPathComponent() }
    return root.appending(path: path)
}
