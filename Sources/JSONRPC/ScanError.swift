// SPDX-License-Identifier: Apache-2.0

/// Why a message cannot be taken.
///
/// `id` is that of the message when it could be read, so that the refusal can name it.
package enum ScanError: Error, Equatable, Sendable {
    /// The bytes are no JSON text: JSON-RPC error -32700. `expected` names what would have been valid at `offset`.
    case invalidJSON(offset: Int, expected: String)
    /// The message is an array, which only some revisions allow; nothing after the bracket was looked at. See `Batch`.
    case batch
    /// Valid JSON that is no JSON-RPC 2.0 message: error -32600. The text says what is wrong with it.
    case notJSONRPC(String, id: RequestID?)
    /// A scanned member stands there twice, and the receiver might read the other one: error -32600. The text is the
    /// member's path.
    case duplicateMember(String, id: RequestID?)

    init(_ malformed: Malformed) {
        self = .invalidJSON(offset: malformed.offset, expected: malformed.expected.description)
    }
}
