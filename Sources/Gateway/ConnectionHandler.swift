// SPDX-License-Identifier: Apache-2.0

internal import Bridge
internal import Events
internal import NIOCore
internal import NIOHTTP1

/// Carries out what `ConnectionStateMachine` decides, for one connection. Loop-confined.
///
/// It stands right behind NIO's request decoder and writes its answers as bytes, one buffer for a whole answer or
/// event. What is written in one tick of the loop is flushed once.
final class ConnectionHandler: ChannelDuplexHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// The request that is coming in or being answered.
    struct Request {
        var route: Route
        var isHead: Bool
        var isHTTP10: Bool
        var crossOrigin: String?
        var body = ByteBuffer()
        // For the event that reports its answer.
        let arrived: NIODeadline
        let method: HTTPMethodName
        let name: HTTPRoute
    }

    let gateway: Gateway
    let listener: Router.Listener
    /// Refused as one too many: it gets an answer, but its requests are not read.
    let isSurplus: Bool
    var machine: ConnectionStateMachine { didSet { self.gateway.eventLoop.assertInEventLoop() } }
    var request: Request?
    var context: ChannelHandlerContext?

    private var exchange: ExchangeID?
    private var held = HeldParts()
    private var hosts = AuthorityMemo()
    /// How much of the gateway's room for bodies this connection takes.
    private var keptBytes = 0
    private var isReplaying = false
    private var isReadPaused = false
    /// Between the first part of a read and its end, when one flush follows anyway.
    private var isReading = false
    private var needsFlush = false
    private var timer: NIOScheduledCallback?
    private var closeReason = ConnectionEnd.client

    init(gateway: Gateway, listener: Router.Listener, isSurplus: Bool) {
        self.gateway = gateway
        self.listener = listener
        self.isSurplus = isSurplus
        self.machine = ConnectionStateMachine(limits: gateway.limits, now: gateway.eventLoop.now)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        if self.isSurplus, self.machine.connectionRefused() { self.refuseConnection() }
        self.armTimer()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
        if self.machine.closed() { self.leaveExchange(.clientGone) }
        self.releaseBody()
        self.gateway.connectionEnded(self, reason: self.closeReason)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.isReading = true
        self.take(.request(Self.unwrapInboundIn(data)))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A read that completed no part has left the beginning of a head in the decoder.
        if !self.isReading { self.machine.partialHeadReceived(now: self.gateway.eventLoop.now) }
        self.isReading = false
        self.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.replayHeldParts() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if self.held.isFull {
            self.isReadPaused = true
        } else {
            context.read()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard context.channel.isActive else { return }
        switch error {
        case let error as HTTPParserError:
            self.take(.malformed(isOverflow: error == .headerOverflow, description: "\(error)"))
        case is ByteToMessageDecoderError: break  // more bytes after the first error
        default: self.cut(reason: .error)
        }
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.timer = nil
        switch self.machine.timerFired(now: eventLoop.now, unsent: self.unsentBytes) {
        case .none: break
        case .close: self.cut(reason: .idleTimeout)
        case .answerTimeout: self.answerTimeout()
        case .sendComment: self.sendComment()
        }
        self.armTimer()
    }

    func didCancelScheduledCallback(eventLoop: some EventLoop) {}

    private func armTimer() {
        let eventLoop = self.gateway.eventLoop
        guard self.timer == nil, self.context?.channel.isActive == true,
            let deadline = self.machine.nextTimer(now: eventLoop.now)
        else { return }
        // A loop that is shutting down takes no timers; it closes the connection itself.
        self.timer = try? eventLoop.assumeIsolated().scheduleCallback(at: deadline, handler: self)
    }

    // MARK: The request

    private func take(_ part: HeldParts.Part) {
        guard !self.machine.isAnswering, !self.isBacklogged, self.held.isEmpty else {
            self.held.append(part)
            return
        }
        self.process(part)
    }

    /// Whether the last answer has not gone out yet: a client that takes none must not have more of them made.
    private var isBacklogged: Bool { self.exchange == nil && self.context?.channel.isWritable == false }

    private func process(_ part: HeldParts.Part) {
        switch part {
        case .request(.head(let head)): self.begin(head)
        case .request(.body(let bytes)): self.receive(bytes)
        case .request(.end): self.end()
        case .malformed(let isOverflow, let description):
            if self.machine.parserFailed() { self.answerMalformed(isOverflow: isOverflow, description) }
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let headers = RequestHeaders(head.headers)
        let decision = self.gateway.router.route(head, headers, on: self.listener, hosts: &self.hosts)
        var framing = ConnectionStateMachine.Framing(
            contentLength: headers.contentLength,
            keepAlive: head.isKeepAlive && !headers.upgrades,
            expectsContinue: headers.expectsContinue && head.version != .http1_0
        )
        if case .refused = decision.route { framing.isRefused = true }
        let action = self.machine.headReceived(framing, now: self.gateway.eventLoop.now)
        guard action != .ignore else { return }
        if let host = decision.unknownHost { self.gateway.noteUnknownHost(host) }
        self.request = Request(
            route: decision.route,
            isHead: head.method == .HEAD,
            isHTTP10: head.version == .http1_0,
            crossOrigin: decision.crossOrigin,
            arrived: .now(),
            method: HTTPMethodName(head.method),
            name: decision.name
        )
        switch action {
        case .receiveBody, .ignore: break
        case .sendContinue: self.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        case .refuse: self.dispatch()
        case .refuseBody: self.answerTooLarge()
        }
    }

    private func receive(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        switch self.machine.bodyReceived(count, hasRoom: self.gateway.hasRoom(forBody: count)) {
        case .keep:
            self.keptBytes += count
            self.gateway.keptBodyBytes += count
            if self.request?.body.readableBytes == 0 {
                self.request?.body = bytes
            } else {
                self.request?.body.writeImmutableBuffer(bytes)
            }
        case .drop: break
        case .refuse: self.dispatch()
        case .refuseBody: self.answerTooLarge()
        case .refuseOverload: self.answerOverload()
        case .close: self.cut(reason: .tooMuchInput)
        }
    }

    private func end() {
        if self.machine.endReceived() { self.dispatch() }
    }

    private func dispatch() {
        guard let request = self.request else { return }
        self.releaseBody()
        let bridge = self.gateway.bridge
        switch request.route {
        case .post(let head):
            self.request?.body = ByteBuffer()
            bridge?.post(self.openExchange(), head: head, body: request.body)
        case .get(let head): bridge?.get(self.openExchange(), head: head)
        case .delete(let head): bridge?.delete(self.openExchange(), head: head)
        case .openSSE: bridge?.openSSE(self.openExchange())
        case .postSSE(let session, let traceContext):
            self.request?.body = ByteBuffer()
            bridge?.postSSE(
                self.openExchange(),
                session: session,
                traceContext: traceContext,
                body: request.body
            )
        case .options(let allow, let requested): self.answerOptions(allow: allow, requestedHeaders: requested)
        case .liveness: self.answerLiveness()
        case .readiness: self.answerReadiness()
        case .metrics(let scrape): self.gateway.scrape(self.openExchange(), scrape)
        case .refused(let refusal): self.answer(refusal)
        }
    }

    /// The body has been handed on, or is not wanted any more.
    private func releaseBody() {
        self.gateway.keptBodyBytes -= self.keptBytes
        self.keptBytes = 0
    }

    private func openExchange() -> ExchangeID {
        let exchange = self.gateway.register(self)
        self.exchange = exchange
        return exchange
    }

    /// Forgets the exchange, and tells the bridge when it did not end by itself.
    private func leaveExchange(_ end: StreamEnd?) {
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        self.gateway.unregister(exchange)
        if let end { self.gateway.bridge?.clientGone(exchange, end: end) }
    }

    // MARK: The answer

    /// The answer is written: takes the next request, or closes.
    func finish() {
        self.leaveExchange(nil)
        self.releaseBody()
        self.request = nil
        switch self.machine.answered(now: self.gateway.eventLoop.now) {
        case .takeNext: self.replayHeldParts()
        case .closeOutput: self.closeOutput()
        case .ignore: break
        }
    }

    private func replayHeldParts() {
        guard !self.isReplaying, !self.held.isEmpty else { return }
        self.isReplaying = true
        while !self.machine.isAnswering, !self.isBacklogged, let part = self.held.popFirst() { self.process(part) }
        self.isReplaying = false
        if self.isReadPaused, !self.held.isFull {
            self.isReadPaused = false
            self.context?.read()
        }
    }

    private func closeOutput() {
        self.closeReason = .server
        self.flush()
        self.context?.close(mode: .output, promise: nil)
        // Lingering is shorter than any other wait: the running timer would come too late.
        self.timer?.cancel()
        self.timer = nil
        self.armTimer()
    }

    /// Cuts the connection at once; what is not sent yet is lost.
    func cut(reason: ConnectionEnd, end: StreamEnd = .clientGone) {
        self.closeReason = reason
        if self.machine.closed() { self.leaveExchange(end) }
        self.context?.close(promise: nil)
    }

    /// The proxy is going down.
    func drain() {
        if self.machine.drain() { self.finishWriting() }
    }

    /// Ends the connection once what was written has gone out; the client then closes its side.
    func finishWriting() {
        self.flush()
        guard self.unsentBytes > 0 else { return self.cut(reason: .server) }
        self.closeReason = .server
        if self.machine.closed() { self.leaveExchange(.clientGone) }
        self.context?.close(mode: .output, promise: nil)
    }

    /// How much was written and has not gone out.
    var unsentBytes: Int {
        guard let channel = self.context?.channel else { return 0 }
        return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func write(_ buffer: ByteBuffer) {
        guard let context = self.context else { return }
        context.write(Self.wrapOutboundOut(buffer), promise: nil)
        guard !self.needsFlush else { return }
        self.needsFlush = true
        if !self.isReading { self.gateway.flushSoon(self) }
    }

    func flush() {
        guard self.needsFlush else { return }
        self.needsFlush = false
        self.context?.flush()
    }
}

extension HTTPMethodName {
    fileprivate init(_ method: HTTPMethod) {
        self =
            switch method {
            case .GET: .get
            case .POST: .post
            case .DELETE: .delete
            case .OPTIONS: .options
            case .HEAD: .head
            default: .other
            }
    }
}
