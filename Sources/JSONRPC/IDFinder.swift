// SPDX-License-Identifier: Apache-2.0

/// Looks for the top-level `id` of a message that is too long to be kept, a piece at a time.
///
/// It follows strings and brackets and checks nothing else: what it is fed may be no JSON at all. Keys are compared
/// as they are spelled. The first `id` counts.
struct IDFinder {
    /// What the bytes at the top level of the message are.
    private enum Place {
        case beforeMessage, key, value, afterMessage
    }

    /// A short run of bytes that is kept: a key, or the token of the id.
    private struct Token {
        private(set) var bytes: [UInt8] = []

        mutating func append(_ byte: UInt8) {
            if bytes.count <= RequestID.maximumLength { bytes.append(byte) }
        }

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private var place = Place.beforeMessage
    /// How many brackets are open.
    private var depth = 0
    private var inString = false
    private var afterBackslash = false
    /// The key at the top level that was read last, with its quotes.
    private var key = Token()
    /// The value of `id`, as far as it was read.
    private var token = Token()
    private var isReadingID = false
    private var id: RequestID?
    private var hasMethod = false

    /// The id, when the bytes fed so far look like those of an answer.
    var answerID: RequestID? { hasMethod ? nil : id }

    /// Takes the next bytes.
    mutating func feed(_ bytes: Span<UInt8>) {
        var position = 0
        while position < bytes.count {
            if place == .afterMessage { return }
            if inString, place == .value, !afterBackslash, !isReadingID {
                position = endOfPlainText(bytes, from: position)
                guard position < bytes.count else { return }
            }
            step(bytes[position])
            position += 1
        }
    }

    private mutating func step(_ byte: UInt8) {
        if inString {
            keep(byte)
            if afterBackslash {
                afterBackslash = false
            } else if byte == ASCII.backslash {
                afterBackslash = true
            } else if byte == ASCII.quote {
                inString = false
            }
            return
        }
        switch byte {
        case ASCII.space, ASCII.tab, ASCII.carriageReturn:
            return
        case ASCII.quote where depth > 0:
            inString = true
        case ASCII.openBrace, ASCII.openBracket:
            depth += 1
            if depth == 1 {
                place = byte == ASCII.openBrace ? .key : .afterMessage
                return
            }
        case ASCII.closeBrace, ASCII.closeBracket:
            depth -= 1
            if depth <= 0 {
                endMember()
                place = .afterMessage
                return
            }
        case ASCII.comma where depth == 1:
            endMember()
            place = .key
            key = Token()
            return
        case ASCII.colon where depth == 1 && place == .key:
            place = .value
            hasMethod = hasMethod || key.text == "\"method\""
            isReadingID = id == nil && key.text == "\"id\""
            return
        default:
            if depth == 0 {
                place = .afterMessage
                return
            }
        }
        keep(byte)
    }

    /// Adds a byte to the key or to the id, when it is part of one.
    private mutating func keep(_ byte: UInt8) {
        if isReadingID {
            token.append(byte)
        } else if place == .key, depth == 1 {
            key.append(byte)
        }
    }

    private mutating func endMember() {
        guard isReadingID else { return }
        isReadingID = false
        id = RequestID(token: token.text)
        token = Token()
    }
}
