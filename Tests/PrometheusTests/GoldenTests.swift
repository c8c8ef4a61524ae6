// SPDX-License-Identifier: Apache-2.0

import Prometheus
import Testing

/// One family of each type in each format, byte for byte.
@Suite struct GoldenTests {
    private func registry(_ mode: HistogramMode = .classic) throws -> Registry {
        let registry = Registry(histograms: mode)
        let time = try registry.histogram(
            MetricDescription(
                name: "time_seconds",
                kind: .histogram,
                unit: "seconds",
                help: "Time.",
                labels: [.init(name: "method")],
                buckets: [0.001, 0.5, 1, 2_000_000],
                scale: .nanoseconds
            )
        ).with("tools/call")
        time.observe(1_000_000)
        time.observe(1_000_001)
        time.observe(600_000_000)
        let calls = try registry.counter(
            MetricDescription(
                name: "calls_total",
                kind: .counter,
                help: "Calls, \"all\"\nof \\them.",
                labels: [.init(name: "outcome", values: ["ok", "error"]), .init(name: "era", values: ["new"])]
            )
        )
        calls.with("ok", "new").add(3)
        try registry.gauge(MetricDescription(name: "depth_bytes", kind: .gauge, unit: "bytes", help: "Depth.")).with()
            .set(-1.25)
        try registry.counter(
            MetricDescription(
                name: "busy_seconds_total",
                kind: .counter,
                unit: "seconds",
                help: "Busy.",
                scale: .nanoseconds
            )
        ).with().add(1_500_000_001)
        try registry.info(
            MetricDescription(name: "build_info", kind: .info, help: "Build.", labels: [.init(name: "version")])
        ).set(["1.0"])
        try registry.stateSet(
            MetricDescription(
                name: "state",
                kind: .stateSet,
                help: "State.",
                labels: [.init(name: "state", values: ["up", "down"])]
            )
        ).set("up")
        return registry
    }

    private static let lines = [
        "build": "build_info{version=\"1.0\"} 1\n",
        "busy": "busy_seconds_total 1.500000001\n",
        "calls": "calls_total{outcome=\"error\",era=\"new\"} 0\ncalls_total{outcome=\"ok\",era=\"new\"} 3\n",
        "depth": "depth_bytes -1.25\n",
        "state": "state{state=\"down\"} 0\nstate{state=\"up\"} 1\n",
        "time": """
        time_seconds_bucket{method="tools/call",le="0.001"} 1
        time_seconds_bucket{method="tools/call",le="0.5"} 2
        time_seconds_bucket{method="tools/call",le="1.0"} 3
        time_seconds_bucket{method="tools/call",le="2e+06"} 3
        time_seconds_bucket{method="tools/call",le="+Inf"} 3
        time_seconds_sum{method="tools/call"} 0.602000001
        time_seconds_count{method="tools/call"} 3

        """,
    ]

    private func page(_ parts: [(head: String, lines: String)]) -> String {
        parts.map { $0.head + (Self.lines[$0.lines] ?? "") }.joined()
    }

    @Test func text() throws {
        let expected = page([
            ("# HELP build_info Build.\n# TYPE build_info gauge\n", "build"),
            ("# HELP busy_seconds_total Busy.\n# TYPE busy_seconds_total counter\n", "busy"),
            ("# HELP calls_total Calls, \"all\"\\nof \\\\them.\n# TYPE calls_total counter\n", "calls"),
            ("# HELP depth_bytes Depth.\n# TYPE depth_bytes gauge\n", "depth"),
            ("# HELP state State.\n# TYPE state gauge\n", "state"),
            ("# HELP time_seconds Time.\n# TYPE time_seconds histogram\n", "time"),
        ])
        #expect(try registry().text(.text) == expected)
    }

    @Test(arguments: HistogramMode.allCases) func openMetrics(_ mode: HistogramMode) throws {
        let expected = page([
            ("# TYPE build info\n# HELP build Build.\n", "build"),
            ("# TYPE busy_seconds counter\n# UNIT busy_seconds seconds\n# HELP busy_seconds Busy.\n", "busy"),
            ("# TYPE calls counter\n# HELP calls Calls, \\\"all\\\"\\nof \\\\them.\n", "calls"),
            ("# TYPE depth_bytes gauge\n# UNIT depth_bytes bytes\n# HELP depth_bytes Depth.\n", "depth"),
            ("# TYPE state stateset\n# HELP state State.\n", "state"),
            ("# TYPE time_seconds histogram\n# UNIT time_seconds seconds\n# HELP time_seconds Time.\n", "time"),
        ])
        #expect(try registry(mode).text(.openMetrics) == expected + "# EOF\n")
    }

