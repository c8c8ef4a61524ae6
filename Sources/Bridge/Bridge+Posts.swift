// SPDX-License-Identifier: Apache-2.0

package import Events
import JSONRPC
import MCP
package import NIOCore

/// A message of a client, scanned once: what is checked is what is forwarded.
struct Incoming {
    let message: ByteBuffer
    let envelope: Envelope
    let method: Method
    /// The trace context of the HTTP request it came in.
    var contextInHeaders: TraceContext?

    init(_ message: ByteBuffer, _ envelope: Envelope) {
        var message = message
        // Between tokens a line break means nothing; to a child it would be the end of the message.
        if envelope.hasLineBreaks { message.flattenLineBreaks() }
        self.message = message
        self.envelope = envelope
        self.method = envelope.method(in: message)
    }

    var id: RequestID? { envelope.id(in: message) }

    func text(_ member: Member) -> String? { envelope[member].flatMap { message.string($0) } }

    func token(_ member: Member) -> RequestID? { envelope[member].flatMap { RequestID(token: message.text($0)) } }
}

extension ExchangeHead {
    /// Whether its headers say that it is of the stateless revision.
    var isStateless: Bool { protocolVersion == Revision.stateless.rawValue }
}

extension Envelope {
    /// The method a message names; `.other` for an answer, or when the protocol has no such method.
    func method(in message: ByteBuffer) -> Method {
        self[.method].flatMap { message.string($0) }.map(Method.init(name:)) ?? .other
    }
}

// What arrives by POST.
extension Bridge {
    /// A POST on the endpoint of Streamable HTTP (2025-11-25, "Sending Messages to the Server").
    package mutating func post(_ exchange: ExchangeID, head: ExchangeHead, body: ByteBuffer, now: NIODeadline) {
        self.now = now
        var incoming: Incoming
        do throws(ScanError) {
            incoming = Incoming(body, try Envelope.scan(body))
        } catch .batch {
            return postBatch(exchange, head: head, body: body)
        } catch {
            let (failure, id, _) = error.asFailure
            return refuse(exchange, failure, error.explanation, id: id, omitsUnknownID: head.isStateless)
        }
        incoming.contextInHeaders = head.traceContext
        guard !isStateless(incoming, head) else { return postStateless(incoming, exchange, head) }
        guard let session = session(for: incoming, exchange, head) else { return }
        receive(incoming, from: session, exchange, acceptsEventStream: head.acceptsEventStream)
    }

    /// A POST on the message endpoint of the 2024-11-05 transport: 202, and the answer comes on the session's stream.
    package mutating func postSSE(
        _ exchange: ExchangeID,
        session id: String?,
        traceContext: TraceContext? = nil,
        body: ByteBuffer,
        now: NIODeadline
    ) {
        self.now = now
        guard let id else {
            return refuse(exchange, .missingSession, "sessionId is missing from the query; GET the SSE endpoint first")
        }
        guard let session = sessionsByID[id], session.transport == .sse else {
            return refuse(exchange, .unknownSession, "session not found; open a new event stream")
        }
        session.lastActivity = now
        do throws(ScanError) {
            var incoming = Incoming(body, try Envelope.scan(body))
            incoming.contextInHeaders = traceContext
            effects.append(.respond(exchange, Reply(status: 202)))
            receive(incoming, from: session, nil, acceptsEventStream: true)
        } catch {
            refuse(exchange, error)
        }
    }

    /// The session a message belongs to, opened if the message does that; nil when the exchange has been answered.
    private mutating func session(
        for incoming: Incoming,
        _ exchange: ExchangeID,
        _ head: ExchangeHead
    ) -> Session? {
        let isInitialize = incoming.method == .initialize && incoming.envelope.kind == .request
        guard checkVersion(head, exchange, id: incoming.id) else { return nil }
        if let id = head.sessionID {
            guard let session = knownSession(id, exchange, requestID: incoming.id) else { return nil }
            if isInitialize {
                refuse(exchange, .alreadyInitialized, "this session is already initialized", id: incoming.id)
                return nil
            }
            return session
        }
        if isInitialize, !configuration.stateless {
            return openSession(transport: .streamableHTTP, exchange, id: incoming.id)
        }
        if configuration.stateless {
            let revision = head.protocolVersion.flatMap(Revision.init(handshake:)) ?? .assumed
            return openEphemeralSession(revision: revision)
        }
        refuse(
            exchange,
            .missingSession,
            "Mcp-Session-Id is missing; send initialize first and repeat the header it answers with",
            id: incoming.id
        )
        return nil
    }

    /// Finds the session of a request and keeps it alive; answers 404 when there is none.
    mutating func knownSession(_ id: String, _ exchange: ExchangeID, requestID: RequestID? = nil) -> Session? {
        guard let session = sessionsByID[id], session.transport == .streamableHTTP else {
            refuse(exchange, .unknownSession, "session not found; send initialize to open a new one", id: requestID)
            return nil
        }
        session.lastActivity = now
        return session
    }

    /// Checks `MCP-Protocol-Version`. Any revision the proxy knows will do: the official servers don't insist on the
    /// negotiated one either.
    mutating func checkVersion(_ head: ExchangeHead, _ exchange: ExchangeID, id: RequestID?) -> Bool {
        guard let version = head.protocolVersion, Revision(handshake: version) == nil else { return true }
        let known = Revision.handshakes.map(\.rawValue)
        refuse(
            exchange,
            .unsupportedVersion,
            "MCP-Protocol-Version '\(version.prefix(32))' is not supported; use one of \(known.joined(separator: ", "))",
            id: id,
            details: [("supported", .strings(known)), ("requested", .string(String(version.prefix(32))))]
        )
        return false
    }

