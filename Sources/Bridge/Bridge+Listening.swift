// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// What a client of the stateless revision wants to be told (2026-07-28, "Subscriptions").
struct Listening {
    /// The id of the request, which every message on its stream names.
    let id: RequestID
    /// The changes it wants to be told of; once acknowledged, those of them that the child tells.
    var kinds: Set<Method>
    /// The resources it wants to be told of.
    var uris: [String]
    /// Subscriptions the child has not answered.
    var pending = 0
    var isAcknowledged = false
    /// What the request says of its client, as members of `_meta`, for a child that knows it.
    let envelope: String
    /// The call, when such a child has been sent one.
    var call: CallID?
    /// The last message has been sent.
    var isConcluded = false

    /// What a child acknowledged.
    struct Honoured: Equatable {
        var kinds: Set<Method> = []
        var uris: [String] = []

        /// The same as JSON text.
        var text: String {
            var object = ObjectText()
            for kind in kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
                kind.listenFlag.map { object.add($0, "true") }
            }
            let list = uris.map(Messages.quoted).joined(separator: ",")
            if !uris.isEmpty { object.add("resourceSubscriptions", "[" + list + "]") }
            return object.text
        }
    }
}

// `subscriptions/listen`: a stream of changes, which is a session with nothing but that.
extension Bridge {
    /// Opens the stream. The acknowledgement comes first on it, once the child has taken the subscriptions.
    mutating func listen(_ incoming: Incoming, _ exchange: ExchangeID, _ link: Link) {
        guard let id = incoming.id else { return }
        guard let wanted = Listening(incoming, id: id) else {
            let message = "params.notifications must be an object, and its resourceSubscriptions a list of URIs"
            return refuse(exchange, .envelopeInvalid, message, id: id)
        }
        guard wanted.envelope.utf8.count <= Session.maxEnvelopeBytes else {
            return refuse(exchange, .envelopeInvalid, Session.tooMuch(wanted.envelope), id: id)
        }
        guard wanted.uris.count <= Link.maxListened,
            wanted.uris.reduce(0, { $0 + $1.utf8.count }) <= Link.maxListenedBytes,
            wanted.uris.allSatisfy({ $0.utf8.count <= Link.maxURILength })
        else {
            let limits =
                "\(Link.maxListened) resources, with URIs of \(Link.maxURILength) bytes each"
                + " and \(Link.maxListenedBytes) bytes together"
            return refuse(exchange, .subscriptionLimit, "a request may listen to \(limits)", id: id)
        }
        let new = wanted.uris.count { link.subscriptions[$0] == nil }
        guard link.subscriptions.count + new <= Link.maxAllSubscriptions else {
            let limit =
                "clients listen to \(link.subscriptions.count) resources already (\(Link.maxAllSubscriptions) at most)"
            return refuse(exchange, .subscriptionLimit, limit, id: id)
        }
        guard sessions.values.count(where: { $0.listening != nil }) < configuration.maxSessions else {
            let limit = "--max-sessions \(configuration.maxSessions)"
            return refuse(exchange, .subscriptionLimit, "too many clients listen already (\(limit))", id: id)
        }
        guard link.phase != .crashLoop else {
            return refuse(exchange, .upstreamUnavailable, link.unavailability, id: id)
        }
        let session = openEphemeralSession(revision: .stateless)
        session.link = link.id
        session.listening = wanted
        session.streams[0] = OutStream(kind: .listen)
        carry(stream: 0, of: session, on: exchange)
        if link.phase == .ready { beginListening(session, link) }
    }

    /// Subscribes to what the child can tell, and acknowledges when it has answered for everything.
    mutating func beginListening(_ session: Session, _ link: Link) {
        guard !link.isStateless else { return passOnListening(of: session, link) }
        guard let listening = session.listening, let capabilities = link.handshake?.capabilities else { return }
        var pending = 0
        for uri in listening.uris where capabilities.contains("resources.subscribe") {
            guard !session.subscriptions.contains(uri) else { continue }
            let entry = link.subscriptions[uri]
            guard entry != nil || link.subscriptions.count < Link.maxAllSubscriptions else { continue }
            if let entry, entry.holders > 0 {
                link.hold(uri, session)
                continue
            }
            link.enter(uri)
            link.subscriptions[uri]?.waiting.insert(session.key)
            link.subscriptionQueue.append(uri)
            pending += 1
        }
        session.listening?.pending = pending
        if pending == 0 { acknowledge(session, link) } else { askForSubscriptions(link) }
    }

