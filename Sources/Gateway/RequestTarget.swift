// SPDX-License-Identifier: Apache-2.0

/// A request target (RFC 9112, 3.2) in its parts. Nothing is decoded in the path: the endpoints are compared as
/// they were configured.
struct RequestTarget {
    /// The authority of an absolute target, which outranks `Host`.
    let authority: String?
    /// Without the query and without a slash at its end.
    let path: Substring
    /// What follows the question mark.
    let query: Substring?

    /// Reads `/path?query` or `http://authority/path?query`; nil for the other forms, which no server here answers.
    init?(_ uri: String) {
        var rest = Substring(uri)
        if uri.utf8.first == UInt8(ascii: "/") {
            self.authority = nil
        } else {
            guard let scheme = ["http://", "https://"].first(where: { uri.utf8.hasPrefix(lowercase: $0) }) else {
                return nil
            }
            rest = rest.dropFirst(scheme.utf8.count)
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            self.authority = String(rest[..<end])
            rest = rest[end...]
        }
        let end = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
        self.query = end.map { rest[rest.utf8.index(after: $0)...] }
        self.path = Self.normalized(rest[..<(end ?? rest.endIndex)])
    }

    /// A path without the slash at its end.
    static func normalized(_ path: Substring) -> Substring {
        path.utf8.count > 1 && path.utf8.last == UInt8(ascii: "/") ? path.dropLast() : path
    }

    /// The value of the first of the named parameters that occurs, percent-decoded. One that is not valid UTF-8 or
    /// has a broken escape counts as absent.
    func queryValue(_ names: String...) -> String? {
        for (name, value) in self.parameters where names.contains(where: { name.elementsEqual($0.utf8) }) {
            return Self.percentDecoded(value)
        }
        return nil
    }

    /// The values of every occurrence of a parameter whose own name may be percent-encoded, as that of `name[]` is. A
    /// value that can't be decoded reads as empty: it names nothing, and still counts.
    func queryValues(_ name: String) -> [String] {
        self.parameters.filter { Self.percentDecoded($0.name) == name }.map { Self.percentDecoded($0.value) ?? "" }
    }

    private var parameters: [(name: Substring.UTF8View, value: Substring.UTF8View)] {
        (self.query ?? "").utf8.split(separator: UInt8(ascii: "&")).compactMap { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
    }

    private static func percentDecoded(_ text: Substring.UTF8View) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var bytes = text.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            guard let high = bytes.next().flatMap(Self.hexDigit), let low = bytes.next().flatMap(Self.hexDigit) else {
                return nil
            }
            decoded.append(high << 4 | low)
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
            byte.lowercasedASCII - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
