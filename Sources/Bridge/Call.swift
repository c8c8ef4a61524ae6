// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// The proxy's own id of a request to a child. Counts up over all children and is never reused, so an answer that
/// comes late, or from a process that was thought dead, finds nothing.
typealias CallID = Int

/// One request that the child owes an answer, or that waits to be sent. Owned by one `Bridge`.
final class Call {
    enum Phase: Equatable {
        /// Not written yet.
        case waiting
        /// With the child.
        case sent
        /// With the child, but its client has been answered (timeout, cancellation) or is gone.
        case abandoned(since: NIODeadline)
    }

    /// Who asked.
    enum Origin {
        case client(Session, id: RequestID)
        /// The proxy itself.
        case own(OwnRequest)
    }

    /// What the proxy asks a child on its own account.
    enum OwnRequest: Equatable {
        case handshake
        /// Asks what the child speaks, and what it can do.
        case discover
        case ping
        /// Standing state told to a new process, or taken back when its last session ends.
        case standingState
        /// A subscription for clients that listen.
        case subscription(uri: String)
        /// What a client of the stateless revision listens to, passed on to a child that knows it.
        case listen(SessionKey)
        /// What the proxy listens to for its clients with a handshake.
        case watch
    }

    /// What the bridge does besides forwarding once the child has answered.
    enum Aftermath: Equatable {
        case none
        /// A session's own `initialize` (a child per session).
        case handshake
        /// `initialize` waits for the shared child's handshake; it is never sent.
        case sharedHandshake
        /// `server/discover` waits for the child's handshake; it is never sent.
        case discover
        case setLevel(LogLevel)
        case subscribe(uri: String)
        case unsubscribe(uri: String)
        case createTask
    }

    /// Another one for each time that it is sent.
    var id: CallID
    /// The child that answers it.
    var link: Int
    var origin: Origin
    let method: Method
    var phase = Phase.waiting
    var aftermath = Aftermath.none
    /// The line for the child, newline included, until it is written.
    var line: ByteBuffer?
    /// The request, while nobody knows yet in which words the child wants it.
    var held: Incoming?
    /// Set for a call that a child of the stateless revision may answer with questions to a client with a handshake.
    var inputs: Inputs?
    /// Whether it stands in its link's queue.
    var isQueued = false

    /// The HTTP request that waits for the answer, nil when its client is gone or listens elsewhere.
    var exchange: ExchangeID?
    var acceptsEventStream = false
    /// The stream the answer goes to, once there is one.
    var stream: Int?
    var batch: PendingBatch?
    /// The client's progress token, as the raw JSON token.
    var progressToken: String?

    var requestBytes: Int
    /// The tool or prompt it is about, if the child's lists name it.
    var name: KnownName?
    /// The tool, prompt or resource a stateless request names.
    var target: String?
    /// With tracing on: where it stands in its trace.
    var trace: RequestTrace?
    var arrived: NIODeadline
    /// When it joined the queue it stands in, and how long it stood in queues before.
    var queuedAt: NIODeadline?
    var queued = TimeAmount.zero
    /// When it was handed to the child: at first the time of the input that made it leave, then, when the shell has
    /// done so, the exact one.
    var sentAt: NIODeadline?
    /// Gives up then; progress moves it.
    var deadline: NIODeadline
    /// Gives up then at the latest.
    var hardDeadline: NIODeadline
    /// Becomes a stream then.
    var streamAt: NIODeadline?
    /// Let go of its session's turn.
    var lingers = false
    /// The child has answered it.
    var isAnswered = false

    init(
        id: CallID,
        link: Int,
        origin: Origin,
        method: Method,
        requestBytes: Int,
        arrived: NIODeadline,
        deadline: NIODeadline,
        hardDeadline: NIODeadline
    ) {
        self.id = id
        self.link = link
        self.origin = origin
        self.method = method
        self.requestBytes = requestBytes
        self.arrived = arrived
        self.deadline = deadline
        self.hardDeadline = hardDeadline
    }

    var session: Session? {
        if case .client(let session, _) = origin { session } else { nil }
    }

    /// Whether its client still waits.
    var isLive: Bool {
        if case .abandoned = phase { false } else { true }
    }

    /// Whether a client waits for its answer now. One that was asked something comes back later.
    var hasWaitingClient: Bool { isLive && session.map { $0.parking?.isAway != true } ?? false }

    /// When it needs attention next.
    var nextDeadline: NIODeadline {
        let end = min(deadline, hardDeadline, inputs?.retryAt ?? deadline)
        return streamAt.map { min($0, end) } ?? end
    }

    /// Whether the child may ask its client something while it runs.
    var mayAsk: Bool { method.mayAsk }
}

extension Method {
    /// Whether a child may ask the client something while it works on this.
    ///
    /// Lists and the proxy's own business don't; anything the protocol doesn't name might.
    var mayAsk: Bool {
        switch self {
        case .toolsCall, .promptsGet, .resourcesRead, .completionComplete, .tasksResult, .other: true
        default: false
        }
    }

    /// Whether calls of this method of different sessions wait for each other on a child that asks.
    var takesTurns: Bool {
        switch self {
        case .toolsCall, .promptsGet, .resourcesRead: true
        default: false
        }
    }
}

/// The requests of one JSON-RPC batch (2025-03-26), answered together.
final class PendingBatch {
    let exchange: ExchangeID
    var missing: Int
    var answers: [ByteBuffer] = []

    init(exchange: ExchangeID, missing: Int) {
        self.exchange = exchange
        self.missing = missing
    }
}

/// One request of the child that a client has been asked.
struct ServerRequest {
    /// How the child asks.
    enum Asker {
        /// By a request, with its id.
        case request(RequestID)
        /// By its answer to a call, under that key.
        case call(CallID, key: String)
    }

    let asker: Asker
    let link: Int
    let session: Session
    let method: Method
    let requestBytes: Int
    let deadline: NIODeadline
    /// The stream it was put on.
    let stream: Int
}
