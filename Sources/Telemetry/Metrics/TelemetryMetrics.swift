// SPDX-License-Identifier: Apache-2.0

internal import Journal
package import NIOCore
internal import Prometheus
package import Tracing

/// What names this instance and its build.
package struct InstanceFacts: Sendable {
    package var version: String
    /// `--name`, or what stands in for it.
    package var name: String
    /// The systemd unit it runs in; empty outside one.
    package var unit: String

    package init(version: String, name: String, unit: String) {
        self.version = version
        self.name = name
        self.unit = unit
    }
}

/// The metrics of the telemetry itself, of the configuration and of the build.
///
/// Every series is atomic and has one writer, named at the method that writes it.
package final class TelemetryMetrics: Sendable {
    private let events: PerCase<EventKind, Counter>
    private let journalEvents: [Severity: Counter]
    private let journalSuppressed: PerCase<EventKind, Counter>
    private let journalDropped: CounterFamily
    private let journalUp: Gauge
    private let journalQueue: Gauge
    private let journalSendDuration: Histogram
    private let logLinesDropped: Counter
    private let spansExported: Counter
    private let spansDropped: CounterFamily
    private let spanQueue: Gauge
    private let exportFailures: CounterFamily
    private let series: Gauge
    private let scrapes: Counter
    private let scrapeDuration: Histogram
    private let scrapeSize: Gauge
    private let eventLoopTick: Histogram
    private let reloadSuccessful: Gauge
    private let reloadTimestamp: Gauge
    private let registry: Registry

    init(_ registry: Registry, _ instance: InstanceFacts) throws(RegistrationError) {
        self.registry = registry
        let events = try registry.counter(.events)
        self.events = PerCase { events.with($0.rawValue) }
        let journalEvents = try registry.counter(.journalEvents)
        self.journalEvents = Dictionary(
            uniqueKeysWithValues: Severity.allCases.map { ($0, journalEvents.with(String($0.rawValue))) }
        )
        let journalSuppressed = try registry.counter(.journalSuppressed)
        self.journalSuppressed = PerCase { journalSuppressed.with($0.rawValue) }
        journalDropped = try registry.counter(.journalDropped)
        journalUp = try registry.gauge(.journalUp).with()
        journalUp.clear()
        journalQueue = try registry.gauge(.journalQueue).with()
        journalSendDuration = try registry.histogram(.journalSendDuration).with()
        logLinesDropped = try registry.counter(.logLinesDropped).with()
        spansExported = try registry.counter(.spansExported).with()
        spansDropped = try registry.counter(.spansDropped)
        spanQueue = try registry.gauge(.spanQueue).with()
        exportFailures = try registry.counter(.exportFailures)
        series = try registry.gauge(.metricSeries).with()
        scrapes = try registry.counter(.scrapes).with()
        scrapeDuration = try registry.histogram(.scrapeDuration).with()
        scrapeSize = try registry.gauge(.scrapeSize).with()
        eventLoopTick = try registry.histogram(.eventLoopTick).with()
        reloadSuccessful = try registry.gauge(.reloadSuccessful).with()
        reloadTimestamp = try registry.gauge(.reloadTimestamp).with()
        try registry.info(.buildInfo).set([instance.version, Build.compiler, "linux", Build.architecture])
        try registry.info(.instanceInfo).set([instance.name, instance.unit])
        reloaded(successfully: true)
    }

    // MARK: On the event loop

    func happened(_ kind: EventKind) { events[kind].addOwned() }

    func reloaded(successfully isSuccessful: Bool) {
        reloadSuccessful.set(isSuccessful ? 1 : 0)
        if isSuccessful { reloadTimestamp.set(WallTime.now().unixSeconds) }
    }

    func journaled(_ severity: Severity) { journalEvents[severity]?.addOwned() }

    func suppressed(_ kind: EventKind) { journalSuppressed[kind].addOwned() }

    /// How the journal's writer is doing.
    func refresh(_ journal: JournalWriter.Statistics) {
        journalUp.set(journal.isUp ? 1 : 0)
        journalQueue.set(journal.queuedBytes)
        for (reason, count) in journal.dropped { journalDropped.with(reason.rawValue).raise(to: count) }
    }

    /// Log lines on stderr lost so far.
    package func refresh(logLinesDropped count: Int) { logLinesDropped.raise(to: count) }

    /// How the export of spans is doing.
    package func refresh(_ spans: ExportTally) {
        spansExported.raise(to: spans.exported)
        spanQueue.set(spans.waiting)
        for (reason, count) in spans.dropped { spansDropped.with(reason.rawValue).raise(to: count) }
        for (reason, count) in spans.failures { exportFailures.with(reason.rawValue).raise(to: count) }
    }

    func refresh() { series.set(registry.seriesCount) }

    /// A page was handed out.
    package func scraped(bytes: Int, in duration: TimeAmount) {
        scrapes.addOwned()
        scrapeSize.set(bytes)
        scrapeDuration.observeOwned(duration.raw)
    }

    /// The loop was busy for so long, without a pause.
    package func ticked(nanoseconds: Int) { eventLoopTick.observeOwned(nanoseconds) }

    // MARK: On the journal's thread

    /// One entry took so long to send.
    func sentToJournal(nanoseconds: Int) { journalSendDuration.observe(nanoseconds) }
}

extension Counter {
    /// Brings a counter up to what somebody else has counted.
    fileprivate func raise(to count: Int) { if count > value { addOwned(count - value) } }
}

/// What the compiler knew.
private enum Build {
    #if compiler(>=6.4)
        static let compiler = "6.4 or newer"
    #elseif compiler(>=6.3)
        static let compiler = "6.3"
    #else
        static let compiler = "6.2"
    #endif

    #if arch(x86_64)
        static let architecture = "x86_64"
    #elseif arch(arm64)
        static let architecture = "arm64"
    #else
        static let architecture = "other"
    #endif
}
