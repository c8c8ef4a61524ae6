// SPDX-License-Identifier: Apache-2.0

/// A histogram's series, by label values.
package final class HistogramFamily: Family, Sendable {
    let description: MetricDescription
    private let layout: HistogramLayout
    private let series: SeriesTable<Histogram>
    /// `le="0.5"} ` for each bucket.
    private let bounds: [[UInt8]]

    init(_ description: MetricDescription, mode: HistogramMode, limit: Int, overflow: Counter?) {
        self.description = description
        let layout = HistogramLayout(bounds: description.buckets, scale: description.scale, mode: mode)
        self.layout = layout
        bounds = (description.buckets.map(\.canonicalBound) + ["+Inf"]).map { Array("le=\"\($0)\"} ".utf8) }
        series = SeriesTable(description, limit: limit, overflow: overflow, mostAtZero: seriesWorthZero) {
            Histogram(layout: layout)
        }
    }

    /// As `CounterFamily.with(_:)`.
    package func with(_ labelValues: [String]) -> Histogram { series.instrument(for: labelValues) }

    /// As `with(_:)` for an array.
    package func with(_ labelValues: String...) -> Histogram { with(labelValues) }

    var lineCount: Int { series.entries.count * (bounds.count + 2) }

    // MARK: Text

    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool) {
        for entry in series.entries {
            let histogram = entry.instrument
            // Read before the buckets and written after them: it holds nothing that they lack.
            let sum = histogram.sum
            var cumulated = 0
            for bucket in bounds.indices {
                cumulated += histogram.cells[HistogramLayout.firstBucket + bucket]
                output.append(contentsOf: name)
                output.append("_bucket")
                output.append(openLabels: entry.labels.text)
                output.append(contentsOf: bounds[bucket])
                output.append(decimal: cumulated)
                if exemplars { appendExemplar(of: histogram, bucket, to: &output) }
                output.append(UInt8(ascii: "\n"))
            }
            output.append(contentsOf: name)
            output.append("_sum")
            output.append(contentsOf: entry.labels.text)
            output.append(recorded: sum, scale: description.scale)
            output.append(UInt8(ascii: "\n"))
            output.append(contentsOf: name)
            output.append("_count")
            output.append(contentsOf: entry.labels.text)
            output.append(decimal: cumulated)
            output.append(UInt8(ascii: "\n"))
        }
    }

    private func appendExemplar(of histogram: Histogram, _ bucket: Int, to output: inout [UInt8]) {
        guard let (exemplar, value) = histogram.exemplars.load(bucket) else { return }
        output.append(" # {trace_id=\"")
        output.append(hexadecimal: exemplar.traceID.0)
        output.append(hexadecimal: exemplar.traceID.1)
        output.append("\",span_id=\"")
        output.append(hexadecimal: exemplar.spanID)
        output.append("\"} ")
        output.append(recorded: value, scale: description.scale)
        output.append(UInt8(ascii: " "))
        output.append(fixedPoint: exemplar.unixMilliseconds, fractionDigits: 3, unit: 1000)
    }

    // MARK: Protobuf

    func appendMetrics(to writer: inout ProtobufWriter) {
        // One for all series, so that its memory is taken once.
        var reading = NativeBuckets.Reading(firstIndex: 0, counts: [])
        for entry in series.entries {
            writer.metric(description.labels, entry.labels) { writer in
                writer.message(MetricFamilyField.histogram) { appendHistogram(entry.instrument, &reading, to: &$0) }
            }
        }
    }

    private func appendHistogram(
        _ histogram: Histogram,
        _ reading: inout NativeBuckets.Reading,
        to writer: inout ProtobufWriter
    ) {
        let sum = description.scale.shown(histogram.sum)
        guard let native = layout.native else {
            let count = histogram.count
            writer.uint64(HistogramField.sampleCount, UInt64(count))
            writer.double(HistogramField.sampleSum, sum)
            appendBuckets(of: histogram, count: count, to: &writer)
            return
        }
        let zeroCount = histogram.cells[layout.zeroBucket]
        reading.load(native, of: histogram)
        let count = reading.counts.reduce(zeroCount, +)
        writer.uint64(HistogramField.sampleCount, UInt64(count))
        writer.double(HistogramField.sampleSum, sum)
        if layout.mode == .both { appendBuckets(of: histogram, count: count, to: &writer) }
        reading.reduce()
        writer.append(reading, zeroCount: zeroCount)
        // Beside described buckets, they carry the exemplars.
        guard layout.mode == .native else { return }
        for bucket in bounds.indices {
            appendExemplar(of: histogram, bucket, as: HistogramField.exemplars, to: &writer)
        }
    }

    /// - Parameter count: all there is. Buckets are read one by one while values come in, and may hold more by now.
    private func appendBuckets(of histogram: Histogram, count: Int, to writer: inout ProtobufWriter) {
        var cumulated = 0
        for bucket in bounds.indices {
            let isLast = bucket == bounds.count - 1
            cumulated += histogram.cells[HistogramLayout.firstBucket + bucket]
            writer.message(HistogramField.bucket) { writer in
                writer.uint64(1, UInt64(isLast ? count : min(cumulated, count)))
                writer.double(2, isLast ? .infinity : description.buckets[bucket])
                appendExemplar(of: histogram, bucket, as: 3, to: &writer)
            }
        }
    }

    private func appendExemplar(
        of histogram: Histogram,
        _ bucket: Int,
        as field: Int,
        to writer: inout ProtobufWriter
    ) {
        guard let (exemplar, value) = histogram.exemplars.load(bucket) else { return }
        writer.message(field) { writer in
            writer.labelPair(1, "trace_id") {
                $0.append(hexadecimal: exemplar.traceID.0)
                $0.append(hexadecimal: exemplar.traceID.1)
            }
            writer.labelPair(1, "span_id") { $0.append(hexadecimal: exemplar.spanID) }
            writer.double(2, description.scale.shown(value))
            writer.message(3) {
                $0.uint64(1, UInt64(max(0, exemplar.unixMilliseconds) / 1000))
                $0.uint64(2, UInt64(max(0, exemplar.unixMilliseconds) % 1000 * 1_000_000))
            }
        }
    }
}

extension [UInt8] {
    /// Appends a label part with room for one more label: `{a="b",` for `{a="b"} `, `{` for none.
    fileprivate mutating func append(openLabels labels: [UInt8]) {
        if labels.count < 2 {
            append(UInt8(ascii: "{"))
        } else {
            append(contentsOf: labels[..<(labels.count - 2)])
            append(UInt8(ascii: ","))
        }
    }
}
