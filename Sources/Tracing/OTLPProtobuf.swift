// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import NIOCore
internal import Prometheus

// The numbers of the fields are those of opentelemetry-proto 1.x: `trace/v1/trace.proto`, `common/v1/common.proto`,
// `collector/trace/v1/trace_service.proto`.

func protobufRequest(_ spans: [Span], from source: SpanSource) -> ByteBuffer {
    var request = ProtobufWriter()
    request.message(1) { resourceSpans in
        resourceSpans.message(1) { resource in
            resource.attributes(1, source.resource)
        }
        resourceSpans.message(2) { scopeSpans in
            scopeSpans.message(1) { scope in
                scope.string(1, source.program)
                scope.string(2, source.version)
            }
            for span in spans {
                scopeSpans.message(2) { $0.write(span) }
            }
        }
    }
    return ByteBuffer(bytes: request.bytes)
}

extension ProtobufWriter {
    fileprivate mutating func write(_ span: Span) {
        bigEndian(1, span.traceID.high, span.traceID.low)
        bigEndian(2, span.spanID.value)
        if !span.state.isEmpty { string(3, span.state) }
        if let parent = span.parentSpanID { bigEndian(4, parent.value) }
        string(5, span.name)
        uint64(6, UInt64(span.kind.number))
        fixed64(7, span.startUnixNanoseconds)
        fixed64(8, span.endUnixNanoseconds)
        attributes(9, span.attributes)
        if let link = span.link {
            message(13) { inner in
                inner.bigEndian(1, link.traceID.high, link.traceID.low)
                inner.bigEndian(2, link.spanID.value)
                if !link.state.isEmpty { inner.string(3, link.state) }
                inner.fixed32(6, link.linkFlags)
            }
        }
        if span.isError {
            message(15) { $0.uint64(3, UInt64(errorStatusCode)) }
        }
        fixed32(16, span.flags)
    }

    /// `bytes` that are numbers of eight bytes each, the most significant first.
    private mutating func bigEndian(_ field: Int, _ numbers: UInt64...) {
        bytes(field, numbers.flatMap { number in withUnsafeBytes(of: number.bigEndian) { Array($0) } })
    }

    /// For `fixed32`, which is wire type 5.
    private mutating func fixed32(_ field: Int, _ value: UInt32) {
        varint(UInt64(field) << 3 | 5)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    fileprivate mutating func attributes(_ field: Int, _ list: [Attribute]) {
        for attribute in list {
            message(field) { pair in
                pair.string(1, attribute.key)
                pair.message(2) { $0.string(1, attribute.value) }
            }
        }
    }
}

/// `ExportTraceServiceResponse.partial_success.rejected_spans`, fields 1 and 1; 0 if it is missing or malformed.
func protobufRejectedSpans(_ answer: ByteBuffer) -> Int {
    guard case .bytes(let partial) = lastField(1, of: answer), case .number(let count) = lastField(1, of: partial)
    else { return 0 }
    return Int(exactly: count) ?? 0
}

private enum FieldValue {
    case number(UInt64)
    case bytes(ByteBuffer)
}

/// The last field with that number; nil if there is none or the message is malformed.
private func lastField(_ number: UInt64, of message: ByteBuffer) -> FieldValue? {
    var message = message
    var found: FieldValue?
    while message.readableBytes > 0 {
        guard let tag = message.readVarint(), let value = message.readField(wireType: tag & 7) else { return nil }
        if tag >> 3 == number { found = value }
    }
    return found
}

extension ByteBuffer {
    fileprivate mutating func readField(wireType: UInt64) -> FieldValue? {
        switch wireType {
        case 0: readVarint().map(FieldValue.number)
        case 1: readInteger(endianness: .little, as: UInt64.self).map(FieldValue.number)
        case 2: readVarint().flatMap { Int(exactly: $0) }.flatMap { readSlice(length: $0) }.map(FieldValue.bytes)
        case 5: readInteger(endianness: .little, as: UInt32.self).map { .number(UInt64($0)) }
        default: nil
        }
    }

    fileprivate mutating func readVarint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = readInteger(as: UInt8.self) else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
