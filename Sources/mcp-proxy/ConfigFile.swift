// SPDX-License-Identifier: Apache-2.0

import Wording
import YAML

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
        guard let root = try node(text) else { return }
        guard case .mapping(let members) = root.content else {
            throw error(root.line, "is not a list of keys and values", "write lines such as port: 8080")
        }
        for member in members { try take(member.key, member.line, member.value) }
        guard let arguments else { return }
        guard !file.command.isEmpty else {
            throw ConfigurationError(.configuration, "\(path): args stands without command", "add the key command")
        }
        file.command += arguments
    }

    private func node(_ text: String) throws(ConfigurationError) -> YAMLNode? {
        do throws(YAMLError) {
            return try YAMLReader.read(text)
        } catch let problem {
            throw error(problem.line, problem.problem, problem.remedy)
        }
    }

    private mutating func take(_ name: String, _ line: Int, _ value: YAMLNode) throws(ConfigurationError) {
        let kebab = kebabCase(name)
        guard seen.insert(kebab).inserted else {
            throw error(line, "the key \(quoted(name)) is given more than once", "remove all but one")
        }
        if isEmpty(value) { throw error(line, "\(name) has no value", "give one, or remove the line") }
        switch name {
        case "command":
            file.command = try words(value, name)
            file.commandOrigin = .file(path: path, line: line)
            guard !file.command.isEmpty else { throw error(line, "command is empty", "write the program to run") }
        case "args":
            arguments = try words(value, name)
        default:
            guard let option = Option.named(name), option.layers == .flagEnvironmentFile else {
                throw unknown(name, line)
            }
            let texts = try texts(value, option)
            file.settings[option.key] = RawSetting(texts: texts, origin: .file(path: path, line: line))
        }
    }

    /// A command, or part of one: a list of words, or one text to split into words.
    private func words(_ value: YAMLNode, _ name: String) throws(ConfigurationError) -> [String] {
        if case .sequence(let elements) = value.content {
            var words: [String] = []
            for element in elements { words.append(try scalar(element, name)) }
            return words
        }
        guard let words = splitWords(try scalar(value, name)) else {
            throw error(value.line, "\(name) has a quote without its end", "close the quote")
        }
        return words
    }

    private func texts(_ value: YAMLNode, _ option: Option) throws(ConfigurationError) -> [String] {
        switch (option.kind, value.content) {
        case (.json, .mapping):
            return [jsonText(value)]
        case (.assignment, .mapping(let members)):
            var texts: [String] = []
            for member in members { texts.append("\(member.key)=\(try scalar(member.value, option.name))") }
            return texts
        case (_, .sequence(let elements)) where option.isRepeatable:
            var texts: [String] = []
            for element in elements { texts.append(try scalar(element, option.name)) }
            return texts
        default:
            return [try scalar(value, option.name)]
        }
    }

    private func scalar(_ node: YAMLNode, _ name: String) throws(ConfigurationError) -> String {
        guard let text = node.text else {
            throw error(
                node.line,
                "\(name) has a value of the wrong shape",
                "give a plain value, or a list where --help says so"
            )
        }
        return text
    }

    private func unknown(_ name: String, _ line: Int) -> ConfigurationError {
        if let error = Option.foreignError(name, spelling: "\(path):\(line): \(name)", .configuration) { return error }
        let names = Option.table.filter { $0.layers == .flagEnvironmentFile }.map(\.name) + ["command", "args"]
        return error(
            line,
            "unknown key \(quoted(name))",
            nearest(to: kebabCase(name), among: names).map { "did you mean \($0)?" }
                ?? "see \(Product.name) --help for the names"
        )
    }

    private func error(_ line: Int, _ problem: String, _ remedy: String) -> ConfigurationError {
        ConfigurationError(.configuration, "\(path):\(line): \(problem)", remedy)
    }
}

/// Whether the value of a key was left out.
private func isEmpty(_ node: YAMLNode) -> Bool {
    guard case .scalar(let text, isQuoted: false) = node.content else { return false }
    return ["", "~", "null"].contains(text)
}
