// SPDX-License-Identifier: Apache-2.0

/// One pass over a message: checks that it is JSON and notes where the members of `Member` lie.
///
/// A broken rule of JSON-RPC does not end the pass. Whether the bytes are JSON at all comes first, and the id, which
/// the refusal is to name, may stand behind the member that broke the rule.
struct EnvelopeScanner {
    private var json = JSONScanner()
    private(set) var ranges = MemberRanges()
    /// The first member found twice.
    private var duplicate: Member?
    private var hasDuplicateID = false

    /// Whether a CR or LF stands between tokens.
    var hasLineBreaks: Bool { json.hasLineBreaks }

    /// Scans the bytes of a whole message. See `Envelope.scan` for the rules.
    mutating func scan(_ bytes: Span<UInt8>) throws(ScanError) -> Envelope.Kind {
        json.skipWhitespace(bytes)
        let first = json.peek(bytes)
        if first == ASCII.openBracket { throw .batch }
        do throws(Malformed) {
            if first == ASCII.openBrace {
                try scanObject(bytes, .message)
            } else {
                try json.skipValue(bytes)
            }
            try json.skipToEnd(bytes)
        } catch {
            throw ScanError(error)
        }
        guard first == ASCII.openBrace else { throw .notJSONRPC("the message is not an object", id: nil) }
        return try classify(bytes)
    }

    /// Moves over an object whose members are looked for. Recurses into the scopes only, so four levels at most.
    private mutating func scanObject(_ bytes: Span<UInt8>, _ scope: Scope) throws(Malformed) {
        try json.open(bytes)
        if json.peek(bytes) != ASCII.closeBrace {
            repeat { try scanMember(bytes, scope) } while json.skipComma(bytes)
        }
        try json.close(bytes, ASCII.closeBrace)
    }

    /// Moves over one member and notes it when it is looked for.
    @inline(__always)
    private mutating func scanMember(_ bytes: Span<UInt8>, _ scope: Scope) throws(Malformed) {
        guard let member = try scanKey(bytes, scope) else { return try json.skipValue(bytes) }
        let start = json.offset
        if let inner = Scope(of: member), json.peek(bytes) == ASCII.openBrace {
            try scanObject(bytes, inner)
        } else {
            try json.skipValue(bytes)
        }
        if !ranges.note(member, ByteRange(scanned: start, json.offset)) {
            duplicate = duplicate ?? member
            hasDuplicateID = hasDuplicateID || member == .id
        }
    }

    /// Moves over a key, the colon and the whitespace around it, and tells which member it names.
    @inline(__always)
    private mutating func scanKey(_ bytes: Span<UInt8>, _ scope: Scope) throws(Malformed) -> Member? {
        guard json.peek(bytes) == ASCII.quote else {
            throw Malformed(offset: json.offset, expected: "a member's name")
        }
        let start = json.offset + 1
        let hasEscapes = try json.skipString(bytes)
        let end = json.offset - 1
        try json.skipColon(bytes)
        return hasEscapes
            ? unescapedMember(bytes, start, end, scope) : scope.member(named: bytes.extracting(start..<end))
    }

    /// The member that a key with escapes names, compared as the receiver will read it.
    @inline(never)
    private func unescapedMember(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ scope: Scope) -> Member? {
        // Room for the longest name there is; a longer one is none of them.
        var name = InlineArray<42, UInt8>(repeating: 0)
        var count = 0
        var decoder = StringDecoder(start, end)
        while let byte = decoder.next(bytes) {
            guard count < name.count else { return nil }
            name[count] = byte
            count += 1
        }
        return scope.member(named: name.span.extracting(0..<count))
    }

    /// Holds the members against the rules of JSON-RPC 2.0.
    private mutating func classify(_ bytes: Span<UInt8>) throws(ScanError) -> Envelope.Kind {
        @inline(__always)
        func first(_ member: Member) -> UInt8? { ranges[member].map { bytes[Int($0.lowerBound)] } }

        if let duplicate { throw .duplicateMember(duplicate.path, id: readableID(bytes)) }
        guard let version = ranges[.jsonrpc], isVersion(bytes, version) else {
            throw violation("jsonrpc is not \"2.0\"", bytes)
        }
        if let params = first(.params), params != ASCII.openBrace, params != ASCII.openBracket {
            throw violation("params is neither an object nor an array", bytes)
        }
        let idIsNull = first(.id) == UInt8(ascii: "n")
        if let id = ranges[.id], !idIsNull {
            guard isIDToken(bytes, Int(id.lowerBound), Int(id.upperBound)) else {
                throw violation("id is neither a string nor an integer", bytes)
            }
            guard id.count <= RequestID.maximumLength else {
                throw violation("id is longer than \(RequestID.maximumLength) bytes", bytes)
            }
        }

        let kind: Envelope.Kind
        switch (first(.method), ranges[.result] != nil, first(.error)) {
        case (let method?, false, nil):
            guard method == ASCII.quote else { throw violation("method is not a string", bytes) }
            kind = ranges[.id] == nil ? .notification : .request
        case (nil, true, nil):
            guard ranges[.id] != nil else { throw violation("a result without an id", bytes) }
            kind = .result
        case (nil, false, let error?):
            guard error == ASCII.openBrace else { throw violation("error is not an object", bytes) }
            kind = .error
        case (nil, false, nil):
            throw violation("none of method, result and error", bytes)
        default:
            throw violation("more than one of method, result and error", bytes)
        }
        if idIsNull, kind != .error { throw violation("id is null", bytes) }
        return kind
    }

    private func isVersion(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        // Any other spelling of the same string has an escape and is longer; what it says is the same.
        if range.count == 5 { return matches(bytes, at: Int(range.lowerBound), "\"2.0\"") }
        guard bytes[Int(range.lowerBound)] == ASCII.quote else { return false }
        var decoder = StringDecoder(Int(range.lowerBound) + 1, Int(range.upperBound) - 1)
        return decoder.next(bytes) == UInt8(ascii: "2") && decoder.next(bytes) == ASCII.dot
            && decoder.next(bytes) == ASCII.zero && decoder.next(bytes) == nil
    }

    private func violation(_ rule: String, _ bytes: Span<UInt8>) -> ScanError {
        .notJSONRPC(rule, id: readableID(bytes))
    }

    /// The id, when there is exactly one and it is valid.
    private func readableID(_ bytes: Span<UInt8>) -> RequestID? {
        guard !hasDuplicateID, let range = ranges[.id], range.count <= RequestID.maximumLength,
            isIDToken(bytes, Int(range.lowerBound), Int(range.upperBound))
        else { return nil }
        var token: [UInt8] = []
        for index in Int(range.lowerBound)..<Int(range.upperBound) { token.append(bytes[index]) }
        return RequestID(validated: String(decoding: token, as: UTF8.self))
    }
}

/// Checks that the bytes are one JSON value, with nothing but whitespace around it.
func validateJSON(_ bytes: Span<UInt8>) throws(Malformed) {
    var json = JSONScanner()
    json.skipWhitespace(bytes)
    try json.skipValue(bytes)
    try json.skipToEnd(bytes)
}
