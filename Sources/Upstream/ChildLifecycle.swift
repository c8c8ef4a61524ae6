// SPDX-License-Identifier: Apache-2.0

package import Events
import Glibc
package import NIOCore

/// The life of one child slot: at most one process at a time, restarted by policy.
///
/// ```
/// stopped ─start→ spawning ─spawned→ running ─exited→ draining ─→ backoff ─→ spawning …
/// ```
///
/// * The process's exit decides. What it wrote is read on for at most `Patience.drain`, or until stdout and stderr end;
///   then the whole group gets SIGKILL, because a grandchild may hold stdout open, and the exit is reported.
/// * A process that closes its stdout and lives on is as good as gone: it is ended and reported as `stdoutClosed`.
///   Every dying process closes its stdout a moment before its exit is seen, hence the short patience.
/// * Every `.spawn` is followed by exactly one `.report`, whatever happens in between; once stopped, by nothing.
///
/// Pure: the clock comes in as `now`, and timers are asked for by `.schedule`. Only the latest one counts; a timer that
/// fires late hands in a token nobody waits for any more and is ignored. Reports of the operating system name their
/// generation for the same reason.
package struct ChildLifecycle {
    /// How long the steps of an ending may take.
    package struct Patience: Sendable, Equatable {
        /// From closing stdin to SIGTERM.
        package var stopGrace: TimeAmount = .seconds(2)
        /// From SIGTERM to SIGKILL.
        package var termGrace: TimeAmount = .seconds(2)
        /// From the exit of the process to its report, while stdout or stderr is still open.
        package var drain: TimeAmount = .milliseconds(50)
        /// From the end of stdout to SIGKILL, when the process does not exit by itself.
        package var stdoutGrace: TimeAmount = .milliseconds(50)

        package init() {}
    }

    /// What the shell has to do, in this order.
    package enum Action: Equatable {
        /// Make pipes and have the command started; answer with `spawned` or `spawnFailed`, then `exited`.
        case spawn(generation: Int)
        /// Nobody wants the process any more that is about to be started; one of the same answers is still due.
        case abandonSpawn(generation: Int)
        /// The process runs. `wanted` is false when it is to be ended at once, so nobody should talk to it.
        case started(pid: Int32, wanted: Bool)
        /// Close stdin once what was written to it is out.
        case closeStdin
        /// SIGTERM to the process group.
        case terminateGroup(Int32)
        /// SIGKILL to the process group.
        case killGroup(Int32)
        /// Call `deadline(token:now:)` then. Replaces any earlier timer.
        case schedule(token: Int, at: NIODeadline)
        /// Close what is left of the pipes, then tell.
        case report(Exit)
    }

    /// The one report of a start.
    package struct Exit: Equatable {
        package var generation: Int
        package var reason: ExitReason
        package var termination: Termination?
        package var detail: String?
        package var uptimeMilliseconds: Int
        package var plan: RestartPlan
    }

    /// What was decided about a process before it ended.
    private struct Verdict: Equatable {
        /// Overrides what the termination says; nil when the process ended by itself.
        var reason: ExitReason?
        var detail: String?
        var restarts = true
        /// Without the polite steps.
        var isForced = false
    }

    private enum Stage {
        /// Doing its work.
        case serving
        /// Its stdout ended; waiting for the exit that normally follows.
        case stdoutClosed
        /// Asked to stop by the end of its stdin.
        case stdinClosed
        /// Asked to stop by SIGTERM.
        case terminating
        /// Nothing more can be done than to wait for the kernel.
        case killed
    }

    private struct Process {
        let pid: Int32
        let startedAt: NIODeadline
        var readyAt: NIODeadline?
        var isStdoutOpen = true
        var isStderrOpen = true
        var stage = Stage.serving
        var verdict = Verdict()
    }

    private enum State {
        case stopped
        case spawning(Verdict)
        case running(Process)
        case draining(Process, Termination, exitedAt: NIODeadline)
        case backoff
    }

    private let patience: Patience
    private var policy: RestartPolicy
    private var state = State.stopped
    /// The number of the latest start, counted from 1; 0 before the first.
    package private(set) var generation = 0
    /// The timer that counts.
    private var token = 0

    package init(patience: Patience = Patience(), policy: RestartPolicy = RestartPolicy()) {
        self.patience = patience
        self.policy = policy
    }

    /// Whether there is no process and none will be started.
    package var isStopped: Bool {
        if case .stopped = state { true } else { false }
    }

    /// Whether a process runs that nobody asked to end.
    package var isServing: Bool {
        if case .running(let process) = state, process.stage == .serving { true } else { false }
    }

    // MARK: What the owner wants

    /// Starts the child; ignored unless it is stopped.
    package mutating func start() -> [Action] {
        guard case .stopped = state else { return [] }
        policy.reset()
        return spawn()
    }

    /// The handshake was answered.
    package mutating func ready(now: NIODeadline) {
        guard case .running(var process) = state, process.readyAt == nil else { return }
        process.readyAt = now
        state = .running(process)
    }

    /// Ends the child politely and for good: end of stdin, then SIGTERM, then SIGKILL to the group.
    package mutating func stop(now: NIODeadline) -> [Action] {
        switch state {
        case .stopped:
            return []
        case .backoff:
            disarm()
            state = .stopped
            return []
        case .spawning(var verdict):
            verdict.reason = verdict.reason ?? .stopped
            verdict.restarts = false
            state = .spawning(verdict)
            return [.abandonSpawn(generation: generation)]
        case .draining(var process, let termination, let exitedAt):
            process.verdict.restarts = false
            state = .draining(process, termination, exitedAt: exitedAt)
            return []
        case .running(var process):
            process.verdict.restarts = false
            process.verdict.reason = process.verdict.reason ?? .stopped
            guard process.stage == .serving || process.stage == .stdoutClosed else {
                state = .running(process)
                return []
            }
            process.stage = .stdinClosed
            state = .running(process)
            return [.closeStdin, schedule(now + patience.stopGrace)]
        }
    }

    /// Ends the child for good and at once.
    package mutating func kill(now: NIODeadline) -> [Action] {
        switch state {
        case .stopped, .backoff:
            return stop(now: now)
        case .spawning(var verdict):
            verdict.reason = verdict.reason ?? .stopped
            verdict.restarts = false
            verdict.isForced = true
            state = .spawning(verdict)
            return [.abandonSpawn(generation: generation)]
        case .draining(var process, let termination, let exitedAt):
            process.verdict.restarts = false
            return finish(process, termination, exitedAt: exitedAt, now: now)
        case .running(var process):
            process.verdict.reason = process.verdict.reason ?? .stopped
            process.verdict.restarts = false
            return kill(process)
        }
    }

    /// The owner found the process useless: it is killed, which counts as an exit with this reason, and started again
    /// by policy. Ignored when the process is already ending.
    package mutating func fail(_ reason: ExitReason, detail: String?) -> [Action] {
        switch state {
        case .stopped, .backoff, .draining:
            return []
        case .spawning(var verdict):
            guard verdict.reason == nil else { return [] }
            verdict = Verdict(reason: reason, detail: detail, restarts: true, isForced: true)
            state = .spawning(verdict)
            return []
        case .running(var process):
            guard process.verdict.reason == nil else { return [] }
            process.verdict.reason = reason
            process.verdict.detail = detail
            return kill(process)
        }
    }

    // MARK: What the operating system says

    /// The process of this start runs; its pid is also the id of its group.
    package mutating func spawned(generation: Int, pid: Int32, now: NIODeadline) -> [Action] {
        guard generation == self.generation, case .spawning(let verdict) = state else { return [] }
        var process = Process(pid: pid, startedAt: now)
        process.verdict = verdict
        let started = Action.started(pid: pid, wanted: verdict.reason == nil)
        if verdict.isForced { return [started] + kill(process) }
        state = .running(process)
        return verdict.reason == nil ? [started] : [started] + stop(now: now)
    }

    /// The process of this start could not be started.
    ///
    /// - Parameters:
    ///   - reason: Whose fault it is.
    ///   - detail: One clause for the operator: what stands in the way and how to mend it.
    package mutating func spawnFailed(
        generation: Int,
        reason: ExitReason = .spawnFailed,
        detail: String?,
        now: NIODeadline
    ) -> [Action] {
        guard generation == self.generation, case .spawning(let verdict) = state else { return [] }
        var exit = Exit(
            generation: generation,
            reason: reason,
            termination: nil,
            detail: detail,
            uptimeMilliseconds: 0,
            plan: .none
        )
        guard verdict.restarts else {
            state = .stopped
            return [.report(exit)]
        }
        exit.plan = policy.ended(readyFor: nil)
        return [.report(exit)] + backOff(exit.plan, now: now)
    }

    /// The process of this start ended and was reaped.
    package mutating func exited(generation: Int, _ termination: Termination, now: NIODeadline) -> [Action] {
        guard generation == self.generation, case .running(let process) = state else { return [] }
        guard process.isStdoutOpen || process.isStderrOpen else {
            return finish(process, termination, exitedAt: now, now: now)
        }
        state = .draining(process, termination, exitedAt: now)
        return [schedule(now + patience.drain)]
    }

    /// The end of stdout was read.
    package mutating func stdoutClosed(generation: Int, now: NIODeadline) -> [Action] {
        guard generation == self.generation else { return [] }
        switch state {
        case .running(var process):
            process.isStdoutOpen = false
            guard process.stage == .serving else {
                state = .running(process)
                return []
            }
            process.stage = .stdoutClosed
            state = .running(process)
            return [schedule(now + patience.stdoutGrace)]
        case .draining(var process, let termination, let exitedAt):
            process.isStdoutOpen = false
            return drained(process, termination, exitedAt: exitedAt, now: now)
        case .stopped, .spawning, .backoff:
            return []
        }
    }

    /// The end of stderr was read.
    package mutating func stderrClosed(generation: Int, now: NIODeadline) -> [Action] {
        guard generation == self.generation else { return [] }
        switch state {
        case .running(var process):
            process.isStderrOpen = false
            state = .running(process)
            return []
        case .draining(var process, let termination, let exitedAt):
            process.isStderrOpen = false
            return drained(process, termination, exitedAt: exitedAt, now: now)
        case .stopped, .spawning, .backoff:
            return []
        }
    }

    /// A timer fired.
    package mutating func deadline(token: Int, now: NIODeadline) -> [Action] {
        guard token == self.token else { return [] }
        switch state {
        case .stopped, .spawning:
            return []
        case .backoff:
            disarm()
            return spawn()
        case .draining(let process, let termination, let exitedAt):
            return finish(process, termination, exitedAt: exitedAt, now: now)
        case .running(var process):
            switch process.stage {
            case .serving, .killed:
                return []
            case .stdoutClosed:
                process.verdict.reason = .stdoutClosed
                return kill(process)
            case .stdinClosed:
                process.stage = .terminating
                state = .running(process)
                return [.terminateGroup(process.pid), schedule(now + patience.termGrace)]
            case .terminating:
                return kill(process)
            }
        }
    }

    // MARK: Steps

    private mutating func spawn() -> [Action] {
        generation += 1
        state = .spawning(Verdict())
        return [.spawn(generation: generation)]
    }

    private mutating func kill(_ process: Process) -> [Action] {
        disarm()
        var process = process
        process.stage = .killed
        state = .running(process)
        return [.killGroup(process.pid)]
    }

    private mutating func drained(
        _ process: Process,
        _ termination: Termination,
        exitedAt: NIODeadline,
        now: NIODeadline
    ) -> [Action] {
        if !process.isStdoutOpen && !process.isStderrOpen {
            return finish(process, termination, exitedAt: exitedAt, now: now)
        }
        state = .draining(process, termination, exitedAt: exitedAt)
        return []
    }

    private mutating func finish(
        _ process: Process,
        _ termination: Termination,
        exitedAt: NIODeadline,
        now: NIODeadline
    ) -> [Action] {
        disarm()
        let ownReason: ExitReason =
            switch termination {
            case .exited, .unknown: .exit
            case .signalled: .signal
            case .outOfMemory: .outOfMemory
            }
        var reason = process.verdict.reason ?? ownReason
        // One that was about to exit, and was slow to be seen, was not ended for its closed stdout.
        if reason == .stdoutClosed, termination != .signalled(SIGKILL), termination != .unknown { reason = ownReason }
        var exit = Exit(
            generation: generation,
            reason: reason,
            termination: termination,
            detail: process.verdict.detail,
            uptimeMilliseconds: Int((exitedAt - process.startedAt).nanoseconds / 1_000_000),
            plan: .none
        )
        // Always, even when nobody holds the pipes any more: what the process left behind in its group has no owner.
        let sweep = Action.killGroup(process.pid)
        guard process.verdict.restarts else {
            state = .stopped
            return [sweep, .report(exit)]
        }
        exit.plan = policy.ended(readyFor: process.readyAt.map { exitedAt - $0 })
        return [sweep, .report(exit)] + backOff(exit.plan, now: now)
    }

    private mutating func backOff(_ plan: RestartPlan, now: NIODeadline) -> [Action] {
        switch plan {
        case .restart(let delay, _), .crashLoop(let delay, _):
            state = .backoff
            return [schedule(now + .milliseconds(Int64(delay)))]
        case .none:
            state = .stopped
            return []
        }
    }

    private mutating func schedule(_ deadline: NIODeadline) -> Action {
        token += 1
        return .schedule(token: token, at: deadline)
    }

    private mutating func disarm() {
        token += 1
    }
}
