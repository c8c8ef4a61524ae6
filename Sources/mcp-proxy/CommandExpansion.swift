// SPDX-License-Identifier: Apache-2.0

import Wording

/// A word of the child's command.
struct CommandWord: Equatable {
    /// What the child gets.
    var text: String
    /// The same with `***` for what came from a variable.
    var shown: String
}

/// Makes the child's command of the words that were given.
///
/// A unit file hands `${CMD}` and `${ARGS}` over as one word each, so a word that equals the variable `CMD` or `ARGS`
/// is split into the words a shell would see. Then `${NAME}` is replaced in every word, whatever quotes stood around
/// it, by the variable of the environment, or else by the credential of that name, or else by the variable of the env
/// file; `$${` stands for `${`.
struct CommandExpansion {
    var environment: [String: String]
    /// The variables of the env file, with the credentials of the unit before them.
    var envFile: [String: String]
    /// For error messages; nil when there is no such file.
    var envFilePath: String?

    /// - Throws: A variable that is set nowhere, or a quote without its end.
    func expand(_ words: [String]) throws(ConfigurationError) -> [CommandWord] {
        var expanded: [CommandWord] = []
        for word in words {
            for part in try split(word) { expanded.append(try substitute(part)) }
        }
        return expanded
    }

    private func split(_ word: String) throws(ConfigurationError) -> [String] {
        guard let name = ["ARGS", "CMD"].first(where: { environment[$0] == word }) else { return [word] }
        guard let words = splitWords(word) else {
            throw ConfigurationError(
                .configuration,
                "the variable \(name) has a quote without its end",
                "close the quote, or put a backslash before it"
            )
        }
        return words
    }

    private func substitute(_ word: String) throws(ConfigurationError) -> CommandWord {
        var result = CommandWord(text: "", shown: "")
        var rest = word.unicodeScalars[...]
        while let scalar = rest.first {
            if rest.starts(with: "$${".unicodeScalars) {
                result.append("${")
                rest = rest.dropFirst(3)
            } else if let name = variableName(at: rest) {
                result.text += try value(of: name)
                result.shown += "***"
                rest = rest.dropFirst(name.unicodeScalars.count + 3)
            } else {
                result.append(String(scalar))
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// The name in the `${NAME}` that `text` starts with. Anything else after `${` is left for the child.
    private func variableName(at text: Substring.UnicodeScalarView) -> String? {
        guard text.starts(with: "${".unicodeScalars), let end = text.firstIndex(of: "}") else { return nil }
        let name = Substring(text[..<end].dropFirst(2))
        return isVariableName(name) ? String(name) : nil
    }

    private func value(of name: String) throws(ConfigurationError) -> String {
        if let value = environment[name] ?? envFile[name] { return value }
        let places = envFilePath.map { "set neither in the environment nor in \($0)" } ?? "not set in the environment"
        throw ConfigurationError(
            .configuration,
            "the command uses ${\(name)}, which is \(places)",
            envFilePath == nil
                ? "set it, name a file that does with --env-file, or write $${\(name)} to hand it on unchanged"
                : "set it there, or write $${\(name)} to hand it on unchanged"
        )
    }
}

extension CommandWord {
    fileprivate mutating func append(_ text: String) {
        self.text += text
        shown += text
    }
}
