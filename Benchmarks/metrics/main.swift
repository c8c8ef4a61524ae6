// SPDX-License-Identifier: Apache-2.0

// What counting, observing and rendering cost. Benchmarks/run-metrics builds and runs it.
//
// With count-malloc.c preloaded it counts the allocations of a render, too. Rows are measured in turns, and the best of
// many rounds is shown: compare rows of one run with each other.

import Glibc
import Prometheus

/// Seconds on the monotonic clock.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Allocations of the process so far, when the counter is preloaded.
let mallocCount: (@convention(c) () -> Int)? = dlsym(nil, "malloc_count").map {
    unsafeBitCast($0, to: (@convention(c) () -> Int).self)
}

struct Row {
    let name: String
    let target: Double?
    /// Operations of one call.
    let operations: Int
    let body: () -> Void
    var best = Double.infinity

    init(_ name: String, target: Double?, operations: Int, _ body: @escaping () -> Void) {
        self.name = name
        self.target = target
        self.operations = operations
        self.body = body
    }
}

/// Keeps a value that changes from call to call, so that nothing is computed once for all.
struct Numbers {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    /// About as spread as latencies are: 1 µs to 4 s.
    mutating func next() -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(1000 << (state >> 59)) % 4_000_000_000 + Int(state >> 54)
    }
}

let buckets = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
]
func histogram(_ name: String, _ labels: [MetricDescription.Label] = []) -> MetricDescription {
    MetricDescription(
        name: name,
        kind: .histogram,
        unit: "seconds",
        help: "Time.",
        labels: labels,
        buckets: buckets,
        scale: .nanoseconds
    )
}

/// Runs the body on two threads at once.
func onTwoThreads(_ body: @escaping @Sendable () -> Void) {
    final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var threads: [pthread_t] = []
    for _ in 0..<2 {
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            },
            Unmanaged.passRetained(Work(body)).toOpaque()
        )
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

let registry = Registry()
let counter = try registry.counter(MetricDescription(name: "calls_total", kind: .counter, help: "Calls.")).with()
let counters = try registry.counter(
    MetricDescription(name: "kinds_total", kind: .counter, help: "Kinds.", labels: [.init(name: "kind")])
)
let (first, second, third, fourth) = (counters.with("1"), counters.with("2"), counters.with("3"), counters.with("4"))
let gauge = try registry.gauge(MetricDescription(name: "depth", kind: .gauge, help: "Depth.")).with()
let observed = try registry.histogram(histogram("classic_seconds")).with()
let native = try Registry(histograms: .both).histogram(histogram("native_seconds")).with()
let exemplar = Exemplar(traceID: (1, 2), spanID: 3, unixMilliseconds: 1_700_000_000_123)

let values: [Int] = {
    var numbers = Numbers()
    return (0..<4096).map { _ in numbers.next() }
}()
let n = 1_000_000

// The workload of a proxy with 50 tools: 202 histograms and 302 counters.
let operationDuration = histogram("operation_duration_seconds", [.init(name: "method"), .init(name: "tool")])
func makePage(_ mode: HistogramMode) throws -> Registry {
    let page = Registry(histograms: mode)
    let histograms = try page.histogram(operationDuration)
    let counters = try page.counter(
        MetricDescription(name: "events_total", kind: .counter, help: "Events.", labels: [.init(name: "event")])
    )
    for index in 0..<202 {
        let series = histograms.with("tools/call", "tool_number_\(index)")
        for value in values.prefix(100 + index) { series.observe(value) }
    }
    for index in 0..<302 { counters.with("event_number_\(index)").add(index * 7919) }
    return page
}
let page = try makePage(.classic)
let nativePage = try makePage(.native)
let tools = try Registry().histogram(operationDuration)
let lines = page.seriesCount
nonisolated(unsafe) var output: [UInt8] = []
func render(_ page: Registry, _ format: ExpositionFormat) {
    output.removeAll(keepingCapacity: true)
    page.render(into: &output, as: format)
}

