// SPDX-License-Identifier: Apache-2.0

import Events
import Glibc
import Journal
import NIOCore
import NIOPosix
import Telemetry
import Tracing

/// Everything that observes the proxy: made before it, ended after it.
struct Instruments: Sendable {
    let metrics: MetricsSink
    let log: Log
    /// Nil when systemd does not listen.
    let serviceManager: ServiceManagerSink?
    /// Nil when nothing is traced.
    let tracing: RequestTracing?
    /// One thread for slow work: compression, encoding, files.
    let slowWork: NIOThreadPool
    private let hasTelemetry: Bool

    /// - Throws: `ConfigurationError` for an environment that asks for what can't be had.
    init(
        _ configuration: Configuration,
        _ surroundings: Surroundings,
        metrics: MetricsSink,
        eventLoop: any EventLoop,
        slowWork: NIOThreadPool
    ) throws {
        let environment = surroundings.environment
        self.metrics = metrics
        self.slowWork = slowWork
        hasTelemetry = configuration.hasTelemetry
        metrics.configure(configuration.limits)
        tracing = try RequestTracing(configuration, surroundings, eventLoop: eventLoop, slowWork: slowWork)
        serviceManager = ServiceManager(environment: environment["NOTIFY_SOCKET"]).map {
            ServiceManagerSink($0, eventLoop: eventLoop, stopTimeout: configuration.gracefulShutdownTimeout)
        }
        log = try Log.open(configuration, surroundings, eventLoop: eventLoop, metrics: metrics)
    }

    /// Where the log goes.
    enum Log: Sendable {
        /// - Parameter isFallback: Whether nobody chose it, and there is no journald.
        case stderr(StderrSink, isFallback: Bool)
        case journal(JournalSink)

        /// In words.
        var name: String {
            switch self {
            case .stderr(_, isFallback: false): "stderr"
            case .stderr(_, isFallback: true): "stderr, not under journald"
            case .journal: "journal"
            }
        }
    }

    /// What the rooms emit to.
    var sink: EventFanOut {
        guard hasTelemetry else { return EventFanOut() }
        switch log {
        case .stderr(let sink, _):
            return EventFanOut(metrics: metrics, stderr: sink, serviceManager: serviceManager, spans: tracing?.sink)
        case .journal(let sink):
            return EventFanOut(metrics: metrics, journal: sink, serviceManager: serviceManager, spans: tracing?.sink)
        }
    }

    /// Goes on with another configuration. On the event loop.
    func reconfigure(_ configuration: Configuration) {
        metrics.configure(configuration.limits)
        serviceManager?.reconfigure(stopTimeout: configuration.gracefulShutdownTimeout)
        switch log {
        case .stderr(let sink, _): sink.setDebugging(configuration.isDebugging)
        case .journal(let sink): sink.setDebugging(configuration.isDebugging)
        }
    }

    /// Brings all gauges up to date, those of the instruments themselves too. On the event loop.
    func refresh(_ readings: Readings) {
        metrics.refresh(readings)
        switch log {
        case .stderr(let sink, _): metrics.telemetry.refresh(logLinesDropped: sink.droppedLines)
        case .journal(let sink): sink.refreshMetrics()
        }
        if let exporter = tracing?.exporter { metrics.telemetry.refresh(exporter.tally) }
    }

    /// Writes out what is left, within a bound. After the last event.
    func shutDown() {
        switch log {
        case .stderr(let sink, _): sink.shutdown()
        case .journal(let sink): sink.shutdown()
        }
    }
}

extension Instruments.Log {
    /// - Parameter surroundings: Where `JOURNAL_STREAM` tells whether stderr is connected to the journal.
    static func open(
        _ configuration: Configuration,
        _ surroundings: Surroundings,
        eventLoop: any EventLoop,
        metrics: MetricsSink
    ) throws -> Instruments.Log {
        switch configuration.log {
        case .text: return try logOnStderr(.text, configuration)
        case .json: return try logOnStderr(.json, configuration)
        case .auto, .journal: break
        }
        let isConnected = isConnectedToJournal(surroundings.environment["JOURNAL_STREAM"], descriptor: STDERR_FILENO)
        let isThere = surroundings.kind(JournalWriter.Configuration().socketPath) != .missing
        guard isConnected || configuration.log == .journal && isThere else {
            return try logOnStderr(.text, configuration, isFallback: true)
        }
        return .journal(
            try JournalSink(
                rates: configuration.journalRates,
                identity: JournalIdentity(server: configuration.name, instance: surroundings.instanceID),
                isDebugging: configuration.isDebugging,
                eventLoop: eventLoop,
                metrics: metrics.telemetry
            )
        )
    }
}

private func logOnStderr(
    _ format: LogFormat,
    _ configuration: Configuration,
    isFallback: Bool = false
) throws -> Instruments.Log {
    .stderr(try StderrSink(format: format, debug: configuration.isDebugging), isFallback: isFallback)
}

/// Passes on how long each round of the event loop kept it busy.
struct EventLoopTicks: NIOEventLoopMetricsDelegate {
    let telemetry: TelemetryMetrics

    func processedTick(info: NIOEventLoopTickInfo) {
        telemetry.ticked(nanoseconds: Int((info.endTime - info.startTime).nanoseconds))
    }
}