    /// Asks the child for what clients wait for, some at a time.
    mutating func askForSubscriptions(_ link: Link) {
        while link.phase == .ready, link.isWritable, link.askedSubscriptions < Link.maxAskedSubscriptions,
            let uri = link.subscriptionQueue.popFirst()
        {
            guard let entry = link.subscriptions[uri], !entry.waiting.isEmpty, !entry.isAsked else { continue }
            link.subscriptions[uri]?.isAsked = true
            link.askedSubscriptions += 1
            _ = ask(link, .subscription(uri: uri), .resourcesSubscribe) {
                Messages.subscription(id: $0, method: .resourcesSubscribe, uri: uri)
            }
        }
    }

    /// The child answered for one resource, or did not in time.
    mutating func subscriptionAnswered(_ uri: String, isHonoured: Bool, _ link: Link) {
        link.askedSubscriptions -= 1
        let waiting = link.subscriptions[uri]?.waiting ?? []
        link.subscriptions[uri]?.waiting = []
        link.subscriptions[uri]?.isAsked = false
        for session in waiting.sorted(by: { $0.number < $1.number }).compactMap({ sessions[$0] }) {
            if isHonoured { link.hold(uri, session) }
            session.listening?.pending -= 1
            if session.listening?.pending == 0 { acknowledge(session, link) }
        }
        link.forgetUnwanted(uri)
        // Whoever it was for is gone: so is the reason to subscribe.
        if isHonoured, link.subscriptions[uri] == nil, !openSubscriptions(on: link).contains(uri) {
            _ = ask(link, .standingState, .resourcesUnsubscribe) {
                Messages.subscription(id: $0, method: .resourcesUnsubscribe, uri: uri)
            }
        }
        askForSubscriptions(link)
    }

    /// The resources that sessions are subscribing to by themselves, which the child may have done already.
    func openSubscriptions(on link: Link) -> Set<String> {
        var uris: Set<String> = []
        for call in calls.values where call.link == link.id && call.isLive {
            if case .subscribe(let uri) = call.aftermath { uris.insert(uri) }
        }
        return uris
    }

    /// The child is another than clients were told: they listen anew, and learn what it tells.
    mutating func endListening(on link: Link) {
        link.subscriptions.removeAll()
        link.subscribedBytes = 0
        for session in listeners(on: link) {
            session.subscriptions.removeAll()
            // Who waits for the acknowledgement gets one that fits.
            if session.listening?.isAcknowledged == true { close(session, .upstreamChanged) }
        }
    }

    private mutating func acknowledge(_ session: Session, _ link: Link) {
        guard var listening = session.listening, !listening.isAcknowledged, let handshake = link.handshake else {
            return
        }
        listening.kinds = listening.kinds.filter { $0.listChangedFlag.map(handshake.capabilities.contains) ?? false }
        listening.isAcknowledged = true
        session.listening = listening
        tellAcknowledged(listening, session)
    }

    /// Tells a client what it will be told.
    private mutating func tellAcknowledged(_ listening: Listening, _ session: Session) {
        let uris = listening.uris.filter(session.subscriptions.contains)
        let honoured = Listening.Honoured(kinds: listening.kinds, uris: uris).text
        let meta = #"{"\#(MetaKey.subscriptionID)":\#(listening.id.token)}"#
        let params = #"{"notifications":\#(honoured),"_meta":\#(meta)}"#
        deliver(Messages.notification(.subscriptionsAcknowledged, params: params), to: session, stream: 0)
    }

