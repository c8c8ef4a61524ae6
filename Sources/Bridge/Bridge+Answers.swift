// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// A call's one answer: from the child, or from the proxy in its place.
extension Bridge {
    /// Gives a client's call its one answer.
    ///
    /// - Parameters:
    ///   - message: A complete response that carries the client's id.
    ///   - isFromChild: Whether the child gave it, just now.
    mutating func answer(
        _ call: Call,
        with message: ByteBuffer,
        outcome: Outcome,
        errorCode: Int? = nil,
        isFromChild: Bool = false,
        status: Int = 200,
        sessionID: String? = nil
    ) {
        guard case .client(let session, let id) = call.origin else { return }
        session.inFlight[id] = nil
        session.lastActivity = now
        settle(call)
        // Its last request was answered with a question, and nobody came back.
        if session.parking?.isAway == true { return closeIfEphemeral(session) }
        reply(to: call, session, with: message, status: status, sessionID: sessionID, isWanted: outcome != .cancelled)
        report(
            call,
            session,
            outcome,
            errorCode: errorCode,
            isFromChild: isFromChild,
            responseBytes: message.readableBytes
        )
        closeIfEphemeral(session)
    }

    /// Sends what answers a call's request to wherever it is waited for.
    ///
    /// - Parameter isWanted: Whether it is a loss when nobody waits.
    mutating func reply(
        to call: Call,
        _ session: Session,
        with message: ByteBuffer,
        status: Int = 200,
        sessionID: String? = nil,
        isWanted: Bool = true
    ) {
        if let batch = call.batch {
            collect(message, batch)
        } else if let stream = call.stream {
            if session.store == nil, session.streams[stream]?.exchange == nil {
                emit(.answerDropped(method: call.method))
            }
            deliver(message, to: session, stream: stream)
            finish(stream: stream, of: session, .finished)
        } else if session.transport == .sse {
            deliver(message, to: session, stream: 0)
        } else if let exchange = call.exchange {
            exchanges[exchange] = nil
            effects.append(.respond(exchange, Reply(status: status, body: message, sessionID: sessionID)))
        } else if isWanted {
            emit(.answerDropped(method: call.method))
        }
    }

    /// Tells how a client's request ended.
    mutating func report(
        _ call: Call,
        _ session: Session,
        _ outcome: Outcome,
        errorCode: Int? = nil,
        isFromChild: Bool = false,
        responseBytes: Int
    ) {
        var finished = Event.RequestFinished(
            session: session.label,
            method: call.method,
            outcome: outcome,
            errorCode: errorCode,
            transport: session.transport,
            revision: session.revision,
            requestBytes: call.requestBytes,
            responseBytes: responseBytes,
            arrived: call.arrived,
            sent: call.sentAt,
            answered: isFromChild ? now : nil,
            finished: now
        )
        if case .client(_, let id) = call.origin { finished.id = id.token }
        finished.name = call.name
        finished.queued = call.queued
        finished.trace = call.trace
        emit(.requestFinished(finished))
    }

    private mutating func collect(_ message: ByteBuffer, _ batch: PendingBatch) {
        batch.answers.append(message)
        guard batch.answers.count == batch.missing else { return }
        guard exchanges.removeValue(forKey: batch.exchange) != nil else {
            return emit(.answerDropped(method: .other))
        }
        var body = ByteBuffer()
        body.writeInteger(UInt8(ascii: "["))
        for (index, var answer) in batch.answers.enumerated() {
            if index > 0 { body.writeInteger(UInt8(ascii: ",")) }
            body.writeBuffer(&answer)
        }
        body.writeInteger(UInt8(ascii: "]"))
        effects.append(.respond(batch.exchange, Reply(status: 200, body: body)))
    }

    /// Answers a call with a failure of the proxy.
    mutating func fail(
        _ call: Call,
        _ failure: Failure,
        _ message: String,
        details: [(String, DataValue)] = []
    ) {
        guard case .client(_, let id) = call.origin else { return settle(call) }
        let body = failure.response(id: id, message, details: details)
        // 503 turns away who has no session yet. In one, an official client would never see the error under it.
        let status = failure.status == 503 ? 200 : failure.status
        answer(call, with: body, outcome: failure.outcome, errorCode: failure.code, status: status)
        if failure.outcome == .rejected { reject(failure, message) }
    }

