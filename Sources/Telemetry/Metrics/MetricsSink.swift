// SPDX-License-Identifier: Apache-2.0

package import Events
internal import MCP
internal import NIOCore
package import Prometheus

/// Turns events into metrics, and readings into gauges.
///
/// Sendable although its parts keep unprotected state: `emit`, as `EventSink` demands, and `refresh` are called on the
/// one event loop only, which is also the only writer of the series they own. What others read, on whatever thread,
/// are the cells of the registry, which are atomic.
package final class MetricsSink: EventSink, @unchecked Sendable {
    /// What the page of metrics shows.
    package let registry: Registry
    /// The metrics of the telemetry itself.
    package let telemetry: TelemetryMetrics

    private let requests: RequestMetrics
    private let sessions: SessionMetrics
    private let upstream: UpstreamMetrics
    private let containers: ContainerMetrics
    private let http: HTTPMetrics
    private let saturation: SaturationMetrics
    private let process: ProcessCollector

    /// - Throws: `RegistrationError` when the catalogue contradicts itself, which a test makes sure it does not.
    package init(_ instance: InstanceFacts, histograms: HistogramMode) throws(RegistrationError) {
        registry = Registry(histograms: histograms, overflow: .labelOverflow)
        telemetry = try TelemetryMetrics(registry, instance)
        requests = try RequestMetrics(registry)
        sessions = try SessionMetrics(registry)
        upstream = try UpstreamMetrics(registry)
        containers = try ContainerMetrics(registry)
        http = try HTTPMetrics(registry)
        saturation = try SaturationMetrics(registry)
        process = try ProcessCollector(
            registry,
            [
                .processCPU, .processOpenFDs, .processMaxFDs, .processVirtual, .processVirtualMax, .processResident,
                .processStart, .processThreads,
            ]
        )
    }

    package func emit(_ event: Event) {
        telemetry.happened(event.kind)
        switch event {
        case .requestFinished(let request): requests.finished(request)
        case .httpAnswered(let answer): http.answered(answer)
        case .notificationReceived(let peer, _, let bytes): requests.notified(peer, bytes: bytes)
        case .requestRejected(let reason, _): requests.rejected(reason)
        case .requestCancelled(let initiator): requests.cancelled(initiator)
        case .answerDropped: requests.answerDropped()
        case .serverRequestFinished(let method, let outcome, let requestBytes, let responseBytes, let isError):
            requests.serverRequestFinished(method, outcome, bytes: requestBytes)
            if outcome == .answered { requests.clientAnswered(isError: isError, bytes: responseBytes) }
        case .protocolViolation(let peer, let kind, _): requests.violated(peer, kind)

        case .sessionOpened(let session): sessions.opened(session)
        case .sessionClosed(let session): sessions.closed(session)
        case .streamOpened(_, let kind): sessions.streamOpened(kind)
        case .streamClosed(_, let kind, let end, let events, let duration):
            sessions.streamClosed(kind, end, events: events, after: duration)
        case .streamResumed: sessions.streamResumed()
        case .messagesDropped(_, let count): sessions.messagesDropped(count)

        case .upstreamStarting: upstream.starting()
        case .upstreamStarted: upstream.started()
        case .containerStarted(let container): containers.started(container)
        case .imagePulled(_, _, _, let duration, let problem): containers.pulled(in: duration, failed: problem != nil)
        case .containersRemoved(let count, _): containers.removed(count)
        case .upstreamReady(let child): upstream.ready(child)
        case .upstreamExited(let exit): upstream.exited(exit)
        case .upstreamStderr(_, let line, _): upstream.wroteStderr(line)
        case .upstreamStderrSuppressed(_, let lines): upstream.suppressedStderr(lines: lines)
        case .upstreamReplaced: upstream.replaced(successfully: true)
        case .replacementFailed: upstream.replaced(successfully: false)
        case .upstreamUnresponsive: upstream.becameUnresponsive()
        case .upstreamProbed(_, let time): upstream.probed(answeredAfter: time)
        case .upstreamLog(_, let level, _): upstream.logged(level: level)

        case .connectionClosed(let reason): http.connectionClosed(reason)
        case .unknownHost: http.sawUnknownHost()
        case .configReloaded: telemetry.reloaded(successfully: true)
        case .configInvalid: telemetry.reloaded(successfully: false)

        // Told by gauges, or counted by kind alone.
        case .proxyStarted, .proxyReady, .proxyStopping, .proxyStopped, .upstreamTakesTurns, .payload, .imagePulling,
            .engineChanged:
            break
        }
    }

    /// Shows the limits that are configured.
    package func configure(_ limits: ConfiguredLimits) { saturation.configure(limits) }

    /// Brings the gauges up to date, on the event loop, before a scrape.
    package func refresh(_ readings: Readings) {
        let clock = ScrapeClock()
        saturation.refresh(readings, clock)
        sessions.refresh(readings, clock)
        upstream.refresh(readings)
        containers.refresh(readings.engine)
        http.refresh(readings)
        telemetry.refresh()
    }
}
