// SPDX-License-Identifier: Apache-2.0

import Testing
import YAML

@testable import mcp_proxy

/// A YAML value without the places where its parts stand.
indirect enum Tree: Equatable, Sendable {
    case scalar(String)
    case sequence([Tree])
    case mapping([Pair])

    struct Pair: Equatable, Sendable {
        var key: String
        var value: Tree
    }

    init(_ node: YAMLNode?) {
        switch node?.content {
        case nil: self = .scalar("")
        case .scalar(let text, _): self = .scalar(text)
        case .sequence(let elements): self = .sequence(elements.map { Tree($0) })
        case .mapping(let members): self = .mapping(members.map { Pair(key: $0.key, value: Tree($0.value)) })
        }
    }
}

extension Tree: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    init(stringLiteral text: String) { self = .scalar(text) }
    init(arrayLiteral elements: Tree...) { self = .sequence(elements) }
    init(dictionaryLiteral pairs: (String, Tree)...) { self = .mapping(pairs.map { Pair(key: $0, value: $1) }) }
}

@Suite struct YAMLReaderTests {
    @Test(
        arguments: [
            ("a: 1\nb: x y\n", ["a": "1", "b": "x y"]),
            ("a:\n  b:\n    c: 1\n  d: 2\ne: 3", ["a": ["b": ["c": "1"], "d": "2"], "e": "3"]),
            ("a:\nb: ~\n", ["a": "", "b": "~"]),
            ("- a\n- b: 1\n  c: 2\n-\n  - d\n- - e\n  - f\n-\n", ["a", ["b": "1", "c": "2"], ["d"], ["e", "f"], ""]),
            ("a:\n- 1\n- 2\nb:\n  - 3\n", ["a": ["1", "2"], "b": ["3"]]),
            (
                "servers:\n  - name: x\n    args: [a]\n\n  # the second\n  - name: y\n    env:\n      A: b\n",
                ["servers": [["name": "x", "args": ["a"]], ["name": "y", "env": ["A": "b"]]]]
            ),
            ("a: [x, 'y', [z], {b: c}, ]\n", ["a": ["x", "y", ["z"], ["b": "c"]]]),
            ("a: {\"b\":1, c: , d: [\n  1, # one\n  2\n]}\n", ["a": ["b": "1", "c": "", "d": ["1", "2"]]]),
            ("a: []\nb: {}\nc: [ ]", ["a": [], "b": [:], "c": []]),
            (
                "a: http://h:1/?q#f\nb: -1\nc: -x\nd: :x\ne: ?x\n",
                ["a": "http://h:1/?q#f", "b": "-1", "c": "-x", "d": ":x", "e": "?x"]
            ),
            ("a: one\n  two\n\n  three # no\nb: c\n", ["a": "one two\nthree", "b": "c"]),
            ("a: 'it''s # in'\nb: \"x\n  y\n\n  z\"\n", ["a": "it's # in", "b": "x y\nz"]),
            (#"a: "\"\\\/\b\f\n\r\t\u00e9""#, ["a": "\"\\/\u{8}\u{C}\n\r\t\u{E9}"]),
            ("'a b': 1\n\"c:d\": 2\n", ["a b": "1", "c:d": "2"]),
            ("a: |\n  x\n   y\n\n  z\n\nb: 1\n", ["a": "x\n y\n\nz\n", "b": "1"]),
            ("a: |-\n  x\n\nb: |+ # kept\n  y\n\n", ["a": "x", "b": "y\n\n"]),
            ("a: >\n  x\n  y\n\n  z\n    w\n  v\n", ["a": "x y\nz\n  w\nv\n"]),
            ("- |\n # x\n- >-\n\n  y\n", ["# x\n", "\ny"]),
            ("a: |\nb: >+\n\n", ["a": "", "b": "\n"]),
            ("\u{FEFF}# first\r\n---\r\na: 1\r\nb: |\r\n  x\r\n", ["a": "1", "b": "x\n"]),
            ("  a: 1\n  b: 2\n", ["a": "1", "b": "2"]),
            ("a:\t1\t# x\nb: x\ty\n", ["a": "1", "b": "x\ty"]),
            ("text", "text"), ("", ""), ("# nothing\n\n", ""), ("---\n", ""),
        ] as [(String, Tree)]
    )
    func reads(text: String, tree: Tree) throws {
        #expect(Tree(try YAMLReader.read(text)) == tree)
        // The same with other line breaks, and with none at the end.
        #expect(Tree(try YAMLReader.read(text.replacing("\r\n", with: "\n").replacing("\n", with: "\r"))) == tree)
    }

    @Test func tellsWhereThingsStandAndWhatIsQuoted() throws {
        let text = "# x\na: 1\nb:\n  - '2'\n  -\n    c: |\n      3\n"
        func scalar(_ text: String, _ isQuoted: Bool, _ line: Int, _ column: Int) -> YAMLNode {
            YAMLNode(content: .scalar(text, isQuoted: isQuoted), place: YAMLPlace(line: line, column: column))
        }
        func member(_ key: String, _ line: Int, _ column: Int, _ value: YAMLNode) -> YAMLNode.Member {
            YAMLNode.Member(key: key, place: YAMLPlace(line: line, column: column), value: value)
        }
        let inner = YAMLNode(
            content: .mapping([member("c", 6, 5, scalar("3\n", true, 6, 8))]),
            place: YAMLPlace(line: 6, column: 5)
        )
        let list = YAMLNode(
            content: .sequence([scalar("2", true, 4, 5), inner]),
            place: YAMLPlace(line: 4, column: 3)
        )
        #expect(
            try YAMLReader.read(text)
                == YAMLNode(
                    content: .mapping([member("a", 2, 1, scalar("1", false, 2, 4)), member("b", 3, 1, list)]),
                    place: YAMLPlace(line: 2, column: 1)
                )
        )
    }

