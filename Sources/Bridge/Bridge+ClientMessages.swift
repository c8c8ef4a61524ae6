// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// What a client's message means.
extension Bridge {
    /// Takes one message of a session.
    ///
    /// - Parameters:
    ///   - exchange: The POST to answer; nil where the answer goes elsewhere (a batch, the stream of the 2024-11-05
    ///     transport).
    ///   - batch: The batch it is part of.
    mutating func receive(
        _ incoming: Incoming,
        from session: Session,
        _ exchange: ExchangeID?,
        acceptsEventStream: Bool,
        batch: PendingBatch? = nil
    ) {
        if configuration.payloadBytes > 0 { tellPayload(.client, session.label, incoming.message) }
        switch incoming.envelope.kind {
        case .request:
            let call = makeCall(incoming, from: session)
            call.exchange = exchange
            call.acceptsEventStream = acceptsEventStream && exchange != nil
            call.batch = batch
            request(incoming, call, from: session)
        case .notification:
            accept(exchange)
            emit(
                .notificationReceived(
                    peer: .client,
                    method: incoming.method,
                    bytes: incoming.message.readableBytes
                )
            )
            notification(incoming, from: session)
            closeIfEphemeral(session)
        case .result, .error:
            accept(exchange)
            answer(incoming, from: session)
            closeIfEphemeral(session)
        }
    }

    /// Has the beginning of a message logged (`--log-payloads`).
    mutating func tellPayload(_ peer: Peer, _ session: String, _ message: ByteBuffer) {
        let bytes = message.readableBytes
        let start = ByteRange(0, min(bytes, configuration.payloadBytes))
        emit(.payload(peer: peer, session: session, message: message.slice(start), bytes: bytes))
    }

    private mutating func accept(_ exchange: ExchangeID?) {
        guard let exchange else { return }
        effects.append(.respond(exchange, Reply(status: 202)))
    }

    mutating func makeCall(_ incoming: Incoming, from session: Session) -> Call {
        let call = Call(
            id: nextCall,
            link: session.link ?? Self.firstLink,
            origin: .client(session, id: incoming.id ?? RequestID(0)),
            method: incoming.method,
            requestBytes: incoming.message.readableBytes,
            arrived: now,
            deadline: now + configuration.requestTimeout,
            hardDeadline: now + configuration.maxRequestTime
        )
        nextCall += 1
        call.trace = trace(of: incoming)
        call.name = knownNames.name(of: call.method, incoming.envelope[.name], in: incoming.message)
        return call
    }

    // MARK: Requests

    private mutating func request(_ incoming: Incoming, _ call: Call, from session: Session) {
        guard case .client(_, let id) = call.origin else { return }
        session.requestCount += 1
        // Before anything is remembered of the call: its twin is the one that is in flight.
        guard session.inFlight[id] == nil else {
            return refuseCall(call, .idInUse, "id \(id.token) is already in use by a request in flight")
        }
        register(call, session, id)
        guard !isDraining else { return fail(call, .shuttingDown, "the proxy is shutting down") }
        guard incoming.method != .initialize else { return initialize(incoming, call, from: session) }
        guard incoming.method != .ping else {
            return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
        }
        settle(session, for: call)
        guard session.phase == .active, let linkID = session.link, let link = links[linkID] else {
            return fail(call, .invalidRequest, "send initialize first")
        }
        guard !session.revision.isStateless else { return statelessRequest(incoming, call, session, link) }
        guard !link.isStateless else { return handshakeClientRequest(incoming, call, session, link) }
        switch incoming.method {
        case .loggingSetLevel where link.isShared:
            setLevel(incoming, call, session, link)
        case .loggingSetLevel:
            if let level = incoming.text(.level).flatMap(LogLevel.init(rawValue:)) { call.aftermath = .setLevel(level) }
            forward(incoming, call, link)
        case .resourcesSubscribe, .resourcesUnsubscribe:
            subscription(incoming, call, session, link)
        case .tasksGet, .tasksResult, .tasksCancel, .tasksList:
            task(incoming, call, session, link)
        default:
            if incoming.envelope[.task] != nil { call.aftermath = .createTask }
            forward(incoming, call, link)
        }
    }

