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
        if !span.events.isEmpty {
            writeStaticString(",\"events\":")
            writeArray(span.events) { $0.write($1) }
        }
        if !span.links.isEmpty {
            writeStaticString(",\"links\":")
            writeArray(span.links) { $0.write($1) }
        }
        if span.isError {
            writeStaticString(",\"status\":{\"code\":")
            writeString(String(errorStatusCode))
            if !span.statusMessage.isEmpty {
                writeStaticString(",\"message\":")
                writeJSONString(span.statusMessage)
            }
            writeStaticString("}")
        }
        writeStaticString("}")
    }

    private mutating func write(_ event: Span.Event) {
        writeStaticString("{\"timeUnixNano\":\"")
        writeString(String(event.unixNanoseconds))
        writeStaticString("\",\"name\":")
        writeJSONString(event.name)
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
        writeStaticString(",\"value\":{")
        switch attribute.value {
        case .string(let text):
            writeStaticString("\"stringValue\":")
            writeJSONString(text)
        case .int(let number):
            writeStaticString("\"intValue\":\"")
            writeString(String(number))
            writeStaticString("\"")
        case .bool(let flag):
            writeStaticString("\"boolValue\":")
            writeString(flag ? "true" : "false")
        case .double(let number):
            writeStaticString("\"doubleValue\":")
            writeString(jsonNumber(number))
        }
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

/// As the JSON mapping of Protocol Buffers has it: what JSON has no number for is a string.
private func jsonNumber(_ number: Double) -> String {
    if number.isNaN { return "\"NaN\"" }
    if number.isInfinite { return number < 0 ? "\"-Infinity\"" : "\"Infinity\"" }
    return number.description
}
