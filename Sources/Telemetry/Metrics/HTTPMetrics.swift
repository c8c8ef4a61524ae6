// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import Prometheus

/// What is counted at the front door. Loop-confined.
final class HTTPMetrics {
    private let duration: HistogramFamily
    /// By method, route and status, packed: made once per combination.
    private var durations = Handles<Histogram>()
    private let connections: Gauge
    private let connectionsClosed: PerCase<ConnectionEnd, Counter>
    private let unknownHosts: Counter

    init(_ registry: Registry) throws(RegistrationError) {
        duration = try registry.histogram(.httpDuration)
        connections = try registry.gauge(.connections).with()
        let connectionsClosed = try registry.counter(.connectionsClosed)
        self.connectionsClosed = PerCase { connectionsClosed.with($0.rawValue) }
        unknownHosts = try registry.counter(.unknownHosts).with()
    }

    func answered(_ answer: Event.HTTPAnswered) {
        let key = answer.status << 16 | byte(of: answer.method) << 8 | byte(of: answer.route)
        let histogram = durations.handle(key) {
            duration.with(answer.method.rawValue, String(answer.status), answer.route.rawValue)
        }
        histogram.observeOwned(answer.duration.raw)
    }

    func connectionClosed(_ reason: ConnectionEnd) { connectionsClosed[reason].addOwned() }

    func sawUnknownHost() { unknownHosts.addOwned() }

    func refresh(_ readings: Readings) { connections.set(readings.connections) }
}
