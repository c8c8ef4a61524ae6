// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where bytes stop being JSON, and what would have been JSON there.
struct Malformed: Error {
    let offset: Int
    let expected: StaticString
}

/// A position in a JSON text that moves over one token or value at a time and checks everything it passes.
///
/// It accepts exactly the grammar of RFC 8259 in valid UTF-8 (Unicode 17, table 3-7), nested at most `maximumDepth`
/// deep. A `\u` escape may name a lone surrogate, as the grammar allows. Values are walked with a stack of bits, not
/// by recursion, so the depth of the input costs no stack.
///
/// The bytes are handed to each method instead of being stored: a span must not outlive its buffer.
struct JSONScanner {
    /// How many objects and arrays may be open at once.
    static let maximumDepth = 512

    /// The next byte to look at. It and `depth` are never beyond the bytes' count, so they cannot overflow.
    var offset = 0
    /// How many objects and arrays are open here.
    var depth = 0
    /// Whether a CR or LF was passed between tokens.
    var hasLineBreaks = false

    /// The next byte, or 0, which is no part of JSON, at the end.
    @inline(__always)
    func peek(_ bytes: Span<UInt8>) -> UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    @inline(__always)
    mutating func skipWhitespace(_ bytes: Span<UInt8>) {
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte > ASCII.space { return }
            switch byte {
            case ASCII.space, ASCII.tab: break
            case ASCII.lineFeed, ASCII.carriageReturn: hasLineBreaks = true
            default: return
            }
            offset &+= 1
        }
    }

    /// Moves over whitespace, after which nothing may stand.
    mutating func skipToEnd(_ bytes: Span<UInt8>) throws(Malformed) {
        skipWhitespace(bytes)
        guard offset == bytes.count else { throw Malformed(offset: offset, expected: "the end of the message") }
    }

    /// Moves over a value, with no whitespace before it.
    mutating func skipValue(_ bytes: Span<UInt8>) throws(Malformed) {
        switch peek(bytes) {
        case ASCII.openBrace, ASCII.openBracket: try skipContainer(bytes)
        default: try skipScalar(bytes)
        }
    }

    /// Moves over an object or array.
    private mutating func skipContainer(_ bytes: Span<UInt8>) throws(Malformed) {
        let outerDepth = depth
        // For each depth from 1 to 512 one bit: whether the container open there is an object.
        var objects = InlineArray<9, UInt64>(repeating: 0)
        var inObject = false
        while true {
            // Here stands a value.
            switch peek(bytes) {
            case ASCII.openBrace:
                try open(bytes)
                inObject = true
                objects[depth &>> 6] |= 1 &<< UInt64(depth & 63)
                if peek(bytes) != ASCII.closeBrace {
                    try skipKey(bytes)
                    continue
                }
            case ASCII.openBracket:
                try open(bytes)
                inObject = false
                objects[depth &>> 6] &= ~(1 &<< UInt64(depth & 63))
                if peek(bytes) != ASCII.closeBracket { continue }
            default:
                try skipScalar(bytes)
            }
            // Here ends a value, or stands the end of an empty container.
            while !skipComma(bytes) {
                try close(bytes, inObject ? ASCII.closeBrace : ASCII.closeBracket)
                if depth == outerDepth { return }
                inObject = objects[depth &>> 6] & (1 &<< UInt64(depth & 63)) != 0
            }
            if inObject { try skipKey(bytes) }
        }
    }

    /// Moves over `{` or `[` and the whitespace after it.
    @inline(__always)
    mutating func open(_ bytes: Span<UInt8>) throws(Malformed) {
        guard depth < Self.maximumDepth else {
            throw Malformed(offset: offset, expected: "at most 512 levels of nesting")
        }
        depth &+= 1
        offset &+= 1
        skipWhitespace(bytes)
    }

    /// Moves over the closing brace or bracket of the innermost container.
    @inline(__always)
    mutating func close(_ bytes: Span<UInt8>, _ bracket: UInt8) throws(Malformed) {
        guard peek(bytes) == bracket else {
            throw Malformed(offset: offset, expected: bracket == ASCII.closeBrace ? "',' or '}'" : "',' or ']'")
        }
        offset &+= 1
        depth &-= 1
    }

    /// Moves over the whitespace after a value and, when one follows, over a comma and the whitespace after it; tells
    /// whether there was one.
    @inline(__always)
    mutating func skipComma(_ bytes: Span<UInt8>) -> Bool {
        skipWhitespace(bytes)
        guard peek(bytes) == ASCII.comma else { return false }
        offset &+= 1
        skipWhitespace(bytes)
        return true
    }

    /// Moves over a member's key, the colon and the whitespace around it.
    @inline(__always)
    private mutating func skipKey(_ bytes: Span<UInt8>) throws(Malformed) {
        guard peek(bytes) == ASCII.quote else { throw Malformed(offset: offset, expected: "a member's name") }
        _ = try skipString(bytes)
        try skipColon(bytes)
    }

    /// Moves over a colon and the whitespace around it.
    @inline(__always)
    mutating func skipColon(_ bytes: Span<UInt8>) throws(Malformed) {
        skipWhitespace(bytes)
        guard peek(bytes) == ASCII.colon else { throw Malformed(offset: offset, expected: "':'") }
        offset &+= 1
        skipWhitespace(bytes)
    }

    /// Moves over a string, number or literal.
    private mutating func skipScalar(_ bytes: Span<UInt8>) throws(Malformed) {
        switch peek(bytes) {
        case ASCII.quote: _ = try skipString(bytes)
        case ASCII.minus, ASCII.zero...ASCII.nine: try skipNumber(bytes)
        case UInt8(ascii: "t"): try skipLiteral("true", bytes)
        case UInt8(ascii: "f"): try skipLiteral("false", bytes)
        case UInt8(ascii: "n"): try skipLiteral("null", bytes)
        default: throw Malformed(offset: offset, expected: "a value")
        }
    }

    private mutating func skipLiteral(_ literal: StaticString, _ bytes: Span<UInt8>) throws(Malformed) {
        guard matches(bytes, at: offset, literal) else { throw Malformed(offset: offset, expected: literal) }
        offset &+= literal.utf8CodeUnitCount
    }

    private mutating func skipNumber(_ bytes: Span<UInt8>) throws(Malformed) {
        if peek(bytes) == ASCII.minus { offset &+= 1 }
        if peek(bytes) == ASCII.zero { offset &+= 1 } else { try skipDigits(bytes) }
        if peek(bytes) == ASCII.dot {
            offset &+= 1
            try skipDigits(bytes)
        }
        if peek(bytes) | 0x20 == UInt8(ascii: "e") {
            offset &+= 1
            let sign = peek(bytes)
            if sign == ASCII.plus || sign == ASCII.minus { offset &+= 1 }
            try skipDigits(bytes)
        }
    }

    @inline(__always)
    private mutating func skipDigits(_ bytes: Span<UInt8>) throws(Malformed) {
        guard isDigit(peek(bytes)) else { throw Malformed(offset: offset, expected: "a digit") }
        repeat { offset &+= 1 } while isDigit(peek(bytes))
    }

    /// Moves over a string that begins here, and tells whether it has escapes.
    @inline(__always)
    mutating func skipString(_ bytes: Span<UInt8>) throws(Malformed) -> Bool {
        // Most strings are short and plain: they end at the first byte that is not plain text.
        let end = endOfPlainText(bytes, from: offset &+ 1)
        if end < bytes.count, bytes[end] == ASCII.quote {
            offset = end &+ 1
            return false
        }
        return try skipRestOfString(bytes, from: end)
    }

    /// Moves over the rest of a string, from a byte that is not plain text on.
    @inline(never)
    private mutating func skipRestOfString(_ bytes: Span<UInt8>, from start: Int) throws(Malformed) -> Bool {
        var hasEscapes = false
        var position = start
        while true {
            guard position < bytes.count else { throw Malformed(offset: position, expected: "the end of a string") }
            switch bytes[position] {
            case ASCII.quote:
                offset = position + 1
                return hasEscapes
            case ASCII.backslash:
                hasEscapes = true
                position = try endOfEscape(bytes, from: position)
            case 0x80...:
                position = try endOfMultibyteText(bytes, from: position)
            default:
                throw Malformed(offset: position, expected: "control characters to be escaped")
            }
            position = endOfPlainText(bytes, from: position)
        }
    }
}

