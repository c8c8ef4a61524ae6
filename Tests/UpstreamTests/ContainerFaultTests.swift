// SPDX-License-Identifier: Apache-2.0

import Events
import Testing

@testable import Upstream

/// What Docker 20.10 and 28 and Podman 4.3 say, word by word.
@Suite struct ContainerFaultTests {
    private let docker = ContainerRun(program: "docker", arguments: ["run", "-i", "mcp/time:1"])
    private let podman = ContainerRun(program: "podman", arguments: ["run", "-i", "mcp/time:1"])

    @Test(arguments: [
        (
            "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "can't be reached"
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix",
            "group docker"
        ),
        ("docker: error during connect: Get \"http://x\": dial tcp: lookup x: no such host", "can't be reached"),
    ])
    func theEngineIsAway(_ stderr: String, _ part: String) throws {
        let fault = try #require(docker).fault(stderr: stderr)
        #expect(fault.reason == .engine)
        #expect(!fault.isEngineReachable)
        #expect(fault.detail.contains(part))
    }

    @Test(arguments: [
        ("Error response from daemon: No such image: mcp/time:1", "'mcp/time:1' was not found"),
        (
            "docker: Error response from daemon: pull access denied for mcp/time, repository does not exist or may require "
                + "'docker login': denied: requested access to the resource is denied.", "was not found"
        ),
        ("Error response from daemon: manifest for mcp/time:1 not found: manifest unknown", "was not found"),
        ("Error: mcp/time:1: image not known", "was not found"),
        (
            "Error: short-name \"mcp/time:1\" did not resolve to an alias and no unqualified-search registries are defined",
            "was not found"
        ),
        (
            "Error response from daemon: Get \"https://r.example.com/v2/\": unauthorized: authentication required",
            "log in"
        ),
        (
            "Error response from daemon: Get \"https://r.example.com/v2/\": dial tcp: lookup r.example.com: no such host",
            "registry"
        ),
        ("Error response from daemon: toomanyrequests: You have reached your pull rate limit.", "no more pulls"),
        ("docker: invalid reference format: repository name (library/BAD) must be lowercase", "malformed"),
        (
            "docker: Error response from daemon: Conflict. The container name \"/x\" is already in use by container \"0\".",
            "is taken"
        ),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "port is taken"),
        ("unknown flag: --bogus", "does not know a flag"),
        ("failed to register layer: write /x: no space left on device", "disk is full"),
        ("exec: \"docker-init\": executable file not found in $PATH", "--init=false"),
        ("invalid mount config for type \"bind\": bind source path does not exist: /x", "path exists"),
        ("something else", "its own words are on stderr"),
    ])
    func theEngineRefuses(_ stderr: String, _ part: String) throws {
        let run = try #require(docker)
        let fault = run.fault(stderr: stderr)
        #expect(fault.reason == .engine)
        #expect(fault.isEngineReachable)
        #expect(fault.detail.contains(part), "\(fault.detail)")
        #expect(run.ending(.exited(status: 125), stderr: stderr).detail == fault.detail)
    }

    @Test func theImageCanNotRun() throws {
        let run = try #require(docker)
        let prefix =
            "docker: Error response from daemon: OCI runtime create failed: runc create failed: unable to start: "
        let missing = run.ending(
            .exited(status: 127),
            stderr: prefix + "exec: \"x\": executable file not found in $PATH"
        )
        #expect(missing.reason == .spawnFailed)
        #expect(missing.detail?.contains("no such program") == true)
        let locked = run.ending(.exited(status: 126), stderr: prefix + "exec: \"/etc\": permission denied: unknown")
        #expect(locked.reason == .spawnFailed)
        #expect(locked.detail?.contains("not executable") == true)
        // With --init the program is started by the init process, which has words of its own.
        let reaped = run.ending(
            .exited(status: 127),
            stderr: "[FATAL tini (7)] exec x failed: No such file or directory"
        )
        #expect(reaped == missing)
        let foreign = run.ending(.exited(status: 1), stderr: "exec /server: exec format error")
        #expect(foreign.reason == .spawnFailed)
        #expect(foreign.detail?.contains("another processor") == true)
    }

    /// A server may exit with what the engine exits with.
    @Test func theServersOwnStatusIsItsOwn() throws {
        let run = try #require(docker)
        #expect(run.ending(.exited(status: 127), stderr: "sh: 1: x: not found") == ContainerEnding(.exit))
        #expect(run.ending(.exited(status: 126), stderr: "permission denied") == ContainerEnding(.exit))
        #expect(run.ending(.exited(status: 3), stderr: "dial tcp") == ContainerEnding(.exit))
        #expect(run.ending(.exited(status: 0), stderr: "") == ContainerEnding(.exit))
    }

    @Test func whatAStatusStandsFor() throws {
        let run = try #require(docker)
        let killed = run.ending(.exited(status: 137), stderr: "")
        #expect(killed.reason == .signal && killed.signal == 9)
        #expect(killed.detail?.contains("docker kill") == true)
        let other = try #require(podman).ending(.exited(status: 137), stderr: "")
        #expect(other.detail?.contains("podman kill") == true)
        let stopped = run.ending(.exited(status: 143), stderr: "")
        #expect(stopped.reason == .signal && stopped.signal == 15)
        #expect(stopped.detail?.contains("docker stop") == true)
        let fault = run.ending(.exited(status: 139), stderr: "")
        #expect(fault.reason == .signal && fault.signal == 11)
        let memory = run.ending(.outOfMemory(status: 137), stderr: "")
        #expect(memory.reason == .outOfMemory && memory.detail?.contains("--memory") == true)
        let client = run.ending(.signalled(9), stderr: "")
        #expect(client.reason == .signal && client.detail?.contains("client") == true)
    }

    @Test func commonMistakesOfTheCommand() throws {
        let silent = try #require(ContainerRun(program: "docker", arguments: ["run", "x"]))
        #expect(silent.ending(.exited(status: 0), stderr: "").detail?.contains("add -i") == true)
        let detached = try #require(ContainerRun(program: "docker", arguments: ["run", "-di", "x"]))
        #expect(detached.ending(.exited(status: 0), stderr: "").detail?.contains("-d ") == true)
        let terminal = try #require(ContainerRun(program: "docker", arguments: ["run", "-it", "x"]))
        let ending = terminal.ending(.exited(status: 1), stderr: "the input device is not a TTY")
        #expect(ending.detail?.contains("-t ") == true)
    }
}
