// SPDX-License-Identifier: Apache-2.0

package import MCP

/// What the name and the attributes of a call's spans are made of.
///
/// Source: OpenTelemetry's semantic conventions for MCP (open-telemetry/semantic-conventions-genai, `docs/gen-ai/mcp.md`).
/// `mcp.session.id` is left out, because whoever knows a session's id can use the session, and so are arguments and
/// results.
package struct Operation: Sendable {
    /// The longest text of a peer that gets into a span, in bytes.
    static let textCap = 256

    package var method: Method
    /// The tool or prompt that is called; nil for other methods. Text of a peer, shortened here.
    package var target: String?
    /// Why it failed: `tool_error`, `timeout`, `cancelled`, a JSON-RPC code and so on; nil if it did not.
    package var errorType: String?
    /// The code of the JSON-RPC error that was the answer.
    package var errorCode: Int?
    /// The protocol revision the client speaks.
    package var revision: Revision

    package init(
        method: Method,
        target: String? = nil,
        errorType: String? = nil,
        errorCode: Int? = nil,
        revision: Revision
    ) {
        self.method = method
        self.target = target.map { $0.prefix(bytes: Operation.textCap) }
        self.errorType = errorType
        self.errorCode = errorCode
        self.revision = revision
    }

    /// The name of its spans, such as `tools/call get_time`.
    package var spanName: String {
        target.map { "\(method.rawValue) \($0)" } ?? method.rawValue
    }

    /// For the `server` span, of the call as the client made it over HTTP.
    package var serverAttributes: [Attribute] {
        attributes(transport: "tcp") + [Attribute("network.protocol.name", "http")]
    }

    /// For the `client` span, of the call as the child got it over its pipes.
    package var clientAttributes: [Attribute] { attributes(transport: "pipe") }

    private func attributes(transport: String) -> [Attribute] {
        var list = [
            Attribute("mcp.method.name", method.rawValue),
            Attribute("mcp.protocol.version", revision.rawValue),
            Attribute("network.transport", transport),
        ]
        if method == .toolsCall { list.append(Attribute("gen_ai.operation.name", "execute_tool")) }
        if let target {
            list.append(Attribute(method == .promptsGet ? "gen_ai.prompt.name" : "gen_ai.tool.name", target))
        }
        if let errorType { list.append(Attribute("error.type", errorType)) }
        if let errorCode { list.append(Attribute("rpc.response.status_code", String(errorCode))) }
        return list
    }
}

extension String {
    /// As many whole characters of the beginning as fit.
    fileprivate func prefix(bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
