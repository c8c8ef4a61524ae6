// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Tracing

@Suite struct ExchangeTests {
    /// A connection that stands, with a request of 4 bytes on it.
    private struct Bench {
        let loop = EmbeddedEventLoop()
        let channel: EmbeddedChannel
        let reply: EventLoopFuture<ExportReply>
        private let result: NIOLoopBoundBox<ExportReply?>

        init() throws {
            channel = EmbeddedChannel(loop: loop)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 4318)).wait()
            let promise = loop.makePromise(of: ExportReply.self)
            reply = promise.futureResult
            result = NIOLoopBoundBox(nil, eventLoop: loop)
            let exchange = OTLPExchange(
                head: HTTPRequestHead(version: .http1_1, method: .POST, uri: "/x", headers: ["Content-Length": "4"]),
                body: ByteBuffer(string: "body"),
                encoding: .json,
                deadline: loop.now + .seconds(10),
                reply: promise
            )
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHTTPClientHandlers(decoderLimitConfiguration: OTLPExchange.answerLimits)
            try pipeline.addHandler(exchange)
            reply.whenSuccess { [result] in result.value = $0 }
        }

        /// What it was told so far.
        var outcome: ExportReply? { result.value }

        func receive(_ text: String) throws {
            try channel.writeInbound(ByteBuffer(string: text))
            loop.run()
        }

        func sent() throws -> String {
            var text = ""
            while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
            return text
        }
    }

    @Test func sendsTheRequestAndReadsTheAnswer() throws {
        let bench = try Bench()
        #expect(try bench.sent() == "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
        #expect(bench.outcome == nil)
        try bench.receive("HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{\"partialSuccess\":{")
        #expect(bench.outcome == nil)
        try bench.receive("\"rejectedSpans\":\"2\" }}")
        #expect(bench.outcome == .answered(status: 200, rejected: 2))
        #expect(!bench.channel.isActive)
    }

    @Test func readsHowLongToWait() throws {
        let bench = try Bench()
        try bench.receive("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
        #expect(bench.outcome == .answered(status: 503, retryAfter: .seconds(7)))
    }

    @Test func anAnswerMayEndWithTheConnection() throws {
        let bench = try Bench()
        try bench.receive("HTTP/1.0 200 OK\r\n\r\n{}")
        #expect(bench.outcome == nil)
        bench.channel.close(promise: nil)
        #expect(bench.outcome == .answered(status: 200))
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
    func tellsThatTheConnectionBroke(_ answer: String) throws {
        let bench = try Bench()
        if !answer.isEmpty { try bench.receive(answer) }
        bench.channel.close(promise: nil)
        #expect(bench.outcome == .failed(.connectionClosed))
    }

    @Test func givesUpInTime() throws {
        let bench = try Bench()
        try bench.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow")
        bench.loop.advanceTime(by: .milliseconds(9999))
        #expect(bench.outcome == nil)
        bench.loop.advanceTime(by: .milliseconds(1))
        #expect(bench.outcome == .failed(.timeout))
        #expect(!bench.channel.isActive)
    }

    @Test(arguments: [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 70_000))\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n\(String(repeating: "x", count: 70_000))",
    ])
    func refusesNonsense(_ answer: String) throws {
        let bench = try Bench()
        try bench.receive(answer)
        #expect(bench.outcome == .failed(.badResponse))
        #expect(!bench.channel.isActive)
    }

    @Test func tellsThatTheConnectionWasGoneBefore() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        let promise = loop.makePromise(of: ExportReply.self)
        let exchange = OTLPExchange(
            head: HTTPRequestHead(version: .http1_1, method: .POST, uri: "/"),
            body: ByteBuffer(),
            encoding: .json,
            deadline: loop.now + .seconds(1),
            reply: promise
        )
        try channel.pipeline.syncOperations.addHandler(exchange)
        #expect(try promise.futureResult.wait() == .failed(.connectionClosed))
    }
}

@Suite struct RetryAfterTests {
    @Test(arguments: [
        ("0", 0), ("120", 120), ("-5", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 37), ("Sun, 06 Nov 1994 08:48:37 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("99999999999999999", 3_155_760_000),
    ])
    func reads(_ value: String, _ seconds: Int64) {
        // 1994-11-06T08:49:00Z
        #expect(retryAfter(value, now: 784_111_740) == .seconds(seconds))
    }

    @Test(arguments: [
        "", "soon", "1.5", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nix 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 99999999999 08:49:37 GMT",
    ])
    func ignoresWhatItCannotRead(_ value: String) {
        #expect(retryAfter(value, now: 0) == nil)
    }
}
