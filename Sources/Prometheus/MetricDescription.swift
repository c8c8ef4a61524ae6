// SPDX-License-Identifier: Apache-2.0

/// One row of the catalogue: all that is known of a metric before its first value.
package struct MetricDescription: Sendable {
    /// What the values mean and how they are shown.
    package enum Kind: String, Sendable {
        /// A count that only grows. The name ends in `_total`.
        case counter
        /// A value that goes up and down.
        case gauge
        /// Observations sorted into buckets, with their sum.
        case histogram
        /// Facts in labels, with the value 1. The name ends in `_info`.
        case info
        /// One of several states: its sample is 1, the others are 0. The one label has the name of the metric.
        case stateSet
    }

    /// A label of every sample of the metric.
    package struct Label: Sendable {
        /// Starts with a letter; letters, digits and underscores.
        package var name: String
        /// Every value there can be. Nil means that values are learned, and become `_OTHER` over the series limit.
        package var values: [String]?

        package init(name: String, values: [String]? = nil) {
            self.name = name
            self.values = values
        }
    }

    /// How the integers that are recorded relate to the numbers that are shown.
    package enum Scale: Sendable {
        /// They are the same.
        case one
        /// Nanoseconds are recorded, seconds are shown.
        case nanoseconds
    }

    /// As the text format shows it: a counter ends in `_total`, an info in `_info`.
    package var name: String
    package var kind: Kind
    /// `seconds`, `bytes`, …: the end of the name, before `_total`.
    package var unit: String?
    /// One sentence for people.
    package var help: String
    /// In the order they are shown.
    package var labels: [Label]
    /// Of a histogram: the upper bounds in the unit shown, ascending, without `+Inf`.
    package var buckets: [Double]
    package var scale: Scale
    /// Leaves out the series at 0 that would exist from registration on.
    package var startsEmpty: Bool

    package init(
        name: String,
        kind: Kind,
        unit: String? = nil,
        help: String,
        labels: [Label] = [],
        buckets: [Double] = [],
        scale: Scale = .one,
        startsEmpty: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
        self.labels = labels
        self.buckets = buckets
        self.scale = scale
        self.startsEmpty = startsEmpty
    }
}

extension MetricDescription {
    /// What OpenMetrics calls the family: the name without `_total` or `_info`.
    var familyName: String {
        switch kind {
        case .counter where name.hasSuffix("_total"): String(name.dropLast("_total".count))
        case .info where name.hasSuffix("_info"): String(name.dropLast("_info".count))
        default: name
        }
    }

    /// The names of its sample lines.
    var sampleNames: [String] {
        kind == .histogram ? ["_bucket", "_sum", "_count"].map { name + $0 } : [name]
    }

    /// Names no other family may use: a reader couldn't tell whose sample it is (OpenMetrics 1.0, "MetricFamily").
    var reservedNames: Set<String> {
        var names = Set(sampleNames)
        names.insert(familyName)
        if kind == .counter || kind == .histogram { names.insert(familyName + "_created") }
        return names
    }

    /// Whether some label has values that are learned.
    var hasOpenLabels: Bool { labels.contains { $0.values == nil } }
}
