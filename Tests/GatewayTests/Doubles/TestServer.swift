// SPDX-License-Identifier: Apache-2.0

import Bridge
import NIOCore
import NIOPosix

@testable import Gateway

/// A gateway on a real port, with a loop of its own.
final class TestServer: Sendable {
    let addresses: BoundAddresses
    let sink: RecordingSink
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let gateway: NIOLoopBound<Gateway>
    private let bridge: NIOLoopBound<RecordingBridge>

    /// - Parameter setUp: Called on the loop before it listens.
    init(
        configure: (inout GatewayConfiguration) -> Void = { _ in },
        setUp: @escaping @Sendable (Gateway, RecordingBridge) -> Void = { _, _ in }
    ) async throws {
        var configuration = GatewayConfiguration()
        configuration.listen = .tcp(host: "127.0.0.1", port: 0)
        configure(&configuration)
        let sink = RecordingSink()
        self.sink = sink
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = self.group.next()
        self.loop = loop
        do {
            let fixed = configuration
            (self.gateway, self.bridge) = try await loop.submit {
                let bridge = RecordingBridge()
                let gateway = Gateway(configuration: fixed, eventLoop: loop, sink: sink, metrics: EmptyPage(on: loop))
                setUp(gateway, bridge)
                return (NIOLoopBound(gateway, eventLoop: loop), NIOLoopBound(bridge, eventLoop: loop))
            }.get()
            let (gateway, bridge) = (self.gateway, self.bridge)
            self.addresses = try await loop.flatSubmit { gateway.value.bind(serving: bridge.value) }.get()
        } catch {
            try await self.group.shutdownGracefully()
            throw error
        }
    }

    var port: Int {
        if case .tcp(_, let port) = self.addresses.main { port } else { 0 }
    }

    /// Runs something on the loop.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Gateway, RecordingBridge) -> Result) async throws -> Result
    {
        let (gateway, bridge) = (self.gateway, self.bridge)
        return try await self.loop.submit { body(gateway.value, bridge.value) }.get()
    }

    /// What the bridge is told, as it is told.
    func calls() async throws -> AsyncStream<String>.Iterator {
        try await self.run { _, bridge in bridge.calls }.makeAsyncIterator()
    }

    func stop() async throws {
        let gateway = self.gateway
        try await self.loop.flatSubmit { gateway.value.close() }.get()
        try await self.group.shutdownGracefully()
    }
}
