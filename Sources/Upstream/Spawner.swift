// SPDX-License-Identifier: Apache-2.0

import Events
import Glibc
import NIOCore
import ServiceLifecycle
import Subprocess
import SystemPackage

/// The service whose tasks start processes and wait for their ends, and do what is left to do after them.
///
/// Each process has one task, which suspends for as long as the process lives. List it first among the services, so
/// that it is shut down last, when every `Child` has been stopped: the graceful shutdown of a spawner kills the group
/// of each process that is still there, rather than leave an orphan.
package final class Spawner: Service, Sendable {
    private enum Request: Sendable {
        case process(SpawnRequest)
        case chore(@Sendable () async -> Void)
        case progress(CheckedContinuation<Void, Never>)
    }

    private let requests: AsyncStream<Request>
    private let continuation: AsyncStream<Request>.Continuation
    private let outOfMemory = OutOfMemoryWatch()

    package init() {
        (requests, continuation) = AsyncStream.makeStream()
    }

    /// Serves until it is shut down gracefully or cancelled, and every process has been reaped.
    package func run() async {
        await cancelWhenGracefulShutdown { [requests, outOfMemory] in
            await withDiscardingTaskGroup { group in
                for await request in requests {
                    switch request {
                    case .process(let request): group.addTask { await request.run(outOfMemory) }
                    case .chore(let chore): group.addTask { await chore() }
                    case .progress(let waiter): waiter.resume()
                    }
                }
            }
        }
        continuation.finish()
    }

    /// Starts a process. Its fate is told on the request's event loop, never before this returns.
    func submit(_ request: SpawnRequest) {
        if case .terminated = continuation.yield(.process(request)) { request.refuse() }
    }

    /// Has something done that no process waits for. The shutdown cancels it; after that it is not begun.
    func submit(chore: @escaping @Sendable () async -> Void) { continuation.yield(.chore(chore)) }

    /// Returns once everything submitted before has been taken up: proof that processes would still be started. At
    /// once when it is shut down.
    package func makeProgress() async {
        await withCheckedContinuation { waiter in
            if case .terminated = continuation.yield(.progress(waiter)) { waiter.resume() }
        }
    }
}

/// How a process ended, as the operating system tells it.
package enum Termination: Sendable, Equatable {
    case exited(status: Int32)
    case signalled(Int32)
    /// The kernel killed it for want of memory; or a process that it was a mere wrapper of, as it says by this status.
    case outOfMemory(status: Int32?)
    /// It is gone, but its status could not be had.
    case unknown

    /// The status it exited with; nil when it did not.
    var status: Int32? {
        switch self {
        case .exited(let status): status
        case .outOfMemory(let status): status
        case .signalled, .unknown: nil
        }
    }

    /// The number of the signal that ended it; nil when none did.
    var signal: Int32? {
        switch self {
        case .signalled(let number): number
        case .outOfMemory(let status): status == nil ? SIGKILL : nil
        case .exited, .unknown: nil
        }
    }
}

/// One process to start.
struct SpawnRequest: Sendable {
    /// What becomes of it: `spawned`, then `exited`; or `failed`.
    enum Report: Sendable {
        /// - Parameter container: What it runs in, if the command runs a container.
        case spawned(pid: Int32, container: Event.ContainerStarted?)
        case failed(ExitReason, detail: String?)
        case exited(Termination)
    }

    /// The container that the command runs.
    struct Container: Sendable {
        let keeper: ContainerKeeper
        let slot: ContainerSlot
        let link: Int
        let generation: Int
    }

    let command: Command
    let container: Container?
    /// The child's ends of the pipes, owned by the request.
    let pipes: ChildPipes.Ends
    let eventLoop: any EventLoop
    /// Called on the event loop.
    let report: @Sendable (Report) -> Void

    func run(_ outOfMemory: OutOfMemoryWatch) async {
        // The process must not be born just to be killed: what it does first may outlive it.
        guard !Task.isCancelled else { return refuse() }
        guard let container else { return await run(command, outOfMemory) }
        let preparation = await container.slot.prepare(generation: container.generation) {
            do throws(ContainerFault) {
                return .success(
                    try await container.keeper.prepare(link: container.link, generation: container.generation)
                )
            } catch {
                return .failure(error)
            }
        }
        guard !Task.isCancelled else { return refuse() }
        switch preparation {
        case .success(let prepared):
            await run(container, prepared)
        case .failure(let fault):
            pipes.close()
            tell(.failed(fault.reason, detail: fault.detail))
        }
    }

    private func run(_ command: Command, _ outOfMemory: OutOfMemoryWatch) async {
        var counter: String?
        let termination = await process(command, container: nil) { counter = outOfMemory.started(pid: $0) }
        guard let termination else { return }
        tell(.exited(outOfMemory.ended(termination, counter: counter)))
    }

    private func run(_ container: Container, _ prepared: ContainerKeeper.Prepared) async {
        let keeper = container.keeper
        let termination = await process(prepared.command, container: prepared.facts) { _ in }
        if let termination {
            // To the end, even when the proxy is shutting down.
            tell(.exited(await Task { await keeper.ended(termination, start: prepared.start) }.value))
        }
        await container.slot.release { await keeper.release(prepared.start, after: termination ?? .unknown) }
    }

    /// Runs the process to its end. Nil when it could not be started, which has been told then.
    private func process(
        _ command: Command,
        container: Event.ContainerStarted?,
        started: (Int32) -> Void
    ) async -> Termination? {
        var pid: Int32?
        do {
            let result = try await Subprocess.run(
                configuration(of: command),
                input: .fileDescriptor(pipes.stdin, closeAfterSpawningProcess: true),
                output: .fileDescriptor(pipes.stdout, closeAfterSpawningProcess: true),
                error: .fileDescriptor(pipes.stderr, closeAfterSpawningProcess: true)
            ) { execution in
                pid = execution.processIdentifier.value
                tell(.spawned(pid: execution.processIdentifier.value, container: container))
                started(execution.processIdentifier.value)
            }
            return switch result.terminationStatus {
            case .exited(let status): .exited(status: status)
            case .signaled(let signal): .signalled(signal)
            }
        } catch {
            guard let pid else {
                tell(.failed(.spawnFailed, detail: command.explain(error)))
                return nil
            }
            // Its exit could not be watched. Nobody could tell when it ends, so it ends now.
            _ = kill(-pid, SIGKILL)
            return .unknown
        }
    }

    /// Gives the request back unserved: the proxy is shutting down.
    func refuse() {
        pipes.close()
        tell(.failed(.spawnFailed, detail: "the proxy is shutting down"))
    }

    private func tell(_ report: Report) {
        let callback = self.report
        eventLoop.execute { callback(report) }
    }

    private func configuration(of command: Command) -> Configuration {
        var options = PlatformOptions()
        options.processGroupID = 0
        // Runs when the task is cancelled: SIGKILL to the whole group, at once.
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        let variables = command.environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        return Configuration(
            executable: command.program.contains("/")
                ? .path(FilePath(command.program)) : .name(command.program),
            arguments: Arguments(command.arguments),
            environment: .custom(Dictionary(variables, uniquingKeysWith: { $1 })),
            workingDirectory: command.workingDirectory.map { FilePath($0) },
            platformOptions: options
        )
    }
}
