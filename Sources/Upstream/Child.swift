// SPDX-License-Identifier: Apache-2.0

package import Events
import Glibc
import JSONRPC
package import NIOCore
import NIOPosix
import SystemPackage

/// One supervised child slot ("link"): at most one process at a time, restarted by policy.
///
/// Confined to its event loop: every method and property. The thin shell around `ChildLifecycle`, which decides; this
/// owns the pipes as channels of the loop, sends the signals and sets the timer. Emits `upstreamStarting`,
/// `upstreamStarted`, `upstreamStderr` and `upstreamStderrSuppressed`.
package final class Child {
    /// The number of the slot, as events name it.
    package let link: Int

    private let command: Command
    /// Nil when the command does not run a container.
    private let containers: ContainerKeeper?
    private let slot = ContainerSlot()
    private let options: ChildOptions
    private let eventLoop: any EventLoop
    private let spawner: Spawner
    private let sink: any EventSink
    private weak var delegate: (any ChildDelegate)?

    private var lifecycle: ChildLifecycle {
        didSet { eventLoop.assertInEventLoop() }
    }
    private var timer: Scheduled<Void>?

    /// The proxy's ends of the pipes of a process that is being started.
    private var pendingPipes: ChildPipes.Ends?
    private var stdin: (any Channel)?
    private var stdout: (any Channel)?
    private var stderr: (any Channel)?
    private var stdoutHandler: StandardOutputHandler?
    private var isFlushScheduled = false
    private var stderrLog: StderrLog
    private var suppressionTimer: Scheduled<Void>?

    /// - Parameters:
    ///   - containers: Who looks after the containers of the command, if it runs one.
    ///   - delegate: Held weakly.
    ///   - generator: Where the jitter of restarts comes from.
    package init(
        link: Int,
        command: Command,
        containers: ContainerKeeper? = nil,
        options: ChildOptions = ChildOptions(),
        eventLoop: any EventLoop,
        spawner: Spawner,
        sink: any EventSink,
        delegate: any ChildDelegate,
        generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.link = link
        self.command = command
        self.containers = containers
        self.options = options
        self.eventLoop = eventLoop
        self.spawner = spawner
        self.sink = sink
        self.delegate = delegate
        var patience = ChildLifecycle.Patience()
        patience.stopGrace = options.stopGrace
        patience.termGrace = options.termGrace
        lifecycle = ChildLifecycle(
            patience: patience,
            policy: RestartPolicy(options.restart, generator: generator)
        )
        stderrLog = StderrLog(options.stderr, now: .now())
    }

    // MARK: The owner's side

    /// Starts the child; ignored unless `isStopped`.
    package func start() {
        perform(lifecycle.start())
    }

    /// Writes one or several whole lines, each with its newline. Writes of one loop tick leave together.
    ///
    /// Takes everything: `isWritable` tells when to hold back. Without a process, or after `stop`, the line is dropped.
    /// - Parameter failed: Called, on the loop and before the exit is reported, when the line did not get to the
    ///   process: not all of it was written, so no process can have read it as a line.
    package func write(_ line: ByteBuffer, failed: (() -> Void)? = nil) {
        guard lifecycle.isServing, let stdin else {
            failed?()
            return
        }
        if let failed {
            let promise = stdin.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenFailure { _ in failed() }
            stdin.write(line, promise: promise)
        } else {
            stdin.write(line, promise: nil)
        }
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.assumeIsolated().execute { [weak self] in
            self?.flush()
        }
    }

    /// Whether a process runs that keeps up with its stdin: less than 256 KiB wait beside what the pipe holds. False for
    /// good when the process closed its stdin; it is not ended for that, silence is for the owner to judge.
    package var isWritable: Bool {
        // A closed channel still calls itself writable.
        guard lifecycle.isServing, let stdin, stdin.isActive else { return false }
        return stdin.isWritable
    }

    /// Bytes that wait for the process to read its stdin, beside what the pipe holds.
    package var stdinBufferedBytes: Int {
        stdin.flatMap { try? $0.syncOptions?.getOption(.bufferedWritableBytes) } ?? 0
    }

    /// Whether there is no process and none will be started: before `start`, and after `stop` or `kill` once the exit
    /// was reported. A child that waits to be restarted is stopped at once and has no further exit to report, so look
    /// here after `stop` before waiting for one.
    package var isStopped: Bool { lifecycle.isStopped }

    /// The number of the latest start, counted from 1; 0 before the first.
    package var generation: Int { lifecycle.generation }

    /// The handshake is done. From here on the run can become a healthy one (see `RestartPolicy`).
    package func confirmReady() {
        lifecycle.ready(now: .now())
    }

    /// Kills the process group now, which counts as an exit with this reason, and restarts by policy. Ignored when the
    /// process is ending already.
    package func fail(_ reason: ExitReason, detail: String?) {
        perform(lifecycle.fail(reason, detail: detail))
    }

    /// Ends the child for good: closes stdin, then SIGTERM, then SIGKILL to the group.
    ///
    /// The exit is reported with the plan `none`, as `stopped` unless the process was ending for another reason before.
    /// See `isStopped` for the case that there is no process.
    package func stop() {
        perform(lifecycle.stop(now: .now()))
    }

    /// Ends the child for good and at once: SIGKILL to the group.
    package func kill() {
        perform(lifecycle.kill(now: .now()))
    }

    // MARK: The channels' side

    /// Whether lines of this start are still wanted: until its exit is reported.
    func accepts(generation: Int) -> Bool {
        generation == lifecycle.generation && stdout != nil
    }

    func received(_ line: Line) {
        delegate?.child(self, received: line)
    }

    func stdoutClosed(generation: Int) {
        perform(lifecycle.stdoutClosed(generation: generation, now: .now()))
    }

    func receivedStderr(_ chunk: ByteBuffer, generation: Int) {
        guard accepts(generation: generation) else { return }
        stderrLog.append(chunk, now: .now(), emit: emitStderr)
        if stderrLog.isSuppressing, suppressionTimer == nil {
            suppressionTimer = eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
                self?.emitSuppressed()
            }
        }
    }

    func stderrClosed(generation: Int) {
        perform(lifecycle.stderrClosed(generation: generation, now: .now()))
    }

    func stdinBecameWritable(generation: Int) {
        guard generation == lifecycle.generation, isWritable else { return }
        delegate?.childBecameWritable(self)
    }

    // MARK: The lifecycle's effects

    private func perform(_ actions: [ChildLifecycle.Action]) {
        for action in actions {
            switch action {
            case .spawn(let generation):
                spawn(generation: generation)
            case .abandonSpawn(let generation):
                slot.abandon(generation: generation)
            case .started(let pid, let wanted):
                started(pid: pid, wanted: wanted)
            case .closeStdin:
                closeStdin()
            case .terminateGroup(let group):
                signal(SIGTERM, group: group)
            case .killGroup(let group):
                signal(SIGKILL, group: group)
            case .schedule(let token, let deadline):
                schedule(token: token, at: deadline)
            case .report(let exit):
                report(exit)
            }
        }
    }

    private func spawn(generation: Int) {
        sink.emit(
            .upstreamStarting(
                link: link,
                generation: generation,
                program: command.program,
                argumentCount: command.arguments.count
            )
        )
        stderrLog = StderrLog(options.stderr, now: .now())
        let pipes: ChildPipes
        do {
            pipes = try ChildPipes()
        } catch {
            let detail = "no pipes for '\(command.program)': \(error); raise LimitNOFILE"
            return perform(lifecycle.spawnFailed(generation: generation, detail: detail, now: .now()))
        }
        pendingPipes = pipes.parent
        // Holds on to the child until the process is reaped, so that no process is without its supervisor.
        let child = NIOLoopBound(self, eventLoop: eventLoop)
        let slot = self.slot
        let link = self.link
        let container = containers.map {
            SpawnRequest.Container(keeper: $0, slot: slot, link: link, generation: generation)
        }
        spawner.submit(
            SpawnRequest(command: command, container: container, pipes: pipes.child, eventLoop: eventLoop) { report in
                child.value.spawner(reported: report, generation: generation)
            }
        )
    }

    private func spawner(reported report: SpawnRequest.Report, generation: Int) {
        switch report {
        case .spawned(let pid, let container):
            perform(lifecycle.spawned(generation: generation, pid: pid, now: .now()))
            if let container { sink.emit(.containerStarted(container)) }
        case .failed(let reason, let detail):
            pendingPipes?.close()
            pendingPipes = nil
            perform(lifecycle.spawnFailed(generation: generation, reason: reason, detail: detail, now: .now()))
        case .exited(let termination):
            perform(lifecycle.exited(generation: generation, termination, now: .now()))
        }
    }

    private func started(pid: Int32, wanted: Bool) {
        sink.emit(.upstreamStarted(link: link, generation: generation, pid: pid))
        openChannels()
        if wanted { delegate?.childStarted(self, generation: generation) }
    }

    /// Sends a signal to a process group; a group without members is no error.
    ///
    /// Why this can't hit a stranger although the group's leader may already have been reaped, on another thread: the
    /// kernel does not reuse a number while a group of that id has a member. If the group is empty, the number comes
    /// round again only after all others were used (`pid_max`, 32 768 or more), and the last signal is sent within
    /// `Patience.drain` of the exit.
    private func signal(_ number: Int32, group: Int32) {
        _ = Glibc.kill(-group, number)
    }

    private func schedule(token: Int, at deadline: NIODeadline) {
        timer?.cancel()
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            guard let self else { return }
            self.perform(self.lifecycle.deadline(token: token, now: .now()))
        }
    }

    private func report(_ exit: ChildLifecycle.Exit) {
        stdoutHandler?.finish()
        stderrLog.finish(now: .now(), emit: emitStderr)
        emitSuppressed()
        closeChannels()
        var signal = exit.termination?.signal
        var reason = exit.reason
        var detail = exit.detail
        if let ending = containers?.ending(of: exit, stderr: stderrLog.tail) {
            (reason, detail) = (ending.reason, ending.detail)
            signal = ending.signal ?? signal
        }
        delegate?.childExited(
            self,
            Event.UpstreamExit(
                link: link,
                generation: exit.generation,
                reason: reason,
                status: exit.termination?.status,
                signal: signal,
                detail: detail,
                uptimeMilliseconds: exit.uptimeMilliseconds,
                stderrTail: stderrLog.tail,
                plan: exit.plan
            )
        )
    }

    private func emitStderr(_ entry: StderrLog.Entry) {
        sink.emit(.upstreamStderr(link: link, line: entry.line, truncated: entry.isTruncated))
    }

    private func emitSuppressed() {
        suppressionTimer?.cancel()
        suppressionTimer = nil
        let lines = stderrLog.takeSuppressed()
        if lines > 0 { sink.emit(.upstreamStderrSuppressed(link: link, lines: lines)) }
    }
}

