// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Prometheus

@Suite struct ConcurrencyTests {
    @Test func twoThreadsLoseNothing() throws {
        let registry = Registry(histograms: .both)
        let counter = try registry.counter(MetricDescription(name: "c_total", kind: .counter, help: "H.")).with()
        let gauge = try registry.gauge(MetricDescription(name: "g", kind: .gauge, help: "H.")).with()
        let histogram = try registry.histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", buckets: [10, 100])
        ).with()
        // One instrument after the other, so that both threads are at the same one all the time.
        let rounds = 200_000
        let body: @Sendable () -> Void = {
            for round in 0..<rounds { histogram.observe(round % 200) }
            for _ in 0..<rounds { counter.add() }
            for round in 0..<rounds { gauge.add(round.isMultiple(of: 2) ? 3 : -1) }
        }
        try atOnce([body, body])
        #expect(counter.value == 2 * rounds)
        #expect(gauge.value == Double(2 * rounds))
        #expect(histogram.count == 2 * rounds)
        #expect(histogram.sum == 2 * (0..<rounds).reduce(0) { $0 + $1 % 200 })
    }

    @Test func manyThreadsMakeOneSeries() throws {
        let registry = Registry()
        let family = try registry.counter(
            MetricDescription(name: "c_total", kind: .counter, help: "H.", labels: [.init(name: "n")])
        )
        let body: @Sendable () -> Void = { for name in 0..<200 { family.with("\(name)").add() } }
        try atOnce([body, body, body, body])
        #expect(registry.seriesCount == 200)
        #expect(registry.text().split(separator: "\n").dropFirst(2).allSatisfy { $0.hasSuffix(" 4") })
    }

    /// While values come in and series are made, every page is well-formed, its counts are the last buckets (the reader
    /// checks that), and no bucket ever shrinks.
    @Test(arguments: HistogramMode.allCases)
    func pagesStayConsistentUnderLoad(_ mode: HistogramMode) throws {
        let registry = Registry(histograms: mode)
        let family = try registry.histogram(
            MetricDescription(
                name: "h",
                kind: .histogram,
                help: "H.",
                labels: [.init(name: "n")],
                buckets: [1, 10, 100]
            )
        )
        let observed = family.with("owned")
        let shared = family.with("shared")
        let isDone = Flag()
        let writer: @Sendable () -> Void = {
            var round = 0
            while !isDone.isRaised {
                let exemplar = Exemplar(traceID: (1, 2), spanID: 3, unixMilliseconds: 4)
                observed.observeOwned(round % 200, exemplar: round.isMultiple(of: 7) ? exemplar : nil)
                shared.observe(round % 300)
                if round.isMultiple(of: 2000), round < 40_000 { family.with("new \(round)").observe(round) }
                round += 1
            }
            #expect(observed.count == round)
            #expect(shared.count == round)
        }
        let reader: @Sendable () -> Void = {
            defer { isDone.raise() }
            var before: [[String]: Int] = [:]
            do {
                for format in (0..<15).flatMap({ _ in [ExpositionFormat.text, .openMetrics] }) {
                    let page = registry.bytes(format)
                    for family in try ExpositionReader.read(page, openMetrics: format == .openMetrics) {
                        for sample in family.samples {
                            let key = [sample.name] + sample.labels.joined()
                            let value = Int(sample.value) ?? -1
                            #expect(value >= before[key] ?? 0)
                            before[key] = value
                        }
                    }
                    try Self.checkProtobuf(registry.bytes(.protobuf))
                }
            } catch {
                Issue.record(error)
            }
        }
        try atOnce([writer, reader])
    }

    /// The counts of a histogram, its last bucket and its native buckets are one number.
    private static func checkProtobuf(_ bytes: [UInt8]) throws {
        var count = ""
        var last = ""
        for line in try ProtobufReader.text(bytes).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "sample_count:": count = words[1]
            case "cumulative_count:": last = words[1]
            case "upper_bound:" where words[1] == "inf": #expect(last == count)
            case "zero_count:":
                last = words[1]
            case "positive_delta:":
                let numbers = line.drop { $0 != "[" }.dropFirst().dropLast().split(separator: ", ").compactMap {
                    Int($0)
                }
                var value = 0
                let total = numbers.reduce(Int(last) ?? 0) { total, delta in
                    value += delta
                    return total + value
                }
                #expect("\(total)" == count)
            default: break
            }
        }
    }

    /// A reader never sees half of one exemplar and half of another.
    @Test func exemplarsAreWhole() throws {
        let histogram = try Registry().histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", buckets: [1])
        ).with()
        let isDone = Flag()
        let writer: @Sendable () -> Void = {
            var round = 0
            while !isDone.isRaised {
                round += 1
                let number = UInt64(round)
                let exemplar = Exemplar(traceID: (number, number), spanID: number, unixMilliseconds: round)
                histogram.observeOwned(round + 1, exemplar: exemplar)
            }
            #expect(histogram.exemplars.load(1)?.value == round + 1)
        }
        let reader: @Sendable () -> Void = {
            defer { isDone.raise() }
            var seen = 0
            var found = 0
            while found < 100_000 {
                guard let (exemplar, value) = histogram.exemplars.load(1) else { continue }
                found += 1
                let number = UInt64(exemplar.unixMilliseconds)
                let isWhole = exemplar.traceID == (number, number) && exemplar.spanID == number
                if !isWhole || value != exemplar.unixMilliseconds + 1 || value < seen {
                    Issue.record("torn: \(exemplar), \(value)")
                    return
                }
                seen = value
            }
        }
        try atOnce([writer, reader])
        #expect(histogram.exemplars.load(0) == nil)
    }
}
