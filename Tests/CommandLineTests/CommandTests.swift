// SPDX-License-Identifier: Apache-2.0

import Testing
import Wording

@testable import mcp_proxy

@Suite struct CommandTests {
    @Test(arguments: [
        ("", []),
        ("  \t\n ", []),
        ("run -i  --rm\tmcp/time\n", ["run", "-i", "--rm", "mcp/time"]),
        ("'a b' \"c d\" e\\ f", ["a b", "c d", "e f"]),
        ("a'b'\"c\"d", ["abcd"]),
        ("'' \"\"", ["", ""]),
        (#"'a\b' "a\b" "a\"b" "a\$b" a\b"#, [#"a\b"#, #"a\b"#, "a\"b", "a$b", "ab"]),
        ("a \\\n b\\\nc", ["a", "bc"]),
        ("* ~ $HOME ${X} `x`", ["*", "~", "$HOME", "${X}", "`x`"]),
        ("a\\", ["a\\"]),
        ("äö 'ü ß'", ["äö", "ü ß"]),
    ])
    func splitting(text: String, words: [String]) {
        #expect(splitWords(text) == words)
    }

    @Test(arguments: ["'a", "\"a", "a 'b\"", "\"a\\\""])
    func aQuoteWithoutItsEnd(text: String) {
        #expect(splitWords(text) == nil)
    }

    @Test func anExistingUnitWorksAsItIs() throws {
        let environment = [
            "PORT": "3001", "CMD": "docker", "ARGS": "run -i --rm -e 'GREETING=${WORDS}' mcp/time", "WORDS": "a 'b  c",
        ]
        let configuration = try configuration(
            ["--port", "3001", "--", "docker", "run -i --rm -e 'GREETING=${WORDS}' mcp/time"],
            environment: environment
        )
        #expect(configuration.command.program == "docker")
        #expect(configuration.command.executable == "/usr/bin/docker")
        #expect(configuration.command.arguments == ["run", "-i", "--rm", "-e", "GREETING", "mcp/time"])
        #expect(configuration.command.environment["GREETING"] == "a 'b  c")
        #expect(configuration.command.shown == "docker run -i --rm -e GREETING mcp/time")
        #expect(configuration.name == "time")
    }

    @Test func onlyAWordThatEqualsTheVariableIsSplit() throws {
        let environment = ["CMD": "docker run", "ARGS": "-i mcp/time"]
        #expect(
            try configuration(["docker run", "-i mcp/time", "-i mcp/time!"], environment: environment).command.arguments
                == ["run", "-i", "mcp/time", "-i mcp/time!"]
        )
        #expect(try configuration(["server", "a b"]).command.arguments == ["a b"])
        // systemd passes an empty ARGS as an empty word.
        #expect(try configuration(["server", ""], environment: ["ARGS": ""]).command.arguments.isEmpty)
        #expect(try configuration(["server", ""]).command.arguments == [""])
        #expect(
            failure(["server", "-x 'geheim"], environment: ["ARGS": "-x 'geheim"])?.line
                == "mcp-proxy: the variable ARGS has a quote without its end; "
                + "close the quote, or put a backslash before it"
        )
    }

    @Test func variablesComeFromTheEnvironmentThenFromTheEnvFile() throws {
        let words = ["--env-file=/e", "server", "${A}", "x${B}y${A}", "$${A}", "$A", "${A:-x}", "${}", "${A", "$$"]
        let command = try configuration(words, environment: ["A": "1"], files: ["/e": "A=2\nB=3\n"]).command
        #expect(command.arguments == ["1", "x3y1", "${A}", "$A", "${A:-x}", "${}", "${A", "$$"])
        #expect(command.environment["A"] == "1")
        #expect(command.environment["B"] == "3")
    }

    @Test(arguments: [
        (["-e", "A=${S}"], ["-e", "A"], "geheim"), (["--env", "A=${S}"], ["--env", "A"], "geheim"),
        (["--env=A=${S}"], ["--env=A"], "geheim"), (["-eA=${S}"], ["-eA"], "geheim"),
        (["-ite", "A=x${S}y"], ["-ite", "A"], "xgeheimy"),
        (["-v=/a:/b", "-e", "A=${S}"], ["-v=/a:/b", "-e", "A"], "geheim"),
        (["-e", "A=1"], ["-e", "A=1"], nil), (["-e", "A"], ["-e", "A"], nil),
        (["-e", "TOKEN=ghp"], ["-e", "TOKEN"], nil),
        // The client itself goes by these.
        (["-e", "HTTPS_PROXY=${S}"], ["-e", "HTTPS_PROXY=geheim"], nil),
    ])
    func secretsAreHandedToContainersByName(flags: [String], passed: [String], value: String?) throws {
        let words = ["docker", "run", "-i"] + flags + ["mcp/time", "-e", "B=${S}"]
        let command = try configuration(words, environment: ["S": "geheim"]).command
        #expect(command.arguments == ["run", "-i"] + passed + ["mcp/time", "-e", "B=geheim"])
        #expect(command.environment["A"] == value)
    }

    @Test(arguments: [[], ["-e"], ["-e", "A=${S}"], ["-e", "A=${S}", "--new-flag", "mcp/time"]])
    func aContainerWithoutAnImage(words: [String]) throws {
        let command = try configuration(["docker", "run"] + words, environment: ["S": "geheim"]).command
        #expect(!command.arguments.contains { $0.contains("geheim") })
    }

    @Test func credentialsGoBeforeTheEnvFile() throws {
        let files = ["/c/A": "1\n", "/c/B": "2", "/c/not-a-name": "x", "/opt/mcp/.env": "B=3\nC=4\n"]
        let environment = ["CREDENTIALS_DIRECTORY": "/c", "A": "0"]
        let command = try configuration(["server", "${A}${B}${C}"], environment: environment, files: files).command
        #expect(command.arguments == ["024"])
        #expect(command.environment["B"] == "2")
        #expect(command.environment["not-a-name"] == nil)
    }

    @Test func aValueIsNotExpandedAgain() throws {
        let command = try configuration(["server", "${A}"], environment: ["A": "${B}"]).command
        #expect(command.arguments == ["${B}"])
    }

    @Test func anUnsetVariableIsNamed() {
        let withoutFile = failure(["server", "${TOKEN}"])
        #expect(
            withoutFile?.line
                == "mcp-proxy: the command uses ${TOKEN}, which is not set in the environment; "
                + "set it, name a file that does with --env-file, or write $${TOKEN} to hand it on unchanged"
        )
        #expect(withoutFile?.status == 78)
        #expect(
            failure(["server", "${TOKEN}"], files: ["/opt/mcp/.env": "A=geheim"])?.line
                == "mcp-proxy: the command uses ${TOKEN}, which is set neither in the environment nor in /opt/mcp/.env; "
                + "set it there, or write $${TOKEN} to hand it on unchanged"
        )
    }

    @Test func theShellDoesItsOwnExpansion() throws {
        let command = try configuration(["--shell", "echo ${NO}", "|", "cat"]).command
        #expect(command.executable == "/bin/sh")
        #expect(command.arguments == ["-c", "echo ${NO} | cat"])
        #expect(command.shown == "/bin/sh -c 'echo ${NO} | cat'")
        #expect(try configuration(["--shell", "A=b docker run -i mcp/time | cat"]).name == "time")
    }

    @Test func theEnvironmentOfTheChild() throws {
        let environment = [
            "HOME": "/root", "LANG": "C", "NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1",
            "MCP_PROXY_QUEUE": "1",
        ]
        let files = ["/opt/mcp/.env": "TOKEN=t\nLANG=de\n"]
        let all = try configuration(
            ["-e", "X=1", "-e", "HOME", "/x", "server"],
            environment: environment,
            files: files
        )
        #expect(
            all.command.environment
                == ["HOME": "/x", "LANG": "C", "TOKEN": "t", "X": "1", "PATH": "/nowhere:/usr/bin"]
        )
        let few = try configuration(["--no-pass-environment", "server"], environment: environment, files: files)
        #expect(
            few.command.environment
                == ["HOME": "/root", "LANG": "de", "TOKEN": "t", "PATH": "/nowhere:/usr/bin"]
        )
    }

    @Test func listsInTheEnvironment() throws {
        let environment = [
            "MCP_PROXY_ENV": "A=1 B='x, y'", "MCP_PROXY_ALLOW_ORIGIN": "https://a.example,https://b.example",
            "MCP_PROXY_HEALTH_ENDPOINT": "/health",
        ]
        let configuration = try configuration(["server"], environment: environment)
        #expect(configuration.command.environment["B"] == "x, y")
        #expect(configuration.allowedOrigins == ["https://a.example", "https://b.example"])
        #expect(configuration.healthEndpoints == ["/health"])
    }
}

