// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
package import NIOCore

// A call's way to the child and its one answer.
extension Bridge {
    // MARK: To the child

    /// Remembers a client's call, so that deadlines, cancellation and a lost client find it.
    mutating func register(_ call: Call, _ session: Session, _ id: RequestID) {
        calls[call.id] = call
        session.inFlight[id] = call.id
        if let exchange = call.exchange { exchanges[exchange] = .call(call) }
        if call.acceptsEventStream, call.method != .initialize { call.streamAt = now + configuration.streamAfter }
        wake(at: call.nextDeadline)
    }

    /// There is news of a call: it gets its whole time again. While its client is being asked something, it has as
    /// long as the client.
    mutating func extendDeadline(of call: Call, _ session: Session) {
        let questions = session.serverRequests.compactMap { serverRequests[$0]?.deadline }
        call.deadline = max(now, questions.max() ?? now) + configuration.requestTimeout
        wake(at: call.nextDeadline)
    }

    /// Sends a client's request on with the proxy's own id and progress token; everything else stays as it came.
    mutating func forward(_ incoming: Incoming, _ call: Call, _ link: Link) {
        guard let id = incoming.envelope[.id] else { return }
        let ownID = String(call.id)
        var token: Edit?
        if let range = incoming.envelope[.metaProgressToken] {
            call.progressToken = incoming.message.text(range)
            token = .init(range, ownID)
        }
        call.line = incoming.message.splicing(.init(id, ownID), token, newline: true)
        enqueue(call, link)
    }

    /// Sends a call whose line is ready, or lets it wait for its turn.
    mutating func enqueue(_ call: Call, _ link: Link) {
        if link.phase == .crashLoop || link.phase == .stopping {
            return fail(call, .upstreamUnavailable, link.unavailability, details: link.lastExit?.details ?? [])
        }
        if link.waitingCount == 0 || link.turns.areTaken, maySend(call, link) { return send(call, link) }
        guard link.waitingCount < configuration.maxQueue,
            link.waitingBytes + (call.line?.readableBytes ?? 0) <= configuration.maxQueueBytes
        else {
            return fail(
                call,
                .queueFull,
                "\(link.waitingCount) calls already wait for the MCP server (--queue \(configuration.maxQueue)); try again"
            )
        }
        call.isQueued = true
        link.waiting.append(call)
        link.waitingCount += 1
        link.waitingBytes += call.line?.readableBytes ?? 0
    }

    private func maySend(_ call: Call, _ link: Link) -> Bool {
        guard link.phase == .ready, link.isWritable, link.inFlight < configuration.maxInFlight else { return false }
        guard link.turns.areTaken, call.method.takesTurns, let session = call.session else { return true }
        return link.turns.mayStart(
            session.key,
            isAnswering: !session.serverRequests.isEmpty,
            othersWait: link.waiting.contains { $0.phase == .waiting && $0.method.takesTurns && $0.session !== session }
        )
    }

    private mutating func send(_ call: Call, _ link: Link) {
        guard let line = call.line else { return }
        call.line = nil
        call.phase = .sent
        call.sentAt = now
        link.inFlight += 1
        if call.mayAsk, let session = call.session { link.turns.started(session.key) }
        write(link, line, call: call.id)
    }

    /// Sends what waits, in order, as far as the child and the turns allow.
    mutating func pump(_ link: Link) {
        while link.isWritable, let line = link.control.popFirst() {
            link.controlBytes -= line.readableBytes
            write(link, line)
        }
        var index = link.waiting.startIndex
        while link.isWritable, link.phase == .ready, index < link.waiting.endIndex {
            let call = link.waiting[index]
            if call.phase == .waiting, !maySend(call, link) {
                // Only a call that waits for its turn may be overtaken.
                guard link.turns.areTaken, link.inFlight < configuration.maxInFlight else { return }
                index = link.waiting.index(after: index)
                continue
            }
            let offset = link.waiting.distance(from: link.waiting.startIndex, to: index)
            link.waiting.remove(at: index)
            index = link.waiting.index(link.waiting.startIndex, offsetBy: offset)
            guard call.phase == .waiting else { continue }
            unqueue(call, link)
            send(call, link)
        }
    }

