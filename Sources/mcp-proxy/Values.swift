// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway

extension ListenAddress {
    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`; nil if `text` is none of them.
    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // sockaddr_un holds 107 bytes and a terminator.
            guard path.hasPrefix("/"), path.utf8.count > 1, path.utf8.count <= 107 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = parseDecimal(text[text.index(after: colon)...]), port <= 65535
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard isPlainWord(host) else { return nil }
        self = .tcp(host: String(host), port: port)
    }
}

/// What kind of value an option takes: how it is read from text, and what to tell whoever wrote a wrong one.
enum ValueKind: Sendable {
    /// `--x`, `--no-x`, `--x=true`, `--x=false`.
    case boolean
    /// A flag that makes the program do something else than run the proxy; it has no value.
    case action
    case integer(ClosedRange<Int>)
    /// Bytes. Where `zeroIsOff`, 0 is allowed outside the range too.
    case size(ClosedRange<Int>, zeroIsOff: Bool)
    /// Milliseconds. Where `zeroIsOff`, 0 is allowed below the minimum too.
    case duration(minimum: Int, zeroIsOff: Bool)
    case choice([String])
    /// `shared`, `session` or `pool=N`.
    case isolation
    /// The path of a URL.
    case endpoint
    case text
    /// The path of a file or directory.
    case path
    /// `KEY=VALUE`.
    case assignment
    /// `scheme://host[:port]`, as in the header `Origin`, or `*`.
    case origin
    /// A host name without a port.
    case hostName
    /// A socket to listen on.
    case address
    /// A JSON object.
    case json
}

/// A value that was read from text and is in range.
enum Value: Sendable, Equatable {
    case boolean(Bool)
    case integer(Int)
    case bytes(Int)
    case milliseconds(Int)
    case text(String)
    case address(ListenAddress)
}

extension ValueKind {
    /// The longest duration: a year.
    static let maximumMilliseconds = 365 * 24 * 3_600_000

    /// Reads a value; nil if `text` is not one.
    func value(of text: String) -> Value? {
        switch self {
        case .action: return nil
        case .boolean: return parseBoolean(text).map(Value.boolean)
        case .integer(let range):
            return parseDecimal(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case .size(let range, let zeroIsOff):
            guard let bytes = parseSize(text), range.contains(bytes) || (zeroIsOff && bytes == 0) else { return nil }
            return .bytes(bytes)
        case .duration(let minimum, let zeroIsOff):
            guard let milliseconds = parseDuration(text), milliseconds <= Self.maximumMilliseconds,
                milliseconds >= minimum || (zeroIsOff && milliseconds == 0)
            else { return nil }
            return .milliseconds(milliseconds)
        case .address: return ListenAddress(text).map(Value.address)
        case .json: return jsonObject(text).map(Value.text)
        case .choice, .isolation, .endpoint, .text, .path, .assignment, .origin, .hostName:
            return accepts(text) ? .text(text) : nil
        }
    }

    private func accepts(_ text: String) -> Bool {
        switch self {
        case .choice(let choices): return choices.contains(text)
        case .isolation: return Isolation(rawValue: text) != nil
        case .endpoint: return text.hasPrefix("/") && isPlainWord(text) && !text.contains { $0 == "?" || $0 == "#" }
        case .path: return !text.isEmpty && !text.utf8.contains(0)
        case .text: return !text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        case .assignment:
            guard let equals = text.firstIndex(of: "=") else { return false }
            return isPlainWord(text[..<equals]) && !text.utf8.contains(0)
        case .origin:
            return text == "*" || WebOrigin(Substring(text)) != nil
        case .hostName: return Authority(Substring(text)) != nil
        default: return false
        }
    }

    /// What to write instead of a wrong value, to follow "give ".
    var expectation: String {
        switch self {
        case .boolean: return "true or false"
        case .action: return "it without a value"
        case .integer(let range): return "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .size(let range, let zeroIsOff):
            let end = range.upperBound == Int(Int32.max) ? "below 2GiB" : formatSize(range.upperBound)
            let examples = range.upperBound < 64 << 10 ? "500 or 2K" : "64K or 10MiB"
            return "a size such as \(examples), from \(formatSize(range.lowerBound)) to \(end)"
                + (zeroIsOff && range.lowerBound > 0 ? ", or 0 for no limit" : "")
        case .duration(let minimum, let zeroIsOff):
            return "a time such as 500ms, 30s, 5m or 1h (a bare number is milliseconds)"
                + (zeroIsOff ? ", or 0 to turn it off" : minimum > 0 ? ", more than 0" : "")
        case .choice(let choices): return choices.dropLast().joined(separator: ", ") + " or " + (choices.last ?? "")
        case .isolation:
            let sizes = Isolation.poolSizes
            return "shared, session or pool=N with N from \(sizes.lowerBound) to \(sizes.upperBound)"
        case .endpoint: return "a path that starts with a slash, such as /mcp"
        case .text: return "a text in one line"
        case .path: return "a path"
        case .assignment: return "KEY=VALUE"
        case .origin: return "an origin such as https://app.example"
        case .hostName: return "a host name without scheme and port, such as mcp.example"
        case .address: return "HOST:PORT, [IPV6]:PORT or unix:/path"
        case .json: return "a JSON object such as {\"sampling\":{}}"
        }
    }
}

extension Value: CustomStringConvertible {
    /// The value as a user would write it.
    var description: String {
        switch self {
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .bytes(let bytes): formatSize(bytes)
        case .milliseconds(let milliseconds): formatDuration(milliseconds)
        case .text(let text): text
        case .address(let address): address.description
        }
    }
}

/// `true`, `yes`, `on`, `1` and their opposites.
private func parseBoolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on", "1": true
    case "false", "no", "off", "0": false
    default: nil
    }
}

/// A number of ASCII digits alone; nil if `text` is anything else or too large.
private func parseDecimal(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    return Int(text)
}

private let timeUnits = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
private let sizeUnits = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

/// Milliseconds of `500ms`, `30s`, `5m`, `1h` or a bare number of milliseconds.
func parseDuration(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let suffix = text[digits.endIndex...]
    guard let factor = suffix.isEmpty ? 1 : timeUnits.first(where: { $0.0 == suffix })?.1 else { return nil }
    return scaled(digits, by: factor)
}

/// Bytes of `10485760`, `64K` or `10MiB`. K, M and G are powers of 1024 as well, as nginx and Docker read them.
func parseSize(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let suffix = text[digits.endIndex...].lowercased()
    let unit = sizeUnits.first { suffix == $0.0.lowercased() || suffix == $0.0.prefix(1).lowercased() }
    guard let factor = suffix.isEmpty ? 1 : unit?.1 else { return nil }
    return scaled(digits, by: factor)
}

private func scaled(_ digits: Substring, by factor: Int) -> Int? {
    guard let number = parseDecimal(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
}

/// `300000` → `5m`: the largest unit that divides it.
func formatDuration(_ milliseconds: Int) -> String { format(milliseconds, timeUnits) }

/// `10485760` → `10MiB`: the largest unit that divides it.
func formatSize(_ bytes: Int) -> String { format(bytes, sizeUnits) }

private func format(_ number: Int, _ units: [(String, Int)]) -> String {
    guard number > 0, let unit = units.first(where: { number % $0.1 == 0 }) else { return String(number) }
    return "\(number / unit.1)\(unit.0)"
}

/// Not empty, and free of white space and control characters.
private func isPlainWord(_ text: some StringProtocol) -> Bool {
    !text.isEmpty
        && text.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0.properties.generalCategory != .control }
}
