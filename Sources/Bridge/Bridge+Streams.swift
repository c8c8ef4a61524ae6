// SPDX-License-Identifier: Apache-2.0

package import Events
import JSONRPC
import MCP
package import NIOCore

// Event streams: what opens them, what goes where, what is kept for a client that comes back.
extension Bridge {
    // MARK: Inputs

    /// A GET on the endpoint of Streamable HTTP: the stream of messages that belong to no call, or a stream that broke.
    package mutating func get(_ exchange: ExchangeID, head: ExchangeHead, now: NIODeadline) {
        self.now = now
        guard !configuration.stateless else { return refuseMethod(exchange, allow: "POST") }
        guard checkVersion(head, exchange, id: nil) else { return }
        guard let id = head.sessionID else {
            return refuse(exchange, .missingSession, "Mcp-Session-Id is missing; send initialize first")
        }
        guard let session = knownSession(id, exchange) else { return }
        if let last = head.lastEventID { return resume(session, exchange, after: last) }
        attach(exchange, to: session)
        if session.revision.primesStreams, session.store != nil {
            prime(session, stream: 0, exchange)
        }
        flushBacklog(session)
    }

    /// A GET on the endpoint of the 2024-11-05 transport: a session that lives as long as its stream.
    package mutating func openSSE(_ exchange: ExchangeID, now: NIODeadline) {
        self.now = now
        guard let session = openSession(transport: .sse, exchange, id: nil) else { return }
        attach(exchange, to: session)
        let endpoint = "\(configuration.messageEndpoint)?sessionId=\(session.id)"
        effects.append(.send(exchange, ServerSentEvent(name: "endpoint", data: ByteBuffer(string: endpoint))))
    }

    /// The client went away, or the gateway dropped it. That cancels nothing, except that the 2024-11-05 transport
    /// has no session without its stream.
    package mutating func clientGone(_ exchange: ExchangeID, end: StreamEnd, now: NIODeadline) {
        self.now = now
        switch exchanges.removeValue(forKey: exchange) {
        case .call(let call):
            call.exchange = nil
            call.streamAt = nil
            guard let session = call.session else { return }
            // Nobody will ever learn the session's id.
            if call.method == .initialize { close(session, .streamClosed) }
            if session.revision.isStateless { abandon(call, session) }
        case .stream(let session, let number):
            if let stream = session.streams[number] { reportClosed(stream, of: session, end) }
            session.lastActivity = now
            session.streams[number]?.exchange = nil
            if let call = session.streams[number]?.call.flatMap({ calls[$0] }) {
                call.exchange = nil
                if session.revision.isStateless { abandon(call, session) }
            }
            if session.transport == .sse || session.listening != nil { close(session, .streamClosed) }
        case .batch, nil:
            return
        }
    }

    // MARK: Opening

    /// Makes `exchange` carry stream 0 of the session, instead of whatever carried it: that may be a connection
    /// that died without a word.
    private mutating func attach(_ exchange: ExchangeID, to session: Session) {
        carry(stream: 0, of: session, on: exchange)
    }

    /// Makes `exchange` carry a stream, instead of whatever carried it.
    mutating func carry(stream number: Int, of session: Session, on exchange: ExchangeID) {
        if let stream = session.streams[number], let old = stream.exchange {
            exchanges[old] = nil
            effects.append(.endStream(old))
            reportClosed(stream, of: session, .replaced)
        }
        session.streams[number]?.exchange = exchange
        session.streams[number]?.carriedSince = now
        exchanges[exchange] = .stream(session, number)
        let isAnonymous = session.transport == .sse || session.isEphemeral
        effects.append(.openStream(exchange, sessionID: isAnonymous ? nil : session.id))
        emit(.streamOpened(session: session.label, kind: session.streams[number]?.kind ?? .get))
    }

    /// Turns a call's pending response into an event stream.
    mutating func commit(_ call: Call, _ session: Session) -> Int {
        let number = session.nextStream
        session.nextStream += 1
        call.streamAt = nil
        call.stream = number
        session.streams[number] = OutStream(kind: .post, call: call.id)
        guard let exchange = call.exchange else { return number }
        carry(stream: number, of: session, on: exchange)
        if session.revision.primesStreams, session.store != nil { prime(session, stream: number, exchange) }
        return number
    }

    /// The first event has an id and no data: a client that loses the stream before the first message can come back.
    private mutating func prime(_ session: Session, stream: Int, _ exchange: ExchangeID) {
        let id = EventID(tag: session.eventTag, stream: stream, sequence: session.streams[stream]?.sequence ?? 0)
        effects.append(.send(exchange, ServerSentEvent(id: id.text, retry: configuration.retryMilliseconds)))
    }

