// SPDX-License-Identifier: Apache-2.0

package import Events
package import MCP
package import NIOCore

/// One HTTP request that waits for its response, or one open server-sent-event stream.
///
/// The gateway mints them, counting up; the bridge only keeps and returns them.
package struct ExchangeID: Hashable, Sendable {
    package var number: UInt64

    package init(_ number: UInt64) { self.number = number }
}

/// What the bridge needs to know of a request's head.
package struct ExchangeHead: Sendable, Equatable {
    /// `Mcp-Session-Id`, as sent.
    package var sessionID: String?
    /// `MCP-Protocol-Version`, as sent.
    package var protocolVersion: String?
    /// `Last-Event-ID`, as sent (GET only).
    package var lastEventID: String?
    /// Whether `Accept` allows `text/event-stream` as the answer.
    package var acceptsEventStream: Bool
    /// `traceparent` and `tracestate`, when they are valid (POST only).
    package var traceContext: TraceContext?
    /// `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` (POST only).
    package var routing: RoutingHeaders
    /// `Authorization`, as sent (POST only): a question of the child is for whoever made the call.
    package var credentials: String?

    package init(
        sessionID: String? = nil,
        protocolVersion: String? = nil,
        lastEventID: String? = nil,
        acceptsEventStream: Bool = true,
        traceContext: TraceContext? = nil,
        routing: RoutingHeaders = RoutingHeaders(),
        credentials: String? = nil
    ) {
        self.sessionID = sessionID
        self.protocolVersion = protocolVersion
        self.lastEventID = lastEventID
        self.acceptsEventStream = acceptsEventStream
        self.traceContext = traceContext
        self.routing = routing
        self.credentials = credentials
    }
}

/// A complete response to an exchange.
package struct Reply: Sendable, Equatable {
    /// The HTTP status.
    package var status: Int
    /// The body, `application/json` when there is one.
    package var body: ByteBuffer?
    /// To be sent as `Mcp-Session-Id`.
    package var sessionID: String?
    /// To be sent as `Retry-After`, in seconds.
    package var retryAfter: Int?
    /// To be sent as `Allow`.
    package var allow: String?

    package init(
        status: Int,
        body: ByteBuffer? = nil,
        sessionID: String? = nil,
        retryAfter: Int? = nil,
        allow: String? = nil
    ) {
        self.status = status
        self.body = body
        self.sessionID = sessionID
        self.retryAfter = retryAfter
        self.allow = allow
    }
}

/// One server-sent event (HTML Living Standard, "Server-sent events").
package struct ServerSentEvent: Sendable, Equatable {
    /// The `id:` line.
    package var id: String?
    /// The `event:` line.
    package var name: String?
    /// The `retry:` line, in milliseconds.
    package var retry: Int?
    /// The `data:` line: one JSON-RPC message without line breaks, or nil for an event without data.
    package var data: ByteBuffer?

    package init(id: String? = nil, name: String? = nil, retry: Int? = nil, data: ByteBuffer? = nil) {
        self.id = id
        self.name = name
        self.retry = retry
        self.data = data
    }
}

/// Whether the proxy can serve calls, and if not, why.
package struct Readiness: Sendable, Equatable {
    package var state: ReadinessState
    /// One sentence for the operator, when not ready.
    package var reason: String?

    package init(_ state: ReadinessState, reason: String? = nil) {
        self.state = state
        self.reason = reason
    }
}

/// What the HTTP side tells the bridge. Called on the event loop.
///
/// Every exchange gets exactly one `respond`, or one `openStream` followed by `send`s and one `endStream`, unless
/// the gateway reports first that the client is gone.
package protocol BridgeInput: AnyObject {
    /// A POST on the stream endpoint, its body complete and within the limit.
    func post(_ exchange: ExchangeID, head: ExchangeHead, body: ByteBuffer)
    /// A GET on the stream endpoint that accepts an event stream.
    func get(_ exchange: ExchangeID, head: ExchangeHead)
    /// A DELETE on the stream endpoint.
    func delete(_ exchange: ExchangeID, head: ExchangeHead)
    /// A GET on the endpoint of the 2024-11-05 transport: opens a session that lives as long as the stream.
    func openSSE(_ exchange: ExchangeID)
    /// A POST to the message endpoint of the 2024-11-05 transport. `session` is the query parameter `sessionId`
    /// (or `session_id`).
    func postSSE(_ exchange: ExchangeID, session: String?, traceContext: TraceContext?, body: ByteBuffer)
    /// The client closed the connection before the exchange ended, or read its stream so slowly that the gateway
    /// closed it (`end` says which). No output for this exchange is accepted any more.
    func clientGone(_ exchange: ExchangeID, end: StreamEnd)
    /// What `/readyz` answers.
    var readiness: Readiness { get }
}

/// What the bridge tells the HTTP side. Called on the event loop; unknown exchanges are ignored.
package protocol ExchangeOutput: AnyObject {
    /// Sends a complete response.
    func respond(_ exchange: ExchangeID, _ reply: Reply)
    /// Sends the head of a 200 `text/event-stream` response.
    func openStream(_ exchange: ExchangeID, sessionID: String?)
    /// Sends one event on an open stream.
    func send(_ exchange: ExchangeID, _ event: ServerSentEvent)
    /// Ends an open stream.
    func endStream(_ exchange: ExchangeID)
}

/// The children, as the shell sees them. Called on the event loop.
package protocol UpstreamPort: AnyObject {
    /// Brings up the child of a new link; it is restarted by policy until it is stopped.
    func start(link: Int)
    /// Hands over one whole line, newline included. What could not be written because the process is gone is told
    /// back with `upstreamWriteFailed` before its exit is, if it is a call.
    func write(link: Int, _ line: ByteBuffer, call: Int?)
    /// Whether the child's stdin takes more without piling up.
    func isWritable(link: Int) -> Bool
    /// The handshake is done.
    func confirmReady(link: Int)
    /// Ends the process now; counts as an exit for `reason`.
    func fail(link: Int, _ reason: ExitReason, detail: String)
    /// Ends the child for good: stdin closed, then SIGTERM, then SIGKILL.
    func stop(link: Int)
}
