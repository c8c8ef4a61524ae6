// SPDX-License-Identifier: Apache-2.0

/// The texts that the option table turns into.
enum Help {
    /// The longest line of `--help`.
    static let width = 100
    private static let helpColumn = 36

    static let usage = [
        "\(Product.name) [options] -- COMMAND [ARGUMENT...]",
        "\(Product.name) [options] COMMAND [ARGUMENT...]",
        "\(Product.name) fleet check|render|diff|status|update   all servers of a machine: see fleet --help",
    ]
    static let summary = "Puts one stdio MCP server, the child, behind HTTP."
    static let examples = [
        "\(Product.name) --port 3001 -- docker run -i --rm mcp/time",
        "\(Product.name) --isolation session --cwd /srv/repository -- uvx mcp-server-git",
    ]
    /// What holds for all options: paragraphs of lines that fit.
    static let notes = """
        TIME is 500ms, 30s, 5m or 1h; a bare number is milliseconds. SIZE is 64K, 10MiB, 1G or bytes.

        Every option is also an environment variable, --max-line as \(Option.environmentPrefix)MAX_LINE, and a key of the
        --config file, max-line. A flag beats the environment, and the environment beats the file.

        ${NAME} in the command comes from the environment, or else from the env file. A word of the command
        that equals the variable ARGS or CMD is split into words, as a shell does.
        """

    /// The text of `--help`, with its last line break.
    static var text: String {
        var text = "Usage: \(usage.joined(separator: "\n       "))\n\n\(summary)\n\n"
        text += examples.map { "  \($0)\n" }.joined() + "\n"
        for group in Option.Group.allCases {
            text += "\(group.rawValue)\n"
            for option in Option.table where option.group == group && !option.isHidden { text += entry(option) }
            text += "\n"
        }
        return text + closing
    }

    private static var closing: String {
        let statuses = ExitStatus.allCases.map { "  \(padded(String($0.rawValue), 5))\($0.meaning)\n" }.joined()
        return "\(notes)\n\nExit status\n\(statuses)"
    }

    /// `-e, --env KEY=VALUE`
    static func spelling(_ option: Option) -> String {
        (option.short.map { "-\($0), " } ?? "")
            + (option.defaultText == "true" ? "--[no-]\(option.name)" : option.flag)
            + (option.metavar.isEmpty ? "" : " \(option.metavar)")
    }

    /// `  -e, --env KEY=VALUE   what it is [default]`, wrapped.
    private static func entry(_ option: Option) -> String {
        let head = "  " + spelling(option)
        let words = meaning(option).split(separator: " ")

        var lines: [String] = []
        var line = head.count < helpColumn - 1 ? padded(head, helpColumn) : head + "\n" + padded("", helpColumn)
        var column = helpColumn
        for word in words {
            if column > helpColumn, column + 1 + word.count > width {
                lines.append(line)
                line = padded("", helpColumn)
                column = helpColumn
            }
            if column > helpColumn {
                line += " "
                column += 1
            }
            line += word
            column += word.count
        }
        return (lines + [line]).joined(separator: "\n") + "\n"
    }

    /// What it is, its default, and whether it may be given more than once.
    static func meaning(_ option: Option) -> String {
        option.help + (shownDefault(option).map { " [\($0)]" } ?? "") + (option.isRepeatable ? " (repeatable)" : "")
    }

    /// The default, unless it says nothing: a boolean that is off, or none.
    private static func shownDefault(_ option: Option) -> String? {
        option.defaultText == "false" ? nil : option.defaultText == "true" ? "on" : option.defaultText
    }

    /// The options as a Markdown table for each group, for the README.
    static var markdown: String {
        var text = ""
        for group in Option.Group.allCases {
            text += "\(text.isEmpty ? "" : "\n")**\(group.rawValue)**\n\n| Flag | Default | Meaning |\n|---|---|---|\n"
            for option in Option.table where option.group == group && !option.isHidden {
                let fallback =
                    option.defaultText == "true" ? "on" : option.defaultText == "false" ? "off" : option.defaultText
                let cells = [
                    "`\(spelling(option))`", fallback.map { "`\($0)`" } ?? "",
                    option.help + (option.isRepeatable ? " (repeatable)" : ""),
                ]
                text += "| " + cells.map(cell).joined(separator: " | ") + " |\n"
            }
        }
        return text
    }

    private static func cell(_ text: String) -> String {
        String(text.flatMap { $0 == "|" ? Array("\\|") : [$0] })
    }
}

/// `text` with spaces after it up to `width` columns.
func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
