// SPDX-License-Identifier: Apache-2.0

import Bridge
import Gateway
import NIOCore
import Telemetry
import Testing

@testable import mcp_proxy

@Suite struct PrecedenceTests {
    let file = ["/etc/time.yaml": "# time\nport: 1111\nqueue: 5\ncommand: server\n"]

    @Test func defaultsAreThoseOfTheTypeScriptProxy() throws {
        let configuration = try configuration(["server"])
        #expect(configuration.listen == .tcp(host: "127.0.0.1", port: 8080))
        #expect(configuration.streamEndpoint == "/mcp")
        #expect(configuration.sseEndpoint == "/sse")
        #expect(configuration.requestTimeout == .milliseconds(300_000))
        #expect(configuration.connectionTimeout == .milliseconds(60000))
        #expect(configuration.sessionIdleTimeout == .milliseconds(1_800_000))
        #expect(configuration.gracefulShutdownTimeout == .milliseconds(5000))
        #expect(configuration.maxBodySize == 10_485_760)
        #expect(configuration.keepAliveTimeout == .milliseconds(300_000))
        #expect(configuration.eventStore == .init(maxEvents: 1000, maxBytes: 16 << 20))
        #expect(!configuration.isStateless)
        #expect(!configuration.isDebugging)
    }

    @Test func defaultsOfTheProxysOwnOptions() throws {
        let configuration = try configuration(["server"])
        #expect(configuration.isolation == .shared)
        #expect(configuration.maxSessions == 1000)
        #expect(configuration.maxConnections == 1024)
        #expect(configuration.maxInFlight == 256)
        #expect(configuration.queue == 1024)
        #expect(configuration.maxLine == 64 << 20)
        #expect(configuration.maxRequestTime == .hours(1))
        #expect(configuration.clientRequestTimeout == .minutes(10))
        #expect(configuration.streamAfter == .seconds(10))
        #expect(configuration.keepAliveInterval == .seconds(15))
        #expect(configuration.readTimeout == .seconds(30))
        #expect(configuration.adminListen == nil)
        #expect(configuration.clientCapabilities == nil)
        #expect(configuration.allowedOrigins.isEmpty)
        #expect(configuration.allowedHosts.isEmpty)
        #expect(!configuration.isHostStrict)
        #expect(configuration.log == .auto)
    }

    @Test func aFlagBeatsTheEnvironmentBeatsTheFileBeatsTheDefault() throws {
        let environment = ["MCP_PROXY_PORT": "2222", "MCP_PROXY_CONFIG": "/etc/time.yaml"]
        #expect(try reported("port", ["server"]) == ["8080 default"])
        #expect(
            try reported("port", ["--config", "/etc/time.yaml"], files: file) == ["1111 file /etc/time.yaml"]
        )
        #expect(try reported("port", [], environment: environment, files: file) == ["2222 MCP_PROXY_PORT"])
        #expect(
            try reported("port", ["--port", "3333"], environment: environment, files: file) == ["3333 --port"]
        )
        #expect(try reported("queue", ["--port=3"], environment: environment, files: file) == ["5 file /etc/time.yaml"])
        #expect(
            try reported("config", [], environment: environment, files: file) == ["/etc/time.yaml MCP_PROXY_CONFIG"]
        )
    }

    @Test func theHighestLayerGivesAllOfAList() throws {
        let files = ["/c": "allow-host: [a, b]\n"]
        let environment = ["MCP_PROXY_ALLOW_HOST": "c, d,"]
        #expect(try configuration(["--config=/c", "server"], files: files).allowedHosts == ["a", "b"])
        #expect(
            try configuration(["--config=/c", "server"], environment: environment, files: files).allowedHosts
                == ["c", "d"]
        )
        #expect(
            try configuration(
                ["--allow-host", "e", "--config=/c", "--allow-host", "f", "server"],
                environment: environment,
                files: files
            ).allowedHosts == ["e", "f"]
        )
    }

    @Test func theLastOfTwoFlagsCounts() throws {
        #expect(try configuration(["--queue", "1", "--queue", "2", "server"]).queue == 2)
        #expect(try configuration(["--debug", "--no-debug", "server"]).isDebugging == false)
    }

    @Test func theCommandLinesCommandReplacesThatOfTheFile() throws {
        let files = ["/c": "command: docker\nargs: [run, mcp/time]\n"]
        let fromFile = try configuration(["--config=/c"], files: files)
        #expect(fromFile.command.program == "docker")
        #expect(fromFile.command.arguments == ["run", "mcp/time"])
        #expect(try configuration(["--config=/c", "server"], files: files).command.arguments.isEmpty)
        #expect(try reported("command", ["--config=/c"], files: files) == ["docker run mcp/time file /c"])
        #expect(try reported("command", ["--", "server", "-x"]) == ["server -x command line"])
    }

    @Test func anUnknownVariableIsAWarning() throws {
        var warnings: [String] = []
        let machine = surroundings(["server"], environment: ["MCP_PROXY_PROT": "1", "MCP_PROXY_ZZZZZZ": "1"])
        _ = try Invocation.interpret(machine, warn: { warnings.append($0) })
        #expect(
            warnings == [
                "the environment variable MCP_PROXY_PROT belongs to no option and is ignored; "
                    + "did you mean MCP_PROXY_PORT?",
                "the environment variable MCP_PROXY_ZZZZZZ belongs to no option and is ignored; see mcp-proxy --help",
            ]
        )
    }

    @Test func anEmptyVariableCountsAsUnset() throws {
        #expect(try reported("port", ["server"], environment: ["MCP_PROXY_PORT": ""]) == ["8080 default"])
    }

    @Test func theHardMaximumFollowsALongerRequestTimeout() throws {
        let configuration = try configuration(["--request-timeout", "2h", "server"])
        #expect(configuration.maxRequestTime == .hours(2))
        #expect(
            try reported("max-request-time", ["--request-timeout=2h", "server"]) == ["2h as --request-timeout"]
        )
        #expect(
            failure(["--request-timeout=2m", "--max-request-time=1m", "server"])?.line
                == "mcp-proxy: --max-request-time is shorter than the request timeout of 2m; "
                + "raise it, or lower --request-timeout"
        )
    }
}