/// Whether the bytes from an offset on begin with that text.
@inline(__always)
func matches(_ bytes: Span<UInt8>, at offset: Int, _ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard offset <= bytes.count, count <= bytes.count - offset else { return false }
    return equal(bytes.extracting(offset..<offset + count), text)
}

/// Whether the bytes are that text.
@inline(__always)
func equal(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    return bytes.withUnsafeBufferPointer { bytes in
        // With a constant text this becomes a comparison of words.
        guard let start = bytes.baseAddress else { return true }
        return memcmp(start, text.utf8Start, bytes.count) == 0
    }
}

/// The first byte at or after an offset that is not plain ASCII text: a quote, a backslash, a control character or
/// part of a longer UTF-8 sequence. The count of the bytes when there is none.
@inline(__always)
func endOfPlainText(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var position = start
    let words = bytes.bytes
    // Eight bytes at a time. The lowest set bit is exact: a borrow can only disturb the bytes above it.
    while position &+ 8 <= bytes.count {
        let word = UInt64(littleEndian: words.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
        let found = specialBytes(word)
        if found != 0 { return position &+ found.trailingZeroBitCount &>> 3 }
        position &+= 8
    }
    while position < bytes.count {
        let byte = bytes[position]
        if byte < 0x20 || byte >= 0x80 || byte == ASCII.quote || byte == ASCII.backslash { return position }
        position &+= 1
    }
    return position
}

/// The high bit of each byte that is below 0x20, above 0x7f, a quote or a backslash.
@inline(__always)
private func specialBytes(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // Subtracting sets the high bit of a byte that is too small; those that had it before are wanted anyway.
    let controls = word &- ones &* 0x20
    let quotes = (word ^ (ones &* UInt64(ASCII.quote))) &- ones
    let backslashes = (word ^ (ones &* UInt64(ASCII.backslash))) &- ones
    return (word | controls | quotes | backslashes) & (ones &* 0x80)
}

/// The end of the escape that begins with the backslash at an offset.
private func endOfEscape(_ bytes: Span<UInt8>, from start: Int) throws(Malformed) -> Int {
    guard start + 1 < bytes.count else { throw Malformed(offset: bytes.count, expected: "the end of a string") }
    switch bytes[start + 1] {
    case ASCII.quote, ASCII.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
        UInt8(ascii: "r"), UInt8(ascii: "t"):
        return start + 2
    case UInt8(ascii: "u"):
        for index in start + 2..<start + 6 {
            guard index < bytes.count, hexValue(bytes[index]) != nil else {
                throw Malformed(offset: index, expected: "four hexadecimal digits")
            }
        }
        return start + 6
    default:
        throw Malformed(offset: start + 1, expected: "an escape")
    }
}

/// The end of the run of UTF-8 sequences longer than one byte that begins at an offset.
private func endOfMultibyteText(_ bytes: Span<UInt8>, from start: Int) throws(Malformed) -> Int {
    var position = start
    while position < bytes.count {
        let lead = bytes[position]
        // The allowed second bytes exclude overlong forms, surrogates and what is above U+10FFFF.
        let length: Int
        let second: ClosedRange<UInt8>
        switch lead {
        case 0..<0x80: return position
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw Malformed(offset: position, expected: "valid UTF-8")
        }
        guard position + length <= bytes.count, second.contains(bytes[position + 1]) else {
            throw Malformed(offset: position, expected: "valid UTF-8")
        }
        for index in position + 2..<position + length where bytes[index] & 0xC0 != 0x80 {
            throw Malformed(offset: position, expected: "valid UTF-8")
        }
        position += length
    }
    return position
}
