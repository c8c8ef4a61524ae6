// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What a JSON-RPC message is and where its members lie, found in the one pass that also validates it.
///
/// It holds offsets into the message's bytes and is only of use together with them.
package struct Envelope: Sendable {
    /// The kind of a message (JSON-RPC 2.0, sections 4 and 5).
    package enum Kind: Sendable {
        /// It has a method and an id.
        case request
        /// It has a method and no id.
        case notification
        /// The answer that carries a result.
        case result
        /// The answer that carries an error. Its id is null or absent when the peer could not read the request's.
        case error
    }

    package let kind: Kind
    /// Whether a CR or LF stands between tokens, so that `flattenLineBreaks` has to run before the message can
    /// travel as one line.
    package let hasLineBreaks: Bool
    private let ranges: MemberRanges

    init(kind: Kind, hasLineBreaks: Bool, ranges: MemberRanges) {
        self.kind = kind
        self.hasLineBreaks = hasLineBreaks
        self.ranges = ranges
    }

    /// Where the token of a member's value lies, quotes or brackets included; nil when the message has no such member.
    package subscript(_ member: Member) -> ByteRange? { ranges[member] }

    /// Validates a whole message and finds its members.
    ///
    /// Takes the readable bytes: one JSON object in UTF-8, nested at most 512 deep, with nothing but whitespace around
    /// it. `jsonrpc` must be `"2.0"`; an id must be a string or an integer of at most 256 bytes, and may be null only
    /// in an error; `method` must be a string, `params` an object or array, `error` an object; no member of `Member`
    /// may stand there twice, and a message has exactly one of `method`, `result` and `error`.
    package static func scan(_ message: ByteBuffer) throws(ScanError) -> Envelope {
        // The result is put together here, from a local: a throwing function that ends in copying a large value out of
        // an argument is compiled to a tail call of memcpy that loses the error register (Swift 6.3, x86-64).
        var scanner = EnvelopeScanner()
        let kind = try scanner.scan(message.readableBytesUInt8Span)
        return Envelope(kind: kind, hasLineBreaks: scanner.hasLineBreaks, ranges: scanner.ranges)
    }

    /// The id a message answers that `scan` refused: nil when it has none, or looks like a request.
    package static func answeredID(inUnreadable message: ByteBuffer) -> RequestID? {
        var finder = IDFinder()
        finder.feed(message.readableBytesUInt8Span)
        return finder.answerID
    }

    /// The id of the message it was scanned from; nil when there is none or when it is null.
    package func id(in message: ByteBuffer) -> RequestID? {
        guard let range = self[.id] else { return nil }
        let token = message.text(range)
        return token == "null" ? nil : RequestID(validated: token)
    }
}

/// The ranges of the members found in a message.
struct MemberRanges: Sendable {
    /// Indexed by the raw value of `Member`; empty where there is none, as a value never is.
    private var ranges = InlineArray<43, ByteRange>(repeating: ByteRange(0, 0))

    subscript(_ member: Member) -> ByteRange? {
        let range = ranges[Int(member.rawValue)]
        return range.isEmpty ? nil : range
    }

    /// Notes where a member lies, and tells whether it was the first of its kind.
    @inline(__always)
    mutating func note(_ member: Member, _ range: ByteRange) -> Bool {
        let isFirst = ranges[Int(member.rawValue)].isEmpty
        ranges[Int(member.rawValue)] = range
        return isFirst
    }
}
