// SPDX-License-Identifier: Apache-2.0

package import Events
package import Journal
package import NIOCore

/// Tells systemd how the service does (sd_notify(3)): READY, STATUS, STOPPING, RELOADING and, while it takes long,
/// EXTEND_TIMEOUT_USEC.
///
/// READY means that there is something to look at, not that the child is well: the listener is bound, and the child has
/// answered, or its first start has failed, or `readyAfter` has passed. A broken image must not take down the
/// instrument that reports it.
///
/// Sendable although it keeps unprotected state: its methods are called on the event loop only, as `EventSink` demands.
package final class ServiceManagerSink: EventSink, @unchecked Sendable {
    /// READY is not held back for longer than this.
    static let readyAfter = TimeAmount.seconds(20)
    /// How often the status is told when it changed, and a long start prolonged.
    static let interval = TimeAmount.seconds(5)
    /// How soon a notice that found no room is tried again, and how many may wait.
    static let retryInterval = TimeAmount.milliseconds(100)
    static let maxUnsent = 16
    /// What a stop takes besides the time that calls are given.
    static let stopReserve = TimeAmount.seconds(10)

    private let manager: ServiceManager
    private let eventLoop: any EventLoop
    /// How long the end may take, for systemd to wait that long.
    private var stopTimeout: TimeAmount
    private var readings: () -> Readings = { Readings() }
    private var isReady = false
    private var isStopping = false
    private var restarts = 0
    private var lastStatus = ""
    /// Notices that systemd must not miss and whose queue had no room, oldest first.
    private var unsent: [String] = []
    private var isRetrying = false

    package init(_ manager: ServiceManager, eventLoop: any EventLoop, stopTimeout: TimeAmount) {
        self.manager = manager
        self.eventLoop = eventLoop
        self.stopTimeout = stopTimeout
    }

    /// Connects what the numbers of the status are read from.
    package func connect(_ readings: @escaping () -> Readings) { self.readings = readings }

    package func emit(_ event: Event) {
        switch event {
        case .proxyStarted:
            eventLoop.assumeIsolated().scheduleTask(in: Self.readyAfter) { self.becomeReady() }
            tellStatus()
        case .proxyReady: becomeReady()
        case .upstreamExited(let exit):
            if exit.reason != .stopped { restarts += 1 }
            becomeReady()
        case .proxyStopping:
            isStopping = true
            let patience = (stopTimeout + Self.stopReserve).microseconds
            notify("STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=\(patience)")
        default: break
        }
    }

    /// Goes on with another time for the end.
    package func reconfigure(stopTimeout: TimeAmount) { self.stopTimeout = stopTimeout }

    /// The configuration is being read again; `reloadEnded` follows.
    package func reloadBegan() {
        guard isReady, !isStopping else { return }
        // systemd measures the reload by this clock (Type=notify-reload).
        notify("RELOADING=1", "MONOTONIC_USEC=\(NIODeadline.now().uptimeNanoseconds / 1000)")
    }

    package func reloadEnded() {
        guard isReady, !isStopping else { return }
        notify("READY=1")
    }

    private func becomeReady() {
        guard !isReady, !isStopping else { return }
        isReady = true
        // The event that led here is carried out first, so that the status tells what came of it.
        eventLoop.assumeIsolated().execute { self.notify("READY=1", self.status()) }
    }

    private func tellStatus() {
        guard !isStopping else { return }
        if !isReady { notify("EXTEND_TIMEOUT_USEC=\((2 * Self.interval).microseconds)") }
        let status = status()
        if status != lastStatus, unsent.isEmpty, manager.notify(status) { lastStatus = status }
        eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { self.tellStatus() }
    }

    private func status() -> String {
        let now = readings()
        let sessions = now.initializingSessions + now.activeSessions + now.idleSessions
        return "STATUS=\(now.state.rawValue); \(count(sessions, "session")), \(now.inFlight) in flight,"
            + " \(count(restarts, "restart"))"
    }

    /// Sends assignments, in order, now or as soon as there is room.
    private func notify(_ lines: String...) {
        unsent.append(lines.joined(separator: "\n"))
        // Nobody may be listening at all.
        if unsent.count > Self.maxUnsent { unsent.removeFirst() }
        sendUnsent()
    }

    private func sendUnsent() {
        while let notice = unsent.first, manager.notify(notice) { unsent.removeFirst() }
        guard !unsent.isEmpty, !isRetrying else { return }
        isRetrying = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.retryInterval) {
            self.isRetrying = false
            self.sendUnsent()
        }
    }
}
