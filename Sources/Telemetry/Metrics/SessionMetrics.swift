// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP
internal import NIOCore
internal import Prometheus

/// What is counted of sessions and their streams. Loop-confined.
struct SessionMetrics {
    private let opened: PerCase<Revision, PerCase<Transport, Counter>>
    private let closed: PerCase<SessionCloseReason, Counter>
    private let duration: Histogram
    private let initializing: Gauge
    private let active: Gauge
    private let idle: Gauge
    private let oldestUnanswered: Gauge
    private let bufferedBytes: Gauge
    private let messagesDropped: Counter

    private let streams: PerCase<StreamKind, Gauge>
    private let streamsOpened: PerCase<StreamKind, Counter>
    private let streamsClosed: PerCase<StreamKind, PerCase<StreamEnd, Counter>>
    private let streamDuration: PerCase<StreamKind, Histogram>
    private let streamEvents: PerCase<StreamKind, Counter>
    private let streamResumes: Counter

    init(_ registry: Registry) throws(RegistrationError) {
        let opened = try registry.counter(.sessionsOpened)
        self.opened = PerCase { revision in PerCase { opened.with(revision.rawValue, $0.rawValue) } }
        let closed = try registry.counter(.sessionsClosed)
        self.closed = PerCase { closed.with($0.rawValue) }
        duration = try registry.histogram(.sessionDuration).with()
        let sessions = try registry.gauge(.sessions)
        initializing = sessions.with("initializing")
        active = sessions.with("active")
        idle = sessions.with("idle")
        oldestUnanswered = try registry.gauge(.oldestUnanswered).with()
        bufferedBytes = try registry.gauge(.bufferedBytes).with()
        messagesDropped = try registry.counter(.messagesDropped).with()

        let streams = try registry.gauge(.streams)
        self.streams = PerCase { streams.with($0.rawValue) }
        let streamsOpened = try registry.counter(.streamsOpened)
        self.streamsOpened = PerCase { streamsOpened.with($0.rawValue) }
        let streamsClosed = try registry.counter(.streamsClosed)
        self.streamsClosed = PerCase { kind in PerCase { streamsClosed.with(kind.rawValue, $0.rawValue) } }
        let streamDuration = try registry.histogram(.streamDuration)
        self.streamDuration = PerCase { streamDuration.with($0.rawValue) }
        let streamEvents = try registry.counter(.streamEvents)
        self.streamEvents = PerCase { streamEvents.with($0.rawValue) }
        streamResumes = try registry.counter(.streamResumes).with()
    }

    func opened(_ session: Event.SessionOpened) { opened[session.revision][session.transport].addOwned() }

    func closed(_ session: Event.SessionClosed) {
        closed[session.reason].addOwned()
        duration.observeOwned(session.duration.raw)
    }

    func streamOpened(_ kind: StreamKind) { streamsOpened[kind].addOwned() }

    func streamClosed(_ kind: StreamKind, _ end: StreamEnd, events: Int, after duration: TimeAmount) {
        streamsClosed[kind][end].addOwned()
        streamEvents[kind].addOwned(events)
        streamDuration[kind].observeOwned(duration.raw)
    }

    func streamResumed() { streamResumes.addOwned() }

    func messagesDropped(_ count: Int) { messagesDropped.addOwned(count) }

    func refresh(_ readings: Readings, _ clock: ScrapeClock) {
        initializing.set(readings.initializingSessions)
        active.set(readings.activeSessions)
        idle.set(readings.idleSessions)
        oldestUnanswered.set(clock.unixSeconds(readings.oldestUnanswered))
        bufferedBytes.set(readings.bufferedBytes)
        for kind in StreamKind.allCases { streams[kind].set(readings.streams[kind] ?? 0) }
    }
}
