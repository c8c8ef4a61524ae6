// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import Testing

@testable import Upstream

/// Milliseconds on the machine's clock.
func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds) }

@Suite struct ChildLifecycleTests {
    /// A machine without jitter, so that a transcript can be written down.
    private func machine() -> ChildLifecycle {
        var settings = RestartPolicy.Settings()
        settings.jitter = 0
        settings.promptMilliseconds = 0
        return ChildLifecycle(policy: RestartPolicy(settings))
    }

    private func running() -> ChildLifecycle {
        var child = machine()
        _ = child.start()
        _ = child.spawned(generation: 1, pid: 42, now: at(0))
        return child
    }

    private func exit(
        _ reason: ExitReason,
        _ termination: Termination?,
        uptime: Int,
        detail: String? = nil,
        plan: RestartPlan
    ) -> ChildLifecycle.Action {
        .report(
            .init(
                generation: 1,
                reason: reason,
                termination: termination,
                detail: detail,
                uptimeMilliseconds: uptime,
                plan: plan
            )
        )
    }

    @Test func crashAndRestart() {
        var child = machine()
        #expect(child.isStopped)
        #expect(child.start() == [.spawn(generation: 1)])
        #expect(child.start() == [])
        #expect(child.spawned(generation: 1, pid: 42, now: at(0)) == [.started(pid: 42, wanted: true)])
        #expect(child.isServing)
        child.ready(now: at(10))
        #expect(child.stdoutClosed(generation: 1, now: at(1000)) == [.schedule(token: 1, at: at(1050))])
        #expect(child.stderrClosed(generation: 1, now: at(1000)) == [])
        #expect(
            child.exited(generation: 1, .signalled(9), now: at(1001)) == [
                .killGroup(42),
                exit(.signal, .signalled(9), uptime: 1001, plan: .restart(delayMilliseconds: 0, attempt: 1)),
                .schedule(token: 3, at: at(1001)),
            ]
        )
        // The timer of the closed stdout comes late.
        #expect(child.deadline(token: 1, now: at(1050)) == [])
        #expect(child.deadline(token: 3, now: at(1050)) == [.spawn(generation: 2)])
    }

    @Test func wantOfMemoryIsAReasonOnlyWhereTheProxyHadNone() {
        for killed in [false, true] {
            var child = running()
            if killed { _ = child.fail(.unresponsive, detail: nil) }
            _ = child.stdoutClosed(generation: 1, now: at(5))
            _ = child.stderrClosed(generation: 1, now: at(5))
            let actions = child.exited(generation: 1, .outOfMemory(status: nil), now: at(5))
            let plan = RestartPlan.restart(delayMilliseconds: 100, attempt: 2)
            let reason = killed ? ExitReason.unresponsive : .outOfMemory
            #expect(actions.contains(exit(reason, .outOfMemory(status: nil), uptime: 5, plan: plan)))
        }
    }

    @Test func grandchildHoldsStdoutOpen() {
        var child = running()
        #expect(child.exited(generation: 1, .exited(status: 0), now: at(5)) == [.schedule(token: 1, at: at(55))])
        #expect(!child.isServing)
        #expect(
            child.deadline(token: 1, now: at(55)) == [
                .killGroup(42),
                exit(.exit, .exited(status: 0), uptime: 5, plan: .restart(delayMilliseconds: 100, attempt: 2)),
                .schedule(token: 3, at: at(155)),
            ]
        )
        // Its pipes end now, which is news to nobody.
        #expect(child.stdoutClosed(generation: 1, now: at(56)) == [])
    }

    @Test func drainsUntilBothEnd() {
        var child = running()
        _ = child.exited(generation: 1, .exited(status: 3), now: at(5))
        #expect(child.stdoutClosed(generation: 1, now: at(6)) == [])
        #expect(
            child.stderrClosed(generation: 1, now: at(7)).dropLast() == [
                .killGroup(42),
                exit(.exit, .exited(status: 3), uptime: 5, plan: .restart(delayMilliseconds: 100, attempt: 2)),
            ]
        )
    }

    @Test func stdoutClosedWhileAlive() {
        var child = running()
        #expect(child.stdoutClosed(generation: 1, now: at(100)) == [.schedule(token: 1, at: at(150))])
        #expect(child.deadline(token: 1, now: at(150)) == [.killGroup(42)])
        _ = child.stderrClosed(generation: 1, now: at(151))
        #expect(
            child.exited(generation: 1, .signalled(9), now: at(151)).dropLast() == [
                .killGroup(42),
                exit(
                    .stdoutClosed,
                    .signalled(9),
                    uptime: 151,
                    plan: .restart(delayMilliseconds: 100, attempt: 2)
                ),
            ]
        )
    }

    @Test func exitThatIsSeenLateIsNoClosedStdout() {
        for (termination, reason) in [
            (Termination.exited(status: 127), ExitReason.exit), (.signalled(11), .signal),
            (.outOfMemory(status: nil), .outOfMemory), (.signalled(9), .stdoutClosed), (.unknown, .stdoutClosed),
        ] {
            var child = running()
            _ = child.stdoutClosed(generation: 1, now: at(0))
            #expect(child.deadline(token: 1, now: at(50)) == [.killGroup(42)])
            _ = child.stderrClosed(generation: 1, now: at(51))
            let plan = RestartPlan.restart(delayMilliseconds: 100, attempt: 2)
            let actions = child.exited(generation: 1, termination, now: at(51))
            #expect(actions.contains(exit(reason, termination, uptime: 51, plan: plan)))
        }
    }

    @Test func stopOfStubbornProcess() {
        var child = running()
        #expect(child.stop(now: at(0)) == [.closeStdin, .schedule(token: 1, at: at(2000))])
        #expect(child.stop(now: at(1)) == [])
        #expect(child.deadline(token: 1, now: at(2000)) == [.terminateGroup(42), .schedule(token: 2, at: at(4000))])
        #expect(child.deadline(token: 2, now: at(4000)) == [.killGroup(42)])
        _ = child.stdoutClosed(generation: 1, now: at(4001))
        _ = child.stderrClosed(generation: 1, now: at(4001))
        #expect(
            child.exited(generation: 1, .signalled(9), now: at(4001)) == [
                .killGroup(42),
                exit(.stopped, .signalled(9), uptime: 4001, plan: .none),
            ]
        )
        #expect(child.isStopped)
    }

    @Test func politeStopThenExitWithinGrace() {
        var child = running()
        _ = child.stop(now: at(0))
        _ = child.stdoutClosed(generation: 1, now: at(3))
        _ = child.stderrClosed(generation: 1, now: at(3))
        #expect(
            child.exited(generation: 1, .exited(status: 0), now: at(4)) == [
                .killGroup(42), exit(.stopped, .exited(status: 0), uptime: 4, plan: .none),
            ]
        )
        #expect(child.deadline(token: 1, now: at(2000)) == [])
    }

    @Test func forcedKillDuringStop() {
        var child = running()
        _ = child.stop(now: at(0))
        #expect(child.kill(now: at(5)) == [.killGroup(42)])
        #expect(child.deadline(token: 1, now: at(2000)) == [])
        #expect(!child.isStopped)
    }

    @Test func failureIsReportedWithItsReason() {
        var child = running()
        #expect(child.fail(.unresponsive, detail: "silent for 30 s") == [.killGroup(42)])
        // The first word counts.
        #expect(child.fail(.handshakeFailed, detail: nil) == [])
        _ = child.stdoutClosed(generation: 1, now: at(9))
        _ = child.stderrClosed(generation: 1, now: at(9))
        #expect(
            child.exited(generation: 1, .signalled(9), now: at(9)).dropLast() == [
                .killGroup(42),
                exit(
                    .unresponsive,
                    .signalled(9),
                    uptime: 9,
                    detail: "silent for 30 s",
                    plan: .restart(delayMilliseconds: 100, attempt: 2)
                ),
            ]
        )
    }

    @Test func stopAfterFailureDoesNotRestart() {
        var child = running()
        _ = child.fail(.unresponsive, detail: nil)
        #expect(child.stop(now: at(1)) == [])
        _ = child.exited(generation: 1, .signalled(9), now: at(2))
        #expect(
            child.deadline(token: 2, now: at(52)) == [
                .killGroup(42), exit(.unresponsive, .signalled(9), uptime: 2, plan: .none),
            ]
        )
        #expect(child.isStopped)
    }

    @Test func stopWhileSpawning() {
        var child = machine()
        _ = child.start()
        #expect(child.stop(now: at(0)) == [.abandonSpawn(generation: 1)])
        #expect(
            child.spawned(generation: 1, pid: 42, now: at(1)) == [
                .started(pid: 42, wanted: false), .closeStdin, .schedule(token: 1, at: at(2001)),
            ]
        )
    }

    @Test func killWhileSpawning() {
        var child = machine()
        _ = child.start()
        #expect(child.kill(now: at(0)) == [.abandonSpawn(generation: 1)])
        #expect(
            child.spawned(generation: 1, pid: 42, now: at(1)) == [.started(pid: 42, wanted: false), .killGroup(42)]
        )
    }

    @Test func stopWhileSpawningThatFails() {
        var child = machine()
        _ = child.start()
        _ = child.stop(now: at(0))
        #expect(
            child.spawnFailed(generation: 1, detail: "why", now: at(1)) == [
                exit(.spawnFailed, nil, uptime: 0, detail: "why", plan: .none)
            ]
        )
        #expect(child.isStopped)
    }

    @Test func stopInBackoffIsImmediate() {
        var child = machine()
        _ = child.start()
        #expect(
            child.spawnFailed(generation: 1, detail: "why", now: at(0)) == [
                exit(
                    .spawnFailed,
                    nil,
                    uptime: 0,
                    detail: "why",
                    plan: .restart(delayMilliseconds: 100, attempt: 2)
                ),
                .schedule(token: 1, at: at(100)),
            ]
        )
        #expect(!child.isStopped)
        #expect(child.stop(now: at(50)) == [])
        #expect(child.isStopped)
        #expect(child.deadline(token: 1, now: at(100)) == [])
        #expect(child.start() == [.spawn(generation: 2)])
    }

    @Test func stopWhileDraining() {
        var child = running()
        _ = child.exited(generation: 1, .exited(status: 1), now: at(1))
        #expect(child.stop(now: at(2)) == [])
        #expect(
            child.deadline(token: 1, now: at(51)) == [
                .killGroup(42), exit(.exit, .exited(status: 1), uptime: 1, plan: .none),
            ]
        )
    }

    @Test func killWhileDraining() {
        var child = running()
        _ = child.exited(generation: 1, .exited(status: 1), now: at(1))
        #expect(
            child.kill(now: at(2)) == [.killGroup(42), exit(.exit, .exited(status: 1), uptime: 1, plan: .none)]
        )
    }

    @Test func crashLoopIsAStateThatRetries() {
        var child = machine()
        var actions = child.start()
        var now = at(0)
        for generation in 1...12 {
            #expect(actions == [.spawn(generation: generation)])
            actions = child.spawnFailed(generation: generation, detail: "why", now: now)
            guard case .report(let exit) = actions.first, case .schedule(let token, let deadline) = actions.last else {
                Issue.record("no report and timer in \(actions)")
                return
            }
            if case .crashLoop = exit.plan {
                #expect(generation >= 5)
            } else {
                #expect(generation < 5)
            }
            now = deadline
            actions = child.deadline(token: token, now: now)
        }
    }

    @Test func oldGenerationsAreIgnored() {
        var child = running()
        #expect(child.spawned(generation: 1, pid: 43, now: at(1)) == [])
        #expect(child.spawnFailed(generation: 1, detail: "", now: at(1)) == [])
        #expect(child.exited(generation: 0, .unknown, now: at(1)) == [])
        #expect(child.stdoutClosed(generation: 0, now: at(1)) == [])
        #expect(child.stderrClosed(generation: 2, now: at(1)) == [])
    }
}
