// SPDX-License-Identifier: Apache-2.0

import Glibc
import SeededRandom
import Testing

@testable import Prometheus

@Suite struct HistogramTests {
    private func description(
        buckets: [Double],
        scale: MetricDescription.Scale = .one
    ) -> MetricDescription {
        MetricDescription(name: "h", kind: .histogram, help: "H.", buckets: buckets, scale: scale)
    }

    /// A bound belongs to its bucket, whatever its Double is worth in nanoseconds.
    @Test(arguments: [
        [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25],
        [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300], [0, 1e-9, 9e9],
        // A hair less than their integer, times a billion.
        [6.5e-05, 0.00013, 0.00026, 4.1, 8.2],
    ])
    func boundsAreInclusive(_ buckets: [Double]) throws {
        let histogram = try Registry().histogram(description(buckets: buckets, scale: .nanoseconds)).with()
        for bound in buckets {
            let raw = Int((bound * 1e9).rounded())
            histogram.observe(raw)
            histogram.observeOwned(raw + 1)
        }
        let last = buckets.count
        let expected = (0...last).map { $0 == 0 || $0 == last ? 1 : 2 }
        // Neighbours of which one is the other plus one.
        #expect(Array(histogram.bucketCounts) == (buckets[0] == 0 ? [1, 2, 2, 1] : expected))
    }

