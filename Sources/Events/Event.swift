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

    // The child. A link is one child over all its processes, 0 the shared one; a generation is one process of it,
    // counted from 1.

    /// A process is about to be started. Of its command line only the program's name and the number of arguments are
    /// told: the rest may hold secrets.
    case upstreamStarting(link: Int, generation: Int, program: String, argumentCount: Int)
    /// The process runs.
    case upstreamStarted(link: Int, generation: Int, pid: Int32)
    /// The handshake is done.
    case upstreamReady(UpstreamReady)
    /// The process is gone, or never was.
    case upstreamExited(UpstreamExit)
    /// A line the child wrote to stderr: untrusted text without control characters, at most 4000 bytes.
    case upstreamStderr(link: Int, line: String, truncated: Bool)
    /// Lines of stderr that were left out because the child writes faster than its rate allows.
    case upstreamStderrSuppressed(link: Int, lines: Int)
    /// It has said nothing for so long, nor answered a ping, and is ended.
    case upstreamUnresponsive(link: Int, silentMilliseconds: Int)
    /// The child can ask clients things: its calls take turns from now on.
    case upstreamTakesTurns(link: Int)
    /// `notifications/message` that belongs to nobody in particular.
    case upstreamLog(link: Int, level: String, bytes: Int)
    /// A peer broke a rule; what it cost is told by the events of the calls. `detail` is one clause without payload.
    case protocolViolation(peer: Peer, kind: ProtocolViolation, detail: String)

    // Sessions and streams. A session is named by the public part of its id.

    /// A client completed its handshake.
    case sessionOpened(SessionOpened)
    /// A session ended, or never came to be.
    case sessionClosed(SessionClosed)
    /// A connection carries a stream; there is one `streamClosed` for each.
    case streamOpened(session: String, kind: StreamKind)
    /// The connection carries it no more, after so many messages of the stream.
    case streamClosed(session: String, kind: StreamKind, end: StreamEnd, events: Int)
    /// A client came back to a stream, and so many messages were repeated.
    case streamResumed(session: String, replayed: Int)
    /// Messages for a session that opens no stream, the oldest of which no longer fit.
    case messagesDropped(session: String, count: Int)

    // Requests.

    /// A request of a client got its answer.
    case requestFinished(RequestFinished)
    /// The proxy refused something; `detail` is what the client was told.
    case requestRejected(reason: RejectReason, detail: String)
    /// A call was ended before its answer.
    case requestCancelled(initiator: CancelInitiator)
    /// An answer of the child nobody waits for any more.
    case answerDropped(method: Method)
    /// A request of the child to a client is over.
    case serverRequestFinished(method: Method, outcome: ServerRequestOutcome)

    // The front door.
    /// A `Host` that is neither loopback nor allowed was let through. `isFirst` is true once per name.
    case unknownHost(host: String, isFirst: Bool)
    /// A connection ended: `client`, `server`, `idle_timeout`, `slow_consumer`, `too_much_input` or `error`.
    case connectionClosed(reason: String)

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

        package init(version: String, name: String, listen: String, adminListen: String?, isolation: String) {
            self.version = version
            self.name = name
            self.listen = listen
            self.adminListen = adminListen
            self.isolation = isolation
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
        package var startMilliseconds: Int

        package init(
            link: Int,
            generation: Int,
            serverName: String,
            serverVersion: String,
            revision: String,
            startMilliseconds: Int
        ) {
            self.link = link
            self.generation = generation
            self.serverName = serverName
            self.serverVersion = serverVersion
            self.revision = revision
            self.startMilliseconds = startMilliseconds
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
        /// What stands in the way, for `spawnFailed` and `handshakeFailed`: one clause, with a mending hint.
        package var detail: String?
        /// How long it ran.
        package var uptimeMilliseconds: Int
        /// The last lines of stderr, at most 2 KiB.
        package var stderrTail: String
        package var plan: RestartPlan
        /// Calls that failed because of it; filled in where the calls are known.
        package var inFlight: Int

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
        /// The public half of the session id (see `SessionID.label`), never the whole.
        package var session: String
        package var transport: Transport
        package var revision: Revision
        /// As the client names itself: untrusted text, capped by the sink.
        package var clientName: String

        package init(session: String, transport: Transport, revision: Revision, clientName: String) {
            self.session = session
            self.transport = transport
            self.revision = revision
            self.clientName = clientName
        }
    }

    /// A session ended.
    package struct SessionClosed: Sendable {
        package var session: String
        package var reason: SessionCloseReason
        package var requests: Int
        package var durationMilliseconds: Int

        package init(session: String, reason: SessionCloseReason, requests: Int, durationMilliseconds: Int) {
            self.session = session
            self.reason = reason
            self.requests = requests
            self.durationMilliseconds = durationMilliseconds
        }
    }

    /// A client's request got its one answer.
    ///
    /// The four timestamps separate queue time (`sent - arrived`), the child's time (`answered - sent`) and the
    /// proxy's own (the rest).
    package struct RequestFinished: Sendable {
        package var session: String
        package var method: Method
        package var outcome: Outcome
        /// The JSON-RPC error code, when the answer was an error.
        package var errorCode: Int?
        package var transport: Transport
        /// The message's size as it came in, and the answer's as it went out, in bytes.
        package var requestBytes: Int
        package var responseBytes: Int
        /// When the request was complete.
        package var arrived: NIODeadline
        /// When the line was handed to the child; nil when it never was.
        package var sent: NIODeadline?
        /// When the child's answer was read; nil when the proxy answered itself.
        package var answered: NIODeadline?
        /// When the client was answered.
        package var finished: NIODeadline

        package init(
            session: String,
            method: Method,
            outcome: Outcome,
            errorCode: Int?,
            transport: Transport,
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
            self.requestBytes = requestBytes
            self.responseBytes = responseBytes
            self.arrived = arrived
            self.sent = sent
            self.answered = answered
            self.finished = finished
        }
    }
}

/// Where events go. The spine of the proxy: one value, handed to every room that has facts to report.
package protocol EventSink: Sendable {
    /// Takes one event. Called on the event loop only, so a sink may keep loop-confined state; it must not block.
    func emit(_ event: Event)
}
