// SPDX-License-Identifier: Apache-2.0

import MCP
import NIOHTTP1
import Testing

@testable import Gateway

@Suite struct MediaRangeTests {
    @Test(
        arguments: [
            (nil, true, true), ("*/*", true, true), ("application/json", true, false),
            ("text/event-stream", false, true),
            ("application/json, text/event-stream", true, true), ("APPLICATION/JSON;q=0.9", true, false),
            ("application/*", true, false), ("text/*", false, true), ("text/html", false, false), ("", false, false),
            ("text/html, */*;q=0.1", true, true), ("*/*, application/json;q=0", false, true),
            ("application/json;q=0, */*", false, true), ("text/event-stream; q=0.0", false, false),
            ("application/jsonx", false, false), (" text/event-stream ;charset=utf-8", false, true),
            ("text/*;q=0, text/event-stream", false, true),
        ] as [(String?, Bool, Bool)]
    )
    func accepts(accept: String?, json: Bool, eventStream: Bool) {
        let accepted = MediaRange.accepted(accept)
        #expect(accepted.json == json)
        #expect(accepted.eventStream == eventStream)
    }

    @Test func readsContentType() {
        #expect(MediaRange.isJSON("application/json"))
        #expect(MediaRange.isJSON("Application/JSON ; charset=utf-8"))
        #expect(!MediaRange.isJSON("application/json5"))
        #expect(!MediaRange.isJSON("text/plain; application/json"))
        #expect(!MediaRange.isJSON(""))
    }
}

@Suite struct RequestTargetTests {
    @Test(
        arguments: [
            ("/mcp", nil, "/mcp", nil), ("/mcp/", nil, "/mcp", nil), ("/", nil, "/", nil),
            ("/mcp?a=b", nil, "/mcp", "a=b"),
            ("/mcp/?", nil, "/mcp", ""), ("http://h:1/mcp?x", "h:1", "/mcp", "x"), ("HTTPS://h", "h", "", nil),
            ("http://h?x", "h", "", "x"), ("/mcp//", nil, "/mcp/", nil),
        ] as [(String, String?, String, String?)]
    )
    func splits(uri: String, authority: String?, path: String, query: String?) throws {
        let target = try #require(RequestTarget(uri))
        #expect(target.authority == authority)
        #expect(target.path == path)
        #expect(target.query.map { String($0) } == query)
    }

    @Test(arguments: ["", "*", "mcp", "ftp://h/mcp", "host:443"])
    func refuses(uri: String) {
        #expect(RequestTarget(uri) == nil)
    }

    @Test(
        arguments: [
            ("/m?sessionId=abc", "abc"), ("/m?session_id=abc", "abc"), ("/m?x=1&sessionId=a%2Db%3d", "a-b="),
            ("/m?sessionId=a+b", "a b"), ("/m?sessionId=", ""), ("/m?sessionId", nil), ("/m", nil), ("/m?", nil),
            ("/m?sessionId=%", nil), ("/m?sessionId=%4", nil), ("/m?sessionId=%zz", nil), ("/m?sessionId=%ff", nil),
            ("/m?xsessionId=abc", nil), ("/m?sessionId=a=b", "a=b"), ("/m?sessionId=%c3%a4", "ä"),
        ] as [(String, String?)]
    )
    func decodesTheSession(uri: String, session: String?) throws {
        #expect(try #require(RequestTarget(uri)).queryValue("sessionId", "session_id") == session)
    }
}

@Suite struct RequestHeadersTests {
    @Test func gathersWhateverTheCase() {
        let headers = RequestHeaders([
            ("HOST", "h"), ("accept", "a"), ("Accept", "b"), ("mcp-Session-ID", "s"), ("Mcp-Protocol-Version", "v"),
            ("content-LENGTH", "7"), ("Last-Event-Id", "e"), ("Expect", "100-Continue"), ("Upgrade", "h2c"),
        ])
        #expect(headers.host == "h")
        #expect(headers.accept == "a,b")
        #expect(headers.sessionID == "s")
        #expect(headers.protocolVersion == "v")
        #expect(headers.contentLength == 7)
        #expect(headers.lastEventID == "e")
        #expect(headers.expectsContinue)
        #expect(headers.upgrades)
        #expect(!headers.isForwarded)
        #expect(headers.duplicate == nil)
    }

    @Test func dropsWhiteSpaceBehindValues() {
        let headers = RequestHeaders(
            HTTPHeaders([("Mcp-Method", "tools/call \t"), ("Mcp-Param-A", "x y "), ("Mcp-Name", " ")])
        )
        #expect(headers.routing.method == "tools/call")
        #expect(headers.routing.parameters == ["a": "x y"])
        #expect(headers.routing.name?.isEmpty == true)
    }

    @Test(arguments: ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Anything", "X-Real-IP", "Via"])
    func noticesAReverseProxy(name: String) {
        #expect(RequestHeaders([(name, "x")]).isForwarded)
    }

    @Test(arguments: ["Host", "Origin", "Mcp-Session-Id", "MCP-Protocol-Version", "Content-Length", "Content-Type"])
    func noticesADuplicate(name: String) {
        #expect(RequestHeaders([(name, "1"), (name.lowercased(), "1")]).duplicate == name.lowercased())
    }
}

extension RequestHeaders {
    fileprivate init(_ headers: [(String, String)]) { self.init(HTTPHeaders(headers)) }
}
