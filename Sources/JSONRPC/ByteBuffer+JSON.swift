// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A replacement of the bytes of a range. An empty range inserts.
package struct Edit: Sendable {
    package let range: ByteRange
    package let token: String

    /// Replaces the bytes of a range by that JSON text.
    package init(_ range: ByteRange, _ token: String) {
        self.range = range
        self.token = token
    }

    /// Replaces the bytes of a range by that id.
    package init(_ range: ByteRange, _ id: RequestID) { self.init(range, id.token) }
}

// Reading and rewriting a message by the ranges a scan has found. The ranges must come from these very bytes; one that
// reaches beyond them reads as empty.
extension ByteBuffer {
    /// The bytes of a range, sharing this buffer's storage.
    package func slice(_ range: ByteRange) -> ByteBuffer {
        getSlice(at: readerIndex + Int(range.lowerBound), length: range.count) ?? ByteBuffer()
    }

    /// The raw JSON token of a range.
    package func text(_ range: ByteRange) -> String {
        getString(at: readerIndex + Int(range.lowerBound), length: range.count) ?? ""
    }

    /// Whether the token of a range is an object.
    package func isObject(_ range: ByteRange) -> Bool {
        range.count > 0 && getInteger(at: readerIndex + Int(range.lowerBound)) == ASCII.openBrace
    }

    /// The content of a JSON string, escapes resolved; nil when the token is no string.
    ///
    /// An escape that names a lone surrogate reads as U+FFFD.
    package func string(_ range: ByteRange) -> String? {
        let bytes = readableBytesUInt8Span
        let start = Int(range.lowerBound)
        guard range.count >= 2, Int(range.upperBound) <= bytes.count, bytes[start] == ASCII.quote else { return nil }
        let length = range.count - 2
        if endOfPlainText(bytes, from: start + 1) == start + 1 + length {
            return getString(at: readerIndex + start + 1, length: length)
        }
        var decoder = StringDecoder(start + 1, start + 1 + length)
        return String(unsafeUninitializedCapacity: length) { utf8 in
            var count = 0
            // No escape is shorter than what it stands for.
            while count < length, let byte = decoder.next(bytes) {
                utf8[count] = byte
                count += 1
            }
            return count
        }
    }

    /// The value of a JSON integer; nil when the token is none or does not fit.
    package func integer(_ range: ByteRange) -> Int? {
        range.count <= 20 ? Int(text(range)) : nil
    }

    /// Turns every CR and LF into a space, so that the message can travel as one line.
    ///
    /// Only for a message that has been scanned: there, these bytes can only stand between tokens.
    package mutating func flattenLineBreaks() {
        withUnsafeMutableReadableBytes { bytes in
            for index in bytes.indices where bytes[index] == ASCII.lineFeed || bytes[index] == ASCII.carriageReturn {
                bytes[index] = ASCII.space
            }
        }
    }

    /// A copy of the message with one or two edits, in a new buffer, followed by LF if `newline`.
    ///
    /// The ranges may come in either order, must not overlap, and must lie within the message; otherwise the message
    /// is copied as it is.
    package func splicing(_ first: Edit? = nil, _ second: Edit? = nil, newline: Bool) -> ByteBuffer {
        var edits = (first, second)
        if let one = first, let other = second, other.range.lowerBound < one.range.lowerBound { edits = (other, one) }
        if let one = edits.0, let other = edits.1, one.range.upperBound > other.range.lowerBound { edits = (nil, nil) }
        if let last = edits.1 ?? edits.0, last.range.upperBound > readableBytes { edits = (nil, nil) }

        var count = readableBytes + (newline ? 1 : 0)
        if let edit = edits.0 { count += edit.token.utf8.count - edit.range.count }
        if let edit = edits.1 { count += edit.token.utf8.count - edit.range.count }
        var copy = ByteBufferAllocator().buffer(capacity: count)
        withUnsafeReadableBytes { bytes in
            var position = 0
            func apply(_ edit: Edit) {
                copy.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[position..<Int(edit.range.lowerBound)]))
                copy.writeString(edit.token)
                position = Int(edit.range.upperBound)
            }
            if let edit = edits.0 { apply(edit) }
            if let edit = edits.1 { apply(edit) }
            copy.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[position...]))
        }
        if newline { copy.writeInteger(ASCII.lineFeed) }
        return copy
    }

    /// Writes a string as a JSON string: quotes around it, and quotes, backslashes and control characters escaped.
    package mutating func writeJSONString(_ string: String) {
        writeInteger(ASCII.quote)
        for byte in string.utf8 {
            switch byte {
            case ASCII.quote, ASCII.backslash: writeMultipleIntegers(ASCII.backslash, byte)
            case ASCII.lineFeed: writeStaticString("\\n")
            case ASCII.carriageReturn: writeStaticString("\\r")
            case ASCII.tab: writeStaticString("\\t")
            case 0..<ASCII.space:
                writeString(byte < 0x10 ? "\\u000" : "\\u00")
                writeString(String(byte, radix: 16))
            default: writeInteger(byte)
            }
        }
        writeInteger(ASCII.quote)
    }
}

/// Where the elements of an array in a valid message lie, in order; none when the token is no array.
package func elements(of range: ByteRange, in message: ByteBuffer) -> [ByteRange] {
    let bytes = message.readableBytesUInt8Span
    var elements: [ByteRange] = []
    var json = JSONScanner()
    json.offset = Int(range.lowerBound)
    do throws(Malformed) {
        guard json.peek(bytes) == ASCII.openBracket else { return [] }
        try json.open(bytes)
        var isOpen = json.peek(bytes) != ASCII.closeBracket
        while isOpen {
            let start = json.offset
            try json.skipValue(bytes)
            elements.append(ByteRange(start, json.offset))
            isOpen = json.skipComma(bytes)
        }
    } catch {
        return []
    }
    return elements
}

/// The members of an object in a valid message, in order, without looking into their values; none when the token is
/// no object. A name that stands there twice is listed twice.
package func members(of range: ByteRange, in message: ByteBuffer) -> [(name: String, value: ByteRange)] {
    let bytes = message.readableBytesUInt8Span
    var members: [(name: String, value: ByteRange)] = []
    var json = JSONScanner()
    json.offset = Int(range.lowerBound)
    do throws(Malformed) {
        guard json.peek(bytes) == ASCII.openBrace else { return [] }
        try json.open(bytes)
        var isOpen = json.peek(bytes) == ASCII.quote
        while isOpen {
            let nameStart = json.offset
            _ = try json.skipString(bytes)
            let name = message.string(ByteRange(nameStart, json.offset)) ?? ""
            try json.skipColon(bytes)
            let valueStart = json.offset
            try json.skipValue(bytes)
            members.append((name, ByteRange(valueStart, json.offset)))
            isOpen = json.skipComma(bytes)
        }
    } catch {
        return []
    }
    return members
}
