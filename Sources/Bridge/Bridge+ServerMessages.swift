// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// What a child says: its answers, and what it asks whom.
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
        if case .own(let request) = call.origin {
            ended(call, request, .unusable(failure, message), link)
            return pump(link)
        }
        childIsDone(with: call, link)
        if call.isLive {
            call.isAnswered = true
            fail(call, failure, message)
        }
        calls[call.id] = nil
        // A session's own handshake: without it there is no session.
        if call.method == .initialize, let session = call.session { close(session, .initializeFailed) }
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
        // What a process speaks shows when it is ready; before that, any may ask for a sign of life.
        guard !link.isStateless || (method == .ping && link.phase != .ready) else {
            emit(.protocolViolation(peer: .server, kind: .undeclaredRequest, detail: method.rawValue))
            return refuse(
                childID,
                method,
                link,
                .clientCannot,
                "revision \(Revision.stateless.rawValue) has no requests of servers",
                .undeclared,
                requestBytes: message.readableBytes
            )
        }
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
        let declared = link.declared ?? session.capabilities
        let isParked = session.revision.isStateless
        // The stateless revision lets clients be asked in some methods only.
        guard session.capabilities.intersection(declared).isSuperset(of: needed), !isParked || session.parking != nil
        else {
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
        if isURLMode, !isParked, let id = envelope[.elicitationID].flatMap({ message.string($0) }) {
            session.elicitations.insert(id)
        }
        let own = nextServerRequest
        nextServerRequest += 1
        let stream = isParked ? 0 : streamForServerMessage(to: session)
        let request = ServerRequest(
            asker: .request(childID),
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
        if isParked {
            park(own, method, message, envelope, session)
        } else {
            deliver(message.splicing(.init(idRange, String(own)), newline: false), to: session, stream: stream)
        }
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
            if active.count == 1, !link.servedStrangers { return active[0] }
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
        request.session.parking?.questions[own] = nil
        request.session.serverRequests.remove(own)
        switch request.asker {
        case .request(let childID): links[request.link]?.serverRequests[childID] = nil
        case .call(let call, _): calls[call]?.inputs?.pending.remove(own)
        }
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
        switch request.asker {
        case .request(let childID): writeControl(link, failure.response(id: childID, message).terminated())
        // With the session its calls end, too.
        case .call where outcome == .sessionEnded: break
        case .call(let call, let key): questionRefused(call, key: key, request.method, message)
        }
    }
}
