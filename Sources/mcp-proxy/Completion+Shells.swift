// SPDX-License-Identifier: Apache-2.0

extension Completion {
    /// For bash with bash-completion.
    static var bash: String {
        let choices = flags.compactMap { flag -> String? in
            guard case .choice(let words) = flag.values else { return nil }
            return proposal(flag.name, "compgen -W '\(words.joined(separator: " "))' -- \"$cur\"")
        }
        let names = flags.flatMap(spellings)
        return """
            # bash completion for \(Product.name)                       -*- shell-script -*-
            # SPDX-License-Identifier: Apache-2.0

            _mcp_proxy_fleet() {
                if ((cword == 2)); then
                    mapfile -t COMPREPLY < <(compgen -W '\(fleetVerbs.map(\.name).joined(separator: " "))' -- "$cur")
                elif [[ $prev == --root ]]; then
                    _filedir -d
                elif [[ $cur == -* ]]; then
                    mapfile -t COMPREPLY < <(compgen -W '\(fleetFlags.map(\.name).joined(separator: " "))' -- "$cur")
                else
                    _filedir
                fi
            }

            _mcp_proxy() {
                local at cur prev words cword split
                _init_completion -s -n : || return
                if ((cword > 1)) && [[ ${words[1]} == fleet ]]; then
                    _mcp_proxy_fleet
                    return
                fi
                for ((at = 1; at < cword; at++)); do
                    case ${words[at]} in
                        --)
                            _command_offset $((at + 1))
                            return
                            ;;
                        # The next word is their value.
                        \(valued.joined(separator: " | "))) ((at++)) ;;
                        -*) ;;
                        *)
                            _command_offset "$at"
                            return
                            ;;
                    esac
                done
                case $prev in
            \(choices.joined(separator: "\n"))
                    \(spellings(taking: .directories).joined(separator: " | ")))
                        _filedir -d
                        return
                        ;;
                    \(spellings(taking: .files).joined(separator: " | ")))
                        _filedir
                        return
                        ;;
                esac
                # A value of which nothing is known.
                if $split || ((at > cword)); then return; fi
                if [[ $cur == -* ]]; then
                    mapfile -t COMPREPLY < <(compgen -W '\(names.joined(separator: " "))' -- "$cur")
                else
                    mapfile -t COMPREPLY < <(compgen -c -W '\(subcommands.map(\.name).joined(separator: " "))' -- "$cur")
                fi
            }

            complete -F _mcp_proxy \(Product.name)

            """
    }

    /// A branch of a `case` of bash.
    private static func proposal(_ pattern: String, _ command: String) -> String {
        """
                \(pattern))
                    mapfile -t COMPREPLY < <(\(command))
                    return
                    ;;
        """
    }

    /// The flags whose value is the next word, in every spelling.
    private static var valued: [String] {
        flags.filter { $0.values != .none }.flatMap(spellings)
    }

    private static func spellings(taking values: Flag.Values) -> [String] {
        flags.filter { $0.values == values }.flatMap(spellings)
    }

    private static func spellings(_ flag: Flag) -> [String] {
        [flag.name] + (flag.short.map { ["-\($0)"] } ?? [])
    }

    /// For zsh: a file of a directory in `$fpath`.
    static var zsh: String {
        let commands = subcommands.map { "'\($0.name):\(zshQuoted($0.help))'" }
        let verbs = fleetVerbs.map { "'\($0.name):\(zshQuoted($0.help))'" }
        return """
            #compdef \(Product.name)
            # SPDX-License-Identifier: Apache-2.0

            (( $+functions[_mcp-proxy_command] )) || _mcp-proxy_command() {
              local -a own=(\(commands.joined(separator: " ")))
              _alternative 'own:command of \(Product.name):{ _describe command own }' 'command:command:_command_names -e'
            }

            (( $+functions[_mcp-proxy_verb] )) || _mcp-proxy_verb() {
              local -a verbs=(
                \(verbs.joined(separator: "\n    "))
              )
              _describe 'what to do' verbs
            }

            if (( CURRENT > 2 )) && [[ $words[2] == fleet ]]; then
              shift words
              (( CURRENT-- ))
              _arguments \\
            \(fleetFlags.map(zshSpecification).map { "    \($0) \\\n" }.joined())\
                '1: :_mcp-proxy_verb' \\
                '2:file:_files'
              return
            fi

            _arguments -S \\
            \(flags.map(zshSpecification).map { "  \($0) \\\n" }.joined())\
              '(-)1: :_mcp-proxy_command' \\
              '*:: :_normal'

            """
    }

