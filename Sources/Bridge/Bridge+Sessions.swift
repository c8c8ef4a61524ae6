// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
package import NIOCore

// How sessions begin and end.
extension Bridge {
    // MARK: Begin

    /// Opens a session, unless there are too many or the proxy is going down; then the exchange has been answered.
    mutating func openSession(transport: Transport, _ exchange: ExchangeID, id: RequestID?) -> Session? {
        guard !isDraining else {
            refuse(exchange, .shuttingDown, "the proxy is shutting down", id: id)
            return nil
        }
        // Children that are still being stopped count too: who opens and ends sessions must not outrun them.
        let children = configuration.isolation == .session ? links.count : 0
        guard sessionsByID.count < configuration.maxSessions, children < 2 * configuration.maxSessions + 2 else {
            let limit = "--max-sessions \(configuration.maxSessions)"
            let message =
                sessionsByID.count < configuration.maxSessions
                ? "\(children) children are running or being stopped (\(limit)); try later"
                : "\(sessionsByID.count) sessions are open (\(limit)); try later"
            refuse(exchange, .sessionLimit, message, id: id)
            return nil
        }
        let keepsEvents = configuration.eventStore && transport == .streamableHTTP
        let session = makeSession(
            transport: transport,
            revision: .assumed,
            isEphemeral: false,
            keepsEvents: keepsEvents
        )
        sessionsByID[session.id] = session
        if configuration.sessionIdleTimeout > .zero { wake(at: now + configuration.sessionIdleTimeout) }
        return session
    }

    /// A session for one POST (`--stateless`).
    mutating func openEphemeralSession(revision: Revision) -> Session {
        let session = makeSession(
            transport: .streamableHTTP,
            revision: revision,
            isEphemeral: true,
            keepsEvents: false
        )
        session.phase = .active
        return session
    }

    private mutating func makeSession(
        transport: Transport,
        revision: Revision,
        isEphemeral: Bool,
        keepsEvents: Bool
    ) -> Session {
        let key = SessionKey(number: nextSession)
        nextSession += 1
        let session = Session(
            key: key,
            id: isEphemeral ? "" : randomText(bytes: 24),
            eventTag: isEphemeral ? "" : randomText(bytes: 4),
            transport: transport,
            revision: revision,
            link: configuration.isolation == .session ? nil : Self.firstLink,
            isEphemeral: isEphemeral,
            store: keepsEvents
                ? EventStore(maxEvents: configuration.maxStoredEvents, maxBytes: configuration.maxStoredBytes) : nil,
            now: now
        )
        sessions[key] = session
        return session
    }

    /// `initialize`: answered from what the shared child said, or passed on to a child of the session's own.
    mutating func initialize(_ incoming: Incoming, _ call: Call, from session: Session) {
        let isFirst = !session.inFlight.values.contains { $0 != call.id && calls[$0]?.method == .initialize }
        guard session.isEphemeral || session.phase == .initializing && isFirst else {
            return fail(call, .alreadyInitialized, "this session is already initialized")
        }
        call.deadline = now + configuration.connectionTimeout
        wake(at: call.deadline)
        let envelope = incoming.envelope
        if let range = envelope[.capabilities] {
            session.capabilities = ClientCapabilities(at: range, in: incoming.message)
        }
        if let range = envelope[.clientInfo] {
            for member in members(of: range, in: incoming.message) {
                let text = incoming.message.string(member.value).map { String($0.prefix(64)) } ?? ""
                if member.name == "name" { session.clientName = text }
                if member.name == "version" { session.clientVersion = text }
            }
        }
        // A child that begins with a handshake has no use for it.
        if configuration.isolation != .session, configuration.upstreamProtocol != .legacy {
            let kept = Translation.envelope(of: incoming.message, envelope)
            guard kept.utf8.count <= Session.maxEnvelopeBytes else {
                fail(call, .invalidRequest, Session.tooMuch(kept))
                return close(session, .initializeFailed)
            }
            session.envelope = kept
        }
        let asked = incoming.text(.protocolVersion)
        session.revision = asked.map { Revision(handshake: $0) ?? .newestHandshake } ?? .assumed
        switch configuration.isolation {
        case .shared, .pool:
            let link = checkOut(for: session.capabilities)
            guard let link, link.phase != .crashLoop, link.phase != .stopping else {
                failUnavailable(call, link)
                return close(session, .initializeFailed)
            }
            session.link = link.id
            call.link = link.id
            call.aftermath = .sharedHandshake
            if link.phase == .ready { answerSharedHandshake(call, link) }
        case .session:
            initializeOwnChild(incoming, call, session)
        }
    }

    /// Gives a client the stored answer of the child, at the older of both revisions.
    mutating func answerSharedHandshake(_ call: Call, _ link: Link) {
        guard case .client(let session, let id) = call.origin, let handshake = link.handshake else { return }
        session.revision = min(session.revision, handshake.revision)
        session.phase = .active
        let message = handshake.answer.splicing(
            .init(handshake.id, id.token),
            .init(handshake.protocolVersion, "\"\(session.revision.rawValue)\""),
            newline: false
        )
        let isAnonymous = session.isEphemeral || session.transport == .sse
        if !session.isEphemeral { announce(session) }
        answer(call, with: message, outcome: .ok, sessionID: isAnonymous ? nil : session.id)
        adjustWatch(of: link)
    }

