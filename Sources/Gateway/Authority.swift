// SPDX-License-Identifier: Apache-2.0

/// A host with an optional port, as `Host` and the origin of a web page name it (RFC 9110, 7.2).
package struct Authority: Hashable, Sendable {
    /// In lower case, without brackets and without the dot that may end a full domain name.
    package let host: String
    package let port: Int?

    private init(host: String, port: Int?) {
        self.host = host
        self.port = port
    }

    /// The host as it is written in `Host` and `--allow-host`, without a port.
    package var name: String { self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]" : self.host }

    /// The same host, whatever the port.
    package var withoutPort: Authority { Authority(host: self.host, port: nil) }

    /// Reads `name`, `name:port`, `127.0.0.1:port` or `[::1]:port`; nil when it is none of these.
    package init?(_ text: Substring) {
        let bytes = text.utf8
        let end: Substring.UTF8View.Index
        if bytes.first == UInt8(ascii: "[") {
            guard let closing = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inside = bytes[bytes.index(after: bytes.startIndex)..<closing]
            guard inside.contains(UInt8(ascii: ":")), inside.allSatisfy(Self.isAddressCharacter) else { return nil }
            self.host = String(decoding: inside.map(\.lowercasedASCII), as: UTF8.self)
            end = bytes.index(after: closing)
        } else {
            end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
            var name = bytes[..<end]
            if name.last == UInt8(ascii: ".") { name = name.dropLast() }
            guard !name.isEmpty, name.allSatisfy(Self.isNameCharacter) else { return nil }
            self.host = Substring(name).lowercased()
        }
        guard end != bytes.endIndex else {
            self.port = nil
            return
        }
        let digits = bytes[bytes.index(after: end)...]
        guard bytes[end] == UInt8(ascii: ":"), digits.count <= 5, digits.allSatisfy(Self.isDigit) else { return nil }
        var port: Int?
        for digit in digits { port = (port ?? 0) * 10 + Int(digit - UInt8(ascii: "0")) }
        guard port ?? 0 <= 65_535 else { return nil }
        self.port = port
    }

    /// Whether the name can only mean this machine: `localhost` and the names below it (RFC 6761, 6.3),
    /// 127.0.0.0/8 and ::1.
    package var isLoopback: Bool {
        if self.host == "localhost" || self.host == "::1" || self.host == "0:0:0:0:0:0:0:1" { return true }
        if self.host.utf8.first == UInt8(ascii: "1") { return Self.isLoopbackIPv4(self.host) }
        return self.host.hasSuffix(".localhost")
    }

    /// Four decimal numbers of which the first is 127. The short forms (`127.1`) that some resolvers take are names
    /// here: nobody needs them, and resolvers disagree on them.
    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].elementsEqual("127".utf8) else { return false }
        return parts.allSatisfy { part in
            (1...3).contains(part.count) && part.allSatisfy(self.isDigit)
                && part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 255
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte.lowercasedASCII {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: self.isDigit(byte)
        }
    }

    private static func isAddressCharacter(_ byte: UInt8) -> Bool {
        switch byte.lowercasedASCII {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: self.isDigit(byte)
        }
    }
}

/// The origin of a web page (RFC 6454), as browsers send it in `Origin`.
package struct WebOrigin: Hashable, Sendable {
    /// In lower case: `https`, `http`, or the scheme of a browser extension.
    package let scheme: String
    package let authority: Authority

    /// Reads `scheme://host[:port]`; nil for anything else, `null` included. A port that is the scheme's default is
    /// left out, so that equal origins compare equal.
    package init?(_ text: Substring) {
        let bytes = text.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon != bytes.startIndex,
            bytes[..<colon].allSatisfy(\.isTokenCharacter), bytes[colon...].hasPrefix(lowercase: "://"),
            let authority = Authority(text[bytes.index(colon, offsetBy: 3)...])
        else { return nil }
        self.scheme = text[..<colon].lowercased()
        let isDefault =
            (self.scheme == "http" && authority.port == 80) || (self.scheme == "https" && authority.port == 443)
        self.authority = isDefault ? authority.withoutPort : authority
    }

    /// Whether a page of this machine sent it.
    package var isLoopback: Bool { (self.scheme == "http" || self.scheme == "https") && self.authority.isLoopback }
}

/// The authority a connection named last: nearly always what it names next, so it is read once.
struct AuthorityMemo {
    private var text = ""
    private var authority: Authority?

    mutating func authority(of text: String) -> Authority? {
        if text != self.text {
            self.text = text
            self.authority = Authority(Substring(text))
        }
        return self.authority
    }
}