    @Test func everyIntegerFindsItsBucket() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let bounds = Set(
                (0..<Int.random(in: 1...30, using: &random)).map { _ in
                    Int.random(in: 0...(1 << Int.random(in: 1...62, using: &random)), using: &random)
                }
            ).sorted()
            let table = BucketTable(bounds: bounds)
            for bound in bounds + [0, Int.max, Int.random(in: 0...Int.max, using: &random)] {
                for value in [bound - 1, bound, bound &+ 1] where value >= 0 {
                    #expect(table.index(of: value) == bounds.firstIndex { $0 >= value } ?? bounds.count)
                }
            }
        }
    }

    @Test func negativeCountsAsZero() throws {
        let registry = Registry(histograms: .both)
        let histogram = try registry.histogram(description(buckets: [0, 1])).with()
        histogram.observe(-5)
        histogram.observeOwned(Int.min)
        histogram.observe(Int.max)
        #expect(Array(histogram.bucketCounts) == [2, 0, 1])
        #expect(histogram.sum == Int.max)
        #expect(histogram.count == 3)
    }

    // MARK: Native buckets

    /// Every integer lies in the bucket that the definition gives it, for both scales.
    @Test(arguments: [MetricDescription.Scale.one, .nanoseconds])
    func nativeBucketsFollowTheDefinition(_ scale: MetricDescription.Scale) {
        let native = NativeBuckets(scale: scale)
        var random = SeededGenerator(seed: 4)
        let values =
            [1, 2, 3, 4, 1_000_000_000, 2_000_000_000, 500_000_000, Int.max]
            + (0..<2000).map { _ in Int.random(in: 1...(1 << Int.random(in: 1...62, using: &random)), using: &random) }
        for value in values {
            let index = native.firstIndex + native.table.index(of: value)
            let upper = exp2(Double(index) / 8)
            let lower = exp2(Double(index - 1) / 8)
            // A rounding error wide, where the bound isn't a Double.
            #expect(scale.shown(value) <= upper * (1 + 1e-15) && scale.shown(value) > lower * (1 - 1e-15))
        }
        #expect(native.firstIndex + native.table.index(of: scale == .one ? 4 : 4_000_000_000) == 16, "4 = 2^(16/8)")
    }

    @Test func mergesInPairsOnlyWhenNeeded() {
        func reading(_ first: Int, _ counts: [Int]) -> NativeBuckets.Reading {
            .init(firstIndex: first, counts: counts)
        }
        var untouched = reading(-3, [1, 0, 2])
        untouched.reduce(to: 2)
        #expect(untouched.schema == 3 && untouched.counts == [1, 0, 2] && untouched.firstIndex == -3)
        // ceil(i/2) of -3...4 is -1, -1, 0, 0, 1, 1, 2, 2.
        var merged = reading(-3, [1, 2, 3, 4, 5, 6, 7, 8])
        merged.reduce(to: 4)
        #expect(merged.schema == 2 && merged.firstIndex == -1 && merged.counts == [3, 7, 11, 15])
        var odd = reading(-2, [1, 2, 3])
        odd.reduce(to: 2)
        #expect(odd.schema == 2 && odd.firstIndex == -1 && odd.counts == [1, 5])
        var twice = reading(0, Array(repeating: 1, count: 505))
        twice.reduce()
        #expect(twice.schema == 1 && twice.counts.reduce(0, +) == 505 && twice.counts.count == 127)
    }

    @Test func reductionKeepsValuesInTheirBuckets() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let first = Int.random(in: -300...300, using: &random)
            let counts = (0..<Int.random(in: 161...400, using: &random)).map { _ in
                Int.random(in: 1...9, using: &random)
            }
            var reading = NativeBuckets.Reading(firstIndex: first, counts: counts)
            reading.reduce()
            #expect(reading.counts.count <= NativeBuckets.limit)
            var expected: [Int: Int] = [:]
            for (offset, count) in counts.enumerated() {
                // The bucket of the lower schema whose upper bound is the first one not below.
                let index = Int((Double(first + offset) / Double(1 << (3 - reading.schema))).rounded(.up))
                expected[index, default: 0] += count
            }
            let actual = Dictionary(
                uniqueKeysWithValues: reading.counts.enumerated().map { (reading.firstIndex + $0, $1) }
            )
            #expect(actual == expected)
        }
    }

    @Test func spansBridgeSmallGapsOnly() {
        let reading = NativeBuckets.Reading(firstIndex: 0, counts: [0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0])
        #expect(Array(reading.spans) == [1..<5, 8..<10])
        #expect(Array(NativeBuckets.Reading(firstIndex: 0, counts: [0, 0]).spans) == [])
        #expect(Array(NativeBuckets.Reading(firstIndex: 0, counts: []).spans) == [])
    }

    @Test func anEmptyNativeHistogramSaysThatItIsOne() throws {
        let registry = Registry(histograms: .native)
        _ = try registry.histogram(description(buckets: [1]))
        let shown = try ProtobufReader.text(registry.bytes(.protobuf))
        #expect(shown.contains("sample_count: 0\n") && shown.contains("zero_threshold: 2.9"))
        #expect(!shown.contains("bucket") && !shown.contains("span"))
    }

    @Test func zeroHasABucketOfItsOwn() throws {
        let registry = Registry(histograms: .native)
        let histogram = try registry.histogram(description(buckets: [1])).with()
        histogram.observe(0)
        histogram.observeOwned(0)
        histogram.observe(1)
        let shown = try ProtobufReader.text(registry.bytes(.protobuf))
        #expect(shown.contains("sample_count: 3\n") && shown.contains("zero_count: 2\n"))
        #expect(shown.contains("offset: 0\n") && shown.contains("positive_delta: [1]\n"))
    }

    // MARK: Exemplars

    private let exemplar = Exemplar(
        traceID: (0x0AF7_6519_16CD_43DD, 0x8448_EB21_1C80_319C),
        spanID: 0x00F0_67AA_0BA9_02B7,
        unixMilliseconds: 1_700_000_000_120
    )

    @Test func exemplarsAreShownByOpenMetricsAlone() throws {
        let registry = Registry()
        let histogram = try registry.histogram(description(buckets: [0.5, 1], scale: .nanoseconds)).with()
        histogram.observeOwned(100, exemplar: exemplar)
        histogram.observeOwned(750_000_000, exemplar: exemplar)
        histogram.observeOwned(800_000_000, exemplar: nil)
        histogram.observeOwned(5_000_000_000)
        let labels = #"{trace_id="0af7651916cd43dd8448eb211c80319c",span_id="00f067aa0ba902b7"}"#
        #expect(
            registry.text(.openMetrics).split(separator: "\n").dropFirst(2).prefix(3) == [
                "h_bucket{le=\"0.5\"} 1 # \(labels) 0.0000001 1700000000.12",
                "h_bucket{le=\"1.0\"} 3 # \(labels) 0.75 1700000000.12", "h_bucket{le=\"+Inf\"} 4",
            ]
        )
        #expect(!registry.text(.text).contains(" # "))
        #expect(try ExpositionReader.read(registry.bytes(.openMetrics), openMetrics: true).count == 1)
    }

    @Test(arguments: [HistogramMode.classic, .native, .both])
    func exemplarsInProtobuf(_ mode: HistogramMode) throws {
        let registry = Registry(histograms: mode)
        let histogram = try registry.histogram(description(buckets: [0.5], scale: .nanoseconds)).with()
        histogram.observeOwned(100, exemplar: exemplar)
        histogram.observeOwned(200, exemplar: exemplar)
        let shown = try ProtobufReader.text(registry.bytes(.protobuf))
        let field = """
            label
              name: trace_id
              value: 0af7651916cd43dd8448eb211c80319c
            label
              name: span_id
              value: 00f067aa0ba902b7
            value: 2e-07
            timestamp
              seconds: 1700000000
              nanos: 120000000
            """
        let isOfBucket = mode != .native
        let indent = String(repeating: " ", count: isOfBucket ? 8 : 6)
        let body = field.split(separator: "\n").map { "\(indent)\($0)\n" }.joined()
        #expect(shown.contains((isOfBucket ? "      exemplar\n" : "    exemplars\n") + body))
        #expect(shown.split(separator: "\n").count { $0.contains("trace_id") } == 1)
    }
}
