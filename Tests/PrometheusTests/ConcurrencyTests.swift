// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Prometheus

@Suite struct ConcurrencyTests {
    @Test func twoThreadsLoseNothing() async throws {
        let registry = Registry(histograms: .both)
        let counter = try registry.counter(MetricDescription(name: "c_total", kind: .counter, help: "H.")).with()
        let gauge = try registry.gauge(MetricDescription(name: "g", kind: .gauge, help: "H.")).with()
        let histogram = try registry.histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", buckets: [10, 100])
        ).with()
        let rounds = 100_000
        await withTaskGroup { group in
            for _ in 0..<2 {
                group.addTask {
                    for round in 0..<rounds {
                        counter.add()
                        gauge.add(round.isMultiple(of: 2) ? 3 : -1)
                        histogram.observe(round % 200)
                    }
                }
            }
        }
        #expect(counter.value == 2 * rounds)
        #expect(gauge.value == Double(2 * rounds))
        #expect(histogram.count == 2 * rounds)
        #expect(histogram.sum == 2 * (0..<rounds).reduce(0) { $0 + $1 % 200 })
    }

    @Test func manyThreadsMakeOneSeries() async throws {
        let registry = Registry()
        let family = try registry.counter(
            MetricDescription(name: "c_total", kind: .counter, help: "H.", labels: [.init(name: "n")])
        )
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask { for name in 0..<200 { family.with("\(name)").add() } }
            }
        }
        #expect(registry.seriesCount == 200)
        #expect(registry.text().split(separator: "\n").dropFirst(2).allSatisfy { $0.hasSuffix(" 4") })
    }

    /// While values come in and series are made, every page is well-formed, its counts are the last buckets (the reader
    /// checks that), and no bucket ever shrinks.
    @Test(arguments: HistogramMode.allCases)
    func pagesStayConsistentUnderLoad(_ mode: HistogramMode) async throws {
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
        await withTaskGroup { group in
            group.addTask {
                for round in 0..<60_000 {
                    let exemplar = Exemplar(traceID: (1, 2), spanID: 3, unixMilliseconds: 4)
                    observed.observeOwned(round % 200, exemplar: round.isMultiple(of: 7) ? exemplar : nil)
                    shared.observe(round % 300)
                    if round.isMultiple(of: 6000) { family.with("new \(round)").observe(round) }
                }
            }
            group.addTask {
                var before: [[String]: Int] = [:]
                for _ in 0..<15 {
                    for format in [ExpositionFormat.text, .openMetrics] {
                        do {
                            let page = registry.bytes(format)
                            for family in try ExpositionReader.read(page, openMetrics: format == .openMetrics) {
                                for sample in family.samples {
                                    let key = [sample.name] + sample.labels.joined()
                                    let value = Int(sample.value) ?? -1
                                    #expect(value >= before[key] ?? 0)
                                    before[key] = value
                                }
                            }
                            #expect(throws: Never.self) { try Self.checkProtobuf(registry.bytes(.protobuf)) }
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
        }
        #expect(observed.count == 60_000)
        #expect(shared.count == 60_000)
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
    @Test func exemplarsAreWhole() async throws {
        let histogram = try Registry().histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", buckets: [1])
        ).with()
        let rounds = 300_000
        await withTaskGroup { group in
            group.addTask {
                for round in 1...rounds {
                    let number = UInt64(round)
                    let exemplar = Exemplar(traceID: (number, number), spanID: number, unixMilliseconds: round)
                    histogram.observeOwned(round + 1, exemplar: exemplar)
                }
            }
            group.addTask {
                var seen = 0
                for _ in 0..<rounds {
                    guard let (exemplar, value) = histogram.exemplars.load(1) else { continue }
                    let number = UInt64(exemplar.unixMilliseconds)
                    let expected = Exemplar(
                        traceID: (number, number),
                        spanID: number,
                        unixMilliseconds: exemplar.unixMilliseconds
                    )
                    if exemplar != expected || value != exemplar.unixMilliseconds + 1 || value < seen {
                        Issue.record("torn: \(exemplar), \(value)")
                        return
                    }
                    seen = value
                }
            }
        }
        #expect(histogram.exemplars.load(1)?.value == rounds + 1)
        #expect(histogram.exemplars.load(0) == nil)
    }
}
