// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import SeededRandom
import Testing
import Upstream

/// Random owners, random processes, random clocks; the rules hold all the same.
@Suite struct ChildLifecycleWalkTests {
    @Test(arguments: 0..<300 as Range<UInt64>)
    func invariantsHold(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<200 { world.step() }
        world.end()
        #expect(world.violations == [])
        #expect(world.spawns == world.reports)
    }
}

/// The operating system as a lifecycle sees it, plus an owner who presses every button.
private struct World {
    private enum Process { case none, requested, alive, dead }

    private var generator: SeededGenerator
    private var lifecycle: ChildLifecycle
    private var now = at(0)
    private var timers: [(token: Int, at: NIODeadline)] = []
    private var process = Process.none
    private var isKilled = false
    private var isStdoutOpen = false
    private var isStderrOpen = false
    private var pid: Int32 = 100
    private(set) var spawns = 0
    private(set) var reports = 0
    private(set) var violations: [String] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        lifecycle = ChildLifecycle(policy: RestartPolicy(generator: SeededGenerator(seed: seed &+ 1000)))
    }

    mutating func step() {
        now = now + .milliseconds(Int64.random(in: 0...40, using: &generator))
        let generation = lifecycle.generation
        switch Int.random(in: 0..<16, using: &generator) {
        case 0, 1: owner(lifecycle.start())
        case 2: lifecycle.ready(now: now)
        case 3: if Bool.random(using: &generator) { owner(lifecycle.stop(now: now)) }
        case 4: if Bool.random(using: &generator) { owner(lifecycle.kill(now: now)) }
        case 5: owner(lifecycle.fail(.unresponsive, detail: nil))
        case 6, 7, 8: if process == .requested { spawn(succeeds: Int.random(in: 0..<5, using: &generator) > 0) }
        case 9: if process == .alive { die(.exited(status: 1)) }
        case 10: if isStdoutOpen { closeStdout() }
        case 11: if isStderrOpen { closeStderr() }
        case 12: if process == .alive, isKilled { die(.signalled(9)) }
        case 13, 14:
            // Any timer that ever was may fire late, also those that were replaced.
            let due = timers.filter { $0.at <= now }
            if let timer = due.randomElement(using: &generator) {
                perform(lifecycle.deadline(token: timer.token, now: now))
            }
        default:
            // What belongs to another start is no news.
            perform(lifecycle.exited(generation: generation - 1, .unknown, now: now))
            perform(lifecycle.stdoutClosed(generation: generation - 1, now: now))
        }
    }

    /// Stops, with a process that yields to SIGKILL alone and a grandchild that holds its pipes.
    mutating func end() {
        owner(lifecycle.stop(now: now))
        if process == .requested { spawn(succeeds: true) }
        for _ in 0..<6 {
            if process == .alive, isKilled { die(.signalled(9)) }
            if let latest = timers.last {
                now = max(now, latest.at)
                perform(lifecycle.deadline(token: latest.token, now: now))
            }
        }
        if !lifecycle.isStopped { violations.append("not stopped at the end") }
        let before = (spawns, reports)
        for timer in timers { perform(lifecycle.deadline(token: timer.token, now: now + .hours(1))) }
        perform(lifecycle.stop(now: now))
        perform(lifecycle.kill(now: now))
        perform(lifecycle.fail(.unresponsive, detail: nil))
        if before != (spawns, reports) { violations.append("something after stop") }
    }

    private mutating func owner(_ actions: [ChildLifecycle.Action]) { perform(actions) }

    private mutating func spawn(succeeds: Bool) {
        if succeeds {
            process = .alive
            isKilled = false
            isStdoutOpen = true
            isStderrOpen = true
            pid += 1
            perform(lifecycle.spawned(generation: lifecycle.generation, pid: pid, now: now))
        } else {
            process = .dead
            perform(lifecycle.spawnFailed(generation: lifecycle.generation, detail: "why", now: now))
        }
    }

    private mutating func die(_ termination: Termination) {
        process = .dead
        perform(lifecycle.exited(generation: lifecycle.generation, termination, now: now))
    }

    private mutating func closeStdout() {
        isStdoutOpen = false
        perform(lifecycle.stdoutClosed(generation: lifecycle.generation, now: now))
    }

    private mutating func closeStderr() {
        isStderrOpen = false
        perform(lifecycle.stderrClosed(generation: lifecycle.generation, now: now))
    }

    private mutating func perform(_ actions: [ChildLifecycle.Action]) {
        for action in actions {
            switch action {
            case .spawn(let generation):
                if process != .none { violations.append("spawn \(generation) over another process") }
                spawns += 1
                if generation != spawns { violations.append("generation \(generation) at start \(spawns)") }
                process = .requested
            case .abandonSpawn(let generation):
                if process != .requested || generation != spawns { violations.append("no start to abandon") }
            case .started(let started, _):
                if started != pid { violations.append("started \(started)") }
            case .closeStdin:
                if process != .alive { violations.append("stdin of nobody closed") }
            case .terminateGroup(let group), .killGroup(let group):
                if group != pid || process == .none || process == .requested {
                    violations.append("signal to \(group) after its report")
                }
                if case .killGroup = action { isKilled = true }
            case .schedule(let token, let deadline):
                if let latest = timers.last, token <= latest.token { violations.append("token used twice") }
                timers.append((token, deadline))
            case .report(let exit):
                if process != .dead { violations.append("report of a living process") }
                if exit.reason != .spawnFailed, !isKilled { violations.append("group left unswept") }
                reports += 1
                if exit.generation != reports { violations.append("report \(exit.generation) is number \(reports)") }
                process = .none
                isStdoutOpen = false
                isStderrOpen = false
            }
        }
    }
}
