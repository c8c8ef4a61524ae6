// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A value in the `data` of an error the proxy makes itself.
package enum DataValue: Sendable, Equatable {
    case string(String)
    case integer(Int)
    case bool(Bool)
    case null
    case strings([String])
    /// JSON text, as it is.
    case json(String)
}

/// Error responses of the proxy's own (JSON-RPC 2.0, section 5.1).
package enum ErrorObject {
    /// The complete error response, without a line break at the end.
    ///
    /// The id is null when there is none, or left out. `data` becomes an object with those members in that order, and is left out
    /// when empty.
    package static func response(
        id: RequestID?,
        code: Int,
        message: String,
        data: [(String, DataValue)] = [],
        omitsUnknownID: Bool = false
    ) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 128 + message.utf8.count)
        buffer.writeStaticString(#"{"jsonrpc":"2.0""#)
        if id != nil || !omitsUnknownID {
            buffer.writeStaticString(#","id":"#)
            buffer.writeString(id?.token ?? "null")
        }
        buffer.writeStaticString(#","error":{"code":"#)
        buffer.writeString(String(code))
        buffer.writeStaticString(#","message":"#)
        buffer.writeJSONString(message)
        if !data.isEmpty {
            buffer.writeStaticString(#","data":{"#)
            for (index, member) in data.enumerated() {
                if index > 0 { buffer.writeInteger(ASCII.comma) }
                buffer.writeJSONString(member.0)
                buffer.writeInteger(ASCII.colon)
                buffer.writeValue(member.1)
            }
            buffer.writeInteger(ASCII.closeBrace)
        }
        buffer.writeStaticString("}}")
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeValue(_ value: DataValue) {
        switch value {
        case .string(let string): writeJSONString(string)
        case .integer(let integer): writeString(String(integer))
        case .bool(let bool): writeString(bool ? "true" : "false")
        case .null: writeStaticString("null")
        case .json(let text): writeString(text)
        case .strings(let strings):
            writeInteger(ASCII.openBracket)
            for (index, string) in strings.enumerated() {
                if index > 0 { writeInteger(ASCII.comma) }
                writeJSONString(string)
            }
            writeInteger(ASCII.closeBracket)
        }
    }
}
