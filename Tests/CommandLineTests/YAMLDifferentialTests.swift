// SPDX-License-Identifier: Apache-2.0

import Testing
import YAML
import Yams

@testable import mcp_proxy

// Whatever the reader accepts, another reader of YAML reads in the same way.
@Suite struct YAMLDifferentialTests {
    @Test(arguments: 0..<300)
    func generatedDocuments(seed: UInt64) {
        var generator = DocumentGenerator(seed: seed)
        for _ in 0..<5 {
            let (text, tree) = generator.document()
            #expect((try? YAMLReader.read(text)).map { Tree($0) } == tree, "\(text.debugDescription)")
            #expect((try? yamsTree(text)) == tree, "\(text.debugDescription)")
        }
    }

    @Test(arguments: 0..<300)
    func brokenDocuments(seed: UInt64) {
        var generator = DocumentGenerator(seed: seed)
        for _ in 0..<20 {
            let text = generator.broken(generator.document().text)
            // In brackets, Yams takes no `:?` within a plain scalar, though YAML has it.
            guard !text.contains(":?"), let node = try? YAMLReader.read(text) else { continue }
            #expect((try? yamsTree(text)) == Tree(node), "\(text.debugDescription)")
        }
    }

    @Test(arguments: [
        """
        # /etc/mcp-proxy/time.yaml
        port: 3001
        request-timeout: 2m          # generous
        allow-origin:
          - https://app.example
          - "https://console.example"
        admin-listen: unix:/run/mcp-proxy/time.sock
        client-capabilities: { sampling: {}, elicitation: { form: {} } }
        env:
          LOG_LEVEL: info
          QUOTED: 'say "hi"'
          EMPTY: ""
        command: docker
        args: [run, -i, --rm, -e, 'API_KEY=${TIME_API_KEY}', mcp/time]
        """,
        """
        ---
        command: npx -y @modelcontextprotocol/server-filesystem
          --root /srv/data
        args:
        - --flag=a:b
        - -x
        - '*.txt'
        name: files
        """,
        """
        {"port": 8080, "command": ["uvx", "mcp-server-git"],
         "env": {"A": "1", "B": "x\\ty"},
         "debug": false}
        """,
        """
        servers:
          - name: time
            port: 3001
            command: [docker, run, -i, --rm, mcp/time]

          - name: git
            port: 3002
            command: uvx
            args:
              - mcp-server-git
              - --repository
              - /srv/git
            env: {
              GIT_AUTHOR_NAME: bot,
              GIT_AUTHOR_EMAIL: bot@example.org,
            }
          -
            name: script
            shell: true
            command: |
              set -e
              if true; then
                exec server --url "http://127.0.0.1:8080/#x"
              fi
            description: >-
              A long text
              over two lines.

              And a paragraph.
        """,
    ])
    func configurations(text: String) throws {
        let tree = Tree(try YAMLReader.read(text))
        #expect(tree == (try yamsTree(text)))
        #expect(Tree(try YAMLReader.read(text.replacing("\n", with: "\r\n"))) == tree)
    }
}

private func yamsTree(_ text: String) throws -> Tree {
    // Yams takes no byte order mark in front of a string.
    let characters = text.unicodeScalars
    let content = String(characters.first == "\u{FEFF}" ? characters.dropFirst() : characters[...])
    guard let node = try Yams.compose(yaml: content) else { return .scalar("") }
    return Tree(node)
}

extension Tree {
    fileprivate init(_ node: Yams.Node) {
        switch node {
        case .scalar(let scalar): self = .scalar(scalar.string)
        case .sequence(let elements): self = .sequence(elements.map { Tree($0) })
        case .mapping(let mapping):
            self = .mapping(mapping.map { Pair(key: $0.key.scalar?.string ?? "?", value: Tree($0.value)) })
        case .alias: self = .scalar("an alias")
        }
    }
}

