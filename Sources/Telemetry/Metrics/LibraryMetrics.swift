// SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
package import Prometheus
internal import Synchronization

/// Shows what libraries report through swift-metrics on the proxy's own page.
///
/// A label becomes a name: `http.client.requests` is `http_client_requests_total`. The first use of a label decides on
/// the names of its dimensions; whoever comes with others is not shown, since a family has one set of labels.
package final class LibraryMetrics: MetricsFactory {
    fileprivate enum Family: Sendable {
        case counter(CounterFamily)
        case gauge(GaugeFamily)
        case histogram(HistogramFamily)
        /// The name or a dimension can't be shown.
        case none
    }

    fileprivate struct Entry: Sendable {
        var family: Family
        var dimensions: [String]
    }

    private let registry: Registry
    private let entries = Mutex<[String: Entry]>([:])

    package init(_ registry: Registry) { self.registry = registry }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let entry = entry(name(label, "_total"), dimensions) { registry, description throws(RegistrationError) in
            .counter(try registry.counter(description(.counter, nil)))
        }
        guard case .counter(let family) = entry.family, let values = entry.values(dimensions) else {
            return NOOPMetricsHandler.instance
        }
        return CountHandler(family.with(values))
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions).map(LevelHandler.init) ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return gauge(label, dimensions).map(LevelHandler.init) ?? NOOPMetricsHandler.instance }
        return histogram(name(label, ""), dimensions, .one).map(SizeHandler.init) ?? NOOPMetricsHandler.instance
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(name(label, "_seconds"), dimensions, .nanoseconds).map(DurationHandler.init)
            ?? NOOPMetricsHandler.instance
    }

    // A series stays: one that vanished and came back would look like a reset.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    // MARK: Families

    private typealias Make = (Registry, (MetricDescription.Kind, String?) -> MetricDescription)
        throws(RegistrationError) -> Family

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> Prometheus.Gauge? {
        let entry = entry(name(label, ""), dimensions) { registry, description throws(RegistrationError) in
            .gauge(try registry.gauge(description(.gauge, nil)))
        }
        guard case .gauge(let family) = entry.family, let values = entry.values(dimensions) else { return nil }
        return family.with(values)
    }

    private func histogram(
        _ name: String,
        _ dimensions: [(String, String)],
        _ scale: MetricDescription.Scale
    ) -> Histogram? {
        let entry = entry(name, dimensions) { registry, description throws(RegistrationError) in
            var row = description(.histogram, scale == .nanoseconds ? "seconds" : nil)
            let rows = scale == .nanoseconds ? MetricDescription.serverOperationDuration : .messageSize
            row.buckets = rows.buckets
            row.scale = scale
            return .histogram(try registry.histogram(row))
        }
        guard case .histogram(let family) = entry.family, let values = entry.values(dimensions) else { return nil }
        return family.with(values)
    }

    private func entry(_ name: String, _ dimensions: [(String, String)], _ make: Make) -> Entry {
        entries.withLock { entries in
            if let known = entries[name] { return known }
            let labels = dimensions.map(\.0)
            func description(_ kind: MetricDescription.Kind, _ unit: String?) -> MetricDescription {
                MetricDescription(
                    name: name,
                    kind: kind,
                    unit: unit,
                    help: "Reported by a library.",
                    labels: labels.map { .init(name: plain($0)) },
                    startsEmpty: true
                )
            }
            let family = (try? make(registry, description)) ?? .none
            let entry = Entry(family: family, dimensions: labels)
            entries[name] = entry
            return entry
        }
    }

    private func name(_ label: String, _ suffix: String) -> String {
        let name = plain(label)
        return name.hasSuffix(suffix) ? name : name + suffix
    }
}

extension LibraryMetrics.Entry {
    /// The values in the order of the family's labels; nil for other labels than it has.
    fileprivate func values(_ given: [(String, String)]) -> [String]? {
        guard given.count == dimensions.count else { return nil }
        var values: [String] = []
        for name in dimensions {
            guard let value = given.first(where: { $0.0 == name })?.1 else { return nil }
            values.append(value)
        }
        return values
    }
}

/// A name without dots, dashes and the like.
private func plain(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
}

private final class CountHandler: CounterHandler {
    private let counter: Prometheus.Counter
    init(_ counter: Prometheus.Counter) { self.counter = counter }
    func increment(by amount: Int64) { if amount > 0 { counter.add(Int(amount)) } }
    func reset() { counter.set(0) }
}

private final class LevelHandler: MeterHandler, RecorderHandler {
    private let gauge: Prometheus.Gauge
    init(_ gauge: Prometheus.Gauge) { self.gauge = gauge }
    func set(_ value: Int64) { gauge.set(Double(value)) }
    func set(_ value: Double) { gauge.set(value) }
    func increment(by amount: Double) { gauge.add(amount) }
    func decrement(by amount: Double) { gauge.add(-amount) }
    func record(_ value: Int64) { gauge.set(Double(value)) }
    func record(_ value: Double) { gauge.set(value) }
}

private final class SizeHandler: RecorderHandler {
    private let histogram: Histogram
    init(_ histogram: Histogram) { self.histogram = histogram }
    func record(_ value: Int64) { histogram.observe(Int(value)) }
    func record(_ value: Double) { if let whole = Int(exactly: value.rounded()) { histogram.observe(whole) } }
}

private final class DurationHandler: TimerHandler {
    private let histogram: Histogram
    init(_ histogram: Histogram) { self.histogram = histogram }
    func recordNanoseconds(_ duration: Int64) { histogram.observe(Int(duration)) }
}
