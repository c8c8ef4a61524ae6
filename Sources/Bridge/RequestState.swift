// SPDX-License-Identifier: Apache-2.0

import Crypto
import JSONRPC
import MCP
import NIOCore

/// Where a parked call stands, as its client carries it around in `requestState` (2026-07-28, "Multi Round-Trip
/// Requests").
struct RequestState: Equatable {
    /// The session of the call.
    var session: SessionKey
    /// How often its client has been asked something.
    var round: Int
    /// From then on nobody waits for the answer any more.
    var expiry: NIODeadline
}

/// Seals request states: nobody but this process can read or make one, and one belongs to the call and the caller it
/// was made for. The key never leaves the process, so one from an earlier run opens nothing.
struct RequestSeal {
    private let key = SymmetricKey(size: .bits256)

    /// The state as text for the client.
    ///
    /// - Parameter context: What it belongs to; `open` must be given the same.
    func seal(_ state: RequestState, context: RequestContext) -> String {
        let plain = [UInt64(state.session.number), UInt64(state.round), state.expiry.uptimeNanoseconds].flatMap(\.bytes)
        // Fails only for messages of hundreds of gigabytes.
        guard let box = try? ChaChaPoly.seal(plain, using: key, authenticating: context.bytes) else { return "" }
        return Base64.encode(box.combined)
    }

    /// A child's own state as text for the client, good for that caller only.
    ///
    /// - Parameter token: The JSON token, whatever it says.
    func seal(_ token: String, for credentials: String?) -> String {
        let context = Self.context(of: credentials)
        guard let box = try? ChaChaPoly.seal(Array(token.utf8), using: key, authenticating: context) else { return "" }
        return Base64.encode(box.combined)
    }

    /// The JSON token in a client's text; nil when it was not sealed here, or for somebody else, or was changed.
    func open(_ text: String, for credentials: String?) -> String? {
        guard let bytes = Base64.decode(text.utf8), let box = try? ChaChaPoly.SealedBox(combined: bytes),
            let plain = try? ChaChaPoly.open(box, using: key, authenticating: Self.context(of: credentials))
        else { return nil }
        return String(decoding: plain, as: UTF8.self)
    }

    /// Longer than the hash that a parked call is bound to: what is sealed as one opens as the other nowhere.
    private static func context(of credentials: String?) -> [UInt8] {
        Array("the state of a child for a caller, ".utf8) + (credentials.map { [1] + Array($0.utf8) } ?? [0])
    }

    /// The state in a client's text; nil when it was not sealed here, or for something else, or was changed.
    func open(_ text: String, context: RequestContext) -> RequestState? {
        guard let bytes = Base64.decode(text.utf8), let box = try? ChaChaPoly.SealedBox(combined: bytes),
            let plain = try? ChaChaPoly.open(box, using: key, authenticating: context.bytes), plain.count == 24
        else { return nil }
        let numbers = stride(from: 0, to: 24, by: 8).map { start in
            plain.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return RequestState(
            session: SessionKey(number: Int(numbers[0])),
            round: Int(numbers[1]),
            expiry: .uptimeNanoseconds(numbers[2])
        )
    }
}

/// What a request state is bound to: the caller, the method and its parameters, without those that belong to one try.
struct RequestContext: Equatable {
    fileprivate let bytes: [UInt8]

    init(_ incoming: Incoming, credentials: String?) {
        var hash = SHA256()
        func add(_ text: String) {
            // With its length before it, so that no two sequences of texts read the same.
            hash.update(data: UInt64(text.utf8.count).bytes)
            hash.update(data: Array(text.utf8))
        }
        add(credentials ?? "")
        add(incoming.text(.method) ?? "")
        let params = incoming.envelope[.params].map { members(of: $0, in: incoming.message) } ?? []
        for member in params.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        where !["_meta", "inputResponses", "requestState"].contains(member.name) {
            add(member.name)
            add(Self.canonical(member.value, in: incoming.message))
        }
        bytes = Array(hash.finalize())
    }

    /// A JSON value in one form, however it was written: without white space, members sorted by name, strings without
    /// escapes they don't need. Clients may write the same call anew.
    private static func canonical(_ range: ByteRange, in message: ByteBuffer, depth: Int = 0) -> String {
        if let string = message.string(range) { return Messages.quoted(string) }
        let token = message.text(range)
        // Deeper than arguments are; each level is read once more.
        guard depth < 32 else { return token }
        if token.hasPrefix("{") {
            var object = ObjectText()
            for member in members(of: range, in: message).sorted(by: {
                $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
            }) {
                object.add(member.name, canonical(member.value, in: message, depth: depth + 1))
            }
            return object.text
        }
        guard token.hasPrefix("[") else { return token }
        return "["
            + elements(of: range, in: message).map { canonical($0, in: message, depth: depth + 1) }.joined(
                separator: ","
            ) + "]"
    }
}

extension UInt64 {
    /// Most significant first.
    fileprivate var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) } }
}
