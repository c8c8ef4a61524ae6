// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import NIOCore
import NIOPosix
import SeededRandom
import Upstream

/// What a child told its delegate and the sink, in order.
enum Signal: Sendable {
    case started(generation: Int)
    case line(ByteBuffer)
    case oversize(Int)
    case writable
    case exited(Event.UpstreamExit)
    case event(Event)
}

/// Records on the loop, for a test to wait on elsewhere.
final class Recorder: ChildDelegate, EventSink {
    private let continuation: AsyncStream<Signal>.Continuation
    /// Called on the loop when a process runs; a place to act without a detour.
    let onStart: (@Sendable (Child) -> Void)?
    let onLine: (@Sendable (Child, ByteBuffer) -> Void)?

    init(
        _ continuation: AsyncStream<Signal>.Continuation,
        onStart: (@Sendable (Child) -> Void)?,
        onLine: (@Sendable (Child, ByteBuffer) -> Void)?
    ) {
        self.continuation = continuation
        self.onStart = onStart
        self.onLine = onLine
    }

    func childStarted(_ child: Child, generation: Int) {
        continuation.yield(.started(generation: generation))
        onStart?(child)
    }

    func child(_ child: Child, received line: Line) {
        switch line {
        case .message(let bytes):
            if let onLine { onLine(child, bytes) } else { continuation.yield(.line(bytes)) }
        case .oversize(_, let bytes): continuation.yield(.oversize(bytes))
        }
    }

    func childBecameWritable(_ child: Child) { continuation.yield(.writable) }
    func childExited(_ child: Child, _ exit: Event.UpstreamExit) { continuation.yield(.exited(exit)) }
    func emit(_ event: Event) { continuation.yield(.event(event)) }
}

struct StreamEnded: Error {}

/// A child on its event loop, seen from a test.
actor Probe {
    let eventLoop: any EventLoop
    private nonisolated let child: NIOLoopBound<Child>
    private nonisolated let recorder: Recorder
    private var signals: AsyncStream<Signal>.Iterator
    private(set) var events: [Event] = []

    static func make(
        _ command: Command,
        options: ChildOptions = ChildOptions(),
        spawner: Spawner,
        onStart: (@Sendable (Child) -> Void)? = nil,
        onLine: (@Sendable (Child, ByteBuffer) -> Void)? = nil
    ) async throws -> Probe {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (stream, continuation) = AsyncStream<Signal>.makeStream()
        let recorder = Recorder(continuation, onStart: onStart, onLine: onLine)
        let child = try await loop.submit {
            NIOLoopBound(
                Child(
                    link: 1,
                    command: command,
                    options: options,
                    eventLoop: loop,
                    spawner: spawner,
                    sink: recorder,
                    delegate: recorder,
                    generator: SeededGenerator(seed: 1)
                ),
                eventLoop: loop
            )
        }.get()
        return Probe(eventLoop: loop, child: child, recorder: recorder, signals: stream.makeAsyncIterator())
    }

    private init(
        eventLoop: any EventLoop,
        child: NIOLoopBound<Child>,
        recorder: Recorder,
        signals: sending AsyncStream<Signal>.Iterator
    ) {
        self.eventLoop = eventLoop
        self.child = child
        self.recorder = recorder
        self.signals = signals
    }

    /// Does something to the child, on its loop.
    nonisolated func run<T: Sendable>(_ body: @escaping @Sendable (Child) -> T) async throws -> T {
        try await eventLoop.submit { [child] in body(child.value) }.get()
    }

    /// Waits for the next signal `pick` wants; what comes before it is passed over, events are kept.
    func next<T: Sendable>(_ pick: @Sendable (Signal) -> T?) async throws -> T {
        while true {
            var iterator = signals
            guard let signal = await iterator.next(isolation: self) else { throw StreamEnded() }
            signals = iterator
            if case .event(let event) = signal { events.append(event) }
            if let picked = pick(signal) { return picked }
        }
    }

    func nextStart() async throws -> Int {
        try await next { if case .started(let generation) = $0 { generation } else { nil } }
    }

    func nextPid() async throws -> Int32 {
        try await next { if case .event(.upstreamStarted(_, _, let pid)) = $0 { pid } else { nil } }
    }

    func nextLine() async throws -> String {
        try await next { if case .line(let line) = $0 { String(buffer: line) } else { nil } }
    }

    func nextExit() async throws -> Event.UpstreamExit {
        try await next { if case .exited(let exit) = $0 { exit } else { nil } }
    }

    /// Stops the child for good, by force, and waits until it is gone.
    func end() async throws {
        while try await run({
            $0.kill(); return !$0.isStopped
        }) { _ = try await nextExit() }
    }
}

/// Runs a spawner and one child, started, for the length of `body`.
func withChild(
    _ command: Command,
    options: ChildOptions = ChildOptions(),
    onStart: (@Sendable (Child) -> Void)? = nil,
    onLine: (@Sendable (Child, ByteBuffer) -> Void)? = nil,
    body: (Probe) async throws -> Void
) async throws {
    let spawner = Spawner()
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await spawner.run() }
        let probe = try await Probe.make(command, options: options, spawner: spawner, onStart: onStart, onLine: onLine)
        try await probe.run { $0.start() }
        try await body(probe)
        try await probe.end()
        group.cancelAll()
    }
}

extension Command {
    static func shell(_ script: String) -> Command {
        Command(program: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"])
    }

    static let cat = Command(program: "cat", environment: ["PATH": "/usr/bin:/bin"])
}
