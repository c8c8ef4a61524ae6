// SPDX-License-Identifier: Apache-2.0

package import Bridge
package import Events
package import NIOCore
internal import NIOHTTP1

/// The HTTP front end: takes connections, hands complete requests to the bridge and writes its answers.
///
/// Confined to one event loop: it is made and used there only, and all of its connections live there.
package final class Gateway: ExchangeOutput {
    /// How many connections beyond the limit still get an answer that says so; further ones are just closed.
    private static let surplusConnections = 64
    /// How many unknown hosts are remembered, so that each is reported once.
    private static let maxUnknownHosts = 256

    private(set) var configuration: GatewayConfiguration
    let eventLoop: any EventLoop
    let sink: any EventSink
    private(set) var router: Router
    /// Of connections to come.
    private(set) var limits: ConnectionStateMachine.Limits
    /// Who answers; set when the gateway begins to listen.
    var bridge: (any BridgeInput)?
    /// Who answers `/metrics`.
    private let metrics: any MetricsPage
    var listeners: [any Channel] = []
    /// Paths of Unix sockets to remove in the end.
    var socketPaths: [String] = []

    /// Bytes of the bodies that are coming in, on all connections.
    var keptBodyBytes = 0

    private var lastExchange: UInt64 = 0
    private var exchanges: [ExchangeID: ConnectionHandler] = [:]
    private var connections: [ObjectIdentifier: ConnectionHandler] = [:]
    private var mainConnections = 0
    private var adminConnections = 0
    private var unknownHosts: Set<String> = []
    private var awaitingFlush: [ConnectionHandler] = []
    private var isDraining = false

    /// - Parameters:
    ///   - eventLoop: The loop everything happens on; this is called there.
    ///   - sink: Takes what is answered, what is refused and what goes wrong.
    package init(
        configuration: GatewayConfiguration,
        eventLoop: any EventLoop,
        sink: any EventSink,
        metrics: any MetricsPage
    ) {
        self.metrics = metrics
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.sink = sink
        self.router = Router(configuration)
        self.limits = ConnectionStateMachine.Limits(configuration)
    }

    /// Goes on with other limits and other names it may be called by; listeners and paths must be the same. Open
    /// connections keep their timeouts.
    package func reconfigure(_ configuration: GatewayConfiguration) {
        self.configuration = configuration
        self.router = Router(configuration)
        self.limits = ConnectionStateMachine.Limits(configuration)
    }

    // MARK: The bridge's answers

    package func respond(_ exchange: ExchangeID, _ reply: Reply) { self.exchanges[exchange]?.respond(reply) }

    package func openStream(_ exchange: ExchangeID, sessionID: String?) {
        self.exchanges[exchange]?.openStream(sessionID: sessionID)
    }

    package func send(_ exchange: ExchangeID, _ event: ServerSentEvent) { self.exchanges[exchange]?.send(event) }

    package func endStream(_ exchange: ExchangeID) { self.exchanges[exchange]?.endStream() }

    // MARK: Metrics

    /// Has the page made for an exchange. Its client may be gone by then.
    func scrape(_ exchange: ExchangeID, _ request: ScrapeRequest) {
        self.metrics.scrape(request).assumeIsolated().whenSuccess { page in
            self.exchanges[exchange]?.answer(page)
        }
    }

    // MARK: Exchanges

    func register(_ connection: ConnectionHandler) -> ExchangeID {
        self.lastExchange += 1
        let exchange = ExchangeID(self.lastExchange)
        self.exchanges[exchange] = connection
        return exchange
    }

    func unregister(_ exchange: ExchangeID) { self.exchanges[exchange] = nil }

    // MARK: Connections

    func hasRoom(forBody bytes: Int) -> Bool { self.keptBodyBytes + bytes <= self.configuration.maxBuffered }

    /// How many clients are connected, on both listeners.
    package var connectionCount: Int { self.connections.count }

    /// Sets up a connection just accepted.
    func accept(_ channel: any Channel, on listener: Router.Listener) throws {
        let count = listener == .admin ? self.adminConnections : self.mainConnections
        let limit = self.configuration.maxConnections
        guard count < limit + Self.surplusConnections else {
            self.sink.emit(.requestRejected(reason: .connectionLimit, detail: "closed without an answer"))
            channel.close(promise: nil)
            return
        }
        let handler = ConnectionHandler(gateway: self, listener: listener, isSurplus: count >= limit)
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = 16 * 1024
        decoding.maxHeaderListSize = 64 * 1024
        decoding.maxHeaderFieldCount = 100
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: decoding))
        try channel.pipeline.syncOperations.addHandlers([decoder, handler])
        if listener == .admin { self.adminConnections += 1 } else { self.mainConnections += 1 }
        self.connections[ObjectIdentifier(handler)] = handler
        if self.isDraining { handler.drain() }
    }

    func connectionEnded(_ handler: ConnectionHandler, reason: ConnectionEnd) {
        guard self.connections.removeValue(forKey: ObjectIdentifier(handler)) != nil else { return }
        if handler.listener == .admin { self.adminConnections -= 1 } else { self.mainConnections -= 1 }
        self.sink.emit(.connectionClosed(reason: reason))
    }

    /// Has a connection flushed at the end of this tick of the loop.
    func flushSoon(_ handler: ConnectionHandler) {
        self.awaitingFlush.append(handler)
        guard self.awaitingFlush.count == 1 else { return }
        self.eventLoop.assumeIsolated().execute {
            let handlers = self.awaitingFlush
            self.awaitingFlush.removeAll(keepingCapacity: true)
            for handler in handlers { handler.flush() }
        }
    }

    /// Reports a request for an unknown host, marked when the name is new. Past the bound, no name is new.
    func noteUnknownHost(_ host: String) {
        let name = host.quotable(limit: 253)
        let isFirst = self.unknownHosts.count < Self.maxUnknownHosts && self.unknownHosts.insert(name).inserted
        self.sink.emit(.unknownHost(host: name, isFirst: isFirst))
    }

    // MARK: The end

    /// Stops taking connections. The open ones go on.
    package func stopAccepting() {
        for listener in self.listeners { listener.close(promise: nil) }
        self.listeners = []
        self.removeSocketFiles()
    }

    /// Closes the connections that wait for a request, and every other one once its answer is out.
    package func closeIdleConnections() {
        self.isDraining = true
        for connection in Array(self.connections.values) { connection.drain() }
    }

    /// Stops listening and ends every connection; exchanges under way are reported to the bridge as gone.
    ///
    /// - Parameter grace: How long a client may take to read what was written; then its connection is cut.
    /// - Returns: A future that succeeds when the last socket is closed.
    package func close(within grace: TimeAmount = .zero) -> EventLoopFuture<Void> {
        var closed = self.listeners.map(\.closeFuture)
        self.stopAccepting()
        for connection in Array(self.connections.values) {
            if let channel = connection.context?.channel { closed.append(channel.closeFuture) }
            connection.finishWriting()
        }
        self.bridge = nil
        let cut = self.eventLoop.assumeIsolated().scheduleTask(in: grace) {
            for connection in Array(self.connections.values) { connection.cut(reason: .server) }
        }
        let done = EventLoopFuture.andAllComplete(closed, on: self.eventLoop)
        done.whenComplete { _ in cut.cancel() }
        return done
    }
}

extension ConnectionStateMachine.Limits {
    fileprivate init(_ configuration: GatewayConfiguration) {
        self.init(
            maxBodySize: configuration.maxBodySize,
            readTimeout: configuration.readTimeout,
            keepAliveTimeout: configuration.keepAliveTimeout,
            keepAliveInterval: configuration.keepAliveInterval.flatMap { $0 > .zero ? $0 : nil }
        )
    }
}
