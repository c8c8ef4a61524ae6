// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// Names a session inside the bridge; counts up and is never reused.
struct SessionKey: Hashable {
    var number: Int
}

/// One client's session: what it may be asked, what it runs, and its streams. Owned by one `Bridge`.
///
/// A session outlives the processes behind it.
final class Session {
    enum Phase: Equatable {
        /// `initialize` has not been answered.
        case initializing
        case active
    }

    let key: SessionKey
    /// The secret in `Mcp-Session-Id`, or in the query of the 2024-11-05 transport.
    let id: String
    /// Stands for `id` wherever it may be seen: a hash under a key that only this process has and never tells.
    let label: String
    /// Marks this session's event ids.
    let eventTag: String
    let transport: Transport
    let openedAt: NIODeadline
    /// Serves exactly one request (`--stateless`, or the stateless revision) and is never found by id.
    let isEphemeral: Bool
    /// Messages of a batch are still to be taken: a session for one POST must not end before.
    var isReceiving = false

    var phase = Phase.initializing
    var revision: Revision
    var capabilities: ClientCapabilities = []
    var clientName = ""
    var clientVersion = ""
    /// The child it talks to; nil on the 2024-11-05 transport with a child per session, before `initialize`.
    var link: Int?
    /// What each request to a child of the stateless revision says of its client, as members of `_meta`.
    var envelope = Translation.anonymousEnvelope
    /// `Authorization` of a stateless request: what the child lets its client carry around is for nobody else.
    var credentials: String?

    /// Its unanswered requests by the client's id.
    var inFlight: [RequestID: CallID] = [:]
    var requestCount = 0
    /// The process its newest call went to.
    var calledGeneration: Int?
    var lastActivity: NIODeadline
    var logLevel: LogLevel?
    var subscriptions: Set<String> = []
    /// How many more it waits for at a child without a handshake.
    var awaitedSubscriptions = 0
    /// Requests of the child that it has not answered.
    var serverRequests: Set<Int> = []
    /// Tasks it started (2025-11-25): only it may see them.
    var tasks = RecentNames(capacity: 1000)
    /// URL elicitations that were shown to it, so that their completion finds it.
    var elicitations = RecentNames(capacity: 100)

    /// Set for a client of the stateless revision that listens, and does nothing else.
    var listening: Listening?
    /// Set once the child asked the client of a stateless request something.
    var parking: Parking?

    var store: EventStore?
    /// Number 0 is the stream of messages that belong to no call: GET, or the one stream of the 2024-11-05 transport.
    var streams: [Int: OutStream]
    var nextStream = 1
    /// Messages that wait for stream 0 to be opened.
    var backlog = CircularBuffer<ByteBuffer>()
    var backlogBytes = 0
    /// What it keeps for its client, as last counted in the bridge's sum.
    var countedBytes = 0

    init(
        key: SessionKey,
        id: String,
        eventTag: String,
        transport: Transport,
        revision: Revision,
        link: Int?,
        isEphemeral: Bool,
        store: EventStore?,
        now: NIODeadline
    ) {
        self.key = key
        self.id = id
        self.label = id.isEmpty ? "" : Self.label(of: id)
        self.eventTag = eventTag
        self.transport = transport
        self.revision = revision
        self.link = link
        self.isEphemeral = isEphemeral
        self.store = store
        self.streams = [0: OutStream(kind: transport == .sse ? .sse : .get)]
        self.openedAt = now
        self.lastActivity = now
    }

    /// The standard library's hash is SipHash-1-3 under a random key, made for keeping its input secret from who sees
    /// the result or can choose other inputs.
    private static func label(of id: String) -> String {
        let hash = String(UInt(bitPattern: id.hashValue), radix: 16)
        return String(repeating: "0", count: max(0, 16 - hash.count)) + hash
    }

    var bufferedBytes: Int { (store?.bytes ?? 0) + backlogBytes + (parking?.answer?.message.readableBytes ?? 0) }

    /// What is kept of what a client says of itself, at most.
    static let maxEnvelopeBytes = 16 << 10

    /// Why a client that says more than that is refused.
    static func tooMuch(_ envelope: String) -> String {
        "the client's capabilities and clientInfo have \(envelope.utf8.count) bytes; \(maxEnvelopeBytes) bytes at most are served"
    }

    /// Lets go of everything but what a call that still runs must know of it.
    func clear() {
        store = nil
        if !backlog.isEmpty { backlog.removeAll() }
        backlogBytes = 0
        parking?.answer = nil
        subscriptions.removeAll()
        tasks.removeAll()
        elicitations.removeAll()
    }

    /// Forgets the oldest of what is kept for the client; false when there is nothing.
    func forgetOldest() -> Bool {
        if store?.removeOldest() == true { return true }
        guard let oldest = backlog.popFirst() else { return false }
        backlogBytes -= oldest.readableBytes
        return true
    }

    /// Whether any exchange of its is open.
    var hasOpenExchange: Bool { !inFlight.isEmpty || streams.values.contains { $0.exchange != nil } }
}

/// One server-sent-event stream of a session. It outlives the connection that carries it.
struct OutStream {
    let kind: StreamKind
    /// The connection that carries it now, and since when.
    var exchange: ExchangeID?
    var carriedSince = NIODeadline.uptimeNanoseconds(0)
    /// The call whose answer ends it.
    var call: CallID?
    /// The number of the newest event; 0 is the priming event.
    var sequence = 0
    /// Messages sent, on whatever connection.
    var sent = 0

    init(kind: StreamKind, exchange: ExchangeID? = nil, call: CallID? = nil) {
        self.kind = kind
        self.exchange = exchange
        self.call = call
    }
}
