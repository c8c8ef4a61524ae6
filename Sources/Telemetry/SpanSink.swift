// SPDX-License-Identifier: Apache-2.0

package import Events
internal import MCP
internal import NIOCore
package import Tracing

/// Makes spans of finished requests: one for the client's call, one for the child's part of it.
package struct SpanSink: EventSink {
    private let exporter: SpanExporter

    package init(_ exporter: SpanExporter) { self.exporter = exporter }

    package func emit(_ event: Event) {
        guard case .requestFinished(let request) = event, let trace = request.trace, trace.server.isSampled else {
            return
        }
        let error = ErrorType(request)
        let operation = Operation(
            method: request.method,
            target: request.name?.text,
            errorType: error == .none ? nil : error.rawValue,
            errorCode: request.errorCode,
            revision: request.revision
        )
        let wall = WallAnchor.now()
        let call = Span(
            traceID: trace.server.traceID,
            spanID: trace.server.spanID,
            parentSpanID: trace.parent?.spanID,
            state: trace.server.state,
            name: operation.spanName,
            kind: .server,
            startUnixNanoseconds: wall.unixNanoseconds(request.arrived),
            endUnixNanoseconds: wall.unixNanoseconds(request.finished),
            attributes: operation.serverAttributes,
            link: trace.link,
            isError: error != .none
        )
        exporter.export(call)
        guard let sent = request.sent else { return }
        var work = call
        work.spanID = trace.upstream
        work.parentSpanID = trace.server.spanID
        work.kind = .client
        work.startUnixNanoseconds = wall.unixNanoseconds(sent)
        work.endUnixNanoseconds = wall.unixNanoseconds(request.answered ?? request.finished)
        work.attributes = operation.clientAttributes
        work.link = nil
        exporter.export(work)
    }
}
