// SPDX-License-Identifier: Apache-2.0

import Prometheus
import Testing

@Suite struct LabelTests {
    private func description(_ labels: [MetricDescription.Label], _ name: String = "x_total") -> MetricDescription {
        MetricDescription(name: name, kind: .counter, help: "Help.", labels: labels)
    }

    private let overflow = MetricDescription(
        name: "overflow_total",
        kind: .counter,
        help: "Folded.",
        labels: [.init(name: "metric")]
    )

    @Test(arguments: [
        ("plain", "plain"), ("a\"} 1\nfake{x=\"1", #"a\"} 1\nfake{x=\"1"#), (#"\"#, #"\\"#),
        (#"\n"#, #"\\n"#),
        ("\\\n\"", #"\\\n\""#), ("\r\n", "\r\\n"), ("\u{0}\u{1}\u{7F}\u{85}", "\u{0}\u{1}\u{7F}\u{85}"),
        ("\u{202E}\u{2028}é😀", "\u{202E}\u{2028}é😀"), ("{}=,# ", "{}=,# "),
    ])
    func escapes(_ value: String, _ expected: String) throws {
        let registry = Registry()
        let family = try registry.counter(description([.init(name: "v")]))
        family.with(value).add(2)
        for format in [ExpositionFormat.text, .openMetrics] {
            let bytes = registry.bytes(format)
            #expect(String(decoding: bytes, as: UTF8.self).contains("x_total{v=\"\(expected)\"} 2\n"))
            let families = try ExpositionReader.read(bytes, openMetrics: format == .openMetrics)
            #expect(families.map { $0.samples.map { Array($0.labels[0][1].utf8) } } == [[Array(value.utf8)]])
        }
        #expect(try ProtobufReader.text(registry.bytes(.protobuf)).contains("value: \(value)\n"))
    }

    @Test func anEmptyLabelIsLeftOut() throws {
        let registry = Registry()
        let family = try registry.counter(description([.init(name: "a"), .init(name: "b"), .init(name: "c")]))
        family.with("", "1", "").add()
        family.with("", "", "").add(2)
        #expect(family.with("1", "", "") !== family.with("", "1", ""))
        for format in [ExpositionFormat.text, .openMetrics] {
            let text = String(decoding: registry.bytes(format), as: UTF8.self)
            #expect(text.contains("x_total{b=\"1\"} 1\n") && text.contains("x_total 2\n"))
        }
        #expect(!(try ProtobufReader.text(registry.bytes(.protobuf)).contains("name: c\n")))
    }

    @Test func sameValuesAreTheSameSeries() throws {
        let family = try Registry().counter(description([.init(name: "a"), .init(name: "b")]))
        #expect(family.with("1", "2") === family.with(["1", "2"]))
        #expect(family.with("1", "2") !== family.with("2", "1"))
        #expect(family.with("é", "") !== family.with("e\u{301}", ""), "they look alike, but are other bytes")
        #expect(family.with("a\u{0}", "b") !== family.with("a", "\u{0}b"))
    }

    @Test func closedSeriesStartAtZero() throws {
        let registry = Registry()
        let values = (0..<9).map { "\($0)" }
        let closed: [MetricDescription.Label] = [.init(name: "a", values: values), .init(name: "b", values: values)]
        _ = try registry.counter(description(closed))
        #expect(registry.seriesCount == 81)
        _ = try registry.counter(description(closed + [.init(name: "c")], "open_total"))
        #expect(registry.seriesCount == 81)
        _ = try registry.gauge(MetricDescription(name: "over", kind: .gauge, help: "H.", labels: closed))
        #expect(registry.seriesCount == 81)
        let few: [MetricDescription.Label] = [
            .init(name: "a", values: Array(values.prefix(8))), .init(name: "b", values: Array(values.prefix(8))),
        ]
        _ = try registry.gauge(MetricDescription(name: "few", kind: .gauge, help: "H.", labels: few))
        #expect(registry.seriesCount == 81 + 64)
        _ = try registry.gauge(MetricDescription(name: "none", kind: .gauge, help: "H.", startsEmpty: true))
        #expect(registry.seriesCount == 81 + 64)
        #expect(!registry.text().contains("none"), "a family without samples isn't shown")
        _ = try registry.histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", labels: few, buckets: [1, 2])
        )
        #expect(registry.seriesCount == 81 + 64 + 64 * 5)
    }

    @Test func valuesOutsideAClosedSetBecomeOther() throws {
        let registry = Registry()
        let family = try registry.counter(
            description([.init(name: "a", values: ["x", "_OTHER"]), .init(name: "b", values: ["y", "_OTHER"])])
        )
        #expect(family.with("z", "y") === family.with("_OTHER", "y"))
        #expect(family.with("x") === family.with("_OTHER", "_OTHER"), "a wrong number of values")
        #expect(registry.seriesCount == 4)
    }

    @Test func labelSetsOverTheLimitBecomeOther() throws {
        let registry = Registry(seriesLimit: 2, overflow: overflow)
        let family = try registry.counter(description([.init(name: "a", values: ["x", "y"]), .init(name: "b")]))
        #expect(registry.text().contains("overflow_total{metric=\"x_total\"} 0\n"), "counted from 0")
        family.with("x", "1").add(1)
        family.with("x", "2").add(2)
        family.with("x", "3").add(4)
        family.with("x", "4").add(8)
        family.with("y", "1").add(16)
        family.with("x", "1").add(32)
        family.with("x", "_OTHER").add(64)
        #expect(
            registry.text(only: ["x"]).split(separator: "\n").dropFirst(2) == [
                #"x_total{a="x",b="1"} 33"#, #"x_total{a="x",b="2"} 2"#, #"x_total{a="x",b="_OTHER"} 76"#,
                #"x_total{a="y",b="_OTHER"} 16"#,
            ]
        )
        #expect(registry.text().contains("overflow_total{metric=\"x_total\"} 3\n"))
    }

    @Test func tenThousandNamesStayBounded() throws {
        let registry = Registry(seriesLimit: 100, overflow: overflow)
        let family = try registry.histogram(
            MetricDescription(name: "h", kind: .histogram, help: "H.", labels: [.init(name: "n")], buckets: [1])
        )
        for name in 0..<10_000 { family.with("\(name)").observe(1) }
        #expect(registry.seriesCount == 101 * 4 + 1)
        #expect(registry.text().contains("h_count{n=\"_OTHER\"} 9900\n"))
        #expect(registry.text().contains("overflow_total{metric=\"h\"} 9900\n"))
    }

    @Test func infoIsReplacedAsAWhole() throws {
        let registry = Registry()
        let info = try registry.info(
            MetricDescription(name: "x_info", kind: .info, help: "H.", labels: [.init(name: "v")])
        )
        #expect(registry.seriesCount == 0)
        #expect(registry.text() == "")
        info.set(["1"])
        info.set(["2"])
        #expect(registry.text() == "# HELP x_info H.\n# TYPE x_info gauge\nx_info{v=\"2\"} 1\n")
    }

    @Test func oneStateAtATime() throws {
        let registry = Registry()
        let set = try registry.stateSet(
            MetricDescription(name: "s", kind: .stateSet, help: "H.", labels: [.init(name: "s", values: ["b", "a"])])
        )
        #expect(registry.text().hasSuffix("s{s=\"a\"} 0\ns{s=\"b\"} 0\n"))
        set.set("b")
        #expect(registry.text().hasSuffix("s{s=\"a\"} 0\ns{s=\"b\"} 1\n"))
        set.set("a")
        #expect(registry.text().hasSuffix("s{s=\"a\"} 1\ns{s=\"b\"} 0\n"))
    }

    #if DEBUG
        @Test func misuseStopsDebugBuilds() async {
            await #expect(processExitsWith: .failure) {
                let registry = Registry()
                let labels = [MetricDescription.Label(name: "a", values: ["x"])]
                let family = try registry.counter(
                    MetricDescription(name: "x_total", kind: .counter, help: "H.", labels: labels)
                )
                _ = family.with("z")
            }
            await #expect(processExitsWith: .failure) {
                let family = try Registry().counter(MetricDescription(name: "x_total", kind: .counter, help: "H."))
                _ = family.with("one too many")
            }
        }
    #else
        @Test func misuseIsNotShownByReleaseBuilds() throws {
            let registry = Registry()
            let family = try registry.counter(description([.init(name: "a", values: ["x"])]))
            family.with("z").add()
            family.with("x", "y").add()
            #expect(registry.text().hasSuffix("x_total{a=\"x\"} 0\n"))
            #expect(registry.seriesCount == 1)
        }
    #endif
}
