// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// Calls of a child of the stateless revision: its answers, and what clients with a handshake ask of it.
extension Bridge {
    // MARK: Answers

    /// Gives a client the child's result.
    mutating func relay(
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        guard let range = envelope[.id] else { return }
        let isForStateless = session.revision.isStateless
        let type = envelope[.resultType].flatMap { message.string($0) }
        if type == "input_required" {
            guard isForStateless else { return inputRequired(call, message, envelope, session, link) }
            let state = state(in: message, envelope)
            let sealed = state.map { Edit($0, Messages.quoted(seal.seal(message.text($0), for: session.credentials))) }
            let forClient = message.splicing(.init(range, id.token), sealed, newline: false)
            return answer(call, with: forClient, outcome: .inputRequired, isFromChild: true)
        }
        if isForStateless, type != nil { return answerResult(call, id, message, envelope) }
        let own = isForStateless ? completed(call, message, envelope, link) : plain(call, message, envelope, link)
        answerResult(call, id, message, envelope, as: own)
    }

    private func state(in message: ByteBuffer, _ envelope: Envelope) -> ByteRange? {
        envelope[.result].flatMap { result in
            members(of: result, in: message).last { $0.name == "requestState" }?.value
        }
    }

    /// A result with what its child forgot.
    private func completed(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) -> ByteBuffer {
        guard let server = link.handshake?.server else { return message }
        return Translation.stateless(result: message, envelope, method: call.method, server: server)
    }

    /// A result for a client with a handshake.
    private func plain(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) -> ByteBuffer {
        let isWrapped = call.target.map { link.wrappedTools.contains($0) } ?? false
        let plain = Translation.forHandshake(result: message, envelope, isWrapped: isWrapped)
        guard call.method == .toolsList, let scanned = try? Envelope.scan(plain) else { return plain }
        let (list, wrapped) = Translation.withObjectSchemas(plain, scanned)
        if link.wrappedTools.count < KnownNames.capacity { link.wrappedTools.formUnion(wrapped) }
        return list
    }

    // MARK: Clients with a handshake

    /// Answers a request from what is known, or has the child answer it.
    mutating func handshakeClientRequest(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard case .client(_, let id) = call.origin else { return }
        call.target = incoming.target
        switch incoming.method {
        case .loggingSetLevel:
            // Each request says from now on how much is wanted. What is no level is for the child to refuse.
            guard let level = incoming.text(.level).flatMap(LogLevel.init(rawValue:)) else { break }
            session.logLevel = level
            return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
        case .resourcesSubscribe, .resourcesUnsubscribe: return watch(incoming, call, session, link)
        case .tasksGet, .tasksResult, .tasksCancel, .tasksList:
            return fail(call, .notShared, "tasks are not available: the MCP server has none in your revision")
        default: break
        }
        forward(incoming, call, link)
    }

    /// The session that a log message of the child is for: the only one with calls that asked for messages.
    func asker(of link: Link) -> Session? {
        var found: Session?
        for call in calls.values where call.link == link.id && call.phase != .waiting {
            guard let session = call.session, session.logLevel != nil else { continue }
            guard found == nil || found === session else { return nil }
            found = session
        }
        return found.flatMap { sessions[$0.key] }
    }

    // MARK: Subscriptions

    /// The child ended a subscription without a word.
    mutating func listenCancelled(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard let call = envelope[.requestID].flatMap({ message.integer($0) }).flatMap({ calls[$0] }),
            call.link == link.id
        else { return }
        switch call.origin {
        case .own(.watch):
            calls[call.id] = nil
            watchEnded(call, link)
        case .own(.listen(let key)):
            calls[call.id] = nil
            guard let session = sessions[key] else { return }
            // Its client sees the stream end before its result, and knows that something is wrong.
            session.listening?.call = nil
            session.listening?.isConcluded = true
            close(session, .stateless)
        default: break
        }
    }
}

extension Method {
    /// Whether a child of the stateless revision says it to those only who listen.
    var needsSubscription: Bool {
        switch self {
        case .subscriptionsAcknowledged, .toolsListChanged, .promptsListChanged, .resourcesListChanged,
            .resourcesUpdated:
            true
        default: false
        }
    }
}
