// SPDX-License-Identifier: Apache-2.0

import Events
import Testing
import Tracing

/// A span with little in it.
func plainSpan(_ number: UInt64 = 1) throws -> Span {
    Span(
        traceID: try #require(TraceID(high: 0, low: number)),
        spanID: try #require(SpanID(number)),
        name: "ping",
        kind: .client,
        startUnixNanoseconds: 1_700_000_000_000_000_000,
        endUnixNanoseconds: 1_700_000_000_000_000_001
    )
}

/// A span with everything in it, and text that has to be escaped.
func fullSpan() throws -> Span {
    Span(
        traceID: try #require(TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c)),
        spanID: try #require(SpanID(0xb7ad_6b71_6920_3331)),
        parentSpanID: SpanID(0x00f0_67aa_0ba9_02b7),
        state: "a=1",
        name: "tools/call \"q\"\u{1}\\é",
        kind: .server,
        startUnixNanoseconds: 1_700_000_000_000_000_001,
        endUnixNanoseconds: .max,
        attributes: [
            Attribute("text", "x\ny"), Attribute("other", "z"),
        ],
        link: TraceContext(
            traceparent: "00-00000000000000010000000000000002-0000000000000003-01",
            tracestate: "b=2"
        ),
        isError: true
    )
}

let sampleSource = SpanSource(resource: [Attribute("service.name", "s")], program: "mcp-proxy", version: "1")
