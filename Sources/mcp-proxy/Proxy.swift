// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import Gateway
import NIOCore
import Telemetry
import Upstream

/// The rooms put together: gateway, bridge and children of one running proxy. Loop-confined.
final class Proxy {
    private var configuration: Configuration
    private let eventLoop: any EventLoop
    private let instruments: Instruments
    private let sink: any EventSink

    private let children: Children
    private let bridge: BridgeRuntime
    private let gateway: Gateway

    init(
        _ configuration: Configuration,
        eventLoop: any EventLoop,
        spawner: Spawner,
        instruments: Instruments,
        sockets: InheritedSockets
    ) {
        let sink = instruments.sink
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.instruments = instruments
        self.sink = sink
        self.children = Children(
            command: configuration.child,
            instance: configuration.name,
            options: configuration.childOptions,
            eventLoop: eventLoop,
            spawner: spawner,
            sink: sink
        )
        self.bridge = BridgeRuntime(
            configuration: configuration.bridge(tracing: instruments.tracing),
            eventLoop: eventLoop,
            sink: sink,
            upstream: children
        )
        let scraper = Scraper(instruments, histograms: configuration.histograms, eventLoop: eventLoop)
        self.gateway = Gateway(
            configuration: configuration.gateway(sockets: sockets),
            eventLoop: eventLoop,
            sink: sink,
            metrics: scraper
        )
        children.bridge = bridge
        bridge.connect(gateway)
        scraper.connect { [weak self] in self?.readings ?? Readings() }
        instruments.serviceManager?.connect { [weak self] in self?.readings ?? Readings() }
    }

    private var readings: Readings {
        var readings = bridge.readings
        readings.connections = gateway.connectionCount
        readings.stdinBuffered = children.stdinBufferedBytes
        readings.engine = children.engine
        return readings
    }

    /// Listens, then starts the child: with a port in use nothing is started.
    func start() -> EventLoopFuture<Void> {
        gateway.bind(serving: bridge).assumeIsolated().map { bound in
            self.sink.emit(
                .proxyStarted(
                    .init(
                        version: Product.version,
                        name: self.configuration.name,
                        listen: bound.main.description,
                        adminListen: bound.admin?.description,
                        isolation: self.configuration.isolation.rawValue,
                        log: self.instruments.log.name
                    )
                )
            )
            self.bridge.start()
        }.nonisolated()
    }

    /// Goes on with another configuration, or says why not.
    func reload(_ outcome: Result<Reload, ConfigurationError>, sockets: InheritedSockets) {
        switch outcome {
        case .success(let reload):
            configuration = reload.resolution.configuration
            bridge.reconfigure(configuration.bridge(tracing: instruments.tracing))
            gateway.reconfigure(configuration.gateway(sockets: sockets))
            instruments.reconfigure(configuration)
            sink.emit(.configReloaded(changed: reload.changed, needsRestart: reload.needsRestart))
        case .failure(let error):
            sink.emit(.configInvalid(problem: "\(error.problem); \(error.remedy)"))
        }
    }

    /// Has the child replaced by a new one of the same command, without losing a call.
    func replaceChild() { bridge.replace() }

    /// Takes nothing new, lets what is under way finish for as long as `--graceful-shutdown-timeout` allows, ends
    /// streams and children, and closes. The future is done when no child is left.
    func stop() -> EventLoopFuture<Void> {
        sink.emit(
            .proxyStopping(
                inFlight: bridge.inFlightCount,
                sessions: bridge.sessionCount
            )
        )
        let deadline = NIODeadline.now() + configuration.gracefulShutdownTimeout
        let loop = eventLoop.assumeIsolated()
        let drained = eventLoop.makePromise(of: Bool.self)
        let timeout = loop.scheduleTask(in: configuration.gracefulShutdownTimeout) { drained.succeed(false) }
        bridge.drain().assumeIsolated().whenComplete { _ in
            timeout.cancel()
            drained.succeed(true)
        }
        // Until then clients are let in: they may have to answer what the server asks, or cancel, and /readyz says why
        // there is nothing new to be had.
        return drained.futureResult.assumeIsolated().flatMap { isDrained in
            self.gateway.stopAccepting()
            self.gateway.closeIdleConnections()
            return self.bridge.shutDown().assumeIsolated().flatMap {
                self.gateway.close(within: deadline - .now())
            }.map { self.sink.emit(.proxyStopped(drained: isDrained)) }.nonisolated()
        }.nonisolated()
    }

    /// Ends every child at once: the proxy is being cancelled.
    func abandon() { children.killAll() }
}
