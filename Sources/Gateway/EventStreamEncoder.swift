// SPDX-License-Identifier: Apache-2.0

internal import Bridge
internal import NIOCore

/// The wire form of an event stream (HTML Living Standard, "Server-sent events"), inside HTTP/1.1 chunks or bare.
enum EventStreamEncoder {
    /// One event in one buffer.
    ///
    /// - Parameter isChunked: Whether it travels as a chunk of its own (RFC 9112, 7.1).
    static func encode(_ event: ServerSentEvent, isChunked: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        let retry = event.retry.map { String($0) }
        var size = "data: \n\n".utf8.count + (event.data?.readableBytes ?? 0)
        if let id = event.id { size += "id: \n".utf8.count + id.utf8.count }
        if let name = event.name { size += "event: \n".utf8.count + name.utf8.count }
        if let retry { size += "retry: \n".utf8.count + retry.utf8.count }

        return self.chunk(size: size, isChunked: isChunked, allocator: allocator) { buffer in
            if let id = event.id { buffer.writeField("id: ", id) }
            if let name = event.name { buffer.writeField("event: ", name) }
            if let retry { buffer.writeField("retry: ", retry) }
            buffer.writeStaticString("data: ")
            if let data = event.data { buffer.writeImmutableBuffer(data) }
            buffer.writeStaticString("\n\n")
        }
    }

    /// A comment that tells everything between here and the client that the stream lives.
    static func keepAlive(isChunked: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        self.chunk(size: ": keepalive\n\n".utf8.count, isChunked: isChunked, allocator: allocator) { buffer in
            buffer.writeStaticString(": keepalive\n\n")
        }
    }

    private static func chunk(
        size: Int,
        isChunked: Bool,
        allocator: ByteBufferAllocator,
        _ write: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        let framing = isChunked ? 20 : 0
        var buffer = allocator.buffer(capacity: size + framing)
        if isChunked {
            buffer.writeString(String(size, radix: 16))
            buffer.writeStaticString("\r\n")
        }
        write(&buffer)
        if isChunked { buffer.writeStaticString("\r\n") }
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeField(_ name: StaticString, _ value: String) {
        self.writeStaticString(name)
        self.writeString(value)
        self.writeStaticString("\n")
    }
}
