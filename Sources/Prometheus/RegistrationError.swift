// SPDX-License-Identifier: Apache-2.0

/// A description that can't become a metric, as it would break the exposition or clash with another one.
package struct RegistrationError: Error, Equatable, CustomStringConvertible {
    /// The name in the description.
    package let metric: String
    /// What is wrong with it, with the value.
    package let problem: String

    package var description: String { "can't register the metric \"\(metric)\": \(problem)" }
}

extension MetricDescription {
    /// Checks the rules of both text formats, and the reserved names and suffixes of OpenMetrics.
    func validate(as expected: Kind) throws(RegistrationError) {
        guard kind == expected else { throw problem("it is described as \(kind.rawValue), not \(expected.rawValue)") }
        guard Self.isName(name[...]) else { throw problem("a name is a letter, then letters, digits and underscores") }
        guard !help.isEmpty else { throw problem("it has no help") }
        try validateSuffix()
        try validateLabels()
        try validateBuckets()
    }

    private func validateSuffix() throws(RegistrationError) {
        let required: String? =
            switch kind {
            case .counter: "_total"
            case .info: "_info"
            case .gauge, .histogram, .stateSet: nil
            }
        if let required, !name.hasSuffix(required) { throw problem("the name must end in \(required)") }
        for suffix in ["_total", "_info", "_created", "_bucket", "_sum", "_count"] where familyName.hasSuffix(suffix) {
            throw problem("the suffix \(suffix) belongs to another kind of metric")
        }
        guard let unit else { return }
        guard kind != .info && kind != .stateSet else { throw problem("a metric of this kind has no unit") }
        guard Self.isName(unit[...]), familyName.hasSuffix("_" + unit) else {
            throw problem("the name must have its unit \"\(unit)\" as suffix")
        }
    }

    private func validateLabels() throws(RegistrationError) {
        var seen: Set<String> = []
        for label in labels {
            guard Self.isName(label.name[...]), !(kind == .histogram && label.name == "le") else {
                throw problem("it can't have a label \"\(label.name)\"")
            }
            guard seen.insert(label.name).inserted else { throw problem("it has two labels \"\(label.name)\"") }
            guard let values = label.values else { continue }
            guard !values.isEmpty, Set(values).count == values.count else {
                throw problem("the values of the label \"\(label.name)\" must be at least one and all different")
            }
        }
        guard kind == .stateSet else { return }
        guard labels.count == 1, labels[0].name == name, labels[0].values != nil else {
            throw problem("a state set has one label, of its own name and with every state as value")
        }
    }

    private func validateBuckets() throws(RegistrationError) {
        guard kind == .histogram else {
            if !buckets.isEmpty { throw problem("only a histogram has buckets") }
            return
        }
        guard !buckets.isEmpty else { throw problem("it has no buckets") }
        var previous = -1
        for bound in buckets {
            guard let raw = scale.recorded(bound), raw >= 0 else { throw problem("\(bound) can't bound a bucket") }
            guard raw > previous else { throw problem("the bucket \(bound) isn't above the one before it") }
            previous = raw
        }
    }

    func problem(_ text: String) -> RegistrationError { RegistrationError(metric: name, problem: text) }

    /// Narrower than the formats: OpenMetrics reserves a leading underscore and colons.
    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}

extension MetricDescription.Scale {
    /// How many recorded units make one shown.
    var divisor: Double {
        switch self {
        case .one: 1
        case .nanoseconds: 1e9
        }
    }

    /// The largest recorded integer that lies in a bucket with this upper bound; nil when there is none.
    func recorded(_ bound: Double) -> Int? {
        switch self {
        case .one: Int(exactly: bound.rounded(.down))
        // Bounds are decimal fractions, which a Double may miss by a hair in either direction.
        case .nanoseconds: Int(exactly: (bound * divisor).rounded())
        }
    }

    /// A recorded integer as the number that is shown.
    func shown(_ raw: Int) -> Double { self == .one ? Double(raw) : Double(raw) / divisor }
}
