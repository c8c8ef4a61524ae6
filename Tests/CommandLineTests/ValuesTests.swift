// SPDX-License-Identifier: Apache-2.0

import Gateway
import Testing

@testable import mcp_proxy

@Suite struct ValuesTests {
    @Test(
        arguments: [
            ("0", 0), ("300000", 300_000), ("500ms", 500), ("30s", 30000), ("5m", 300_000), ("1h", 3_600_000),
            ("", nil), ("s", nil), ("-1", nil), ("+1", nil), ("1.5s", nil), ("5 m", nil), ("5min", nil), ("1d", nil),
            ("5M", nil), ("٣", nil), ("99999999999999999999", nil), ("9223372036854775807h", nil),
        ] as [(String, Int?)]
    )
    func durations(text: String, milliseconds: Int?) {
        #expect(parseDuration(text) == milliseconds)
    }

    @Test(
        arguments: [
            ("0", 0), ("10485760", 10 << 20), ("64K", 64 << 10), ("64k", 64 << 10), ("10M", 10 << 20),
            ("10MiB", 10 << 20),
            ("10mib", 10 << 20), ("1G", 1 << 30), ("1GiB", 1 << 30), ("4KiB", 4096),
            ("", nil), ("K", nil), ("-1K", nil), ("1.5M", nil), ("10 M", nil), ("10MB", nil), ("10B", nil),
            ("9223372036854775807K", nil),
        ] as [(String, Int?)]
    )
    func sizes(text: String, bytes: Int?) {
        #expect(parseSize(text) == bytes)
    }

    @Test func shownInTheLargestUnit() {
        #expect(
            [0, 1, 1500, 2000, 60000, 90000, 7_200_000].map(formatDuration) == [
                "0", "1ms", "1500ms", "2s", "1m", "90s", "2h",
            ]
        )
        #expect([0, 1, 1024, 1536, 10 << 20, 1 << 30].map(formatSize) == ["0", "1", "1KiB", "1536", "10MiB", "1GiB"])
    }

    @Test func zeroTurnsOffWhereItMay() throws {
        let configuration = try configuration([
            "--max-body-size=0", "--session-idle-timeout=0", "--keep-alive-interval=0", "--keep-alive-timeout=0",
            "--no-event-store", "server",
        ])
        #expect(configuration.maxBodySize == nil)
        #expect(configuration.sessionIdleTimeout == nil)
        #expect(configuration.keepAliveInterval == nil)
        #expect(configuration.keepAliveTimeout == nil)
        #expect(configuration.eventStore == nil)
        #expect(try reported("max-body-size", ["--max-body-size=0", "server"]) == ["off --max-body-size"])
        for flag in ["--request-timeout", "--max-line", "--read-timeout", "--max-sessions", "--max-request-time"] {
            #expect(failure(["\(flag)=0", "server"])?.status == 64, "\(flag)")
        }
        #expect(failure(["--request-timeout=9000h", "server"])?.status == 64)
    }

    @Test(
        arguments: [
            ("127.0.0.1:9090", .tcp(host: "127.0.0.1", port: 9090)),
            ("[::1]:0", .tcp(host: "::1", port: 0)),
            ("localhost:1", .tcp(host: "localhost", port: 1)),
            ("unix:/run/x.sock", .unix(path: "/run/x.sock")),
            ("9090", nil), (":9090", nil), ("::1:9090", nil), ("a:65536", nil), ("a:", nil), ("unix:x", nil),
            ("unix:/", nil),
            ("unix:/" + String(repeating: "x", count: 107), nil), ("", nil),
        ] as [(String, ListenAddress?)]
    )
    func addresses(text: String, address: ListenAddress?) {
        #expect(ListenAddress(text) == address)
        if let address { #expect(address.description == text) }
    }

    @Test(arguments: [
        (ValueKind.endpoint, ["/", "/mcp", "/a/b-c"], ["", "mcp", "/a b", "/a?b", "/a#b", "/a\n"]),
        (
            .origin, ["https://a.example", "http://[::1]:80", "*"],
            ["", "a.example", "https://", "https://a/", "://a", "null"]
        ),
        (.hostName, ["a.example", "10.0.0.1", "a:80", "[2001:db8::1]"], ["", "häuser", "http://a", "a b", "a/b"]),
        (.assignment, ["A=", "A=b=c", "a.b=c"], ["", "A", "=b", "A B=c"]),
        (.boolean, ["true", "False", "1", "on", "no"], ["", "2", "y"]),
        (.json, ["{}", #"{"a":{"b":[1]}}"#], ["", "[]", "1", "{", "x"]),
        (.text, ["a b"], ["", "a\nb"]),
    ])
    func otherKinds(kind: ValueKind, good: [String], bad: [String]) {
        for text in good { #expect(kind.value(of: text) != nil, "\(text)") }
        for text in bad { #expect(kind.value(of: text) == nil, "\(text)") }
    }

    @Test func capabilitiesBecomeCompactJSON() throws {
        let words = ["--client-capabilities", #"{ "sampling": {}, "x": "a\"\\\u0001" }"#, "server"]
        #expect(try configuration(words).clientCapabilities == #"{"sampling":{},"x":"a\"\\\u0001"}"#)
    }

    @Test func theServerOptionTurnsTransportsOff() throws {
        #expect(try configuration(["--server=sse", "server"]).streamEndpoint == nil)
        #expect(try configuration(["--server=stream", "server"]).sseEndpoint == nil)
    }
}
