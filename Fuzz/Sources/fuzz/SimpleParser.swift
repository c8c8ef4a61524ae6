// SPDX-License-Identifier: Apache-2.0

/// JSON by the book (RFC 8259), as plainly as can be: the second opinion the scanner is held against.
struct SimpleParser {
    private let bytes: [UInt8]
    private var index = 0

    /// Whether the bytes are one JSON value in UTF-8, nested at most 512 deep.
    static func accepts(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var parser = SimpleParser(bytes: bytes)
        return parser.element(depth: 0) && parser.index == bytes.count
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func take(_ text: String) -> Bool {
        guard bytes[index...].starts(with: text.utf8) else { return false }
        index += text.utf8.count
        return true
    }

    private mutating func takeOne(of characters: String) -> Bool {
        guard index < bytes.count, characters.utf8.contains(bytes[index]) else { return false }
        index += 1
        return true
    }

    private mutating func space() { while takeOne(of: " \t\n\r") {} }

    private mutating func element(depth: Int) -> Bool {
        space()
        guard value(depth: depth) else { return false }
        space()
        return true
    }

    private mutating func value(depth: Int) -> Bool {
        if take("{") {
            guard depth < 512 else { return false }
            space()
            if take("}") { return true }
            repeat {
                space()
                guard string() else { return false }
                space()
                guard take(":"), element(depth: depth + 1) else { return false }
            } while take(",")
            return take("}")
        }
        if take("[") {
            guard depth < 512 else { return false }
            space()
            if take("]") { return true }
            repeat {
                guard element(depth: depth + 1) else { return false }
            } while take(",")
            return take("]")
        }
        // What fails half-way must not be tried as something else from there.
        guard index < bytes.count else { return false }
        switch bytes[index] {
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
        default: return take("true") || take("false") || take("null")
        }
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while index < bytes.count {
            if take("\"") { return true }
            if take("\\u") {
                for _ in 0..<4 { guard takeOne(of: "0123456789abcdefABCDEF") else { return false } }
            } else if take("\\") {
                guard takeOne(of: "\"\\/bfnrt") else { return false }
            } else {
                guard bytes[index] >= 0x20 else { return false }
                index += 1
            }
        }
        return false
    }

    private mutating func number() -> Bool {
        _ = take("-")
        guard take("0") || digits() else { return false }
        if take(".") { guard digits() else { return false } }
        if takeOne(of: "eE") {
            _ = takeOne(of: "+-")
            guard digits() else { return false }
        }
        return true
    }

    private mutating func digits() -> Bool {
        let start = index
        while takeOne(of: "0123456789") {}
        return index > start
    }
}
