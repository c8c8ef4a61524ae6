// SPDX-License-Identifier: Apache-2.0

import Glibc
package import NIOCore

/// One line of a peer's output.
package enum Line: Sendable, Equatable {
    /// The bytes of a line, without its LF or CRLF.
    case message(ByteBuffer)
    /// A line over the limit, thrown away. `bytes` is its length without the LF; `id` is the top-level `id` found in it
    /// when it looks like an answer, that is, has no top-level `method`.
    case oversize(id: RequestID?, bytes: Int)
}

/// Cuts a stream of bytes into lines, each a message (the protocol's stdio transport).
///
/// Append a chunk, then take lines until there are none. No byte is searched twice; a line that lies in one chunk is
/// a slice of it, any other is copied once per chunk. Empty lines and lines of nothing but spaces and tabs are
/// skipped. At most `maxLine` bytes and the chunk just appended are held.
package struct LineFramer {
    private let maxLine: Int
    /// What was appended and not yet searched.
    private var chunk = ByteBuffer()
    /// The searched bytes of the line under way.
    private var partial = ByteBuffer()
    /// Set while the line under way is over the limit and thrown away.
    private var finder: IDFinder?
    private var discarded = 0

    /// A framer for lines of at most that many bytes, the LF not counted.
    package init(maxLine: Int) { self.maxLine = maxLine }

    /// Adds received bytes. Take all lines before the next chunk, or the chunks pile up.
    package mutating func append(_ chunk: ByteBuffer) {
        if self.chunk.readableBytes == 0 {
            self.chunk = chunk
        } else {
            self.chunk.writeImmutableBuffer(chunk)
        }
    }

    /// The next complete line, or nil when more bytes are needed.
    package mutating func next() -> Line? {
        while let length = distanceToLineFeed() {
            let line: Line?
            if finder == nil, partial.readableBytes == 0, length <= maxLine {
                line = chunk.readSlice(length: length).flatMap(message)
            } else {
                hold(length)
                line = takeHeld()
            }
            chunk.moveReaderIndex(forwardBy: 1)
            if let line { return line }
        }
        hold(chunk.readableBytes)
        chunk = ByteBuffer()
        return nil
    }

    /// What remains at the end of the stream: lines not yet taken, then the unterminated rest. Call until nil.
    package mutating func finish() -> Line? { next() ?? takeHeld() }

    private func distanceToLineFeed() -> Int? {
        chunk.withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress, let found = memchr(start, Int32(ASCII.lineFeed), bytes.count) else {
                return nil
            }
            return UnsafeRawPointer(found) - start
        }
    }

    /// Moves bytes of the chunk to the line under way, or throws them away when it gets too long.
    private mutating func hold(_ count: Int) {
        guard count > 0, var piece = chunk.readSlice(length: count) else { return }
        if finder == nil, count <= maxLine - partial.readableBytes {
            partial.writeBuffer(&piece)
            return
        }
        var finder = self.finder ?? IDFinder()
        finder.feed(partial.readableBytesUInt8Span)
        finder.feed(piece.readableBytesUInt8Span)
        self.finder = finder
        discarded += partial.readableBytes + count
        partial = ByteBuffer()
    }

    /// Ends the line under way.
    private mutating func takeHeld() -> Line? {
        if let finder {
            let line = Line.oversize(id: finder.answerID, bytes: discarded)
            self.finder = nil
            discarded = 0
            return line
        }
        let line = partial
        partial = ByteBuffer()
        return message(line)
    }

    /// The line without a trailing CR; nil when it is blank.
    private func message(_ line: ByteBuffer) -> Line? {
        let bytes = line.readableBytesUInt8Span
        var end = bytes.count
        if end > 0, bytes[end - 1] == ASCII.carriageReturn { end -= 1 }
        for index in 0..<end where bytes[index] != ASCII.space && bytes[index] != ASCII.tab {
            return .message(line.getSlice(at: line.readerIndex, length: end) ?? line)
        }
        return nil
    }
}
