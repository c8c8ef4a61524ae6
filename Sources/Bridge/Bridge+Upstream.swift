// SPDX-License-Identifier: Apache-2.0

package import Events
package import JSONRPC
import MCP
package import NIOCore

// A child's processes: handshake, replay, loss.
extension Bridge {
    // MARK: Inputs

    /// A process of the child runs.
    package mutating func upstreamStarted(link id: Int, generation: Int, now: NIODeadline) {
        self.now = now
        guard let link = links[id], link.phase != .stopping else { return }
        link.generation = generation
        link.startedAt = now
        link.lastHeard = now
        link.isWritable = true
        link.blockedSince = nil
        link.wasReady = false
        link.unconfirmedBytes = 0
        link.servedStrangers = false
        link.parameterHeaders.removeAll()
        link.wrappedTools.removeAll()
        link.phase = .starting
        beginHandshake(link)
    }

    /// Before a process of the child can be started its image has to be pulled; nil when that is over.
    package mutating func upstreamIsPulling(link id: Int, image: String?) {
        links[id]?.pulledImage = image
    }

    /// Whether stdin takes more, told after each round of writes and whenever it changes.
    package mutating func upstreamIsWritable(link id: Int, _ isWritable: Bool, now: NIODeadline) {
        self.now = now
        guard let link = links[id] else { return }
        link.unconfirmedBytes = 0
        link.isWritable = isWritable
        guard isWritable else {
            if link.blockedSince == nil, link.phase == .ready { link.blockedSince = now }
            return
        }
        endBlockade(of: link)
        pump(link)
    }

    private mutating func endBlockade(of link: Link) {
        guard let since = link.blockedSince else { return }
        stdinBlocked = stdinBlocked + (now - since)
        link.blockedSince = nil
    }

    /// A line of the child's stdout.
    package mutating func upstreamLine(link id: Int, _ line: Line, now: NIODeadline) {
        self.now = now
        guard let link = links[id] else { return }
        link.lastHeard = now
        switch line {
        case .oversize(let id, let bytes):
            emit(.protocolViolation(peer: .server, kind: .oversize, detail: "a line of \(bytes) bytes was thrown away"))
            guard let call = openCall(id, link) else { return }
            failAnswered(
                call,
                link,
                .upstreamAnswerTooLarge,
                "the MCP server's answer of \(bytes) bytes is over the line limit; raise --max-line"
            )
        case .message(let message):
            receive(message, from: link)
        }
    }

    /// The process is gone, or could not be started; all its lines were delivered before.
    package mutating func upstreamExited(_ exit: Event.UpstreamExit, now: NIODeadline) {
        self.now = now
        guard let link = links[exit.link] else { return }
        let wasShakingHands = link.phase == .initializing
        let lost = calls.values.filter { $0.link == link.id && $0.phase != .waiting }
        var exit = exit
        exit.inFlight = link.inFlight
        exit.wasReady = link.wasReady
        link.wasReady = false
        emit(.upstreamExited(exit))
        link.lastExit = exit
        link.pulledImage = nil
        link.isWritable = false
        endBlockade(of: link)
        link.control.removeAll()
        link.controlBytes = 0
        link.turns.childDied()
        link.lingering = 0
        link.taskTokens.removeAll()
        link.loseAskedSubscriptions()
        link.heldListens.removeAll()
        link.ping = nil
        // The next process may give the same ids to others.
        for session in sessions.values where session.link == link.id {
            session.tasks.removeAll()
            session.elicitations.removeAll()
        }
        // First what the child asked: it is taken back on the streams of the calls that end next.
        loseServerRequests(of: link)
        loseCalls(lost, link, exit)
        switch exit.plan {
        case .none: return remove(link)
        case .restart: link.phase = .restarting
        case .crashLoop: link.phase = .crashLoop
        }
        if link.role == .successor || link.role == .retired { return giveUp(link, exit) }
        if wasShakingHands, !link.isShared { lastStartSucceeded = false }
        if wasShakingHands { link.era.failed() }
        link.watch = Watch()
        if link.phase == .crashLoop { failWaiting(on: link) }
        // Who waited for this one need not wait for its next process.
        for other in sharedLinks where other !== link { relieveOthers(other) }
    }

    /// The child was stopped while no process of it ran: there is no exit to tell.
    package mutating func upstreamStopped(link id: Int, now: NIODeadline) {
        self.now = now
        if let link = links[id] { remove(link) }
    }

    // MARK: Loss

    private mutating func loseCalls(_ lost: [Call], _ link: Link, _ exit: Event.UpstreamExit) {
        let details = exit.details
        for call in lost.sorted(by: { $0.id < $1.id }) {
            call.isAnswered = true
            if call.isLive { fail(call, .upstreamExited, exit.summary, details: details) }
            calls[call.id] = nil
            // A session's own handshake: without it there is no session.
            if call.method == .initialize, let session = call.session { close(session, .initializeFailed) }
        }
        link.inFlight = 0
    }

