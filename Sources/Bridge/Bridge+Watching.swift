// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// What the proxy listens to for its clients with a handshake, at a child of the stateless revision: one
/// `subscriptions/listen` for all of them, replaced by another whenever what they want changes.
struct Watch {
    struct Wanted: Equatable {
        var kinds: Set<Method> = []
        var uris: Set<String> = []
    }

    /// The one the child has acknowledged, and the one it has not yet.
    var current: (call: CallID, wanted: Wanted)?
    var pending: (call: CallID, wanted: Wanted)?
    /// Something else is wanted, and waits until the child reads what it is sent.
    var isHeld = false
    /// How often in a row it ended at once.
    var failures = 0
    /// What it ended with, and when that is tried again. What is wanted otherwise need not wait.
    var retry: (wanted: Wanted, at: NIODeadline)?

    static let longestRetry = TimeAmount.seconds(60)
}

extension Bridge {
    // MARK: Subscriptions of clients

    /// `resources/subscribe` of a client with a handshake: answered when the child has acknowledged it.
    mutating func watch(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard case .client(_, let id) = call.origin else { return }
        guard let uri = incoming.text(.uri) else { return forward(incoming, call, link) }
        guard incoming.method == .resourcesSubscribe else {
            if session.subscriptions.remove(uri) != nil { link.release(uri) }
            answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
            return adjustWatch(of: link)
        }
        guard link.phase != .crashLoop, link.phase != .stopping else { return failUnavailable(call, link) }
        let count = session.subscriptions.count + session.awaitedSubscriptions
        guard count < Link.maxSubscriptions, uri.utf8.count <= Link.maxURILength else {
            let limits = "\(Link.maxSubscriptions) resources, with URIs of \(Link.maxURILength) bytes"
            return fail(call, .subscriptionLimit, "a session may subscribe to \(limits); unsubscribe from some")
        }
        guard link.watch.current?.wanted.uris.contains(uri) != true else {
            link.hold(uri, session)
            return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
        }
        let all = link.subscriptions.count + link.awaitedSubscriptions.count
        let bytes = link.subscribedBytes + link.awaitedBytes + uri.utf8.count
        guard all < Link.maxAllSubscriptions, bytes <= Link.maxWatchedBytes else {
            let limits = "\(Link.maxAllSubscriptions) resources and \(Link.maxWatchedBytes) bytes of URIs at most"
            return fail(call, .subscriptionLimit, "clients subscribe to \(all) resources already (\(limits))")
        }
        link.awaits(uri, call)
        adjustWatch(of: link)
    }

    /// The calls that wait for the child to acknowledge a subscription, oldest first.
    private func subscribers(waitingOn link: Link) -> [(call: Call, uri: String)] {
        link.awaitedSubscriptions.sorted { $0.key < $1.key }.compactMap { id, uri in calls[id].map { ($0, uri) } }
    }

    private func wanted(on link: Link) -> Watch.Wanted {
        var wanted = Watch.Wanted()
        guard let capabilities = link.handshake?.capabilities else { return wanted }
        wanted.uris = Set(link.subscriptions.keys).union(link.awaitedSubscriptions.values)
        guard !activeSessions(on: link).isEmpty else { return wanted }
        wanted.kinds = Set(Method.listChanges.filter { $0.listChangedFlag.map(capabilities.contains) ?? false })
        return wanted
    }

    // MARK: The one for all

    /// Listens to what is wanted now. The old stream goes on until the new one is acknowledged, so nothing is missed.
    mutating func adjustWatch(of link: Link) {
        guard link.isStateless, link.phase == .ready, link.watch.pending == nil else { return }
        let wanted = wanted(on: link)
        guard wanted != link.watch.current?.wanted ?? Watch.Wanted(), wanted != link.watch.retry?.wanted else { return }
        link.watch.isHeld = !link.isWritable
        guard link.isWritable else { return }
        guard wanted != Watch.Wanted() else {
            if let current = link.watch.current { endListening(current.call, link) }
            return link.watch.current = nil
        }
        let notifications = Listening.Honoured(kinds: wanted.kinds, uris: wanted.uris.sorted()).text
        let envelope = Translation.ownEnvelope(version: configuration.version)
        let call = ask(link, .watch, .subscriptionsListen) {
            Messages.listen(id: $0, notifications: notifications, envelope: envelope)
        }
        link.watch.pending = (call.id, wanted)
    }

    /// The child acknowledged what the proxy listens to.
    mutating func watchAcknowledged(_ honoured: Listening.Honoured, _ link: Link) {
        guard var new = link.watch.pending else { return }
        if let old = link.watch.current { endListening(old.call, link) }
        calls[new.call]?.lastForEver()
        let known = Set(honoured.uris)
        link.watch.pending = nil
        link.watch.failures = 0
        link.watch.retry = nil
        let waiting = subscribers(waitingOn: link).filter { new.wanted.uris.contains($0.uri) }
        // What was refused is not asked for again, except by those who subscribe to it anew.
        new.wanted.uris.subtract(
            waiting.map(\.uri).filter { !known.contains($0) && link.subscriptions[$0] == nil }
        )
        link.watch.current = new
        for (call, uri) in waiting {
            guard case .client(let session, let id) = call.origin else { continue }
            if known.contains(uri) {
                link.hold(uri, session)
                answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
            } else {
                let message = "the MCP server does not tell of changes of this resource"
                let error = ErrorObject.response(id: id, code: -32002, message: message, data: [("uri", .string(uri))])
                answer(call, with: error, outcome: .clientError, errorCode: -32002)
            }
        }
        adjustWatch(of: link)
    }

