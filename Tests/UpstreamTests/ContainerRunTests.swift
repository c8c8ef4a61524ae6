// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Upstream

@Suite struct ContainerRunTests {
    private func read(_ command: String) -> ContainerRun? {
        let words = command.split(separator: " ").map(String.init)
        return ContainerRun(program: words[0], arguments: Array(words.dropFirst()))
    }

    @Test(arguments: [
        ("docker run mcp/time", "mcp/time"),
        ("docker run -i --rm mcp/time", "mcp/time"),
        ("/usr/bin/docker run -it mcp/time --zone UTC", "mcp/time"),
        ("podman container run -i mcp/time", "mcp/time"),
        ("docker --host unix:///x.sock run -i mcp/time", "mcp/time"),
        ("docker -H unix:///x.sock -D run -i mcp/time", "mcp/time"),
        ("docker --context=far run -i mcp/time", "mcp/time"),
        ("docker run -e KEY mcp/time", "mcp/time"),
        ("docker run -e KEY=VALUE -eOTHER=1 --env THIRD mcp/time", "mcp/time"),
        ("docker run -ie KEY mcp/time", "mcp/time"),
        ("docker run -i --env-file /x mcp/time", "mcp/time"),
        ("docker run --name=x --init=false -m 64m mcp/time", "mcp/time"),
        ("docker run -v /a:/b:ro -p 1:2 -w /b -u 1:1 mcp/time", "mcp/time"),
        ("docker run --rm -- mcp/time -i", "mcp/time"),
        ("docker run --mount type=bind,source=/a,target=/b mcp/time", "mcp/time"),
        ("docker run --pull always --platform linux/arm64 mcp/time", "mcp/time"),
        ("docker run -t=false mcp/time", "mcp/time"),
        ("docker run registry.example.com:5000/a/b:1@sha256:00", "registry.example.com:5000/a/b:1@sha256:00"),
    ])
    func theImageIsTheFirstWordThatIsNoFlag(_ command: String, _ image: String) {
        #expect(read(command)?.image == image)
    }

    @Test(arguments: [
        "docker ps", "docker", "docker compose run time", "node run mcp/time", "docker exec -i time sh",
        "docker -H unix:///x.sock",
    ])
    func otherCommandsAreNone(_ command: String) {
        #expect(read(command) == nil)
    }

    @Test(arguments: ["docker run", "docker run -i", "docker run -e mcp/time", "docker run --no-such-flag mcp/time"])
    func oneWithoutAnImageIsOneAllTheSame(_ command: String) {
        #expect(read(command)?.image.isEmpty == true)
    }

    @Test func flagsAreFoundHoweverTheyAreWritten() throws {
        let run = try #require(read("docker run -itm 64m --name=x --init=false -e A=1 -eB=2 mcp/time --name y"))
        #expect(run.isOn("interactive") && run.isOn("tty"))
        #expect(run.value(of: "memory") == "64m")
        #expect(run.name == "x")
        #expect(run.has("init") && !run.isOn("init"))
        #expect(run.flags.filter { $0.name == "env" }.map(\.value) == ["A=1", "B=2"])
        #expect(!run.isOn("detach"))
    }

    @Test func whatASupervisorNeedsIsAdded() throws {
        let run = try #require(read("docker --host h run -i mcp/time --zone UTC"))
        #expect(
            run.arguments(name: "n", labels: ["a=b", "c=d"]) == [
                "--host", "h", "run", "--name", "n", "--label", "a=b", "--label", "c=d", "--init", "--log-driver",
                "none", "--rm", "-i", "mcp/time", "--zone", "UTC",
            ]
        )
    }

    @Test(arguments: [
        ("--name x", "--name"), ("--name=x", "--name"), ("--init", "--init"), ("--init=false", "--init"),
        ("--log-driver=journald", "--log-driver"), ("--log-driver journald", "--log-driver"),
        ("--log-opt max-size=1m", "--log-driver"), ("--rm", "--rm"), ("--rm=false", "--rm"),
        ("--restart always", "--rm"),
    ])
    func whatTheUserSaidIsLeft(_ flags: String, _ added: String) throws {
        let run = try #require(read("docker run -i \(flags) mcp/time"))
        let given = flags.split(separator: " ").map(String.init)
        let rest = run.arguments(name: "n", labels: ["l=v"])
        let before = rest.prefix { $0 != "-i" }
        #expect(!before.contains(added))
        #expect(rest.suffix(given.count + 2) == ["-i"] + given + ["mcp/time"])
        #expect(before.contains("--label"))
    }

    @Test func whetherTheContainerRemovesItself() {
        #expect(read("docker run x")?.removesItself == true)
        #expect(read("docker run --rm x")?.removesItself == true)
        #expect(read("docker run --rm=false x")?.removesItself == false)
        #expect(read("docker run --restart=no x")?.removesItself == true)
        #expect(read("docker run --restart on-failure x")?.removesItself == false)
    }

    @Test func whatIsPulled() throws {
        let run = try #require(read("podman run -i --platform linux/arm64 --tls-verify=false --name x r/i:1 y"))
        #expect(run.pullCommand == ["pull", "--platform=linux/arm64", "--tls-verify=false", "r/i:1"])
        #expect(run.pullPolicy == .missing)
        #expect(read("docker run --pull=always x")?.pullPolicy == .always)
        #expect(read("docker run --pull never x")?.pullPolicy == .byClient)
    }
}
