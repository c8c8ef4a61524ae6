// SPDX-License-Identifier: Apache-2.0

/// Where a client's request stands in its trace (W3C Trace Context).
///
/// An object, since every event of a request has room for one and most have none.
package final class RequestTrace: Sendable, Equatable {
    /// What the client sent along, in `_meta` or as headers.
    package let parent: TraceContext?
    /// What it sent along as headers, when `_meta` named another parent.
    package let link: TraceContext?
    /// The span of the proxy's answer to the client. Its flags say whether the trace is recorded.
    package let server: TraceContext
    /// The span of the child's work; the child was told so when the trace is recorded.
    package let upstream: SpanID

    package init(parent: TraceContext?, link: TraceContext? = nil, server: TraceContext, upstream: SpanID) {
        self.parent = parent
        self.link = link
        self.server = server
        self.upstream = upstream
    }

    package static func == (left: RequestTrace, right: RequestTrace) -> Bool {
        left.parent == right.parent && left.link == right.link && left.server == right.server
            && left.upstream == right.upstream
    }
}
