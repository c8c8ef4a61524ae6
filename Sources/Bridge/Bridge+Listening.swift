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
    /// The request itself and where its id stands, for a child that knows it; and the call, when that has been sent.
    let request: ByteBuffer
    let idRange: ByteRange
    var call: CallID?
    /// The last message has been sent.
    var isConcluded = false

    /// What a child acknowledged.
    struct Honoured: Equatable {
        var kinds: Set<Method> = []
        var uris: [String] = []
    }
}

// `subscriptions/listen`: a stream of changes, which is a session with nothing but that.
extension Bridge {
    /// Opens the stream. The acknowledgement comes first on it, once the child has taken the subscriptions.
    mutating func listen(_ incoming: Incoming, _ exchange: ExchangeID, _ link: Link) {
        guard let id = incoming.id else { return }
        guard let wanted = Listening(incoming, id: id) else {
            return refuse(exchange, .envelopeInvalid, "params.notifications must be an object", id: id)
        }
        guard wanted.uris.count <= Link.maxSubscriptions,
            wanted.uris.allSatisfy({ $0.utf8.count <= Link.maxURILength })
        else {
            let limits = "\(Link.maxSubscriptions) resources, with URIs of \(Link.maxURILength) bytes"
            return refuse(exchange, .subscriptionLimit, "a request may listen to \(limits)", id: id)
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
        guard var listening = session.listening, let capabilities = link.handshake?.capabilities else { return }
        listening.kinds = listening.kinds.filter { $0.listChangedFlag.map(capabilities.contains) ?? false }
        listening.pending = 0
        for uri in listening.uris where capabilities.contains("resources.subscribe") {
            guard !session.subscriptions.contains(uri) else { continue }
            if let holders = link.subscriptions[uri] {
                session.subscriptions.insert(uri)
                link.subscriptions[uri] = holders + 1
            } else {
                listening.pending += 1
                _ = ask(link, .subscription(session.key, uri: uri), .resourcesSubscribe) {
                    Messages.subscription(id: $0, method: .resourcesSubscribe, uri: uri)
                }
            }
        }
        session.listening = listening
        if listening.pending == 0 { acknowledge(session, listening) }
    }

    /// The child answered for one resource, or did not in time.
    mutating func subscriptionAnswered(_ key: SessionKey, uri: String, isHonoured: Bool, _ link: Link) {
        guard let session = sessions[key], var listening = session.listening else {
            // Its client is gone: so is the reason to subscribe.
            guard isHonoured, link.subscriptions[uri] == nil else { return }
            _ = ask(link, .standingState, .resourcesUnsubscribe) {
                Messages.subscription(id: $0, method: .resourcesUnsubscribe, uri: uri)
            }
            return
        }
        if isHonoured {
            session.subscriptions.insert(uri)
            link.subscriptions[uri, default: 0] += 1
        }
        listening.pending -= 1
        session.listening = listening
        if listening.pending == 0, !listening.isAcknowledged { acknowledge(session, listening) }
    }

    private mutating func acknowledge(_ session: Session, _ listening: Listening) {
        session.listening?.isAcknowledged = true
        var honoured = ObjectText()
        for kind in listening.kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
            kind.listenFlag.map { honoured.add($0, "true") }
        }
        let uris = listening.uris.filter(session.subscriptions.contains).map(Messages.quoted)
        if !uris.isEmpty { honoured.add("resourceSubscriptions", "[" + uris.joined(separator: ",") + "]") }
        let meta = #"{"\#(MetaKey.subscriptionID)":\#(listening.id.token)}"#
        let params = #"{"notifications":\#(honoured.text),"_meta":\#(meta)}"#
        deliver(Messages.notification(.subscriptionsAcknowledged, params: params), to: session, stream: 0)
    }

