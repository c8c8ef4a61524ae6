// SPDX-License-Identifier: Apache-2.0

/// The words of `text` as a POSIX shell splits them: white space between words, single quotes, double quotes and
/// backslashes, but no expansion of any kind. Nil if a quote has no end.
package func splitWords(_ text: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Unicode.Scalar?
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
        if let open = quote {
            if scalar == open {
                quote = nil
            } else if scalar == "\\", open == "\"", let next = rest.first, "\"\\$`\n".unicodeScalars.contains(next) {
                rest.removeFirst()
                if next != "\n" { word.append(next) }
            } else {
                word.append(scalar)
            }
        } else if scalar == "'" || scalar == "\"" {
            quote = scalar
            word = word ?? ""
        } else if scalar == "\\", let next = rest.popFirst() {
            if next != "\n" { word.append(next) }
        } else if [" ", "\t", "\n", "\r"].contains(scalar) {
            if let finished = word { words.append(finished) }
            word = nil
        } else {
            word.append(scalar)
        }
    }
    if let word { words.append(word) }
    return quote == nil ? words : nil
}

extension String? {
    fileprivate mutating func append(_ scalar: Unicode.Scalar) {
        var text = self ?? ""
        self = nil
        text.unicodeScalars.append(scalar)
        self = text
    }
}

/// Letters, digits and underscores, no digit first.
package func isVariableName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, !isDigit(first) else { return false }
    return text.utf8.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "_") }
}

private func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

private func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= (byte | 0x20) }