    @Test func protobufOfOneSample() throws {
        let registry = try registry()
        #expect(
            try ProtobufReader.text(registry.bytes(.protobuf, only: ["build", "busy_seconds", "depth_bytes"])) == """
                name: build_info
                help: Build.
                type: 1
                metric
                  label
                    name: version
                    value: 1.0
                  gauge
                    value: 1.0
                name: busy_seconds_total
                help: Busy.
                type: 0
                metric
                  counter
                    value: 1.500000001
                unit: seconds
                name: depth_bytes
                help: Depth.
                type: 1
                metric
                  gauge
                    value: -1.25
                unit: bytes

                """
        )
    }

    @Test func protobufOfSeveralSamples() throws {
        let registry = try registry()
        #expect(
            try ProtobufReader.text(registry.bytes(.protobuf, only: ["calls_total", "state"])) == """
                name: calls_total
                help: Calls, "all"
                of \\them.
                type: 0
                metric
                  label
                    name: outcome
                    value: error
                  label
                    name: era
                    value: new
                  counter
                    value: 0.0
                metric
                  label
                    name: outcome
                    value: ok
                  label
                    name: era
                    value: new
                  counter
                    value: 3.0
                name: state
                help: State.
                type: 1
                metric
                  label
                    name: state
                    value: down
                  gauge
                    value: 0.0
                metric
                  label
                    name: state
                    value: up
                  gauge
                    value: 1.0

                """
        )
    }

    private static let histogramHead = """
        name: time_seconds
        help: Time.
        type: 4
        metric
          label
            name: method
            value: tools/call
          histogram
            sample_count: 3
            sample_sum: 0.602000001

        """
    private static let classicBuckets = [("1", "0.001"), ("2", "0.5"), ("3", "1.0"), ("3", "2000000.0"), ("3", "inf")]
        .map { "    bucket\n      cumulative_count: \($0.0)\n      upper_bound: \($0.1)\n" }.joined()
    /// 0.001 and what is just above lie below 2^(-79/8), 0.6 below 2^(-5/8).
    private static let nativeBuckets = """
            schema: 3
            zero_threshold: 2.938735877055719e-39
            zero_count: 0
            positive_span
              offset: -79
              length: 1
            positive_span
              offset: 73
              length: 1
            positive_delta: [2, -1]

        """

    @Test(arguments: [
        (HistogramMode.classic, classicBuckets), (.native, nativeBuckets), (.both, classicBuckets + nativeBuckets),
    ])
    func protobufOfAHistogram(_ mode: HistogramMode, _ buckets: String) throws {
        let bytes = try registry(mode).bytes(.protobuf, only: ["time_seconds_count"])
        #expect(try ProtobufReader.text(bytes) == Self.histogramHead + buckets + "unit: seconds\n")
    }

    @Test func rendersTheSameTwiceAndInAnyOrderOfMaking() throws {
        func page(_ names: [String], _ values: [String]) throws -> String {
            let registry = Registry()
            for name in names {
                let family = try registry.counter(
                    MetricDescription(
                        name: name,
                        kind: .counter,
                        help: "Help.",
                        labels: [.init(name: "a"), .init(name: "b")]
                    )
                )
                for first in values { for second in values { family.with(first, second).add() } }
            }
            #expect(registry.text() == registry.text())
            return registry.text()
        }
        let values = ["0", "a", "a b", "a\"", "b", "é", "e\u{301}", "\u{0}"]
        let names = ["b_total", "a_total", "ab_total"]
        #expect(try page(names, values) == page(names.reversed(), values.reversed()))
        let families = try ExpositionReader.read(Array(page(names, values).utf8), openMetrics: false)
        #expect(families.map(\.name) == ["a_total", "ab_total", "b_total"])
        #expect(
            families[0].samples.prefix(8).map { $0.labels[1][1] }.map { Array($0.utf8) }
                == ["\u{0}", "0", "a", "a b", "a\"", "b", "e\u{301}", "é"].map { Array($0.utf8) }
        )
    }

    @Test func targetInfoComesFirst() throws {
        let registry = Registry()
        _ = try registry.gauge(MetricDescription(name: "a", kind: .gauge, help: "A."))
        try registry.info(
            MetricDescription(name: "target_info", kind: .info, help: "T.", labels: [.init(name: "x")])
        ).set(["y"])
        #expect(registry.text(.openMetrics).hasPrefix("# TYPE target info\n"))
        #expect(registry.text(.text).hasPrefix("# HELP target_info "))
    }

    @Test func showsOnlyWhatIsAskedFor() throws {
        let registry = try registry()
        for name in ["calls", "calls_total"] {
            #expect(registry.text(only: [name]).split(separator: "\n").count == 4)
        }
        for name in ["time_seconds", "time_seconds_bucket", "time_seconds_sum", "time_seconds_count"] {
            #expect(registry.text(only: [name]).split(separator: "\n").count == 9)
        }
        #expect(registry.text(only: ["build", "state", "nothing"]).split(separator: "\n").count == 7)
        #expect(registry.text(only: []) == "")
        #expect(registry.text(.openMetrics, only: ["nothing"]) == "# EOF\n")
        #expect(registry.bytes(.protobuf, only: ["nothing"]) == [])
    }

    @Test func appendsToWhatIsThere() throws {
        let registry = try registry()
        for format in [ExpositionFormat.text, .openMetrics, .protobuf] {
            var output: [UInt8] = [1, 2, 3]
            registry.render(into: &output, as: format)
            #expect(output == [1, 2, 3] + registry.bytes(format))
        }
    }

    @Test func countsLines() throws {
        let registry = try registry()
        #expect(registry.seriesCount == registry.text().split(separator: "\n").count { !$0.hasPrefix("#") })
        #expect(registry.seriesCount == 14)
    }
}
