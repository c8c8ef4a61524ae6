// SPDX-License-Identifier: Apache-2.0

import Events
import Glibc
import NIOCore
import Testing
import Upstream

/// Real processes. Serialized, so that the limits on time are not put to the test by each other.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ChildProcessTests {
    @Test func echoRoundTrip() async throws {
        try await withChild(.cat) { (probe) async throws in
            #expect(try await probe.nextStart() == 1)
            for text in ["hello", "wörld", String(repeating: "x", count: 100_000)] {
                try await probe.run { $0.write(ByteBuffer(string: text + "\n")) }
                #expect(try await probe.nextLine() == text)
            }
            #expect(try await probe.run { $0.isWritable })
            try await probe.run { $0.stop() }
            let exit = try await probe.nextExit()
            #expect(exit.reason == .stopped)
            #expect(exit.status == 0)
            #expect(exit.plan == .none)
            #expect(try await probe.run { $0.isStopped && !$0.isWritable })
        }
    }

    @Test func writtenLinesPrecedeTheEndOfStdin() async throws {
        try await withChild(.cat) { (probe) async throws in
            _ = try await probe.nextStart()
            try await probe.run {
                for number in 0..<1000 { $0.write(ByteBuffer(string: "\(number)\n")) }
                $0.stop()
                $0.write(ByteBuffer(string: "too late\n"))
            }
            for number in 0..<1000 { #expect(try await probe.nextLine() == "\(number)") }
            #expect(try await probe.nextExit().status == 0)
        }
    }

    @Test func exitStatusLastLineAndTail() async throws {
        try await withChild(.shell("echo one; printf two; echo oh >&2; printf dear >&2; exit 3")) {
            (probe) async throws in
            #expect(try await probe.nextLine() == "one")
            #expect(try await probe.nextLine() == "two")
            let exit = try await probe.nextExit()
            #expect(exit.reason == .exit)
            #expect(exit.status == 3)
            #expect(exit.signal == nil)
            #expect(exit.stderrTail == "oh\ndear")
            #expect(exit.generation == 1)
            guard case .restart(let delay, 2) = exit.plan else {
                Issue.record("plan \(exit.plan)")
                return
            }
            #expect((80...120).contains(delay))
            let names = await probe.events.map { event in
                switch event {
                case .upstreamStarting(1, 1, "/bin/sh", 2): "starting"
                case .upstreamStarted(1, 1, _): "started"
                case .upstreamStderr(1, let line, false): line
                default: "unexpected"
                }
            }
            #expect(names == ["starting", "started", "oh", "dear"])
        }
    }

    @Test func killedBySignal() async throws {
        try await withChild(.shell("kill -SEGV $$")) { (probe) async throws in
            let exit = try await probe.nextExit()
            #expect(exit.reason == .signal)
            #expect(exit.signal == SIGSEGV)
            #expect(exit.status == nil)
        }
    }

    @Test func comesStraightBackAfterKill() async throws {
        var options = ChildOptions()
        options.restart.healthyAfter = .nanoseconds(0)
        try await withChild(.cat, options: options, onStart: { $0.confirmReady() }) { (probe) async throws in
            for generation in 1...20 {
                let pid = try await probe.nextPid()
                #expect(try await probe.nextStart() == generation)
                kill(pid, SIGKILL)
                let killed = NIODeadline.now()
                #expect(try await probe.nextExit().signal == SIGKILL)
                #expect(NIODeadline.now() - killed < .milliseconds(100))
            }
            let killed = NIODeadline.now()
            _ = try await probe.nextStart()
            try await probe.run { $0.write(ByteBuffer(string: "again\n")) }
            #expect(try await probe.nextLine() == "again")
            #expect(NIODeadline.now() - killed < .milliseconds(250))
        }
    }

    @Test func grandchildHoldingStdoutIsKilled() async throws {
        try await withChild(.shell("sleep 1000 & echo $!; exit 0")) { (probe) async throws in
            let pid = try await probe.nextPid()
            let grandchild = try #require(Int32(try await probe.nextLine()))
            #expect(stat(grandchild)?.group == pid)
            let printed = NIODeadline.now()
            let exit = try await probe.nextExit()
            #expect(NIODeadline.now() - printed < .milliseconds(200))
            #expect(exit.reason == .exit)
            #expect(exit.status == 0)
            await untilGone(group: pid)
        }
    }

    @Test func ignoresEndOfStdinAndTerm() async throws {
        var options = ChildOptions()
        options.stopGrace = .milliseconds(100)
        options.termGrace = .milliseconds(100)
        let script = "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done"
        try await withChild(.shell(script), options: options) { (probe) async throws in
            let pid = try await probe.nextPid()
            _ = try await probe.nextLine()
            let asked = NIODeadline.now()
            try await probe.run { $0.stop() }
            let exit = try await probe.nextExit()
            let took = NIODeadline.now() - asked
            #expect(exit.reason == .stopped)
            #expect(exit.signal == SIGKILL)
            #expect(took >= .milliseconds(200))
            #expect(took < .milliseconds(1000))
            await untilGone(group: pid)
        }
    }

    @Test func yieldsToTerm() async throws {
        var options = ChildOptions()
        options.stopGrace = .milliseconds(20)
        try await withChild(.shell("exec sleep 1000"), options: options) { (probe) async throws in
            _ = try await probe.nextStart()
            try await probe.run { $0.stop() }
            let exit = try await probe.nextExit()
            #expect(exit.reason == .stopped)
            #expect(exit.signal == SIGTERM)
        }
    }

    @Test func stdoutClosedWhileAlive() async throws {
        try await withChild(.shell("exec 1>&-; sleep 1000")) { (probe) async throws in
            let exit = try await probe.nextExit()
            #expect(exit.reason == .stdoutClosed)
            #expect(exit.signal == SIGKILL)
        }
    }

    @Test func stdinClosedWhileAlive() async throws {
        // Nothing happens but that the child gets no more to read; writing to it must harm nobody.
        try await withChild(.shell("exec 0<&-; echo closed; sleep 1000")) { (probe) async throws in
            #expect(try await probe.nextLine() == "closed")
            for _ in 0..<10 { try await probe.run { $0.write(ByteBuffer(repeating: 10, count: 100_000)) } }
            while try await probe.run({ $0.isWritable }) { await Task.yield() }
            try await probe.run { $0.fail(.unresponsive, detail: "silent") }
            let exit = try await probe.nextExit()
            #expect(exit.reason == .unresponsive)
            #expect(exit.detail == "silent")
        }
    }

    @Test func stderrFloodDoesNotBlock() async throws {
        let script = "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 99 >&2; echo done; read line"
        try await withChild(.shell(script)) { (probe) async throws in
            #expect(try await probe.nextLine() == "done")
            try await probe.run { $0.stop() }
            let exit = try await probe.nextExit()
            #expect((1000...2048).contains(exit.stderrTail.utf8.count))
            var lines = 0
            var suppressed = 0
            for event in await probe.events {
                switch event {
                case .upstreamStderr: lines += 1
                case .upstreamStderrSuppressed(_, let count): suppressed += count
                default: break
                }
            }
            #expect(lines >= 500)
            #expect(lines < 5000)
            #expect(lines + suppressed == (100_000_000 + 98) / 99)
        }
    }

    @Test func childThatNeverReadsMakesItUnwritable() async throws {
        try await withChild(.shell("sleep 1000")) { (probe) async throws in
            _ = try await probe.nextStart()
            let line = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
            #expect(try await probe.run { $0.isWritable })
            var written = 0
            while try await probe.run({ $0.isWritable }) {
                try await probe.run { $0.write(line) }
                written += line.readableBytes
                try #require(written < 4 << 20)
            }
            #expect(written > 64 << 10)
        }
    }

    @Test func becomesWritableAgain() async throws {
        try await withChild(.shell("read line; exec cat >/dev/null")) { (probe) async throws in
            _ = try await probe.nextStart()
            let line = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
            while try await probe.run({ $0.isWritable }) { try await probe.run { $0.write(line) } }
            try await probe.run { $0.write(ByteBuffer(string: "\n")) }
            try await probe.next { if case .writable = $0 { () } else { nil } }
            #expect(try await probe.run { $0.isWritable })
        }
    }

    @Test func hugeLine() async throws {
        try await withChild(.shell("head -c 16777216 /dev/zero | tr '\\0' x; echo; echo after; read line")) {
            (probe) async throws in
            let length = try await probe.next { if case .line(let line) = $0 { line.readableBytes } else { nil } }
            #expect(length == 16_777_216)
            #expect(try await probe.nextLine() == "after")
        }
    }

    @Test func oversizeLineCostsOnlyItself() async throws {
        var options = ChildOptions()
        options.maxLine = 1000
        let script = "head -c 1001 /dev/zero | tr '\\0' x; echo; echo after; read line"
        try await withChild(.shell(script), options: options) { (probe) async throws in
            #expect(try await probe.next { if case .oversize(let bytes) = $0 { bytes } else { nil } } == 1001)
            #expect(try await probe.nextLine() == "after")
        }
    }

    @Test func childInheritsNothing() async throws {
        let script = """
            ls /proc/self/fd | tr '\\n' ' '; echo
            grep -E 'SigIgn|SigBlk' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; echo
            read -r _ _ _ _ pgrp rest < /proc/self/stat; [ $pgrp = $$ ] && echo leader
            env | grep -v -E '^(PWD|SHLVL|_|OLDPWD)='; read line
            """
        try await withChild(.shell(script)) { (probe) async throws in
            // The fourth is the directory ls reads.
            #expect(try await probe.nextLine() == "0 1 2 3 ")
            // 32 and 33 are glibc's own, and its posix_spawn ignores them; the proxy's ignored SIGPIPE is 13.
            let line = try await probe.nextLine()
            let ignored = try #require(line.split(separator: ":").last.flatMap { UInt64($0.dropLast(), radix: 16) })
            #expect(line.hasPrefix("SigBlk:0000000000000000 SigIgn:"))
            #expect(ignored & ~0x1_8000_0000 == 0)
            #expect(try await probe.nextLine() == "leader")
            #expect(try await probe.nextLine() == "PATH=/usr/bin:/bin")
        }
    }

    @Test func noZombiesAndNoLeakedDescriptors() async throws {
        var options = ChildOptions()
        options.restart.firstMilliseconds = 0
        options.restart.maximumMilliseconds = 0
        try await withChild(.shell("exit 0"), options: options) { (probe) async throws in
            for _ in 0..<10 { _ = try await probe.nextExit() }
            let before = entries("/proc/self/fd").count
            for _ in 0..<100 { _ = try await probe.nextExit() }
            // Other tests run beside this one and have descriptors of their own.
            #expect(entries("/proc/self/fd").count - before < 50)
            try await probe.end()
            var pids: [Int32] = []
            for case .upstreamStarted(_, _, let pid) in await probe.events { pids.append(pid) }
            #expect(pids.count >= 110)
            #expect(pids.filter { stat($0)?.parent == getpid() } == [])
        }
    }

    @Test func manyChildrenAtOnce() async throws {
        let spawner = Spawner()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await spawner.run() }
            try await withThrowingTaskGroup(of: Void.self) { children in
                for number in 0..<50 {
                    children.addTask {
                        let probe = try await Probe.make(.cat, spawner: spawner)
                        try await probe.run { $0.start() }
                        _ = try await probe.nextStart()
                        try await probe.run { $0.write(ByteBuffer(string: "\(number)\n")) }
                        #expect(try await probe.nextLine() == "\(number)")
                        try await probe.run { $0.stop() }
                        #expect(try await probe.nextExit().reason == .stopped)
                    }
                }
                try await children.waitForAll()
            }
            group.cancelAll()
        }
    }

    @Test(arguments: [
        (Command(program: "no-such-program", environment: ["PATH": "/usr/bin:/bin"]), "not on PATH"),
        (Command(program: "/no/such/program"), "'/no/such/program' does not exist"),
        (Command(program: "/etc/passwd"), "chmod +x"),
        (Command(program: "/etc"), "is a directory"),
        (Command(program: "cat", workingDirectory: "/no/such/place"), "working directory '/no/such/place'"),
        (Command(program: "cat", environment: ["1A": "secret"]), "malformed"),
        (Command(program: "", environment: ["PATH": "/usr/bin:/bin"]), "''"),
    ])
    func spawnFailure(command: Command, clause: String) async throws {
        try await withChild(command) { (probe) async throws in
            let exit = try await probe.nextExit()
            #expect(exit.reason == .spawnFailed)
            #expect(exit.detail?.contains(clause) == true, "\(exit.detail ?? "no detail")")
            #expect(exit.detail?.contains("secret") != true)
            #expect(exit.plan != .none)
            #expect(try await probe.nextExit().generation == 2)
        }
    }

    @Test func workingDirectory() async throws {
        var command = Command.shell("pwd; read line")
        command.workingDirectory = "/usr"
        try await withChild(command) { (probe) async throws in
            #expect(try await probe.nextLine() == "/usr")
        }
    }

    @Test func cancelledSpawnerLeavesNoOrphan() async throws {
        let spawner = Spawner()
        let service = Task { await spawner.run() }
        let probe = try await Probe.make(.shell("trap '' TERM; sleep 1000 & echo $!; wait"), spawner: spawner)
        try await probe.run { $0.start() }
        let pid = try await probe.nextPid()
        _ = try await probe.nextLine()
        service.cancel()
        await service.value
        #expect(try await probe.nextExit().signal == SIGKILL)
        await untilGone(group: pid)
        // A start after that fails with a reason.
        #expect(try await probe.nextExit().detail == "the proxy is shutting down")
        try await probe.end()
    }
}

/// Returns when no member of the group lives; the time limit of the suite watches over it. SIGKILL takes effect a moment
/// after it was sent, and orphans wait for init to reap them, so zombies count as gone.
private func untilGone(group: Int32) async {
    while entries("/proc").contains(where: { name in
        guard let pid = Int32(name), let status = stat(pid) else { return false }
        return status.group == group && status.state != "Z"
    }) {
        await Task.yield()
    }
}

private func stat(_ pid: Int32) -> (state: String, parent: Int32, group: Int32)? {
    guard let text = contents("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 2, let parent = Int32(fields[1]), let group = Int32(fields[2]) else { return nil }
    return (String(fields[0]), parent, group)
}

private func contents(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer[..<count], as: UTF8.self)
}

private func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names
}
