// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The members of a JSON object as byte ranges, so that a value can be answered with as it was spelled.
///
/// Keys are compared as they are spelled. Of a text that is not an object, or breaks off, there are no members.
func topLevelMembers(_ bytes: UnsafeRawBufferPointer) -> [String: Range<Int>] {
    guard let base = bytes.baseAddress else { return [:] }
    var position = 0
    func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }
    /// Moves behind the string that begins here.
    func skipString() {
        position += 1
        while let quote = memchr(base + position, 0x22, bytes.count - position) {
            let end = UnsafeRawPointer(quote) - base
            var slashes = 0
            while end - slashes > position, bytes[end - slashes - 1] == UInt8(ascii: "\\") { slashes += 1 }
            position = end + 1
            if slashes.isMultiple(of: 2) { return }
        }
        position = bytes.count
    }
    /// Moves to the comma or the closing brace behind the value that begins here.
    func skipValue() {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return }
                depth -= 1
                position += 1
            case UInt8(ascii: ",") where depth == 0: return
            default: position += 1
            }
        }
    }
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "{") else { return [:] }
    var members: [String: Range<Int>] = [:]
    while position < bytes.count {
        position += 1
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return members }
        let keyStart = position + 1
        skipString()
        let key = String(decoding: bytes[keyStart..<max(keyStart, position - 1)], as: UTF8.self)
        skipSpace()
        position += 1
        skipSpace()
        let start = min(position, bytes.count)
        skipValue()
        var end = position
        while end > start, bytes[end - 1] <= 0x20 { end -= 1 }
        members[key] = start..<end
        guard position < bytes.count, bytes[position] == UInt8(ascii: ",") else { return members }
    }
    return members
}

/// A line from the client.
struct Message: Sendable {
    /// What the specification calls it, nil for none of the three.
    enum Kind { case request, notification, response }

    /// The spelling of the id, to be answered with.
    let id: JSON?
    /// The id as a value, to compare with.
    let key: JSON?
    let method: String?
    let params: JSON
    let result: JSON?
    let error: JSON?

    var kind: Kind? {
        if method != nil { return id == nil ? .notification : .request }
        return id != nil && (result != nil) != (error != nil) ? .response : nil
    }

    /// Throws when the line is not a JSON object.
    init(line: [UInt8]) throws {
        let ranges = line.withUnsafeBytes(topLevelMembers)
        id = ranges["id"].map { .raw(Array(line[$0])) }
        // Foundation cannot read the numbers that this method is there to carry.
        if let method = ranges["method"], line[method].elementsEqual(#""x-fixture/raw""#.utf8) {
            self.method = "x-fixture/raw"
            key = id
            params = ranges["params"].map { .raw(Array(line[$0])) } ?? [:]
            (result, error) = (nil, nil)
            return
        }
        guard let members = try JSON(parsing: line).object else {
            throw Fault(code: -32600, message: "the message is not an object")
        }
        key = members["id"]
        method = members["method"]?.string
        params = members["params"] ?? [:]
        (result, error) = (members["result"], members["error"])
    }
}

/// A JSON-RPC error.
struct Fault: Error, Sendable {
    var code: Int
    var message: String
    var data: JSON?

    var json: JSON {
        var json: JSON = ["code": .int(code), "message": .string(message)]
        json["data"] = data
        return json
    }

    static let cancelled = Fault(code: -32800, message: "Request cancelled")

    static func invalidParams(_ message: String) -> Fault { Fault(code: -32602, message: message) }
    static func methodNotFound(_ message: String) -> Fault { Fault(code: -32601, message: message) }
}

/// What a tool throws that does not answer, or has answered already in its own way.
struct Silence: Error {}
