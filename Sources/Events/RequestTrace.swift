// SPDX-License-Identifier: Apache-2.0

/// Where a client's request stands in its trace (W3C Trace Context).
package struct RequestTrace: Sendable, Equatable {
    /// What the client sent along, in `_meta` or as headers.
    package var parent: TraceContext?
    /// The span of the proxy's answer to the client. Its flags say whether the trace is recorded.
    package var server: TraceContext
    /// The span of the child's work; the child was told so when the trace is recorded.
    package var upstream: SpanID

    package init(parent: TraceContext?, server: TraceContext, upstream: SpanID) {
        self.parent = parent
        self.server = server
        self.upstream = upstream
    }
}
