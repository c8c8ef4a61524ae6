// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// What a child's message means, and whose it is.
extension Bridge {
    /// Takes one message of the child.
    ///
    /// - Parameter isInBatch: Whether it is a member of a batch, where there are no further batches.
    mutating func receive(_ message: ByteBuffer, from link: Link, isInBatch: Bool = false) {
        if configuration.payloadBytes > 0, !isInBatch { tellPayload(.server, "", message) }
        let envelope: Envelope
        do throws(ScanError) {
            envelope = try Envelope.scan(message)
        } catch {
            if error == .batch, !isInBatch { return receiveBatch(message, from: link) }
            return reportUnreadable(error, message, link)
        }
        var message = message
        if envelope.hasLineBreaks { message.flattenLineBreaks() }
        switch envelope.kind {
        case .result, .error: response(message, envelope, link)
        case .request: serverRequest(message, envelope, link)
        case .notification: serverNotification(message, envelope, link)
        }
    }

    /// Only servers of 2025-03-26 may send batches; taking one apart costs nothing, so any child's is.
    private mutating func receiveBatch(_ message: ByteBuffer, from link: Link) {
        do throws(ScanError) {
            let members = try Batch.split(message)
            for range in members { receive(message.slice(range), from: link, isInBatch: true) }
            guard members.isEmpty else { return }
            emit(.protocolViolation(peer: .server, kind: .notJSONRPC, detail: "a batch without messages"))
        } catch {
            reportUnreadable(error, message, link)
        }
    }

    /// A message that cannot be read fails the call it answers. A request has an id too, which is the child's own.
    private mutating func reportUnreadable(_ error: ScanError, _ message: ByteBuffer, _ link: Link) {
        emit(.protocolViolation(peer: .server, kind: error.asFailure.2, detail: error.explanation))
        // What ends too early was cut off by the death of its writer, whose exit tells more.
        if case .invalidJSON(let offset, _) = error, offset >= message.readableBytes { return }
        guard let call = openCall(Envelope.answeredID(inUnreadable: message), link) else { return }
        failAnswered(
            call,
            link,
            .upstreamAnswerInvalid,
            "the MCP server's answer is not a valid message: \(error.explanation)"
        )
    }

    /// The call of this child that `id` names, if it is with the child.
    func openCall(_ id: RequestID?, _ link: Link) -> Call? {
        guard let own = id?.integer, let call = calls[own], call.link == link.id, call.phase != .waiting else {
            return nil
        }
        return call
    }

    /// The child's answer came and is of no use.
    mutating func failAnswered(_ call: Call, _ link: Link, _ failure: Failure, _ message: String) {
        childIsDone(with: call, link)
        if call.isLive {
            call.isAnswered = true
            fail(call, failure, message)
        }
        calls[call.id] = nil
        // A session's own handshake: without it there is no session.
        if call.method == .initialize, let session = call.session { close(session, .initializeFailed) }
        if case .own(.handshake) = call.origin {
            effects.append(.fail(link: link.id, .handshakeFailed, detail: message))
        }
        pump(link)
    }

    private mutating func response(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        let id = envelope.id(in: message)
        if let call = openCall(id, link) { return answered(call, message, envelope, link) }
        let isLate = id?.integer.map { $0 > 0 && $0 < nextCall } ?? false
        emit(
            .protocolViolation(
                peer: .server,
                kind: isLate ? .lateAnswer : .unmatchedID,
                detail: "no open request has the id \(id?.token.prefix(64) ?? "null")"
            )
        )
    }

    // MARK: Requests

    private mutating func serverRequest(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard let childID = envelope.id(in: message), let idRange = envelope[.id] else { return }
        let method = envelope.method(in: message)
        guard method != .ping else {
            return writeControl(link, Messages.emptyResult(id: childID).terminated())
        }
        guard link.serverRequests[childID] == nil else {
            return emit(
                .protocolViolation(peer: .server, kind: .unmatchedID, detail: "an id in use was used for a new request")
            )
        }
        guard link.serverRequests.count < Link.maxServerRequests else {
            return refuse(
                childID,
                method,
                link,
                .queueFull,
                "too many requests are open with clients",
                .noSession,
                requestBytes: message.readableBytes
            )
        }
        guard let session = owner(of: message, envelope, link, method, childID) else { return }
        let isURLMode = envelope[.mode].flatMap { message.string($0) } == "url"
        let needed = ClientCapabilities.needed(for: method, isURLMode: isURLMode)
        let declared = link.isShared ? configuration.sharedCapabilitySet : session.capabilities
        guard session.capabilities.intersection(declared).isSuperset(of: needed) else {
            emit(.protocolViolation(peer: .server, kind: .undeclaredRequest, detail: method.rawValue))
            return refuse(
                childID,
                method,
                link,
                .clientCannot,
                "this client did not declare \(method.rawValue)",
                .undeclared,
                requestBytes: message.readableBytes
            )
        }
        if isURLMode, let id = envelope[.elicitationID].flatMap({ message.string($0) }) {
            session.elicitations.insert(id)
        }
        let own = nextServerRequest
        nextServerRequest += 1
        let stream = streamForServerMessage(to: session)
        let request = ServerRequest(
            childID: childID,
            link: link.id,
            session: session,
            method: method,
            requestBytes: message.readableBytes,
            deadline: now + configuration.clientRequestTimeout,
            stream: stream
        )
        serverRequests[own] = request
        link.serverRequests[childID] = own
        session.serverRequests.insert(own)
        wake(at: request.deadline)
        // A human may be asked: the calls that wait for it have as long as the human.
        for id in session.inFlight.values {
            if let call = calls[id], call.mayAsk { extendDeadline(of: call, session) }
        }
        deliver(message.splicing(.init(idRange, String(own)), newline: false), to: session, stream: stream)
        // What its answer needs may wait behind other sessions.
        if link.turns.areTaken { pump(link) }
    }

