// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP
internal import NIOCore
internal import Prometheus

/// What is counted of the child. Loop-confined.
final class UpstreamMetrics {
    private let info: InfoFamily
    private let up: Gauge
    private let desired: Gauge
    private let state: StateSetFamily
    private let processes: Gauge
    private let starts: Counter
    private let startFailures: PerCase<ExitReason, Counter>
    private let exits: PerCase<ExitReason, Counter>
    private let lastExitCode: Gauge
    private let lastExit: Gauge
    private let startTime: Gauge
    private let startDuration: Histogram
    private let backoff: Gauge
    private let replacements: CounterFamily
    private let unresponsive: Counter
    private let probeSuccess: Gauge
    private let probeDuration: Gauge
    private let takesTurns: Gauge
    private let stderrLines: Counter
    private let stderrBytes: Counter
    private let stderrDropped: Counter
    private let logMessages: CounterFamily
    private let stdinBlocked: Counter
    private let stdinBuffered: Gauge
    private let serverRequestsOpen: Gauge

    /// How much of the reading of blocked time the counter has.
    private var countedBlockedTime = TimeAmount.zero

    init(_ registry: Registry) throws(RegistrationError) {
        info = try registry.info(.upstreamInfo)
        up = try registry.gauge(.upstreamUp).with()
        desired = try registry.gauge(.upstreamDesired).with()
        state = try registry.stateSet(.upstreamState)
        processes = try registry.gauge(.upstreamProcesses).with()
        starts = try registry.counter(.upstreamStarts).with()
        let startFailures = try registry.counter(.upstreamStartFailures)
        self.startFailures = PerCase { startFailures.with($0.rawValue) }
        let exits = try registry.counter(.upstreamExits)
        self.exits = PerCase { exits.with($0.rawValue) }
        lastExitCode = try registry.gauge(.upstreamLastExitCode).with()
        lastExit = try registry.gauge(.upstreamLastExit).with()
        startTime = try registry.gauge(.upstreamStartTime).with()
        startDuration = try registry.histogram(.upstreamStartDuration).with()
        backoff = try registry.gauge(.upstreamBackoff).with()
        replacements = try registry.counter(.upstreamReplacements)
        unresponsive = try registry.counter(.upstreamUnresponsive).with()
        probeSuccess = try registry.gauge(.upstreamProbeSuccess).with()
        probeSuccess.set(1)
        probeDuration = try registry.gauge(.upstreamProbeDuration).with()
        takesTurns = try registry.gauge(.upstreamTakesTurns).with()
        stderrLines = try registry.counter(.upstreamStderrLines).with()
        stderrBytes = try registry.counter(.upstreamStderrBytes).with()
        stderrDropped = try registry.counter(.upstreamStderrDropped).with()
        logMessages = try registry.counter(.upstreamLogMessages)
        stdinBlocked = try registry.counter(.upstreamStdinBlocked).with()
        stdinBuffered = try registry.gauge(.upstreamStdinBuffered).with()
        serverRequestsOpen = try registry.gauge(.serverRequestsOpen).with()
    }

    func starting() { starts.addOwned() }

    func started() {
        startTime.set(WallTime.now().unixSeconds)
        backoff.set(0)
    }

    func ready(_ child: Event.UpstreamReady) {
        startDuration.observeOwned(child.startDuration.raw)
        info.set([child.serverName, child.serverVersion, child.revision].map { $0.sanitised(cap: TextCap.label) })
    }

    func exited(_ exit: Event.UpstreamExit) {
        exits[exit.reason].addOwned()
        if !exit.wasReady, exit.reason != .stopped { startFailures[exit.reason].addOwned() }
        lastExitCode.set(exit.signal.map { 128 + Int($0) } ?? exit.status.map(Int.init) ?? -1)
        lastExit.set(WallTime.now().unixSeconds)
        switch exit.plan {
        case .restart(let delay, _), .crashLoop(let delay, _): backoff.set(Double(delay) / 1000)
        case .none: backoff.set(0)
        }
    }

    func wroteStderr(_ line: String) {
        stderrLines.addOwned()
        stderrBytes.addOwned(line.utf8.count)
    }

    func suppressedStderr(lines: Int) { stderrDropped.addOwned(lines) }

    func replaced(successfully isSuccess: Bool) { replacements.with(isSuccess ? "ok" : "failed").addOwned() }

    func becameUnresponsive() { unresponsive.addOwned() }

    func probed(answeredAfter time: TimeAmount?) {
        probeSuccess.set(time == nil ? 0 : 1)
        if let time { probeDuration.set(Double(time.nanoseconds) / 1e9) }
    }

    func logged(level: String) { logMessages.with(LogLevel(rawValue: level)?.rawValue ?? "_OTHER").addOwned() }

    func refresh(_ readings: Readings) {
        up.set(readings.state.isReady ? 1 : 0)
        desired.set(readings.isDraining ? 0 : 1)
        state.set(readings.state.rawValue)
        processes.set(readings.processes)
        takesTurns.set(readings.takesTurns ? 1 : 0)
        stdinBuffered.set(readings.stdinBuffered)
        serverRequestsOpen.set(readings.openServerRequests)
        stdinBlocked.addOwned((readings.stdinBlocked - countedBlockedTime).raw)
        countedBlockedTime = readings.stdinBlocked
    }
}
