// SPDX-License-Identifier: Apache-2.0

import Fleet

/// The man page mcp-proxy(1), in the macros of man(7). It says what `--help` says, and where files lie.
enum ManPage {
    static var text: String {
        var lines = [
            #".\" SPDX-License-Identifier: Apache-2.0"#,
            ".TH \(escaped(Product.name.uppercased())) 1 \"\" \"\(escaped(Product.name)) \(Product.version)\"",
            ".SH NAME",
            "\(escaped(Product.name)) \\- \(escaped(name))",
            ".SH SYNOPSIS",
            ".nf",
        ]
        lines += Help.usage.map(line)
        lines += [".fi", ".SH DESCRIPTION", line(Help.summary), ".PP", ".nf"]
        lines += Help.examples.map { line("    " + $0) } + [".fi"]
        lines += [".SH OPTIONS"] + paragraphs(Help.notes)
        for group in Option.Group.allCases {
            lines.append(".SS \(group.rawValue)")
            for option in Option.table where option.group == group && !option.isHidden {
                lines += [".TP", ".B \(escaped(Help.spelling(option)))", line(Help.meaning(option))]
            }
        }
        lines += [".SH ALL SERVERS OF A MACHINE", ".nf"]
        lines += FleetCommand.help.split(separator: "\n", omittingEmptySubsequences: false).map(line)
        lines += [".fi", ".SH EXIT STATUS"]
        for status in ExitStatus.allCases { lines += [".TP", ".B \(status.rawValue)", line(status.meaning)] }
        lines.append(".SH FILES")
        for (path, meaning) in files { lines += [".TP", ".I \(escaped(path))", line(meaning)] }
        lines += [".SH SEE ALSO", ".BR docker (1),", ".BR journalctl (1),", ".BR podman (1),", ".BR systemctl (1)"]
        return lines.map { $0 + "\n" }.joined()
    }

    /// `puts one …`, as the index of man pages has it.
    private static var name: String { Help.summary.prefix(1).lowercased() + Help.summary.dropFirst().dropLast() }

    private static var files: [(path: String, meaning: String)] {
        [
            (FleetPaths.file, "all servers of this machine"),
            (FleetPaths.environment("NAME"), "what the unit mcp@NAME runs"),
            (FleetPaths.secret("VARIABLE", of: "NAME"), "a secret of the unit mcp@NAME"),
            (Option.byKey[.envFile]?.defaultText ?? "", "NAME=VALUE lines, where --env-file names no other"),
            ("/usr/share/mcp-proxy", "documentation, dashboards, alerts and runbooks, where a package installed them"),
        ]
    }

    /// Paragraphs that may be filled anew.
    private static func paragraphs(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? ".PP" : line($0) }
    }

    /// A line of text, which must not look like a macro.
    private static func line(_ text: some StringProtocol) -> String {
        let text = escaped(text)
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
    }

    /// A hyphen may be pasted into a shell, so that it has to stay what it is.
    private static func escaped(_ text: some StringProtocol) -> String {
        text.map { $0 == "\\" ? "\\e" : $0 == "-" ? "\\-" : String($0) }.joined()
    }
}
