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

    /// - Parameter warn: Takes lines for stderr.
    /// - Throws: `ConfigurationError` for an environment that asks for what can't be had.
    init(
        _ configuration: Configuration,
        _ surroundings: Surroundings,
        metrics: MetricsSink,
        eventLoop: any EventLoop,
        slowWork: NIOThreadPool,
        warn: (String) -> Void
    ) throws {
        let environment = surroundings.environment
        self.metrics = metrics
        self.slowWork = slowWork
        metrics.configure(configuration.limits)
        tracing = try RequestTracing(configuration, surroundings, eventLoop: eventLoop, slowWork: slowWork)
        serviceManager = ServiceManager(environment: environment["NOTIFY_SOCKET"]).map {
            ServiceManagerSink($0, eventLoop: eventLoop, stopTimeout: configuration.gracefulShutdownTimeout)
        }
        log = try Log.open(configuration, surroundings, eventLoop: eventLoop, metrics: metrics, warn: warn)
    }

    /// Where the log goes.
    enum Log: Sendable {
        case stderr(StderrSink)
        case journal(JournalSink)

        var sink: any EventSink {
            switch self {
            case .stderr(let sink): sink
            case .journal(let sink): sink
            }
        }
    }

    /// Metrics come first, so that whoever reads an entry finds it counted.
    var sink: EventFanOut {
        var sinks: [any EventSink] = [metrics, log.sink]
        if let serviceManager { sinks.append(serviceManager) }
        if let tracing { sinks.append(tracing.sink) }
        return EventFanOut(sinks)
    }

    /// Goes on with another configuration. On the event loop.
    func reconfigure(_ configuration: Configuration) {
        metrics.configure(configuration.limits)
        switch log {
        case .stderr(let sink): sink.setDebugging(configuration.isDebugging)
        case .journal(let sink): sink.setDebugging(configuration.isDebugging)
        }
    }

    /// Brings all gauges up to date, those of the instruments themselves too. On the event loop.
    func refresh(_ readings: Readings) {
        metrics.refresh(readings)
        switch log {
        case .stderr(let sink): metrics.telemetry.refresh(logLinesDropped: sink.droppedLines)
        case .journal(let sink): sink.refreshMetrics()
        }
        if let tally = tracing?.exporter.tally {
            metrics.telemetry.refresh(
                spansExported: tally.exported,
                dropped: [
                    ("queue_full", tally.droppedQueueFull), ("send_failed", tally.droppedUnsent),
                    ("rejected", tally.droppedRejected),
                ]
            )
        }
    }

    /// Writes out what is left, within a bound. After the last event.
    func shutDown() {
        switch log {
        case .stderr(let sink): sink.shutdown()
        case .journal(let sink): sink.shutdown()
        }
    }
}

extension Instruments.Log {
    /// - Parameters:
    ///   - surroundings: Where `JOURNAL_STREAM` tells whether stderr is connected to the journal.
    ///   - warn: Takes one line for stderr.
    static func open(
        _ configuration: Configuration,
        _ surroundings: Surroundings,
        eventLoop: any EventLoop,
        metrics: MetricsSink,
        warn: (String) -> Void
    ) throws -> Instruments.Log {
        switch configuration.log {
        case .text: return .stderr(try StderrSink(format: .text, debug: configuration.isDebugging))
        case .json: return .stderr(try StderrSink(format: .json, debug: configuration.isDebugging))
        case .auto, .journal: break
        }
        let isConnected = isConnectedToJournal(surroundings.environment["JOURNAL_STREAM"], descriptor: STDERR_FILENO)
        let isThere = surroundings.kind(JournalWriter.Configuration().socketPath) != .missing
        guard isConnected || configuration.log == .journal && isThere else {
            warn(
                configuration.log == .journal
                    ? "there is no journald here (--log journal): the log goes to stderr instead"
                    : "not under journald: the log goes to stderr"
            )
            return .stderr(try StderrSink(format: .text, debug: configuration.isDebugging))
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

/// Passes on how long each round of the event loop kept it busy.
struct EventLoopTicks: NIOEventLoopMetricsDelegate {
    let telemetry: TelemetryMetrics

    func processedTick(info: NIOEventLoopTickInfo) {
        telemetry.ticked(nanoseconds: Int((info.endTime - info.startTime).nanoseconds))
    }
}
