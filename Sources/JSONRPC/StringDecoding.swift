// SPDX-License-Identifier: Apache-2.0

/// Reads the content of a valid JSON string one UTF-8 code unit at a time, escapes resolved.
///
/// An escape that names a lone surrogate reads as U+FFFD.
struct StringDecoder {
    private var position: Int
    private let end: Int
    /// What is left of a code point that an escape spelled, lowest byte first.
    private var pending: UInt32 = 0

    /// Decodes the bytes `start..<end` of a valid message: what stands between the quotes.
    init(_ start: Int, _ end: Int) {
        position = start
        self.end = end
    }

    /// The next code unit, or nil at the end.
    mutating func next(_ bytes: Span<UInt8>) -> UInt8? {
        if pending != 0 {
            defer { pending >>= 8 }
            return UInt8(truncatingIfNeeded: pending)
        }
        guard position < end else { return nil }
        let byte = bytes[position]
        position += 1
        guard byte == ASCII.backslash, position < end else { return byte }
        let escape = bytes[position]
        position += 1
        switch escape {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return ASCII.lineFeed
        case UInt8(ascii: "r"): return ASCII.carriageReturn
        case UInt8(ascii: "t"): return ASCII.tab
        case UInt8(ascii: "u"): return resolveHexadecimal(bytes)
        default: return escape
        }
    }

    /// Reads the digits of a `\u` escape, and a second one when the two are a surrogate pair.
    private mutating func resolveHexadecimal(_ bytes: Span<UInt8>) -> UInt8 {
        var codePoint = codeUnit(bytes, at: position)
        position += 4
        if codePoint &>> 10 == 0xD800 &>> 10, position + 6 <= end, matches(bytes, at: position, "\\u") {
            let low = codeUnit(bytes, at: position + 2)
            if low &>> 10 == 0xDC00 &>> 10 {
                codePoint = 0x10000 + (codePoint & 0x3FF) &<< 10 + (low & 0x3FF)
                position += 6
            }
        }
        guard codePoint >= 0x80 else { return UInt8(truncatingIfNeeded: codePoint) }
        let scalar = Unicode.Scalar(codePoint) ?? "\u{FFFD}"
        var shift: UInt32 = 0
        for unit in scalar.utf8 {
            pending |= UInt32(unit) &<< shift
            shift += 8
        }
        defer { pending >>= 8 }
        return UInt8(truncatingIfNeeded: pending)
    }

    private func codeUnit(_ bytes: Span<UInt8>, at start: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in start..<start + 4 where index < bytes.count { value = value &<< 4 | (hexValue(bytes[index]) ?? 0) }
        return value
    }
}
