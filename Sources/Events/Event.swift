// SPDX-License-Identifier: Apache-2.0

package import MCP
package import NIOCore

/// One fact about the running proxy, emitted once, where it happens.
///
/// Metrics, journal entries, spans and the log on stderr all derive from this one stream, so they cannot
/// disagree. Nothing else in the code writes a log line or bumps a counter. An event never carries
/// arguments, results, tokens, argv or a whole session id.
package enum Event: Sendable {
    // The proxy.

    /// The listener is bound.
    case proxyStarted(ProxyStarted)
    /// A child has answered its handshake for the first time, so long after the start.
    case proxyReady(afterMilliseconds: Int)
    /// It was told to stop, with so many calls unanswered and sessions open.
    case proxyStopping(inFlight: Int, sessions: Int)
    /// All children are gone. `drained` tells whether every call was answered before.
    case proxyStopped(drained: Bool)
    /// The configuration was read again and is in use. `needsRestart` names the options whose change has to wait.
    case configReloaded(changed: [String], needsRestart: [String])
    /// It was to be read again and could not be; the one before stays in use. `problem` is one line.
    case configInvalid(problem: String)

    // The child. A link is one child over all its processes, 0 the shared one; a generation is one process of it,
    // counted from 1.

    /// A process is about to be started. Of its command line only the program's name and the number of arguments are
    /// told: the rest may hold secrets.
    case upstreamStarting(link: Int, generation: Int, program: String, argumentCount: Int)
    /// The process runs.
    case upstreamStarted(link: Int, generation: Int, pid: Int32)
    /// The image of the child's container is missing, or may be old, and is being pulled.
    case imagePulling(link: Int, generation: Int, image: String)
    /// The pull is over; `problem` is why it failed, nil if it did not.
    case imagePulled(link: Int, generation: Int, image: String, duration: TimeAmount, problem: String?)
    /// The process that runs is the client of a container.
    case containerStarted(ContainerStarted)
    /// So many containers were removed that belonged to no living proxy any more, and so many could not be.
    case containersRemoved(count: Int, left: Int)
    /// The container engine answers no more, or again. `problem` is one clause, with a mending hint.
    case engineChanged(isUp: Bool, problem: String?)
    /// The handshake is done.
    case upstreamReady(UpstreamReady)
    /// The process is gone, or never was.
    case upstreamExited(UpstreamExit)
    /// A line the child wrote to stderr: untrusted text without control characters, at most 4000 bytes.
    case upstreamStderr(link: Int, line: String, truncated: Bool)
    /// Lines of stderr that were left out because the child writes faster than its rate allows.
    case upstreamStderrSuppressed(link: Int, lines: Int)
    /// A new child took the place of the shared one, which has so many calls left to answer.
    case upstreamReplaced(link: Int, predecessor: Int, inFlight: Int)
    /// A child that was to do so failed, and the old one goes on.
    case replacementFailed(link: Int, problem: String)
    /// It has said nothing for so long, nor answered a ping, and is ended.
    case upstreamUnresponsive(link: Int, silentMilliseconds: Int)
    /// A ping that followed a timeout is over: answered after so long, or not at all (nil).
    case upstreamProbed(link: Int, answeredAfter: TimeAmount?)
    /// The child can ask clients things: its calls take turns from now on.
    case upstreamTakesTurns(link: Int)
    /// `notifications/message` that belongs to nobody in particular.
    case upstreamLog(link: Int, level: String, bytes: Int)
    /// A peer broke a rule; what it cost is told by the events of the calls. `detail` is one clause without payload.
    case protocolViolation(peer: Peer, kind: ProtocolViolation, detail: String)

    // Sessions and streams. A session is named by a keyed hash of its id.

    /// A client completed its handshake.
    case sessionOpened(SessionOpened)
    /// A session ended, or never came to be.
    case sessionClosed(SessionClosed)
    /// A connection carries a stream; there is one `streamClosed` for each.
    case streamOpened(session: String, kind: StreamKind)
    /// The connection carries it no more, after so many messages of the stream.
    case streamClosed(session: String, kind: StreamKind, end: StreamEnd, events: Int, duration: TimeAmount)
    /// A client came back to a stream, and so many messages were repeated.
    case streamResumed(session: String, replayed: Int)
    /// Messages for a session that opens no stream, the oldest of which no longer fit.
    case messagesDropped(session: String, count: Int)

    // Requests.

    /// A request of a client got its answer.
    case requestFinished(RequestFinished)
    /// The proxy refused something; `detail` is what the client was told, or the name of the failure when that repeats
    /// what the client sent.
    case requestRejected(reason: RejectReason, detail: String)
    /// A call was ended before its answer.
    case requestCancelled(initiator: CancelInitiator)
    /// An answer of the child nobody waits for any more.
    case answerDropped(method: Method)
    /// A request of the child to a client is over. The sizes are those of the request and of the client's answer, in
    /// bytes; 0 when there was none. `isError` says whether that answer was an error.
    case serverRequestFinished(
        method: Method,
        outcome: ServerRequestOutcome,
        requestBytes: Int = 0,
        responseBytes: Int = 0,
        isError: Bool = false
    )
    /// A notification was passed on, or taken by the proxy itself.
    case notificationReceived(peer: Peer, method: Method, bytes: Int)
    /// A message as a peer sent it, cut to what `--log-payloads` allows. Emitted only with that option.
    case payload(peer: Peer, session: String, message: ByteBuffer, bytes: Int)

    // The front door.

    /// An HTTP request got its answer, or the head of its event stream.
    case httpAnswered(HTTPAnswered)
    /// A `Host` that is neither loopback nor allowed was let through. `isFirst` is true once per name.
    case unknownHost(host: String, isFirst: Bool)
    /// A connection ended.
    case connectionClosed(reason: ConnectionEnd)

    /// What the proxy is when it comes up.
    package struct ProxyStarted: Sendable {
        package var version: String
        /// Of this instance (`--name`).
        package var name: String
        /// Where clients connect, as `host:port`.
        package var listen: String
        /// Where health is answered, or nil when it shares the main listener.
        package var adminListen: String?
        /// `shared` or `session`.
        package var isolation: String
        /// Where the log goes: `journal`, `stderr`, or `stderr, not under journald` when nobody chose that.
        package var log: String

        package init(
            version: String,
            name: String,
            listen: String,
            adminListen: String?,
            isolation: String,
            log: String
        ) {
            self.version = version
            self.name = name
            self.listen = listen
            self.adminListen = adminListen
            self.isolation = isolation
            self.log = log
        }
    }

    /// A child finished its handshake.
    package struct UpstreamReady: Sendable {
        package var link: Int
        package var generation: Int
        /// As the child names itself: untrusted text, capped by the sink.
        package var serverName: String
        package var serverVersion: String
        package var revision: String
        /// From spawn to the answer to `initialize`.
        package var startDuration: TimeAmount

        package init(
            link: Int,
            generation: Int,
            serverName: String,
            serverVersion: String,
            revision: String,
            startDuration: TimeAmount
        ) {
            self.link = link
            self.generation = generation
            self.serverName = serverName
            self.serverVersion = serverVersion
            self.revision = revision
            self.startDuration = startDuration
        }
    }

    /// A process of the child ended, or could not be started.
    package struct UpstreamExit: Sendable, Equatable {
        package var link: Int
        package var generation: Int
        package var reason: ExitReason
        /// The exit status, when it exited.
        package var status: Int32?
        /// The signal's number, when one ended it.
        package var signal: Int32?
        /// What stands in the way, for `spawnFailed`, `engine` and `handshakeFailed`, or what is behind the end of a
        /// container: one clause, with a mending hint.
        package var detail: String?
        /// How long it ran.
        package var uptimeMilliseconds: Int
        /// The last lines of stderr, at most 2 KiB.
        package var stderrTail: String
        package var plan: RestartPlan
        /// Calls that failed because of it; filled in where the calls are known.
        package var inFlight: Int
        /// Whether it had completed its handshake; filled in where that is known.
        package var wasReady = false

        package init(
            link: Int,
            generation: Int,
            reason: ExitReason,
            status: Int32? = nil,
            signal: Int32? = nil,
            detail: String? = nil,
            uptimeMilliseconds: Int = 0,
            stderrTail: String = "",
            plan: RestartPlan = .none,
            inFlight: Int = 0
        ) {
            self.link = link
            self.generation = generation
            self.reason = reason
            self.status = status
            self.signal = signal
            self.detail = detail
            self.uptimeMilliseconds = uptimeMilliseconds
            self.stderrTail = stderrTail
            self.plan = plan
            self.inFlight = inFlight
        }
    }

    /// A client opened a session.
    package struct SessionOpened: Sendable {
        /// A hash of the session id under a key of this run, never the id.
        package var session: String
        package var transport: Transport
        package var revision: Revision
        /// As the client names itself: untrusted text, capped by the sink.
        package var clientName: String
        /// The same; empty when it says none.
        package var clientVersion: String

        package init(
            session: String,
            transport: Transport,
            revision: Revision,
            clientName: String,
            clientVersion: String
        ) {
            self.session = session
            self.transport = transport
            self.revision = revision
            self.clientName = clientName
            self.clientVersion = clientVersion
        }
    }

    /// A session ended.
    package struct SessionClosed: Sendable {
        package var session: String
        package var reason: SessionCloseReason
        package var requests: Int
        package var duration: TimeAmount

        package init(session: String, reason: SessionCloseReason, requests: Int, duration: TimeAmount) {
            self.session = session
            self.reason = reason
            self.requests = requests
            self.duration = duration
        }
    }

    /// A client's request got its one answer.
    ///
    /// The timestamps of the monotonic clock and the time in the queue separate the child's time (`answered - sent`)
    /// and the proxy's own (the rest).
    package struct RequestFinished: Sendable {
        /// Empty for a request without a session (`--stateless`).
        package var session: String
        /// The client's own id of it, as the JSON token that came: untrusted text, capped by the sink.
        package var id: String?
        package var method: Method
        /// The tool or prompt it is about, if the child's lists name it.
        package var name: KnownName?
        package var outcome: Outcome
        /// The JSON-RPC error code, when the answer was an error.
        package var errorCode: Int?
        package var transport: Transport
        /// The protocol revision the client speaks.
        package var revision: Revision
        /// The message's size as it came in, and the answer's as it went out, in bytes.
        package var requestBytes: Int
        package var responseBytes: Int
        /// When the request was complete.
        package var arrived: NIODeadline
        /// How much of the time before `sent` it waited for its turn.
        package var queued = TimeAmount.zero
        /// When the line was handed to the child; nil when it never was.
        package var sent: NIODeadline?
        /// When the child's answer was read; nil when the proxy answered itself.
        package var answered: NIODeadline?
        /// When the client was answered; stamped by the shell that does so.
        package var finished: NIODeadline
        /// With tracing on: where this request stands in its trace.
        package var trace: RequestTrace?

        package init(
            session: String,
            method: Method,
            outcome: Outcome,
            errorCode: Int?,
            transport: Transport,
            revision: Revision,
            requestBytes: Int,
            responseBytes: Int,
            arrived: NIODeadline,
            sent: NIODeadline?,
            answered: NIODeadline?,
            finished: NIODeadline
        ) {
            self.session = session
            self.method = method
            self.outcome = outcome
            self.errorCode = errorCode
            self.transport = transport
            self.revision = revision
            self.requestBytes = requestBytes
            self.responseBytes = responseBytes
            self.arrived = arrived
            self.sent = sent
            self.answered = answered
            self.finished = finished
        }
    }

    /// An HTTP request was answered.
    package struct HTTPAnswered: Sendable {
        package var method: HTTPMethodName
        package var route: HTTPRoute
        package var status: Int
        /// From the head of the request to the answer, or to the head of its event stream.
        package var duration: TimeAmount

        package init(method: HTTPMethodName, route: HTTPRoute, status: Int, duration: TimeAmount) {
            self.method = method
            self.route = route
            self.status = status
            self.duration = duration
        }
    }
}

/// The name of a tool or a prompt, known from the child's own lists: only such names may become labels.
///
/// One object for each name, since every event of a request holds one.
package final class KnownName: Sendable, Hashable {
    package enum Kind: UInt8, Sendable { case tool, prompt }

    package let kind: Kind
    /// At most 128 bytes, without control or invisible characters.
    package let text: String
    /// Counts up over all names of this proxy, from 1: a handle for whoever keeps something per name.
    package let number: Int

    package init(_ kind: Kind, _ text: String, number: Int) {
        self.kind = kind
        self.text = text
        self.number = number
    }

    package static func == (left: KnownName, right: KnownName) -> Bool { left.number == right.number }

    package func hash(into hasher: inout Hasher) { hasher.combine(number) }
}

/// Where events go. The spine of the proxy: one value, handed to every room that has facts to report.
package protocol EventSink: Sendable {
    /// Takes one event. Called on the event loop only, so a sink may keep loop-confined state; it must not block.
    func emit(_ event: Event)
}
