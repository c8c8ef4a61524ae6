// SPDX-License-Identifier: Apache-2.0

extension UInt8 {
    /// The lower-case letter for an upper-case one; every other byte as it is.
    var lowercasedASCII: UInt8 { UInt8(ascii: "A") <= self && self <= UInt8(ascii: "Z") ? self | 0x20 : self }

    /// Whether it is a letter, a digit or one of RFC 9110's token punctuation.
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Optional white space as RFC 9110 (5.6.3) has it.
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension Collection<UInt8> {
    /// Compares with a text in lower case, ignoring the case of ASCII letters.
    func equals(lowercase other: String) -> Bool {
        self.count == other.utf8.count && self.hasPrefix(lowercase: other)
    }

    /// Whether it begins with a text in lower case, ignoring the case of ASCII letters.
    func hasPrefix(lowercase prefix: String) -> Bool {
        func compare(_ bytes: some Sequence<UInt8>, _ prefix: some Sequence<UInt8>) -> Bool {
            var rest = bytes.makeIterator()
            for byte in prefix {
                guard let next = rest.next(), next.lowercasedASCII == byte else { return false }
            }
            return true
        }
        // Bytes in one piece take a fifth of the time that a view of a string takes; several names of every request's
        // headers come through here.
        let quick = self.withContiguousStorageIfAvailable { bytes in
            prefix.utf8.withContiguousStorageIfAvailable { compare(bytes, $0) }
        }
        return (quick ?? nil) ?? compare(self, prefix.utf8)
    }
}

extension StringProtocol {
    /// Whether it consists of visible ASCII only, so that it can stand in a header without harm.
    var isVisibleASCII: Bool { self.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// For a message or a log line: at most `limit` characters, nothing but printable ASCII.
    func quotable(limit: Int = 80) -> String {
        let printable = self.utf8.prefix(limit).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        let text = String(decoding: printable, as: UTF8.self)
        return self.utf8.count > limit ? text + "..." : text
    }
}
