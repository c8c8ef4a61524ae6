// SPDX-License-Identifier: Apache-2.0

// The closed vocabularies of the event stream. A raw value is what a reader meets in a log line, a
// journal field or a metric label, so it is part of the product's interface: add, never rename.

/// How a request of a client ended, seen from the client.
package enum Outcome: String, CaseIterable, Sendable {
    /// A result.
    case ok
    /// A `tools/call` result with `isError: true`: the tool failed, the protocol did not.
    case toolError = "tool_error"
    /// The stateless revision's `input_required`: the client is asked something and comes back with a new request.
    case inputRequired = "input_required"
    /// A JSON-RPC error of the child that blames the request (-32700, -32600, -32601, -32602, -32002).
    case clientError = "client_error"
    /// Any other JSON-RPC error of the child.
    case serverError = "server_error"
    /// Nothing came within the request timeout or the hard maximum.
    case timeout
    /// The child died with the request in flight.
    case upstreamLost = "upstream_lost"
    /// The proxy refused it before it reached the child.
    case rejected
    /// The client cancelled it, or ended its session.
    case cancelled
}

/// Why the proxy refused something a client sent.
package enum RejectReason: String, CaseIterable, Sendable {
    case queueFull = "queue_full"
    case sessionLimit = "session_limit"
    case connectionLimit = "connection_limit"
    case overloaded
    case upstreamDown = "upstream_down"
    case shuttingDown = "shutting_down"
    case bodyTooLarge = "body_too_large"
    case slowRequest = "slow_request"
    case badHost = "bad_host"
    case badOrigin = "bad_origin"
    case badHeader = "bad_header"
    case badMessage = "bad_message"
    case unknownSession = "unknown_session"
    case unsupportedVersion = "unsupported_version"
    case notFound = "not_found"
    case forbiddenTask = "forbidden_task"
}

/// Why a process of the child ended.
package enum ExitReason: String, CaseIterable, Sendable {
    /// The proxy asked it to stop.
    case stopped
    /// It exited by itself, with any status: an exit nobody asked for is a crash, 0 included.
    case exit
    /// A signal ended it.
    case signal
    /// The kernel killed it for want of memory.
    case outOfMemory = "oom"
    /// It closed its stdout while alive; the proxy ended it.
    case stdoutClosed = "stdout_closed"
    /// It answered no ping with nothing else moving; the proxy ended it.
    case unresponsive
    /// It did not answer `initialize` in time, refused it, or answered with a revision nobody speaks.
    case handshakeFailed = "handshake_failed"
    /// It could not be started at all.
    case spawnFailed = "spawn_failed"
    /// The container engine or its client failed; the server itself is not to blame.
    case engine
}

/// What the supervisor does after an exit.
package enum RestartPlan: Equatable, Sendable {
    /// The next start comes after this many milliseconds. `attempt` counts starts since the last healthy run.
    case restart(delayMilliseconds: Int, attempt: Int)
    /// The same, but the child has failed so often in a row that callers are refused at once until it answers again.
    case crashLoop(delayMilliseconds: Int, attempt: Int)
    /// No restart: it was asked to stop.
    case none
}

/// Whether calls can be served, and if not, how far the child is.
package enum ReadinessState: String, CaseIterable, Sendable {
    /// Its image is being pulled.
    case pulling
    case starting, ready, restarting
    case crashLoop = "crash_loop"
    case stopping

    package var isReady: Bool { self == .ready }
}

/// Why a session ended.
package enum SessionCloseReason: String, CaseIterable, Sendable {
    case clientDelete = "client_delete"
    case idleTimeout = "idle_timeout"
    case streamClosed = "stream_closed"
    case upstreamChanged = "upstream_changed"
    case initializeFailed = "initialize_failed"
    case stateless
    case shutdown
}

/// A rule of the protocol that a peer broke and the proxy survived.
package enum ProtocolViolation: String, CaseIterable, Sendable {
    case invalidJSON = "invalid_json"
    case notJSONRPC = "not_jsonrpc"
    case duplicateMember = "duplicate_member"
    case oversize
    /// It does not read its stdin.
    case stdinNotRead = "stdin_not_read"
    case unmatchedID = "unmatched_id"
    case lateAnswer = "late_answer"
    case undeclaredRequest = "undeclared_request"
    case ambiguousRequest = "ambiguous_request"
    case ambiguousNotification = "ambiguous_notification"
    case unknownProgressToken = "unknown_progress_token"
}

/// The side a message came from.
package enum Peer: String, CaseIterable, Sendable {
    case client = "from_client"
    case server = "from_server"
}

/// The HTTP transport a session uses.
package enum Transport: String, CaseIterable, Sendable {
    case streamableHTTP = "streamable_http"
    case sse
}

/// What a server-sent-event stream serves.
package enum StreamKind: String, CaseIterable, Sendable {
    case get
    case post
    case sse
    /// `subscriptions/listen` of the stateless revision.
    case listen
}

/// How a stream ended.
package enum StreamEnd: String, CaseIterable, Sendable {
    case finished
    case clientGone = "client_gone"
    case replaced
    case slowConsumer = "slow_consumer"
    case sessionEnded = "session_ended"
}

/// Who ended a call before its answer.
package enum CancelInitiator: String, CaseIterable, Sendable {
    case client
    case proxy
}

/// What became of a request the child sent towards a client.
package enum ServerRequestOutcome: String, CaseIterable, Sendable {
    case answered
    case undeclared
    case ambiguous
    case noSession = "no_session"
    case timeout
    case cancelled
    case sessionEnded = "session_ended"
    case upstreamLost = "upstream_lost"
}

/// Why a connection ended.
package enum ConnectionEnd: String, CaseIterable, Sendable {
    case client
    case server
    case idleTimeout = "idle_timeout"
    case slowConsumer = "slow_consumer"
    case tooMuchInput = "too_much_input"
    case error
}

/// The methods of HTTP that the proxy tells apart.
package enum HTTPMethodName: String, CaseIterable, Sendable {
    case get = "GET"
    case post = "POST"
    case delete = "DELETE"
    case options = "OPTIONS"
    case head = "HEAD"
    case other = "_OTHER"
}

/// What an HTTP request was for: the logical name, whatever path it is served at.
package enum HTTPRoute: String, CaseIterable, Sendable {
    case mcp, sse, messages, health, ready, metrics, other
}
