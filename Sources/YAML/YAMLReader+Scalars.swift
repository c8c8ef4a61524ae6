// SPDX-License-Identifier: Apache-2.0

extension YAMLReader {
    /// Reads a plain or quoted scalar, which may go on in lines indented deeper than the column `parent`. `inFlow` if
    /// it stands in brackets.
    mutating func scalar(below parent: Int, inFlow: Bool) throws(YAMLError) -> YAMLNode {
        switch peek() {
        case "'", "\"": try quotedScalar(below: parent)
        default: try plainScalar(below: parent, inFlow: inFlow)
        }
    }

    private mutating func quotedScalar(below parent: Int) throws(YAMLError) -> YAMLNode {
        let place = position.place
        let quote = peek()
        position.offset += 1
        var text = String.UnicodeScalarView()
        while true {
            let character = peek()
            switch character {
            case quote where quote == "'" && peek(1) == "'":
                text.append(quote)
                position.offset += 2
            case quote:
                position.offset += 1
                return YAMLNode(content: .scalar(String(text), isQuoted: true), place: place)
            case "\\" where quote == "\"":
                text.append(try escape())
            case " ", "\t", "\n":
                let before = position.line
                text.append(contentsOf: try gap())
                let isOutside = position.column <= parent || isAtDocumentMarker
                if position.line > before, isOutside { throw .syntax(place, "a quote that is never closed") }
            case "\0":
                throw .syntax(place, "a quote that is never closed")
            default:
                text.append(character)
                position.offset += 1
            }
        }
    }

    /// Reads an escape of JSON (RFC 8259, section 7).
    private mutating func escape() throws(YAMLError) -> Unicode.Scalar {
        let letter = peek(1)
        position.offset += 2
        switch letter {
        case "\"", "\\", "/": return letter
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            var value: UInt32 = 0
            for distance in 0..<4 {
                guard peek(distance).isASCII, let digit = Character(peek(distance)).hexDigitValue else {
                    throw .syntax(position.place, "expected four hexadecimal digits after \\u")
                }
                value = value << 4 | UInt32(digit)
            }
            position.offset += 4
            // Neither NUL, which no argument or variable can hold, nor half of a surrogate pair.
            guard value != 0, let character = Unicode.Scalar(value) else {
                throw .syntax(position.place, "\\u with the number of no character")
            }
            return character
        default:
            throw .syntax(position.place, "a backslash in double quotes that begins no escape of JSON")
        }
    }

    /// Moves over white space within a scalar and gives what it stands for: itself within a line; a space for one line
    /// break; for more of them, one less.
    private mutating func gap() throws(YAMLError) -> [Unicode.Scalar] {
        let start = position
        skipBlanks()
        guard peek() == "\n" else { return Array(characters[start.offset..<position.offset]) }
        while peek() == "\n" {
            skipLineBreak()
            try skipIndentation()
        }
        let breaks = position.line - start.line
        return breaks == 1 ? [" "] : Array(repeating: "\n", count: breaks - 1)
    }

    private mutating func plainScalar(below parent: Int, inFlow: Bool) throws(YAMLError) -> YAMLNode {
        try checkPlainStart(inFlow: inFlow)
        let place = position.place
        var text = String.UnicodeScalarView()
        while true {
            while !isSpaceOrEnd(peek()), !endsPlain(inFlow: inFlow) {
                text.append(peek())
                position.offset += 1
            }
            let end = position
            let gap = isAtEnd ? [] : try gap()
            let isOutside = position.line > end.line && (position.column <= parent || isAtDocumentMarker)
            if gap.isEmpty || isAtEnd || isOutside || peek() == "#" || endsPlain(inFlow: inFlow) {
                position = end
                return YAMLNode(content: .scalar(String(text), isQuoted: false), place: place)
            }
            text.append(contentsOf: gap)
        }
    }

    private func endsPlain(inFlow: Bool) -> Bool {
        if peek() == ":" { return isSpaceOrEnd(peek(1)) || inFlow && isFlowIndicator(peek(1)) }
        return inFlow && isFlowIndicator(peek())
    }

    private func checkPlainStart(inFlow: Bool) throws(YAMLError) {
        let place = position.place
        switch peek() {
        case "&": throw .unsupported(place, "anchors")
        case "*": throw .unsupported(place, "aliases")
        case "!": throw .unsupported(place, "tags")
        case "%" where position.column == 0: throw .unsupported(place, "directives")
        case "?" where inFlow || isSpaceOrEnd(peek(1)): throw .unsupported(place, "complex keys")
        case "[", "{": throw .unsupported(place, "keys that are lists or mappings")
        case "-" where !isSpaceOrEnd(peek(1)) && !(inFlow && isFlowIndicator(peek(1))): return
        case ":" where !isSpaceOrEnd(peek(1)) && !inFlow: return
        case "-", ":", ",", "]", "}", "#", "|", ">", "@", "`", "%":
            throw .syntax(place, "a '\(peek())' where a value or key should begin")
        default: return
        }
    }

    /// Reads the lines after `|`, which keeps line breaks, or `>`, which makes spaces of single ones. A `-` after it
    /// drops the line breaks at the end, a `+` keeps them all.
    mutating func blockScalar(below parent: Int) throws(YAMLError) -> YAMLNode {
        let place = position.place
        let isFolded = peek() == ">"
        position.offset += 1
        let chomping = peek()
        if chomping == "-" || chomping == "+" { position.offset += 1 }
        if "0"..."9" ~= peek() { throw .unsupported(place, "numbers after '|' and '>'") }
        skipComment()
        guard peek() == "\n" || isAtEnd else { throw .syntax(place, "more text after '|' or '>'") }

        var text = String.UnicodeScalarView()
        /// Of the first line with content; nil before it.
        var indentation: Int?
        /// The most spaces in an empty line before that.
        var widest = 0
        /// Line breaks since the last content. The one after `|` or `>` does not count.
        var breaks = -1
        var endsFolding = true
        while peek() == "\n" {
            skipLineBreak()
            breaks += 1
            while peek() == " ", position.column < indentation ?? .max { position.offset += 1 }
            if indentation == nil, peek() == "\n" { widest = max(widest, position.column) }
            if peek() == "\n" { continue }
            if peek() == "\t", position.column < indentation ?? .max {
                throw .syntax(position.place, "a tab as indentation")
            }
            guard !isAtEnd, position.column >= indentation ?? max(parent + 1, 1) else { break }
            if indentation == nil {
                guard widest <= position.column else { throw wrongIndentation }
                indentation = position.column
            }
            // Lines that begin with more blanks keep the line breaks around them.
            let isIndented = isBlank(peek())
            let isJoined = isFolded && !endsFolding && !isIndented
            text.append(contentsOf: isJoined && breaks == 1 ? [" "] : lineBreaks(isJoined ? breaks - 1 : breaks))
            endsFolding = isIndented
            while peek() != "\n", !isAtEnd {
                text.append(peek())
                position.offset += 1
            }
            breaks = 0
        }
        if chomping == "+" {
            text.append(contentsOf: lineBreaks(breaks))
        } else if chomping != "-", indentation != nil {
            text.append(contentsOf: lineBreaks(min(breaks, 1)))
        }
        try skipSeparation()
        return YAMLNode(content: .scalar(String(text), isQuoted: true), place: place)
    }
}

private func lineBreaks(_ count: Int) -> [Unicode.Scalar] { Array(repeating: "\n", count: max(count, 0)) }

private func isFlowIndicator(_ character: Unicode.Scalar) -> Bool {
    switch character {
    case ",", "[", "]", "{", "}": true
    default: false
    }
}
