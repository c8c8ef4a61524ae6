// SPDX-License-Identifier: Apache-2.0

import Journal
import NIOCore
import ServiceLifecycle
import Telemetry
import UnixSignals
import Upstream

/// The proxy as a service: made, reloaded and ended on the event loop, where everything it owns lives.
struct ProxyService: Service {
    let resolution: Resolution
    let surroundings: Surroundings
    let instruments: Instruments
    let sockets: InheritedSockets
    let eventLoop: any EventLoop
    let spawner: Spawner

    /// How long the configuration may take to be read again.
    private static let readingTimeout = TimeAmount.seconds(10)

    func run() async throws {
        // Before anybody is told that the proxy runs: from then on a reload may be asked for.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let replacements = await UnixSignalsSequence(trapping: .sigusr2)
        let proxy = try await eventLoop.submit {
            NIOLoopBound(
                Proxy(
                    resolution.configuration,
                    eventLoop: eventLoop,
                    spawner: spawner,
                    instruments: instruments,
                    sockets: sockets
                ),
                eventLoop: eventLoop
            )
        }.get()
        try await eventLoop.flatSubmit { proxy.value.start() }.get()
        do {
            try await serve(hangups, replacements, proxy)
        } catch {
            try await eventLoop.submit { proxy.value.abandon() }.get()
            throw error
        }
        try await eventLoop.flatSubmit { proxy.value.stop() }.get()
    }

    /// Reads the configuration again after a SIGHUP, has the child replaced after a SIGUSR2, and returns at the graceful
    /// shutdown. Signals that come while a reload is being carried out are one more.
    private func serve(
        _ hangups: UnixSignalsSequence,
        _ replacements: UnixSignalsSequence,
        _ proxy: NIOLoopBound<Proxy>
    ) async throws {
        let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { for await _ in hangups { wish.yield() } }
                group.addTask {
                    for await _ in replacements { eventLoop.execute { proxy.value.replaceChild() } }
                }
                var current = resolution
                for await _ in wishes { current = await reload(current, proxy) }
            }
        }
        try Task.checkCancellation()
    }

    private func reload(_ current: Resolution, _ proxy: NIOLoopBound<Proxy>) async -> Resolution {
        try? await eventLoop.submit { instruments.serviceManager?.reloadBegan() }.get()
        guard let outcome = await read(after: current) else { return current }
        try? await eventLoop.submit {
            proxy.value.reload(outcome, sockets: sockets)
            instruments.serviceManager?.reloadEnded()
        }.get()
        return (try? outcome.get().resolution) ?? current
    }

    /// Reads the files on a thread of its own, since they may lie where reading hangs; after a while nobody waits for it
    /// any more. Nil when the proxy is to end meanwhile.
    private func read(after current: Resolution) async -> Result<Reload, ConfigurationError>? {
        let read = eventLoop.makePromise(of: Result<Reload, ConfigurationError>?.self)
        do throws(WorkerThreadError) {
            try WorkerThread.start(for: "configuration") { [surroundings] in
                do throws(ConfigurationError) {
                    read.succeed(.success(try Reload(from: current, surroundings)))
                } catch {
                    read.succeed(.failure(error))
                }
            }
        } catch {
            read.succeed(.failure(ConfigurationError(.internalError, "\(error)", "reload again later")))
        }
        let timeout = eventLoop.scheduleTask(in: Self.readingTimeout) {
            let problem =
                "the configuration could not be read within \(Self.readingTimeout.nanoseconds / 1_000_000_000) s"
            read.succeed(.failure(ConfigurationError(.configuration, problem, "look at the files and their disk")))
        }
        defer { timeout.cancel() }
        return await withTaskCancellationHandler {
            (try? await read.futureResult.get()) ?? nil
        } onCancel: {
            read.succeed(nil)
        }
    }
}
