// SPDX-License-Identifier: Apache-2.0

import Bridge
import NIOCore
import Testing

@testable import Gateway

@Suite struct EventStreamEncoderTests {
    private func encode(_ event: ServerSentEvent, isChunked: Bool = false) -> String {
        String(buffer: EventStreamEncoder.encode(event, isChunked: isChunked, allocator: ByteBufferAllocator()))
    }

    @Test func writesTheFieldsInOrder() {
        let event = ServerSentEvent(id: "7", name: "message", retry: 1000, data: ByteBuffer(string: "{}"))
        #expect(self.encode(event) == "id: 7\nevent: message\nretry: 1000\ndata: {}\n\n")
        #expect(self.encode(ServerSentEvent(data: ByteBuffer(string: "{}"))) == "data: {}\n\n")
    }

    @Test func writesAnEventWithoutData() {
        #expect(self.encode(ServerSentEvent(id: "1")) == "id: 1\ndata: \n\n")
    }

    @Test(arguments: [0, 1, 15, 16, 255, 4096, 70_000])
    func makesOneChunkPerEvent(size: Int) {
        let data = ByteBuffer(repeating: UInt8(ascii: "x"), count: size)
        let bare = self.encode(ServerSentEvent(id: "1", data: data))
        let chunked = self.encode(ServerSentEvent(id: "1", data: data), isChunked: true)
        #expect(chunked == String(bare.utf8.count, radix: 16) + "\r\n" + bare + "\r\n")
    }

    @Test func writesAComment() {
        let comment = EventStreamEncoder.keepAlive(isChunked: true, allocator: ByteBufferAllocator())
        #expect(String(buffer: comment) == "d\r\n: keepalive\n\n\r\n")
    }
}

@Suite struct ResponseHeadTests {
    private func write(_ head: ResponseHead) -> String {
        var buffer = ByteBuffer()
        head.write(into: &buffer)
        return String(buffer: buffer)
    }

    @Test func writesAPlainHead() {
        let head = ResponseHead(status: 200, framing: .length(2), content: .json)
        #expect(self.write(head) == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n")
    }

    @Test(arguments: ["a\r\nX: y", "a b", "ä", "a\u{0}", "a\n"])
    func neverWritesTextThatCouldEndALine(text: String) {
        var head = ResponseHead(status: 404, framing: .length(0))
        head.sessionID = text
        head.crossOrigin = text
        #expect(self.write(head) == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    }

    @Test func allowsTheParametersAskedForInAPreflight() {
        let always = PreflightHeaders.allowed(requested: nil)
        #expect(PreflightHeaders.allowed(requested: "content-type, X-Other") == always)
        #expect(
            PreflightHeaders.allowed(requested: "mcp-param-a,Mcp-Param-B x") == always + ", mcp-param-a, Mcp-Param-B"
        )
        #expect(PreflightHeaders.allowed(requested: "mcp-param-ä, mcp-param-(") == always)
    }
}
