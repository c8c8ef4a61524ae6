// SPDX-License-Identifier: Apache-2.0

import Wording
import YAML

extension FleetReader {
    mutating func report(_ place: YAMLPlace, _ problem: String, _ remedy: String) {
        problems.append(FleetProblem(line: place.line, column: place.column, problem: problem, remedy: remedy))
    }

    mutating func reportVariable(_ place: YAMLPlace, _ name: String) {
        report(place, "a variable cannot be called \(quoted(name))", "use letters, digits and underscores")
    }

    mutating func fields(_ node: YAMLNode, _ what: String) -> FleetFields? {
        members(node, what).map { FleetFields(members: $0) }
    }

    /// Reports the keys that nobody asked for.
    mutating func finish(_ fields: FleetFields) {
        for member in fields.members where !fields.taken.contains(member.key) {
            report(
                member.place,
                "unknown key \(quoted(member.key))",
                nearest(to: member.key, among: fields.taken).map { "did you mean \($0)?" }
                    ?? "these are known: \(fields.taken.joined(separator: ", "))"
            )
        }
    }

    mutating func members(_ node: YAMLNode, _ what: String) -> [YAMLNode.Member]? {
        if case .mapping(let members) = node.content { return members }
        report(node.place, "\(what) is not a list of keys and values", "write lines such as name: time")
        return nil
    }

    mutating func elements(_ node: YAMLNode, _ what: String) -> [YAMLNode]? {
        if case .sequence(let elements) = node.content { return elements }
        report(node.place, "\(what) is not a list", "begin each element with a dash, or write [one, two]")
        return nil
    }

    mutating func scalar(_ node: YAMLNode, _ what: String) -> String? {
        guard case .scalar(let text, let isQuoted) = node.content, isQuoted || !["", "~", "null"].contains(text) else {
            report(node.place, "\(what) has no plain value", "give a text or a number")
            return nil
        }
        if text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) { return text }
        report(node.place, "\(what) holds a line break or another control character", "write it on one line")
        return nil
    }

    /// A list of words, or one text to split into words as a shell does.
    mutating func words(_ node: YAMLNode, _ what: String) -> [String] {
        if case .sequence(let elements) = node.content {
            var words: [String] = []
            for element in elements { if let word = scalar(element, what) { words.append(word) } }
            return words
        }
        guard let text = scalar(node, what) else { return [] }
        if let words = splitWords(text) { return words }
        report(node.place, "\(what) has a quote without its end", "close the quote")
        return []
    }

    mutating func choice(_ node: YAMLNode, _ what: String, _ choices: [String]) -> String? {
        guard let text = scalar(node, what) else { return nil }
        if choices.contains(text) { return text }
        report(node.place, "\(what) cannot be \(quoted(text))", "write \(choices.joined(separator: " or "))")
        return nil
    }

    /// `shared`, `session` or `pool=N`, as the proxy's flag takes it.
    mutating func isolationMode(_ node: YAMLNode) -> String? {
        guard let text = scalar(node, "isolation") else { return nil }
        if ["shared", "session"].contains(text) || (2...64).contains(where: { text == "pool=\($0)" }) { return text }
        report(
            node.place,
            "isolation cannot be \(quoted(text))",
            "write shared, session or pool=N with N from 2 to 64"
        )
        return nil
    }

    mutating func boolean(_ node: YAMLNode, _ what: String) -> Bool? {
        choice(node, what, ["true", "false"]).map { $0 == "true" }
    }

    mutating func integer(_ node: YAMLNode, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        guard let text = scalar(node, what) else { return nil }
        if let number = Int(text), range.contains(number) { return number }
        report(
            node.place,
            "\(what) cannot be \(quoted(text))",
            "give a number from \(range.lowerBound) to \(range.upperBound)"
        )
        return nil
    }

    mutating func hostName(_ node: YAMLNode, _ what: String) -> String? {
        guard let text = scalar(node, what) else { return nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count >= 2, text.utf8.count <= 253, labels.allSatisfy({ isHostLabel($0) }) { return text }
        report(node.place, "\(what) cannot be \(quoted(text))", "give a name in lower case such as mcp.example.com")
        return nil
    }
}

/// The keys of a mapping, and those that were asked for.
struct FleetFields {
    let members: [YAMLNode.Member]
    private(set) var taken: [String] = []

    init(members: [YAMLNode.Member]) { self.members = members }

    mutating func take(_ key: String) -> YAMLNode? {
        taken.append(key)
        return members.first { $0.key == key }?.value
    }
}

/// Lower-case letters, digits and dashes, no dash at an end, at most 63.
func isHostLabel(_ text: some StringProtocol) -> Bool {
    (1...63).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasSuffix("-")
        && text.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || byte == UInt8(ascii: "-")
        }
}

/// `512MiB`, `512m` or `1g` in bytes.
func bytes(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let units: [String: Int] = [
        "": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30,
    ]
    guard let number = Int(digits), let unit = units[text.dropFirst(digits.count).lowercased()] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    return overflow ? nil : product
}

/// `1.5` as 150; more than nothing.
func hundredths(_ text: String) -> Int? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), parts.allSatisfy({ $0.utf8.allSatisfy { 48...57 ~= $0 } }),
        let whole = Int(parts[0]), whole <= 10_000
    else { return nil }
    guard parts.count == 2 else { return whole > 0 ? whole * 100 : nil }
    guard (1...2).contains(parts[1].count), let part = Int(parts[1]) else { return nil }
    let sum = whole * 100 + (parts[1].count == 1 ? part * 10 : part)
    return sum > 0 ? sum : nil
}