    /// The child ended it, or never acknowledged it.
    mutating func watchEnded(_ call: Call, _ end: OwnEnd, _ link: Link) {
        let wanted: Watch.Wanted
        if let current = link.watch.current, current.call == call.id {
            link.watch.current = nil
            wanted = current.wanted
        } else if let pending = link.watch.pending, pending.call == call.id {
            let refused = subscribers(waitingOn: link).filter { pending.wanted.uris.contains($0.uri) }
            for (call, _) in refused { failSubscription(call, end) }
            link.watch.pending = nil
            // Without them it may do.
            guard refused.isEmpty else { return adjustWatch(of: link) }
            wanted = pending.wanted
        } else {
            return
        }
        link.watch.failures = min(link.watch.failures + 1, 7)
        let delay = min(TimeAmount.milliseconds(500 << Int64(link.watch.failures)), Watch.longestRetry)
        link.watch.retry = (wanted, now + delay)
        wake(at: now + delay)
        adjustWatch(of: link)
    }

    /// Tells who waits for a subscription what became of it.
    private mutating func failSubscription(_ call: Call, _ end: OwnEnd) {
        switch end {
        case .answered(let message, let envelope) where envelope.kind == .error:
            guard case .client(_, let id) = call.origin else { return }
            let code = envelope[.errorCode].flatMap { message.integer($0) } ?? -32603
            let data = Translation.data(ofError: message, envelope).map { message.text($0) }
            let error = Translation.error(message, envelope, id: id, code: code, data: data)
            answer(call, with: error, outcome: .init(errorCode: code), errorCode: code)
        case .answered, .cancelled:
            fail(call, .upstreamAnswerInvalid, "the MCP server ended the subscription instead of acknowledging it")
        case .unusable(let failure, let text): fail(call, failure, text)
        case .expired:
            let patience = configuration.connectionTimeout.words
            fail(call, .timeout, "the MCP server did not acknowledge the subscription within \(patience)")
        }
    }

    /// Listens again where it has been long enough since it ended.
    mutating func retryWatches() {
        for link in Array(links.values) {
            guard let retry = link.watch.retry else { continue }
            guard retry.at <= now else {
                wake(at: retry.at)
                continue
            }
            link.watch.retry = nil
            adjustWatch(of: link)
        }
    }

    /// Tells the child that nobody listens any more. What it says to that is of no interest.
    mutating func endListening(_ id: CallID, _ link: Link) {
        guard let call = calls[id], call.isLive else { return }
        call.phase = .abandoned(since: now)
        call.hardDeadline = now + configuration.connectionTimeout
        wake(at: call.hardDeadline)
        tellCancelled(call, link, reason: "nobody listens any more")
    }

    // MARK: What comes by it

    /// A message of a child of the stateless revision that names the subscription it belongs to.
    mutating func subscriptionMessage(_ message: ByteBuffer, _ envelope: Envelope, _ method: Method, _ link: Link) {
        guard let range = envelope[.metaSubscriptionID], let id = message.integer(range), let call = calls[id],
            call.link == link.id
        else {
            return emit(
                .protocolViolation(
                    peer: .server,
                    kind: .unmatchedID,
                    detail: "\(method.rawValue) for no open subscription"
                )
            )
        }
        guard call.isLive else { return }
        switch call.origin {
        case .own(.listen(let key)):
            guard let session = sessions[key] else { return }
            passOn(message, range, envelope, method, to: session)
        case .own(.watch) where method == .subscriptionsAcknowledged:
            if link.watch.pending?.call == id { watchAcknowledged(Listening.Honoured(envelope, message), link) }
        case .own(.watch):
            guard link.watch.current?.call == id else { return }
            let plain = Translation.unsubscribed(message, envelope)
            let uri = method == .resourcesUpdated ? envelope[.uri].flatMap { message.string($0) } ?? "" : nil
            let receivers = uri.map { subscribers(of: $0, link) } ?? activeSessions(on: link)
            for session in receivers where session.listening == nil { deliver(plain, to: session, stream: 0) }
        default:
            emit(
                .protocolViolation(
                    peer: .server,
                    kind: .unmatchedID,
                    detail: "\(method.rawValue) names no subscription"
                )
            )
        }
    }
}

extension Link {
    /// A call waits for a subscription.
    fileprivate func awaits(_ uri: String, _ call: Call) {
        awaitedSubscriptions[call.id] = uri
        awaitedBytes += uri.utf8.count
        call.session?.awaitedSubscriptions += 1
    }

    /// A call has been answered, whatever it waited for.
    func awaitsNoLonger(_ call: Call) {
        guard let uri = awaitedSubscriptions.removeValue(forKey: call.id) else { return }
        awaitedBytes -= uri.utf8.count
        call.session?.awaitedSubscriptions -= 1
    }
}

extension Call {
    /// Nobody waits for its answer, which is its end.
    func lastForEver() {
        deadline = .distantFuture
        hardDeadline = .distantFuture
    }
}
