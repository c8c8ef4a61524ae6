// SPDX-License-Identifier: Apache-2.0

import Bridge
import Glibc
import NIOCore
import Testing

@testable import Gateway

/// What only a real socket shows: closing, back-pressure, listening.
@Suite(.timeLimit(.minutes(1)), .serialized) struct SocketTests {
    /// Answers every POST with its own body.
    private static let echo: @Sendable (Gateway, RecordingBridge) -> Void = { gateway, bridge in
        bridge.onPost = { [unowned gateway] exchange, body in
            gateway.respond(exchange, Reply(status: 200, body: body))
        }
    }

    private let post = EmbeddedConnection.post("{}")

    @Test func answersManyRequestsOnOneConnection() async throws {
        let server = try await TestServer(setUp: Self.echo)
        let client = try RawClient(port: server.port)
        for number in 1...100 {
            client.send(EmbeddedConnection.post("[\(number)]"))
            #expect(try client.read(until: "]").hasSuffix("\r\n\r\n[\(number)]"))
        }
        try await server.stop()
        #expect(try client.readToEnd() == "")
        #expect(server.sink.lines == ["closed server"])
    }

    @Test func answersPipelinedRequestsInOrder() async throws {
        let server = try await TestServer(setUp: Self.echo)
        let client = try RawClient(port: server.port)
        let count = 3000
        client.send((1...count).map { EmbeddedConnection.post("[\($0)]") }.joined())
        let answers = try client.read(until: "[\(count)]")
        #expect(answers.split(separator: "HTTP/1.1 200 OK").count == count)
        try await server.stop()
    }

    @Test func seesTheClientLeaveBehindAHeapOfPipelinedRequests() async throws {
        let server = try await TestServer()
        var calls = try await server.calls()
        let client = try RawClient(port: server.port)
        // More than is read, but no more than the kernel's buffer takes: the end of the connection is behind it.
        client.send(String(repeating: self.post, count: 300))
        #expect(await calls.next() == "post 1 {}")
        client.close()
        #expect(await calls.next() == "gone 1 client_gone")
        try await server.stop()
    }

    @Test func readsNoMoreThanItCanHold() async throws {
        let server = try await TestServer()
        var calls = try await server.calls()
        let client = try RawClient(port: server.port)
        client.send(self.post)
        #expect(await calls.next() == "post 1 {}")
        // Far more than the buffers of both sockets take: sending stalls, until the answer makes room.
        client.sendWhatFits(EmbeddedConnection.post(String(repeating: "x", count: 4_000_000)), times: 10)
        #expect(client.unsent > 0)
        try await server.run { gateway, bridge in
            bridge.onPost = { [unowned gateway] exchange, _ in gateway.respond(exchange, Reply(status: 202)) }
            gateway.respond(ExchangeID(1), Reply(status: 202))
        }
        #expect(client.sendRest())
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 202 "))
        try await server.stop()
    }

    @Test func seesAResetAndAHalfClose() async throws {
        let server = try await TestServer()
        var calls = try await server.calls()
        let resetting = try RawClient(port: server.port)
        resetting.send(self.post)
        #expect(await calls.next() == "post 1 {}")
        resetting.reset()
        #expect(await calls.next() == "gone 1 client_gone")
        let halfClosing = try RawClient(port: server.port)
        halfClosing.send(self.post)
        #expect(await calls.next() == "post 2 {}")
        halfClosing.finishSending()
        #expect(await calls.next() == "gone 2 client_gone")
        try await server.stop()
    }

    @Test func seesTheClientLeaveAStream() async throws {
        let server = try await TestServer()
        var calls = try await server.calls()
        let client = try RawClient(port: server.port)
        client.send(EmbeddedConnection.request("GET", "/mcp"))
        #expect(await calls.next() == "get 1")
        try await server.run { gateway, _ in
            gateway.openStream(ExchangeID(1), sessionID: nil)
            gateway.send(ExchangeID(1), ServerSentEvent(data: ByteBuffer(string: "{}")))
        }
        #expect(try client.read(until: "data: {}\n\n\r\n").contains("text/event-stream"))
        client.close()
        #expect(await calls.next() == "gone 1 client_gone")
        try await server.stop()
    }

    @Test func cutsASlowReaderOff() async throws {
        let server = try await TestServer { $0.maxStreamBuffer = 1_000_000 }
        var calls = try await server.calls()
        let client = try RawClient(port: server.port, receiveBuffer: 4096)
        client.send(EmbeddedConnection.request("GET", "/mcp"))
        #expect(await calls.next() == "get 1")
        let goneAfter = try await server.run { gateway, bridge in
            gateway.openStream(ExchangeID(1), sessionID: nil)
            var events = 0
            // One event of any size passes; what is written in one tick counts only when it does not go out.
            gateway.send(ExchangeID(1), ServerSentEvent(data: ByteBuffer(repeating: 0x78, count: 20_000_000)))
            while bridge.log.count == 1, events < 100 {
                gateway.send(ExchangeID(1), ServerSentEvent(data: ByteBuffer(repeating: 0x78, count: 100_000)))
                events += 1
            }
            return events
        }
        #expect(goneAfter == 1)
        #expect(await calls.next() == "gone 1 slow_consumer")
        try await server.stop()
        #expect(server.sink.lines == ["closed slow_consumer"])
    }

    @Test func keepsUpWithAFastReaderWhateverTheAmount() async throws {
        let server = try await TestServer { $0.maxStreamBuffer = 1_000_000 }
        var calls = try await server.calls()
        let client = try RawClient(port: server.port)
        client.send(EmbeddedConnection.request("GET", "/mcp"))
        #expect(await calls.next() == "get 1")
        for number in 1...50 {
            try await server.run { gateway, _ in
                if number == 1 { gateway.openStream(ExchangeID(1), sessionID: nil) }
                let data = ByteBuffer(repeating: 0x78, count: 500_000)
                gateway.send(ExchangeID(1), ServerSentEvent(id: "\(number)", data: data))
            }
            #expect(try client.read(until: "id: \(number)\ndata: ").hasSuffix("data: "))
            try client.skip(500_000)
            #expect(try client.read(until: "\r\n") == "\n\n\r\n")
        }
        try await server.stop()
    }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}", "GET\r\n\r\n", "GET /mcp HTTP/1.1\r\nHost : a\r\n\r\n", "GET  /mcp HTTP/9.9\r\n\r\n",
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", "\r\n\r\n\0",
    ])
    func answersGarbageAndCloses(text: String) async throws {
        let server = try await TestServer()
        let client = try RawClient(port: server.port)
        client.send(text)
        #expect(try client.readToEnd().hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        client.close()
        try await server.stop()
        #expect(server.sink.news == ["rejected bad_message"])
    }

    @Test func getsTheRefusalOfALargeBodyAcross() async throws {
        let server = try await TestServer { $0.maxBodySize = 1000 }
        let client = try RawClient(port: server.port)
        // The client sends on after the answer has been given; a plain close would reset the connection.
        client.send(EmbeddedConnection.post(String(repeating: "x", count: 500_000)))
        let answer = try client.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains("Connection: close\r\n"))
        client.close()
        try await server.stop()
        #expect(server.sink.lines == ["rejected body_too_large", "closed server"])
    }

    /// Answers every request with this much.
    private static func flood(_ bytes: Int) -> @Sendable (Gateway, RecordingBridge) -> Void {
        { gateway, bridge in
            bridge.onPost = { [unowned gateway] exchange, _ in
                gateway.respond(exchange, Reply(status: 200, body: ByteBuffer(repeating: 0x20, count: bytes)))
            }
        }
    }

    @Test func makesNoMoreAnswersThanTheClientTakes() async throws {
        let server = try await TestServer(setUp: Self.flood(8_000_000))
        let client = try RawClient(port: server.port)
        client.send(String(repeating: self.post, count: 10))
        var calls = try await server.calls()
        _ = await calls.next()
        // Whatever the loop had to do with what it has read, it has done after some more turns.
        for _ in 0..<100 { _ = try await server.run { _, _ in } }
        #expect(try await server.run { _, bridge in bridge.log.count } <= 2)
        for _ in 0..<10 {
            _ = try client.read(until: "\r\n\r\n")
            try client.skip(8_000_000)
        }
        #expect(try await server.run { _, bridge in bridge.log.count } == 10)
        client.close()
        try await server.stop()
    }

    @Test func letsAnAnswerGoOutWhenItCloses() async throws {
        let server = try await TestServer(setUp: Self.flood(8_000_000))
        let client = try RawClient(port: server.port)
        client.send(self.post)
        var calls = try await server.calls()
        _ = await calls.next()
        try await server.run { gateway, _ in _ = gateway.close(within: .seconds(10)) }
        _ = try client.read(until: "\r\n\r\n")
        try client.skip(8_000_000)
        client.close()
        try await server.stop()
    }

    @Test func refusesWhatAllConnectionsTogetherCannotHold() async throws {
        let server = try await TestServer(configure: { $0.maxBuffered = 1000 }, setUp: Self.echo)
        let hoarder = try RawClient(port: server.port)
        hoarder.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        hoarder.send("Content-Length: 901\r\n\r\n" + String(repeating: "x", count: 900))
        while try await server.run({ gateway, _ in gateway.keptBodyBytes }) < 900 { await Task.yield() }
        let other = try RawClient(port: server.port)
        other.send(EmbeddedConnection.post(String(repeating: "x", count: 200)))
        #expect(try other.readToEnd().hasPrefix("HTTP/1.1 503 "))
        hoarder.close()
        try await server.stop()
        #expect(server.sink.news.contains("rejected overloaded"))
    }

    @Test func doesNotReadARefusedBodyForEver() async throws {
        let server = try await TestServer { $0.maxBodySize = 1000 }
        let client = try RawClient(port: server.port)
        client.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.send("Content-Length: 100000000\r\n\r\n")
        let chunk = String(repeating: "x", count: 1_000_000)
        #expect(!(0..<100).allSatisfy { _ in client.send(chunk) })
        try await server.stop()
        #expect(server.sink.lines == ["rejected body_too_large", "closed too_much_input"])
    }

    @Test func answersHTTP10AndCloses() async throws {
        let server = try await TestServer(setUp: Self.echo)
        let client = try RawClient(port: server.port)
        client.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        #expect(try client.readToEnd().hasSuffix(#"{"status":"ok"}"#))
        try await server.stop()
    }

    @Test func answersBeforeItSeesTheEnd() async throws {
        let server = try await TestServer(setUp: Self.echo)
        let client = try RawClient(port: server.port)
        client.send(self.post)
        client.finishSending()
        #expect(try client.readToEnd().hasSuffix("\r\n\r\n{}"))
        try await server.stop()
    }

    @Test func refusesConnectionsBeyondTheLimit() async throws {
        let server = try await TestServer(configure: { $0.maxConnections = 2 }, setUp: Self.echo)
        let first = try RawClient(port: server.port)
        let second = try RawClient(port: server.port)
        for client in [first, second] {
            client.send(self.post)
            #expect(try client.read(until: "{}").hasPrefix("HTTP/1.1 200 "))
        }
        let third = try RawClient(port: server.port)
        third.send(self.post)
        let answer = try third.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Retry-After: 1\r\n"))
        #expect(server.sink.news == ["rejected connection_limit"])
        first.close()
        try await server.stop()
    }

    // MARK: Listening

    /// A path for a socket, in a directory of its own.
    private func socketPath() throws -> String {
        var template = Array("/tmp/gateway-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template))
        return String(cString: directory) + "/admin.sock"
    }

    @Test func answersHealthOnAUnixSocketOnly() async throws {
        let path = try self.socketPath()
        let server = try await TestServer { $0.adminListen = .unix(path: path) }
        #expect(server.addresses.admin == .unix(path: path))
        let admin = try RawClient(path: path)
        admin.send("GET /readyz HTTP/1.0\r\n\r\n")
        #expect(try admin.readToEnd().hasSuffix(#"{"status":"ready"}"#))
        let main = try RawClient(port: server.port)
        main.send("GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        #expect(try main.readToEnd().hasPrefix("HTTP/1.1 404 "))
        try await server.stop()
        #expect(access(path, F_OK) != 0)
    }

    @Test func takesTheSocketFileOfADeadProcessButNoOther() async throws {
        let path = try self.socketPath()
        // A socket that is bound and then closed leaves its file, with nobody behind it.
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let bound = try SocketAddress(unixDomainSocketPath: path).withSockAddr { bind(left, $0, socklen_t($1)) }
        #expect(bound == 0)
        close(left)

        let server = try await TestServer { $0.adminListen = .unix(path: path) }
        let inUse = BindError(address: .unix(path: path), cause: .addressInUse)
        await #expect(throws: inUse) { try await TestServer { $0.adminListen = .unix(path: path) } }
        _ = try RawClient(path: path)
        try await server.stop()

        let file = path + ".txt"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        await #expect(throws: BindError.self) { try await TestServer { $0.adminListen = .unix(path: file) } }
        #expect(access(file, F_OK) == 0)
    }

    @Test func saysWhyItCannotListen() async throws {
        let server = try await TestServer()
        let taken = server.addresses.main
        await #expect(throws: BindError(address: taken, cause: .addressInUse)) {
            try await TestServer { $0.listen = taken }
        }
        for host in ["192.0.2.1", "no such host"] {
            let address = ListenAddress.tcp(host: host, port: 0)
            await #expect(throws: BindError(address: address, cause: .badAddress)) {
                try await TestServer { $0.listen = address }
            }
        }
        let missing = ListenAddress.unix(path: "/nowhere/at/all.sock")
        await #expect(throws: BindError(address: missing, cause: .badPath)) {
            try await TestServer { $0.adminListen = missing }
        }
        let long = ListenAddress.unix(path: "/tmp/" + String(repeating: "x", count: 200))
        await #expect(throws: BindError(address: long, cause: .badPath)) {
            try await TestServer { $0.adminListen = long }
        }
        try await server.stop()
    }

    @Test func stopsAcceptingAndLetsTheRestFinish() async throws {
        let server = try await TestServer()
        var calls = try await server.calls()
        let busy = try RawClient(port: server.port)
        let idle = try RawClient(port: server.port)
        busy.send(self.post)
        #expect(await calls.next() == "post 1 {}")
        try await server.run { gateway, _ in
            gateway.stopAccepting()
            gateway.closeIdleConnections()
        }
        #expect(try idle.readToEnd() == "")
        #expect(throws: RawClient.Failed.self) { try RawClient(port: server.port) }
        try await server.run { gateway, _ in gateway.respond(ExchangeID(1), Reply(status: 202)) }
        #expect(try busy.readToEnd().contains("Connection: close\r\n"))
        busy.close()
        try await server.stop()
    }
}
