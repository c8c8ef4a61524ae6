// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import JSONRPC
import NIOCore
import Upstream

/// The children of the bridge's links, one `Child` each. Loop-confined.
final class Children: UpstreamPort, ChildDelegate {
    private let command: Command
    /// Nil when the command does not run a container.
    private var containers: ContainerKeeper?
    private let options: ChildOptions
    private let eventLoop: any EventLoop
    private let spawner: Spawner
    private let sink: any EventSink
    private var children: [Int: Child] = [:]
    private let startedAt = NIODeadline.now()
    private var wasReady = false
    /// Who is told; it owns this, so it is held weakly.
    weak var bridge: BridgeRuntime?

    /// - Parameter instance: The name of this proxy, which its containers carry.
    init(
        command: Command,
        instance: String,
        options: ChildOptions,
        eventLoop: any EventLoop,
        spawner: Spawner,
        sink: any EventSink
    ) {
        self.command = command
        self.options = options
        self.eventLoop = eventLoop
        self.spawner = spawner
        self.sink = sink
        guard let run = ContainerRun(program: command.program, arguments: command.arguments), run.isManageable else {
            return
        }
        let children = NIOLoopBound(self, eventLoop: eventLoop)
        containers = ContainerKeeper(run: run, command: command, instance: instance, spawner: spawner) { event in
            eventLoop.execute { children.value.keeperReported(event) }
        }
    }

    /// What the engine is known to do and to have; nil without containers.
    var engine: Readings.Engine? {
        containers.map { Readings.Engine(isUp: $0.isEngineUp ?? true, orphans: $0.orphans) }
    }

    private func keeperReported(_ event: Event) {
        switch event {
        case .imagePulling(let link, _, let image): bridge?.upstreamIsPulling(link: link, image: image)
        case .imagePulled(let link, _, _, _, _): bridge?.upstreamIsPulling(link: link, image: nil)
        default: break
        }
        sink.emit(event)
    }

    // MARK: What the bridge wants

    func start(link: Int) {
        let child = Child(
            link: link,
            command: command,
            containers: containers,
            options: options,
            eventLoop: eventLoop,
            spawner: spawner,
            sink: sink,
            delegate: self
        )
        children[link] = child
        child.start()
    }

    func write(link: Int, _ line: ByteBuffer, call: Int?) {
        guard let call else { children[link]?.write(line); return }
        children[link]?.write(line) { [weak bridge] in bridge?.upstreamWriteFailed(link: link, call: call, line: line) }
    }

    /// Bytes that wait for children to read their stdin.
    var stdinBufferedBytes: Int { children.values.reduce(0) { $0 + $1.stdinBufferedBytes } }

    func isWritable(link: Int) -> Bool { children[link]?.isWritable ?? false }

    func confirmReady(link: Int) {
        children[link]?.confirmReady()
        guard !wasReady else { return }
        wasReady = true
        sink.emit(.proxyReady(afterMilliseconds: Int((NIODeadline.now() - startedAt).nanoseconds / 1_000_000)))
    }

    func fail(link: Int, _ reason: ExitReason, detail: String) { children[link]?.fail(reason, detail: detail) }

    func stop(link: Int) {
        guard let child = children[link] else { return }
        child.stop()
        // Between two processes there is no exit to wait for.
        guard child.isStopped else { return }
        children[link] = nil
        bridge?.upstreamStopped(link: link)
    }

    /// Ends every process at once.
    func killAll() {
        for child in children.values { child.kill() }
    }

    // MARK: What the children tell

    func childStarted(_ child: Child, generation: Int) {
        bridge?.upstreamStarted(link: child.link, generation: generation)
    }

    func child(_ child: Child, received line: Line) { bridge?.upstreamLine(link: child.link, line) }

    func childBecameWritable(_ child: Child) { bridge?.upstreamBecameWritable(link: child.link) }

    func childExited(_ child: Child, _ exit: Event.UpstreamExit) {
        if exit.plan == .none { children[child.link] = nil }
        bridge?.upstreamExited(exit)
    }
}
