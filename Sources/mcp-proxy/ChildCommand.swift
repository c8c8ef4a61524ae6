// SPDX-License-Identifier: Apache-2.0

import Wording

/// The child's command, ready to be started.
struct ChildCommand: Sendable, Equatable {
    /// The program as it was given: a path, or a name that was found on `PATH`.
    var program: String
    /// Where the program was found. A path that was relative stays so, to be taken from `workingDirectory`.
    var executable: String
    /// Without the program itself.
    var arguments: [String]
    /// The whole environment of the child.
    var environment: [String: String]
    /// Nil for that of the proxy.
    var workingDirectory: String?
    /// Program and arguments for people, with secrets as `***`.
    var shownWords: [String]
    /// With `--shell`: what the shell runs, for people.
    var shellText: String?

    /// The command in one line for people, with secrets as `***`.
    var shown: String { shownWords.map(shellQuoted).joined(separator: " ") }
}

/// Makes the child's command of its words, the options that concern it and the env file.
struct ChildCommandMaker {
    let surroundings: Surroundings
    let reader: SettingReader

    /// Variables that speak to the proxy itself. A child that answered systemd in its place would take over the unit.
    private static let ownVariables: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
        "SYSTEMD_EXEC_PID",
    ]
    /// What a child gets with `--no-pass-environment`: the list of the official SDKs.
    private static let basicVariables: Set<String> = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"]

    /// - Parameters:
    ///   - words: The command as given, at least one word.
    ///   - envFile: The variables of the env file.
    ///   - credentials: The credentials of the unit that are called like variables; they go before the env file.
    ///   - envFilePath: For error messages; nil when there is no such file.
    func make(
        _ words: [String],
        envFile: [String: String],
        credentials: [String: String],
        envFilePath: String?
    ) throws(ConfigurationError) -> ChildCommand {
        let directory = try workingDirectory()
        let variables = envFile.merging(credentials) { _, credential in credential }
        let environment = try environment(variables)
        if try reader.boolean(.shell) {
            // The shell splits and expands by itself; doing it twice would let a value become code.
            let text = words.joined(separator: " ")
            let shown = maskSecrets(splitWords(text) ?? words).joined(separator: " ")
            return ChildCommand(
                program: "/bin/sh",
                executable: "/bin/sh",
                arguments: ["-c", text],
                environment: environment,
                workingDirectory: directory,
                shownWords: ["/bin/sh", "-c", shown],
                shellText: shown
            )
        }
        let expansion = CommandExpansion(
            environment: surroundings.environment,
            envFile: variables,
            envFilePath: envFilePath
        )
        let secrets = ContainerSecrets(try expansion.expand(words))
        let expanded = secrets.words
        guard let program = expanded.first, !program.text.isEmpty else {
            throw ConfigurationError(
                .usage,
                "the command is empty",
                "check that the variable it comes from, such as CMD, is set"
            )
        }
        let lookup = ProgramLookup(path: environment["PATH"], workingDirectory: directory, kind: surroundings.kind)
        return ChildCommand(
            program: program.text,
            executable: try lookup.find(program),
            arguments: expanded.dropFirst().map(\.text),
            environment: environment.merging(secrets.variables) { _, secret in secret },
            workingDirectory: directory,
            shownWords: maskSecrets(expanded.map(\.shown))
        )
    }

    private func environment(
        _ variables: [String: String]
    ) throws(ConfigurationError) -> [String: String] {
        let passesAll = try reader.boolean(.passEnvironment)
        var environment = surroundings.environment.filter { name, _ in
            passesAll
                ? !Self.ownVariables.contains(name) && !name.hasPrefix(Option.environmentPrefix)
                : Self.basicVariables.contains(name)
        }
        environment.merge(variables) { set, _ in set }
        for assignment in reader.texts(.env) {
            guard let equals = assignment.firstIndex(of: "=") else { continue }
            environment[String(assignment[..<equals])] = String(assignment[assignment.index(after: equals)...])
        }
        return environment
    }

    private func workingDirectory() throws(ConfigurationError) -> String? {
        guard let directory = reader.texts(.cwd).last else { return nil }
        guard surroundings.kind(directory) == .directory else {
            let origin = reader.settings[.cwd].origin
            throw ConfigurationError(
                origin.errorStatus,
                "\(origin.label("cwd")) cannot be \(quoted(directory))",
                "give a directory that exists"
            )
        }
        return directory
    }
}

/// Finds the file of a program as `execvp` does.
struct ProgramLookup {
    /// The child's `PATH`.
    let path: String?
    let workingDirectory: String?
    let kind: (String) -> FileKind

    /// The path of the file to execute, as given if it holds a slash.
    func find(_ program: CommandWord) throws(ConfigurationError) -> String {
        if program.text.contains("/") {
            let isRelative = !program.text.hasPrefix("/")
            let place = isRelative ? workingDirectory.map { "\($0)/\(program.text)" } ?? program.text : program.text
            switch kind(place) {
            case .executable: return program.text
            case .missing: throw failure(program, "does not exist", "check the path")
            case .directory: throw failure(program, "is a directory", "check the path")
            case .other: throw failure(program, "is not executable", "chmod +x it, or run it through its interpreter")
            }
        }
        for directory in (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":") {
            let candidate = "\(directory)/\(program.text)"
            if kind(candidate) == .executable { return candidate }
        }
        throw failure(program, "was not found on PATH", "install it, or give its full path")
    }

    private func failure(_ program: CommandWord, _ problem: String, _ remedy: String) -> ConfigurationError {
        ConfigurationError(.commandNotFound, "the command \(quoted(program.shown)) \(problem)", remedy)
    }
}
