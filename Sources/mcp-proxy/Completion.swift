// SPDX-License-Identifier: Apache-2.0

/// What completes the command line in shells. The words come from the option table and from the help of `fleet`.
enum Completion {
    /// A flag as a shell needs to know it.
    struct Flag: Equatable {
        enum Values: Equatable {
            /// It takes no value.
            case none
            case choice([String])
            case files
            case directories
            /// Nothing can be proposed.
            case other
        }

        /// With its dashes.
        var name: String
        /// The same in one letter, without its dash.
        var short: Character?
        var metavar: String
        var values: Values
        var isRepeatable: Bool
        var help: String
    }

    static var flags: [Flag] {
        Option.table.filter { !$0.isHidden }.flatMap { option in
            var flag = Flag(
                name: option.flag,
                short: option.short,
                metavar: option.metavar,
                values: values(option),
                isRepeatable: option.isRepeatable,
                help: option.help
            )
            if option.defaultText != "true" { return [flag] }
            let on = flag
            flag.name = "--no-\(option.name)"
            flag.help = "do not " + option.help
            return [on, flag]
        }
    }

    private static func values(_ option: Option) -> Flag.Values {
        switch option.kind {
        case .boolean, .action: .none
        case .choice(let choices): .choice(choices)
        case .isolation: .choice(["shared", "session", "pool=2"])
        case .path: option.metavar == "DIR" ? .directories : .files
        default: .other
        }
    }

    /// Commands of the proxy's own.
    static let subcommands = [
        (name: "fleet", help: "all servers of a machine"),
        (name: "demo-server", help: "a small MCP server to try it with"),
    ]

    /// The flags of `fleet`, read from its help.
    static var fleetFlags: [Flag] {
        entries(of: FleetCommand.help).filter { $0.words[0].hasPrefix("--") }.map { entry in
            Flag(
                name: entry.words[0],
                metavar: entry.words.count > 1 ? entry.words[1] : "",
                values: entry.words.count > 1 ? .directories : .none,
                isRepeatable: false,
                help: entry.help
            )
        }
    }

    static var fleetVerbs: [(name: String, help: String)] {
        FleetCommand.Verb.allCases.map { verb in
            (verb.rawValue, entries(of: FleetCommand.help).first { $0.words == [verb.rawValue] }?.help ?? "")
        }
    }

    /// The lines `  WORD [WORD]   what it is`, of which the first phrase is taken.
    private static func entries(of help: String) -> [(words: [String], help: String)] {
        help.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("  "), !line.hasPrefix("   ") else { return nil }
            let pieces = line.dropFirst(2).split(separator: " ", omittingEmptySubsequences: false)
            let words = pieces.prefix { !$0.isEmpty }
            let text = pieces.dropFirst(words.count).drop { $0.isEmpty }.joined(separator: " ")
            return (words.map(String.init), String(text.prefix { !",;".contains($0) }))
        }
    }
}