    /// Gives the session a child of its own, the spare one if it is there, and has it shake hands with the client.
    private mutating func initializeOwnChild(_ incoming: Incoming, _ call: Call, _ session: Session) {
        guard let params = incoming.envelope[.params], incoming.message.text(params).hasPrefix("{") else {
            fail(call, .invalidRequest, "the params of initialize must be an object")
            return close(session, .initializeFailed)
        }
        let spare = links.values.filter { $0.role == .spare && $0.phase != .stopping }.min { $0.id < $1.id }
        if let spare, spare.phase == .crashLoop {
            failUnavailable(call, spare)
            return close(session, .initializeFailed)
        }
        let link = spare ?? openLink(role: .exclusive(session.key))
        link.role = .exclusive(session.key)
        // How long it was spare says nothing of its start.
        link.startedAt = now
        session.link = link.id
        openSpare()
        // A child must be asked for a revision that has a handshake; one that was not asked for any counts as old.
        let revision = "\"\(session.revision.rawValue)\""
        let line: ByteBuffer
        if let range = incoming.envelope[.protocolVersion] {
            line = incoming.message.splicing(.init(range, revision), newline: false)
        } else {
            let open = ByteRange(Int(params.lowerBound), Int(params.lowerBound) + 1)
            let isEmpty = members(of: params, in: incoming.message).isEmpty
            line = incoming.message.splicing(
                .init(open, "{\"protocolVersion\":\(revision)" + (isEmpty ? "" : ",")),
                newline: false
            )
        }
        // The splice may have moved the id.
        guard let id = (try? Envelope.scan(line))?[.id] else { return }
        link.clientHandshake = (line, id)
        call.aftermath = .handshake
        call.link = link.id
        if link.phase == .starting, link.generation > 0 { sendHandshake(call, link) }
    }

    mutating func announce(_ session: Session) {
        emit(
            .sessionOpened(
                .init(
                    session: session.label,
                    transport: session.transport,
                    revision: session.revision,
                    clientName: session.clientName,
                    clientVersion: session.clientVersion
                )
            )
        )
    }

    // MARK: End

    /// A DELETE on the endpoint of Streamable HTTP.
    package mutating func delete(_ exchange: ExchangeID, head: ExchangeHead, now: NIODeadline) {
        self.now = now
        guard !configuration.stateless else { return refuseMethod(exchange, allow: "POST") }
        guard checkVersion(head, exchange, id: nil) else { return }
        guard let id = head.sessionID else {
            return refuse(exchange, .missingSession, "Mcp-Session-Id is missing; name the session to end")
        }
        guard let session = knownSession(id, exchange) else { return }
        close(session, .clientDelete)
        effects.append(.respond(exchange, Reply(status: 200)))
    }

    /// Ends a session: its calls are answered and cancelled, its streams end, what it held in the child is released.
    mutating func close(
        _ session: Session,
        _ reason: SessionCloseReason,
        failure: Failure = .cancelled,
        _ message: String = "the session has ended"
    ) {
        guard sessions.removeValue(forKey: session.key) != nil else { return }
        sessionsByID[session.id] = nil
        let link = session.link.flatMap { links[$0] }
        for own in session.serverRequests.sorted() {
            failServerRequest(own, .clientGone, "the client's session has ended", .sessionEnded)
        }
        for call in session.inFlight.values.sorted().compactMap({ calls[$0] }) {
            let wasSent = call.phase == .sent
            fail(call, failure, message)
            if let link, wasSent, call.method != .initialize {
                emit(.requestCancelled(initiator: .proxy))
                tellCancelled(call, link, reason: message)
            }
        }
        concludeListening(session)
        if let link, let call = session.listening?.call { endListening(call, link) }
        for number in session.streams.keys.sorted() { finish(stream: number, of: session, .sessionEnded) }
        if let link { release(session, link) }
        bufferedBytes -= session.countedBytes
        session.clear()
        guard !session.isEphemeral else { return }
        emit(
            .sessionClosed(
                .init(
                    session: session.label,
                    reason: reason,
                    requests: session.requestCount,
                    duration: now - session.openedAt
                )
            )
        )
    }

    mutating func closeIfEphemeral(_ session: Session) {
        guard session.isEphemeral, !session.isReceiving, session.inFlight.isEmpty, session.listening == nil else {
            return
        }
        close(session, .stateless)
    }

    private mutating func release(_ session: Session, _ link: Link) {
        if case .exclusive = link.role { return stop(link) }
        link.heldListens.remove(session.key)
        guard !link.isStateless else {
            guard session.listening == nil, !session.isEphemeral || !session.subscriptions.isEmpty else { return }
            for uri in session.subscriptions { link.release(uri) }
            return adjustWatch(of: link)
        }
        if !link.taskTokens.isEmpty { link.taskTokens = link.taskTokens.filter { $0.value.session != session.key } }
        if session.calledGeneration == link.generation { link.servedStrangers = true }
        for uri in session.listening?.uris ?? [] {
            link.subscriptions[uri]?.waiting.remove(session.key)
            link.forgetUnwanted(uri)
        }
        let open = session.subscriptions.isEmpty ? [] : openSubscriptions(on: link)
        for uri in session.subscriptions.sorted() {
            link.release(uri)
            guard link.subscriptions[uri] == nil, !open.contains(uri), link.phase == .ready else { continue }
            _ = ask(link, .standingState, .resourcesUnsubscribe) {
                Messages.subscription(id: $0, method: .resourcesUnsubscribe, uri: uri)
            }
        }
        if session.logLevel != nil {
            if let level = activeSessions(on: link).compactMap(\.logLevel).min() { link.sessionsLogLevel = level }
            followLogLevel(link)
        }
        pump(link)
    }
}
