// SPDX-License-Identifier: Apache-2.0

import Wording

/// Where a value comes from.
enum Origin: Sendable, Equatable, CustomStringConvertible {
    case `default`
    case file(path: String, line: Int)
    /// An environment variable, by its name.
    case environment(String)
    /// A flag, as it was spelled.
    case flag(String)
    /// The words after the options.
    case commandLine
    /// Worked out by the proxy, in words.
    case derived(String)

    var description: String {
        switch self {
        case .default: "default"
        case .file(let path, _): "file \(path)"
        case .environment(let name): name
        case .flag(let spelling): spelling
        case .commandLine: "command line"
        case .derived(let how): how
        }
    }

    /// How an error calls the value of the option `name`.
    func label(_ name: String) -> String {
        switch self {
        case .file(let path, let line): "\(path):\(line): \(name)"
        case .environment(let variable): variable
        case .flag(let spelling): spelling
        case .default, .commandLine, .derived: name
        }
    }

    /// The exit status of an error in such a value.
    var errorStatus: ExitStatus {
        if case .file = self { .configuration } else { .usage }
    }
}

/// The value of an option as one layer gives it: not yet checked, several texts only for a repeatable option.
struct RawSetting: Equatable {
    var texts: [String]
    var origin: Origin
}

/// The values of the options in the environment.
///
/// A variable that is set but empty counts as unset. Variables with the prefix that belong to no option are
/// reported through `warn`; those of an option other proxies have are an error.
func environmentLayer(
    _ environment: [String: String],
    warn: (String) -> Void
) throws(ConfigurationError) -> [Option.Key: RawSetting] {
    var layer: [Option.Key: RawSetting] = [:]
    let options = Option.table.filter { $0.layers != .flag }
    let known = Dictionary(uniqueKeysWithValues: options.map { ($0.environmentName, $0) })
    for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Option.environmentPrefix) {
        let suffix = name.dropFirst(Option.environmentPrefix.count)
        if let option = known[name] {
            guard !text.isEmpty else { continue }
            let texts = try elements(of: text, option)
            layer[option.key] = RawSetting(texts: texts, origin: .environment(name))
        } else {
            let plain = String(suffix.lowercased().map { $0 == "_" ? "-" : $0 })
            if let error = Option.foreignError(plain, spelling: name, .usage) { throw error }
            let hint = nearest(to: plain, among: options.map(\.name))
            warn(
                "the environment variable \(name) belongs to no option and is ignored; "
                    + (hint.map { "did you mean \(Option.environmentPrefix)\(environmentSuffix($0))?" }
                        ?? "see \(Product.name) --help")
            )
        }
    }
    return layer
}

/// The list in the variable of a repeatable option: words for `--env`, otherwise separated by commas.
private func elements(of text: String, _ option: Option) throws(ConfigurationError) -> [String] {
    guard option.isRepeatable else { return [text] }
    if case .assignment = option.kind {
        guard let words = splitWords(text) else {
            throw ConfigurationError(.usage, "\(option.environmentName) has a quote without its end", "close the quote")
        }
        return words
    }
    return text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
}

/// An option with its effective value, checked.
struct Setting: Equatable {
    var values: [Value]
    var origin: Origin
}

/// Every option with its effective value: a flag beats the environment beats the file beats the default. A list
/// is not merged: the highest layer that gives one gives all of it.
struct Settings {
    private var settings: [Option.Key: Setting] = [:]

    /// `layers` from the lowest to the highest.
    init(layers: [[Option.Key: RawSetting]]) throws(ConfigurationError) {
        for option in Option.table {
            let fallback = RawSetting(texts: option.defaultText.map { [$0] } ?? [], origin: .default)
            let raw = layers.last { $0[option.key] != nil }?[option.key] ?? fallback
            var values: [Value] = []
            for text in raw.texts {
                guard let value = option.kind.value(of: text) else { throw Self.wrong(text, option, raw.origin) }
                values.append(value)
            }
            settings[option.key] = Setting(values: values, origin: raw.origin)
        }
    }

    subscript(key: Option.Key) -> Setting {
        get { settings[key] ?? Setting(values: [], origin: .default) }
        set { settings[key] = newValue }
    }

    private static func wrong(_ text: String, _ option: Option, _ origin: Origin) -> ConfigurationError {
        let shown = option.isSecret ? "what it was given" : text.isEmpty ? "empty" : quoted(text)
        return ConfigurationError(
            origin.errorStatus,
            "\(origin.label(option.name)) cannot be \(shown)",
            "give \(option.kind.expectation)"
        )
    }
}