var rows = [
    Row("empty loop over the values", target: nil, operations: n) {
        var sum = 0
        for index in 0..<n { sum &+= values[index & 4095] }
        if sum == 42 { print("") }
    },
    Row("Counter.addOwned, one again and again", target: nil, operations: n) { for _ in 0..<n { counter.addOwned() } },
    Row("Counter.addOwned, four in turn", target: 2, operations: n) {
        for _ in 0..<n / 4 {
            first.addOwned()
            second.addOwned()
            third.addOwned()
            fourth.addOwned()
        }
    },
    Row("Counter.add", target: 6, operations: n) { for _ in 0..<n { counter.add() } },
    Row("Gauge.add", target: nil, operations: n) { for _ in 0..<n { gauge.add(1) } },
    Row("Histogram.observeOwned", target: 6, operations: n) {
        for index in 0..<n { observed.observeOwned(values[index & 4095]) }
    },
    Row("Histogram.observeOwned, one value", target: nil, operations: n) {
        for _ in 0..<n { observed.observeOwned(3_000_000) }
    },
    Row("Histogram.observeOwned, exemplar", target: nil, operations: n) {
        for index in 0..<n { observed.observeOwned(values[index & 4095], exemplar: exemplar) }
    },
    Row("Histogram.observeOwned, native too", target: nil, operations: n) {
        for index in 0..<n { native.observeOwned(values[index & 4095]) }
    },
    Row("Histogram.observe", target: 15, operations: n) {
        for index in 0..<n { observed.observe(values[index & 4095]) }
    },
    Row("Histogram.observe, two threads", target: 34, operations: n) {
        onTwoThreads { for index in 0..<n { observed.observe(values[index & 4095]) } }
    },
    Row("Counter.add, two threads", target: nil, operations: n) {
        onTwoThreads { for _ in 0..<n { counter.add() } }
    },
    Row("family.with(two labels)", target: nil, operations: 10_000) {
        for _ in 0..<10_000 { _ = tools.with("tools/call", "tool_number_7") }
    },
    Row("render text, per line", target: 100, operations: lines) { render(page, .text) },
    Row("render OpenMetrics, per line", target: 100, operations: lines) { render(page, .openMetrics) },
    Row("render protobuf, per line", target: nil, operations: lines) { render(page, .protobuf) },
    Row("render native protobuf, per series", target: nil, operations: 504) { render(nativePage, .protobuf) },
]

for _ in 0..<15 {
    for index in rows.indices {
        let start = now()
        rows[index].body()
        rows[index].best = min(rows[index].best, (now() - start) * 1e9 / Double(rows[index].operations))
    }
}

func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return left ? blanks + text : text + blanks
}
func rounded(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

print(padded("", 42) + padded("ns/op", 9, left: true) + padded("target", 9, left: true))
for row in rows {
    print(
        padded(row.name, 42) + padded(rounded(row.best), 9, left: true)
            + padded(row.target.map(rounded) ?? "", 9, left: true)
    )
}
render(page, .text)
let compressed = (0..<15).map { _ in
    let start = now()
    _ = gzip(output)
    return now() - start
}
print("\na page of \(lines) lines, \(output.count) bytes; gzip to \(gzip(output)?.count ?? 0) bytes", terminator: " ")
print("in \(rounded((compressed.min() ?? 0) * 1e6)) µs")
let scrapes: [(name: String, page: Registry, format: ExpositionFormat)] = [
    ("text", page, .text), ("OpenMetrics", page, .openMetrics), ("protobuf", page, .protobuf),
    ("protobuf, native histograms", nativePage, .protobuf),
]
print("allocations of one render of 504 series, in memory of the one before:")
for (name, page, format) in scrapes {
    render(page, format)
    let before = mallocCount?() ?? 0
    render(page, format)
    print("  \(name): " + (mallocCount.map { "\($0() - before)" } ?? "not counted"))
}
