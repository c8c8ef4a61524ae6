// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTP1

/// The head of a response, written straight into the buffer that goes out.
///
/// Every value that does not come from this file is checked before it is written: nothing a client or the child said
/// can end a header line.
struct ResponseHead {
    /// How the end of the body is told (RFC 9112, 6).
    enum Framing: Equatable {
        case length(Int)
        case chunked
        /// The connection's end is the body's end, for HTTP/1.0.
        case untilClose
        /// A status that has no body (204).
        case none
    }

    enum Content {
        case json
        case eventStream
        case metrics(type: String, isCompressed: Bool)
    }

    /// Whether the connection can be used again.
    enum Persistence {
        /// As HTTP/1.1 has it without a word.
        case implied
        /// Said to an HTTP/1.0 client that asked.
        case keepAlive
        case close
    }

    var status: Int
    var framing: Framing
    var content: Content?
    var persistence = Persistence.implied
    var sessionID: String?
    var retryAfter: Int?
    var allow: String?
    /// The web origin that may read the response.
    var crossOrigin: String?
    /// Present on the answer to a preflight: the methods and headers that may be used.
    var preflight: (methods: String, headers: String)?

    /// Writes the head with the empty line that ends it.
    func write(into buffer: inout ByteBuffer) {
        self.writeStatusLine(into: &buffer)
        switch self.content {
        case .json: buffer.writeStaticString("Content-Type: application/json\r\n")
        case .eventStream:
            buffer.writeStaticString(
                "Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
            )
        case .metrics(let type, let isCompressed):
            buffer.writeHeader("Content-Type: ", type)
            buffer.writeStaticString("Vary: Accept, Accept-Encoding\r\n")
            if isCompressed { buffer.writeStaticString("Content-Encoding: gzip\r\n") }
        case nil: break
        }
        switch self.framing {
        case .length(let count): buffer.writeHeader("Content-Length: ", String(count))
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        switch self.persistence {
        case .implied: break
        case .keepAlive: buffer.writeStaticString("Connection: keep-alive\r\n")
        case .close: buffer.writeStaticString("Connection: close\r\n")
        }
        if let sessionID, sessionID.isVisibleASCII { buffer.writeHeader("Mcp-Session-Id: ", sessionID) }
        if let retryAfter { buffer.writeHeader("Retry-After: ", String(retryAfter)) }
        if let allow, allow.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { buffer.writeHeader("Allow: ", allow) }
        if let crossOrigin, crossOrigin.isVisibleASCII { self.writeCrossOrigin(crossOrigin, into: &buffer) }
        buffer.writeStaticString("\r\n")
    }

    private func writeStatusLine(into buffer: inout ByteBuffer) {
        switch self.status {
        case 200: buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        case 202: buffer.writeStaticString("HTTP/1.1 202 Accepted\r\n")
        default:
            buffer.writeStaticString("HTTP/1.1 ")
            buffer.writeString(String(self.status))
            buffer.writeStaticString(" ")
            buffer.writeString(HTTPResponseStatus(statusCode: self.status).reasonPhrase)
            buffer.writeStaticString("\r\n")
        }
    }

    /// The Fetch Standard's CORS headers. The origin is echoed, never `*`; cookies and other credentials of the
    /// browser are never invited.
    private func writeCrossOrigin(_ origin: String, into buffer: inout ByteBuffer) {
        buffer.writeHeader("Access-Control-Allow-Origin: ", origin)
        buffer.writeStaticString("Vary: Origin\r\n")
        guard let preflight else {
            buffer.writeStaticString("Access-Control-Expose-Headers: Mcp-Session-Id\r\n")
            return
        }
        buffer.writeHeader("Access-Control-Allow-Methods: ", preflight.methods)
        buffer.writeHeader("Access-Control-Allow-Headers: ", preflight.headers)
        buffer.writeStaticString("Access-Control-Max-Age: 7200\r\n")
    }
}

/// The request headers a web page may use.
enum PreflightHeaders {
    private static let always =
        "Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, Mcp-Method, Mcp-Name"

    /// The fixed ones, and of those asked for, the `Mcp-Param-` headers: tools name these themselves.
    static func allowed(requested: String?) -> String {
        guard let requested else { return self.always }
        var headers = self.always
        for name in requested.utf8.split(separator: UInt8(ascii: ",")) {
            let name = name.drop(while: \.isBlank).prefix { !$0.isBlank }
            guard name.hasPrefix(lowercase: "mcp-param-"), name.allSatisfy(\.isTokenCharacter) else { continue }
            headers += ", " + (String(name) ?? "")
        }
        return headers
    }
}

extension ByteBuffer {
    fileprivate mutating func writeHeader(_ name: StaticString, _ value: String) {
        self.writeStaticString(name)
        self.writeString(value)
        self.writeStaticString("\r\n")
    }
}
