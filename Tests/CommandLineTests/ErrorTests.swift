// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import mcp_proxy

@Suite struct ErrorTests {
    @Test(arguments: [
        (["--prot", "1"], "unknown flag '--prot'; did you mean --port?"),
        (["--streamEndpont", "/x"], "unknown flag '--streamEndpont'; did you mean --stream-endpoint?"),
        (
            ["--token=geheim"],
            "unknown flag '--token'; see mcp-proxy --help for the options, and write -- before the command"
        ),
        (["-pgeheim"], "unknown flag '-p'; see mcp-proxy --help for the options, and write -- before the command"),
        (["-port", "1"], "unknown flag '-p'; did you mean --port?"),
        (["--port"], "--port has no value; write --port=N"),
        (["--port", "--debug"], "--port has no value; write --port=N"),
        (["--port", "99999", "server"], "--port cannot be '99999'; give a whole number from 0 to 65535"),
        (["--port", "", "server"], "--port cannot be empty; give a whole number from 0 to 65535"),
        (["--port", "80\n80", "server"], "--port cannot be '80?80'; give a whole number from 0 to 65535"),
        (["--server", "both!", "server"], "--server cannot be 'both!'; give both, stream or sse"),
        (
            ["--requestTimeout", "5 min", "server"],
            "--requestTimeout cannot be '5 min'; give a time such as 500ms, 30s, 5m or 1h "
                + "(a bare number is milliseconds), more than 0"
        ),
        (
            ["--max-line", "64MB", "server"],
            "--max-line cannot be '64MB'; give a size such as 64K or 10MiB, from 1KiB to below 2GiB"
        ),
        (
            ["--stream-endpoint", "mcp", "server"],
            "--stream-endpoint cannot be 'mcp'; give a path that starts with a slash, such as /mcp"
        ),
        (
            ["--stateless", "--isolation", "session", "server"],
            "--stateless leaves no sessions, but --isolation session gives each a child; choose one of them"
        ),
        (
            ["--admin-listen", "9090", "server"],
            "--admin-listen cannot be '9090'; give HOST:PORT, [IPV6]:PORT or unix:/path"
        ),
        (
            ["--client-capabilities", "[1]", "server"],
            "--client-capabilities cannot be '[1]'; give a JSON object such as {\"sampling\":{}}"
        ),
        (["--debug=perhaps", "server"], "--debug cannot be 'perhaps'; give true or false"),
        (["--no-debug=true", "server"], "--no-debug takes no value; write --debug=true or =false"),
        (["--help=me"], "--help takes no value; write --help alone"),
        (["-e", "=geheim", "server"], "-e cannot be what it was given; give KEY=VALUE"),
        (["-e", "KEY"], "-e has no value; write --env=KEY=VALUE"),
        (["--cwd", "/nope", "server"], "--cwd cannot be '/nope'; give a directory that exists"),
        (
            ["--sse-endpoint=/mcp", "server"],
            "--sse-endpoint is the same path as stream-endpoint: '/mcp'; give every endpoint a path of its own"
        ),
        ([], "there is no command to run; write it after the options: mcp-proxy [options] -- COMMAND [ARGUMENT...]"),
        (["--", ""], "the command is empty; check that the variable it comes from, such as CMD, is set"),
    ])
    func usage(words: [String], line: String) {
        let failure = failure(words)
        #expect(failure?.line == "mcp-proxy: \(line)")
        #expect(failure?.status == 64)
    }

    @Test(arguments: [
        ("--api-key", "check keys in the web server in front, such as nginx"),
        ("--apiKey=geheim", "check keys in the web server in front, such as nginx"),
        ("--ssl-cert", "terminate TLS in the web server in front, such as nginx"),
        ("--sslKey", "terminate TLS in the web server in front, such as nginx"),
        ("--tunnel", "open a tunnel with a program of its own, such as ssh -R"),
        ("--no-modern", "leave it out, the revision of the protocol is agreed with every client"),
        ("--endpoint", "use --stream-endpoint or --sse-endpoint"),
        ("--corsAddAllowedHeader", "leave it out, the headers of MCP are always allowed"),
    ])
    func optionsOfOtherProxies(word: String, advice: String) {
        let spelling = word.prefix { $0 != "=" }
        #expect(failure([word, "server"])?.line == "mcp-proxy: \(spelling) is not supported; \(advice)")
    }

    @Test func optionsOfOtherProxiesInTheEnvironmentAndTheFile() {
        #expect(
            failure(["server"], environment: ["MCP_PROXY_API_KEY": "geheim"])?.line
                == "mcp-proxy: MCP_PROXY_API_KEY is not supported; check keys in the web server in front, such as nginx"
        )
        let failure = failure(["--config=/c", "server"], files: ["/c": "\nsslCert: x\n"])
        #expect(
            failure?.line
                == "mcp-proxy: /c:2: sslCert is not supported; terminate TLS in the web server in front, such as nginx"
        )
        #expect(failure?.status == 78)
    }

    @Test func noForeignOptionIsOneOfOurs() {
        for name in Option.foreign.keys { #expect(Option.named(name) == nil, "\(name)") }
    }

    @Test func aBadVariableIsNamed() {
        let failure = failure(["server"], environment: ["MCP_PROXY_QUEUE": "many"])
        #expect(failure?.line == "mcp-proxy: MCP_PROXY_QUEUE cannot be 'many'; give a whole number from 0 to 1000000")
        #expect(failure?.status == 64)
    }

    @Test(arguments: [
        ("dokcer", "the command 'dokcer' was not found on PATH; install it, or give its full path"),
        ("/opt/server", "the command '/opt/server' does not exist; check the path"),
        ("/srv", "the command '/srv' is a directory; check the path"),
        (
            "/srv/notes",
            "the command '/srv/notes' is not executable; chmod +x it, or run it through its interpreter"
        ),
    ])
    func commandNotFound(command: String, line: String) {
        for words in [[command], ["--check-config", command]] {
            let failure = failure(words)
            #expect(failure?.line == "mcp-proxy: \(line)")
            #expect(failure?.status == 127)
        }
    }

    @Test func theCommandIsLookedUpAsTheChildWouldBe() throws {
        #expect(try configuration(["server"]).command.executable == "/usr/bin/server")
        #expect(try configuration(["--cwd=/srv", "bin/run.py"]).command.executable == "bin/run.py")
        #expect(failure(["bin/run.py"])?.status == 127)
        #expect(failure(["-e", "PATH=/sbin", "server"])?.status == 127)
    }
}
