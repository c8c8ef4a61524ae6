// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Who recorded the spans.
package struct SpanSource: Sendable, Equatable {
    /// What is known of the process, such as `service.name`; no key twice.
    package var resource: [Attribute]
    /// The program and its version, which are the instrumentation scope as well.
    package var program: String
    package var version: String

    package init(resource: [Attribute], program: String, version: String) {
        self.resource = resource
        self.program = program
        self.version = version
    }
}

/// How a batch of spans is written down (`OTEL_EXPORTER_OTLP_PROTOCOL`).
///
/// Both are the message `ExportTraceServiceRequest` of opentelemetry-proto 1.x.
package enum OTLPEncoding: String, CaseIterable, Sendable {
    case json = "http/json"
    case protobuf = "http/protobuf"

    /// Of requests and answers.
    package var contentType: String {
        switch self {
        case .json: "application/json"
        case .protobuf: "application/x-protobuf"
        }
    }

    /// The body of a request.
    package func encode(_ spans: [Span], from source: SpanSource) -> ByteBuffer {
        switch self {
        case .json: jsonRequest(spans, from: source)
        case .protobuf: protobufRequest(spans, from: source)
        }
    }

    /// How many spans a successful answer says were not taken; 0 if it cannot be read.
    func rejectedSpans(in answer: ByteBuffer) -> Int {
        switch self {
        case .json: jsonRejectedSpans(answer)
        case .protobuf: protobufRejectedSpans(answer)
        }
    }
}

extension Span.Kind {
    /// The number of `SpanKind` in trace.proto.
    var number: Int {
        switch self {
        case .server: 2
        case .client: 3
        }
    }
}

/// `STATUS_CODE_ERROR` in trace.proto. A span without an error has no status at all: `OK` is for the operator to say.
let errorStatusCode = 2