    /// `'--cwd=[working directory]:DIR:_files -/'`
    private static func zshSpecification(_ flag: Flag) -> String {
        let action: String
        switch flag.values {
        case .none: action = ""
        case .choice(let words): action = ":\(flag.metavar):(\(words.joined(separator: " ")))"
        case .files: action = ":\(flag.metavar):_files"
        case .directories: action = ":\(flag.metavar):_files -/"
        case .other: action = ":\(flag.metavar): "
        }
        let rest = "[\(zshQuoted(flag.help))]\(action)'"
        let equals = flag.values == .none ? "" : "="
        guard let short = flag.short else {
            return "'\(flag.isRepeatable ? "*" : "")\(flag.name)\(equals)\(rest)"
        }
        let before = flag.isRepeatable ? "'*'" : "'(\(flag.name) -\(short))'"
        return "\(before){\(flag.name)\(equals),-\(short)\(equals.isEmpty ? "" : "+")}'\(rest)"
    }

    private static func zshQuoted(_ text: String) -> String {
        text.map { "[]:\\".contains($0) ? "\\\($0)" : $0 == "'" ? "'\\''" : String($0) }.joined()
    }

    /// For fish.
    static var fish: String {
        let command = "complete -c \(Product.name)"
        let lines = flags.map { "\(command) -n '__mcp_proxy_at options' \(fishFlag($0))" }
        let own = subcommands.map {
            "\(command) -n '__mcp_proxy_at options' -f -a \($0.name) -d \(fishQuoted($0.help))"
        }
        let verbs = fleetVerbs.map { "\(command) -n '__mcp_proxy_at verb' -f -a \($0.name) -d \(fishQuoted($0.help))" }
        let more = fleetFlags.map { "\(command) -n '__mcp_proxy_at fleet' \(fishFlag($0))" }
        return """
            # fish completion for \(Product.name)
            # SPDX-License-Identifier: Apache-2.0

            # Whether the cursor is at one of these: the options of the proxy or the command it runs, that command behind
            # a --, what follows the command, the verb of fleet, or what follows the verb.
            function __mcp_proxy_at
                set -l at options
                set -l is_value false
                for word in (commandline -opc)[2..]
                    if $is_value
                        set is_value false
                        continue
                    end
                    switch $at,$word
                        case options,fleet
                            set at verb
                        case 'verb,*'
                            set at fleet
                        case \(valued.map { "options,\($0)" }.joined(separator: " "))
                            set is_value true
                        case 'options,--'
                            set at command
                        case 'options,-*'
                        case 'options,*' 'command,*'
                            set at arguments
                    end
                end
                contains $at $argv
            end

            \((lines + own + ["\(command) -n '__mcp_proxy_at options command' -f -a '(__fish_complete_command)'"]).joined(separator: "\n"))
            \((verbs + more).joined(separator: "\n"))

            """
    }

    private static func fishFlag(_ flag: Flag) -> String {
        let short = flag.short.map { "-s \($0) " } ?? ""
        let values: String
        switch flag.values {
        case .none: values = ""
        case .choice(let words): values = " -x -a \(fishQuoted(words.joined(separator: " ")))"
        case .files: values = " -r -F"
        case .directories: values = " -x -a '(__fish_complete_directories)'"
        case .other: values = " -x"
        }
        return "\(short)-l \(flag.name.dropFirst(2))\(values) -d \(fishQuoted(flag.help))"
    }

    private static func fishQuoted(_ text: String) -> String {
        "'" + text.map { "\\'".contains($0) ? "\\\($0)" : String($0) }.joined() + "'"
    }
}
