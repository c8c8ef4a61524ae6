// SPDX-License-Identifier: Apache-2.0

/// The lines that describe a family, and the name its samples begin with, ready to be copied.
struct TextHead: Sendable {
    /// For the text format (Prometheus docs, "Exposition formats").
    let text: [UInt8]
    /// For OpenMetrics 1.0.
    let openMetrics: [UInt8]
    let name: [UInt8]

    init(_ description: MetricDescription) {
        let (name, family) = (description.name, description.familyName)
        var text = Array("# HELP \(name) ".utf8)
        text.append(escaped: description.help, quotes: false)
        text.append(contentsOf: "\n# TYPE \(name) \(description.kind.textType)\n".utf8)
        self.text = text
        var openMetrics = Array("# TYPE \(family) \(description.kind.openMetricsType)\n".utf8)
        if let unit = description.unit { openMetrics.append(contentsOf: "# UNIT \(family) \(unit)\n".utf8) }
        openMetrics.append(contentsOf: "# HELP \(family) ".utf8)
        openMetrics.append(escaped: description.help, quotes: true)
        openMetrics.append(UInt8(ascii: "\n"))
        self.openMetrics = openMetrics
        self.name = Array(name.utf8)
    }
}

extension MetricDescription.Kind {
    fileprivate var textType: String {
        switch self {
        case .counter: "counter"
        case .gauge, .info, .stateSet: "gauge"
        case .histogram: "histogram"
        }
    }

    fileprivate var openMetricsType: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        case .info: "info"
        case .stateSet: "stateset"
        }
    }
}

extension [UInt8] {
    /// Appends a family, or nothing when it has no samples.
    mutating func append(_ family: any Family, head: TextHead, openMetrics: Bool) {
        let start = count
        append(contentsOf: openMetrics ? head.openMetrics : head.text)
        let beforeLines = count
        family.appendLines(to: &self, name: head.name, exemplars: openMetrics)
        if count == beforeLines { removeSubrange(start...) }
    }
}
