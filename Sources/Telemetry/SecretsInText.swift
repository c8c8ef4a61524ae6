// SPDX-License-Identifier: Apache-2.0

/// Masks what looks like a secret inside running text: `password: x`, `--token=x`, `Bearer x`, `https://user:x@host`, and
/// JSON that is written inside a string.
///
/// Works on bytes and forwards only, so that text that was cut somewhere is still masked up to there.
struct SecretsInText {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var output: [UInt8] = []

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
        output.reserveCapacity(bytes.count)
    }

    /// The text with `***` for each value. Secrets with a name of their own sort stay.
    static func masked(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var scan = SecretsInText(text)
        while scan.position < text.endIndex { scan.step() }
        return scan.output
    }

    private mutating func step() {
        if text("://") { return maskUserInfo() }
        guard isWord(bytes[position]) else { return copy() }
        let word = copyWord()
        if Self.schemes.contains(word) {
            maskCredentials()
        } else if PayloadRedaction.isSecret(name: word) {
            maskValue()
        }
    }

    /// Of `Authorization` (RFC 9110, 11).
    private static let schemes: Set = ["bearer", "basic"]

    /// Behind the name of a scheme, what stands in the same line.
    private mutating func maskCredentials() {
        guard position < bytes.endIndex, isBlank(bytes[position]) else { return }
        while position < bytes.endIndex, isBlank(bytes[position]) { copy() }
        let start = position
        skipBare()
        if position > start { output.append(contentsOf: "***".utf8) }
    }

    /// Behind the name of a secret: `: x`, `=x`, `\": \"x y\"`.
    private mutating func maskValue() {
        var end = position
        while end < bytes.endIndex, isBlank(bytes[end]) || isQuoting(bytes[end]) { end += 1 }
        guard end < bytes.endIndex, bytes[end] == UInt8(ascii: ":") || bytes[end] == UInt8(ascii: "=") else { return }
        while position <= end { copy() }
        while position < bytes.endIndex, isBlank(bytes[position]) { copy() }
        let escapes = copyEscapes()
        if position < bytes.endIndex, bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "'") {
            let quote = bytes[position]
            copy()
            output.append(contentsOf: "***".utf8)
            skipQuoted(quote, escapes: escapes)
        } else {
            let start = position
            skipBare()
            let value = String(decoding: bytes[start..<position], as: UTF8.self)
            if Self.schemes.contains(value.lowercased()) {
                while position < bytes.endIndex, isBlank(bytes[position]) { position += 1 }
                skipBare()
            }
            if position > start { output.append(contentsOf: "***".utf8) }
        }
    }

    /// To the quote that is escaped as often as the one at the beginning; quotes of the value itself are so more often.
    private mutating func skipQuoted(_ quote: UInt8, escapes: Int) {
        while position < bytes.endIndex {
            let start = position
            while position < bytes.endIndex, bytes[position] == UInt8(ascii: "\\") { position += 1 }
            guard position < bytes.endIndex else { return }
            if bytes[position] == quote, position - start <= escapes {
                position = start
                return
            }
            position += 1
        }
    }

    private mutating func maskUserInfo() {
        for _ in 0..<3 { copy() }
        var end = position
        while end < bytes.endIndex, !isEnd(bytes[end]), bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?")
        {
            end += 1
        }
        if let at = bytes[position..<end].lastIndex(of: UInt8(ascii: "@")) {
            output.append(contentsOf: "***".utf8)
            position = at
        } else if end == bytes.endIndex, bytes[position..<end].contains(UInt8(ascii: ":")) {
            // Cut off, perhaps inside a password.
            output.append(contentsOf: "***".utf8)
            position = end
        }
    }

    // MARK: Bytes

    private mutating func copy() {
        output.append(bytes[position])
        position += 1
    }

    private mutating func copyWord() -> String {
        let start = position
        while position < bytes.endIndex, isWord(bytes[position]) { copy() }
        return String(decoding: bytes[start..<position], as: UTF8.self).lowercased()
    }

    /// How many backslashes there are.
    private mutating func copyEscapes() -> Int {
        let start = position
        while position < bytes.endIndex, bytes[position] == UInt8(ascii: "\\") { copy() }
        return position - start
    }

    /// Past a value without quotes.
    private mutating func skipBare() {
        while position < bytes.endIndex, !isEnd(bytes[position]) { position += 1 }
    }

    private func text(_ expected: StaticString) -> Bool {
        let length = expected.utf8CodeUnitCount
        return expected.withUTF8Buffer { bytes[position...].prefix(length).elementsEqual($0) }
    }

    private func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private func isQuoting(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
    }

    /// Whether a value without quotes ends here.
    private func isEnd(_ byte: UInt8) -> Bool { byte <= 0x20 || isQuoting(byte) || ",;&{}[]()<>".utf8.contains(byte) }
}
