// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SeededRandom
import Testing

@testable import JSONRPC

/// All lines of a stream that arrives in those chunks.
func frame(_ chunks: [[UInt8]], maxLine: Int) -> [Line] {
    var framer = LineFramer(maxLine: maxLine)
    var lines: [Line] = []
    for chunk in chunks {
        framer.append(ByteBuffer(bytes: chunk))
        while let line = framer.next() { lines.append(line) }
    }
    while let line = framer.finish() { lines.append(line) }
    return lines
}

/// Every way to cut a stream in two.
func splits(_ bytes: [UInt8]) -> [[[UInt8]]] {
    (0...bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
}

@Suite struct LineFramerTests {
    @Test(arguments: [
        ("", []),
        ("\n\r\n \t\n\n", []),
        ("a\n", ["a"]),
        ("a\nb\r\n\nc", ["a", "b", "c"]),
        ("a\r\r\n", ["a\r"]),
        ("\ra\n", ["\ra"]),
        (" a \n", [" a "]),
        ("0123456789\n", ["0123456789"]),
        ("rest\r", ["rest"]),
        (" \r", []),
    ])
    func lines(stream: String, expected: [String]) {
        let bytes = Array(stream.utf8)
        let lines = expected.map { Line.message(ByteBuffer(string: $0)) }
        for chunks in splits(bytes) + [bytes.map { [$0] }] {
            #expect(frame(chunks, maxLine: 10) == lines)
        }
    }

    @Test func longLinesAreThrownAway() {
        let stream = Array("short\n{\"id\":7,\"x\":1}\n0123456789\n01234567890\r\nlast\n{\"id\":\"open\",".utf8)
        let expected: [Line] = [
            .message(ByteBuffer(string: "short")), .oversize(id: RequestID(7), bytes: 14),
            .message(ByteBuffer(string: "0123456789")), .oversize(id: nil, bytes: 12),
            .message(ByteBuffer(string: "last")), .oversize(id: RequestID(token: "\"open\""), bytes: 13),
        ]
        for chunks in splits(stream) + [stream.map { [$0] }] {
            #expect(frame(chunks, maxLine: 10) == expected)
        }
        for first in 0...stream.count {
            for second in stride(from: first, through: stream.count, by: 3) {
                let chunks = [Array(stream[..<first]), Array(stream[first..<second]), Array(stream[second...])]
                #expect(frame(chunks, maxLine: 10) == expected)
            }
        }
    }

    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":12,"result":{"id":3,"text":"x"}}"#, "12"),
        (#"{"result":{"id":3,"a":["id",{"id":4}],"text":"}\"id\":5,{"},"id":"\"x\\","jsonrpc":"2.0"}"#, #""\"x\\""#),
        (#" { "result" : [ ] , "id" : -5 } "#, "-5"),
        ("\t{\"id\"\t:\t\"a b\"\t,\"result\":1}", "\"a b\""),
        (#"{"result":"id","x":"id","id":1}"#, "1"),
        (#"{"id":1,"id":2,"result":1}"#, "1"),
        (#"{"error":{"id":1,"message":"é€😀 \u00e9 text"},"id":2}"#, "2"),
        (#"{"id":7,"result":"unterminated"#, "7"),
        (#"{"id":7,"method":"sampling/createMessage"}"#, nil),
        (#"{"method":"sampling/createMessage","params":{},"id":7}"#, nil),
        (#"{"id":null,"result":1}"#, nil),
        (#"{"id":1.5,"result":1}"#, nil),
        (#"{"id":{"id":1},"result":1}"#, nil),
        (#"{"id":[1],"result":1}"#, nil),
        (#"{"result":{"id":1}}"#, nil),
        (#"{"result":["id",1,"id"]}"#, nil),
        (#"[{"id":1}]"#, nil),
        (#""id":1"#, nil),
        (#"id:1,"id":1"#, nil),
        (#"}{"id":1}"#, nil),
        (#"{} {"id":1,"x":2}"#, nil),
        (#"{"id":1,"#, "1"),
        (#"{"id":1"#, nil),
        ("garbage \u{1}\u{ff} not JSON at all", nil),
    ])
    func idsOfLongLines(line: String, id: String?) {
        let bytes = Array(line.utf8)
        let expected = [Line.oversize(id: id.flatMap { RequestID(token: $0) }, bytes: bytes.count)]
        for chunks in splits(bytes + [10]) + [bytes.map { [$0] } + [[10]]] {
            #expect(frame(chunks, maxLine: 4) == expected)
        }
    }

    @Test func anOverlongIDIsNone() {
        for digits in [256, 257, 100_000] {
            let line = "{\"id\":\(String(repeating: "1", count: digits)),\"result\":1}"
            guard case .oversize(let id, _)? = frame([Array(line.utf8)], maxLine: 4).first else {
                Issue.record("not thrown away")
                continue
            }
            #expect((id == nil) == (digits > 256))
        }
    }

    @Test func aLineInOneChunkIsASliceOfIt() {
        var framer = LineFramer(maxLine: 100)
        let chunk = ByteBuffer(string: "first\nsecond\nthi")
        let address = chunk.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        framer.append(chunk)
        for offset: UInt in [0, 6] {
            guard case .message(let line)? = framer.next() else {
                Issue.record("a line is missing")
                return
            }
            #expect(line.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address + offset)
        }
        #expect(framer.next() == nil)
    }

    @Test func chunksMayPileUp() {
        var framer = LineFramer(maxLine: 100)
        for chunk in ["a", "b\nc", "d\n", "e"] { framer.append(ByteBuffer(string: chunk)) }
        #expect(framer.next() == .message(ByteBuffer(string: "ab")))
        #expect(framer.finish() == .message(ByteBuffer(string: "cd")))
        #expect(framer.finish() == .message(ByteBuffer(string: "e")))
        #expect(framer.finish() == nil)
        #expect(framer.next() == nil)
    }

    @Test func randomStreams() {
        var generator = SeededGenerator(seed: 11)
        let pieces = [
            "\n", "\r\n", "\r", "{\"id\":1}", "{\"id\":\"", "\"", "abc", " ", "}", ",", "\\", "é", "\"method\":",
        ]
        for _ in 0..<300 {
            let text = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }
            let bytes = Array(text.joined().utf8)
            let whole = frame([bytes], maxLine: 9)
            for chunks in splits(bytes) { #expect(frame(chunks, maxLine: 9) == whole) }
            #expect(frame(bytes.map { [$0] }, maxLine: 9) == whole)
        }
    }
}
