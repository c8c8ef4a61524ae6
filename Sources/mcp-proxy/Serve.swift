// SPDX-License-Identifier: Apache-2.0

import Events
import Gateway
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Telemetry
import UnixSignals
import Upstream

/// Runs the proxy until SIGTERM or SIGINT. Returns the status to exit with.
func serve(_ configuration: Configuration) async -> Int32 {
    let stderr: StderrSink
    do {
        stderr = try StderrSink(format: configuration.logFormat, debug: configuration.isDebugging)
    } catch {
        write("\(Product.name): \(error)\n", to: 2)
        return ExitStatus.internalError.rawValue
    }
    if let warning = raiseFileDescriptorLimit(for: configuration) { write("\(Product.name): \(warning)\n", to: 2) }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let spawner = Spawner()
    let service = ProxyService(
        configuration: configuration,
        eventLoop: group.next(),
        spawner: spawner,
        sink: EventFanOut([stderr])
    )
    let services = ServiceGroup(
        configuration: .init(
            // Ended from the last to the first: the spawner outlives the children's orderly end.
            services: [
                .init(service: spawner), .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: Product.name) { _ in SwiftLogNoOpLogHandler() }
        )
    )
    var status = ExitStatus.ok
    var problem: String?
    do {
        try await services.run()
    } catch let error as BindError {
        status = .unavailable
        problem = "\(Product.name): \(error)"
    } catch {
        status = .internalError
        problem = "\(Product.name): \(error)"
    }
    try? await group.shutdownGracefully()
    stderr.shutdown()
    if let problem { write("\(problem)\n", to: 2) }
    return status.rawValue
}

/// The proxy as a service: made and ended on the event loop, where everything it owns lives.
private struct ProxyService: Service {
    let configuration: Configuration
    let eventLoop: any EventLoop
    let spawner: Spawner
    let sink: EventFanOut

    func run() async throws {
        let proxy = try await eventLoop.submit {
            NIOLoopBound(
                Proxy(configuration, eventLoop: eventLoop, spawner: spawner, sink: sink),
                eventLoop: eventLoop
            )
        }.get()
        try await eventLoop.flatSubmit { proxy.value.start() }.get()
        do {
            try await gracefulShutdown()
        } catch {
            try await eventLoop.submit { proxy.value.abandon() }.get()
            throw error
        }
        try await eventLoop.flatSubmit { proxy.value.stop() }.get()
    }
}
