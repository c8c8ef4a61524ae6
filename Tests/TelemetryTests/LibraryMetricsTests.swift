// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Prometheus
import Testing

@testable import Telemetry

@Suite struct LibraryMetricsTests {
    private let registry = Registry()

    private func text() -> String {
        var bytes: [UInt8] = []
        registry.render(into: &bytes, as: .text)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func showsEveryKindOfMetric() {
        let factory = LibraryMetrics(registry)
        Counter(label: "lib.requests", dimensions: [("kind", "a")], factory: factory).increment(by: 3)
        Meter(label: "lib.level", factory: factory).set(2.5)
        Recorder(label: "lib.size", factory: factory).record(100)
        Gauge(label: "lib.gauge", factory: factory).record(7)
        Timer(label: "lib.time", factory: factory).recordNanoseconds(1_500_000)
        let page = text()
        #expect(page.contains("lib_requests_total{kind=\"a\"} 3\n"))
        #expect(page.contains("\nlib_level 2.5\n"))
        #expect(page.contains("\nlib_size_sum 100\n"))
        #expect(page.contains("\nlib_gauge 7\n") || page.contains("\nlib_gauge 7.0\n"))
        #expect(page.contains("\nlib_time_seconds_sum 0.0015\n"))
    }

    @Test func theSameLabelIsTheSameSeries() {
        let factory = LibraryMetrics(registry)
        for _ in 0..<2 { Counter(label: "n", dimensions: [("a", "1"), ("b", "2")], factory: factory).increment() }
        Counter(label: "n", dimensions: [("b", "2"), ("a", "1")], factory: factory).increment()
        #expect(text().contains("n_total{a=\"1\",b=\"2\"} 3\n"))
    }

    @Test func whatCannotBeShownHarmsNobody() {
        let factory = LibraryMetrics(registry)
        Counter(label: "_hidden", factory: factory).increment()
        Counter(label: "n", dimensions: [("a", "1")], factory: factory).increment()
        Counter(label: "n", dimensions: [("z", "1")], factory: factory).increment()
        Meter(label: "n.total", factory: factory).set(1)
        #expect(text().contains("n_total{a=\"1\"} 1\n"))
        #expect(!text().contains("hidden") && !text().contains("z="))
    }
}
