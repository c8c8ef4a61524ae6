// SPDX-License-Identifier: Apache-2.0

import Testing
import Wording

@testable import mcp_proxy

@Suite struct InstanceNameTests {
    @Test(arguments: [
        ("0::/system.slice/system-mcp.slice/mcp@time.service\n", "time"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-mcp.slice/mcp@git.service\n", "git"),
        ("12:cpu:/\n1:name=systemd:/system.slice/mcp@time.service\n", "time"),
        ("0::/system.slice/mcp@my\\x2dserver\\x40home.service\n", "my-server@home"),
        ("0::/system.slice/mcp-proxy@time.service\n", "time"),
        ("0::/system.slice/mcp.service\n", "server"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte.scope\n", "server"),
        ("0::/system.slice/sshd@1-10.0.0.1.service\n", "server"),
        ("0::/system.slice/mcp@.service\n", "server"),
        ("0::/\n", "server"),
        ("", "server"),
    ])
    func units(controlGroup: String, name: String) {
        let inferred = InstanceName.infer(
            command: ["/usr/bin/server"],
            controlGroup: controlGroup,
            isMainProcess: false
        )
        #expect(inferred.name == name)
    }

    @Test func anyTemplateWhenSystemdStartedTheProcess() {
        let group = "0::/system.slice/tools@time.service\n"
        let main = InstanceName.infer(command: ["server"], controlGroup: group, isMainProcess: true)
        #expect(main == InstanceName(name: "time", source: "unit tools@time"))
        #expect(InstanceName.infer(command: ["server"], controlGroup: group, isMainProcess: false).name == "server")
    }

    @Test(arguments: [
        ("docker run -i --rm mcp/time", "time"),
        ("/usr/bin/docker run mcp/time:1.2", "time"),
        ("docker run ghcr.io:443/org/time:1.2@sha256:0123", "time"),
        ("docker run time", "time"),
        ("docker run -i -e TOKEN --env A=b --env=C=d -v /a:/b mcp/time --local-timezone UTC", "time"),
        ("docker run -it -ie TOKEN -eA=b mcp/time", "time"),
        (
            "docker run --name x --network host --pull always --init --read-only --mount type=bind,src=/a mcp/time",
            "time"
        ),
        ("docker run --rm --entrypoint python --memory 512m -u 1000:1000 -w /srv -p 80:80 mcp/time -m x", "time"),
        ("docker run --privileged --security-opt no-new-privileges --cap-drop ALL --tmpfs /tmp mcp/time", "time"),
        ("docker --context remote -H ssh://x --debug run -i mcp/time", "time"),
        ("docker container run -i mcp/time", "time"),
        ("podman run --replace --tls-verify=false -i docker.io/mcp/time:latest", "time"),
        ("podman --log-level debug --remote run --userns keep-id mcp/time", "time"),
        ("docker run -i -- mcp/time", "time"),
        ("docker run -i x***", "docker"),
        ("docker run -i ${IMAGE}", "docker"),
        ("***", "mcp-proxy"),
        ("docker compose run time", "docker"),
        ("docker run -i", "docker"),
        ("docker exec -i box mcp-time", "docker"),
        ("uvx mcp-server-time", "uvx"),
        ("/opt/my/server.py", "server.py"),
    ])
    func commands(command: String, name: String) throws {
        let words = try #require(splitWords(command))
        #expect(InstanceName.infer(command: words, controlGroup: "", isMainProcess: false).name == name)
    }

    @Test func whereTheNameComesFrom() throws {
        let cgroup = ["/proc/self/cgroup": "0::/system.slice/mcp@time.service\n"]
        #expect(try reported("name", ["--name", "x", "server"], files: cgroup) == ["x --name"])
        #expect(try reported("name", ["docker", "run", "a"], files: cgroup) == ["time unit mcp@time"])
        #expect(try reported("name", ["docker", "run", "a"]) == ["a container image"])
        #expect(try reported("name", ["server"]) == ["server command"])
        let tools = ["/proc/self/cgroup": "0::/system.slice/tools@time.service\n"]
        #expect(
            try reported("name", ["server"], environment: ["SYSTEMD_EXEC_PID": "42"], files: tools)
                == ["time unit tools@time"]
        )
        #expect(
            try reported("name", ["server"], environment: ["SYSTEMD_EXEC_PID": "41"], files: tools)
                == ["server command"]
        )
    }
}