/// Writes random values in random styles. The same seed gives the same documents on every machine.
private struct DocumentGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func document() -> (text: String, tree: Tree) {
        var text = chance(5) ? "\u{FEFF}" : ""
        if chance(3) { text += "# first\n\n" }
        if chance(3) { text += "---" + lineEnd() }
        let tree = block(into: &text, indentation: 0, depth: 0)
        return (chance(5) ? text.replacing("\n", with: "\r\n") : text, tree)
    }

    /// The text with some characters removed, doubled or put in where they mean most.
    mutating func broken(_ text: String) -> String {
        var characters = Array(text.unicodeScalars)
        for _ in 0..<pick(1...4) where !characters.isEmpty {
            let index = pick(0...characters.count - 1)
            switch pick(0...3) {
            case 0: characters.remove(at: index)
            case 1: characters.insert(characters[pick(0...characters.count - 1)], at: index)
            default:
                let piece = pick(["\n", " ", "  ", ": ", "- ", "\t", "#", " #", "'", "\"", "[", "]", "{", "}", ", "])
                let rarer = pick(["|\n", ">-\n", "\\", "? ", "&", "*", "!", "%", "---\n", "...", ":", "-", "\n\n", "é"])
                characters.insert(contentsOf: (chance(3) ? rarer : piece).unicodeScalars, at: index)
            }
        }
        var broken = String.UnicodeScalarView()
        broken.append(contentsOf: characters)
        return String(broken)
    }

    private mutating func chance(_ count: Int) -> Bool { pick(1...count) == 1 }

    private mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    private mutating func pick(_ choices: [String]) -> String { choices[pick(0...choices.count - 1)] }

    /// The end of a line, and perhaps lines without content.
    private mutating func lineEnd() -> String { pick(["\n", "\n", "\n", " # c: [\n", "  \n", "\n\n", "\n # '\n"]) }

    /// A mapping or sequence whose lines begin in that column, the first of which is already there.
    private mutating func block(into text: inout String, indentation: Int, depth: Int) -> Tree {
        let isMapping = !chance(3)
        let margin = String(repeating: " ", count: indentation)
        var pairs: [Tree.Pair] = []
        var elements: [Tree] = []
        for index in 0..<pick(1...4) {
            if index > 0 || depth == 0 { text += margin }
            if isMapping {
                let key = pick(["key", "a b", "x-y", "http://h", "it's", "é"]) + String(index)
                text += chance(4) ? "\"\(key)\":" : chance(3) && !key.contains("'") ? "'\(key)' :" : "\(key):"
                pairs.append(Tree.Pair(key: key, value: value(into: &text, indentation, depth, ofKey: true)))
            } else {
                text += "-"
                elements.append(value(into: &text, indentation, depth, ofKey: false))
            }
        }
        return isMapping ? .mapping(pairs) : .sequence(elements)
    }

    /// What follows a key or a dash in that column, to the end of its last line.
    private mutating func value(into text: inout String, _ column: Int, _ depth: Int, ofKey: Bool) -> Tree {
        let inner = column + pick(1...3)
        switch pick(0...9) {
        case 0:
            text += lineEnd()
            return ""
        case 1, 2,
            3 where depth < 4:
            if !ofKey, chance(2) {
                text += " "
                return block(into: &text, indentation: column + 2, depth: depth + 1)
            }
            text += lineEnd() + String(repeating: " ", count: inner)
            return block(into: &text, indentation: inner, depth: depth + 1)
        case 4:
            return literal(into: &text, inner)
        case 5:
            text += " "
            let tree = flow(into: &text, depth: depth)
            text += lineEnd()
            return tree
        default:
            text += chance(6) ? "\n" + String(repeating: " ", count: inner) : pick([" ", "  "])
            let tree = scalar(into: &text, fold: "\n" + String(repeating: " ", count: inner), inFlow: false)
            text += lineEnd()
            return tree
        }
    }

    private mutating func flow(into text: inout String, depth: Int) -> Tree {
        let space = pick(["", " ", "\n", "\n  ", " # c\n "])
        var pairs: [Tree.Pair] = []
        var elements: [Tree] = []
        let isMapping = chance(2)
        text += (isMapping ? "{" : "[") + space
        for index in 0..<pick(0...3) {
            if index > 0 { text += "," + space }
            if isMapping { text += "k\(index): " }
            let element =
                depth < 4 && chance(3)
                ? flow(into: &text, depth: depth + 1) : scalar(into: &text, fold: "\n  ", inFlow: true)
            pairs.append(Tree.Pair(key: "k\(index)", value: element))
            elements.append(element)
        }
        if !elements.isEmpty { text += pick(["", ",", " ,"]) }
        text += space + (isMapping ? "}" : "]")
        return isMapping ? .mapping(pairs) : .sequence(elements)
    }

    /// Words in one of the styles, with `fold` for some of the spaces between them.
    private mutating func scalar(into text: inout String, fold: String, inFlow: Bool) -> Tree {
        let plain = ["a", "-1", "x#y", "a:b", "it's", "é😀", "--flag=x", "null", "~", "1.5", "say\"", "/p?q", "<<", "="]
        let more = ["&a", "*", "#", "- ", ": ", "[x]", "{", "a, b", "%", "@", "|", "", "  ", "...", "? "]
        let style = pick(0...2)
        var words: [String] = []
        for _ in 0..<pick(1...3) { words.append(pick(style == 0 ? plain : plain + more)) }
        let folded = words.count == 2 && chance(3) && !words.contains { $0.isEmpty || $0.contains(" ") }
        let content = words.joined(separator: " ")
        let written = words.joined(separator: folded ? fold : " ")
        switch style {
        case 0: text += written
        case 1: text += "'" + written.replacing("'", with: "''") + "'"
        default:
            let escaped = written.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            text += "\"" + escaped + (chance(3) ? "\\n\\t\\u00e9\"" : "\"")
            return .scalar(content + (text.hasSuffix("\\u00e9\"") ? "\n\té" : ""))
        }
        return .scalar(content)
    }

    /// A block after `|`, or after `>` with an empty line between its lines.
    private mutating func literal(into text: inout String, _ indentation: Int) -> Tree {
        let margin = String(repeating: " ", count: indentation)
        var lines: [String] = []
        for _ in 0..<pick(1...3) { lines.append(pick(["x", "# no comment", "key: value", "- y", "'", "é \t z"])) }
        let isFolded = chance(2)
        let chomping = pick(["", "-", "+"])
        let empty = pick(0...2)
        text += (isFolded ? " >" : " |") + chomping + "\n"
        text += lines.map { margin + $0 + "\n" }.joined(separator: isFolded ? "\n" : "")
        text += String(repeating: "\n", count: empty)
        let end = ["": "\n", "-": "", "+": String(repeating: "\n", count: empty + 1)][chomping] ?? ""
        return .scalar(lines.joined(separator: "\n") + end)
    }
}