@Suite struct EnvFileTests {
    @Test func whatSystemdReads() throws {
        let text = """
            # comment
            ; comment
            A=1
              export B = two words  \n\
            C='single ${X} "quoted"'
            D="double \\"quoted\\" \\$x \\n"
            E=a#b
            F="x" # comment
            G=
            H=one \\
            two
            I='a'"b"
            A=2
            J={"k": "v"}\r
            K="two
            lines"
            """
        #expect(
            try EnvFile(text).variables == [
                "A": "2", "B": "two words", "C": "single ${X} \"quoted\"", "D": "double \"quoted\" $x \\n", "E": "a#b",
                "F": "x", "G": "", "H": "one two", "I": "ab", "J": "{\"k\": \"v\"}", "K": "two\nlines",
            ]
        )
        #expect(try EnvFile("").variables.isEmpty)
        #expect(try EnvFile("\u{FEFF}A=1").variables == ["A": "1"])
    }

    @Test func badLinesAreIgnoredWithAWarning() throws {
        let file = try EnvFile("A=1\nnonsense\nB-C=2\n1D=3\nE=5\n")
        #expect(file.variables == ["A": "1", "E": "5"])
        #expect(file.ignoredLines == [2, 3, 4])
        var warnings: [String] = []
        let machine = surroundings(["server"], files: ["/opt/mcp/.env": "geheim\n"])
        _ = try Invocation.interpret(machine, warn: { warnings.append($0) })
        #expect(warnings == ["/opt/mcp/.env:1: not a line NAME=VALUE, ignored; mend it or put # before it"])
    }

    @Test func aQuoteWithoutItsEnd() {
        #expect(throws: EnvFile.UnclosedQuote(line: 2)) { try EnvFile("A=1\nB='geheim\nC=3\n") }
        let failure = failure(["--env-file", "/e", "server"], files: ["/e": "B='geheim\n"])
        #expect(failure?.line == "mcp-proxy: /e:1: a quote opens here and never closes; close the quote")
        #expect(failure?.status == 78)
    }

    @Test func onlyTheDefaultFileMayBeMissing() throws {
        #expect(try reported("env-file", ["server"]) == ["none default, not readable"])
        #expect(
            try reported("env-file", ["server"], files: ["/opt/mcp/.env": ""]) == ["/opt/mcp/.env default"]
        )
        #expect(failure(["server"], unreadable: ["/opt/mcp/.env"]) == nil)
        #expect(
            failure(["--env-file", "/e", "server"])?.line
                == "mcp-proxy: the env file /e does not exist; check the path after --env-file"
        )
    }
}
