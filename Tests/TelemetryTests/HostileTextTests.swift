// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import NIOCore
import Telemetry
import Testing

/// What a child, a client or a scanner may put where a name or a line is expected.
private let hostileTexts: [String] = [
    "two\nlines", "cr\rlf\r\n", "tab\there", "nul\0", "\u{1B}[2J\u{1B}]0;title\u{07}", "c1 \u{9B}31m", "del \u{7F}",
    "line\u{2028}separator\u{2029}", "\u{202E}reversed\u{202C}", "zero\u{200B}width\u{FEFF}", "tag \u{E0041}",
    #"quote " and \ backslash \"#, "\"}\n{\"time\":\"2026\",\"event\":\"forged\"", String(repeating: "\n", count: 9000),
    String(repeating: "é", count: 9000), String(repeating: "\u{1F600}", count: 9000), "", " ",
    String(decoding: [0x66, 0xFF, 0xFE, 0xC0, 0x80, 0x6F] as [UInt8], as: UTF8.self),
]

/// Every event that carries text of others, with this text in all places.
private func events(saying text: String) -> [Event] {
    [
        .proxyStarted(.init(version: text, name: text, listen: text, adminListen: text, isolation: text, log: text)),
        .upstreamStarting(link: 0, generation: 0, program: text, argumentCount: 0),
        .upstreamReady(
            .init(
                link: 0,
                generation: 0,
                serverName: text,
                serverVersion: text,
                revision: text,
                startDuration: .zero
            )
        ),
        .imagePulling(link: 0, generation: 0, image: text),
        .imagePulled(link: 0, generation: 0, image: text, duration: .zero, problem: text),
        .containerStarted(
            .init(link: 0, generation: 0, container: text, image: text, imageID: text, digest: text)
        ),
        .engineChanged(isUp: false, problem: text),
        .replacementFailed(link: 0, problem: text),
        crashed(detail: text, stderrTail: text),
        crashed(.spawnFailed, detail: text, stderrTail: text),
        .upstreamStderr(link: 0, line: text, truncated: false),
        .upstreamLog(link: 0, level: text, bytes: 0),
        .protocolViolation(peer: .server, kind: .invalidJSON, detail: text),
        .sessionOpened(
            .init(session: text, transport: .sse, revision: .v2024_11_05, clientName: text, clientVersion: text)
        ),
        .sessionClosed(.init(session: text, reason: .shutdown, requests: 0, duration: .zero)),
        .streamOpened(session: text, kind: .get),
        .streamClosed(session: text, kind: .get, end: .finished, events: 0, duration: .zero),
        .streamResumed(session: text, replayed: 0),
        .requestRejected(reason: .badHeader, detail: text),
        .unknownHost(host: text, isFirst: true),
    ]
}

@Suite struct HostileTextTests {
    @Test(arguments: hostileTexts) func breaksNoLine(_ text: String) {
        for event in events(saying: text) {
            let record = EventRecord(event)
            for format in LogFormat.allCases {
                let line = format.line(record, at: sampleTime)
                #expect(line.last == UInt8(ascii: "\n"))
                #expect(!line.dropLast().contains { $0 < 0x20 || $0 == 0x7F })
                #expect(line.count < 24_000)
                #expect(String(validating: line, as: UTF8.self) != nil)
            }
            #expect(object(String(decoding: LogFormat.json.line(record, at: sampleTime), as: UTF8.self)).count > 4)
            #expect(record.message.utf8.count <= 4000)
            for field in record.fields {
                if case .text(let text) = field.value { #expect(field.name.utf8.count + text.utf8.count < 4090) }
            }
        }
    }

    @Test(arguments: hostileTexts) func sanitisingAgainChangesNothing(_ text: String) {
        let once = text.sanitised(cap: 256)
        #expect(once.sanitised(cap: 256) == once)
        #expect(once.utf8.count <= 256)
    }

    @Test func showsWhatItReplaces() {
        #expect("a\nb\tc\u{1B}[0m\u{202E}".sanitised(cap: 256) == #"a\nb\tc\u{1B}[0m\u{202E}"#)
        #expect("Zürich 東京 🙂".sanitised(cap: 256) == "Zürich 東京 🙂")
    }

    @Test func cutsBetweenCharacters() {
        #expect("abcdef".sanitised(cap: 6) == "abcdef")
        #expect("abcdefg".sanitised(cap: 6) == "abc…")
        #expect("éééé".sanitised(cap: 7) == "éé…")
        #expect("abcdefg\n".sanitisedEnd(cap: 6) == "…efg")
        #expect("éééé".sanitisedEnd(cap: 7) == "…éé")
        #expect(" \n".sanitisedEnd(cap: 6) == "")
    }

    @Test func quotesCannotBeClosedFromInside() {
        #expect(#"a" is ready; "b"#.quoted() == #""a' is ready; 'b""#)
    }

    /// The operator is asked to paste the name into a command.
    @Test(arguments: ["$(reboot)", "`id`", "a;b", "a b", "-x", "a\nb", "*", "", "a'b", "é.example"])
    func offersNoCommandForWhatIsNoHostName(_ host: String) {
        #expect(!EventRecord(.unknownHost(host: host, isFirst: true)).message.contains("--allow-host"))
    }

    @Test(arguments: ["mcp.example.org", "mcp.example.org:8443", "10.0.0.7", "[2001:db8::1]", "my_host"])
    func namesTheFlagForAHostName(_ host: String) {
        #expect(EventRecord(.unknownHost(host: host, isFirst: true)).message.contains("--allow-host \(host),"))
    }
}
