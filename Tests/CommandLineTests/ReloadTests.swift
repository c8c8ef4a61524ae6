// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway
import NIOCore
import Testing

@testable import mcp_proxy

@Suite struct ReloadTests {
    private let arguments = ["--config", "proxy.yaml", "--", "server", "x"]

    private func resolution(_ file: String) throws -> Resolution {
        let invocation = try Invocation.interpret(
            surroundings(arguments, files: ["proxy.yaml": file]),
            warn: { Issue.record("unexpected warning: \($0)") }
        )
        guard case .serve(let resolution) = invocation else { throw NotServing() }
        return resolution
    }

    private func reload(_ old: String, _ new: String) throws -> Reload {
        try Reload(from: resolution(old), surroundings(arguments, files: ["proxy.yaml": new]))
    }

    @Test func takesWhatARunningProxyCanChange() throws {
        let reload = try reload("queue: 5\ndebug: false\n", "queue: 7\ndebug: true\nallow-host: [a.example]\n")
        #expect(Set(reload.changed) == ["queue", "debug", "allow-host"])
        #expect(reload.needsRestart == [])
        #expect(reload.resolution.configuration.queue == 7)
        #expect(reload.resolution.configuration.isDebugging)
        #expect(reload.resolution.configuration.allowedHosts == ["a.example"])
    }

    @Test func namesWhatHasToWaitAndKeepsIt() throws {
        let reload = try reload(
            "port: 3001\nisolation: shared\nqueue: 5\n",
            "port: 3002\nisolation: session\nqueue: 6\n"
        )
        #expect(reload.changed == ["queue"])
        #expect(Set(reload.needsRestart) == ["port", "isolation"])
        let configuration = reload.resolution.configuration
        #expect(configuration.listen == .tcp(host: "127.0.0.1", port: 3001))
        #expect(configuration.isolation == .shared)
        #expect(configuration.queue == 6)
    }

    /// The child has the variables it was started with, so those that follow have to wait.
    @Test func namesAnEnvFileThatSaysSomethingElse() throws {
        let arguments = ["--env-file", "secrets.env", "--", "server"]
        func resolution(_ file: String) throws -> Resolution {
            try Resolver(surroundings: surroundings(arguments, files: ["secrets.env": file])) { _ in }
                .resolve(ArgumentParser.parse(arguments))
        }
        let old = try resolution("KEY=old\n")
        #expect(try Reload(from: old, to: resolution("# the same\nKEY=old\n")).needsRestart == [])
        for file in ["KEY=new\n", "KEY=old\nMORE=1\n", ""] {
            let reload = try Reload(from: old, to: resolution(file))
            #expect(reload.needsRestart == ["env-file"] && reload.changed == [])
            #expect(reload.resolution.configuration.command.environment["KEY"] == "old")
        }
    }

    @Test func aChangedPathOfTheEnvFileIsNamedOnce() throws {
        func resolution(_ path: String) throws -> Resolution {
            let files = ["proxy.yaml": "env-file: \(path)\n", "a.env": "KEY=a\n", "b.env": "KEY=b\n"]
            return try Resolver(surroundings: surroundings(arguments, files: files)) { _ in }
                .resolve(ArgumentParser.parse(arguments))
        }
        #expect(try Reload(from: resolution("a.env"), to: resolution("b.env")).needsRestart == ["env-file"])
    }

    @Test func anUnchangedFileChangesNothing() throws {
        let reload = try reload("queue: 5\n", "# the same\nqueue: 5\n")
        #expect(reload.changed == [] && reload.needsRestart == [])
    }

    @Test func aValueThatIsGoneGoesBackToItsDefault() throws {
        let reload = try reload("queue: 5\n", "")
        #expect(reload.changed == ["queue"])
        #expect(reload.resolution.configuration.queue == 1024)
    }

    @Test(arguments: ["queue: -1\n", "quee: 5\n", "queue: [\n", "request-timeout: 5m\nmax-request-time: 1m\n"])
    func aBadFileIsAnErrorThatNamesIt(file: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try reload("queue: 5\n", file) }
        #expect(error?.problem.contains("proxy.yaml") == true)
    }

    /// What one reload could not change is named by the next one, too, for as long as it waits.
    @Test func whatWaitsIsNamedAgain() throws {
        let first = try reload("port: 3001\n", "port: 3002\n")
        let second = try Reload(
            from: first.resolution,
            surroundings(arguments, files: ["proxy.yaml": "port: 3002\nqueue: 9\n"])
        )
        #expect(second.needsRestart == ["port"] && second.changed == ["queue"])
    }
}
