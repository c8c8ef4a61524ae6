// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import NIOPosix
import Prometheus
import Telemetry
import Tracing

/// Traces of requests: who decides, who makes the spans, who sends them.
struct RequestTracing: Sendable {
    let exporter: SpanExporter
    let sink: SpanSink
    private let sampler: Sampler

    /// Nil when the environment (`OTEL_…`) asks for no traces.
    init?(
        _ configuration: Configuration,
        _ surroundings: Surroundings,
        eventLoop: any EventLoop,
        slowWork: NIOThreadPool
    ) throws(ConfigurationError) {
        let wishes: TracingConfiguration?
        do throws(TracingConfigurationError) {
            wishes = try TracingConfiguration(environment: surroundings.environment)
        } catch {
            throw ConfigurationError(.configuration, "\(error.variable) \(error.problem)", error.remedy)
        }
        guard let wishes else { return nil }
        let source = wishes.source(
            program: Product.name,
            version: Product.version,
            known: [
                Attribute("service.instance.id", surroundings.instanceID),
                Attribute("mcp.server.name", configuration.name),
            ]
        )
        let client = OTLPClient(wishes, source: source, eventLoop: eventLoop, threads: slowWork) { body in
            gzip(Array(body.readableBytesView)).map { ByteBuffer(bytes: $0) }
        }
        exporter = SpanExporter(
            eventLoop: eventLoop,
            transport: client,
            batches: wishes.batches,
            timeout: wishes.timeout
        )
        sink = SpanSink(exporter)
        sampler = wishes.sampler
    }

    /// Gives a request its place in the trace of its client, or in a new one.
    @Sendable func start(_ parent: TraceContext?, _ link: TraceContext?) -> RequestTrace {
        var random = SystemRandomNumberGenerator()
        let traceID = parent?.traceID ?? TraceID.random(using: &random)
        let isSampled = sampler.decision(parent: parent, traceID: traceID)
        let spanID = SpanID.random(using: &random)
        return RequestTrace(
            parent: parent,
            link: link,
            server: parent?.child(spanID, isSampled: isSampled)
                ?? TraceContext(traceID: traceID, spanID: spanID, isSampled: isSampled),
            upstream: SpanID.random(using: &random)
        )
    }

    /// Sends what waits, within a bound. After the last event.
    func flush() async {
        try? await exporter.shutDown(within: .seconds(2)).get()
    }
}
