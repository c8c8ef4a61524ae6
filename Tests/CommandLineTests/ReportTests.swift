// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import Wording

@testable import mcp_proxy

@Suite struct ReportTests {
    @Test func everyOptionHasOneRow() {
        #expect(Option.table.map(\.key.rawValue).sorted() == Option.Key.allCases.map(\.rawValue).sorted())
        #expect(Option.byKey.count == Option.Key.allCases.count)
    }

    @Test(arguments: Option.table)
    func everyDefaultIsAValueOfItsKindInItsShortestForm(option: Option) {
        guard let text = option.defaultText else { return }
        #expect(option.kind.value(of: text)?.description == text)
    }

    @Test func helpFitsAndListsEveryOption() {
        let lines = Help.text.split(separator: "\n", omittingEmptySubsequences: false)
        for line in lines { #expect(line.count <= Help.width, "\(line)") }
        for option in Option.table where !option.isHidden {
            let flag = option.defaultText == "true" ? "--[no-]\(option.name)" : "--\(option.name)"
            let entries = lines.filter { line in
                line.hasPrefix("  -") && line.split(separator: " ").prefix(2).contains { $0 == flag }
            }
            #expect(entries.count == 1, "\(flag)")
        }
        for status in ExitStatus.allCases { #expect(Help.text.contains("  \(status.rawValue) ")) }
        for group in Option.Group.allCases { #expect(lines.contains { $0 == group.rawValue }) }
        #expect(!Help.text.contains("--print-"))
    }

    @Test func theMarkdownTableListsEveryOption() throws {
        let text = try output(["--print-options-table"])
        #expect(text.contains("| `--port N` | `8080` | port to listen on; 0 takes any free one |\n"))
        #expect(text.contains("| `--server both\\|stream\\|sse` | `both` | the transports to serve |\n"))
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count == Option.table.filter { !$0.isHidden }.count)
        for row in rows { #expect(row.split(separator: " | ", omittingEmptySubsequences: false).count == 3, "\(row)") }
    }

    @Test func theReportIsAlignedAndComplete() throws {
        let text = try output(["--check-config", "--port=1", "server"])
        let lines = text.split(separator: "\n")
        for option in Option.table where option.layers != .flag {
            #expect(lines.contains { $0.hasPrefix("\(option.name) ") }, "\(option.name)")
        }
        // The origin stands last: what is before it must be equally wide in every line.
        let port = try #require(lines.first { $0.hasPrefix("port ") })
        let host = try #require(lines.first { $0.hasPrefix("host ") })
        #expect(port.hasSuffix("  --port"))
        #expect(host.hasSuffix("  default"))
        #expect(port.count - "--port".count == host.count - "default".count)
    }

    @Test func theReportHidesSecrets() throws {
        let words = [
            "--check-config", "-e", "TOKEN=geheim1", "docker", "run", "-e", "A=${B}", "x${C}", "--api-key", "geheim2",
        ]
        let text = try output(words, environment: ["B": "geheim3"], files: ["/opt/mcp/.env": "C=geheim4\n"])
        #expect(!text.contains("geheim"))
        #expect(text.contains("TOKEN=***"))
        #expect(text.contains("docker run -e A x*** --api-key ***"))
    }

    @Test(arguments: [
        (
            ["docker", "run", "-e", "A=b", "-e", "C", "--env", "D=e", "x"],
            ["docker", "run", "-e", "A=***", "-e", "C", "--env", "D=***", "x"]
        ),
        (
            ["docker", "run", "-ie", "A=b", "--env=C=d", "-eE=f"],
            ["docker", "run", "-ie", "A=***", "--env=C=***", "-eE=***"]
        ),
        (["x", "--token", "abc", "--token", "--verbose"], ["x", "--token", "***", "--token", "--verbose"]),
        (["x", "--api-key=abc", "API_KEY=abc", "--port=1"], ["x", "--api-key=***", "API_KEY=***", "--port=1"]),
        (["x", "-H", "Authorization: Bearer abc"], ["x", "-H", "Authorization:***"]),
        (["x", "postgres://me:abc@db/x", "postgres://db/x"], ["x", "postgres://me:***@db/x", "postgres://db/x"]),
        (
            ["x", "https://abc@host/", "--url=https://a:b@h/?apiKey=abc&q=1"],
            ["x", "https://***@host/", "--url=https://a:***@h/?apiKey=***&q=1"]
        ),
        (["x", "--timezone", "UTC", "a=b", "/path:/path"], ["x", "--timezone", "UTC", "a=b", "/path:/path"]),
    ])
    func masking(words: [String], shown: [String]) {
        #expect(maskSecrets(words) == shown)
    }

    @Test func wordsAreQuotedForAShell() {
        #expect(["a", "a b", "", "it's", "A=***"].map(shellQuoted) == ["a", "'a b'", "''", "'it'\\''s'", "A=***"])
    }
}

@Suite struct LiveSurroundingsTests {
    @Test func filesAndTheirKinds() throws {
        let live = Surroundings.live
        #expect(live.kind("/") == .directory)
        #expect(live.kind("/bin/sh") == .executable)
        #expect(live.kind("/etc/passwd") == .other)
        #expect(live.kind("/no/such/file") == .missing)
        #expect(try live.read("/etc/passwd").contains("root"))
        #expect(throws: FileError.missing) { try live.read("/no/such/file") }
        #expect(throws: FileError.unreadable("Is a directory")) { try live.read("/") }
        #expect(throws: FileError.unreadable("larger than 1MiB")) { try live.read("/dev/zero") }
        #expect(live.environment["PATH"] != nil)
    }
}

@Suite struct ReadmeTests {
    @Test func theReadmeHoldsTheTableOfOptions() throws {
        let page = try String(contentsOf: repositoryFile("README.md"), encoding: .utf8)
        let table = Help.markdown.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(page.contains(table), "print it with mcp-proxy --print-options-table")
    }
}
