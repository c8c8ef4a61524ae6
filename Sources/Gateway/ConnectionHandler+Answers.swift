// SPDX-License-Identifier: Apache-2.0

internal import Bridge
internal import Events
internal import JSONRPC
internal import MCP
internal import NIOCore

/// Writing answers: the bridge's, and the gateway's own.
extension ConnectionHandler {
    /// Bodies up to this size are copied behind the head, so that one buffer goes out; larger ones follow it.
    private static var copiedBodyLimit: Int { 16 * 1024 }

    // MARK: For the bridge

    func respond(_ reply: Reply) {
        self.answer(
            status: reply.status,
            body: reply.body,
            sessionID: reply.sessionID,
            retryAfter: reply.retryAfter,
            allow: reply.allow
        )
    }

    func openStream(sessionID: String?) {
        guard let context, let request,
            self.machine.streamOpened(isDelimited: !request.isHTTP10, now: self.gateway.eventLoop.now)
        else { return }
        var head = ResponseHead(status: 200, framing: request.isHTTP10 ? .untilClose : .chunked, content: .eventStream)
        head.persistence = self.machine.persists ? .implied : .close
        head.sessionID = sessionID
        head.crossOrigin = request.crossOrigin
        var buffer = context.channel.allocator.buffer(capacity: 256)
        head.write(into: &buffer)
        self.write(buffer)
        self.reportAnswered(status: head.status)
    }

    func send(_ event: ServerSentEvent) {
        guard let context, let request, self.machine.eventSent(now: self.gateway.eventLoop.now) else { return }
        let allocator = context.channel.allocator
        let buffer = EventStreamEncoder.encode(event, isChunked: !request.isHTTP10, allocator: allocator)
        guard self.hasRoom(for: buffer.readableBytes) else {
            self.cut(reason: .slowConsumer, end: .slowConsumer)
            return
        }
        self.write(buffer)
    }

    func endStream() {
        guard let request, self.machine.isAnswering else { return }
        if !request.isHTTP10 { self.write(ByteBuffer(staticString: "0\r\n\r\n")) }
        self.finish()
    }

    /// Whether the client keeps up with its stream. A single event may be of any size.
    private func hasRoom(for bytes: Int) -> Bool {
        guard self.context?.channel.isWritable == false else { return true }
        let limit = self.gateway.configuration.maxStreamBuffer
        var unsent = self.unsentBytes
        guard unsent > 0, unsent + bytes > limit else { return true }
        // Much may have been written in this tick alone, with no chance to go out yet.
        self.flush()
        unsent = self.unsentBytes
        return unsent == 0 || unsent + bytes <= limit
    }

    func sendComment() {
        // A client that has not taken what was sent before needs no sign of life.
        guard let context, let request, context.channel.isWritable else { return }
        self.write(EventStreamEncoder.keepAlive(isChunked: !request.isHTTP10, allocator: context.channel.allocator))
    }

    // MARK: The gateway's own

