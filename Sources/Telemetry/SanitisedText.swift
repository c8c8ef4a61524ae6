// SPDX-License-Identifier: Apache-2.0

/// The longest texts a record takes, in bytes of UTF-8.
package enum TextCap {
    /// A name, a host, a session: what is one word in honest hands.
    package static let name = 256
    /// What a child says of itself in the labels of a metric, which are stored for as long as the metric.
    static let label = 128
    /// A line of stderr, or an explanation. A journal field must stay below 4096 bytes, its name included.
    package static let line = 4000
    /// The quotation of stderr inside a sentence.
    package static let quotation = 500
    /// A whole sentence.
    package static let message = 4000
}

extension String {
    /// This text, fit to stand in one line of a log: characters that move the cursor, break the line or reorder or
    /// hide what stands beside them are shown as escapes (`\n`, `\u{1B}`), and the result is cut to `cap` bytes.
    ///
    /// Text from a child or a client reaches logs through here only. Invalid UTF-8 needs no care: a `String` has
    /// none. Applying it twice changes nothing more.
    package func sanitised(cap: Int) -> String {
        let isPlain = utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
        if isPlain && utf8.count <= cap { return self }
        var result = ""
        for scalar in unicodeScalars {
            // The rest needn't be looked at: a hostile text may be long.
            if result.utf8.count > cap { break }
            result.unicodeScalars.append(visible: scalar)
        }
        return result.cut(to: cap)
    }

    /// At most `cap` bytes of the beginning, with an ellipsis in place of what is missing.
    private func cut(to cap: Int) -> String {
        if utf8.count <= cap { return self }
        let ellipsis = "…"
        var kept = ""
        var room = cap - ellipsis.utf8.count
        for scalar in unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept + ellipsis
    }

    /// At most `cap` bytes of the end, sanitised, without white space behind it and with an ellipsis in place of what is missing: of a crash the last
    /// words matter.
    package func sanitisedEnd(cap: Int) -> String {
        let lastWord = lastIndex { !$0.isWhitespace }.map { self[...$0] } ?? ""
        let whole = String(lastWord).sanitised(cap: TextCap.line)
        if whole.utf8.count <= cap { return whole }
        let ellipsis = "…"
        var room = cap - ellipsis.utf8.count
        var start = whole.unicodeScalars.endIndex
        while start > whole.unicodeScalars.startIndex {
            let previous = whole.unicodeScalars.index(before: start)
            room -= UTF8.width(whole.unicodeScalars[previous])
            if room < 0 { break }
            start = previous
        }
        return ellipsis + String(whole.unicodeScalars[start...])
    }

    /// Sanitised and in double quotes, which the text itself can't close.
    package func quoted(cap: Int = TextCap.name) -> String {
        sanitised(cap: cap).inQuotes
    }

    /// In double quotes, those inside turned into single ones: more readable than an escape.
    package var inQuotes: String {
        var inside = String.UnicodeScalarView()
        for scalar in unicodeScalars { inside.append(scalar == "\"" ? "'" : scalar) }
        return "\"\(String(inside))\""
    }
}

extension String.UnicodeScalarView {
    /// Appends the scalar itself, or an escape when it is a control, a line separator or invisible.
    fileprivate mutating func append(visible scalar: Unicode.Scalar) {
        switch scalar {
        case "\n": append(contentsOf: #"\n"#.unicodeScalars)
        case "\r": append(contentsOf: #"\r"#.unicodeScalars)
        case "\t": append(contentsOf: #"\t"#.unicodeScalars)
        case " "..."~": append(scalar)
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
            default:
                append(scalar)
            }
        }
    }
}