    @Test(arguments: [
        ("a: 1\n  b: 2\n", 2, 4), ("a: [1, 2\n", 1, 4), ("x: 1\ny: \u{1B}\n", 2, 4), ("a: 'x\n", 1, 4),
        ("a: 1\na: 2\n", 2, 1), ("ä: &x 1\n", 1, 4),
    ])
    func tellsWhereAnErrorStands(text: String, line: Int, column: Int) {
        let error = #expect(throws: YAMLError.self) { try YAMLReader.read(text) }
        #expect(error?.place == YAMLPlace(line: line, column: column))
    }

    @Test(arguments: [
        ("a: 1\n\tb: 2\n", 2, "a tab as indentation"),
        ("a:\n  - 1\n \t- 2\n", 3, "a tab as indentation"),
        ("-\ta\n", 1, "a tab as indentation"),
        ("a: |\n  x\n\ty\n", 3, "a tab as indentation"),
        ("a: 'x\n\ty'\n", 2, "a tab as indentation"),
        ("a:\n    b: 1\n  c: 2\n", 3, "wrong indentation"),
        ("a: []\n  b: 2\n", 2, "wrong indentation"),
        ("  a: 1\nb: 2\n", 2, "wrong indentation"),
        ("- a\nb: 2\n", 2, "wrong indentation"),
        ("a: |\n    \n  x\n", 3, "wrong indentation"),
        ("a: 1\n  b: 2\n", 2, "a ':' where no key can stand"),
        ("a: b: c\n", 1, "a ':' where no key can stand"),
        ("a\nb: c\n", 2, "a ':' where no key can stand"),
        ("a: 1\nsecret\nb: 2\n", 2, "expected a key with ':' after it"),
        ("a: 1\n- b\n", 2, "a '-' where a value or key should begin"),
        ("a: - b\n", 1, "a list on the line of its key"),
        ("a: 'x' y\n", 1, "more text after a value"),
        ("a: [x] y\n", 1, "more text after a value"),
        ("a: 'x'# y\n", 1, "more text after a value"),
        ("a: | x\n", 1, "more text after '|' or '>'"),
        ("--- a\n", 1, "more text after a value"),
        ("a: 1\nb: 'x\nc: 'y'\n", 2, "a quote that is never closed"),
        ("\n\"a", 2, "a quote that is never closed"),
        ("a: [1,\n  2\n", 1, "a bracket or brace that is never closed"),
        ("a: {b: 1\nc: 2}\n", 2, "expected ',' or '}'"),
        ("a: [b: 1]\n", 1, "expected ',' or ']'"),
        ("a: {b}\n", 1, "expected ':' and a space after a key"),
        ("a: {b:1}\n", 1, "expected ':' and a space after a key"),
        ("a: {b:[]}\n", 1, "expected a space after ':'"),
        ("a: [,]\n", 1, "a ',' where a value or key should begin"),
        ("a: @b\n", 1, "a '@' where a value or key should begin"),
        ("a: \"\\x41\"\n", 1, "a backslash in double quotes that begins no escape of JSON"),
        ("a: \"\\u12g4\"\n", 1, "expected four hexadecimal digits after \\u"),
        ("a: \"\\ud800\"\n", 1, "\\u with the number of no character"),
        ("a: \u{1B}[m\n", 1, "a control character"),
        ("a: 1\r\nb: \u{0}\r\n", 2, "a control character"),
        (String(repeating: "[", count: 100_000), 1, "more than 64 levels of nesting"),
        (String(repeating: "- ", count: 100_000), 1, "more than 64 levels of nesting"),
    ])
    func refuses(text: String, line: Int, problem: String) {
        let error = #expect(throws: YAMLError.self) { try YAMLReader.read(text) }
        #expect(error?.line == line)
        #expect(error?.problem == "not valid YAML (\(problem))")
    }

    @Test(arguments: [
        ("a: &x 1\n", 1, "anchors"), ("a: 1\nb: *x\n", 2, "aliases"), ("a: !!str 1\n", 1, "tags"),
        ("%YAML 1.2\n---\na: 1\n", 1, "directives"), ("? a\n: b\n", 1, "complex keys"),
        ("a: {? b: c}\n", 1, "complex keys"), ("[a]: b\n", 1, "keys that are lists or mappings"),
        ("a: 1\n{b: c}: d\n", 2, "keys that are lists or mappings"), ("a: 1\n---\nb: 2\n", 2, "several documents"),
        ("a: 1\n...\n", 2, "several documents"), ("---\n---\n", 2, "several documents"),
        ("a: |2\n  x\n", 1, "numbers after '|' and '>'"),
    ])
    func leavesOut(text: String, line: Int, features: String) {
        let error = #expect(throws: YAMLError.self) { try YAMLReader.read(text) }
        #expect(error?.line == line)
        #expect(error?.problem == "\(features) are not supported in configuration files")
    }

    @Test(arguments: [("a: 1\nb: 2\n'a': 3\n", 3), ("x:\n  - a: 1\n    a: 2\n", 3), ("x: {a: 1,\n a: 2}\n", 2)])
    func aKeyGivenTwice(text: String, line: Int) {
        let error = #expect(throws: YAMLError.self) { try YAMLReader.read(text) }
        #expect(error?.line == line)
        #expect(error?.problem == "the key 'a' is given more than once")
    }
}
