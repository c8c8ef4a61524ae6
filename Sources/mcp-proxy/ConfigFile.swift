// SPDX-License-Identifier: Apache-2.0

import Yams

/// What a configuration file says.
struct ConfigFile: Equatable {
    var settings: [Option.Key: RawSetting] = [:]
    /// `command` and `args` together; empty if the file has neither.
    var command: [String] = []
    /// Where `command` stands.
    var commandOrigin: Origin = .default
}

/// Reads the text of a configuration file: one YAML mapping whose keys are the names of options, in kebab-case or
/// camelCase, and `command` and `args`. An unknown key is an error, and so is a key given twice.
struct ConfigFileReader {
    private let path: String
    private var file = ConfigFile()
    private var arguments: [String]?
    private var seen: Set<String> = []

    /// `path` serves error messages only. The values of options are not checked here: see ``Settings``.
    static func read(_ text: String, path: String) throws(ConfigurationError) -> ConfigFile {
        var reader = ConfigFileReader(path: path)
        try reader.read(text)
        return reader.file
    }

    private init(path: String) { self.path = path }

    private mutating func read(_ text: String) throws(ConfigurationError) {
        // An empty file, or one of comments alone.
        guard let root = try compose(text) else { return }
        guard case .mapping(let mapping) = root else {
            throw error(root, "is not a list of keys and values", "write lines such as port: 8080")
        }
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw error(key, "a key is not a plain word", "write lines such as port: 8080")
            }
            try take(name, key, value)
        }
        guard let arguments else { return }
        guard !file.command.isEmpty else {
            throw ConfigurationError(.configuration, "\(path): args stands without command", "add the key command")
        }
        file.command += arguments
    }

    private func compose(_ text: String) throws(ConfigurationError) -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            // Not the description of the error: it quotes the line, and with it perhaps a secret.
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw invalid(mark.line, problem)
            case .duplicatedKeysInMapping(let duplicates, let context):
                throw ConfigurationError(
                    .configuration,
                    "\(path):\(context.mark.line): the key \(quoted(duplicates.first ?? "")) is given more than once",
                    "remove all but one"
                )
            default: throw invalid(nil, "the text cannot be read")
            }
        } catch {
            throw invalid(nil, "the text cannot be read")
        }
    }

    private mutating func take(_ name: String, _ key: Node, _ value: Node) throws(ConfigurationError) {
        let kebab = kebabCase(name)
        guard seen.insert(kebab).inserted else {
            throw error(key, "the key \(quoted(name)) is given more than once", "remove all but one")
        }
        if isEmpty(value) { throw error(key, "\(name) has no value", "give one, or remove the line") }
        switch name {
        case "command":
            file.command = try words(value, name)
            file.commandOrigin = .file(path: path, line: line(key) ?? 1)
            guard !file.command.isEmpty else { throw error(key, "command is empty", "write the program to run") }
        case "args":
            arguments = try words(value, name)
        default:
            guard let option = Option.named(name), option.layers == .flagEnvironmentFile else {
                throw unknown(name, key)
            }
            let texts = try texts(value, option)
            file.settings[option.key] = RawSetting(texts: texts, origin: .file(path: path, line: line(key) ?? 1))
        }
    }

    /// A command, or part of one: a list of words, or one text to split into words.
    private func words(_ value: Node, _ name: String) throws(ConfigurationError) -> [String] {
        if case .sequence(let sequence) = value {
            var words: [String] = []
            for element in sequence { words.append(try scalar(element, name)) }
            return words
        }
        guard let words = splitWords(try scalar(value, name)) else {
            throw error(value, "\(name) has a quote without its end", "close the quote")
        }
        return words
    }

    private func texts(_ value: Node, _ option: Option) throws(ConfigurationError) -> [String] {
        switch (option.kind, value) {
        case (.json, .mapping):
            return [json(value)]
        case (.assignment, .mapping(let mapping)):
            var texts: [String] = []
            for (key, element) in mapping {
                texts.append("\(try scalar(key, option.name))=\(try scalar(element, option.name))")
            }
            return texts
        case (_, .sequence(let sequence)) where option.isRepeatable:
            var texts: [String] = []
            for element in sequence { texts.append(try scalar(element, option.name)) }
            return texts
        default:
            return [try scalar(value, option.name)]
        }
    }

    private func scalar(_ node: Node, _ name: String) throws(ConfigurationError) -> String {
        guard let text = node.scalar?.string else {
            throw error(
                node,
                "\(name) has a value of the wrong shape",
                "give a plain value, or a list where --help says so"
            )
        }
        return text
    }

    private func unknown(_ name: String, _ key: Node) -> ConfigurationError {
        if let error = Option.foreignError(name, spelling: "\(place(key)): \(name)", .configuration) { return error }
        let names = Option.table.filter { $0.layers == .flagEnvironmentFile }.map(\.name) + ["command", "args"]
        return error(
            key,
            "unknown key \(quoted(name))",
            nearest(to: kebabCase(name), among: names).map { "did you mean \($0)?" }
                ?? "see \(Product.name) --help for the names"
        )
    }

    private func line(_ node: Node) -> Int? { node.mark?.line }

    private func place(_ node: Node) -> String { line(node).map { "\(path):\($0)" } ?? path }

    private func error(_ node: Node, _ problem: String, _ remedy: String) -> ConfigurationError {
        ConfigurationError(.configuration, "\(place(node)): \(problem)", remedy)
    }

    private func invalid(_ line: Int?, _ problem: String) -> ConfigurationError {
        let place = line.map { "\(path):\($0)" } ?? path
        return ConfigurationError(.configuration, "\(place): not valid YAML (\(problem))", "mend the line")
    }
}

/// Whether the value of a key was left out.
private func isEmpty(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
    return ["", "~", "null"].contains(scalar.string)
}

/// `text` as compact JSON if it is a JSON object.
///
/// It is read as YAML, of which JSON is a part, and written anew, so that the result is JSON whatever was written.
func jsonObject(_ text: String) -> String? {
    guard let node = try? Yams.compose(yaml: text), case .mapping = node else { return nil }
    return json(node)
}

private func json(_ node: Node) -> String {
    switch node {
    case .mapping(let mapping):
        return "{"
            + mapping.map { jsonString($0.key.scalar?.string ?? "") + ":" + json($0.value) }.joined(separator: ",")
            + "}"
    case .sequence(let sequence):
        return "[" + sequence.map { json($0) }.joined(separator: ",") + "]"
    case .scalar(let scalar):
        let isLiteral = scalar.style == .plain || scalar.style == .any
        guard isLiteral else { return jsonString(scalar.string) }
        if ["true", "false", "null"].contains(scalar.string) { return scalar.string }
        if scalar.string.isEmpty { return "null" }
        return isNumber(scalar.string) ? scalar.string : jsonString(scalar.string)
    case .alias:
        return "null"
    }
}

private func isNumber(_ text: String) -> Bool {
    text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil
}

private func jsonString(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": json += "\\\""
        case "\\": json += "\\\\"
        case _ where scalar.value < 0x20:
            let hex = String(scalar.value, radix: 16)
            json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: json.unicodeScalars.append(scalar)
        }
    }
    return json + "\""
}
