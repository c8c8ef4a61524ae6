// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Events
import Gateway
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Telemetry
import Tracing
import UnixSignals
import Upstream

/// Runs the proxy until SIGTERM or SIGINT. SIGHUP reloads, SIGUSR2 replaces the child. Returns the status to exit with.
///
/// - Parameter surroundings: Read again on SIGHUP.
func serve(_ resolution: Resolution, _ surroundings: Surroundings) async -> Int32 {
    // Until the proxy takes them as wishes, the signals must not end the process.
    signal(SIGHUP, SIG_IGN)
    signal(SIGUSR2, SIG_IGN)
    let warn = { (line: String) in write("\(Product.name): \(line)\n", to: 2) }
    let configuration = resolution.configuration
    if let warning = raiseFileDescriptorLimit(for: configuration) { warn(warning) }
    let slowWork = NIOThreadPool(numberOfThreads: 1)
    slowWork.start()
    let group: MultiThreadedEventLoopGroup
    let instruments: Instruments
    let sockets: InheritedSockets
    do {
        sockets = try InheritedSockets(environment: surroundings.environment)
        let unit = InstanceName.unitName(inControlGroup: (try? surroundings.read("/proc/self/cgroup")) ?? "")
        let metrics = try MetricsSink(configuration.facts(unit: unit), histograms: configuration.histograms)
        MetricsSystem.bootstrap(LibraryMetrics(metrics.registry))
        group =
            configuration.hasTelemetry
            ? MultiThreadedEventLoopGroup(
                numberOfThreads: 1,
                metricsDelegate: EventLoopTicks(telemetry: metrics.telemetry)
            ) : MultiThreadedEventLoopGroup(numberOfThreads: 1)
        instruments = try Instruments(
            configuration,
            surroundings,
            metrics: metrics,
            eventLoop: group.next(),
            slowWork: slowWork
        )
    } catch let error as ConfigurationError {
        write("\(error.line)\n", to: 2)
        return error.status.rawValue
    } catch {
        warn("\(error)")
        return ExitStatus.internalError.rawValue
    }
    let (status, problem) = await run(resolution, surroundings, instruments, sockets, on: group.next())
    await instruments.tracing?.flush()
    try? await group.shutdownGracefully()
    try? await slowWork.shutdownGracefully()
    instruments.shutDown()
    if let problem { warn(problem) }
    return status.rawValue
}

/// Runs the services, from the first to the last to start.
private func run(
    _ resolution: Resolution,
    _ surroundings: Surroundings,
    _ instruments: Instruments,
    _ sockets: InheritedSockets,
    on eventLoop: any EventLoop
) async -> (ExitStatus, problem: String?) {
    let spawner = Spawner()
    let proxy = ProxyService(
        resolution: resolution,
        surroundings: surroundings,
        instruments: instruments,
        sockets: sockets,
        eventLoop: eventLoop,
        spawner: spawner
    )
    // Ended from the last to the first: the spawner outlives the children's orderly end.
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
        .init(service: spawner), .init(service: proxy, successTerminationBehavior: .gracefullyShutdownGroup),
    ]
    if let watchdog = Watchdog(surroundings, eventLoop: eventLoop, spawner: spawner) {
        services.insert(.init(service: watchdog), at: 1)
    }
    let group = ServiceGroup(
        configuration: .init(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: Product.name) { _ in SwiftLogNoOpLogHandler() }
        )
    )
    do {
        try await group.run()
        return (.ok, nil)
    } catch let error as BindError {
        return (.unavailable, "\(error)")
    } catch {
        return (.internalError, "\(error)")
    }
}
