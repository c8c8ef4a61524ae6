// SPDX-License-Identifier: Apache-2.0

/// The id of a trace: 16 bytes, not all zero (W3C Trace Context, 3.2.2.3).
package struct TraceID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    /// Nil for zero, which stands for no trace.
    package init?(high: UInt64, low: UInt64) {
        guard high != 0 || low != 0 else { return nil }
        self.high = high
        self.low = low
    }

    /// A new one: all 16 bytes are random.
    package static func random(using generator: inout some RandomNumberGenerator) -> TraceID {
        while true {
            if let id = TraceID(high: generator.next(), low: generator.next()) { return id }
        }
    }

    /// 32 lowercase digits.
    package var hex: String { hexDigits(high) + hexDigits(low) }
}

/// The id of a span within its trace: 8 bytes, not all zero (W3C Trace Context, 3.2.2.4).
package struct SpanID: Sendable, Hashable {
    package let value: UInt64

    /// Nil for zero, which stands for no span.
    package init?(_ value: UInt64) {
        guard value != 0 else { return nil }
        self.value = value
    }

    /// A new one.
    package static func random(using generator: inout some RandomNumberGenerator) -> SpanID {
        while true {
            if let id = SpanID(generator.next()) { return id }
        }
    }

    /// 16 lowercase digits.
    package var hex: String { hexDigits(value) }
}

/// A place in a trace, as it travels between processes: the headers, or members of `_meta`, `traceparent` and
/// `tracestate`.
///
/// Source: https://www.w3.org/TR/trace-context/ (level 1, and the random flag and keys of level 2).
package struct TraceContext: Sendable, Equatable {
    /// The trace.
    package let traceID: TraceID
    /// The span that the receiver's spans become children of.
    package let spanID: SpanID
    /// The trace-flags: bit 0 is sampled, bit 1 says that the trace id is random.
    package let flags: UInt8
    /// What tracing systems add, as one list without spaces; empty if there is none. At most 512 bytes.
    package let state: String

    /// Whether the sender may have recorded the trace.
    package var isSampled: Bool { flags & Flag.sampled != 0 }

    /// The start of a trace of the proxy's own.
    package init(traceID: TraceID, spanID: SpanID, isSampled: Bool) {
        self.init(traceID: traceID, spanID: spanID, flags: isSampled ? Flag.sampled : 0, state: "")
    }

    private init(traceID: TraceID, spanID: SpanID, flags: UInt8, state: String) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state
    }

    /// What a peer sent. Nil if `traceparent` is not valid, and then the trace starts anew: nothing of it may be used.
    ///
    /// - Parameter tracestate: Fields of several headers are joined by commas first. If it is not valid, or is longer
    ///   than 512 bytes, or has more than 32 members, it is dropped and the rest stands.
    package init?(traceparent: String, tracestate: String? = nil) {
        guard let parent = Parent(traceparent) else { return nil }
        self.init(
            traceID: parent.traceID,
            spanID: parent.spanID,
            flags: parent.flags,
            state: tracestate.flatMap(normalisedState) ?? ""
        )
    }

    /// The context to hand on from a span of the proxy's own in the same trace.
    package func child(_ spanID: SpanID, isSampled: Bool) -> TraceContext {
        let flags = flags & Flag.random | (isSampled ? Flag.sampled : 0)
        return TraceContext(traceID: traceID, spanID: spanID, flags: flags, state: state)
    }

    /// The text of the header, in version 00: 55 characters, none of which JSON has to escape.
    package var traceparent: String {
        "00-\(traceID.hex)-\(spanID.hex)-" + (flags < 0x10 ? "0" : "") + String(flags, radix: 16)
    }

    private enum Flag {
        static let sampled: UInt8 = 0x01
        static let random: UInt8 = 0x02
    }
}

/// The fields of a valid `traceparent`: `version-traceid-spanid-flags`, in lowercase hexadecimal.
private struct Parent {
    static let length = 55

    let traceID: TraceID
    let spanID: SpanID
    let flags: UInt8

    init?(_ text: String) {
        let bytes = Array(text.utf8.prefix(Parent.length + 1))
        let dash = UInt8(ascii: "-")
        guard bytes.count >= Parent.length, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = hexNumber(bytes[0..<2]), version != 0xff,
            let high = hexNumber(bytes[3..<19]), let low = hexNumber(bytes[19..<35]),
            let span = hexNumber(bytes[36..<52]), let flags = hexNumber(bytes[53..<55]),
            let traceID = TraceID(high: high, low: low), let spanID = SpanID(span)
        else { return nil }
        // A version to come may add fields, behind a dash.
        guard bytes.count == Parent.length || version > 0 && bytes[Parent.length] == dash else { return nil }
        self.traceID = traceID
        self.spanID = spanID
        self.flags = UInt8(truncatingIfNeeded: flags)
    }
}

/// The list without spaces and empty members, or nil if it breaks a rule.
private func normalisedState(_ text: String) -> String? {
    guard text.utf8.count <= 512 else { return nil }
    var keys: Set<String> = []
    var members: [Substring] = []
    for field in text.split(separator: ",") {
        let member = field.trimmingBlanks()
        if member.isEmpty { continue }
        guard let equals = member.firstIndex(of: "=") else { return nil }
        let key = member[..<equals]
        let value = member[member.index(after: equals)...]
        guard isStateKey(key), isStateValue(value), keys.insert(String(key)).inserted else { return nil }
        members.append(member)
    }
    return members.count <= 32 ? members.joined(separator: ",") : nil
}

private func isStateKey(_ key: Substring) -> Bool {
    func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard let first = key.utf8.first, isLetterOrDigit(first), key.utf8.count <= 256 else { return false }
    return key.utf8.allSatisfy { isLetterOrDigit($0) || "_-*/@".utf8.contains($0) }
}

private func isStateValue(_ value: Substring) -> Bool {
    // Printable ASCII but no comma, which has ended the member, and no equals sign.
    1...256 ~= value.utf8.count && value.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "=") }
}

extension Substring {
    fileprivate func trimmingBlanks() -> Substring {
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        var rest = drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }
}

private func hexDigits(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}

/// At most 16 digits; uppercase ones are not valid here.
private func hexNumber(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var number: UInt64 = 0
    for digit in digits {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
        default: return nil
        }
    }
    return number
}