    /// Passes a change on to those who listen for it.
    mutating func tellListeners(_ message: ByteBuffer, _ envelope: Envelope, _ method: Method, _ link: Link) {
        let uri = method == .resourcesUpdated ? envelope[.uri].flatMap { message.string($0) } : nil
        for session in listeners(on: link) {
            guard let listening = session.listening, listening.isAcknowledged else { continue }
            if let uri {
                // A child may name a part of what was subscribed to.
                guard session.subscriptions.contains(where: { uri.hasPrefix($0) }) else { continue }
            } else if !listening.kinds.contains(method) {
                continue
            }
            let forClient = Translation.subscribed(message, envelope, method: method, to: listening.id)
            deliver(forClient, to: session, stream: 0)
        }
    }

    // MARK: A child that knows it

    /// Has the child itself be listened to. To a new process the request is repeated; its stream goes on.
    private mutating func passOnListening(of session: Session, _ link: Link) {
        guard let listening = session.listening else { return }
        let call = ask(link, .listen(session.key), .subscriptionsListen) { id in
            listening.request.splicing(.init(listening.idRange, String(id)), newline: false)
        }
        call.lastForEver()
        session.listening?.call = call.id
    }

    /// Gives a client what the child says on its subscription.
    mutating func passOn(
        _ message: ByteBuffer,
        _ subscription: ByteRange,
        _ envelope: Envelope,
        _ method: Method,
        to session: Session
    ) {
        guard let listening = session.listening else { return }
        if method == .subscriptionsAcknowledged {
            let honoured = Listening.Honoured(envelope, message)
            session.listening?.kinds = honoured.kinds
            session.subscriptions = Set(honoured.uris)
            session.listening?.isAcknowledged = true
            // A new process acknowledges once more what its client knows already.
            guard !listening.isAcknowledged else { return }
        }
        deliver(message.splicing(.init(subscription, listening.id.token), newline: false), to: session, stream: 0)
    }

    /// The child ended a subscription, which ends the stream of its client.
    mutating func listenEnded(_ key: SessionKey, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard let session = sessions[key], let listening = session.listening, let id = envelope[.id] else { return }
        let meta = envelope[.result].flatMap { result in
            members(of: result, in: message).last { $0.name == "_meta" }?.value
        }
        let subscription = meta.flatMap { meta in
            members(of: meta, in: message).last { $0.name == MetaKey.subscriptionID }?.value
        }
        let forClient = message.splicing(
            .init(id, listening.id.token),
            subscription.map { .init($0, listening.id.token) },
            newline: false
        )
        deliver(forClient, to: session, stream: 0)
        session.listening?.call = nil
        session.listening?.isConcluded = true
        close(session, .stateless)
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

    private func listeners(on link: Link) -> [Session] {
        sessions.values.filter { $0.listening != nil && $0.link == link.id }.sorted { $0.key.number < $1.key.number }
    }
}

extension Listening {
    /// Reads what a request wants; nil when that is no object.
    fileprivate init?(_ incoming: Incoming, id: RequestID) {
        let message = incoming.message
        let params = incoming.envelope[.params].map { members(of: $0, in: message) } ?? []
        guard let wanted = params.last(where: { $0.name == "notifications" })?.value,
            message.text(wanted).hasPrefix("{"), let idRange = incoming.envelope[.id]
        else { return nil }
        let honoured = Honoured(wanted, message)
        self.init(id: id, kinds: honoured.kinds, uris: honoured.uris, request: message, idRange: idRange)
    }
}

extension Listening.Honoured {
    /// Reads `notifications/subscriptions/acknowledged`.
    init(_ envelope: Envelope, _ message: ByteBuffer) {
        let params = envelope[.params].map { members(of: $0, in: message) } ?? []
        self.init()
        if let range = params.last(where: { $0.name == "notifications" })?.value { self.init(range, message) }
    }

    /// Reads an object that says what is listened to.
    fileprivate init(_ range: ByteRange, _ message: ByteBuffer) {
        for member in members(of: range, in: message) {
            if member.name == "resourceSubscriptions" {
                var known: Set<String> = []
                uris = elements(of: member.value, in: message).compactMap { message.string($0) }
                    .filter { known.insert($0).inserted }
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