    /// Passes a change of a list on to those who listen for it.
    mutating func tellListeners(_ message: ByteBuffer, _ envelope: Envelope, _ method: Method, _ link: Link) {
        for session in listeners(on: link) {
            guard let listening = session.listening, listening.isAcknowledged, listening.kinds.contains(method) else {
                continue
            }
            let forClient = Translation.subscribed(message, envelope, method: method, to: listening.id)
            deliver(forClient, to: session, stream: 0)
        }
    }

    // MARK: A child that knows it

    /// Has the child itself be listened to. A new process is asked anew; the stream goes on.
    private mutating func passOnListening(of session: Session, _ link: Link) {
        guard let listening = session.listening else { return }
        guard link.isWritable else {
            link.heldListens.insert(session.key)
            return
        }
        let notifications = Listening.Honoured(kinds: listening.kinds, uris: listening.uris).text
        let call = ask(link, .listen(session.key), .subscriptionsListen) {
            Messages.listen(id: $0, notifications: notifications, envelope: listening.envelope)
        }
        call.lastForEver()
        session.listening?.call = call.id
    }

    /// The child reads again: it is listened to for those who waited for that.
    mutating func sendHeldListens(_ link: Link) {
        guard link.isWritable, link.phase == .ready else { return }
        if link.watch.isHeld { adjustWatch(of: link) }
        for key in link.heldListens.sorted(by: { $0.number < $1.number }) where link.isWritable {
            link.heldListens.remove(key)
            if let session = sessions[key] { passOnListening(of: session, link) }
        }
    }

    /// Gives a client what the child says on its subscription, if it asked for that and was promised it.
    mutating func passOn(
        _ message: ByteBuffer,
        _ subscription: ByteRange,
        _ envelope: Envelope,
        _ method: Method,
        to session: Session
    ) {
        guard var listening = session.listening else { return }
        let isWanted: Bool
        switch method {
        case .subscriptionsAcknowledged:
            let honoured = Listening.Honoured(envelope, message)
            listening.kinds.formIntersection(honoured.kinds)
            session.subscriptions = Set(listening.uris).intersection(honoured.uris)
            // A new process acknowledges once more what its client knows already.
            let isNews = !listening.isAcknowledged
            listening.isAcknowledged = true
            session.listening = listening
            if isNews { tellAcknowledged(listening, session) }
            return
        case .resourcesUpdated:
            let uri = envelope[.uri].flatMap { message.string($0) } ?? ""
            isWanted = session.subscriptions.contains { uri == $0 || uri.isPart(of: $0) }
        default: isWanted = listening.kinds.contains(method)
        }
        guard listening.isAcknowledged, isWanted else {
            let detail = "\(method.rawValue) was not acknowledged on this subscription"
            return emit(.protocolViolation(peer: .server, kind: .unmatchedID, detail: detail))
        }
        deliver(message.splicing(.init(subscription, listening.id.token), newline: false), to: session, stream: 0)
    }

    /// The child ended a subscription, which ends the stream of its client.
    mutating func listenEnded(_ key: SessionKey, _ end: OwnEnd, _ link: Link) {
        guard let session = sessions[key], let listening = session.listening else { return }
        session.listening?.call = nil
        switch end {
        // What else it says is not for its client to know: the result is the proxy's own.
        case .answered(_, let envelope) where envelope.kind == .result: return close(session, .stateless)
        case .answered(let message, let envelope):
            deliver(Self.error(message, envelope, for: listening), to: session, stream: 0)
        case .unusable(let failure, let text):
            deliver(failure.response(id: listening.id, text), to: session, stream: 0)
        // Its client sees the stream end before its result, and knows that something is wrong.
        case .cancelled, .expired: break
        }
        session.listening?.isConcluded = true
        close(session, .stateless)
    }

    /// The error a child ended a subscription with, as its client gets it.
    private static func error(_ message: ByteBuffer, _ envelope: Envelope, for listening: Listening) -> ByteBuffer {
        let code = envelope[.errorCode].flatMap { message.integer($0) } ?? -32603
        if case .error(let code, let data)? = Translation.tolerated(error: message, envelope, code: code, target: nil) {
            return Translation.error(message, envelope, id: listening.id, code: code, data: data)
        }
        let data = Translation.data(ofError: message, envelope).map { message.text($0) }
        return Translation.error(message, envelope, id: listening.id, code: code, data: data)
    }

