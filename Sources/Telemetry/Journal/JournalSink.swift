// SPDX-License-Identifier: Apache-2.0

package import Events
package import Journal
package import NIOCore

/// How many entries of what clients cause the journal gets.
package struct JournalRates: Sendable, Equatable {
    /// Entries per second, and at once, of the ordinary course of requests.
    package var requestsPerSecond: Int
    package var requestBurst: Int
    /// The same, of requests that failed.
    package var failuresPerSecond = 20
    package var failureBurst = 500
    /// The same, of what looks like an attack.
    package var securityPerSecond = 5
    package var securityBurst = 100

    package init(requestsPerSecond: Int, requestBurst: Int) {
        self.requestsPerSecond = requestsPerSecond
        self.requestBurst = requestBurst
    }
}

/// Tells events to the journal, natively: every fact a field of its own.
///
/// What clients cause passes a token bucket first, so that no load makes the journal forget; what was left out is
/// counted, and told in a summary. What the proxy and the child do of themselves is never left out.
///
/// Sendable although it keeps unprotected state: its methods are called on the event loop only, as `EventSink` demands.
package final class JournalSink: EventSink, @unchecked Sendable {
    private let writer: JournalWriter
    private let metrics: TelemetryMetrics
    private let identity: JournalIdentity
    private let eventLoop: any EventLoop
    private var requests: TokenBucket
    private var failures: TokenBucket
    private var security: TokenBucket
    private var left: [EventKind: Int] = [:]
    /// Since when `left` counts.
    private var leftSince = NIODeadline.uptimeNanoseconds(0)
    /// Whether events of the level debug are told, too.
    private var isDebugging: Bool

    /// How often a summary tells what was left out.
    static let summaryInterval = TimeAmount.seconds(10)

    /// - Parameter transport: The way to the journal; another than the real one in tests only.
    package init(
        _ configuration: JournalWriter.Configuration = .init(),
        rates: JournalRates,
        identity: JournalIdentity,
        isDebugging: Bool,
        eventLoop: any EventLoop,
        metrics: TelemetryMetrics,
        transport: JournalTransport? = nil
    ) throws(JournalWriterError) {
        writer = try JournalWriter(
            configuration,
            observeSend: { metrics.sentToJournal(nanoseconds: $0) },
            transport: transport,
            describeLoss: { identity.entry(of: EventRecord($0)) }
        )
        self.metrics = metrics
        self.identity = identity
        self.eventLoop = eventLoop
        self.isDebugging = isDebugging
        let now = NIODeadline.now()
        requests = TokenBucket(capacity: rates.requestBurst, perSecond: rates.requestsPerSecond, now: now)
        failures = TokenBucket(capacity: rates.failureBurst, perSecond: rates.failuresPerSecond, now: now)
        security = TokenBucket(capacity: rates.securityBurst, perSecond: rates.securityPerSecond, now: now)
    }

    package func emit(_ event: Event) {
        let severity = event.severity
        guard isDebugging || severity != .debug else { return }
        let kind = event.kind
        // There is no later for a summary.
        if kind == .proxyStopped { summarise() }
        guard isWithinRate(kind.lane) else { return leaveOut(kind) }
        write(EventRecord(event), extras: event.systemdFields)
    }

    /// From now on tells events of the level debug, or not.
    package func setDebugging(_ isDebugging: Bool) { self.isDebugging = isDebugging }

    /// Shows how the writer is doing.
    package func refreshMetrics() { metrics.refresh(writer.statistics) }

    /// Sends what is queued and stops, within a bound. Call it once, after the last event.
    @discardableResult
    package func shutdown(within milliseconds: Int = 500) -> Bool { writer.shutdown(within: milliseconds) }

    private func isWithinRate(_ lane: EventKind.Lane) -> Bool {
        switch lane {
        case .reserved, .ordinary: true
        case .request: requests.take(now: .now())
        case .failure: failures.take(now: .now())
        case .security: security.take(now: .now())
        }
    }

    private func leaveOut(_ kind: EventKind) {
        metrics.suppressed(kind)
        if left.isEmpty {
            leftSince = eventLoop.now
            eventLoop.assumeIsolated().scheduleTask(in: Self.summaryInterval) { self.summarise() }
        }
        left[kind, default: 0] += 1
    }

    private func summarise() {
        guard !left.isEmpty else { return }
        write(EventRecord(leftOut: left, within: eventLoop.now - leftSince))
        left.removeAll(keepingCapacity: true)
    }

    private func write(_ record: EventRecord, extras: [(StaticString, String)] = []) {
        metrics.journaled(record.severity)
        var entry = identity.entry(of: record)
        for (name, value) in extras { entry.append(name, value) }
        writer.write(entry, lane: record.kind.lane == .reserved ? .reserved : .ordinary)
    }
}

extension Event {
    /// Facts told in the words that systemd uses for its own units, so that one query finds both.
    fileprivate var systemdFields: [(StaticString, String)] {
        switch self {
        case .upstreamExited(let exit):
            let end: [(StaticString, String)] =
                if let signal = exit.signal {
                    [("EXIT_CODE", "killed"), ("EXIT_STATUS", String(signal))]
                } else if let status = exit.status {
                    [("EXIT_CODE", "exited"), ("EXIT_STATUS", String(status))]
                } else {
                    []
                }
            switch exit.plan {
            case .restart(_, let attempt), .crashLoop(_, let attempt): return end + [("N_RESTARTS", String(attempt))]
            case .none: return end
            }
        case .upstreamStderr: return [("MCP_STREAM", "stderr")]
        default: return []
        }
    }
}
