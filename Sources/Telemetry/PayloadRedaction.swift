// SPDX-License-Identifier: Apache-2.0

internal import JSONRPC
internal import NIOCore

/// What `--log-payloads` shows of a message: its JSON text, with the values that are likely to be secrets left out.
///
/// By name, at any depth: a name that contains one of `secretWords`, whatever its case, as a member, in a pair of members
/// `name` and `value`, or inside a string (`SecretsInText`). It is a net, not a promise, which is why payloads are logged
/// on demand only.
enum PayloadRedaction {
    static let secretWords = [
        "password", "passwd", "passphrase", "secret", "token", "authorization", "credential", "cookie", "apikey",
        "api_key", "api-key", "privatekey", "private_key", "private-key", "accesskey", "access_key", "session",
        "passcode", "pwd", "jwt",
    ]

    /// Names that only sound like one: they belong to the protocol, and a log without them explains little.
    private static let harmless: Set<String> = ["progresstoken"]

    static func isSecret(name: String) -> Bool {
        let lowercase = name.lowercased()
        return !harmless.contains(lowercase) && secretWords.contains { lowercase.contains($0) }
    }

    /// The text of a message that may have been cut off at its end.
    static func text(of message: ByteBuffer) -> String {
        var scanner = Scanner(bytes: Array(message.readableBytesView))
        return String(decoding: scanner.redacted(), as: UTF8.self)
    }

    /// Walks over tokens, not values, so that a message that was cut somewhere is still redacted up to there.
    private struct Scanner {
        let bytes: [UInt8]
        private var position = 0
        /// Whether the last string that was a value sounds like the name of a secret, as in
        /// `{"name":"API_KEY","value":"x"}`.
        private var announcesSecret = false

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func redacted() -> [UInt8] {
            var output: [UInt8] = []
            output.reserveCapacity(bytes.count)
            while position < bytes.count {
                guard bytes[position] == UInt8(ascii: "\"") else {
                    output.append(bytes[position])
                    position += 1
                    continue
                }
                let string = takeString()
                let afterString = position
                skipBlanks()
                guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else {
                    output.append(contentsOf: SecretsInText.masked(string))
                    announcesSecret = isSecret(string)
                    position = afterString
                    continue
                }
                output.append(contentsOf: string)
                guard isSecret(string) || announcesSecret && string.elementsEqual(#""value""#.utf8) else {
                    position = afterString
                    continue
                }
                position += 1
                skipValue()
                output.append(contentsOf: #":"***""#.utf8)
            }
            return output
        }

        private func isSecret(_ string: ArraySlice<UInt8>) -> Bool {
            // An escape in the name of a member is rare enough to be suspicious by itself.
            guard !string.contains(UInt8(ascii: "\\")) else { return true }
            return PayloadRedaction.isSecret(name: String(decoding: string.dropFirst().dropLast(), as: UTF8.self))
        }

        private mutating func takeString() -> ArraySlice<UInt8> {
            let start = position
            position += 1
            while position < bytes.count {
                let byte = bytes[position]
                position += byte == UInt8(ascii: "\\") ? 2 : 1
                if byte == UInt8(ascii: "\"") { break }
            }
            position = min(position, bytes.count)
            return bytes[start..<position]
        }

        private mutating func skipBlanks() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }

        /// Past a value of any kind; to the end when it was cut off.
        private mutating func skipValue() {
            skipBlanks()
            var depth = 0
            while position < bytes.count {
                switch bytes[position] {
                case UInt8(ascii: "\""):
                    _ = takeString()
                    if depth == 0 { return }
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    // The end of what the member stands in, behind a number or a word.
                    guard depth > 0 else { return }
                    depth -= 1
                    if depth == 0 { return position += 1 }
                case UInt8(ascii: ",") where depth == 0: return
                default: break
                }
                position += 1
            }
        }
    }
}