    /// A new process may list other things, and its resources may have changed: whoever listens should look.
    mutating func tellListenersOfNewProcess(_ link: Link) {
        for session in listeners(on: link) {
            guard let listening = session.listening, listening.isAcknowledged else { continue }
            let changes =
                listening.kinds.sorted { $0.rawValue < $1.rawValue }.map { ($0, Messages.notification($0)) }
                + session.subscriptions.sorted().map { (.resourcesUpdated, Messages.resourceUpdated(uri: $0)) }
            for (method, message) in changes {
                guard let envelope = try? Envelope.scan(message) else { continue }
                let forClient = Translation.subscribed(message, envelope, method: method, to: listening.id)
                deliver(forClient, to: session, stream: 0)
            }
        }
    }

    /// The last message on a stream that the proxy ends.
    mutating func concludeListening(_ session: Session) {
        guard let listening = session.listening, !listening.isConcluded else { return }
        let meta = #"{"\#(MetaKey.subscriptionID)":\#(listening.id.token)}"#
        let result = #"{"resultType":"complete","_meta":\#(meta)}"#
        let message = #"{"jsonrpc":"2.0","id":\#(listening.id.token),"result":\#(result)}"#
        deliver(ByteBuffer(string: message), to: session, stream: 0)
    }

    func listeners(on link: Link) -> [Session] {
        sessions.values.filter { $0.listening != nil && $0.link == link.id }.sorted { $0.key.number < $1.key.number }
    }
}

extension Listening {
    /// Reads what a request wants; nil when that is no object.
    fileprivate init?(_ incoming: Incoming, id: RequestID) {
        let message = incoming.message
        let params = incoming.envelope[.params].map { members(of: $0, in: message) } ?? []
        guard let wanted = params.last(where: { $0.name == "notifications" })?.value,
            message.text(wanted).hasPrefix("{"), let honoured = Honoured(wanted, message)
        else { return nil }
        let envelope = Translation.envelope(ofStateless: message, incoming.envelope)
        self.init(id: id, kinds: honoured.kinds, uris: honoured.uris, envelope: envelope)
    }
}

extension Listening.Honoured {
    /// Reads `notifications/subscriptions/acknowledged`.
    init(_ envelope: Envelope, _ message: ByteBuffer) {
        let params = envelope[.params].map { members(of: $0, in: message) } ?? []
        self.init()
        if let range = params.last(where: { $0.name == "notifications" })?.value {
            self = Self(range, message) ?? self
        }
    }

    /// Reads an object that says what is listened to; nil when its resources are no list of URIs.
    fileprivate init?(_ range: ByteRange, _ message: ByteBuffer) {
        for member in members(of: range, in: message) {
            if member.name == "resourceSubscriptions" {
                guard message.text(member.value).hasPrefix("[") else { return nil }
                let texts = elements(of: member.value, in: message).map { message.string($0) ?? "" }
                guard !texts.contains("") else { return nil }
                var known: Set<String> = []
                uris = texts.filter { known.insert($0).inserted }
            } else if message.text(member.value) == "true",
                let kind = Method.listChanges.first(where: { $0.listenFlag == member.name })
            {
                kinds.insert(kind)
            }
        }
    }
}

extension Method {
    static let listChanges: [Method] = [.toolsListChanged, .promptsListChanged, .resourcesListChanged]

    /// What a client asks with to be told of this.
    var listenFlag: String? {
        switch self {
        case .toolsListChanged: "toolsListChanged"
        case .promptsListChanged: "promptsListChanged"
        case .resourcesListChanged: "resourcesListChanged"
        default: nil
        }
    }

    /// The capability of a child that tells of this.
    var listChangedFlag: String? {
        switch self {
        case .toolsListChanged: "tools.listChanged"
        case .promptsListChanged: "prompts.listChanged"
        case .resourcesListChanged: "resources.listChanged"
        default: nil
        }
    }
}
