// SPDX-License-Identifier: Apache-2.0

import Wording

/// The variables of an env file, and the lines that could not be used.
struct EnvFile: Equatable {
    var variables: [String: String] = [:]
    /// The numbers of lines that are not `NAME=VALUE`.
    var ignoredLines: [Int] = []

    /// Reads what systemd's `EnvironmentFile=` reads: lines `NAME=VALUE`, `#` and `;` comments, an optional `export`,
    /// quotes around a value, and a backslash that continues a line. A `#` within a value belongs to it. The last
    /// of two lines with the same name counts. Nothing is expanded.
    ///
    /// - Throws: The number of the line on which a quote opens that never closes.
    init(_ text: String) throws(UnclosedQuote) {
        var reader = EnvFileReader(text)
        while let assignment = try reader.next() {
            if let name = assignment.name {
                variables[name] = assignment.value
            } else {
                ignoredLines.append(assignment.line)
            }
        }
    }

    struct UnclosedQuote: Error, Equatable { var line: Int }
}

private struct EnvFileReader {
    private var rest: Substring.UnicodeScalarView
    private var line = 1

    init(_ text: String) { rest = text.unicodeScalars[...] }

    /// The next assignment, its name nil if the line is none; nil at the end.
    mutating func next() throws(EnvFile.UnclosedQuote) -> (name: String?, value: String, line: Int)? {
        while let scalar = rest.first {
            if isBlank(scalar) || isLineEnd(scalar) {
                take()
            } else if scalar == "#" || scalar == ";" {
                skipLine()
            } else {
                return try assignment()
            }
        }
        return nil
    }

    private mutating func assignment() throws(EnvFile.UnclosedQuote) -> (name: String?, value: String, line: Int) {
        let start = line
        var name = ""
        while let scalar = rest.first, scalar != "=" {
            // A line without `=`.
            if isLineEnd(scalar) { return (nil, "", start) }
            name.unicodeScalars.append(scalar)
            take()
        }
        guard rest.first != nil else { return (nil, "", start) }
        take()
        name = trimmed(name)
        if name.hasPrefix("export ") || name.hasPrefix("export\t") { name = trimmed(name.dropFirst(7)) }
        let value = try value()
        return (isVariableName(name) ? name : nil, value, start)
    }

    private mutating func value() throws(EnvFile.UnclosedQuote) -> String {
        skipBlanks()
        var value = ""
        // Quoted parts may follow each other, as in 'a'"b".
        while let quote = rest.first, quote == "'" || quote == "\"" {
            take()
            value += try quotedPart(quote)
            skipBlanks()
        }
        var plain = ""
        while let scalar = rest.first, !isLineEnd(scalar) {
            take()
            if scalar == "\\", let next = rest.first, isLineEnd(next) {
                takeLineEnd()
            } else {
                plain.unicodeScalars.append(scalar)
            }
        }
        // After a closing quote nothing but a comment is meant.
        if !value.isEmpty, plain.first == "#" { return value }
        return value + trimmed(plain)
    }

    private mutating func quotedPart(_ quote: Unicode.Scalar) throws(EnvFile.UnclosedQuote) -> String {
        let start = line
        var part = ""
        while let scalar = rest.first {
            take()
            if scalar == quote { return part }
            if quote == "\"", scalar == "\\", let next = rest.first {
                if isLineEnd(next) {
                    takeLineEnd()
                    continue
                }
                if "\"\\$`".unicodeScalars.contains(next) {
                    part.unicodeScalars.append(next)
                    take()
                    continue
                }
            }
            part.unicodeScalars.append(scalar)
        }
        throw EnvFile.UnclosedQuote(line: start)
    }

    private mutating func take() { if rest.removeFirst() == "\n" { line += 1 } }

    private mutating func takeLineEnd() {
        let first = rest.first
        take()
        if first == "\r", rest.first == "\n" { take() }
    }

    private mutating func skipBlanks() { while let scalar = rest.first, isBlank(scalar) { take() } }

    private mutating func skipLine() { while let scalar = rest.first, scalar != "\n" { take() } }

    private func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" || scalar == "\u{FEFF}" }

    private func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" }
}

/// `text` without white space at its ends.
func trimmed(_ text: some StringProtocol) -> String {
    guard let start = text.firstIndex(where: { !$0.isWhitespace }),
        let end = text.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(text[start...end])
}