    // MARK: Batches

    /// A JSON array: a batch, which only 2025-03-26 has. It is taken apart; no child ever sees one.
    private mutating func postBatch(_ exchange: ExchangeID, head: ExchangeHead, body: ByteBuffer) {
        guard !head.isStateless else {
            let message = "revision \(Revision.stateless.rawValue) has no batches; send one message per POST"
            return refuse(exchange, .batchNotAllowed, message, omitsUnknownID: true)
        }
        guard checkVersion(head, exchange, id: nil) else { return }
        let session: Session
        if let id = head.sessionID {
            guard let known = knownSession(id, exchange) else { return }
            session = known
        } else if configuration.stateless {
            session = openEphemeralSession(
                revision: head.protocolVersion.flatMap(Revision.init(handshake:)) ?? .assumed
            )
        } else {
            return refuse(exchange, .missingSession, "Mcp-Session-Id is missing; a batch cannot begin a session")
        }
        guard session.revision.allowsBatches else {
            closeIfEphemeral(session)
            return refuse(
                exchange,
                .batchNotAllowed,
                "revision \(session.revision.rawValue) has no batches; send one message per POST"
            )
        }
        let messages: [Incoming]
        do throws(ScanError) {
            messages = try incoming(inBatch: body)
        } catch {
            closeIfEphemeral(session)
            return refuse(exchange, error)
        }
        let requests = messages.filter { $0.envelope.kind == .request }
        if messages.isEmpty || requests.contains(where: { $0.method == .initialize }) {
            closeIfEphemeral(session)
            let reason = messages.isEmpty ? "a batch must not be empty" : "initialize must not be part of a batch"
            return refuse(exchange, .invalidRequest, reason)
        }
        guard Set(requests.compactMap(\.id)).count == requests.count else {
            closeIfEphemeral(session)
            return refuse(exchange, .idInUse, "an id occurs twice in the batch")
        }
        let batch = PendingBatch(exchange: exchange, missing: requests.count)
        if requests.isEmpty {
            effects.append(.respond(exchange, Reply(status: 202)))
        } else {
            exchanges[exchange] = .batch(batch)
        }
        session.isReceiving = true
        for message in messages { receive(message, from: session, nil, acceptsEventStream: false, batch: batch) }
        session.isReceiving = false
        closeIfEphemeral(session)
    }

    private func incoming(inBatch body: ByteBuffer) throws(ScanError) -> [Incoming] {
        var messages: [Incoming] = []
        for range in try Batch.split(body) {
            let member = body.slice(range)
            messages.append(Incoming(member, try Envelope.scan(member)))
        }
        return messages
    }

    // MARK: Refusals

    /// Answers an exchange with a failure, and says so once in the event stream.
    mutating func refuse(
        _ exchange: ExchangeID,
        _ failure: Failure,
        _ message: String,
        id: RequestID? = nil,
        details: [(String, DataValue)] = [],
        omitsUnknownID: Bool = false
    ) {
        let reply = Reply(
            status: failure.status,
            body: failure.response(id: id, message, details: details, omitsUnknownID: omitsUnknownID),
            retryAfter: failure.status == 503 ? 5 : nil
        )
        effects.append(.respond(exchange, reply))
        reject(failure, message)
    }

    /// Reports a refusal, without what the client sent.
    mutating func reject(_ failure: Failure, _ message: String) {
        let detail = failure.quotesClient ? failure.rawValue : message
        emit(.requestRejected(reason: failure.rejectReason, detail: detail))
    }

    /// Answers a message that could not be read.
    mutating func refuse(_ exchange: ExchangeID, _ error: ScanError) {
        let (failure, id, _) = error.asFailure
        refuse(exchange, failure, error.explanation, id: id)
    }
}

extension ScanError {
    /// The failure to answer with, the id to answer to, and what a child that sent this did wrong.
    var asFailure: (Failure, RequestID?, ProtocolViolation) {
        switch self {
        case .invalidJSON: (.parseError, nil, .invalidJSON)
        case .batch: (.batchNotAllowed, nil, .notJSONRPC)
        case .notJSONRPC(_, let id): (.invalidRequest, id, .notJSONRPC)
        case .duplicateMember(_, let id): (.invalidRequest, id, .duplicateMember)
        }
    }

    /// What is wrong, for whoever sent it.
    var explanation: String {
        switch self {
        case .invalidJSON(let offset, let expected): "invalid JSON at byte \(offset): expected \(expected)"
        case .batch: "this revision has no batches; send one message at a time"
        case .notJSONRPC(let reason, _): "not a JSON-RPC 2.0 message: \(reason)"
        case .duplicateMember(let name, _): "member \"\(name)\" occurs twice"
        }
    }
}

extension Failure {
    /// The same, in the vocabulary of events.
    var rejectReason: RejectReason {
        switch self {
        case .unknownSession, .missingSession: .unknownSession
        case .unsupportedVersion, .statelessRevision, .revisionNotServed: .unsupportedVersion
        case .sessionLimit: .sessionLimit
        case .shuttingDown: .shuttingDown
        case .queueFull: .queueFull
        case .upstreamUnavailable: .upstreamDown
        case .taskUnknown, .notShared: .forbiddenTask
        case .unknownEventID, .headerMismatch: .badHeader
        default: .badMessage
        }
    }
}
