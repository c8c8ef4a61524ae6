// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import JSONRPC

func scan(_ text: String) throws(ScanError) -> Envelope { try Envelope.scan(ByteBuffer(string: text)) }

func scanError(_ message: ByteBuffer) -> ScanError? {
    do throws(ScanError) {
        _ = try Envelope.scan(message)
        return nil
    } catch {
        return error
    }
}

func scanError(_ text: String) -> ScanError? { scanError(ByteBuffer(string: text)) }

/// A request around the JSON text of its params.
func request(params: String) -> String { #"{"jsonrpc":"2.0","id":1,"method":"m","params":\#(params)}"# }

@Suite struct EnvelopeTests {
    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Envelope.Kind.request),
        (#"{"method":"ping","id":"a","jsonrpc":"2.0"}"#, .request),
        (#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, .notification),
        (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, .result),
        (#"{"jsonrpc":"2.0","id":"","result":null}"#, .result),
        (#"{"jsonrpc":"2.0","id":-7,"error":{"code":-1,"message":"x"}}"#, .error),
        (#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x"}}"#, .error),
        (#"{"jsonrpc":"2.0","error":{}}"#, .error),
        (#"{"\u006asonrpc":"2\u002e0","i\u0064":1,"\u006dethod":"ping"}"#, .request),
        (" \t\r\n{\"jsonrpc\" : \"2.0\" , \"method\":\"m\", \"params\":[]} \n", .notification),
    ])
    func kinds(text: String, kind: Envelope.Kind) throws {
        #expect(try scan(text).kind == kind)
    }

    @Test(arguments: [
        ("{}", "jsonrpc is not \"2.0\"", nil),
        (#"{"jsonrpc":2.0,"id":5,"method":"m"}"#, "jsonrpc is not \"2.0\"", "5"),
        (#"{"jsonrpc":"1.0","id":5,"method":"m"}"#, "jsonrpc is not \"2.0\"", "5"),
        (#"{"jsonrpc":"2.0.","id":5,"method":"m"}"#, "jsonrpc is not \"2.0\"", "5"),
        (#"{"id":5,"method":"m"}"#, "jsonrpc is not \"2.0\"", "5"),
        (#"{"jsonrpc":"2.0","id":5}"#, "none of method, result and error", "5"),
        (#"{"jsonrpc":"2.0","id":5,"method":7}"#, "method is not a string", "5"),
        (#"{"jsonrpc":"2.0","method":null,"id":"five"}"#, "method is not a string", "\"five\""),
        (#"{"jsonrpc":"2.0","id":5,"method":"m","params":1}"#, "params is neither an object nor an array", "5"),
        (#"{"jsonrpc":"2.0","id":5,"method":"m","params":null}"#, "params is neither an object nor an array", "5"),
        (#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, "id is null", nil),
        (#"{"jsonrpc":"2.0","id":null,"result":1}"#, "id is null", nil),
        (#"{"jsonrpc":"2.0","id":1.0,"method":"m"}"#, "id is neither a string nor an integer", nil),
        (#"{"jsonrpc":"2.0","id":1e3,"method":"m"}"#, "id is neither a string nor an integer", nil),
        (#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, "id is neither a string nor an integer", nil),
        (#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#, "id is neither a string nor an integer", nil),
        (#"{"jsonrpc":"2.0","id":{},"error":{}}"#, "id is neither a string nor an integer", nil),
        (#"{"jsonrpc":"2.0","result":1}"#, "a result without an id", nil),
        (#"{"jsonrpc":"2.0","id":5,"error":"no"}"#, "error is not an object", "5"),
        (#"{"jsonrpc":"2.0","id":5,"result":1,"error":{}}"#, "more than one of method, result and error", "5"),
        (#"{"jsonrpc":"2.0","id":5,"method":"m","result":1}"#, "more than one of method, result and error", "5"),
        (#"{"jsonrpc":"2.0","id":5,"method":"m","error":{}}"#, "more than one of method, result and error", "5"),
        ("5", "the message is not an object", nil),
        ("\"x\"", "the message is not an object", nil),
    ])
    func notJSONRPC(text: String, reason: String, id: String?) {
        #expect(scanError(text) == .notJSONRPC(reason, id: id.flatMap { RequestID(token: $0) }))
    }

    @Test func anIDOfAtMost256Bytes() throws {
        let longest = "\"" + String(repeating: "x", count: 254) + "\""
        let text = #"{"jsonrpc":"2.0","id":\#(longest),"method":"m"}"#
        #expect(try scan(text).id(in: ByteBuffer(string: text))?.token == longest)
        let tooLong = "1" + String(repeating: "0", count: 256)
        #expect(
            scanError(#"{"jsonrpc":"2.0","id":\#(tooLong),"method":"m"}"#)
                == .notJSONRPC("id is longer than 256 bytes", id: nil)
        )
    }

    @Test(arguments: ["[]", " [1", "[{\"jsonrpc\":\"2.0\"}]"])
    func batch(text: String) {
        #expect(scanError(text) == .batch)
    }

    /// Where each member lies, and that none of its paths can be there twice.
    @Test(arguments: Member.allCases)
    func members(member: Member) throws {
        let names = JSONRPCTests.names(of: member)
        let name = names[names.count - 1]
        let value = Self.value(of: member)
        /// A message with those members where the member belongs.
        func message(_ members: String) -> ByteBuffer {
            let inner = names.dropFirst().reversed().reduce(members) { text, name in
                name == names[names.count - 1] ? text : "\"\(name)\" : { \"other\": [{}], \(text) }"
            }
            let text = names.count == 1 ? members : "\"\(names[0])\": {\(inner)}"
            let isAnswer = ["result", "error"].contains(names[0])
            let others = [("jsonrpc", "\"2.0\""), ("id", "1"), ("method", "\"m\"")]
                .filter { $0.0 != names[0] && !($0.0 == "method" && isAnswer) }
                .map { "\"\($0.0)\": \($0.1)" }
            return ByteBuffer(string: "{ " + (others + [text]).joined(separator: ", ") + " }")
        }

        let once = message("\"\(name)\": \(value)")
        #expect(try Envelope.scan(once)[member].map { once.text($0) } == value)

        for spelling in [name, Self.escaped(name)] {
            let twice = message("\"\(name)\":\(value),\"\(spelling)\" : \(value)")
            let id = member == .id ? nil : RequestID(1)
            #expect(scanError(twice) == .duplicateMember(member.path, id: id))
        }
    }

    private static func value(of member: Member) -> String {
        switch member {
        case .jsonrpc: "\"2.0\""
        case .method: "\"tools/call\""
        case .params, .error: "{\"x\":1}"
        case .id: "1"
        default: "\"v\""
        }
    }

    private static func escaped(_ name: String) -> String {
        name.utf8.map { "\\u00" + (String($0, radix: 16).count < 2 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func membersAreOnlyFoundAtTheirPath() throws {
        let text = request(params: #"{"arguments":{"name":1,"uri":2,"_meta":{"progressToken":3}},"_meta":{"name":1}}"#)
        let envelope = try scan(text)
        #expect(envelope[.name] == nil)
        #expect(envelope[.uri] == nil)
        #expect(envelope[.metaProgressToken] == nil)
        #expect(try scan(request(params: #"[{"name":1}]"#))[.name] == nil)
        #expect(try scan(request(params: #"{"_meta":[{"progressToken":1}]}"#))[.metaProgressToken] == nil)
    }

    @Test func otherMembersMayStandThereTwice() throws {
        _ = try scan(request(params: #"{"x":1,"x":1,"arguments":{"name":1,"name":1}}"#))
        // The unescaped name is longer than any that is looked for, or ends early.
        _ = try scan(request(params: #"{"nam\u0065\u0000":1,"nam\u0065":1,"nam\ud800":1,"nam":1}"#))
    }

    @Test func invalidJSONComesFirst() {
        #expect(scanError(#"{"id":1,"id":1,}"#) == .invalidJSON(offset: 15, expected: "a member's name"))
        #expect(scanError("") == .invalidJSON(offset: 0, expected: "a value"))
        #expect(scanError("{} x") == .invalidJSON(offset: 3, expected: "the end of the message"))
    }

    @Test(arguments: [
        (#"{"jsonrpc":"2.0","method":"m"}"#, false),
        ("{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}", true),
        ("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\r", true),
        ("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":[1,\r2]}}", true),
        (#"{"jsonrpc":"2.0","method":"a\r\nb"}"#, false),
    ])
    func lineBreaks(text: String, hasLineBreaks: Bool) throws {
        var message = ByteBuffer(string: text)
        let envelope = try Envelope.scan(message)
        #expect(envelope.hasLineBreaks == hasLineBreaks)
        message.flattenLineBreaks()
        #expect(!message.readableBytesView.contains { $0 == 10 || $0 == 13 })
        #expect(message.readableBytes == text.utf8.count)
        #expect(try Envelope.scan(message)[.method] == envelope[.method])
    }

    @Test func offsetsCountFromTheReaderIndex() throws {
        var message = ByteBuffer(string: #"garbage{"jsonrpc":"2.0","id":"x","method":"m"}"#)
        message.moveReaderIndex(forwardBy: 7)
        let envelope = try Envelope.scan(message)
        #expect(envelope.id(in: message)?.token == "\"x\"")
        #expect(envelope[.method].flatMap { message.string($0) } == "m")
    }
}

@Suite struct BatchTests {
    @Test(arguments: [
        ("[]", []),
        (" [ ] ", []),
        ("[1]", ["1"]),
        (#"[{"a":[1,2]} , "x",[],null]"#, [#"{"a":[1,2]}"#, "\"x\"", "[]", "null"]),
    ])
    func split(text: String, members: [String]) throws {
        let buffer = ByteBuffer(string: text)
        #expect(try Batch.split(buffer).map { buffer.text($0) } == members)
    }

    @Test(arguments: ["[", "[1", "[1,", "[1,]", "[,]", "[1]]", "[1 2]", "[{]"])
    func invalid(text: String) {
        #expect {
            _ = try Batch.split(ByteBuffer(string: text))
        } throws: { error in
            if case ScanError.invalidJSON = error { true } else { false }
        }
    }

    @Test func limits() throws {
        let most = "[" + Array(repeating: "1", count: Batch.maximumCount).joined(separator: ",") + "]"
        #expect(try Batch.split(ByteBuffer(string: most)).count == Batch.maximumCount)
        #expect(throws: ScanError.notJSONRPC("the batch has more than 1024 messages", id: nil)) {
            try Batch.split(ByteBuffer(string: "[1," + most.dropFirst()))
        }
        #expect(throws: ScanError.notJSONRPC("the batch is not an array", id: nil)) {
            try Batch.split(ByteBuffer(string: "{}"))
        }
    }
}
