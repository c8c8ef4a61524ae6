// SPDX-License-Identifier: Apache-2.0

/// Field numbers of `io.prometheus.client.MetricFamily` and `Metric` (`metrics.proto` of the client model).
enum MetricFamilyField {
    static let name = 1
    static let help = 2
    static let type = 3
    static let metric = 4
    static let unit = 5
    // Of `Metric`.
    static let label = 1
    static let gauge = 2
    static let counter = 3
    static let histogram = 7
}

/// Field numbers of `io.prometheus.client.Histogram`.
enum HistogramField {
    static let sampleCount = 1
    static let sampleSum = 2
    static let bucket = 3
    static let schema = 5
    static let zeroThreshold = 6
    static let zeroCount = 7
    static let positiveSpan = 12
    static let positiveDelta = 13
    static let exemplars = 16
}

extension MetricDescription.Kind {
    /// The number in `MetricType`. There are no infos and state sets: they are gauges.
    var protobufType: UInt64 {
        switch self {
        case .counter: 0
        case .gauge, .info, .stateSet: 1
        case .histogram: 4
        }
    }
}

extension ProtobufWriter {
    /// A `MetricFamily` with its length in front, or nothing when there are no metrics.
    mutating func append(_ family: any Family) {
        let start = bytes.count
        var isEmpty = true
        delimited { writer in
            let description = family.description
            writer.string(MetricFamilyField.name, description.name)
            writer.string(MetricFamilyField.help, description.help)
            writer.uint64(MetricFamilyField.type, description.kind.protobufType)
            let beforeMetrics = writer.bytes.count
            family.appendMetrics(to: &writer)
            isEmpty = writer.bytes.count == beforeMetrics
            if let unit = description.unit { writer.string(MetricFamilyField.unit, unit) }
        }
        if isEmpty { bytes.removeSubrange(start...) }
    }

    /// A `Metric` with its labels; `body` adds the value.
    mutating func metric(
        _ labels: [MetricDescription.Label],
        _ set: LabelSet,
        _ body: (inout ProtobufWriter) -> Void
    ) {
        message(MetricFamilyField.metric) { writer in
            for (label, value) in zip(labels, set.values) where !value.isEmpty {
                writer.labelPair(MetricFamilyField.label, label.name) { $0.append(contentsOf: value.utf8) }
            }
            body(&writer)
        }
    }

    /// A `LabelPair` whose value `body` appends.
    mutating func labelPair(_ field: Int, _ name: String, _ body: (inout [UInt8]) -> Void) {
        message(field) { writer in
            writer.string(1, name)
            writer.message(2) { body(&$0.bytes) }
        }
    }

    /// The value of a `Metric`.
    mutating func counter(_ value: Double) { message(MetricFamilyField.counter) { $0.double(1, value) } }

    /// The value of a `Metric`.
    mutating func gauge(_ value: Double) { message(MetricFamilyField.gauge) { $0.double(1, value) } }

    /// The native buckets of a `Histogram`.
    mutating func append(_ reading: NativeBuckets.Reading, zeroCount: Int) {
        sint64(HistogramField.schema, Int64(reading.schema))
        double(HistogramField.zeroThreshold, NativeBuckets.zeroThreshold)
        uint64(HistogramField.zeroCount, UInt64(zeroCount))
        // The first offset is an index, the others are gaps.
        var end: Int?
        for span in reading.spans {
            message(HistogramField.positiveSpan) {
                $0.sint64(1, Int64(span.lowerBound - (end ?? -reading.firstIndex)))
                $0.uint64(2, UInt64(span.count))
            }
            end = span.upperBound
        }
        if end == nil { return }
        message(HistogramField.positiveDelta) { writer in
            var previous = 0
            for span in reading.spans {
                for count in reading.counts[span] {
                    writer.zigzag(Int64(count - previous))
                    previous = count
                }
            }
        }
    }
}
