// SPDX-License-Identifier: Apache-2.0

/// How the stateless revision writes text into a header: as it is where a header can carry it, else as
/// `=?base64?…?=` with the base64 of its UTF-8 (2026-07-28, "Header Value Encoding").
package enum HeaderValue {
    private static let prefix = "=?base64?"
    private static let suffix = "?="

    /// The text as a header value.
    package static func encode(_ text: String) -> String {
        isPlain(text) ? text : prefix + Base64.encode(text.utf8) + suffix
    }

    /// The text a header value stands for; nil when it looks encoded and is not, or not in the one canonical way.
    package static func decode(_ value: String) -> String? {
        guard isEncoded(value) else { return value }
        let coded = value.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
        return Base64.decode(coded).flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func isEncoded(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.count >= prefix.utf8.count + suffix.utf8.count && bytes.starts(with: prefix.utf8)
            && bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// Visible ASCII with spaces and tabs inside only, and not what would be read as encoded.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        let edges = first != 0x20 && first != 0x09 && last != 0x20 && last != 0x09
        return edges && !isEncoded(text) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) || $0 == 0x09 }
    }
}

/// Base64 (RFC 4648, section 4) with padding.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var coded: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                coded.append(alphabet[Int(bits >> count & 63)])
            }
        }
        if count > 0 { coded.append(alphabet[Int(bits << (6 - count) & 63)]) }
        while coded.count % 4 != 0 { coded.append(UInt8(ascii: "=")) }
        return String(decoding: coded, as: UTF8.self)
    }

    /// The bytes, or nil when the text is not what `encode` would have made of them.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text where character != UInt8(ascii: "=") {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> count))
        }
        return encode(bytes).utf8.elementsEqual(text) ? bytes : nil
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
