// SPDX-License-Identifier: Apache-2.0

internal import Events
package import NIOCore
internal import Prometheus

/// The limits in use, for the gauges that stand beside what they limit.
package struct ConfiguredLimits: Sendable {
    package var maxInFlight = 0
    package var queue = 0
    package var maxSessions = 0
    package var maxConnections = 0
    package var maxBuffered = 0
    package var requestTimeout = TimeAmount.zero
    package var maxRequestTime = TimeAmount.zero
    package var clientRequestTimeout = TimeAmount.zero
    package var connectionTimeout = TimeAmount.zero
    /// Zero for never.
    package var sessionIdleTimeout = TimeAmount.zero

    package init() {}
}

/// How full things are, and where full is.
struct SaturationMetrics {
    private let inFlight: Gauge
    private let inFlightLimit: Gauge
    private let oldestInFlight: Gauge
    private let parked: Gauge
    private let oldestParked: Gauge
    private let queueLength: Gauge
    private let queueLimit: Gauge
    private let sessionsLimit: Gauge
    private let connectionsLimit: Gauge
    private let bufferedLimit: Gauge
    private let timeout: GaugeFamily

    init(_ registry: Registry) throws(RegistrationError) {
        inFlight = try registry.gauge(.requestsInFlight).with()
        inFlightLimit = try registry.gauge(.requestsInFlightLimit).with()
        oldestInFlight = try registry.gauge(.oldestInFlight).with()
        parked = try registry.gauge(.parkedCalls).with()
        oldestParked = try registry.gauge(.oldestParked).with()
        queueLength = try registry.gauge(.queueLength).with()
        queueLimit = try registry.gauge(.queueLimit).with()
        sessionsLimit = try registry.gauge(.sessionsLimit).with()
        connectionsLimit = try registry.gauge(.connectionsLimit).with()
        bufferedLimit = try registry.gauge(.bufferedBytesLimit).with()
        timeout = try registry.gauge(.timeout)
    }

    func configure(_ limits: ConfiguredLimits) {
        inFlightLimit.set(limits.maxInFlight)
        queueLimit.set(limits.queue)
        sessionsLimit.set(limits.maxSessions)
        connectionsLimit.set(limits.maxConnections)
        bufferedLimit.set(limits.maxBuffered)
        let timeouts = [
            ("request", limits.requestTimeout), ("max_request", limits.maxRequestTime),
            ("client_request", limits.clientRequestTimeout), ("connection", limits.connectionTimeout),
            ("session_idle", limits.sessionIdleTimeout),
        ]
        for (name, time) in timeouts { timeout.with(name).set(Double(time.nanoseconds) / 1e9) }
    }

    func refresh(_ readings: Readings, _ clock: ScrapeClock) {
        inFlight.set(readings.inFlight)
        parked.set(readings.parked)
        oldestParked.set(clock.unixSeconds(readings.oldestParking))
        queueLength.set(readings.queued)
        oldestInFlight.set(clock.unixSeconds(readings.oldestArrival))
    }
}
