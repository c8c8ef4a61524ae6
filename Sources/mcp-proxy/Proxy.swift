// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import Gateway
import NIOCore
import Upstream

/// The rooms put together: gateway, bridge and children of one running proxy. Loop-confined.
final class Proxy {
    private let configuration: Configuration
    private let eventLoop: any EventLoop
    private let sink: any EventSink

    private let children: Children
    private let bridge: BridgeRuntime
    private let gateway: Gateway

    init(_ configuration: Configuration, eventLoop: any EventLoop, spawner: Spawner, sink: any EventSink) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.sink = sink
        self.children = Children(
            command: configuration.child,
            options: configuration.childOptions,
            eventLoop: eventLoop,
            spawner: spawner,
            sink: sink
        )
        self.bridge = BridgeRuntime(
            configuration: configuration.bridge,
            eventLoop: eventLoop,
            sink: sink,
            upstream: children
        )
        self.gateway = Gateway(configuration: configuration.gateway, eventLoop: eventLoop, sink: sink)
        children.bridge = bridge
        bridge.connect(gateway)
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
                        isolation: self.configuration.bridge.isolation.rawValue
                    )
                )
            )
            self.bridge.start()
        }.nonisolated()
    }

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
