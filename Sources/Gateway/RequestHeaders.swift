// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP
internal import NIOHTTP1

/// The headers the gateway looks at, gathered in one pass over the head.
struct RequestHeaders {
    var host: String?
    var origin: String?
    var contentType: String?
    /// All `Accept` lines, joined.
    var accept: String?
    /// All `Accept-Encoding` lines, joined.
    var acceptEncoding: String?
    var sessionID: String?
    var protocolVersion: String?
    var lastEventID: String?
    /// `Authorization`, never looked into.
    var authorization: String?
    /// `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*`.
    var routing = RoutingHeaders()
    /// Of several `traceparent` none counts; `tracestate` lines are joined (W3C Trace Context, 3.2 and 3.3).
    var traceparent: String?
    var tracestate: String?
    var contentLength: Int?
    /// `Expect: 100-continue`: the client holds the body back until it is asked for.
    var expectsContinue = false
    /// The client asks to switch protocols. NIO's parser stops after such a request, so the connection cannot be
    /// used again.
    var upgrades = false
    /// A reverse proxy stands between the client and us, by its own account.
    var isForwarded = false
    /// `Access-Control-Request-Headers` of a preflight.
    var requestedHeaders: String?
    /// A header that may occur once only and did more often: two readers could take two different values.
    var duplicate: String?

    /// What `traceparent` and `tracestate` say, when they are valid.
    var traceContext: TraceContext? {
        self.traceparent.flatMap { TraceContext(traceparent: $0, tracestate: self.tracestate) }
    }

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            self.take(name, Self.trimmed(value))
        }
    }

    /// White space behind a value is no part of it (RFC 9110, 5.5), and the parser leaves it there.
    private static func trimmed(_ value: String) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let last = value.utf8.last, isSpace(last) else { return value }
        let end = value.utf8.lastIndex { !isSpace($0) }.map { value.utf8.index(after: $0) }
        return String(value[..<(end ?? value.startIndex)])
    }

    private mutating func take(_ name: String, _ value: String) {
        let bytes = name.utf8
        switch bytes.count {
        case 3 where bytes.equals(lowercase: "via"): self.isForwarded = true
        case 4 where bytes.equals(lowercase: "host"): if Self.replace(&self.host, value) { self.duplicate = name }
        case 6 where bytes.equals(lowercase: "accept"): self.accept = self.accept.map { "\($0),\(value)" } ?? value
        case 6 where bytes.equals(lowercase: "origin"): if Self.replace(&self.origin, value) { self.duplicate = name }
        case 6 where bytes.equals(lowercase: "expect"):
            self.expectsContinue = value.utf8.equals(lowercase: "100-continue")
        case 7 where bytes.equals(lowercase: "upgrade"): self.upgrades = true
        case 9 where bytes.equals(lowercase: "forwarded") || bytes.equals(lowercase: "x-real-ip"):
            self.isForwarded = true
        case 10 where bytes.equals(lowercase: "tracestate"):
            self.tracestate = self.tracestate.map { "\($0),\(value)" } ?? value
        case 8 where bytes.equals(lowercase: "mcp-name"):
            if Self.replace(&self.routing.name, value) { self.routing.duplicate = "Mcp-Name" }
        case 10 where bytes.equals(lowercase: "mcp-method"):
            if Self.replace(&self.routing.method, value) { self.routing.duplicate = "Mcp-Method" }
        case 13 where bytes.equals(lowercase: "authorization"):
            if Self.replace(&self.authorization, value) { self.duplicate = name }
        case 11 where bytes.equals(lowercase: "traceparent"):
            self.traceparent = self.traceparent == nil ? value : ""
        case 12 where bytes.equals(lowercase: "content-type"):
            if Self.replace(&self.contentType, value) { self.duplicate = name }
        case 13 where bytes.equals(lowercase: "last-event-id"):
            if Self.replace(&self.lastEventID, value) { self.duplicate = name }
        case 15 where bytes.equals(lowercase: "accept-encoding"):
            self.acceptEncoding = self.acceptEncoding.map { "\($0),\(value)" } ?? value
        case 14 where bytes.equals(lowercase: "content-length"):
            if self.contentLength != nil { self.duplicate = name }
            self.contentLength = Int(value)
        case 14 where bytes.equals(lowercase: "mcp-session-id"):
            if Self.replace(&self.sessionID, value) { self.duplicate = name }
        case 20 where bytes.equals(lowercase: "mcp-protocol-version"):
            if Self.replace(&self.protocolVersion, value) { self.duplicate = name }
        case 30 where bytes.equals(lowercase: "access-control-request-headers"): self.requestedHeaders = value
        default:
            if bytes.count > 11, bytes.hasPrefix(lowercase: "x-forwarded-") { self.isForwarded = true }
            if bytes.count > 10, bytes.hasPrefix(lowercase: "mcp-param-") { self.takeParameter(name, value) }
        }
    }

    private mutating func takeParameter(_ name: String, _ value: String) {
        let parameter = name.dropFirst("mcp-param-".count).lowercased()
        if self.routing.parameters.updateValue(value, forKey: parameter) != nil { self.routing.duplicate = "Mcp-Param" }
    }

    /// Sets a header's value, and returns whether it had one already.
    private static func replace(_ header: inout String?, _ value: String) -> Bool {
        defer { header = value }
        return header != nil
    }
}