    /// A call met a process that was already gone: nobody can have read it, so it waits for the next one.
    package mutating func upstreamWriteFailed(link id: Int, call: Int, line: ByteBuffer, now: NIODeadline) {
        self.now = now
        guard let link = links[id], let call = calls[call], call.link == id else { return }
        link.isWritable = false
        childIsDone(with: call, link)
        guard call.phase == .sent else { return calls[call.id] = nil }
        link.inFlight -= 1
        call.phase = .waiting
        call.sentAt = nil
        call.line = line
        call.isQueued = true
        // Before those that came after it.
        let index = link.waiting.firstIndex { $0.id > call.id } ?? link.waiting.endIndex
        link.waiting.insert(call, at: index)
        link.waitingCount += 1
        link.waitingBytes += line.readableBytes
    }

    private func unqueue(_ call: Call, _ link: Link) {
        call.isQueued = false
        link.waitingCount -= 1
        link.waitingBytes -= call.line?.readableBytes ?? 0
    }

    /// Hands a line to the child. The shell reports after each round whether stdin still takes more; until then a
    /// round is bounded here.
    mutating func write(_ link: Link, _ line: ByteBuffer, call: CallID? = nil) {
        link.unconfirmedBytes += line.readableBytes
        if link.unconfirmedBytes > Link.maxUnconfirmedBytes { link.isWritable = false }
        effects.append(.write(link: link.id, line, call: call))
    }

    /// Sends an answer or a notification, ahead of waiting calls.
    mutating func writeControl(_ link: Link, _ line: ByteBuffer) {
        switch link.phase {
        case .ready, .initializing: break
        // Nobody is there who asked, or who could be told.
        case .starting, .restarting, .crashLoop, .stopping: return
        }
        guard !link.isWritable || !link.control.isEmpty else { return write(link, line) }
        guard link.controlBytes + line.readableBytes <= Link.maxControlBytes else {
            return emit(
                .protocolViolation(peer: .server, kind: .oversize, detail: "stdin is not read; message dropped")
            )
        }
        link.control.append(line)
        link.controlBytes += line.readableBytes
    }

    /// Sends a request of the proxy's own.
    mutating func ask(_ link: Link, _ request: Call.OwnRequest, _ method: Method, _ message: (CallID) -> ByteBuffer)
        -> Call
    {
        let timeout = request == .ping ? configuration.pingTimeout : configuration.connectionTimeout
        let call = Call(
            id: nextCall,
            link: link.id,
            origin: .own(request),
            method: method,
            requestBytes: 0,
            arrived: now,
            deadline: now + timeout,
            hardDeadline: now + timeout
        )
        nextCall += 1
        calls[call.id] = call
        call.phase = .sent
        call.sentAt = now
        write(link, message(call.id).terminated())
        wake(at: call.deadline)
        return call
    }