    /// The session a request of the child is for; nil when it has been refused.
    private mutating func owner(
        of message: ByteBuffer,
        _ envelope: Envelope,
        _ link: Link,
        _ method: Method,
        _ childID: RequestID
    ) -> Session? {
        let bytes = message.readableBytes
        if case .exclusive(let key) = link.role {
            if let session = sessions[key] { return session }
            refuse(childID, method, link, .noClient, "the client's session has ended", .noSession, requestBytes: bytes)
            return nil
        }
        // A request that names its task belongs to the owner of the task and to nobody else.
        if let owner = taskOwner(message, envelope, link) {
            if owner == nil {
                refuse(
                    childID,
                    method,
                    link,
                    .noClient,
                    "the session of this task has ended",
                    .noSession,
                    requestBytes: bytes
                )
            }
            return owner
        }
        switch link.turns.owner {
        case .session(let key):
            if let session = sessions[key] { return session }
            refuse(
                childID,
                method,
                link,
                .noClient,
                "the client that called has ended its session",
                .noSession,
                requestBytes: bytes
            )
        case .nobody:
            let active = activeSessions(on: link)
            if active.count == 1 { return active[0] }
            refuse(
                childID,
                method,
                link,
                .noClient,
                "no call is running that this could belong to",
                .noSession,
                requestBytes: bytes
            )
        case .ambiguous:
            emit(.protocolViolation(peer: .server, kind: .ambiguousRequest, detail: method.rawValue))
            refuse(
                childID,
                method,
                link,
                .ambiguousClient,
                "calls of several clients are running and this could belong to any of them; from now on they take turns",
                .ambiguous,
                requestBytes: bytes
            )
            if !link.turns.areTaken {
                link.turns.takeTurns()
                emit(.upstreamTakesTurns(link: link.id))
            }
        }
        return nil
    }

    private mutating func refuse(
        _ childID: RequestID,
        _ method: Method,
        _ link: Link,
        _ failure: Failure,
        _ message: String,
        _ outcome: ServerRequestOutcome,
        requestBytes: Int
    ) {
        writeControl(link, failure.response(id: childID, message).terminated())
        emit(.serverRequestFinished(method: method, outcome: outcome, requestBytes: requestBytes))
    }

    /// Takes a request of the child out of the books.
    mutating func forget(
        serverRequest own: Int,
        _ outcome: ServerRequestOutcome,
        answerBytes: Int = 0,
        isError: Bool = false
    ) {
        guard let request = serverRequests.removeValue(forKey: own) else { return }
        request.session.serverRequests.remove(own)
        links[request.link]?.serverRequests[request.childID] = nil
        emit(
            .serverRequestFinished(
                method: request.method,
                outcome: outcome,
                requestBytes: request.requestBytes,
                responseBytes: answerBytes,
                isError: isError
            )
        )
    }

    /// Tells a client more about a request it has been asked: on the same stream, or, when the call it came with is
    /// over, on the one that belongs to no call.
    mutating func followUp(_ message: ByteBuffer, _ request: ServerRequest) {
        let isOpen = request.session.streams[request.stream] != nil
        deliver(message, to: request.session, stream: isOpen ? request.stream : 0)
    }

    /// Answers a request of the child in the place of its client.
    mutating func failServerRequest(
        _ own: Int,
        _ failure: Failure,
        _ message: String,
        _ outcome: ServerRequestOutcome
    ) {
        guard let request = serverRequests[own] else { return }
        forget(serverRequest: own, outcome)
        guard let link = links[request.link] else { return }
        writeControl(link, failure.response(id: request.childID, message).terminated())
    }

    // MARK: Notifications