    /// The child has one log level; it is told the most verbose that any session wants.
    private mutating func setLevel(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard case .client(_, let id) = call.origin else { return }
        guard let level = incoming.text(.level).flatMap(LogLevel.init(rawValue:)) else {
            return forward(incoming, call, link)
        }
        let sessionsLevel = activeSessions(on: link).filter { $0 !== session }.compactMap(\.logLevel).min() ?? level
        let mostVerbose = min(level, sessionsLevel, passingLogLevel(link) ?? level)
        guard mostVerbose != link.logLevel else {
            session.logLevel = level
            link.sessionsLogLevel = min(level, sessionsLevel)
            return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
        }
        call.aftermath = .setLevel(level)
        call.line = Messages.setLevel(id: call.id, level: mostVerbose).terminated()
        enqueue(call, link)
    }

    /// The child is told of the first subscription to a resource and the end of the last.
    private mutating func subscription(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard case .client(_, let id) = call.origin else { return }
        guard let uri = incoming.text(.uri) else { return forward(incoming, call, link) }
        let (holders, isAwaited) = link.subscriptions[uri].map { ($0.holders, !$0.waiting.isEmpty) } ?? (0, false)
        let isHolder = session.subscriptions.contains(uri)
        if incoming.method == .resourcesSubscribe {
            guard session.subscriptions.count < Link.maxSubscriptions, uri.utf8.count <= Link.maxURILength else {
                let limits = "\(Link.maxSubscriptions) resources, with URIs of \(Link.maxURILength) bytes"
                return fail(call, .subscriptionLimit, "a session may subscribe to \(limits); unsubscribe from some")
            }
            guard holders == 0 else {
                link.hold(uri, session)
                return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
            }
            call.aftermath = .subscribe(uri: uri)
        } else {
            guard !isHolder || holders <= 1 && !isAwaited && !openSubscriptions(on: link).contains(uri) else {
                session.subscriptions.remove(uri)
                link.release(uri)
                return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
            }
            guard isHolder || holders == 0 && !isAwaited else {
                // Not its own: the child must go on serving those who hold it.
                return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
            }
            call.aftermath = .unsubscribe(uri: uri)
        }
        forward(incoming, call, link)
    }

    /// A task belongs to the session that started it; a list would show everybody's.
    private mutating func task(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard link.isShared else { return forward(incoming, call, link) }
        guard incoming.method != .tasksList else {
            return fail(call, .notShared, "tasks/list is not available on a child that several clients share")
        }
        guard let id = incoming.text(.taskID), session.tasks.contains(id) else {
            return fail(call, .taskUnknown, "no such task in this session")
        }
        forward(incoming, call, link)
    }

    // MARK: Notifications and answers

    private mutating func notification(_ incoming: Incoming, from session: Session) {
        guard let linkID = session.link, let link = links[linkID] else { return }
        switch incoming.method {
        case .initialized:
            guard !link.isShared else { return }
            link.clientIsInitialized = true
            tell(incoming, link)
        case .cancelled:
            guard let id = incoming.token(.requestID), let callID = session.inFlight[id], let call = calls[callID],
                let range = incoming.envelope[.requestID], call.method != .initialize
            else { return }
            emit(.requestCancelled(initiator: .client))
            cancel(call, with: incoming.message.splicing(.init(range, String(call.id)), newline: true))
        case .rootsListChanged where link.isShared:
            return
        // The stateless revision has no notifications of clients but the one above.
        case _ where link.isStateless:
            return
        case .progress:
            guard !session.serverRequests.isEmpty else { return }
            tell(incoming, link)
        default:
            tell(incoming, link)
        }
    }

    /// Passes a notification on, to a child that is there and has finished its handshake.
    private mutating func tell(_ incoming: Incoming, _ link: Link) {
        guard link.phase == .ready else { return }
        writeControl(link, incoming.message.terminated())
    }

    /// The client's answer to a request of the child.
    private mutating func answer(_ incoming: Incoming, from session: Session) {
        guard let own = incoming.id?.integer, session.serverRequests.contains(own), let request = serverRequests[own],
            let link = links[request.link], let range = incoming.envelope[.id]
        else {
            return emit(.protocolViolation(peer: .client, kind: .unmatchedID, detail: "answer to no open request"))
        }
        guard case .request(let childID) = request.asker else { return answerQuestion(own, incoming, request) }
        forget(
            serverRequest: own,
            .answered,
            answerBytes: incoming.message.readableBytes,
            isError: incoming.envelope.kind == .error
        )
        for id in session.inFlight.values {
            if let call = calls[id], call.mayAsk { extendDeadline(of: call, session) }
        }
        writeControl(link, incoming.message.splicing(.init(range, childID.token), newline: true))
    }
}
