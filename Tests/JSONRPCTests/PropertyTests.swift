// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import SeededRandom
import Testing

@testable import JSONRPC

// Random messages and broken ones, held against Foundation's JSON parser.

/// Writes random JSON texts.
struct JSONWriter {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &generator)]
    }

    mutating func space() -> String { chance(80) ? "" : pick([" ", "\t", "\n", "\r\n", "   "]) }

    /// A JSON string with that content; now and then with escapes that are not needed.
    mutating func string(_ content: String) -> String {
        var text = "\""
        let spelledOut = chance(15)
        for scalar in content.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            guard mustEscape || spelledOut && chance(50) else {
                text.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16, uppercase: chance(50))
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return text + "\""
    }

    mutating func content() -> String {
        let pieces = [
            "", "a", "name", "id", "plain text of some length", "\"", "\\", "{", "}", "]", ",", "é", "€", "😀", "\n",
            "\r",
            "\u{0}", "\u{1f}", "\u{7f}", "\u{2028}", "0123456789abcdef",
        ]
        return (0..<Int.random(in: 0...4, using: &generator)).map { _ in pick(pieces) }.joined()
    }

    mutating func scalar() -> String {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: pick(["true", "false", "null"])
        case 1: String(Int.random(in: -1000...1000, using: &generator))
        case 2: pick(["0", "-0", "1.5", "-2.25e3", "1E-2", "12345678901234", "0.0"])
        default: string(content())
        }
    }

    mutating func value(depth: Int) -> String {
        guard depth > 0, chance(60) else { return scalar() }
        if chance(50) {
            let elements = (0..<Int.random(in: 0...4, using: &generator)).map { _ in value(depth: depth - 1) }
            return "[" + space() + elements.joined(separator: space() + "," + space()) + space() + "]"
        }
        let names = Set((0..<Int.random(in: 0...4, using: &generator)).map { _ in content() })
        return object(names.sorted().map { ($0, value(depth: depth - 1)) })
    }

    mutating func object(_ members: [(String, String)]) -> String {
        let texts = members.shuffled(using: &generator).map { name, value in
            string(name) + space() + ":" + space() + value
        }
        return "{" + space() + texts.joined(separator: space() + "," + space()) + space() + "}"
    }

    /// An object with some of those members, and some that nobody looks for.
    mutating func object(_ candidates: [String], inner: [String: String] = [:]) -> String {
        var members: [(String, String)] = []
        for name in candidates where chance(40) { members.append((name, inner[name] ?? value(depth: 2))) }
        for name in ["x", "arguments", "Name", "ID", "namespace"] where chance(20) {
            members.append((name, value(depth: 4)))
        }
        return object(members)
    }

    mutating func id() -> String {
        chance(50) ? String(Int.random(in: -5...5000, using: &generator)) : string(content())
    }

    mutating func message() -> String {
        var members = [("jsonrpc", chance(90) ? "\"2.0\"" : string("2.0")), ("id", id())]
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
            let inner = [
                "task": object(["taskId"]), "_meta": object(["io.modelcontextprotocol/serverInfo", "name"]),
            ]
            let names = [
                "protocolVersion", "capabilities", "serverInfo", "instructions", "isError", "task", "name", "_meta",
                "resultType", "ttlMs", "cacheScope", "requestState", "inputRequests",
            ]
            members.append(("result", chance(80) ? object(names, inner: inner) : value(depth: 3)))
        case 1:
            members.append(("error", object(["code", "message", "data"])))
        default:
            members.append(("method", string(content())))
            if chance(30) { members.remove(at: 1) }
            if chance(80) {
                let related = "io.modelcontextprotocol/related-task"
                let meta = object(
                    ["progressToken", related, "io.modelcontextprotocol/protocolVersion"],
                    inner: [related: object(["taskId"])]
                )
                let names = [
                    "name", "uri", "level", "requestId", "progressToken", "taskId", "task", "protocolVersion",
                    "capabilities", "clientInfo", "elicitationId", "mode", "_meta",
                ]
                members.append(("params", object(names, inner: ["_meta": meta])))
            }
        }
        return space() + object(members) + space()
    }

    /// The same text with a few bytes changed, removed, added or repeated.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let interesting = Array("{}[]:,\"\\/u0123eE+-.tfn \n\r\t\u{0}\u{1f}aé€😀".utf8) + [0x80, 0xC0, 0xED, 0xF4, 0xFF]
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] = pick(interesting)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(pick(interesting), at: index)
            case 3: bytes.removeSubrange(index..<min(bytes.count, index + 4))
            case 4: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 6)], at: index)
            default:
                let other = Int.random(in: 0..<bytes.count, using: &generator)
                bytes.swapAt(index, other)
            }
        }
        return bytes
    }
}

