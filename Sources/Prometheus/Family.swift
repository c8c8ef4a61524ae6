// SPDX-License-Identifier: Apache-2.0

/// A metric with all its series, as the registry sees it.
protocol Family: AnyObject, Sendable {
    var description: MetricDescription { get }
    /// How many sample lines there are now.
    var lineCount: Int { get }
    /// Appends the sample lines, which both text formats share.
    ///
    /// - Parameter exemplars: whether they may be followed by exemplars.
    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool)
    /// Appends the fields `metric` of a `MetricFamily`.
    func appendMetrics(to writer: inout ProtobufWriter)
}

/// A counter's series, by label values.
package final class CounterFamily: Family, Sendable {
    let description: MetricDescription
    private let series: SeriesTable<Counter>

    init(_ description: MetricDescription, limit: Int, overflow: Counter?) {
        self.description = description
        series = SeriesTable(description, limit: limit, overflow: overflow, mostAtZero: .max) { Counter() }
    }

    /// The series with these label values, in the order of the description; made if it is new.
    ///
    /// The same values give the same object. Any thread, but it takes a lock: keep the result. A value outside a
    /// closed set becomes `_OTHER` if that is in the set; otherwise, or with a wrong number of values, debug builds
    /// stop and release builds return a series that isn't shown.
    package func with(_ labelValues: [String]) -> Counter { series.instrument(for: labelValues) }

    /// As `with(_:)` for an array.
    package func with(_ labelValues: String...) -> Counter { with(labelValues) }

    var lineCount: Int { series.entries.count { $0.instrument.current != nil } }

    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool) {
        for entry in series.entries {
            guard let value = entry.instrument.current else { continue }
            output.append(contentsOf: name)
            output.append(contentsOf: entry.labels.text)
            output.append(recorded: value, scale: description.scale)
            output.append(UInt8(ascii: "\n"))
        }
    }

    func appendMetrics(to writer: inout ProtobufWriter) {
        for entry in series.entries {
            guard let value = entry.instrument.current else { continue }
            writer.metric(description.labels, entry.labels) { $0.counter(description.scale.shown(value)) }
        }
    }
}

/// A gauge's series, by label values.
package final class GaugeFamily: Family, Sendable {
    let description: MetricDescription
    private let series: SeriesTable<Gauge>

    init(_ description: MetricDescription, limit: Int, overflow: Counter?) {
        self.description = description
        let scale = description.scale
        series = SeriesTable(description, limit: limit, overflow: overflow, mostAtZero: seriesWorthZero) {
            Gauge(scale: scale)
        }
    }

    /// As `CounterFamily.with(_:)`.
    package func with(_ labelValues: [String]) -> Gauge { series.instrument(for: labelValues) }

    /// As `with(_:)` for an array.
    package func with(_ labelValues: String...) -> Gauge { with(labelValues) }

    var lineCount: Int { series.entries.count { $0.instrument.current != nil } }

    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool) {
        for entry in series.entries {
            guard let value = entry.instrument.current else { continue }
            output.append(contentsOf: name)
            output.append(contentsOf: entry.labels.text)
            output.append(number: value)
            output.append(UInt8(ascii: "\n"))
        }
    }

    func appendMetrics(to writer: inout ProtobufWriter) {
        for entry in series.entries {
            guard let value = entry.instrument.current else { continue }
            writer.metric(description.labels, entry.labels) { $0.gauge(value) }
        }
    }
}

/// Gauges and histograms with more combinations of labels than this don't start at 0: most would never be used.
let seriesWorthZero = 64
