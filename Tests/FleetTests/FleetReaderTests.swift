// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Fleet

/// A check that knows two options.
func checkOption(_ name: String, _ value: String) -> (problem: String, remedy: String)? {
    guard ["request-timeout", "allow-host"].contains(name) else { return ("'\(name)' is no option", "see --help") }
    return value == "soon" ? ("\(name) cannot be 'soon'", "give a time") : nil
}

/// What is wrong with the text, one line each.
func problems(_ text: String) -> [String] {
    guard case .failure(let problems) = FleetReader.read(text, checkOption: checkOption) else { return [] }
    return problems.all.map { $0.text(file: "f") }
}

@Suite struct FleetReaderTests {
    @Test func aServerWithEverything() throws {
        let fleet = try FleetReader.read(
            """
            domain: example.com
            email: admin@example.com
            engine: podman
            encrypted-secrets: true
            servers:
              - name: time
                host: clock.example.net
                auth: key
                image: mcp/time
                args: --zone 'Europe/Berlin' x
                port: 3001
                admin-port: 9464
                isolation: session
                env: { A: 1, B: "two words" }
                secrets: [TOKEN]
                volumes: [data:/data, /srv/x:/x:ro]
                limits: { memory: 512m, cpus: 1.5, pids: 100 }
                options: { request-timeout: 2m, allow-host: [a, b] }
              - { name: own, command: [server, -v], port: 3002, public: true }
              - { name: local, command: server, args: [x], port: 3003, host: none }
            """,
            checkOption: checkOption
        ).get()
        #expect(fleet.domain == "example.com")
        #expect(fleet.email == "admin@example.com")
        #expect(fleet.engine == .podman)
        #expect(fleet.hasEncryptedSecrets)
        let time = fleet.servers[0]
        #expect(time.url == "https://clock.example.net/mcp")
        #expect(time.program == .image("mcp/time", arguments: ["--zone", "Europe/Berlin", "x"]))
        #expect(time.adminPort == 9464)
        #expect(time.variables == [.init(name: "A", value: "1"), .init(name: "B", value: "two words")])
        #expect(time.limits == .init(memory: 512 << 20, centiCPUs: 150, pids: 100))
        #expect(
            time.options == [.init(name: "request-timeout", value: "2m"), .init(name: "allow-host", value: "a,b")]
        )
        #expect(fleet.servers[1].host == "own.example.com")
        #expect(fleet.servers[1].access == .everybody)
        #expect(fleet.servers[1].adminPort == 9002)
        #expect(fleet.servers[2].host == nil)
        #expect(fleet.servers[2].program == .command(["server", "x"]))
        #expect(fleet.publicServers.map(\.name) == ["time", "own"])
    }

    @Test func allProblemsAreToldAtOnce() {
        let text = """
            domain: example.com
            servers:
              - name: time
                image: mcp/time
                port: 3001
              - name: time
                imag: mcp/time
                port: 3001
                public: true
            """
        #expect(
            problems(text) == [
                "f:3:11: everybody could call 'time' as time.example.com, and nothing says that this is meant; "
                    + "write auth: key, or public: true to let everybody in, or host: none to keep it to this machine",
                "f:6:11: the name 'time' is given more than once; give each server its own",
                "f:8:11: the port 3001 belongs to 'time'; give each server its own",
                "f:6:11: 'time' has neither an image nor a command; write image: mcp/time, or command:",
                "f:7:5: unknown key 'imag'; did you mean image?",
            ]
        )
    }

    @Test func whatTwoServersMayNotShareIsToldOfEachPlace() {
        let text = """
            servers:
              - { name: a, command: x, port: 1, admin-port: 2, host: a.b, public: true }
              - { name: c, command: x, port: 1, admin-port: 2, host: a.b, public: true }
            """
        #expect(
            problems(text) == [
                "f:3:58: the host 'a.b' belongs to 'a'; give each server its own",
                "f:3:34: the port 1 belongs to 'a'; give each server its own",
                "f:3:49: the port 2 belongs to 'a'; give each server its own",
            ]
        )
    }

    @Test(arguments: [
        ("", "f:1:1: the file says nothing; write domain: and servers:"),
        ("a: [\n", "f:1:4: not valid YAML (a bracket or brace that is never closed); mend the line"),
        ("domain: x.y\n", "f:1:1: there are no servers; write servers: and a list of them"),
        ("servers: time\n", "f:1:10: servers is not a list; begin each server with - name:"),
        ("servers: []\nemail: nobody\n", "f:2:8: email cannot be 'nobody'; give an address such as admin@example.com"),
        (
            "servers: []\ndomain: Example\n",
            "f:2:9: domain cannot be 'Example'; give a name in lower case such as mcp.example.com"
        ),
        ("servers: []\nengine: lxc\n", "f:2:9: engine cannot be 'lxc'; write docker or podman"),
        ("servers: []\nencrypted-secrets: maybe\n", "f:2:20: encrypted-secrets cannot be 'maybe'; write true or false"),
        ("servers:\n  - port: 1\n", "f:2:5: a server has no name; write - name: time"),
    ])
    func problemsOfTheFile(text: String, problem: String) {
        #expect(problems(text) == [problem])
    }

    @Test(arguments: [
        (
            "name: Time",
            "5:11: name cannot be 'Time'; give at most 40 lower-case letters, digits and dashes, no dash at an end"
        ),
        ("port: 0", "5:11: port cannot be '0'; give a number from 1 to 65535"),
        ("port: 60000", "5:11: port cannot be '60000' without an admin-port, which would be 66000; write admin-port:"),
        ("host: x", "5:11: host cannot be 'x'; give a name in lower case such as mcp.example.com"),
        ("auth: none", "5:11: auth cannot be 'none'; write key"),
        ("image: ''", "5:12: image cannot be ''; give a name such as mcp/time, options go elsewhere"),
        ("image: -i x", "5:12: image cannot be '-i x'; give a name such as mcp/time, options go elsewhere"),
        ("command: x", "5:14: 't' has both an image and a command; keep one of them"),
        ("args: \"'\"", "5:11: args has a quote without its end; close the quote"),
        ("isolation: pool", "5:16: isolation cannot be 'pool'; write shared, session or pool=N with N from 2 to 64"),
        ("env: { A-B: 1 }", "5:12: a variable cannot be called 'A-B'; use letters, digits and underscores"),
        ("secrets: [A, A]", "5:18: the variable A is given more than once; keep it in env or in secrets"),
        (
            "volumes: [./x:/x]",
            "5:15: a volume cannot be './x:/x'; give NAME:/path or /directory:/path, with :ro after it for reading only"
        ),
        ("limits: { memory: 1m }", "5:23: memory cannot be '1m'; give a size such as 512MiB, 6MiB or more"),
        ("limits: { cpus: 0 }", "5:21: cpus cannot be '0'; give a number such as 0.5, two digits after the dot"),
        ("options: { port: 1 }", "5:16: port is no option here; write port: for the server instead"),
        ("options: { request-timeout: soon }", "5:33: request-timeout cannot be 'soon'; give a time"),
        ("env: x", "5:10: env is not a list of keys and values; write lines such as name: time"),
        ("image: \"a\\nb\"", "5:12: image holds a line break or another control character; write it on one line"),
        ("public: true\n    auth: key", "6:11: 't' has both auth and public: true; keep one of them"),
    ])
    func problemsOfAServer(line: String, problem: String) {
        let key = line.prefix { $0 != ":" }
        var lines = ["name: t", "image: x", "port: 3001", "host: none"]
        lines.removeAll { $0.hasPrefix("\(key):") && key != "command" }
        while lines.count < 4 { lines.insert("isolation: shared", at: 0) }
        let text =
            "servers:\n" + lines.prefix(3).enumerated().map { "\($0 == 0 ? "  - " : "    ")\($1)\n" }.joined()
            + "    \(line)\n" + "    \(lines[3])\n"
        #expect(problems(text).contains("f:\(problem)"), "\(problems(text))")
    }

    @Test func theShippedExampleHasTenServers() throws {
        let fleet = try FleetReader.read(try shippedFleet(), checkOption: { _, _ in nil }).get()
        #expect(fleet.servers.count == 10)
        #expect(fleet.servers.allSatisfy { $0.access == .key })
    }
}