    /// What the dead child asked its clients for is of no use any more.
    private mutating func loseServerRequests(of link: Link) {
        for own in link.serverRequests.values.sorted() {
            guard let request = serverRequests[own] else { continue }
            forget(serverRequest: own, .upstreamLost)
            let message = Messages.cancelled(id: RequestID(own), reason: "the MCP server exited")
            followUp(message, request)
        }
        link.serverRequests.removeAll()
    }

    /// Callers don't wait for a child that keeps failing.
    private mutating func failWaiting(on link: Link) {
        let waiting = calls.values.filter { $0.link == link.id && $0.phase == .waiting }.sorted { $0.id < $1.id }
        for call in waiting {
            let session = call.session
            failUnavailable(call, link)
            if call.method == .initialize, let session { close(session, .initializeFailed) }
        }
    }

    private mutating func remove(_ link: Link) {
        failWaiting(on: link)
        links[link.id] = nil
        if link.role == .probe, lastStartSucceeded == true { openSpare() }
    }

    // MARK: Handshake

    mutating func beginHandshake(_ link: Link) {
        switch link.role {
        case .spare, .retired: break
        case .shared where link.isReserve: break
        case .shared, .successor:
            link.phase = .initializing
            open(link)
        case .probe:
            link.phase = .initializing
            offerHandshake(link)
        case .exclusive:
            guard let (line, id) = link.clientHandshake else { return }
            link.phase = .initializing
            if let call = calls.values.first(where: { $0.link == link.id && $0.aftermath == .handshake }) {
                sendHandshake(call, link)
            } else {
                _ = ask(link, .handshake, .initialize) { line.splicing(.init(id, String($0)), newline: false) }
            }
        }
    }

    /// Sends a session's own `initialize`.
    mutating func sendHandshake(_ call: Call, _ link: Link) {
        guard call.phase == .waiting, let (line, id) = link.clientHandshake else { return }
        link.phase = .initializing
        call.phase = .sent
        call.sentAt = now
        link.inFlight += 1
        write(link, line.splicing(.init(id, String(call.id)), newline: true))
    }

    /// Reads what the child agreed to; nil, with the reason, when nobody could work with it.
    func handshake(_ message: ByteBuffer, _ envelope: Envelope) -> Result<Link.Handshake, HandshakeRefusal> {
        guard envelope.kind == .result else {
            let text = envelope[.errorMessage].flatMap { message.string($0) } ?? "no message"
            return .failure(HandshakeRefusal(detail: "it answered initialize with the error \"\(text.prefix(200))\""))
        }
        guard let id = envelope[.id], let version = envelope[.resultProtocolVersion] else {
            return .failure(HandshakeRefusal(detail: "its answer to initialize has no protocolVersion"))
        }
        let name = message.string(version) ?? ""
        guard let revision = Revision(handshake: name) else {
            return .failure(HandshakeRefusal(detail: "it speaks only protocol revision \"\(name.prefix(32))\""))
        }
        let capabilities = envelope[.resultCapabilities].map { ServerCapabilities(at: $0, in: message) }
        let server = Translation.server(envelope[.resultServerInfo], in: message)
        return .success(
            Link.Handshake(
                answer: ByteBuffer(bytes: message.readableBytesView),
                id: id,
                protocolVersion: version,
                discovery: Translation.discovery(initialized: message, envelope, server: server),
                revision: revision,
                capabilities: capabilities ?? ServerCapabilities(),
                server: server
            )
        )
    }

    /// Goes on with a process that agreed to something.
    mutating func agree(_ new: Link.Handshake, _ link: Link) {
        let old = link.handshake
        settleHandshake(new, link)
        guard link.role != .probe else { return stop(link) }
        if !new.revision.isStateless, link.isShared || link.clientIsInitialized {
            write(link, Messages.notification(.initialized).terminated())
        }
        if link.role == .successor { return takeOver(link, new) }
        if let old { settle(link, after: old, now: new) }
        // The end of its only session was its end, too.
        if link.phase != .stopping { becomeReady(link) }
    }

    /// A process has taken the place of another: it is told what that one knew, unless it is too different from it.
    mutating func settle(_ link: Link, after old: Link.Handshake, now new: Link.Handshake) {
        guard old.revision != new.revision || !old.capabilities.isKept(by: new.capabilities) else {
            return replay(link, new)
        }
        link.logLevel = nil
        link.sessionsLogLevel = nil
        let isOtherwise = old.revision.isStateless != new.revision.isStateless
        for session in Array(sessions.values) where session.link == link.id {
            // What a request stands for that is in the other kind of words already, nobody can tell any more.
            guard session.isEphemeral ? isOtherwise : session.phase == .active else { continue }
            close(
                session,
                .upstreamChanged,
                failure: session.isEphemeral ? .upstreamUnavailable : .unknownSession,
                session.isEphemeral
                    ? "the MCP server changed; try again" : "the MCP server changed; initialize again"
            )
        }
        endListening(on: link)
    }

