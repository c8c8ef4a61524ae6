// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import JSONRPC
internal import NIOCore

// The JSON mapping of OTLP: names in lowerCamelCase, ids in hexadecimal, enums as numbers, 64-bit integers as strings
// (OTLP specification, "JSON Protobuf Encoding").

func jsonRequest(_ spans: [Span], from source: SpanSource) -> ByteBuffer {
    // A span of a call takes about 900 bytes.
    var json = ByteBufferAllocator().buffer(capacity: 1024 * (spans.count + 1))
    json.writeStaticString("{\"resourceSpans\":[{\"resource\":{\"attributes\":")
    json.writeArray(source.resource) { $0.write($1) }
    json.writeStaticString("},\"scopeSpans\":[{\"scope\":{\"name\":")
    json.writeJSONString(source.program)
    json.writeStaticString(",\"version\":")
    json.writeJSONString(source.version)
    json.writeStaticString("},\"spans\":")
    json.writeArray(spans) { $0.write($1) }
    json.writeStaticString("}]}]}")
    return json
}

/// `{"partialSuccess":{"rejectedSpans":"3"}}`; a number without quotes is fine too.
func jsonRejectedSpans(_ answer: ByteBuffer) -> Int {
    let blanks = answer.readableBytesView.prefix { $0 <= UInt8(ascii: " ") }.count
    let whole = ByteRange(blanks, answer.readableBytes)
    guard let partial = members(of: whole, in: answer).last(where: { $0.name == "partialSuccess" }),
        let rejected = members(of: partial.value, in: answer).last(where: { $0.name == "rejectedSpans" })
    else { return 0 }
    return Int(answer.string(rejected.value) ?? answer.text(rejected.value)) ?? 0
}

extension ByteBuffer {
    fileprivate mutating func write(_ span: Span) {
        writeStaticString("{\"traceId\":\"")
        writeString(span.traceID.hex)
        writeStaticString("\",\"spanId\":\"")
        writeString(span.spanID.hex)
        if let parent = span.parentSpanID {
            writeStaticString("\",\"parentSpanId\":\"")
            writeString(parent.hex)
        }
        writeStaticString("\",")
        writeState(span.state)
        writeStaticString("\"flags\":")
        writeString(String(span.flags))
        writeStaticString(",\"name\":")
        writeJSONString(span.name)
        writeStaticString(",\"kind\":")
        writeString(String(span.kind.number))
        writeStaticString(",\"startTimeUnixNano\":\"")
        writeString(String(span.startUnixNanoseconds))
        writeStaticString("\",\"endTimeUnixNano\":\"")
        writeString(String(span.endUnixNanoseconds))
        writeStaticString("\",\"attributes\":")
        writeArray(span.attributes) { $0.write($1) }
        if let link = span.link {
            writeStaticString(",\"links\":[")
            write(link)
            writeStaticString("]")
        }
        if span.isError {
            writeStaticString(",\"status\":{\"code\":")
            writeString(String(errorStatusCode))
            writeStaticString("}")
        }
        writeStaticString("}")
    }

    private mutating func write(_ link: TraceContext) {
        writeStaticString("{\"traceId\":\"")
        writeString(link.traceID.hex)
        writeStaticString("\",\"spanId\":\"")
        writeString(link.spanID.hex)
        writeStaticString("\",")
        writeState(link.state)
        writeStaticString("\"flags\":")
        writeString(String(link.linkFlags))
        writeStaticString("}")
    }

    /// A member with a comma behind it, or nothing.
    private mutating func writeState(_ state: String) {
        if state.isEmpty { return }
        writeStaticString("\"traceState\":")
        writeJSONString(state)
        writeStaticString(",")
    }

    fileprivate mutating func write(_ attribute: Attribute) {
        writeStaticString("{\"key\":")
        writeJSONString(attribute.key)
        writeStaticString(",\"value\":{\"stringValue\":")
        writeJSONString(attribute.value)
        writeStaticString("}}")
    }

    fileprivate mutating func writeArray<Element>(
        _ elements: [Element],
        _ writeElement: (inout ByteBuffer, Element) -> Void
    ) {
        writeStaticString("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { writeStaticString(",") }
            writeElement(&self, element)
        }
        writeStaticString("]")
    }
}
