// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

/// One connection with its parser, without a socket.
@Suite struct ConnectionTests {
    private static let post = EmbeddedConnection.post()

    // MARK: Answers

    @Test func answersJSONAndTakesTheNextRequest() throws {
        let connection = try EmbeddedConnection()
        for number in 1...3 {
            #expect(try connection.send(EmbeddedConnection.post(#"{"id":1}"#)) == "")
            connection.gateway.respond(
                ExchangeID(UInt64(number)),
                Reply(status: 200, body: ByteBuffer(string: "{}"), sessionID: "s-1")
            )
            let expected =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nMcp-Session-Id: s-1\r\n\r\n{}"
            #expect(try connection.received() == expected)
        }
        #expect(connection.bridge.log == [#"post 1 {"id":1}"#, #"post 2 {"id":1}"#, #"post 3 {"id":1}"#])
        #expect(connection.sink.lines.isEmpty)
    }

    @Test func answersWithoutABody() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        connection.gateway.respond(connection.bridge.last, Reply(status: 202))
        #expect(try connection.received() == "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        try connection.send(EmbeddedConnection.request("DELETE", "/mcp"))
        connection.gateway.respond(connection.bridge.last, Reply(status: 405, allow: "GET, POST"))
        #expect(try connection.received().contains("\r\nAllow: GET, POST\r\n"))
    }

    @Test func sendsALargeBodyWhole() throws {
        let connection = try EmbeddedConnection()
        let body = String(repeating: "x", count: 100_000)
        try connection.send(Self.post)
        connection.gateway.respond(connection.bridge.last, Reply(status: 200, body: ByteBuffer(string: body)))
        #expect(try connection.received().hasSuffix("Content-Length: 100000\r\n\r\n" + body))
    }

    @Test func ignoresASecondAnswer() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        let exchange = connection.bridge.last
        connection.gateway.respond(exchange, Reply(status: 202))
        connection.gateway.respond(exchange, Reply(status: 202))
        connection.gateway.openStream(exchange, sessionID: nil)
        connection.gateway.send(exchange, ServerSentEvent())
        connection.gateway.endStream(exchange)
        #expect(try connection.received() == "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    }

    @Test func putsABodyTogether() throws {
        let connection = try EmbeddedConnection()
        let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        try connection.send(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n")
        try connection.send("3\r\na\":\r\n")
        try connection.send("2\r\n1}\r\n0\r\n\r\n")
        #expect(connection.bridge.log == [#"post 1 {"a":1}"#])
    }

    @Test func worksWhereverTheBytesAreCut() throws {
        let text = EmbeddedConnection.post(#"{"id":1}"#)
        for cut in 1..<text.utf8.count {
            let connection = try EmbeddedConnection()
            try connection.send(String(text.prefix(cut)))
            try connection.send(String(text.dropFirst(cut)))
            #expect(connection.bridge.log == [#"post 1 {"id":1}"#])
        }
    }

    @Test func opensTheOlderTransport() throws {
        let connection = try EmbeddedConnection()
        try connection.send(EmbeddedConnection.request("GET", "/sse", headers: "Accept: text/event-stream\r\n"))
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        let data = ByteBuffer(string: "/sse/messages?sessionId=1")
        connection.gateway.send(connection.bridge.last, ServerSentEvent(name: "endpoint", data: data))
        #expect(try connection.received().hasSuffix("event: endpoint\ndata: /sse/messages?sessionId=1\n\n\r\n"))
        let other = try EmbeddedConnection()
        try other.send(EmbeddedConnection.post(to: "/sse/messages?sessionId=a%20b"))
        #expect(other.bridge.log == ["postSSE 1 a b {}"])
    }

    // MARK: Streams

    @Test func streamsEventsAndGoesOn() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        let exchange = connection.bridge.last
        connection.gateway.openStream(exchange, sessionID: "s")
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
            + "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nMcp-Session-Id: s\r\n\r\n"
        #expect(try connection.received() == head)
        connection.gateway.send(exchange, ServerSentEvent(data: ByteBuffer(string: "{}")))
        connection.gateway.send(exchange, ServerSentEvent(data: ByteBuffer(string: "{}")))
        connection.gateway.endStream(exchange)
        #expect(try connection.received() == "a\r\ndata: {}\n\n\r\na\r\ndata: {}\n\n\r\n0\r\n\r\n")
        try connection.send(Self.post)
        #expect(connection.bridge.log == ["post 1 {}", "post 2 {}"])
    }

    @Test func sendsCommentsOnASilentStreamOnly() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        #expect(try connection.wait(.seconds(100)) == "")
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        _ = try connection.received()
        #expect(try connection.wait(.seconds(14)) == "")
        connection.gateway.send(connection.bridge.last, ServerSentEvent())
        _ = try connection.received()
        #expect(try connection.wait(.seconds(14)) == "")
        #expect(try connection.wait(.seconds(1)) == "d\r\n: keepalive\n\n\r\n")
        #expect(try connection.wait(.seconds(15)) == "d\r\n: keepalive\n\n\r\n")
    }

    @Test func streamsToHTTP10WithoutChunks() throws {
        let connection = try EmbeddedConnection()
        try connection.send("GET /mcp HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        connection.gateway.send(connection.bridge.last, ServerSentEvent(data: ByteBuffer(string: "{}")))
        let text = try connection.received()
        #expect(!text.contains("Transfer-Encoding"))
        #expect(text.contains("Connection: close\r\n"))
        #expect(text.hasSuffix("\r\n\r\ndata: {}\n\n"))
        connection.gateway.endStream(connection.bridge.last)
        #expect(try connection.received() == "")
        #expect(!connection.isOpen)
    }

    @Test func sendsAnEventLargerThanTheBuffer() throws {
        let connection = try EmbeddedConnection { $0.maxStreamBuffer = 1000 }
        try connection.send(EmbeddedConnection.request("GET", "/mcp"))
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        let event = ServerSentEvent(data: ByteBuffer(repeating: 0x78, count: 200_000))
        for _ in 1...3 {
            // Written in one tick, but the client takes it all: not slow.
            connection.gateway.send(connection.bridge.last, event)
            #expect(connection.isOpen)
        }
        #expect(try connection.received().utf8.count > 600_000)
    }

    // MARK: One at a time

    @Test func holdsPipelinedRequestsBack() throws {
        let connection = try EmbeddedConnection()
        try connection.send(EmbeddedConnection.post("1") + EmbeddedConnection.post("2") + EmbeddedConnection.post("3"))
        #expect(connection.bridge.log == ["post 1 1"])
        connection.gateway.respond(ExchangeID(1), Reply(status: 202))
        #expect(connection.bridge.log == ["post 1 1", "post 2 2"])
        connection.gateway.openStream(ExchangeID(2), sessionID: nil)
        connection.gateway.endStream(ExchangeID(2))
        #expect(connection.bridge.log == ["post 1 1", "post 2 2", "post 3 3"])
    }

    @Test func answersManyPipelinedRequestsWithoutDeepRecursion() throws {
        let connection = try EmbeddedConnection()
        connection.bridge.onPost = { exchange, _ in
            connection.gateway.respond(exchange, Reply(status: 202))
        }
        let answers = try connection.send(String(repeating: Self.post, count: 5000))
        #expect(answers.split(separator: "HTTP/1.1 202 Accepted").count == 5000)
        #expect(connection.bridge.log.count == 5000)
        connection.bridge.onPost = nil
    }

    @Test func answersWhatIsMalformedAfterThePendingRequest() throws {
        let connection = try EmbeddedConnection()
        #expect(try connection.send(Self.post + "BROKEN\r\n\r\n") == "")
        #expect(connection.sink.news.isEmpty)
        connection.gateway.respond(ExchangeID(1), Reply(status: 202))
        let text = try connection.received()
        #expect(text.hasPrefix("HTTP/1.1 202 Accepted\r\n"))
        #expect(text.contains("HTTP/1.1 400 Bad Request\r\n"))
        #expect(connection.sink.news == ["rejected bad_message"])
        #expect(!connection.isOpen)
    }

    // MARK: The client leaves

    @Test func reportsAClientGoneOnce() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        connection.channel.close(promise: nil)
        #expect(connection.bridge.log == ["post 1 {}", "gone 1 client_gone"])
        connection.gateway.respond(ExchangeID(1), Reply(status: 202))
        #expect(connection.sink.lines == ["closed client"])
        #expect(connection.gateway.connectionCount == 0)
    }

    @Test func saysNothingOfAClientThatLeavesBetweenRequests() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        connection.gateway.respond(ExchangeID(1), Reply(status: 202))
        try connection.send("POST /mcp HTTP/1.1\r\nHost: loc")
        connection.channel.close(promise: nil)
        #expect(connection.bridge.log == ["post 1 {}"])
        #expect(connection.sink.lines == ["closed client"])
    }

    // MARK: Refusals

    @Test(arguments: [
        ("PUT /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed", -32000, "not_found"),
        ("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", -32000, "not_found"),
        (
            "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n", "406 Not Acceptable", -32600,
            "bad_header"
        ),
        ("GET /mcp HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n", "403 Forbidden", -32000, "bad_host"),
        ("GET /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", "403 Forbidden", -32000, "bad_origin"),
        ("GET /mcp HTTP/1.1\r\n\r\n", "400 Bad Request", -32600, "bad_message"),
        (
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
            "415 Unsupported Media Type", -32600, "bad_header"
        ),
    ])
    func refusesAndGoesOn(text: String, status: String, code: Int, reason: String) throws {
        let connection = try EmbeddedConnection()
        let answer = try connection.send(text)
        #expect(answer.hasPrefix("HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n"))
        #expect(answer.contains(#"{"jsonrpc":"2.0","id":null,"error":{"code":\#(code),"message":"#))
        #expect(connection.sink.lines == ["rejected \(reason)"])
        #expect(connection.isOpen)
        try connection.send(Self.post)
        #expect(connection.bridge.log == ["post 1 {}"])
    }

    @Test(arguments: [
        ("\u{16}\u{3}\u{1}\u{2}", "400 Bad Request", "bad_message"),
        ("GET / HTTP/2.0\r\n\r\n", "400 Bad Request", "bad_message"),
        ("GET /mcp HTTP/1.1\r\nHost : localhost\r\n\r\n", "400 Bad Request", "bad_message"),
        ("GET /mcp HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", "400 Bad Request", "bad_message"),
        ("GET /m\u{1}cp HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 Bad Request", "bad_message"),
        ("POST /mcp HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request", "bad_message"),
        ("POST /mcp HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 Bad Request", "bad_message"),
        (
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request", "bad_message"
        ),
        (
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400 Bad Request",
            "bad_message"
        ),
    ])
    func refusesWhatIsNotHTTPAndCloses(text: String, status: String, reason: String) throws {
        let connection = try EmbeddedConnection()
        let answer = try connection.send(text)
        #expect(answer.hasPrefix("HTTP/1.1 \(status)\r\n"))
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(connection.sink.news == ["rejected \(reason)"])
        #expect(connection.bridge.log.isEmpty)
        #expect(!connection.isOpen)
    }

    @Test func refusesAFloodOfHeaders() throws {
        let long = String(repeating: "b", count: 9000)
        for flood in [
            String(repeating: "a: b\r\n", count: 101), "a: \(long)\(long)",
            String(repeating: "a: \(long)\r\n", count: 8),
        ] {
            let connection = try EmbeddedConnection()
            let answer = try connection.send("GET /mcp HTTP/1.1\r\n" + flood)
            #expect(answer.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
            #expect(connection.sink.news == ["rejected bad_header"])
            #expect(!connection.isOpen)
        }
    }

    @Test func refusesABodyThatIsTooLarge() throws {
        let announced = try EmbeddedConnection { $0.maxBodySize = 10 }
        let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        #expect(try announced.send(head + "Content-Length: 11\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
        #expect(announced.sink.news == ["rejected body_too_large"])
        let grown = try EmbeddedConnection { $0.maxBodySize = 10 }
        #expect(try grown.send(head + "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n") == "")
        #expect(try grown.send("1\r\nx\r\n").hasPrefix("HTTP/1.1 413 "))
        #expect(grown.bridge.log.isEmpty)
        let exact = try EmbeddedConnection { $0.maxBodySize = 10 }
        try exact.send(EmbeddedConnection.post("0123456789"))
        #expect(exact.bridge.log == ["post 1 0123456789"])
    }

    @Test func asksForABodyHeldBackUnlessItIsRefused() throws {
        let connection = try EmbeddedConnection()
        let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
        let answer = try connection.send(head + "Content-Type: application/json\r\n\r\n")
        #expect(answer == "HTTP/1.1 100 Continue\r\n\r\n")
        try connection.send("{}")
        #expect(connection.bridge.log == ["post 1 {}"])
        connection.gateway.respond(connection.bridge.last, Reply(status: 202))
        _ = try connection.received()
        #expect(try connection.send(head + "\r\n").hasPrefix("HTTP/1.1 415 "))
        #expect(!connection.isOpen)
    }

    @Test func closesAfterARequestToSwitchProtocols() throws {
        let connection = try EmbeddedConnection()
        let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        try connection.send(EmbeddedConnection.post(headers: upgrade))
        #expect(connection.bridge.log == ["post 1 {}"])
        connection.gateway.respond(connection.bridge.last, Reply(status: 202))
        #expect(try connection.received().contains("Connection: close\r\n"))
        #expect(!connection.isOpen)
    }

    @Test func reportsAnUnknownHostEachTimeAndTellsTheFirst() throws {
        let connection = try EmbeddedConnection()
        for host in ["mcp.example.com", "MCP.example.com:443", "other.example.com"] {
            try connection.send("GET /x HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        }
        #expect(
            connection.sink.lines.filter { $0.hasPrefix("unknown") } == [
                "unknown mcp.example.com", "unknown again mcp.example.com", "unknown other.example.com",
            ]
        )
    }

    @Test func refusesAConnectionTooMany() throws {
        let connection = try EmbeddedConnection { $0.maxConnections = 0 }
        let answer = try connection.received()
        #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(answer.contains("Retry-After: 1\r\n"))
        #expect(connection.sink.news == ["rejected connection_limit"])
        #expect(!connection.isOpen)
    }

    // MARK: HTTP/1.0

    @Test func closesAfterAnHTTP10RequestUnlessAsked() throws {
        let closing = try EmbeddedConnection()
        try closing.send("DELETE /mcp HTTP/1.0\r\nHost: localhost\r\n\r\n")
        closing.gateway.respond(closing.bridge.last, Reply(status: 202))
        #expect(try closing.received().contains("Connection: close\r\n"))
        #expect(!closing.isOpen)
        let lasting = try EmbeddedConnection()
        try lasting.send("DELETE /mcp HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        lasting.gateway.respond(lasting.bridge.last, Reply(status: 202))
        #expect(try lasting.received().contains("Connection: keep-alive\r\n"))
        #expect(lasting.isOpen)
    }

    // MARK: Time

    @Test(arguments: ["POST /mcp HTTP/1.1\r\nHo", String(EmbeddedConnection.post("{}").dropLast())])
    func endsItsPatienceWithASlowRequest(text: String) throws {
        let connection = try EmbeddedConnection()
        try connection.send(text)
        #expect(try connection.wait(.seconds(29)) == "")
        let answer = try connection.wait(.seconds(1))
        #expect(answer.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(answer.contains("did not arrive within 30.0 s"))
        #expect(connection.sink.news == ["rejected slow_request"])
        #expect(!connection.isOpen)
    }

    @Test func endsItsPatienceWithARequestThatTrickles() throws {
        let connection = try EmbeddedConnection()
        var answer = ""
        for byte in EmbeddedConnection.post("{}").dropLast() where connection.isOpen {
            answer += try connection.send(String(byte)) + connection.wait(.seconds(1))
        }
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
        #expect(connection.bridge.log.isEmpty)
    }

    @Test func doesNotSpinWithTimeoutsOfZero() throws {
        let connection = try EmbeddedConnection {
            $0.keepAliveTimeout = .zero
            $0.keepAliveInterval = .zero
        }
        try connection.send(EmbeddedConnection.request("GET", "/mcp"))
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        #expect(try connection.wait(.seconds(60)).hasSuffix("\r\n\r\n"))
        connection.gateway.endStream(connection.bridge.last)
        #expect(try connection.wait(.seconds(1)) == "0\r\n\r\n")
        #expect(!connection.isOpen)
    }

    @Test func closesAnIdleConnection() throws {
        let unused = try EmbeddedConnection()
        #expect(try unused.wait(.seconds(30)) == "")
        #expect(!unused.isOpen)
        #expect(unused.sink.lines == ["closed idle_timeout"])
        let used = try EmbeddedConnection { $0.keepAliveTimeout = .seconds(75) }
        try used.send(Self.post)
        try used.wait(.seconds(1000))
        used.gateway.respond(used.bridge.last, Reply(status: 202))
        try used.wait(.seconds(74))
        #expect(used.isOpen)
        try used.wait(.seconds(1))
        #expect(!used.isOpen)
    }

    // MARK: Health and CORS

    @Test func answersHealth() throws {
        let connection = try EmbeddedConnection()
        #expect(try connection.send(EmbeddedConnection.request("GET", "/healthz")).hasSuffix(#"{"status":"ok"}"#))
        #expect(try connection.send(EmbeddedConnection.request("GET", "/readyz")).hasSuffix(#"{"status":"ready"}"#))
        connection.bridge.readiness = Readiness(.crashLoop, reason: #"exited "7""#)
        let answer = try connection.send(EmbeddedConnection.request("GET", "/readyz"))
        #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(answer.hasSuffix(#"{"status":"crash_loop","reason":"exited \"7\""}"#))
        #expect(connection.sink.lines.isEmpty)
    }

    @Test func answersHEADWithoutABody() throws {
        let connection = try EmbeddedConnection()
        let answer = try connection.send(EmbeddedConnection.request("HEAD", "/healthz"))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("Content-Length: 15\r\n\r\n"))
        #expect(try connection.send(EmbeddedConnection.request("HEAD", "/mcp")).hasSuffix("\r\n\r\n"))
    }

    @Test func answersAPreflight() throws {
        let connection = try EmbeddedConnection { $0.allowedOrigins = ["https://app.example"] }
        let headers = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
        let answer = try connection.send(EmbeddedConnection.request("OPTIONS", "/mcp", headers: headers))
        #expect(answer.hasPrefix("HTTP/1.1 204 No Content\r\n"))
        #expect(!answer.contains("Content-Length"))
        #expect(answer.contains("Access-Control-Allow-Origin: https://app.example\r\nVary: Origin\r\n"))
        #expect(answer.contains("Access-Control-Allow-Methods: GET, POST, DELETE\r\n"))
        #expect(answer.contains("Mcp-Session-Id"))
        #expect(!answer.contains("Credentials"))
        #expect(try !connection.send(EmbeddedConnection.request("OPTIONS", "/mcp")).contains("Access-Control"))
    }

    @Test func letsAnAllowedPageReadAnswers() throws {
        let connection = try EmbeddedConnection()
        let origin = "Origin: http://localhost:5173\r\n"
        let expected =
            "Access-Control-Allow-Origin: http://localhost:5173\r\nVary: Origin\r\n"
            + "Access-Control-Expose-Headers: Mcp-Session-Id\r\n"
        try connection.send(EmbeddedConnection.post(headers: origin))
        connection.gateway.respond(connection.bridge.last, Reply(status: 202))
        #expect(try connection.received().contains(expected))
        #expect(try connection.send(EmbeddedConnection.request("PUT", "/mcp", headers: origin)).contains(expected))
        try connection.send(EmbeddedConnection.request("GET", "/mcp", headers: origin))
        connection.gateway.openStream(connection.bridge.last, sessionID: nil)
        #expect(try connection.received().contains(expected))
    }

    // MARK: Going down

    @Test func drains() throws {
        let idle = try EmbeddedConnection()
        idle.gateway.closeIdleConnections()
        #expect(!idle.isOpen)
        let busy = try EmbeddedConnection()
        try busy.send(Self.post)
        busy.gateway.closeIdleConnections()
        #expect(busy.isOpen)
        busy.gateway.respond(busy.bridge.last, Reply(status: 202))
        #expect(try busy.received().contains("Connection: close\r\n"))
        #expect(!busy.isOpen)
    }

    @Test func cutsEverythingInTheEnd() throws {
        let connection = try EmbeddedConnection()
        try connection.send(Self.post)
        let closed = connection.gateway.close()
        connection.loop.run()
        try closed.wait()
        #expect(connection.bridge.log == ["post 1 {}", "gone 1 client_gone"])
        #expect(connection.sink.lines == ["closed server"])
    }
}
