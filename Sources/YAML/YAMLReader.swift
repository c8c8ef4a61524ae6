// SPDX-License-Identifier: Apache-2.0

import Wording

/// Reads the part of YAML 1.2 that configuration files use.
///
/// Mappings and sequences, by indentation or in braces and brackets; scalars plain, in quotes, or as a block after `|`
/// or `>`; comments; one `---` at the start. Keys are scalars on one line. Double quotes know the escapes of JSON.
/// Anchors, aliases, tags, directives and further documents are refused, and so are tabs as indentation, a key given
/// twice, and what YAML allows but hardly anybody means: a key in braces without a value, `[key: value]`.
///
/// It runs in linear time, and nests at most `maximumDepth` deep.
package struct YAMLReader {
    /// How many mappings, sequences and scalars may lie within each other.
    static let maximumDepth = 64

    /// A place in the text.
    struct Position {
        var offset = 0
        var line = 1
        /// The offset of the first character of the line.
        var lineStart = 0

        /// How many characters stand before it on its line.
        var column: Int { offset - lineStart }

        var place: YAMLPlace { YAMLPlace(line: line, column: column + 1) }
    }

    /// The text, with LF for each line break and without a byte order mark.
    let characters: [Unicode.Scalar]
    var position = Position()
    private var depth = 0

    /// The value of a text; nil if there is none, as in a text of comments alone.
    package static func read(_ text: String) throws(YAMLError) -> YAMLNode? {
        var reader = YAMLReader(try normalised(text))
        return try reader.document()
    }

    private init(_ characters: [Unicode.Scalar]) { self.characters = characters }

    /// Refuses what is neither printable nor white space (YAML 1.2, section 5.1), and line breaks of YAML 1.1.
    private static func normalised(_ text: String) throws(YAMLError) -> [Unicode.Scalar] {
        var characters: [Unicode.Scalar] = []
        var line = 1
        var lineStart = 0
        var previous: Unicode.Scalar?
        for character in text.unicodeScalars {
            switch character.value {
            case 0x0A where previous == "\r": break
            case 0x0A, 0x0D:
                characters.append("\n")
                line += 1
                lineStart = characters.count
            case 0x09, 0x20...0x7E, 0xA0...0x2027, 0x202A...0xFEFE, 0xFF00...0xFFFD, 0x10000...:
                characters.append(character)
            case 0xFEFF where previous == nil: break
            default:
                let place = YAMLPlace(line: line, column: characters.count - lineStart + 1)
                throw .syntax(place, "a control character")
            }
            previous = character
        }
        return characters
    }

    private mutating func document() throws(YAMLError) -> YAMLNode? {
        try startLine()
        try skipEmptyLines()
        if isAtDocumentMarker, peek() == "-" {
            position.offset += 3
            try nextContent()
        }
        try refuseDocumentMarker()
        guard !isAtEnd else { return nil }
        let root = try node(below: -1, inLineOfKey: false)
        guard isAtEnd else { throw wrongIndentation }
        return root
    }

    // MARK: Characters and white space

    /// The character here, or so many further on; NUL, which no text holds, beyond the ends.
    func peek(_ distance: Int = 0) -> Unicode.Scalar {
        let offset = position.offset + distance
        return characters.indices.contains(offset) ? characters[offset] : "\0"
    }

    var isAtEnd: Bool { position.offset == characters.count }

    var wrongIndentation: YAMLError { .syntax(position.place, "wrong indentation") }

    /// Whether `---` or `...` stands here, alone at the start of a line.
    var isAtDocumentMarker: Bool {
        guard position.column == 0, peek() == "-" || peek() == "." else { return false }
        return peek(1) == peek() && peek(2) == peek() && isSpaceOrEnd(peek(3))
    }

    private func refuseDocumentMarker() throws(YAMLError) {
        if isAtDocumentMarker { throw .unsupported(position.place, "several documents") }
    }

    /// Moves over a line break.
    mutating func skipLineBreak() {
        position.offset += 1
        position.line += 1
        position.lineStart = position.offset
    }

    mutating func skipBlanks() { while isBlank(peek()) { position.offset += 1 } }

    /// Moves over the spaces that indent what follows.
    mutating func skipIndentation() throws(YAMLError) {
        while peek() == " " { position.offset += 1 }
        if peek() == "\t" { throw .syntax(position.place, "a tab as indentation") }
    }

    /// Moves over the indentation of a line, and over a comment after it.
    private mutating func startLine() throws(YAMLError) {
        try skipIndentation()
        skipComment()
    }

    /// Moves over the blanks and the comment that may end a line.
    mutating func skipComment() {
        skipBlanks()
        guard peek() == "#", isSpaceOrEnd(peek(-1)) else { return }
        while peek() != "\n", !isAtEnd { position.offset += 1 }
    }

    private mutating func skipEmptyLines() throws(YAMLError) {
        while peek() == "\n" {
            skipLineBreak()
            try startLine()
        }
    }

    /// Moves to the next content, on this line or a later one.
    mutating func skipSeparation() throws(YAMLError) {
        skipComment()
        try skipEmptyLines()
        try refuseDocumentMarker()
    }

    /// Moves to the next line with content. Nothing but a comment may be left on this one.
    private mutating func nextContent() throws(YAMLError) {
        let line = position.line
        try skipSeparation()
        guard position.line > line || isAtEnd else {
            throw .syntax(position.place, peek() == ":" ? "a ':' where no key can stand" : "more text after a value")
        }
    }

    // MARK: Structure by indentation

    /// Reads what begins here, to the next content after it. It may go on in lines indented deeper than the column
    /// `parent`. After a key on the same line, no mapping or sequence can begin.
    private mutating func node(below parent: Int, inLineOfKey: Bool) throws(YAMLError) -> YAMLNode {
        try enter()
        defer { depth -= 1 }
        switch peek() {
        case "-" where isSpaceOrEnd(peek(1)):
            guard !inLineOfKey else { throw .syntax(position.place, "a list on the line of its key") }
            return try sequence()
        case "|", ">":
            return try blockScalar(below: parent)
        case "[", "{":
            let node = try flowNode()
            skipBlanks()
            if peek() == ":" { throw .unsupported(position.place, "keys that are lists or mappings") }
            try nextContent()
            return node
        default:
            let start = position
            let node = try scalar(below: parent, inFlow: false)
            skipBlanks()
            if peek() == ":", isSpaceOrEnd(peek(1)), position.line == start.line, !inLineOfKey {
                position = start
                return try mapping()
            }
            try nextContent()
            return node
        }
    }

    private mutating func enter() throws(YAMLError) {
        depth += 1
        guard depth <= Self.maximumDepth else {
            throw .syntax(position.place, "more than \(Self.maximumDepth) levels of nesting")
        }
    }

    private mutating func mapping() throws(YAMLError) -> YAMLNode {
        let start = position
        var members = Members()
        repeat {
            let key = try scalar(below: start.column, inFlow: false)
            skipBlanks()
            guard peek() == ":", isSpaceOrEnd(peek(1)), position.line == key.line else {
                throw .syntax(key.place, "expected a key with ':' after it")
            }
            position.offset += 1
            skipBlanks()
            try members.append(key, content(below: start.column, ofKey: true))
        } while position.column == start.column && !isAtEnd
        guard isAtEnd || position.column < start.column else { throw wrongIndentation }
        return YAMLNode(content: .mapping(members.members), place: start.place)
    }

    private mutating func sequence() throws(YAMLError) -> YAMLNode {
        let start = position
        var elements: [YAMLNode] = []
        repeat {
            position.offset += 1
            try skipIndentation()
            elements.append(try content(below: start.column, ofKey: false))
        } while position.column == start.column && peek() == "-" && isSpaceOrEnd(peek(1))
        guard isAtEnd || position.column <= start.column else { throw wrongIndentation }
        return YAMLNode(content: .sequence(elements), place: start.place)
    }

    /// Reads what follows a key or a dash in the column `parent`, be it nothing.
    private mutating func content(below parent: Int, ofKey: Bool) throws(YAMLError) -> YAMLNode {
        let place = position.place
        skipComment()
        guard peek() == "\n" || isAtEnd else { return try node(below: parent, inLineOfKey: ofKey) }
        try nextContent()
        // The dashes of a list may stand right below its key.
        let isList = ofKey && position.column == parent && peek() == "-" && isSpaceOrEnd(peek(1))
        if !isAtEnd, position.column > parent || isList { return try node(below: parent, inLineOfKey: false) }
        return YAMLNode(content: .scalar("", isQuoted: false), place: place)
    }

    // MARK: Structure by brackets

    private mutating func flowNode() throws(YAMLError) -> YAMLNode {
        try enter()
        defer { depth -= 1 }
        switch peek() {
        case "[": return try flowSequence()
        case "{": return try flowMapping()
        default: return try scalar(below: -1, inFlow: true)
        }
    }

    private mutating func flowSequence() throws(YAMLError) -> YAMLNode {
        let place = position.place
        var elements: [YAMLNode] = []
        var isOpen = try open("]", since: place)
        while isOpen {
            elements.append(try flowNode())
            isOpen = try skipComma(or: "]", since: place)
        }
        return YAMLNode(content: .sequence(elements), place: place)
    }

    private mutating func flowMapping() throws(YAMLError) -> YAMLNode {
        let place = position.place
        var members = Members()
        var isOpen = try open("}", since: place)
        while isOpen {
            let key = try scalar(below: -1, inFlow: true)
            skipBlanks()
            guard peek() == ":", position.line == key.line else {
                throw .syntax(key.place, "expected ':' and a space after a key")
            }
            // Only after a quote does the value need no space before it.
            guard isSpaceOrEnd(peek(1)) || key.content == .scalar(key.text ?? "", isQuoted: true) else {
                throw .syntax(key.place, "expected a space after ':'")
            }
            position.offset += 1
            let valuePlace = position.place
            try skipSeparation()
            if peek() == "," || peek() == "}" {
                try members.append(key, YAMLNode(content: .scalar("", isQuoted: false), place: valuePlace))
            } else {
                try members.append(key, flowNode())
            }
            isOpen = try skipComma(or: "}", since: place)
        }
        return YAMLNode(content: .mapping(members.members), place: place)
    }

    /// Moves over an opening bracket, and over the closing one if that follows; tells whether it did not.
    private mutating func open(_ closing: Unicode.Scalar, since place: YAMLPlace) throws(YAMLError) -> Bool {
        position.offset += 1
        return try !skipClosing(closing, since: place)
    }

    /// Moves over a comma, over a closing bracket, or over both; tells whether there was a comma alone.
    private mutating func skipComma(or closing: Unicode.Scalar, since place: YAMLPlace) throws(YAMLError) -> Bool {
        if try skipClosing(closing, since: place) { return false }
        guard peek() == "," else { throw .syntax(position.place, "expected ',' or '\(closing)'") }
        position.offset += 1
        return try !skipClosing(closing, since: place)
    }

    private mutating func skipClosing(_ closing: Unicode.Scalar, since place: YAMLPlace) throws(YAMLError) -> Bool {
        try skipSeparation()
        guard !isAtEnd else { throw .syntax(place, "a bracket or brace that is never closed") }
        guard peek() == closing else { return false }
        position.offset += 1
        return true
    }
}

/// The members of a mapping that is being read.
private struct Members {
    private(set) var members: [YAMLNode.Member] = []
    private var keys: Set<String> = []

    mutating func append(_ key: YAMLNode, _ value: YAMLNode) throws(YAMLError) {
        let name = key.text ?? ""
        guard keys.insert(name).inserted else {
            throw YAMLError(
                place: key.place,
                problem: "the key \(quoted(name)) is given more than once",
                remedy: "remove all but one"
            )
        }
        members.append(YAMLNode.Member(key: name, place: key.place, value: value))
    }
}

func isBlank(_ character: Unicode.Scalar) -> Bool { character == " " || character == "\t" }

/// Whether it is a space, a tab, a line break or the end of the text.
func isSpaceOrEnd(_ character: Unicode.Scalar) -> Bool {
    isBlank(character) || character == "\n" || character == "\0"
}