    /// Repeats what followed `lastEventID` on its stream, and goes on with it if it is still alive.
    private mutating func resume(_ session: Session, _ exchange: ExchangeID, after lastEventID: String) {
        guard let store = session.store, let id = EventID(lastEventID), id.tag == session.eventTag,
            id.stream < session.nextStream
        else {
            return refuse(
                exchange,
                .unknownEventID,
                "Last-Event-ID '\(lastEventID.prefix(64))' is not of this session; open a stream without it"
            )
        }
        let missed = store.events(of: id.stream, after: id.sequence)
        let isAlive = session.streams[id.stream] != nil
        if isAlive {
            carry(stream: id.stream, of: session, on: exchange)
            if let call = session.streams[id.stream]?.call { calls[call]?.exchange = exchange }
        } else {
            effects.append(.openStream(exchange, sessionID: session.id))
            emit(.streamOpened(session: session.label, kind: .post))
        }
        for (sequence, data) in missed {
            let event = EventID(tag: session.eventTag, stream: id.stream, sequence: sequence)
            effects.append(.send(exchange, ServerSentEvent(id: event.text, name: "message", data: data)))
        }
        emit(.streamResumed(session: session.label, replayed: missed.count))
        if !isAlive {
            effects.append(.endStream(exchange))
            emit(
                .streamClosed(
                    session: session.label,
                    kind: .post,
                    end: .finished,
                    events: missed.count,
                    duration: .zero
                )
            )
        }
        if id.stream == 0 { flushBacklog(session) }
    }

    // MARK: Delivering

    /// The stream of a call: its own where it may have one, else the session's.
    mutating func stream(of call: Call, _ session: Session) -> Int {
        if let stream = call.stream { return stream }
        guard call.acceptsEventStream, call.exchange != nil, call.method != .initialize else { return 0 }
        return commit(call, session)
    }

    /// The stream for a message of the child that is for `session` and names no call: that of its only running
    /// call, else the one that belongs to no call, else that of the newest call.
    mutating func streamForServerMessage(to session: Session) -> Int {
        guard session.transport == .streamableHTTP else { return 0 }
        let running = session.inFlight.values.compactMap { calls[$0] }.filter {
            $0.phase == .sent && $0.acceptsEventStream && $0.exchange != nil
        }
        guard let newest = running.max(by: { $0.id < $1.id }) else { return 0 }
        if running.count > 1, session.streams[0]?.exchange != nil { return 0 }
        return stream(of: newest, session)
    }

    /// Puts a message on a stream: sent if a connection carries it, kept if the client may come back for it.
    mutating func deliver(_ message: ByteBuffer, to session: Session, stream number: Int) {
        guard var stream = session.streams[number] else { return }
        if number == 0, stream.exchange == nil { return keepForLater(message, session) }
        var id: String?
        if session.store != nil {
            stream.sequence += 1
            session.store?.append(
                stream: number,
                sequence: stream.sequence,
                data: ByteBuffer(bytes: message.readableBytesView)
            )
            id = EventID(tag: session.eventTag, stream: number, sequence: stream.sequence).text
            session.streams[number]?.sequence = stream.sequence
            keepWithinBounds(session)
        }
        guard let exchange = stream.exchange else { return }
        session.streams[number]?.sent += 1
        effects.append(.send(exchange, ServerSentEvent(id: id, name: "message", data: message)))
    }

    /// Ends a stream for good. What it carried can still be asked for.
    mutating func finish(stream number: Int, of session: Session, _ end: StreamEnd) {
        guard let stream = session.streams.removeValue(forKey: number) else { return }
        guard let exchange = stream.exchange else { return }
        exchanges[exchange] = nil
        effects.append(.endStream(exchange))
        reportClosed(stream, of: session, end)
    }

    private mutating func reportClosed(_ stream: OutStream, of session: Session, _ end: StreamEnd) {
        emit(
            .streamClosed(
                session: session.label,
                kind: stream.kind,
                end: end,
                events: stream.sent,
                duration: now - stream.carriedSince
            )
        )
    }

    private mutating func keepForLater(_ message: ByteBuffer, _ session: Session) {
        guard !session.isEphemeral else { return }
        session.backlog.append(ByteBuffer(bytes: message.readableBytesView))
        session.backlogBytes += message.readableBytes
        var dropped = 0
        while session.backlog.count > configuration.maxBacklog || session.backlogBytes > configuration.maxBacklogBytes,
            let oldest = session.backlog.popFirst()
        {
            session.backlogBytes -= oldest.readableBytes
            dropped += 1
        }
        if dropped > 0 { emit(.messagesDropped(session: session.label, count: dropped)) }
        keepWithinBounds(session)
    }

    /// All sessions together may keep so much; over it, the one that wants to keep more forgets its oldest.
    mutating func keepWithinBounds(_ session: Session) {
        let waiting = session.backlog.count
        repeat {
            bufferedBytes += session.bufferedBytes - session.countedBytes
            session.countedBytes = session.bufferedBytes
        } while bufferedBytes > configuration.maxBuffered && session.forgetOldest()
        let dropped = waiting - session.backlog.count
        if dropped > 0 { emit(.messagesDropped(session: session.label, count: dropped)) }
    }

    private mutating func flushBacklog(_ session: Session) {
        while let message = session.backlog.popFirst() {
            session.backlogBytes -= message.readableBytes
            deliver(message, to: session, stream: 0)
        }
        keepWithinBounds(session)
    }

    mutating func refuseMethod(_ exchange: ExchangeID, allow: String) {
        let body = Failure.methodNotAllowed.response(id: nil, "not available on a stateless endpoint")
        effects.append(.respond(exchange, Reply(status: Failure.methodNotAllowed.status, body: body, allow: allow)))
        emit(.requestRejected(reason: .badMessage, detail: "GET or DELETE on a stateless endpoint"))
    }
}
