// SPDX-License-Identifier: Apache-2.0

import Wording

/// The words of the command line, sorted.
struct Arguments: Equatable {
    var settings: [Option.Key: RawSetting] = [:]
    /// The child's command and its arguments, as given; empty if there was none.
    var command: [String] = []
    /// `--help`, `--version` and the like, in the order given.
    var actions: [Option.Key] = []
}

/// Sorts the words after the program's name.
///
/// The child's command starts at the first word that is neither an option nor its value, or after `--`; nothing
/// from there on is looked at. Values are not checked here: see ``Settings``.
struct ArgumentParser {
    private var words: ArraySlice<String>
    private var result = Arguments()

    static func parse(_ words: [String]) throws(ConfigurationError) -> Arguments {
        var parser = ArgumentParser(words: words[...])
        try parser.parse()
        return parser.result
    }

    private init(words: ArraySlice<String>) { self.words = words }

    private mutating func parse() throws(ConfigurationError) {
        while let word = words.popFirst() {
            if word == "--" {
                result.command = Array(words)
                return
            } else if word.hasPrefix("--") {
                try long(word)
            } else if word.hasPrefix("-"), word != "-" {
                try short(word)
            } else {
                result.command = [word] + words
                return
            }
            // Help and version are for whoever is lost: what follows them must not get in the way.
            if result.actions.last == .help || result.actions.last == .version { return }
        }
    }

    /// `--name`, `--no-name`, `--name=value` or `--name value`.
    private mutating func long(_ word: String) throws(ConfigurationError) {
        let body = word.dropFirst(2)
        let equals = body.firstIndex(of: "=")
        let name = body[..<(equals ?? body.endIndex)]
        let value = equals.map { String(body[body.index(after: $0)...]) }
        // Without the value, which may be a secret.
        let spelling = "--\(name)"
        if let option = Option.named(name) {
            try take(option, spelling, value)
        } else if let option = negated(name) {
            guard value == nil else {
                throw ConfigurationError(.usage, "\(spelling) takes no value", "write \(option.flag)=true or =false")
            }
            add("false", to: option, spelling)
        } else {
            throw unknown(name, spelling)
        }
    }

    /// `-h`, or `-eKEY=VALUE` for an option with a value.
    private mutating func short(_ word: String) throws(ConfigurationError) {
        let letter = word.dropFirst().first
        guard let option = Option.table.first(where: { $0.short != nil && $0.short == letter }) else {
            throw unknown(word.dropFirst(), "-\(letter ?? "-")")
        }
        let rest = word.dropFirst(2)
        try take(option, String(word.prefix(2)), rest.isEmpty ? nil : String(rest))
    }

    private mutating func take(_ option: Option, _ spelling: String, _ inline: String?) throws(ConfigurationError) {
        switch option.kind {
        case .action:
            guard inline == nil else {
                throw ConfigurationError(.usage, "\(spelling) takes no value", "write \(option.flag) alone")
            }
            result.actions.append(option.key)
        case .boolean:
            // As in the TypeScript proxy, `--debug true` is one option; no command is called true or false.
            let next = words.first == "true" || words.first == "false" ? words.first : nil
            if inline == nil, next != nil { words.removeFirst() }
            add(inline ?? next ?? "true", to: option, spelling)
        case .assignment:
            var text = try inlineOrNext(inline, option, spelling)
            if !text.contains("=") { text += "=\(try nextWord(for: option, spelling))" }
            add(text, to: option, spelling)
        default:
            add(try inlineOrNext(inline, option, spelling), to: option, spelling)
        }
    }

    private mutating func inlineOrNext(
        _ inline: String?,
        _ option: Option,
        _ spelling: String
    ) throws(ConfigurationError) -> String {
        if let inline { return inline }
        return try nextWord(for: option, spelling)
    }

    private mutating func nextWord(for option: Option, _ spelling: String) throws(ConfigurationError) -> String {
        guard let word = words.first, !word.hasPrefix("--") else {
            throw ConfigurationError(.usage, "\(spelling) has no value", "write \(option.flag)=\(option.metavar)")
        }
        words.removeFirst()
        return word
    }

    private mutating func add(_ text: String, to option: Option, _ spelling: String) {
        let earlier = option.isRepeatable ? result.settings[option.key]?.texts ?? [] : []
        result.settings[option.key] = RawSetting(texts: earlier + [text], origin: .flag(spelling))
    }

    /// The boolean that `no-debug`, `no-eventStore` or `noEventStore` turns off.
    private func negated(_ name: Substring) -> Option? {
        let kebab = kebabCase(name)
        guard kebab.hasPrefix("no-"), let option = Option.named(kebab.dropFirst(3)), case .boolean = option.kind
        else { return nil }
        return option
    }

    private func unknown(_ name: Substring, _ spelling: String) -> ConfigurationError {
        if let error = Option.foreignError(name, spelling: spelling, .usage) { return error }
        let names = Option.table.filter { !$0.isHidden }.map(\.name)
        let remedy =
            nearest(to: kebabCase(name), among: names).map { "did you mean --\($0)?" }
            ?? "see \(Product.name) --help for the options, and write -- before the command"
        return ConfigurationError(.usage, "unknown flag \(quoted(spelling))", remedy)
    }
}
