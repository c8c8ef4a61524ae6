// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// Requests of the stateless revision (2026-07-28). Each is a session of its own that lasts as long as the request: all
// that keeps sessions apart keeps these apart, too.
extension Bridge {
    /// Whether a message is of the stateless revision, or pretends to be.
    func isStateless(_ incoming: Incoming, _ head: ExchangeHead) -> Bool {
        head.isStateless || incoming.envelope[.metaProtocolVersion] != nil
            || incoming.method == .serverDiscover
    }

    /// Checks a request in the order the specification has, and takes it.
    mutating func postStateless(_ incoming: Incoming, _ exchange: ExchangeID, _ head: ExchangeHead) {
        let id = incoming.id
        // A child of one's own needs somebody who is known again. Such a client must be told so quickly and in a way that
        // sends it back to `initialize`: any 4xx whose code is not one of its revision's own.
        guard configuration.isolation != .session else {
            let message = "requests without a session are not served with --isolation session; send initialize"
            return refuse(exchange, .statelessRevision, message, id: id)
        }
        switch incoming.envelope.kind {
        case .request: break
        case .notification:
            // A client ends its requests by going away, and has nothing else to tell.
            effects.append(.respond(exchange, Reply(status: 202)))
            return emit(
                .notificationReceived(peer: .client, method: incoming.method, bytes: incoming.message.readableBytes)
            )
        case .result, .error:
            let message = "revision \(Revision.stateless.rawValue) has no answers of clients"
            return refuse(exchange, .invalidRequest, message, id: id, omitsUnknownID: true)
        }
        let envelope = RequestEnvelope(incoming.envelope, in: incoming.message)
        if let fault = envelope.fault { return refuse(exchange, .envelopeInvalid, fault, id: id) }
        if let fault = shapeFault(incoming) { return refuse(exchange, .envelopeInvalid, fault, id: id) }
        if let fault = headerFault(incoming, envelope, head) { return refuse(exchange, .headerMismatch, fault, id: id) }
        guard envelope.protocolVersion == Revision.stateless.rawValue else {
            return refuseRevision(envelope.protocolVersion ?? "", exchange, id)
        }
        guard incoming.method.isStateless else {
            let message = "revision \(Revision.stateless.rawValue) has no method of that name"
            return refuse(exchange, .methodNotFound, message, id: id)
        }
        guard !isDraining else { return refuse(exchange, .shuttingDown, "the proxy is shutting down", id: id) }
        let isAlone = incoming.method.takesTurns || incoming.method == .completionComplete
        guard let link = isAlone ? checkOut(for: envelope.capabilities ?? []) : homeLink else {
            return refuse(exchange, .upstreamUnavailable, "the MCP server is not running", id: id)
        }
        if incoming.method == .toolsCall, let fault = parameterFault(incoming, head) {
            return refuse(exchange, .headerMismatch, fault, id: id)
        }
        var incoming = envelope.knowsTasks ? incoming.withoutTasks() : incoming
        if incoming.method == .subscriptionsListen { return listen(incoming, exchange, link) }
        if let range = incoming.envelope[.requestState] {
            let state = incoming.message.string(range)
            guard link.isStateless else { return resume(incoming, state ?? "", envelope, exchange, head) }
            guard let opened = incoming.restoring(state.flatMap { seal.open($0, for: head.credentials) }, at: range)
            else {
                let message = "requestState is not valid for this caller; call again without it"
                return refuse(exchange, .requestStateInvalid, message, id: id)
            }
            incoming = opened
        }
        let session = openEphemeralSession(revision: .stateless)
        session.take(envelope)
        session.link = link.id
        session.credentials = head.credentials
        if incoming.method.takesTurns, !link.isStateless {
            session.parking = Parking(context: RequestContext(incoming, credentials: head.credentials), since: now)
        }
        receive(incoming, from: session, exchange, acceptsEventStream: head.acceptsEventStream)
    }

