// SPDX-License-Identifier: Apache-2.0

import Prometheus
import Testing

@Suite struct RegistrationTests {
    private func register(_ description: MetricDescription, in registry: Registry = Registry()) throws {
        switch description.kind {
        case .counter: _ = try registry.counter(description)
        case .gauge: _ = try registry.gauge(description)
        case .histogram: _ = try registry.histogram(description)
        case .info: _ = try registry.info(description)
        case .stateSet: _ = try registry.stateSet(description)
        }
    }

    private func problem(_ description: MetricDescription, in registry: Registry = Registry()) -> String? {
        do {
            try register(description, in: registry)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: ["", "1_total", "_total", "a b_total", "a-b_total", "a:b_total", "é_total", "x\n_total", "total"])
    func namesThatCannotBe(_ name: String) {
        let problem = problem(MetricDescription(name: name, kind: .counter, help: "H."))
        #expect(problem?.contains("\"\(name)\"") == true)
    }

    @Test(arguments: [
        ("x", MetricDescription.Kind.counter), ("x", .info), ("x_total", .gauge), ("x_info", .gauge),
        ("x_total_info", .info), ("x_count", .gauge), ("x_sum", .stateSet), ("x_bucket", .histogram),
        ("x_created_total", .counter),
    ])
    func suffixesOfOtherKinds(_ name: String, _ kind: MetricDescription.Kind) {
        let problem = problem(
            MetricDescription(name: name, kind: kind, help: "H.", buckets: kind == .histogram ? [1] : [])
        )
        #expect(problem?.contains("suffix") == true || problem?.contains("must end in") == true)
    }

    @Test(arguments: [
        ("x_seconds", MetricDescription.Kind.gauge, "bytes"), ("xseconds", .gauge, "seconds"),
        ("seconds", .gauge, "seconds"), ("x_total", .counter, "total"), ("x_seconds_info", .info, "seconds"),
    ])
    func units(_ name: String, _ kind: MetricDescription.Kind, _ unit: String) {
        #expect(problem(MetricDescription(name: name, kind: kind, unit: unit, help: "H."))?.contains("unit") == true)
    }

    @Test(arguments: ["", "a-b", "__name__", "_x", "1", "le"])
    func labelsThatCannotBe(_ name: String) {
        let description = MetricDescription(
            name: "x",
            kind: .histogram,
            help: "H.",
            labels: [.init(name: name)],
            buckets: [1]
        )
        #expect(problem(description)?.contains("label \"\(name)\"") == true)
    }

    @Test func labelsThatClash() {
        func problem(_ labels: [MetricDescription.Label]) -> String? {
            self.problem(MetricDescription(name: "x", kind: .gauge, help: "H.", labels: labels))
        }
        #expect(problem([.init(name: "a"), .init(name: "a")])?.contains("two labels \"a\"") == true)
        #expect(problem([.init(name: "a", values: [])])?.contains("values of the label \"a\"") == true)
        #expect(problem([.init(name: "a", values: ["x", "x"])])?.contains("values of the label \"a\"") == true)
        #expect(problem([.init(name: "le")]) == nil, "only a histogram has it already")
    }

    @Test(arguments: [[], [1, 1], [2, 1], [.infinity], [.nan], [-1], [1e300], [1e-10, 2e-10]] as [[Double]])
    func bucketsThatCannotBe(_ buckets: [Double]) {
        let description = MetricDescription(
            name: "x",
            kind: .histogram,
            help: "H.",
            buckets: buckets,
            scale: .nanoseconds
        )
        #expect(problem(description)?.contains("bucket") == true)
    }

    @Test func otherMistakes() throws {
        #expect(problem(MetricDescription(name: "x", kind: .gauge, help: ""))?.contains("help") == true)
        #expect(
            problem(MetricDescription(name: "x", kind: .gauge, help: "H.", buckets: [1]))?.contains("buckets") == true
        )
        for labels: [MetricDescription.Label] in [[], [.init(name: "x")], [.init(name: "y", values: ["a"])]] {
            let description = MetricDescription(name: "x", kind: .stateSet, help: "H.", labels: labels)
            #expect(problem(description)?.contains("state set") == true)
        }
        #expect(throws: RegistrationError.self) {
            try Registry().gauge(MetricDescription(name: "x_total", kind: .counter, help: "H."))
        }
    }

    /// Names whose samples, in one of the formats, would run into each other.
    @Test(arguments: [
        ("x", MetricDescription.Kind.gauge, "x", MetricDescription.Kind.gauge), ("x_total", .counter, "x", .gauge),
        ("x", .gauge, "x_total", .counter), ("x", .gauge, "x_info", .info), ("x_total", .counter, "x", .histogram),
    ])
    func familiesThatClash(
        _ first: String,
        _ kind: MetricDescription.Kind,
        _ second: String,
        _ other: MetricDescription.Kind
    ) throws {
        let registry = Registry()
        try register(MetricDescription(name: first, kind: kind, help: "H."), in: registry)
        let buckets: [Double] = other == .histogram ? [1] : []
        let problem = problem(MetricDescription(name: second, kind: other, help: "H.", buckets: buckets), in: registry)
        #expect(problem?.contains("belongs to \"\(first)\" already") == true)
    }
}
