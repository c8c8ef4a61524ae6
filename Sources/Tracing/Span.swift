// SPDX-License-Identifier: Apache-2.0

package import Events

/// A named fact about a span, or about the process that recorded it.
package struct Attribute: Sendable, Equatable {
    /// Dotted, such as `mcp.method.name`.
    package let key: String
    package let value: String

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// One finished operation in a trace, complete and ready to be exported.
package struct Span: Sendable, Equatable {
    /// Whose side of a call it tells.
    package enum Kind: Sendable, Equatable {
        /// A call that came in.
        case server
        /// A call that went out.
        case client
    }

    package var traceID: TraceID
    package var spanID: SpanID
    /// Nil for the first span of a trace.
    package var parentSpanID: SpanID?
    /// The `tracestate` of the trace; empty if there is none.
    package var state: String
    package var name: String
    package var kind: Kind
    /// Since 1970-01-01T00:00:00Z; never later than the end.
    package var startUnixNanoseconds: UInt64
    package var endUnixNanoseconds: UInt64
    package var attributes: [Attribute]
    /// A context that has to do with the span without being its parent.
    package var link: TraceContext?
    package var isError: Bool

    package init(
        traceID: TraceID,
        spanID: SpanID,
        parentSpanID: SpanID? = nil,
        state: String = "",
        name: String,
        kind: Kind,
        startUnixNanoseconds: UInt64,
        endUnixNanoseconds: UInt64,
        attributes: [Attribute] = [],
        link: TraceContext? = nil,
        isError: Bool = false
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.parentSpanID = parentSpanID
        self.state = state
        self.name = name
        self.kind = kind
        self.startUnixNanoseconds = startUnixNanoseconds
        self.endUnixNanoseconds = endUnixNanoseconds
        self.attributes = attributes
        self.link = link
        self.isError = isError
    }

    /// The flags word of OTLP: sampled, as every exported span is, and whether the parent lives in another process
    /// (`SpanFlags` in trace.proto). Of the proxy's spans only those of calls that came in have such a parent.
    var flags: UInt32 {
        let isRemote = kind == .server && parentSpanID != nil
        return SpanFlags.sampled | SpanFlags.hasIsRemote | (isRemote ? SpanFlags.isRemote : 0)
    }
}

/// Bits of OTLP's flags; the lowest eight are those of `traceparent`.
enum SpanFlags {
    static let sampled: UInt32 = 0x001
    static let hasIsRemote: UInt32 = 0x100
    static let isRemote: UInt32 = 0x200
}

extension TraceContext {
    /// The flags word of OTLP for a link: what is linked to always came from a peer.
    var linkFlags: UInt32 { UInt32(flags) | SpanFlags.hasIsRemote | SpanFlags.isRemote }
}
