// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite struct MetricsPageTests {
    private static let get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n"

    @Test func answersWithThePage() throws {
        let connection = try EmbeddedConnection()
        let answer = try connection.send(Self.get)
        let expected =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nVary: Accept, Accept-Encoding\r\n"
            + "Content-Length: 5\r\n\r\npage\n"
        #expect(answer == expected)
        #expect(connection.page.requests == [ScrapeRequest(accept: "text/plain")])
        #expect(connection.sink.answers == ["answered GET metrics 200"])
        #expect(connection.bridge.log.isEmpty, "the bridge has nothing to do with it")
    }

    @Test func answersHeadWithTheHeadAlone() throws {
        let connection = try EmbeddedConnection()
        let answer = try connection.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(answer.hasSuffix("Content-Length: 5\r\n\r\n"))
    }

    @Test func waitsForThePageAndKeepsTheOrderOfRequests() throws {
        let connection = try EmbeddedConnection()
        connection.page.isHeld = true
        #expect(try connection.send(Self.get + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "")
        connection.page.make()
        connection.loop.run()
        let answers = try connection.received()
        #expect(answers.contains("page\n") && answers.hasSuffix(#"{"status":"ok"}"#))
    }

    @Test func forgetsAScraperThatLeft() throws {
        let connection = try EmbeddedConnection()
        connection.page.isHeld = true
        try connection.send(Self.get)
        try connection.channel.close().wait()
        connection.page.make()
        connection.loop.run()
        #expect(connection.sink.answers.isEmpty)
        #expect(connection.sink.lines == ["closed client"])
    }

    @Test func saysSoWhenThePageIsCompressed() throws {
        var head = ResponseHead(status: 200, framing: .length(3))
        head.content = .metrics(type: "application/openmetrics-text; version=1.0.0", isCompressed: true)
        var buffer = ByteBuffer()
        head.write(into: &buffer)
        #expect(String(buffer: buffer).contains("\r\nContent-Encoding: gzip\r\n"))
    }
}