    private mutating func serverNotification(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        let method = envelope.method(in: message)
        emit(.notificationReceived(peer: .server, method: method, bytes: message.readableBytes))
        switch method {
        case .progress: progress(message, envelope, link)
        case .message: log(message, envelope, link)
        case .cancelled:
            guard let range = envelope[.requestID], let id = RequestID(token: message.text(range)),
                let own = link.serverRequests[id], let request = serverRequests[own]
            else { return }
            forget(serverRequest: own, .cancelled)
            let forClient = message.splicing(.init(range, String(own)), newline: false)
            followUp(forClient, request)
        case .toolsListChanged, .promptsListChanged, .resourcesListChanged:
            for session in activeSessions(on: link) { deliver(message, to: session, stream: 0) }
        case .resourcesUpdated:
            for session in subscribers(of: envelope[.uri].flatMap { message.string($0) } ?? "", link) {
                deliver(message, to: session, stream: 0)
            }
        case .elicitationComplete:
            guard let id = envelope[.elicitationID].flatMap({ message.string($0) }) else { return }
            for session in activeSessions(on: link) where session.elicitations.remove(id) {
                deliver(message, to: session, stream: 0)
            }
        case .tasksStatus where link.isShared:
            guard let id = envelope[.taskID].flatMap({ message.string($0) }) else { return }
            for session in activeSessions(on: link) where session.tasks.contains(id) {
                deliver(message, to: session, stream: 0)
            }
        default:
            unknownNotification(message, envelope, method, link)
        }
    }

    /// Whose task a message of a shared child names: nil when it names none, nil inside when it is nobody's (any more).
    private func taskOwner(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) -> Session?? {
        guard link.isShared, let task = envelope[.metaRelatedTaskID].flatMap({ message.string($0) }) else {
            return nil
        }
        return .some(activeSessions(on: link).first { $0.tasks.contains(task) })
    }

    /// A notification that names nobody: to the one it can belong to, to everybody when it can belong to no call.
    private mutating func unknownNotification(
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ method: Method,
        _ link: Link
    ) {
        if let owner = taskOwner(message, envelope, link) {
            if let owner { deliver(message, to: owner, stream: 0) }
            return
        }
        let active = activeSessions(on: link)
        if !link.isShared { return active.forEach { deliver(message, to: $0, stream: 0) } }
        switch link.turns.owner {
        case .nobody: for session in active { deliver(message, to: session, stream: 0) }
        case .session(let key):
            guard let session = sessions[key] else { return }
            deliver(message, to: session, stream: streamForServerMessage(to: session))
        case .ambiguous:
            emit(.protocolViolation(peer: .server, kind: .ambiguousNotification, detail: method.rawValue))
        }
    }

    private mutating func progress(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard let range = envelope[.progressToken], let token = message.integer(range) else {
            return emit(
                .protocolViolation(peer: .server, kind: .unknownProgressToken, detail: "not a token of the proxy")
            )
        }
        if let (key, clientToken) = link.taskTokens[token], let session = sessions[key] {
            return deliver(message.splicing(.init(range, clientToken), newline: false), to: session, stream: 0)
        }
        guard let call = openCall(RequestID(token), link), let clientToken = call.progressToken else {
            return emit(
                .protocolViolation(peer: .server, kind: .unknownProgressToken, detail: "no such call is running")
            )
        }
        guard call.isLive, let session = call.session else { return }
        extendDeadline(of: call, session)
        let forClient = message.splicing(.init(range, clientToken), newline: false)
        deliver(forClient, to: session, stream: stream(of: call, session))
    }

    /// A log message names no call. It reaches a client only when there is no other it could be meant for.
    private mutating func log(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        let level = envelope[.level].flatMap { message.string($0) } ?? ""
        let active = activeSessions(on: link)
        var isSafe =
            switch link.turns.owner {
            case .nobody: true
            case .session(let key): active.first?.key == key
            case .ambiguous: false
            }
        if let owner = taskOwner(message, envelope, link) { isSafe = owner != nil }
        guard active.count == 1, isSafe || !link.isShared else {
            return emit(.upstreamLog(link: link.id, level: String(level.prefix(16)), bytes: message.readableBytes))
        }
        if let wanted = active[0].logLevel, let level = LogLevel(rawValue: level), level < wanted { return }
        deliver(message, to: active[0], stream: streamForServerMessage(to: active[0]))
    }

    /// Who subscribed to a resource, or to one it is a part of. A child that names something else altogether is
    /// believed when it has one client only: a URI can tell what another client works on.
    private func subscribers(of uri: String, _ link: Link) -> [Session] {
        let active = activeSessions(on: link)
        let exact = active.filter { $0.subscriptions.contains(uri) }
        guard exact.isEmpty else { return exact }
        let parents = active.filter { $0.subscriptions.contains { uri.hasPrefix($0) } }
        return parents.isEmpty && active.count == 1 ? active : parents
    }
}
