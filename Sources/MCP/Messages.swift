// SPDX-License-Identifier: Apache-2.0

package import JSONRPC
package import NIOCore

/// The messages the proxy writes itself. All are complete JSON-RPC messages without a line end.
package enum Messages {
    /// `initialize`, as the proxy sends it to a child that several clients share.
    ///
    /// - Parameter capabilities: the `capabilities` object as JSON text.
    package static func initialize(id: Int, capabilities: String, version: String) -> ByteBuffer {
        request(
            id: id,
            method: .initialize,
            params: #"{"protocolVersion":"\#(Revision.newestHandshake.rawValue)","capabilities":\#(capabilities),"#
                + #""clientInfo":{"name":"mcp-proxy","version":"\#(version)"}}"#
        )
    }

    /// `server/discover`.
    ///
    /// - Parameter envelope: The members of `_meta` that say who asks.
    package static func discover(id: Int, envelope: String) -> ByteBuffer {
        request(id: id, method: .serverDiscover, params: #"{"_meta":{\#(envelope)}}"#)
    }

    /// `subscriptions/listen` for those changes.
    ///
    /// - Parameter notifications: What to listen to, as JSON text.
    package static func listen(id: Int, notifications: String, envelope: String) -> ByteBuffer {
        let params = #"{"notifications":\#(notifications),"_meta":{\#(envelope)}}"#
        return request(id: id, method: .subscriptionsListen, params: params)
    }

    /// What the proxy declares to a shared child: that it may ask for sampling and elicitation. Never roots (one
    /// client's roots must not widen another's access) and never tasks.
    package static let sharedCapabilities = #"{"sampling":{},"elicitation":{"form":{},"url":{}}}"#

    package static func request(id: Int, method: Method, params: String? = nil) -> ByteBuffer {
        text(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method.rawValue)""#, params: params)
    }

    package static func notification(_ method: Method, params: String? = nil) -> ByteBuffer {
        text(#"{"jsonrpc":"2.0","method":"\#(method.rawValue)""#, params: params)
    }

    private static func text(_ head: String, params: String?) -> ByteBuffer {
        if let params {
            ByteBuffer(string: head + #","params":"# + params + "}")
        } else {
            ByteBuffer(string: head + "}")
        }
    }

    /// An empty result.
    package static func emptyResult(id: RequestID) -> ByteBuffer {
        ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id.token),"result":{}}"#)
    }

    /// `notifications/cancelled` for the request `id`.
    package static func cancelled(id: RequestID, reason: String) -> ByteBuffer {
        notification(.cancelled, params: #"{"requestId":\#(id.token),"reason":\#(quoted(reason))}"#)
    }

    package static func setLevel(id: Int, level: LogLevel) -> ByteBuffer {
        request(id: id, method: .loggingSetLevel, params: #"{"level":"\#(level.rawValue)"}"#)
    }

    /// `resources/subscribe` or `resources/unsubscribe`.
    package static func subscription(id: Int, method: Method, uri: String) -> ByteBuffer {
        request(id: id, method: method, params: #"{"uri":\#(quoted(uri))}"#)
    }

    package static func resourceUpdated(uri: String) -> ByteBuffer {
        notification(.resourcesUpdated, params: #"{"uri":\#(quoted(uri))}"#)
    }

    /// `text` as a JSON string.
    package static func quoted(_ text: String) -> String {
        var buffer = ByteBuffer()
        buffer.writeJSONString(text)
        return String(buffer: buffer)
    }
}

extension Failure {
    /// A JSON-RPC error response that reports this failure; `data.reason` is its name.
    ///
    /// - Parameters:
    ///   - id: The request's id, nil when it could not be read.
    ///   - message: What happened, with which value, and what to do.
    ///   - details: Further members of `data`.
    ///   - omitsUnknownID: Leaves an unknown id out instead of writing null: so the stateless revision has it.
    package func response(
        id: RequestID?,
        _ message: String,
        details: [(String, DataValue)] = [],
        omitsUnknownID: Bool = false
    ) -> ByteBuffer {
        ErrorObject.response(
            id: id,
            code: code,
            message: message,
            data: [("reason", .string(rawValue))] + details,
            omitsUnknownID: omitsUnknownID
        )
    }
}
