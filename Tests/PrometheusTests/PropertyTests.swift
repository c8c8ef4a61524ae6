// SPDX-License-Identifier: Apache-2.0

import Prometheus
import SeededRandom
import Testing

/// Random metrics with hostile label values, read back by a strict reader.
@Suite struct PropertyTests {
    /// What makes trouble in one of the formats, in a journal, or on a terminal.
    private static let pieces = [
        "a", "b", "\"", "\\", "\n", "\\n", "\r", "\r\n", "\u{0}", "\u{1B}[2J", "{", "}", "=", ",", "#", " ", "# EOF\n",
        "\"} 1\nfake{x=\"1", "é", "e\u{301}", "\u{202E}", "\u{2028}", "\u{FEFF}", "\u{FFFD}", "😀", "_OTHER", "+Inf",
    ]

    /// Never empty: an empty label is left out.
    private static func value(_ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }

    @Test(arguments: 0..<40) func whatIsWrittenReadsBack(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let registry = Registry(histograms: HistogramMode.allCases[seed % 3])
        var expected: [String: [[[UInt8]]: Int]] = [:]
        for number in 0..<Int.random(in: 1...8, using: &random) {
            let name = "m\(Int.random(in: 0...9999, using: &random))_\(number)"
            let labels = ["x", "y_1", "Z"].prefix(Int.random(in: 0...3, using: &random))
            let help = "H" + Self.value(&random)
            var values: [[[UInt8]]: Int] = labels.isEmpty ? [[]: 0] : [:]
            let kind = [MetricDescription.Kind.counter, .gauge, .histogram].randomElement(using: &random) ?? .counter
            let description = MetricDescription(
                name: kind == .counter ? name + "_total" : name,
                kind: kind,
                help: help,
                labels: labels.map { .init(name: $0) },
                buckets: kind == .histogram ? [0, 1, 5, 1e7] : []
            )
            let sets = (0..<Int.random(in: 0...10, using: &random)).map { _ in labels.map { _ in Self.value(&random) } }
            let record: ([String], Int) -> Void
            switch kind {
            case .counter:
                let family = try registry.counter(description)
                record = { family.with($0).add($1) }
            case .gauge:
                let family = try registry.gauge(description)
                record = { family.with($0).add($1) }
            default:
                let family = try registry.histogram(description)
                record = { family.with($0).observe($1) }
            }
            for set in sets {
                let amount = Int.random(in: 0...10, using: &random)
                record(set, amount)
                values[set.map { Array($0.utf8) }, default: 0] += amount
            }
            expected[description.name] = values.isEmpty ? nil : values
        }
        for format in [ExpositionFormat.text, .openMetrics] {
            let isOpenMetrics = format == .openMetrics
            var found: [String: [[[UInt8]]: Int]] = [:]
            var lines = 0
            for family in try ExpositionReader.read(registry.bytes(format), openMetrics: isOpenMetrics) {
                let name = family.name + (isOpenMetrics && family.type == "counter" ? "_total" : "")
                lines += family.samples.count
                for sample in family.samples where !sample.name.hasSuffix("_bucket") && !sample.name.hasSuffix("_count")
                {
                    found[name, default: [:]][sample.labels.map { Array($0[1].utf8) }] = Int(sample.value)
                }
            }
            #expect(found == expected)
            #expect(lines == registry.seriesCount)
        }
        #expect(throws: Never.self) { try ProtobufReader.text(registry.bytes(.protobuf)) }
    }
}
