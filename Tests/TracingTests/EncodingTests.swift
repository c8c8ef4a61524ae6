// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import Testing

@testable import Tracing

@Suite struct EncodingTests {
    @Test func writesJSON() throws {
        let json = String(buffer: OTLPEncoding.json.encode([try plainSpan(), try fullSpan()], from: sampleSource))
        #expect(
            json == """
                {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},\
                "scopeSpans":[{"scope":{"name":"mcp-proxy","version":"1"},"spans":[\
                {"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","flags":257,\
                "name":"ping","kind":3,"startTimeUnixNano":"1700000000000000000",\
                "endTimeUnixNano":"1700000000000000001","attributes":[]},\
                {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",\
                "parentSpanId":"00f067aa0ba902b7","traceState":"a=1","flags":769,\
                "name":"tools/call \\"q\\"\\u0001\\\\é","kind":2,"startTimeUnixNano":"1700000000000000001",\
                "endTimeUnixNano":"18446744073709551615","attributes":[\
                {"key":"text","value":{"stringValue":"x\\ny"}},{"key":"other","value":{"stringValue":"z"}}],\
                "links":[{"traceId":"00000000000000010000000000000002","spanId":"0000000000000003",\
                "traceState":"b=2","flags":769}],\
                "status":{"code":2}}]}]}]}
                """
        )
    }

    @Test(arguments: [(Span.Kind.server, 0x301), (.client, 0x101)])
    func onlyTheParentOfACallThatCameInIsElsewhere(_ kind: Span.Kind, _ flags: Int) throws {
        var span = try plainSpan()
        span.parentSpanID = SpanID(9)
        span.kind = kind
        let json = String(buffer: OTLPEncoding.json.encode([span], from: sampleSource))
        #expect(json.contains("\"flags\":\(flags),"))
    }

    @Test func writesProtobuf() throws {
        let body = OTLPEncoding.protobuf.encode([try plainSpan(), try fullSpan()], from: sampleSource)
        let resourceSpans = try Message(body).only(1)
        let resource = try resourceSpans.only(1).only(1)
        #expect(try resource.text(1) == "service.name")
        #expect(try resource.only(2).text(1) == "s")
        let scopeSpans = try resourceSpans.only(2)
        #expect(try scopeSpans.only(1).text(1) == "mcp-proxy")
        #expect(try scopeSpans.only(1).text(2) == "1")
        let spans = try scopeSpans.messages(2)
        #expect(spans.count == 2)

        let plain = spans[0]
        #expect(plain.bytes(1) == Array(repeating: 0, count: 15) + [1])
        #expect(plain.bytes(2) == [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(plain.bytes(3) == nil)
        #expect(plain.bytes(4) == nil)
        #expect(plain.number(6) == 3)
        #expect(plain.bytes(15) == nil)
        #expect(plain.number(16) == 0x101)

        let full = spans[1]
        #expect(full.bytes(1)?.first == 0x0a)
        #expect(try full.text(3) == "a=1")
        #expect(full.bytes(4) == [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7])
        #expect(try full.text(5) == "tools/call \"q\"\u{1}\\é")
        #expect(full.number(6) == 2)
        #expect(full.number(7) == 1_700_000_000_000_000_001)
        #expect(full.number(8) == .max)
        #expect(full.number(16) == 0x301)
        let values = try full.messages(9).map { try $0.only(2) }
        #expect(try full.messages(9).map { try $0.text(1) } == ["text", "other"])
        #expect(try values[0].text(1) == "x\ny")
        #expect(try values[1].text(1) == "z")
        let link = try full.only(13)
        #expect(link.bytes(1)?.count == 16)
        #expect(link.bytes(2) == [0, 0, 0, 0, 0, 0, 0, 3])
        #expect(try link.text(3) == "b=2")
        #expect(link.number(6) == 0x301)
        #expect(try full.only(15).number(3) == 2)
    }

    @Test(arguments: [
        ("", 0), ("{}", 0), ("{\"partialSuccess\":{}}", 0), ("{\"partialSuccess\":{\"rejectedSpans\":\"12\"}}", 12),
        (" { \"partialSuccess\" : { \"errorMessage\" : \"x\", \"rejectedSpans\" : 3 } }", 3),
        ("{\"partialSuccess\":{\"rejectedSpans\":null}}", 0), ("{\"partialSuccess\":[1]}", 0), ("<html>", 0),
        ("{\"partialSuccess\":{\"rejectedSpans\":\"9", 0),
    ])
    func readsWhatAJSONAnswerRejects(_ answer: String, _ expected: Int) {
        #expect(OTLPEncoding.json.rejectedSpans(in: ByteBuffer(string: answer)) == expected)
    }

    @Test(
        arguments: [
            ([], 0),
            ([0x0a, 0x00], 0),
            ([0x0a, 0x03, 0x08, 0xac, 0x02], 300),
            // With a message, and fields nobody knows.
            ([0x15, 1, 2, 3, 4, 0x0a, 0x05, 0x08, 0x05, 0x12, 0x01, 0x78, 0x10, 0x07], 5),
            ([0x0a, 0x03, 0x08, 0xac], 0),
            ([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0),
            // -1: no number of spans.
            ([0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0),
            ([0x0a, 0x0c, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0),
            (Array("{\"partialSuccess\":{}}".utf8), 0),
        ] as [([UInt8], Int)]
    )
    func readsWhatAProtobufAnswerRejects(_ answer: [UInt8], _ expected: Int) {
        #expect(OTLPEncoding.protobuf.rejectedSpans(in: ByteBuffer(bytes: answer)) == expected)
    }
}

/// A protobuf message, read anew and independently of what the exporter reads with.
private struct Message {
    private enum Value {
        case number(UInt64)
        case bytes([UInt8])
    }

    private struct Malformed: Error {}

    private var fields: [(number: Int, value: Value)] = []

    init(_ buffer: ByteBuffer) throws { try self.init(Array(buffer.readableBytesView)) }

    private init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        func varint() throws -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 127) << shift
                if byte < 128 { return value }
                shift += 7
            }
            throw Malformed()
        }
        func take(_ count: Int) throws -> [UInt8] {
            guard rest.count >= count else { throw Malformed() }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        func littleEndian(_ count: Int) throws -> UInt64 {
            try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while !rest.isEmpty {
            let tag = try varint()
            let value: Value =
                switch tag & 7 {
                case 0: .number(try varint())
                case 1: .number(try littleEndian(8))
                case 2: .bytes(try take(Int(try varint())))
                case 5: .number(try littleEndian(4))
                default: throw Malformed()
                }
            fields.append((Int(tag >> 3), value))
        }
    }

    func number(_ field: Int) -> UInt64? {
        for case (field, .number(let number)) in fields { return number }
        return nil
    }

    func bytes(_ field: Int) -> [UInt8]? {
        for case (field, .bytes(let bytes)) in fields { return bytes }
        return nil
    }

    func text(_ field: Int) throws -> String { String(decoding: try #require(bytes(field)), as: UTF8.self) }

    func messages(_ field: Int) throws -> [Message] {
        try fields.compactMap { entry in
            if case (field, .bytes(let bytes)) = entry { try Message(bytes) } else { nil }
        }
    }

    func only(_ field: Int) throws -> Message {
        let all = try messages(field)
        try #require(all.count == 1)
        return all[0]
    }
}
