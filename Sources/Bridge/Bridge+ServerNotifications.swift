// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// What a child tells without being asked, and whom. A notification names no client; it reaches those only whom it can
// be meant for.
extension Bridge {
    mutating func serverNotification(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        let method = envelope.method(in: message)
        emit(.notificationReceived(peer: .server, method: method, bytes: message.readableBytes))
        if link.isStateless, method.needsSubscription {
            return subscriptionMessage(message, envelope, method, link)
        }
        switch method {
        case .progress: progress(message, envelope, link)
        case .message: log(message, envelope, link)
        case .cancelled:
            if link.isStateless { return listenCancelled(message, envelope, link) }
            guard let range = envelope[.requestID], let id = RequestID(token: message.text(range)),
                let own = link.serverRequests[id], let request = serverRequests[own]
            else { return }
            forget(serverRequest: own, .cancelled)
            let forClient = message.splicing(.init(range, String(own)), newline: false)
            followUp(forClient, request)
        case .toolsListChanged, .promptsListChanged, .resourcesListChanged:
            for session in activeSessions(on: link) { deliver(message, to: session, stream: 0) }
            tellListeners(message, envelope, method, link)
        case .resourcesUpdated:
            for session in subscribers(of: envelope[.uri].flatMap { message.string($0) } ?? "", link) {
                let id = session.listening?.id
                let forClient = id.map { Translation.subscribed(message, envelope, method: method, to: $0) }
                deliver(forClient ?? message, to: session, stream: 0)
            }
        case .elicitationComplete:
            guard let id = envelope[.elicitationID].flatMap({ message.string($0) }) else { return }
            for session in activeSessions(on: link) where session.elicitations.remove(id) {
                deliver(message, to: session, stream: 0)
            }
        case .tasksStatus where link.role == .shared:
            guard let id = envelope[.taskID].flatMap({ message.string($0) }) else { return }
            for session in activeSessions(on: link) where session.tasks.contains(id) {
                deliver(message, to: session, stream: 0)
            }
        default:
            unknownNotification(message, envelope, method, link)
        }
    }

    /// Whose task a message of a shared child names: nil when it names none, nil inside when it is nobody's (any more).
    func taskOwner(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) -> Session?? {
        guard link.role == .shared, let task = envelope[.metaRelatedTaskID].flatMap({ message.string($0) }) else {
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
        if link.role != .shared { return active.forEach { deliver(message, to: $0, stream: 0) } }
        switch link.turns.owner {
        case .nobody where link.servedStrangers:
            emit(.protocolViolation(peer: .server, kind: .ambiguousNotification, detail: method.rawValue))
        case .nobody: for session in active { deliver(message, to: session, stream: 0) }
        case .session(let key):
            // The stateless revision has no notifications but those it names.
            guard let session = sessions[key], !session.revision.isStateless else { return }
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
        if link.isStateless {
            guard let reader = asker(of: link) else {
                return emit(.upstreamLog(link: link.id, level: String(level.prefix(16)), bytes: message.readableBytes))
            }
            return deliver(message, to: reader, stream: streamForServerMessage(to: reader))
        }
        let active = activeSessions(on: link)
        var isSafe =
            switch link.turns.owner {
            case .nobody: !link.servedStrangers
            case .session(let key): active.first?.key == key
            case .ambiguous: false
            }
        if let owner = taskOwner(message, envelope, link) { isSafe = owner != nil }
        if active.isEmpty, let reader = logReader(on: link), let wanted = reader.logLevel {
            guard LogLevel(rawValue: level).map({ $0 >= wanted }) ?? true else { return }
            return deliver(message, to: reader, stream: streamForServerMessage(to: reader))
        }
        guard active.count == 1, isSafe || link.role != .shared else {
            return emit(.upstreamLog(link: link.id, level: String(level.prefix(16)), bytes: message.readableBytes))
        }
        if let wanted = active[0].logLevel, let level = LogLevel(rawValue: level), level < wanted { return }
        deliver(message, to: active[0], stream: streamForServerMessage(to: active[0]))
    }

    /// Who subscribed to a resource, or to one it is a part of. A child that names something else altogether is
    /// believed when it has one client only: a URI can tell what another client works on.
    func subscribers(of uri: String, _ link: Link) -> [Session] {
        let active = activeSessions(on: link)
        let listening = listeners(on: link)
        let all = active + listening
        let exact = all.filter { $0.subscriptions.contains(uri) }
        guard exact.isEmpty else { return exact }
        let parents = all.filter { $0.subscriptions.contains { uri.isPart(of: $0) } }
        let isAlone = active.count == 1 && listening.isEmpty && !link.servedStrangers
        return parents.isEmpty && isAlone ? active : parents
    }
}

extension String {
    /// Whether this URI names a part of what another one names.
    func isPart(of parent: String) -> Bool {
        guard utf8.starts(with: parent.utf8), let last = parent.utf8.last,
            let next = utf8.dropFirst(parent.utf8.count).first
        else { return false }
        return "/?#".utf8.contains(last) || "/?#".utf8.contains(next)
    }
}