    private func headerFault(_ incoming: Incoming, _ envelope: RequestEnvelope, _ head: ExchangeHead) -> String? {
        guard let version = head.protocolVersion else {
            return "MCP-Protocol-Version is missing; it must repeat the revision that params._meta names"
        }
        guard let stated = envelope.protocolVersion, version.utf8.elementsEqual(stated.utf8) else {
            return "MCP-Protocol-Version and params._meta name different revisions"
        }
        let method = incoming.text(.method) ?? ""
        return head.routing.fault(method: method, isNamed: incoming.method.takesTurns, target: incoming.target)
    }

    /// What of the parameters the proxy reads is not what it should be, in words.
    private func shapeFault(_ incoming: Incoming) -> String? {
        let message = incoming.message
        if let state = incoming.envelope[.requestState], message.string(state) == nil {
            return "params.requestState must be a string"
        }
        guard let token = incoming.envelope[.metaProgressToken], message.string(token) == nil,
            RequestID(token: message.text(token)) == nil
        else { return nil }
        return "params._meta.progressToken must be a string or an integer"
    }

    /// Whether `Mcp-Param-*` repeat the arguments of a tool, as far as its schema is known.
    private func parameterFault(_ incoming: Incoming, _ head: ExchangeHead) -> String? {
        guard links.values.contains(where: { !$0.parameterHeaders.isEmpty }), let name = incoming.text(.name),
            let headers = links.values.lazy.compactMap({ $0.parameterHeaders[name] }).first,
            let params = incoming.envelope[.params]
        else { return nil }
        let arguments = members(of: params, in: incoming.message).filter { $0.name == "arguments" }
        guard arguments.count < 2 else { return "params.arguments occurs twice" }
        return headers.fault(head.routing, arguments: arguments.first?.value, in: incoming.message)
    }

    private mutating func refuseRevision(_ asked: String, _ exchange: ExchangeID, _ id: RequestID?) {
        let served = Revision.stateless.rawValue
        refuse(
            exchange,
            .revisionNotServed,
            "revision '\(asked.prefix(32))' is not served without a handshake; use \(served), or send initialize",
            id: id,
            details: [("supported", .strings([served])), ("requested", .string(String(asked.prefix(32))))]
        )
    }

    // MARK: To the child

    /// Answers a request from what is known, or has the child answer it.
    mutating func statelessRequest(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        call.target = incoming.target
        if incoming.method == .serverDiscover {
            call.aftermath = .discover
            call.deadline = now + min(configuration.connectionTimeout, configuration.discoverTimeout)
            wake(at: call.deadline)
            if link.handshake != nil { return answerDiscover(call, link) }
            // Not put into the queue: it is answered when the handshake is done, or with what stands in its way.
            if link.phase == .crashLoop || link.phase == .stopping { failUnavailable(call, link) }
            return
        }
        forward(incoming, call, link)
    }

    /// The child has one log level: the most verbose that a session or a running request wants, and when none does, what
    /// the last session wanted.
    func wantedLogLevel(_ link: Link) -> LogLevel? {
        [link.sessionsLogLevel, passingLogLevel(link)].compactMap(\.self).min()
    }

    /// The most verbose level that running requests of the stateless revision want.
    func passingLogLevel(_ link: Link) -> LogLevel? {
        let passing = sessions.values.filter { $0.isEphemeral && $0.link == link.id && $0.logLevel != nil }
        return passing.filter { $0.inFlight.values.contains { calls[$0]?.phase == .sent } }.compactMap(\.logLevel).min()
    }

    /// Tells the child its log level when another one is wanted. One that no session ever set can't be restored.
    mutating func followLogLevel(_ link: Link) {
        guard !link.isStateless, link.phase == .ready, link.handshake?.capabilities.contains("logging") == true,
            let wanted = wantedLogLevel(link), wanted != link.logLevel
        else { return }
        link.logLevel = wanted
        _ = ask(link, .standingState, .loggingSetLevel) { Messages.setLevel(id: $0, level: wanted) }
    }

