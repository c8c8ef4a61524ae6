// SPDX-License-Identifier: Apache-2.0

import Wording

/// The configuration together with where everything in it comes from.
struct Resolution {
    var configuration: Configuration
    var settings: Settings
    var commandOrigin: Origin
    var nameOrigin: Origin
    /// The env file that was read; nil if there was none.
    var envFilePath: String?
    /// What it says.
    var envFile: [String: String]
}

/// Makes the configuration of the parsed words, the environment and the files they name.
struct Resolver {
    let surroundings: Surroundings
    let warn: (String) -> Void

    func resolve(_ arguments: Arguments) throws(ConfigurationError) -> Resolution {
        let environment = try environmentLayer(surroundings.environment, warn: warn)
        let file = try configFile(arguments.settings[.config] ?? environment[.config])
        var settings = try Settings(layers: [file.settings, environment, arguments.settings])
        try reconcile(&settings)
        let reader = SettingReader(settings: settings)

        let words = arguments.command.isEmpty ? file.command : arguments.command
        guard !words.isEmpty else {
            throw ConfigurationError(
                .usage,
                "there is no command to run",
                "write it after the options: \(Product.name) [options] -- COMMAND [ARGUMENT...]"
            )
        }
        let (envFile, envFilePath) = try envFile(settings[.envFile])
        let command = try ChildCommandMaker(surroundings: surroundings, reader: reader)
            .make(words, envFile: envFile, credentials: credentials(), envFilePath: envFilePath)

        let (name, nameOrigin) = name(settings[.name], command)
        return Resolution(
            configuration: try Configuration(name: name, command: command, settings: settings),
            settings: settings,
            commandOrigin: arguments.command.isEmpty ? file.commandOrigin : .commandLine,
            nameOrigin: nameOrigin,
            envFilePath: envFilePath,
            envFile: envFile
        )
    }

    // MARK: Files

    private func configFile(_ setting: RawSetting?) throws(ConfigurationError) -> ConfigFile {
        guard let path = setting?.texts.last, !path.isEmpty else { return ConfigFile() }
        return try ConfigFileReader.read(
            try read(path, "configuration file", remedy: "check the path after --config"),
            path: path
        )
    }

    /// The variables of the env file and its path. The default file may be missing, one that was asked for may not.
    private func envFile(_ setting: Setting) throws(ConfigurationError) -> (variables: [String: String], path: String?)
    {
        guard case .text(let path)? = setting.values.last else { return ([:], nil) }
        let text: String
        if setting.origin == .default {
            guard let optional = try? surroundings.read(path) else { return ([:], nil) }
            text = optional
        } else {
            text = try read(path, "env file", remedy: "check the path after --env-file")
        }
        do throws(EnvFile.UnclosedQuote) {
            let file = try EnvFile(text)
            for line in file.ignoredLines {
                warn("\(path):\(line): not a line NAME=VALUE, ignored; mend it or put # before it")
            }
            return (file.variables, path)
        } catch {
            throw ConfigurationError(
                .configuration,
                "\(path):\(error.line): a quote opens here and never closes",
                "close the quote"
            )
        }
    }

    /// What the unit gave the proxy with `LoadCredential=`, as far as it is called like a variable.
    private func credentials() -> [String: String] {
        guard let directory = surroundings.environment["CREDENTIALS_DIRECTORY"] else { return [:] }
        var credentials: [String: String] = [:]
        for name in surroundings.list(directory) where isVariableName(name) {
            do throws(FileError) {
                let text = try surroundings.read("\(directory)/\(name)")
                // Editors end a file with a line break, and no secret begins or ends with one.
                credentials[name] = trimmed(text)
            } catch {
                warn("the credential \(name) \(error.reason) and is ignored")
            }
        }
        return credentials
    }

    private func read(_ path: String, _ what: String, remedy: String) throws(ConfigurationError) -> String {
        do throws(FileError) {
            return try surroundings.read(path)
        } catch {
            throw ConfigurationError(.configuration, "the \(what) \(path) \(error.reason)", remedy)
        }
    }

    // MARK: Rules between options

    private func reconcile(_ settings: inout Settings) throws(ConfigurationError) {
        let request = settings[.requestTimeout]
        if case .milliseconds(let limit)? = request.values.last,
            case .milliseconds(let maximum)? = settings[.maxRequestTime].values.last, maximum < limit
        {
            let origin = settings[.maxRequestTime].origin
            guard origin == .default else {
                throw ConfigurationError(
                    origin.errorStatus,
                    "\(origin.label("max-request-time")) is shorter than the request timeout of \(formatDuration(limit))",
                    "raise it, or lower --request-timeout"
                )
            }
            settings[.maxRequestTime] = Setting(values: request.values, origin: .derived("as --request-timeout"))
        }
        if case .text("session")? = settings[.isolation].values.last,
            case .boolean(true)? = settings[.stateless].values.last
        {
            let origin = settings[.stateless].origin
            throw ConfigurationError(
                origin.errorStatus,
                "\(origin.label("stateless")) leaves no sessions, but --isolation session gives each a child",
                "choose one of them"
            )
        }
        if case .text(let format)? = settings[.logFormat].values.last, settings[.log].origin == .default {
            settings[.log] = Setting(values: [.text(format)], origin: settings[.logFormat].origin)
        }
        try rejectSharedPaths(settings)
    }

    private func rejectSharedPaths(_ settings: Settings) throws(ConfigurationError) {
        var owners: [String: String] = [:]
        for key in [Option.Key.streamEndpoint, .sseEndpoint, .healthEndpoint] {
            let setting = settings[key]
            for value in setting.values {
                let label = setting.origin.label(kebabCase(key.rawValue))
                if let owner = owners.updateValue(label, forKey: value.description) {
                    throw ConfigurationError(
                        setting.origin.errorStatus,
                        "\(label) is the same path as \(owner): \(quoted(value.description))",
                        "give every endpoint a path of its own"
                    )
                }
            }
        }
    }

    private func name(_ setting: Setting, _ command: ChildCommand) -> (String, Origin) {
        if case .text(let name)? = setting.values.last { return (name, setting.origin) }
        // In a shell, assignments may stand before the program.
        let shellWords = command.shellText.flatMap(splitWords)?.drop { $0.contains("=") }
        let inferred = InstanceName.infer(
            command: shellWords.map(Array.init) ?? command.shownWords,
            controlGroup: (try? surroundings.read("/proc/self/cgroup")) ?? "",
            isMainProcess: surroundings.environment["SYSTEMD_EXEC_PID"] == surroundings.processID
        )
        return (inferred.name, .derived(inferred.source))
    }
}
