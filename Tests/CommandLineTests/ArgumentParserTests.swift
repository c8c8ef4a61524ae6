// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import mcp_proxy

@Suite struct ArgumentParserTests {
    /// Options that take a value, with one that each accepts.
    static let valued: [(Option, String)] = Option.table.compactMap { option in
        switch option.kind {
        case .boolean, .action: nil
        case .assignment: (option, "A=b")
        case .choice(let choices): (option, choices[1])
        case .isolation: (option, "pool=3")
        case .endpoint: (option, "/x")
        case .integer: (option, "7")
        case .size: (option, "2K")
        case .duration: (option, "2h")
        case .address: (option, "127.0.0.1:9")
        case .json: (option, "{}")
        case .origin: (option, "https://a.example")
        case .text, .path, .hostName: (option, "x")
        }
    }

    static let booleans = Option.table.filter { if case .boolean = $0.kind { true } else { false } }

    @Test(arguments: valued)
    func everySpellingOfAnOptionWithAValue(option: Option, value: String) throws {
        for spelling in ["--\(option.name)", "--\(option.camelName)"] {
            for words in [[spelling, value], ["\(spelling)=\(value)"]] {
                let arguments = try ArgumentParser.parse(words + ["server", "--port"])
                #expect(arguments.settings == [option.key: RawSetting(texts: [value], origin: .flag(spelling))])
                #expect(arguments.command == ["server", "--port"])
            }
        }
        #expect(option.kind.value(of: value) != nil)
    }

    @Test(arguments: booleans)
    func everySpellingOfASwitch(option: Option) throws {
        let camel = option.camelName
        let spellings: [([String], String)] = [
            (["--\(option.name)"], "true"), (["--\(camel)"], "true"),
            (["--\(option.name)=true"], "true"), (["--\(camel)=false"], "false"),
            (["--no-\(option.name)"], "false"), (["--no-\(camel)"], "false"),
            (["--no\(camel.prefix(1).uppercased())\(camel.dropFirst())"], "false"),
            (["--\(option.name)", "false"], "false"), (["--\(camel)", "true"], "true"),
        ]
        for (words, text) in spellings {
            let arguments = try ArgumentParser.parse(words + ["server"])
            #expect(arguments.settings[option.key]?.texts == [text], "\(words)")
            #expect(arguments.command == ["server"])
        }
    }

    @Test(arguments: Option.table.filter { $0.layers != .flag })
    func everyOptionInTheEnvironmentAndTheFile(option: Option) throws {
        let value = Self.valued.first { $0.0.key == option.key }?.1 ?? "true"
        let layer = try environmentLayer([option.environmentName: value], warn: { _ in })
        #expect(layer == [option.key: RawSetting(texts: [value], origin: .environment(option.environmentName))])
        guard option.layers == .flagEnvironmentFile else { return }
        for name in [option.name, option.camelName] {
            let file = try ConfigFileReader.read("\n\(name): '\(value)'\n", path: "/c")
            #expect(file.settings == [option.key: RawSetting(texts: [value], origin: .file(path: "/c", line: 2))])
        }
    }

    @Test func theCommandStartsAtTheFirstWordThatIsNoOption() throws {
        #expect(try ArgumentParser.parse(["--debug", "run", "--", "-x"]).command == ["run", "--", "-x"])
        #expect(try ArgumentParser.parse(["--debug", "--", "--x", "-y"]).command == ["--x", "-y"])
        #expect(try ArgumentParser.parse(["-"]).command == ["-"])
        #expect(try ArgumentParser.parse(["--port", "1", "--"]).command.isEmpty)
        #expect(try ArgumentParser.parse([]) == Arguments())
    }

    @Test func variablesForTheChildInOneWordOrTwo() throws {
        let words = ["-e", "A=1", "--env", "B", "2", "-eC=3", "--env=D=x=y", "-e", "E", "", "server"]
        let arguments = try ArgumentParser.parse(words)
        #expect(arguments.settings[.env]?.texts == ["A=1", "B=2", "C=3", "D=x=y", "E="])
        #expect(arguments.command == ["server"])
    }

    @Test func helpAndVersionWinOverWhatFollows() throws {
        for words in [["--help", "--bogus"], ["-h"], ["--port", "1", "-h", "server"]] {
            #expect(try output(words) == Help.text)
        }
        for words in [["--version"], ["-V", "--bogus"]] {
            #expect(try output(words) == "mcp-proxy 0.1.0\n")
        }
    }

    @Test func theDemoServerIsTheFirstWordOfAllOnly() throws {
        guard case .demoServer = try Invocation.interpret(surroundings(["demo-server"]), warn: { _ in }) else {
            Issue.record("not the demo server")
            return
        }
        #expect(failure(["--debug", "demo-server"])?.status == 127)
    }
}