    // MARK: The answer

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
        } else {
            emit(.answerDropped(method: call.method))
        }
        emit(
            .requestFinished(
                .init(
                    session: session.label,
                    method: call.method,
                    outcome: outcome,
                    errorCode: errorCode,
                    transport: session.transport,
                    requestBytes: call.requestBytes,
                    responseBytes: message.readableBytes,
                    arrived: call.arrived,
                    sent: call.sentAt,
                    answered: isFromChild ? now : nil,
                    finished: now
                )
            )
        )
        closeIfEphemeral(session)
    }

    private mutating func collect(_ message: ByteBuffer, _ batch: PendingBatch) {
        batch.answers.append(message)
        guard batch.answers.count == batch.missing else { return }
        guard exchanges.removeValue(forKey: batch.exchange) != nil else { return }
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
        if failure.outcome == .rejected { emit(.requestRejected(reason: failure.rejectReason, detail: message)) }
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
        emit(.requestRejected(reason: failure.rejectReason, detail: message))
    }

    /// Takes a call out of the books once its client has been answered: out of the queue, or, when the child still
    /// works on it, to those that only the child can end.
    private mutating func settle(_ call: Call) {
        guard calls[call.id] != nil, let link = links[call.link] else { return calls[call.id] = nil }
        switch call.phase {
        case .waiting:
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
            calls[call.id] = nil
            return ownAnswer(call, message, envelope, link)
        }
        guard call.isLive else {
            calls[call.id] = nil
            if envelope.kind == .result { undo(call, message, envelope, link) }
            return emit(.answerDropped(method: call.method))
        }
        call.isAnswered = true
        let isError = envelope.kind == .error
        if call.aftermath == .handshake { return handshakeAnswered(call, message, envelope, link) }
        if !isError { conclude(call, message, envelope, session, link) }
        guard let range = envelope[.id] else { return }
        let code = isError ? envelope[.errorCode].flatMap { message.integer($0) } : nil
        let isToolError = envelope[.resultIsError].map { message.text($0) == "true" } ?? false
        answer(
            call,
            with: message.splicing(.init(range, id.token), newline: false),
            outcome: isError ? Outcome(errorCode: code) : isToolError ? .toolError : .ok,
            errorCode: code,
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
        case .subscribe(let uri) where link.subscriptions[uri] == nil:
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
        case .none, .handshake, .sharedHandshake: break
        case .setLevel(let level):
            session.logLevel = level
            link.logLevel = activeSessions(on: link).compactMap(\.logLevel).min() ?? level
        case .subscribe(let uri):
            if session.subscriptions.insert(uri).inserted { link.subscriptions[uri, default: 0] += 1 }
        case .unsubscribe(let uri):
            guard session.subscriptions.remove(uri) != nil else { return }
            link.release(uri)
            // Another session subscribed while the child was being told that nobody does.
            guard link.subscriptions[uri] != nil else { return }
            _ = ask(link, .standingState, .resourcesSubscribe) {
                Messages.subscription(id: $0, method: .resourcesSubscribe, uri: uri)
            }
        case .createTask:
            guard let id = envelope[.resultTaskID].flatMap({ message.string($0) }) else { return }
            // An id the child gives out again names the new task, and is the new owner's.
            for other in activeSessions(on: link) { _ = other.tasks.remove(id) }
            session.tasks.insert(id)
            if let token = call.progressToken, link.taskTokens.count < Link.maxTasks {
                link.taskTokens[call.id] = (session.key, token)
            }
        }
    }
}

extension Link {
    /// Bytes handed over before the shell must report that stdin still takes more.
    static let maxUnconfirmedBytes = 256 << 10
    /// Room for answers and notifications to a child that doesn't read.
    static let maxControlBytes = 16 << 20
    /// Cancelled calls that are remembered although the child has not answered them for long.
    static let maxLingering = 10_000
    /// Tasks whose progress is followed per child.
    static let maxTasks = 1000
    /// Resources a session may subscribe to, and the bytes of each URI.
    static let maxSubscriptions = 1000
    static let maxURILength = 8192
    /// Requests of the child that clients may be asked at a time.
    static let maxServerRequests = 1000

    /// Calls that were cancelled while they waited must not pile up behind one that waits.
    func forgetEndedWaiters() {
        guard waiting.count > 2 * waitingCount + 64 else { return }
        waiting.removeAll { $0.phase != .waiting }
    }

    /// Why it takes no calls, for those whose calls are refused.
    var unavailability: String {
        let reason = lastExit?.summary ?? "the MCP server is not running"
        return phase == .crashLoop ? "\(reason); it keeps failing and is restarted ever more slowly" : reason
    }

    /// One session less holds a subscription.
    func release(_ uri: String) {
        let holders = subscriptions[uri, default: 0] - 1
        subscriptions[uri] = holders > 0 ? holders : nil
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
