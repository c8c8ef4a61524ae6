// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import mcp_proxy

/// The man page and the completions say what the option table says. That shells and `man` read them is shown by the tests
/// of the package.
@Suite struct PrintedPagesTests {
    private static let shown = Option.table.filter { !$0.isHidden }

    @Test func theManPageListsEveryOptionAndStatus() throws {
        let lines = try output(["--print-man-page"]).split(separator: "\n")
        for option in Self.shown {
            let flag = option.flag.replacing("-", with: "\\-")
            let isListed = lines.contains { line in
                line.hasPrefix(".B ") && line.replacing("[no\\-]", with: "").contains(flag)
            }
            #expect(isListed, "\(option.name)")
        }
        for status in ExitStatus.allCases { #expect(lines.contains { $0 == ".B \(status.rawValue)" }) }
        #expect(lines.contains { $0 == ".B \\-e, \\-\\-env KEY=VALUE" })
        #expect(lines.contains { $0 == ".I /opt/mcp/fleet.yaml" })
        #expect(!lines.contains { $0.contains("print\\-") })
        // Nothing but macros begins like one.
        for line in lines where line.hasPrefix(".") || line.hasPrefix("'") {
            #expect(line.wholeMatch(of: /\.(\\" .*|(TH|SH|SS|TP|PP|B|BR|I|nf|fi)( .*)?)/) != nil, "\(line)")
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completionsKnowEveryFlag(shell: String) throws {
        let text = try output(["--print-\(shell)-completion"])
        for flag in Completion.flags + Completion.fleetFlags {
            #expect(text.contains(shell == "fish" ? "-l \(flag.name.dropFirst(2)) " : flag.name), "\(flag.name)")
        }
        for verb in FleetCommand.Verb.allCases { #expect(text.contains(verb.rawValue)) }
        #expect(!text.contains("--print"))
    }

    @Test func flagsAreWhatTheTableSays() throws {
        let flags = Completion.flags
        #expect(flags.count == Self.shown.count + Self.shown.count { $0.defaultText == "true" })
        let isolation = try #require(flags.first { $0.name == "--isolation" })
        #expect(isolation.values == .choice(["shared", "session", "pool=2"]))
        #expect(flags.first { $0.name == "--cwd" }?.values == .directories)
        #expect(flags.first { $0.name == "--config" }?.values == .files)
        #expect(flags.first { $0.name == "--no-event-store" }?.values == Completion.Flag.Values.none)
        #expect(flags.first { $0.name == "--env" }?.short == "e")
    }

    @Test func theHelpOfFleetIsRead() throws {
        #expect(Completion.fleetFlags.map(\.name) == ["--dry-run", "--force", "--root"])
        #expect(Completion.fleetFlags.map(\.metavar) == ["", "", "DIR"])
        let verbs = Completion.fleetVerbs
        #expect(verbs.map(\.name) == FleetCommand.Verb.allCases.map(\.rawValue))
        #expect(verbs.first?.help == "say what is wrong with FILE")
        #expect(verbs.allSatisfy { !$0.help.isEmpty })
        // Every flag that the help tells of is one.
        for flag in Completion.fleetFlags {
            let words = ["render", flag.name] + (flag.values == .none ? [] : ["x"])
            #expect(throws: Never.self) { try FleetCommand.parse(words) }
        }
    }
}