    private mutating func answerDiscover(_ call: Call, _ link: Link) {
        guard case .client(_, let id) = call.origin, let handshake = link.handshake else { return }
        let text = #"{"jsonrpc":"2.0","id":\#(id.token),"result":\#(handshake.discovery)}"#
        answer(call, with: ByteBuffer(string: text), outcome: .ok)
    }

    /// The handshake is done: who waited for it is answered.
    mutating func statelessLinkBecameReady(_ link: Link) {
        let waiting = calls.values.filter { $0.link == link.id && $0.aftermath == .discover && $0.isLive }
        for call in waiting.sorted(by: { $0.id < $1.id }) { answerDiscover(call, link) }
        // The new process of a child that is listened to itself knows of none of them.
        let listening = sessions.values.filter { session in
            session.link == link.id && session.listening.map { link.isStateless || !$0.isAcknowledged } ?? false
        }
        for session in listening.sorted(by: { $0.key.number < $1.key.number }) { beginListening(session, link) }
    }

    // MARK: From the child

    /// Gives a request the result of a child with a handshake.
    mutating func answerStateless(
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ link: Link
    ) {
        guard let server = link.handshake?.server, let result = envelope[.result], message.isObject(result) else {
            return fail(
                call,
                .upstreamAnswerInvalid,
                "the MCP server's answer is not a valid message: no object as result"
            )
        }
        let own = Translation.stateless(result: message, envelope, method: call.method, server: server)
        answerResult(call, id, message, envelope, as: own)
    }

    /// The client of a stateless request went away, which ends the request (2026-07-28, "Cancellation").
    mutating func abandon(_ call: Call, _ session: Session) {
        guard call.isLive, let link = links[call.link] else { return }
        let wasSent = call.phase == .sent
        emit(.requestCancelled(initiator: .client))
        fail(call, .cancelled, "the client went away")
        guard wasSent else { return }
        tellCancelled(call, link, reason: "the client went away")
        pump(link)
    }

    /// Whom a log message of the child is for that names nobody: the only one with calls under way, if messages are
    /// wanted there. A call that its client gave up may still speak for a while.
    func logReader(on link: Link) -> Session? {
        var found: Session?
        for call in calls.values where call.link == link.id && call.phase != .waiting {
            guard let session = call.session else { continue }
            if case .abandoned(let since) = call.phase, since + configuration.abandonedTurnGrace <= now { continue }
            guard found == nil || found === session else { return nil }
            found = session
        }
        return found.flatMap { sessions[$0.key] }.flatMap { $0.logLevel == nil ? nil : $0 }
    }
}

extension Incoming {
    /// The same request of a client that does not know the extension for tasks.
    fileprivate func withoutTasks() -> Incoming {
        replaced(by: Translation.withoutTasks(message, envelope))
    }

    /// The same request with what its child had given to the client to carry, as a JSON token; nil without that.
    fileprivate func restoring(_ token: String?, at range: ByteRange) -> Incoming? {
        token.map { replaced(by: message.splicing(.init(range, $0), newline: false)) }
    }

    private func replaced(by message: ByteBuffer) -> Incoming {
        guard let envelope = try? Envelope.scan(message) else { return self }
        var new = Incoming(message, envelope)
        new.contextInHeaders = contextInHeaders
        return new
    }

    /// What `Mcp-Name` has to name; nil for a method without.
    var target: String? {
        switch method {
        case .toolsCall, .promptsGet: text(.name)
        case .resourcesRead: text(.uri)
        default: nil
        }
    }
}

extension Session {
    /// Takes over what a request says of its client.
    func take(_ envelope: RequestEnvelope) {
        capabilities = envelope.capabilities ?? []
        logLevel = envelope.logLevel
    }
}

extension Method {
    /// Whether a client of the stateless revision may send it as a request. What the protocol doesn't name is for the
    /// child to judge.
    fileprivate var isStateless: Bool {
        switch self {
        case .serverDiscover, .subscriptionsListen, .toolsList, .toolsCall, .promptsList, .promptsGet, .resourcesList,
            .resourcesTemplatesList, .resourcesRead, .completionComplete, .other:
            true
        default: false
        }
    }
}