// MARK: - Channels

extension Child {
    /// Puts the proxy's ends of the pipes on the event loop, each as a channel of its own: the end of one direction
    /// says nothing about the others.
    private func openChannels() {
        guard let pipes = pendingPipes else { return }
        pendingPipes = nil
        let output = StandardOutputHandler(child: self, generation: generation, maxLine: options.maxLine)
        stdoutHandler = output
        // Small answers leave the buffers small; a large one makes them grow to what the pipe holds.
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 16 << 10, maximum: 1 << 20)
        let marks = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)
        open(\.stdin, handler: StandardInputHandler(child: self, generation: generation)) {
            $0.channelOption(.writeBufferWaterMark, value: marks)
                .takingOwnershipOfDescriptor(output: pipes.stdin.rawValue)
        }
        open(\.stderr, handler: StandardErrorHandler(child: self, generation: generation)) {
            $0.channelOption(.recvAllocator, value: allocator)
                .takingOwnershipOfDescriptor(input: pipes.stderr.rawValue)
        }
        open(\.stdout, handler: output) {
            $0.channelOption(.recvAllocator, value: allocator)
                .takingOwnershipOfDescriptor(input: pipes.stdout.rawValue)
        }
    }

    /// On the loop itself a pipe bootstrap finishes before it returns, so nothing is read before its handler is there
    /// and nothing is written before the channel is known.
    private func open(
        _ channel: ReferenceWritableKeyPath<Child, (any Channel)?>,
        handler: some ChannelHandler,
        connect: (NIOPipeBootstrap) -> EventLoopFuture<any Channel>
    ) {
        let handler = NIOLoopBound(handler, eventLoop: eventLoop)
        let bootstrap = NIOPipeBootstrap(group: eventLoop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(handler.value)
            }
        }
        connect(bootstrap).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let opened):
                self[keyPath: channel] = opened
            case .failure(let error):
                self.fail(.spawnFailed, detail: "its pipes can't be watched: \(error)")
            }
        }
    }

    private func flush() {
        isFlushScheduled = false
        stdin?.flush()
    }

    /// Closes stdin when what was written before is out, so that no line is cut.
    private func closeStdin() {
        guard let stdin else { return }
        stdin.writeAndFlush(ByteBuffer()).whenComplete { _ in
            stdin.close(promise: nil)
        }
    }

    private func closeChannels() {
        for channel in [stdin, stdout, stderr] {
            channel?.close(promise: nil)
        }
        stdin = nil
        stdout = nil
        stderr = nil
        stdoutHandler = nil
    }
}