    func answerLiveness() {
        self.answer(status: 200, body: ByteBuffer(staticString: #"{"status":"ok"}"#))
    }

    func answerReadiness() {
        let readiness = self.gateway.bridge?.readiness ?? Readiness(.starting)
        var body = ByteBuffer(staticString: #"{"status":"#)
        body.writeJSONString(readiness.state.rawValue)
        if !readiness.state.isReady, let reason = readiness.reason {
            body.writeStaticString(#","reason":"#)
            body.writeJSONString(reason)
        }
        body.writeStaticString("}")
        self.answer(status: readiness.state.isReady ? 200 : 503, body: body)
    }

    func answer(_ page: ScrapeResponse) {
        var head = ResponseHead(status: 200, framing: .length(page.body.readableBytes))
        head.content = .metrics(type: page.contentType, isCompressed: page.isCompressed)
        self.answer(head, body: page.body)
    }

    func answerOptions(allow: String, requestedHeaders: String?) {
        var head = ResponseHead(status: 204, framing: .none)
        head.allow = allow
        head.preflight = (allow, PreflightHeaders.allowed(requested: requestedHeaders))
        self.answer(head, body: nil)
    }

    func answerTooLarge() {
        let limit = self.gateway.configuration.maxBodySize
        let message = "the body is larger than \(limit) bytes; send less, or raise --max-body-size"
        self.answer(Refusal(failure: .bodyTooLarge, message: message))
    }

    func answerOverload() {
        let limit = self.gateway.configuration.maxBuffered
        let message = "requests of \(limit) bytes are coming in already; try again, or raise --max-buffered"
        self.answer(Refusal(failure: .overloaded, message: message), retryAfter: 1)
    }

    func answerTimeout() {
        let seconds = Double(self.gateway.configuration.readTimeout.nanoseconds) / 1e9
        self.answer(Refusal(failure: .requestTimeout, message: "the request did not arrive within \(seconds) s"))
    }

    func answerMalformed(isOverflow: Bool, _ description: String) {
        let refusal =
            if isOverflow {
                Refusal(failure: .headersTooLarge, message: "the request's head is too large; send fewer headers")
            } else {
                Refusal(failure: .malformedRequest, message: "the request is not valid HTTP/1.1 (\(description))")
            }
        self.answer(refusal)
    }

    func refuseConnection() {
        let limit = self.gateway.configuration.maxConnections
        let message = "there are \(limit) connections already; try again, or raise --max-connections"
        self.answer(Refusal(failure: .tooManyConnections, message: message), retryAfter: 1)
    }

    func answer(_ refusal: Refusal, retryAfter: Int? = nil) {
        let detail = refusal.failure.quotesClient ? refusal.failure.rawValue : refusal.message
        self.gateway.sink.emit(.requestRejected(reason: refusal.reason, detail: detail))
        let body = refusal.failure.response(id: nil, refusal.message, omitsUnknownID: refusal.omitsID)
        self.answer(status: refusal.failure.status, body: body, retryAfter: retryAfter, allow: refusal.allow)
    }

    private func answer(
        status: Int,
        body: ByteBuffer?,
        sessionID: String? = nil,
        retryAfter: Int? = nil,
        allow: String? = nil
    ) {
        var head = ResponseHead(status: status, framing: .length(body?.readableBytes ?? 0))
        head.content = body == nil ? nil : .json
        head.sessionID = sessionID
        head.retryAfter = retryAfter
        head.allow = allow
        self.answer(head, body: body)
    }

    /// Writes a complete answer.
    private func answer(_ head: ResponseHead, body: ByteBuffer?) {
        guard let context, self.machine.isAnswering else { return }
        var head = head
        head.crossOrigin = self.request?.crossOrigin
        let isHTTP10 = self.request?.isHTTP10 ?? false
        head.persistence = !self.machine.persists ? .close : isHTTP10 ? .keepAlive : .implied
        let body = self.request?.isHead == true ? nil : body
        let isCopied = body.map { $0.readableBytes <= Self.copiedBodyLimit } ?? false

        var buffer = context.channel.allocator.buffer(capacity: 256 + (isCopied ? body?.readableBytes ?? 0 : 0))
        head.write(into: &buffer)
        if let body, isCopied { buffer.writeImmutableBuffer(body) }
        self.write(buffer)
        if let body, !isCopied { self.write(body) }
        self.reportAnswered(status: head.status)
        self.finish()
    }

    /// What could not be read as a request has no method and no route, and took no time.
    private func reportAnswered(status: Int) {
        self.gateway.sink.emit(
            .httpAnswered(
                .init(
                    method: self.request?.method ?? .other,
                    route: self.request?.name ?? .other,
                    status: status,
                    duration: self.request.map { NIODeadline.now() - $0.arrived } ?? .zero
                )
            )
        )
    }
}
