// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import JSONRPC

@Suite struct RewritingTests {
    @Test(arguments: ["7", "-7", "0", "\"7\"", "\"\"", #""a\"b""#, "123456789012345678901234567890"])
    func requestIDTokens(token: String) {
        #expect(RequestID(token: token)?.token == token)
    }

    @Test(arguments: ["", " 7", "7 ", "1.0", "1e3", "null", "true", "{}", "[]", "\"a", "\"\n\"", "7,8", "--7", "01"])
    func notRequestIDs(token: String) {
        #expect(RequestID(token: token) == nil)
    }

    @Test func requestIDIntegers() {
        #expect(RequestID(-12) == RequestID(token: "-12"))
        #expect(RequestID(Int.min).integer == Int.min)
        #expect(RequestID(token: "\"7\"")?.integer == nil)
        #expect(RequestID(token: "123456789012345678901234567890")?.integer == nil)
        #expect(RequestID(token: String(repeating: "1", count: 257)) == nil)
    }

    @Test(arguments: [
        (#""plain text""#, "plain text"),
        (#""""#, ""),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u0041\u00e9\u20AC\uD83D\uDE00""#, "Aé€😀"),
        (#""\ud800""#, "\u{fffd}"),
        (#""\ud800\ud800\udc00""#, "\u{fffd}\u{10000}"),
        (#""\udc00x\ud83d\n""#, "\u{fffd}x\u{fffd}\n"),
        (#""\u0000x""#, "\u{0}x"),
        ("\"é€😀\\n\"", "é€😀\n"),
        ("7", nil),
        ("{\"a\":1}", nil),
    ])
    func strings(token: String, content: String?) {
        let buffer = ByteBuffer(string: "..\(token)..")
        let range = ByteRange(2, 2 + token.utf8.count)
        #expect(buffer.string(range) == content)
        #expect(buffer.text(range) == token)
        #expect(String(buffer: buffer.slice(range)) == token)
    }

    @Test func rangesBeyondTheMessageReadAsEmpty() {
        let buffer = ByteBuffer(string: "\"ab\"")
        let range = ByteRange(0, 9)
        #expect(buffer.string(range) == nil)
        #expect(buffer.text(range) == "")
        #expect(buffer.slice(range).readableBytes == 0)
        #expect(buffer.integer(range) == nil)
        #expect(ByteRange(4, 2).isEmpty)
        #expect(buffer.splicing(Edit(range, "1"), newline: false) == buffer)
        #expect(buffer.splicing(Edit(ByteRange(0, 3), "1"), Edit(ByteRange(2, 4), "2"), newline: false) == buffer)
    }

    @Test(arguments: [
        ("0", 0), ("-5", -5), ("9223372036854775807", Int.max), ("9223372036854775808", nil), ("1.0", nil),
    ])
    func integers(token: String, value: Int?) {
        #expect(ByteBuffer(string: token).integer(ByteRange(0, token.utf8.count)) == value)
    }

    @Test func splicing() throws {
        let text = #"{"jsonrpc":"2.0","id":"a","method":"m","params":{"_meta":{"progressToken":"long token"}}}"#
        var message = ByteBuffer(string: "xx" + text)
        message.moveReaderIndex(forwardBy: 2)
        let envelope = try Envelope.scan(message)
        let id = try #require(envelope[.id])
        let progressToken = try #require(envelope[.metaProgressToken])

        let expected = #"{"jsonrpc":"2.0","id":123456,"method":"m","params":{"_meta":{"progressToken":9}}}"#
        let edits = (Edit(id, RequestID(123_456)), Edit(progressToken, RequestID(9)))
        #expect(String(buffer: message.splicing(edits.0, edits.1, newline: false)) == expected)
        #expect(String(buffer: message.splicing(edits.1, edits.0, newline: true)) == expected + "\n")
        #expect(
            String(buffer: message.splicing(edits.0, newline: false))
                == text.replacing(#""id":"a""#, with: #""id":123456"#)
        )
        #expect(String(buffer: message.splicing(newline: true)) == text + "\n")
        let inserted = message.splicing(Edit(ByteRange(1, 1), #""x":1,"#), newline: false)
        #expect(String(buffer: inserted) == #"{"x":1,"# + text.dropFirst())
    }

    @Test func membersOfAnObject() {
        let text = #"[{"a": {"b":1} , "\u0063":[2,{}],"a":null}, {}]"#
        let buffer = ByteBuffer(string: text)
        let found = members(of: ByteRange(1, 42), in: buffer)
        #expect(found.map(\.name) == ["a", "c", "a"])
        #expect(found.map { buffer.text($0.value) } == [#"{"b":1}"#, "[2,{}]", "null"])
        #expect(members(of: ByteRange(0, text.utf8.count), in: buffer).isEmpty)
        #expect(members(of: ByteRange(44, 46), in: buffer).isEmpty)
        #expect(members(of: ByteRange(99, 100), in: buffer).isEmpty)
    }

    @Test(arguments: ["", "plain", "\"\\/", "\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "é€😀\u{2028}"])
    func writingStrings(string: String) throws {
        var buffer = ByteBuffer()
        buffer.writeJSONString(string)
        #expect(isValidJSON(Array(buffer.readableBytesView)))
        #expect(buffer.string(ByteRange(0, buffer.readableBytes)) == string)
        let parsed = try JSONSerialization.jsonObject(with: Data(buffer.readableBytesView), options: .fragmentsAllowed)
        #expect(parsed as? String == string)
    }

    @Test func errorObjects() throws {
        let bare = ErrorObject.response(id: nil, code: -32700, message: "bad \"JSON\"\n")
        #expect(
            String(buffer: bare)
                == #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad \"JSON\"\n"}}"#
        )
        let full = ErrorObject.response(
            id: RequestID(token: "\"a\""),
            code: -32000,
            message: "gone",
            data: [
                ("reason", .string("exit")), ("status", .integer(137)), ("restarting", .bool(true)), ("signal", .null),
                ("supported", .strings(["a", "b\"", "c"])), ("none", .strings([])),
            ]
        )
        #expect(
            String(buffer: full)
                == #"{"jsonrpc":"2.0","id":"a","error":{"code":-32000,"message":"gone","data":{"reason":"exit","#
                + #""status":137,"restarting":true,"signal":null,"supported":["a","b\"","c"],"none":[]}}}"#
        )
        for buffer in [bare, full] { #expect(try Envelope.scan(buffer).kind == .error) }
    }
}
