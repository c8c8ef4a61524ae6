// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
package import NIOCore

// A call's way to the child.
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
        if link.handshake == nil {
            call.held = incoming
            call.line = incoming.message
        } else {
            word(incoming, call, link)
        }
        enqueue(call, link)
    }

    /// Makes the line for the child.
    func word(_ incoming: Incoming, _ call: Call, _ link: Link) {
        let incoming = traced(translated(incoming, call, link), call.trace)
        guard let id = incoming.envelope[.id] else { return }
        let ownID = String(call.id)
        var token: Edit?
        if let range = incoming.envelope[.metaProgressToken] {
            call.progressToken = incoming.message.text(range)
            token = .init(range, ownID)
        }
        call.line = incoming.message.splicing(.init(id, ownID), token, newline: true)
        if call.mayWantInput(from: link) { call.inputs = call.line.map { Inputs(line: $0) } }
    }

    /// The request in the words of the child's kind of revision.
    private func translated(_ incoming: Incoming, _ call: Call, _ link: Link) -> Incoming {
        guard let session = call.session, link.isStateless != session.revision.isStateless else { return incoming }
        let message =
            link.isStateless
            ? Translation.forStateless(
                incoming.message,
                incoming.envelope,
                envelope: session.envelope,
                logLevel: session.logLevel
            ) : Translation.forHandshake(incoming.message, incoming.envelope, method: incoming.method)
        guard let envelope = try? Envelope.scan(message) else { return incoming }
        var translated = Incoming(message, envelope)
        translated.contextInHeaders = incoming.contextInHeaders
        return translated
    }

    /// Now it is known in which words the child wants what came before it was ready.
    mutating func wordHeldCalls(of link: Link) {
        for call in link.waiting where call.phase == .waiting {
            guard let incoming = call.held else { continue }
            call.held = nil
            link.waitingBytes -= call.line?.readableBytes ?? 0
            word(incoming, call, link)
            link.waitingBytes += call.line?.readableBytes ?? 0
        }
    }

    /// Sends a call whose line is ready, or lets it wait for its turn.
    mutating func enqueue(_ call: Call, _ link: Link) {
        if link.phase == .crashLoop || link.phase == .stopping {
            return failUnavailable(call, link)
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
        call.queuedAt = now
        link.waiting.append(call)
        link.waitingCount += 1
        link.waitingBytes += call.line?.readableBytes ?? 0
        // A parked call may be what it waits for.
        for holder in link.turns.holders { sessions[holder].map { wake(at: parkingEnd($0)) } }
    }

    private func maySend(_ call: Call, _ link: Link) -> Bool {
        guard link.phase == .ready, link.isWritable, link.inFlight < configuration.maxInFlight else { return false }
        guard link.turns.areTaken, call.method.takesTurns, let session = call.session else { return true }
        return link.turns.mayStart(
            session.key,
            isAnswering: !session.serverRequests.isEmpty,
            othersWait: othersWait(for: session, link)
        )
    }

    /// Whether a call of another session waits for its turn.
    func othersWait(for session: Session, _ link: Link) -> Bool {
        link.waiting.contains { $0.phase == .waiting && $0.method.takesTurns && $0.session !== session }
    }

    private mutating func send(_ call: Call, _ link: Link) {
        guard let line = call.line else { return }
        call.line = nil
        call.phase = .sent
        call.sentAt = now
        link.inFlight += 1
        if let session = call.session {
            if call.mayAsk { link.turns.started(session.key) }
            session.calledGeneration = link.generation
            if session.isEphemeral { link.servedStrangers = true }
            if session.isEphemeral, session.logLevel != nil { followLogLevel(link) }
        }
        write(link, line, call: call.id)
    }

    /// The shell has handed a call's line over.
    package func upstreamTook(call id: Int, now: NIODeadline) {
        guard let call = calls[id], call.phase == .sent else { return }
        call.sentAt = now
    }

    /// Sends what waits, in order, as far as the child and the turns allow.
    mutating func pump(_ link: Link) {
        while link.isWritable, let line = link.control.popFirst() {
            link.controlBytes -= line.readableBytes
            write(link, line)
        }
        askForSubscriptions(link)
        sendHeldListens(link)
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
        relieveOthers(link)
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
        call.queuedAt = now
        // Before those that came after it.
        let index = link.waiting.firstIndex { $0.id > call.id } ?? link.waiting.endIndex
        link.waiting.insert(call, at: index)
        link.waitingCount += 1
        link.waitingBytes += line.readableBytes
    }

    func unqueue(_ call: Call, _ link: Link) {
        call.isQueued = false
        if let since = call.queuedAt { call.queued = call.queued + (now - since) }
        call.queuedAt = nil
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
                .protocolViolation(peer: .server, kind: .stdinNotRead, detail: "a message for it was dropped")
            )
        }
        link.control.append(line)
        link.controlBytes += line.readableBytes
    }

    /// Sends a request of the proxy's own.
    ///
    /// - Parameter patience: How long to wait for the answer; nil for as long as such a request may take.
    mutating func ask(
        _ link: Link,
        _ request: Call.OwnRequest,
        _ method: Method,
        within patience: TimeAmount? = nil,
        _ message: (CallID) -> ByteBuffer
    ) -> Call {
        let timeout = patience ?? (request == .ping ? configuration.pingTimeout : configuration.connectionTimeout)
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
    /// Resources a client may listen to with one request, and the bytes of their URIs together.
    static let maxListened = 100
    static let maxListenedBytes = 64 << 10
    /// Resources that clients may wait for and listen to, all together.
    static let maxAllSubscriptions = 10 * maxSubscriptions
    /// The bytes of their URIs together, at a child without a handshake: one line has them all.
    static let maxWatchedBytes = 1 << 20
    /// Subscriptions that the child is asked for at a time.
    static let maxAskedSubscriptions = 64
    /// Requests of the child that clients may be asked at a time.
    static let maxServerRequests = 1000

    /// Calls that were cancelled while they waited must not pile up behind one that waits.
    func forgetEndedWaiters() {
        guard waiting.count > 2 * waitingCount + 64 else { return }
        waiting.removeAll { $0.phase != .waiting }
    }

    /// Takes the arguments that are repeated in headers out of a list of tools. A list may come in pages.
    func learnParameterHeaders(from message: ByteBuffer, result: ByteRange?) {
        let tools = result.flatMap { members(of: $0, in: message).first { $0.name == "tools" } }
        for tool in tools.map({ elements(of: $0.value, in: message) }) ?? [] {
            let members = members(of: tool, in: message)
            guard let name = members.first(where: { $0.name == "name" }).flatMap({ message.string($0.value) }),
                let schema = members.first(where: { $0.name == "inputSchema" })
            else { continue }
            let headers = ParameterHeaders(schema: schema.value, in: message)
            let isKnown = parameterHeaders[name] != nil
            guard !headers.isEmpty || isKnown, isKnown || parameterHeaders.count < KnownNames.capacity else { continue }
            parameterHeaders[name] = headers.isEmpty ? nil : headers
        }
    }

    /// Why it takes no calls, for those whose calls are refused.
    var unavailability: String {
        let reason = lastExit?.summary ?? "the MCP server is not running"
        return phase == .crashLoop ? "\(reason); it keeps failing and is restarted ever more slowly" : reason
    }

    /// The session is told of changes from here on.
    func hold(_ uri: String, _ session: Session) {
        guard session.subscriptions.insert(uri).inserted else { return }
        enter(uri)
        subscriptions[uri]?.holders += 1
    }

    /// Makes room for a resource that somebody wants to be told of.
    func enter(_ uri: String) {
        guard subscriptions[uri] == nil else { return }
        subscriptions[uri] = Subscription()
        subscribedBytes += uri.utf8.count
    }

    /// One session less holds a subscription.
    func release(_ uri: String) {
        subscriptions[uri]?.holders -= 1
        forgetUnwanted(uri)
    }

    /// Forgets a subscription that nobody holds, waits for or has been asked for.
    func forgetUnwanted(_ uri: String) {
        guard let entry = subscriptions[uri], entry.holders <= 0, entry.waiting.isEmpty, !entry.isAsked else { return }
        subscriptions[uri] = nil
        subscribedBytes -= uri.utf8.count
        // What is wanted no more must not pile up behind a child that doesn't answer.
        guard subscriptionQueue.count > 2 * subscriptions.count + 64 else { return }
        subscriptionQueue.removeAll { subscriptions[$0] == nil }
    }

    /// The process that was asked is gone.
    func loseAskedSubscriptions() {
        subscriptionQueue.removeAll()
        askedSubscriptions = 0
        for uri in Array(subscriptions.keys) {
            subscriptions[uri]?.waiting = []
            subscriptions[uri]?.isAsked = false
            forgetUnwanted(uri)
        }
    }
}