    /// Answers a call that the child is not there for.
    mutating func failUnavailable(_ call: Call, _ link: Link?) {
        fail(
            call,
            .upstreamUnavailable,
            link?.unavailability ?? "the MCP server is not running",
            details: link?.lastExit?.details ?? []
        )
    }

    /// Answers a call that was never registered.
    mutating func refuseCall(_ call: Call, _ failure: Failure, _ message: String) {
        guard case .client(let session, let id) = call.origin else { return }
        let body = failure.response(id: id, message)
        if let batch = call.batch {
            collect(body, batch)
        } else if let exchange = call.exchange {
            effects.append(.respond(exchange, Reply(status: failure.status, body: body)))
        } else {
            deliver(body, to: session, stream: 0)
        }
        reject(failure, message)
    }

    /// Takes a call out of the books once its client has been answered: out of the queue, or, when the child still
    /// works on it, to those that only the child can end.
    private mutating func settle(_ call: Call) {
        guard calls[call.id] != nil, let link = links[call.link] else { return calls[call.id] = nil }
        switch call.phase {
        case .waiting:
            dropQuestions(of: call)
            link.awaitsNoLonger(call)
            if call.isQueued {
                unqueue(call, link)
                call.line = nil
                link.forgetEndedWaiters()
            }
            call.phase = .abandoned(since: now)
            calls[call.id] = nil
        case .sent where call.isAnswered:
            if call.session != nil { link.inFlight -= 1 }
            calls[call.id] = nil
        case .sent:
            link.inFlight -= 1
            call.phase = .abandoned(since: now)
            wake(at: now + configuration.abandonedTurnGrace)
        case .abandoned:
            break
        }
    }

    /// Ends a call at the wish of its client.
    ///
    /// - Parameter notification: The line that tells the child.
    mutating func cancel(_ call: Call, with notification: ByteBuffer) {
        let wasSent = call.phase == .sent
        fail(call, .cancelled, "the request was cancelled")
        guard wasSent, let link = links[call.link] else { return }
        writeControl(link, notification)
        pump(link)
    }

    /// Tells the child that nobody waits for a call any more.
    mutating func tellCancelled(_ call: Call, _ link: Link, reason: String) {
        writeControl(link, Messages.cancelled(id: RequestID(call.id), reason: reason).terminated())
    }

    // MARK: From the child

    /// The child answered a call.
    mutating func answered(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        childIsDone(with: call, link)
        defer { pump(link) }
        guard case .client(let session, let id) = call.origin else {
            guard case .own(let request) = call.origin else { return }
            return ended(call, request, .answered(message, envelope), link)
        }
        guard call.isLive else {
            calls[call.id] = nil
            if envelope.kind == .result { undo(call, message, envelope, link) }
            return emit(.answerDropped(method: call.method))
        }
        call.isAnswered = true
        if call.aftermath == .handshake { return handshakeAnswered(call, message, envelope, link) }
        if envelope.kind == .result { conclude(call, message, envelope, session, link) }
        if !link.isStateless, session.revision.isStateless, keepsAnswer(of: session, message, envelope) {
            link.inFlight -= 1
            return calls[call.id] = nil
        }
        answer(call, id, with: message, envelope, session, link)
    }

    /// Gives a client the child's answer, in the words of its revision.
    mutating func answer(
        _ call: Call,
        _ id: RequestID,
        with message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        guard envelope.kind == .result else { return answerError(call, id, message, envelope, session, link) }
        switch (link.isStateless, session.revision.isStateless) {
        case (true, _): relay(call, id, message, envelope, session, link)
        case (false, true): answerStateless(call, id, message, envelope, link)
        case (false, false): answerResult(call, id, message, envelope)
        }
    }

    /// Gives a client the child's result.
    ///
    /// - Parameter translated: The answer in the words of the client's revision, when they are not the child's.
    mutating func answerResult(
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        as translated: ByteBuffer? = nil
    ) {
        guard let range = translated.map({ (try? Envelope.scan($0))?[.id] }) ?? envelope[.id] else {
            let message = "the MCP server's answer is nested too deep to be translated"
            return fail(call, .upstreamAnswerInvalid, message)
        }
        let isToolError = envelope[.resultIsError].map { message.text($0) == "true" } ?? false
        answer(
            call,
            with: (translated ?? message).splicing(.init(range, id.token), newline: false),
            outcome: isToolError ? .toolError : .ok,
            isFromChild: true
        )
    }

