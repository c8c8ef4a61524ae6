// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Where a listener is bound.
package enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A host name or address, and a port; port 0 lets the kernel choose.
    case tcp(host: String, port: Int)
    /// The path of a Unix socket.
    case unix(path: String)

    /// As it stands in a log line: `127.0.0.1:3001`, `[::1]:3001` or `unix:/run/mcp/admin.sock`.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// Everything the HTTP front end can be told. A timeout of zero ends what it limits at once.
package struct GatewayConfiguration: Sendable {
    /// Which transports of MCP are served.
    package enum Transports: Sendable, Equatable {
        /// Streamable HTTP only (2025-03-26 and later).
        case stream
        /// HTTP+SSE only (2024-11-05).
        case sse
        case both
    }

    /// Where clients connect.
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 8080)
    /// Where metrics and health are answered; nil puts them on the main listener, as far as that is safe (see `Router`).
    package var adminListen: ListenAddress?
    /// Sockets to take over instead of opening those two.
    package var inheritedMain: InheritedSocket?
    package var inheritedAdmin: InheritedSocket?
    /// The path of Streamable HTTP.
    package var streamEndpoint = "/mcp"
    /// The path of the event stream of the 2024-11-05 transport; its messages go to `<sseEndpoint>/messages`.
    package var sseEndpoint = "/sse"
    package var transports = Transports.both
    /// The largest request body, in bytes.
    package var maxBodySize = 10 * 1024 * 1024
    /// How many bytes of bodies may be coming in on all connections together.
    package var maxBuffered = 256 * 1024 * 1024
    /// How long a connection may stay open between two requests.
    ///
    /// Longer than the 60 s after which nginx drops its idle upstream connections, so that it is never the proxy
    /// that closes one just as nginx reuses it.
    package var keepAliveTimeout = TimeAmount.minutes(5)
    /// How long a request may take to arrive, from its first byte to its last.
    package var readTimeout = TimeAmount.seconds(30)
    /// How long an event stream may be silent before a comment is sent; nil or zero for never.
    package var keepAliveInterval: TimeAmount? = .seconds(15)
    /// How many connections each listener takes at a time.
    package var maxConnections = 1024
    /// How many bytes may wait for a client that reads its stream slowly.
    package var maxStreamBuffer = 4 * 1024 * 1024
    /// Web origins that may call, beside those of loopback: `https://app.example.com`, or `*` for all.
    package var allowedOrigins: [String] = []
    /// Names this proxy is known by, beside those of loopback: `mcp.example.com`, or with one port only,
    /// `mcp.example.com:8443`.
    package var allowedHosts: [String] = []
    /// Whether a request to another name is refused even when no web page sent it.
    package var strictHost = false
    /// Further paths that answer like `/healthz`.
    package var healthEndpoints: [String] = []

    package init() {}
}

/// Where the gateway listens, once it does.
package struct BoundAddresses: Sendable, Equatable {
    /// Where clients connect.
    package var main: ListenAddress
    /// Where metrics and health are answered, when that is a listener of its own.
    package var admin: ListenAddress?
}
