// SPDX-License-Identifier: Apache-2.0

package import Events
package import MCP
package import NIOCore

/// How clients share children.
package enum Isolation: RawRepresentable, Equatable, Sendable {
    /// One child serves every session.
    case shared
    /// Each session has a child of its own.
    case session
    /// So many children serve one caller each at a time.
    case pool(Int)

    package static let poolSizes = 2...64

    /// As an operator writes it: `shared`, `session` or `pool=N`.
    package init?(rawValue: String) {
        switch rawValue {
        case "shared": self = .shared
        case "session": self = .session
        default:
            guard rawValue.hasPrefix("pool="), let size = Int(rawValue.dropFirst(5)), Self.poolSizes.contains(size),
                rawValue == "pool=\(size)"
            else { return nil }
            self = .pool(size)
        }
    }

    package var rawValue: String {
        switch self {
        case .shared: "shared"
        case .session: "session"
        case .pool(let size): "pool=\(size)"
        }
    }

    /// The most children there can be at a time, for so many sessions.
    package func children(sessions: Int) -> Int {
        switch self {
        case .shared: 1
        case .session: sessions + 2
        case .pool(let size): size
        }
    }
}

/// Which kind of revision a shared child is spoken to in.
package enum UpstreamProtocol: String, CaseIterable, Sendable {
    /// The one without a handshake if the child knows it, else one with.
    case auto
    /// One with a handshake.
    case legacy
    /// The one without.
    case modern
}

/// The limits and switches of the bridge.
package struct BridgeConfiguration: Sendable {
    /// How clients share children.
    package var isolation: Isolation = .shared
    /// Accept requests without a session; mint none.
    package var stateless = false
    /// Which kind of revision a shared child is spoken to in.
    package var upstreamProtocol: UpstreamProtocol = .auto
    /// What the proxy calls its own version, in `clientInfo`.
    package var version = "0.0.0"
    /// What is declared to a shared child, as JSON text.
    package var sharedCapabilities = Messages.sharedCapabilities
    /// What is declared to a shared child, as a set: a request beyond it is refused.
    package var sharedCapabilitySet: ClientCapabilities = [.sampling, .elicitationForm, .elicitationURL]
    /// Where clients of the 2024-11-05 transport post, as the `endpoint` event names it.
    package var messageEndpoint = "/sse/messages"

    /// Sessions that are open, at most.
    package var maxSessions = 1000
    /// Calls that are with one child and unanswered, at most.
    package var maxInFlight = 256
    /// Calls that wait for one child, at most.
    package var maxQueue = 1024
    /// Bytes of the calls that wait for one child, at most.
    package var maxQueueBytes = 128 << 20

    /// How long a call may go without an answer; progress starts it anew.
    package var requestTimeout = TimeAmount.milliseconds(300_000)
    /// How long a call may last in all, whatever progress it reports.
    package var maxRequestTime = TimeAmount.milliseconds(3_600_000)
    /// How long the handshake with a child may last, and how long an `initialize` waits for one.
    package var connectionTimeout = TimeAmount.milliseconds(60_000)
    /// After this long without an answer to `server/discover`, a child that may not know it is sent `initialize`, too.
    package var probeTimeout = TimeAmount.milliseconds(3_000)
    /// How long `server/discover` waits for the handshake with a child: clients give up after 10 s, and some for good.
    package var discoverTimeout = TimeAmount.milliseconds(8_000)
    /// How long a session may be idle; zero for ever.
    package var sessionIdleTimeout = TimeAmount.milliseconds(1_800_000)
    /// How long a client may take to answer a request of the child.
    package var clientRequestTimeout = TimeAmount.milliseconds(600_000)
    /// After this long without an answer, a call's response becomes an event stream.
    package var streamAfter = TimeAmount.milliseconds(10_000)
    /// How long a child may take to answer a ping that follows a timeout.
    package var pingTimeout = TimeAmount.milliseconds(10_000)
    /// How long a cancelled call that the child never answers keeps the turn of its session.
    package var abandonedTurnGrace = TimeAmount.milliseconds(30_000)
    /// How long a parked call keeps the turn while its client is away and calls of other clients wait for it.
    package var parkedTurnGrace = TimeAmount.milliseconds(30_000)

    /// Keep events, so that a client can come back to a broken stream.
    package var eventStore = true
    /// Events kept per session, at most.
    package var maxStoredEvents = 1000
    /// Bytes of events kept per session, at most.
    package var maxStoredBytes = 16 << 20
    /// Bytes kept for clients in all sessions together, events and messages that wait for a stream, at most.
    package var maxBuffered = 256 << 20
    /// What a client is told to wait before it comes back to a broken stream, in milliseconds.
    package var retryMilliseconds = 1000
    /// Messages that wait for a session to open a stream: how many, and how many bytes, at most.
    package var maxBacklog = 256
    package var maxBacklogBytes = 4 << 20

    /// How many bytes of each message are told in events; 0 for none at all.
    package var payloadBytes = 0
    /// Gives a request its place in its trace, or in a new one; nil when nothing is traced.
    package var startTrace: (@Sendable (_ parent: TraceContext?, _ link: TraceContext?) -> RequestTrace)?

    package init() {}
}