    /// The child works on a call no more: its answer came, of use or not.
    func childIsDone(with call: Call, _ link: Link) {
        guard call.mayAsk, let session = call.session else { return }
        link.turns.finished(session.key, wasLingering: call.lingers)
        if call.lingers { link.lingering -= 1 }
    }

    /// Takes back what a call established in the child whose client is gone.
    private mutating func undo(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        switch call.aftermath {
        case .subscribe(let uri) where link.subscriptions[uri] == nil && !openSubscriptions(on: link).contains(uri):
            _ = ask(link, .standingState, .resourcesUnsubscribe) {
                Messages.subscription(id: $0, method: .resourcesUnsubscribe, uri: uri)
            }
        case .createTask:
            guard let range = envelope[.resultTaskID] else { return }
            let id = message.text(range)
            _ = ask(link, .standingState, .tasksCancel) {
                Messages.request(id: $0, method: .tasksCancel, params: #"{"taskId":\#(id)}"#)
            }
        default: break
        }
    }

    /// Keeps what the answer established.
    private mutating func conclude(
        _ call: Call,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        switch call.aftermath {
        case .none where call.method == .toolsList || call.method == .promptsList:
            knownNames.learn(from: message, result: envelope[.result], method: call.method)
            if call.method == .toolsList { link.learnParameterHeaders(from: message, result: envelope[.result]) }
        case .none, .handshake, .sharedHandshake, .discover: break
        case .setLevel(let level):
            session.logLevel = level
            let current = current(for: link)
            current.sessionsLogLevel = activeSessions(on: current).compactMap(\.logLevel).min() ?? level
            guard current === link else { return followLogLevel(current) }
            link.logLevel = wantedLogLevel(link)
        case .subscribe(let uri):
            let current = current(for: link)
            current.hold(uri, session)
            guard current !== link else { return }
            if current.isStateless { return adjustWatch(of: current) }
            _ = ask(current, .standingState, .resourcesSubscribe) {
                Messages.subscription(id: $0, method: .resourcesSubscribe, uri: uri)
            }
        case .unsubscribe(let uri):
            guard session.subscriptions.remove(uri) != nil else { return }
            let current = current(for: link)
            current.release(uri)
            // Another session subscribed while the child was being told that nobody does, or a new child was told that
            // somebody still does.
            let isWanted = current.subscriptions[uri] != nil
            guard isWanted || current !== link else { return }
            let method: Method = isWanted ? .resourcesSubscribe : .resourcesUnsubscribe
            _ = ask(current, .standingState, method) { Messages.subscription(id: $0, method: method, uri: uri) }
        case .createTask:
            guard let id = envelope[.resultTaskID].flatMap({ message.string($0) }) else { return }
            // An id the child gives out again names the new task, and is the new owner's.
            for other in activeSessions(on: link) { _ = other.tasks.remove(id) }
            session.tasks.insert(id)
            guard let token = call.progressToken else { return }
            link.taskTokens[call.id] = (session.key, token)
            // Ids count up: the smallest is the oldest.
            guard link.taskTokens.count > Link.maxTasks, let oldest = link.taskTokens.keys.min() else { return }
            link.taskTokens[oldest] = nil
        }
    }
}

extension Event.UpstreamExit {
    /// The members of an error's `data` that tell a client what became of the child.
    var details: [(String, DataValue)] {
        var details: [(String, DataValue)] = [("exit_reason", .string(reason.rawValue))]
        if let status { details.append(("exit_status", .integer(Int(status)))) }
        if let signal { details.append(("signal", .integer(Int(signal)))) }
        details.append(("restarting", .bool(plan != .none)))
        return details
    }
}

extension Failure {
    /// How a request that ended with this failure is counted.
    var outcome: Outcome {
        switch self {
        case .timeout: .timeout
        case .upstreamExited: .upstreamLost
        case .cancelled: .cancelled
        case .upstreamAnswerTooLarge, .upstreamAnswerInvalid: .serverError
        default: .rejected
        }
    }
}

extension Outcome {
    /// How an error of the child is counted: the five codes that blame the request are the client's.
    init(errorCode: Int?) {
        switch errorCode {
        case -32700, -32600, -32601, -32602, -32002: self = .clientError
        default: self = .serverError
        }
    }
}

extension ByteBuffer {
    /// The message as a line.
    func terminated() -> ByteBuffer { splicing(newline: true) }
}
