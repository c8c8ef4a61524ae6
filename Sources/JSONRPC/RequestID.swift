// SPDX-License-Identifier: Apache-2.0

/// The id of a request, or a progress token: a JSON string or integer, kept as the raw token.
///
/// The token is `7` or `"7"`, quotes included, so the JSON type survives, and a peer gets its id back exactly as it
/// wrote it. Two ids are equal when their tokens are. Source: JSON-RPC 2.0, section 4, and the type `RequestId` of
/// the protocol's schema.
package struct RequestID: Hashable, Sendable {
    /// The longest token accepted, in bytes.
    package static let maximumLength = 256

    /// The JSON token, as it is to be written into a message.
    package let token: String

    /// The id with that integer as its token.
    package init(_ integer: Int) { token = String(integer) }

    /// The id with that token, or nil when it is neither a JSON string nor a JSON integer, or is longer than
    /// `maximumLength` bytes.
    package init?(token: String) {
        guard token.utf8.count <= Self.maximumLength else { return nil }
        let bytes = token.utf8.span
        var scanner = JSONScanner()
        do throws(Malformed) { try scanner.skipValue(bytes) } catch { return nil }
        guard scanner.offset == bytes.count, isIDToken(bytes, 0, bytes.count) else { return nil }
        self.token = token
    }

    /// Takes a token that is known to be one.
    init(validated token: String) { self.token = token }

    /// The value of an integer id that fits in an `Int`; nil for strings and for larger integers.
    package var integer: Int? { Int(token) }
}

/// Whether the valid JSON token at those offsets is a string, or an integer without fraction and exponent.
func isIDToken(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    guard start < end else { return false }
    switch bytes[start] {
    case ASCII.quote: return true
    case ASCII.minus, ASCII.zero...ASCII.nine: break
    default: return false
    }
    for index in start + 1..<end where !isDigit(bytes[index]) { return false }
    return true
}