    private mutating func settleHandshake(_ new: Link.Handshake, _ link: Link) {
        link.handshake = new
        if link.isShared { link.era.settled(isStateless: new.revision.isStateless) }
        if case .pool = configuration.isolation {
            if new.revision.isStateless { engageReserves(like: link) } else { link.turns.takeTurns() }
        }
        link.wasReady = true
        if !link.isShared { lastStartSucceeded = true }
        effects.append(.confirmReady(link: link.id))
        let info = ByteBuffer(string: new.server.info)
        let names = members(of: ByteRange(0, info.readableBytes), in: info)
        func text(_ name: String) -> String { names.first { $0.name == name }.flatMap { info.string($0.value) } ?? "" }
        emit(
            .upstreamReady(
                .init(
                    link: link.id,
                    generation: link.generation,
                    serverName: text("name"),
                    serverVersion: text("version"),
                    revision: new.revision.rawValue,
                    startDuration: now - link.startedAt
                )
            )
        )
    }

    /// Tells a new process what its predecessor knew, and the clients what may have changed meanwhile.
    private mutating func replay(_ link: Link, _ handshake: Link.Handshake) {
        link.logLevel = wantedLogLevel(link)
        if !link.isStateless, let level = link.logLevel, handshake.capabilities.contains("logging") {
            _ = ask(link, .standingState, .loggingSetLevel) { Messages.setLevel(id: $0, level: level) }
        }
        for uri in link.subscriptions.keys.sorted() where !link.isStateless {
            _ = ask(link, .standingState, .resourcesSubscribe) {
                Messages.subscription(id: $0, method: .resourcesSubscribe, uri: uri)
            }
        }
        let lists: [(String, Method)] = [
            ("tools.listChanged", .toolsListChanged),
            ("prompts.listChanged", .promptsListChanged),
            ("resources.listChanged", .resourcesListChanged),
        ]
        for session in activeSessions(on: link) {
            for (flag, method) in lists where handshake.capabilities.contains(flag) {
                deliver(Messages.notification(method), to: session, stream: 0)
            }
            for uri in session.subscriptions.sorted() {
                deliver(Messages.resourceUpdated(uri: uri), to: session, stream: 0)
            }
        }
        tellListenersOfNewProcess(link)
    }

    mutating func becomeReady(_ link: Link) {
        link.phase = .ready
        wordHeldCalls(of: link)
        let pending = calls.values.filter { $0.link == link.id && $0.aftermath == .sharedHandshake }
        for call in pending.sorted(by: { $0.id < $1.id }) { answerSharedHandshake(call, link) }
        statelessLinkBecameReady(link)
        adjustWatch(of: link)
        pump(link)
    }

    /// The child answered a session's own `initialize`.
    mutating func handshakeAnswered(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard case .client(let session, let id) = call.origin, let range = envelope[.id] else { return }
        let forClient = message.splicing(.init(range, id.token), newline: false)
        switch handshake(message, envelope) {
        case .success(let new):
            session.revision = new.revision
            session.phase = .active
            settleHandshake(new, link)
            answer(
                call,
                with: forClient,
                outcome: .ok,
                isFromChild: true,
                sessionID: session.transport == .streamableHTTP ? session.id : nil
            )
            announce(session)
            becomeReady(link)
        case .failure(let refusal):
            if envelope.kind == .error {
                let code = envelope[.errorCode].flatMap { message.integer($0) }
                answer(call, with: forClient, outcome: .init(errorCode: code), errorCode: code, isFromChild: true)
            } else {
                fail(call, .upstreamAnswerInvalid, "the MCP server cannot be used: \(refusal.detail)")
            }
            close(session, .initializeFailed)
        }
    }

    // MARK: Hang

    /// After a timeout the child is asked for a sign of life.
    mutating func suspect(_ link: Link, silentSince: NIODeadline) {
        guard link.phase == .ready, link.ping == nil, link.lastHeard <= silentSince else { return }
        let envelope = Translation.ownEnvelope(version: configuration.version)
        // The stateless revision has no ping; any answer to anything will do.
        let call =
            link.isStateless
            ? ask(link, .ping, .serverDiscover) { Messages.discover(id: $0, envelope: envelope) }
            : ask(link, .ping, .ping) { Messages.request(id: $0, method: .ping) }
        link.ping = (call.id, silentSince)
    }

    /// The ping was not answered. Silence since before the call that timed out was sent condemns the child; any
    /// line since then shows that it lives and is only busy.
    mutating func pingExpired(_ link: Link) {
        guard let ping = link.ping else { return }
        link.ping = nil
        emit(.upstreamProbed(link: link.id, answeredAfter: nil))
        guard link.phase == .ready, link.lastHeard <= ping.silentSince else { return }
        let silence = Int((now - link.lastHeard).nanoseconds / 1_000_000)
        emit(.upstreamUnresponsive(link: link.id, silentMilliseconds: silence))
        effects.append(
            .fail(link: link.id, .unresponsive, detail: "silent for \(silence / 1000) s and no answer to a ping")
        )
    }
}

/// Why a child's answer to `initialize` is of no use.
struct HandshakeRefusal: Error {
    var detail: String
}