func parse(_ bytes: some Sequence<UInt8>) -> NSObject? {
    (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) as? NSObject
}

/// The names along a member's path.
func names(of member: Member) -> [String] {
    // Those of the reserved keys of `_meta` have dots in them.
    switch member {
    case .metaProtocolVersion: ["params", "_meta", "io.modelcontextprotocol/protocolVersion"]
    case .metaClientCapabilities: ["params", "_meta", "io.modelcontextprotocol/clientCapabilities"]
    case .metaLogLevel: ["params", "_meta", "io.modelcontextprotocol/logLevel"]
    case .metaSubscriptionID: ["params", "_meta", "io.modelcontextprotocol/subscriptionId"]
    case .resultMetaServerInfo: ["result", "_meta", "io.modelcontextprotocol/serverInfo"]
    case .metaRelatedTask: ["params", "_meta", "io.modelcontextprotocol/related-task"]
    case .metaRelatedTaskID: ["params", "_meta", "io.modelcontextprotocol/related-task", "taskId"]
    default: member.path.split(separator: ".").map(String.init)
    }
}

@Suite struct PropertyTests {
    @Test(arguments: 0..<8)
    func membersLieWhereFoundationFindsThem(seed: Int) throws {
        var writer = JSONWriter(seed: UInt64(seed))
        for _ in 0..<150 {
            let text = writer.message()
            let message = ByteBuffer(string: text)
            let whole = try #require(parse(text.utf8), "\(text)")
            let envelope = try Envelope.scan(message)
            for member in Member.allCases {
                var expected: NSObject? = whole
                for name in names(of: member) { expected = (expected as? [String: NSObject])?[name] }
                let found = envelope[member].flatMap { parse(message.slice($0).readableBytesView) }
                #expect(found == expected, "\(member.path) in \(text)")
            }
            if let params = envelope[.params], let expected = (whole as? [String: NSObject])?["params"] {
                let found = members(of: params, in: message)
                    .map { ($0.name, parse(message.slice($0.value).readableBytesView)) }
                #expect(Dictionary(uniqueKeysWithValues: found) as NSObject == expected)
            }
        }
    }

    @Test(arguments: 0..<8)
    func splicedMessagesParse(seed: Int) throws {
        var writer = JSONWriter(seed: 100 + UInt64(seed))
        for _ in 0..<100 {
            var message = ByteBuffer(string: writer.message())
            let envelope = try Envelope.scan(message)
            guard let id = envelope[.id], var expected = parse(message.readableBytesView) as? [String: NSObject] else {
                continue
            }
            let newID = RequestID(Int.random(in: 0...1_000_000, using: &writer.generator))
            expected["id"] = parse(newID.token.utf8)
            var second: Edit?
            if let token = envelope[.metaProgressToken], var params = expected["params"] as? [String: NSObject],
                var meta = params["_meta"] as? [String: NSObject]
            {
                second = Edit(token, "\"p\"")
                meta["progressToken"] = "p" as NSString
                params["_meta"] = meta as NSDictionary
                expected["params"] = params as NSDictionary
            }
            if envelope.hasLineBreaks { message.flattenLineBreaks() }
            let spliced = message.splicing(Edit(id, newID), second, newline: true)
            #expect(parse(spliced.readableBytesView) == expected as NSDictionary)
            #expect(spliced.readableBytesView.count { $0 == 10 || $0 == 13 } == 1)
            #expect(try Envelope.scan(spliced).id(in: spliced) == newID)
        }
    }

    @Test(arguments: 0..<8)
    func mutationsAreJudgedAsFoundationDoes(seed: Int) {
        var writer = JSONWriter(seed: 200 + UInt64(seed))
        var accepted = 0
        for _ in 0..<600 {
            let bytes = writer.mutated(Array(writer.message().utf8))
            let isValid = isValidJSON(bytes)
            accepted += isValid ? 1 : 0
            if isValid != (parse(bytes) != nil) {
                let text = String(decoding: bytes, as: UTF8.self)
                #expect(Self.mayDiffer(text, isValid: isValid), "\(text.debugDescription)")
            }
            if !isValid, case .notJSONRPC? = scanError(ByteBuffer(bytes: bytes)) {
                Issue.record("a broken message got past the scanner")
            }
        }
        #expect(accepted > 50 && accepted < 550)
    }

    /// Where Foundation is known to differ from RFC 8259: it refuses escaped surrogates without their partner and
    /// numbers too large for it, and takes a comma before the end of an array.
    private static func mayDiffer(_ text: String, isValid: Bool) -> Bool {
        isValid
            ? text.contains(/\\u[dD][89a-fA-F]/) || text.contains(/[eE]\+?[0-9]{2,}/)
            : text.contains(/,[ \t\r\n]*\]/)
    }
}
