// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// The bridge's side of one child, over all its processes: the handshake and standing state that a new process is
/// told, and the calls that wait for it. Owned by one `Bridge`.
final class Link {
    enum Phase: Equatable {
        /// No process, or one that has not been spoken to.
        case starting
        /// `initialize` is under way.
        case initializing
        case ready
        /// The process ended; the next one is coming.
        case restarting
        /// It failed so often in a row that callers are refused.
        case crashLoop
        case stopping
    }

    /// What the child is for.
    enum Role: Equatable {
        /// Serves all sessions; the proxy makes the handshake.
        case shared
        /// Proves at start-up that the child can do a handshake, then goes (`--isolation session`).
        case probe
        /// Spawned and not spoken to, for the next session.
        case spare
        /// Serves one session, which makes the handshake.
        case exclusive(SessionKey)
    }

    /// What has been agreed with the child, by `initialize` or by `server/discover`.
    struct Handshake {
        /// The answer to a client's `initialize`: the child's own, or one made of what it says of itself.
        var answer: ByteBuffer
        var id: ByteRange
        var protocolVersion: ByteRange
        /// The result that answers a client's `server/discover`, as JSON text.
        var discovery: String
        var revision: Revision
        var capabilities: ServerCapabilities
        var server: Translation.Server
    }

    /// Who wants to be told of changes of one resource.
    struct Subscription {
        /// Sessions that are told.
        var holders = 0
        /// Clients that listen and wait for the child's answer.
        var waiting: Set<SessionKey> = []
        /// The proxy has asked the child for it and waits.
        var isAsked = false
    }

    let id: Int
    var role: Role
    var phase = Phase.starting
    var generation = 0
    var startedAt = NIODeadline.uptimeNanoseconds(0)
    /// Whether the running process has completed its handshake.
    var wasReady = false
    /// Why the last process ended, for those who ask whether the child is ready.
    var lastExit: Event.UpstreamExit?

    /// A session's own `initialize`, as its client sent it, and whether `notifications/initialized` followed.
    var clientHandshake: (line: ByteBuffer, id: ByteRange)?
    var clientIsInitialized = false
    var handshake: Handshake?
    /// What a shared child is told that its clients can be asked; nil for one of a pool that has not been spoken to.
    var declared: ClientCapabilities?
    /// How it is found out what a shared child speaks.
    var era = EraSearch()

    /// Whether the child speaks the stateless revision.
    var isStateless: Bool { handshake?.revision.isStateless == true }

    /// Whether stdin takes more, as far as is known.
    var isWritable = true
    /// Since when stdin takes nothing although the process runs.
    var blockedSince: NIODeadline?
    /// Bytes handed over since the shell last reported.
    var unconfirmedBytes = 0
    /// Calls not written yet, oldest first. Cancelled ones stay until they come to the front.
    var waiting = CircularBuffer<Call>()
    var waitingCount = 0
    var waitingBytes = 0
    /// Answers and notifications for the child that wait for its stdin. They have room of their own: a queue full
    /// of calls must not hold up the answer one of them waits for.
    var control = CircularBuffer<ByteBuffer>()
    var controlBytes = 0
    /// Calls with the child whose clients wait.
    var inFlight = 0
    /// Cancelled calls the child has never answered and still might.
    var lingering = 0

    /// The arguments of tools that clients of the stateless revision repeat in headers, by tool.
    var parameterHeaders: [String: ParameterHeaders] = [:]

    var turns = Turns()
    /// Whether this process had a call of somebody who has no session now: then what it says outside of all calls may be
    /// about that, and is for nobody else.
    var servedStrangers = false
    /// The child's requests that a client has been asked, by the child's id.
    var serverRequests: [RequestID: Int] = [:]
    /// What the child was last told to log.
    var logLevel: LogLevel?
    /// The most verbose that sessions want, or wanted when there were any.
    var sessionsLogLevel: LogLevel?
    /// The resources that sessions want to be told of.
    var subscriptions: [String: Subscription] = [:]
    /// The bytes of their URIs.
    var subscribedBytes = 0
    /// Those the child has not been asked for yet; some may be wanted no more.
    var subscriptionQueue = CircularBuffer<String>()
    /// How many it has been asked for and has not answered.
    var askedSubscriptions = 0
    /// What a child of the stateless revision is listened to for, on behalf of clients with a handshake.
    var watch = Watch()
    /// The subscriptions of sessions that such a child has not acknowledged, and the bytes of their URIs.
    var awaitedSubscriptions: [CallID: String] = [:]
    var awaitedBytes = 0
    /// Clients that are listened for as soon as the child reads what it is sent.
    var heldListens: Set<SessionKey> = []
    /// Tools whose `structuredContent` clients with a handshake get in a wrapping.
    var wrappedTools: Set<String> = []
    /// Who follows a call's progress after its answer named a task.
    var taskTokens: [CallID: (session: SessionKey, token: String)] = [:]

    var lastHeard = NIODeadline.uptimeNanoseconds(0)
    /// The ping that follows a timeout, and since when nothing but silence would condemn the child.
    var ping: (call: CallID, silentSince: NIODeadline)?

    init(id: Int, role: Role) {
        self.id = id
        self.role = role
    }
}
