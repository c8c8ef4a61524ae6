// SPDX-License-Identifier: Apache-2.0

/// The label values of one series, and how the text formats show them.
///
/// Equal when the bytes are: two strings that only look alike are two values. Ordered by the values.
struct LabelSet: Sendable {
    let values: [String]
    /// What stands between the name of a sample and its value: `{a="b"} `, or one space.
    let text: [UInt8]

    /// What values that aren't known, or too many, become.
    static let other = "_OTHER"

    /// - Parameter values: as many as there are labels.
    init(_ labels: [MetricDescription.Label], _ values: [String]) {
        self.values = values
        var text: [UInt8] = []
        // An empty label and none are the same to Prometheus (its data model), and none is shorter.
        for (label, value) in zip(labels, values) where !value.isEmpty {
            text.append(text.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            text.append(contentsOf: label.name.utf8)
            text.append("=\"")
            text.append(escaped: value, quotes: true)
            text.append(UInt8(ascii: "\""))
        }
        text.append(text.isEmpty ? " " : "} ")
        self.text = text
    }
}

extension LabelSet: Hashable, Comparable {
    static func == (left: LabelSet, right: LabelSet) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    static func < (left: LabelSet, right: LabelSet) -> Bool {
        for (left, right) in zip(left.values, right.values) where !left.utf8.elementsEqual(right.utf8) {
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        return false
    }
}

extension MetricDescription {
    /// The values, with `_OTHER` for those outside a closed set that has it; nil when one can't be placed.
    ///
    /// A wrong number of values is taken for as many unknown ones as there are labels.
    func placed(_ values: [String]) -> [String]? {
        guard values.count == labels.count else {
            let others = labels.filter { $0.values?.contains(LabelSet.other) ?? true }.map { _ in LabelSet.other }
            return others.count == labels.count && !others.isEmpty ? others : nil
        }
        var result = values
        for (index, label) in labels.enumerated() {
            guard let closed = label.values, !closed.contains(values[index]) else { continue }
            guard closed.contains(LabelSet.other) else { return nil }
            result[index] = LabelSet.other
        }
        return result
    }

    /// Every combination of label values, or none if there is an open label or there are more than `most`.
    func combinations(atMost most: Int) -> [[String]] {
        var combinations: [[String]] = [[]]
        for label in labels {
            guard let values = label.values, combinations.count <= most / values.count else { return [] }
            combinations = combinations.flatMap { combination in values.map { combination + [$0] } }
        }
        return combinations
    }
}

extension [UInt8] {
    /// Appends text with backslash and line feed escaped, and with `quotes` the double quote too: what both formats
    /// ask for. Every other character, controls included, stands for itself.
    mutating func append(escaped text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: append(byte)
            }
        }
    }
}
