// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Several messages in one JSON array (JSON-RPC 2.0, section 6).
package enum Batch {
    /// The most messages one batch may have.
    package static let maximumCount = 1024

    /// Where the members of a top-level array lie, each validated as JSON but not yet as a message.
    ///
    /// An empty array gives no ranges. Throws `invalidJSON` for what is no JSON, and `notJSONRPC` for what is no array
    /// or has more than `maximumCount` members.
    package static func split(_ message: ByteBuffer) throws(ScanError) -> [ByteRange] {
        let bytes = message.readableBytesUInt8Span
        var json = JSONScanner()
        json.skipWhitespace(bytes)
        guard json.peek(bytes) == ASCII.openBracket else { throw .notJSONRPC("the batch is not an array", id: nil) }
        var members: [ByteRange] = []
        var count = 0
        do throws(Malformed) {
            try json.open(bytes)
            var isOpen = json.peek(bytes) != ASCII.closeBracket
            while isOpen {
                let start = json.offset
                try json.skipValue(bytes)
                count += 1
                if count <= maximumCount { members.append(ByteRange(start, json.offset)) }
                isOpen = json.skipComma(bytes)
            }
            try json.close(bytes, ASCII.closeBracket)
            try json.skipToEnd(bytes)
        } catch {
            throw ScanError(error)
        }
        guard count <= maximumCount else {
            throw .notJSONRPC("the batch has more than \(maximumCount) messages", id: nil)
        }
        return members
    }
}
