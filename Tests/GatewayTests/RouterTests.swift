// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import MCP
import NIOHTTP1
import Testing

@testable import Gateway

@Suite struct RouterTests {
    private func decide(
        _ method: HTTPMethod,
        _ uri: String,
        _ headers: [(String, String)] = [],
        host: String? = "localhost:3001",
        version: HTTPVersion = .http1_1,
        on listener: Router.Listener = .main(servesAdmin: true),
        configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) -> Router.Decision {
        var configuration = GatewayConfiguration()
        configure(&configuration)
        let all = HTTPHeaders((host.map { [("Host", $0)] } ?? []) + headers)
        let head = HTTPRequestHead(version: version, method: method, uri: uri, headers: all)
        var hosts = AuthorityMemo()
        return Router(configuration).route(head, RequestHeaders(all), on: listener, hosts: &hosts)
    }

    private func refusal(_ decision: Router.Decision) -> Failure? {
        if case .refused(let refusal) = decision.route { refusal.failure } else { nil }
    }

    private let json = [("Content-Type", "application/json")]

    @Test func refusesWithoutIDWhatTheStatelessRevisionAsks() {
        for (version, omitsID) in [("2026-07-28", true), ("2025-11-25", false)] {
            let decision = self.decide(.POST, "/mcp", [("MCP-Protocol-Version", version)])
            if case .refused(let refusal) = decision.route {
                #expect(refusal.omitsID == omitsID)
            } else {
                Issue.record("not refused")
            }
        }
    }

    @Test func takesMessagesOnTheStreamEndpoint() {
        let decision = self.decide(
            .POST,
            "/mcp/?x",
            self.json + [("Mcp-Session-Id", "s"), ("MCP-Protocol-Version", "v"), ("Accept", "application/json")]
        )
        #expect(decision.route == .post(.init(sessionID: "s", protocolVersion: "v", acceptsEventStream: false)))
        #expect(self.decide(.POST, "/mcp", self.json).route == .post(.init()))
    }

    @Test func takesTheOtherMethodsOfTheStreamEndpoint() {
        let decision = self.decide(.GET, "/mcp", [("Accept", "text/event-stream"), ("Last-Event-ID", "e")])
        #expect(decision.route == .get(.init(lastEventID: "e")))
        #expect(self.decide(.GET, "/mcp").route == .get(.init()))
        #expect(self.decide(.DELETE, "/mcp", [("Mcp-Session-Id", "s")]).route == .delete(.init(sessionID: "s")))
        #expect(self.refusal(self.decide(.GET, "/mcp", [("Accept", "application/json")])) == .notAcceptable)
        for method in [HTTPMethod.PUT, .HEAD, .PATCH, .TRACE] {
            #expect(self.refusal(self.decide(method, "/mcp")) == .methodNotAllowed)
        }
    }

    @Test func takesTheOlderTransport() {
        #expect(self.decide(.GET, "/sse").route == .openSSE)
        #expect(self.refusal(self.decide(.HEAD, "/sse")) == .methodNotAllowed)
        #expect(self.refusal(self.decide(.POST, "/sse", self.json)) == .methodNotAllowed)
        #expect(self.refusal(self.decide(.GET, "/sse", [("Accept", "text/html")])) == .notAcceptable)
        for path in ["/messages", "/sse/messages", "/sse/messages/"] {
            #expect(self.decide(.POST, path + "?sessionId=a%2Db", self.json).route == .postSSE(session: "a-b", nil))
            #expect(self.decide(.POST, path, self.json).route == .postSSE(session: nil, nil))
            #expect(self.refusal(self.decide(.GET, path)) == .methodNotAllowed)
            #expect(self.refusal(self.decide(.POST, path)) == .unsupportedMediaType)
        }
    }

    @Test func servesOnlyTheTransportsAskedFor() {
        let stream: (inout GatewayConfiguration) -> Void = { $0.transports = .stream }
        #expect(self.refusal(self.decide(.GET, "/sse", configure: stream)) == .notFound)
        #expect(self.refusal(self.decide(.POST, "/messages", self.json, configure: stream)) == .notFound)
        #expect(self.decide(.POST, "/mcp", self.json, configure: stream).route == .post(.init()))
        #expect(self.refusal(self.decide(.POST, "/mcp", self.json, configure: { $0.transports = .sse })) == .notFound)
    }

    @Test func servesTheEndpointsAsConfigured() {
        let configure: (inout GatewayConfiguration) -> Void = {
            $0.streamEndpoint = "/a/b/"
            $0.sseEndpoint = "/"
        }
        #expect(self.decide(.POST, "/a/b", self.json, configure: configure).route == .post(.init()))
        #expect(self.decide(.GET, "/", configure: configure).route == .openSSE)
        #expect(self.refusal(self.decide(.POST, "/mcp", self.json, configure: configure)) == .notFound)
        #expect(self.refusal(self.decide(.POST, "/a/b/c", self.json, configure: configure)) == .notFound)
    }

    @Test func checksInOrder() {
        let evil = [("Origin", "https://evil.example")]
        #expect(self.refusal(self.decide(.PUT, "/nowhere", evil)) == .originRefused)
        #expect(self.refusal(self.decide(.PUT, "/mcp", [("Accept", "text/html")])) == .methodNotAllowed)
        #expect(self.refusal(self.decide(.POST, "/mcp", [("Accept", "text/html")])) == .unsupportedMediaType)
        #expect(self.refusal(self.decide(.POST, "/mcp", self.json + [("Accept", "text/html")])) == .notAcceptable)
        #expect(self.refusal(self.decide(.GET, "/mcp", evil + evil)) == .malformedRequest)
    }

    @Test func saysHowToMendIt() {
        let decision = self.decide(.POST, "/mcp", [("Content-Type", "text/plain")])
        let message = "Content-Type must be application/json, got 'text/plain'"
        #expect(decision.route == .refused(Refusal(failure: .unsupportedMediaType, message: message)))
    }

    @Test func refusesHeadersThatCanBeReadTwoWays() {
        for name in ["Host", "Mcp-Session-Id", "MCP-Protocol-Version", "Content-Length"] {
            #expect(self.refusal(self.decide(.GET, "/mcp", [(name, "1"), (name, "1")])) == .malformedRequest)
        }
    }

    @Test func needsAHost() {
        #expect(self.refusal(self.decide(.GET, "/mcp", host: nil)) == .malformedRequest)
        #expect(self.refusal(self.decide(.GET, "/mcp", host: "")) == .malformedRequest)
        #expect(self.refusal(self.decide(.GET, "/mcp", host: "a b")) == .malformedRequest)
        #expect(self.decide(.GET, "/mcp", host: nil, version: .http1_0).route == .get(.init()))
        #expect(self.refusal(self.decide(.GET, "/healthz", host: nil, version: .http1_0)) == .notFound)
        #expect(self.refusal(self.decide(.GET, "*")) == .malformedRequest)
    }

    @Test func believesAnAbsoluteTargetMoreThanHost() {
        #expect(self.decide(.GET, "http://localhost/mcp", host: "other.example").unknownHost == nil)
        #expect(self.decide(.GET, "http://other.example/mcp").unknownHost == "other.example")
        #expect(self.refusal(self.decide(.GET, "http://other.example/healthz")) == .notFound)
    }

    @Test func namesTheOriginOnlyWhenItIsAllowed() {
        let local = [("Origin", "http://localhost:5173")]
        #expect(self.decide(.GET, "/mcp", local).crossOrigin == "http://localhost:5173")
        #expect(self.decide(.GET, "/nowhere", local).crossOrigin == "http://localhost:5173")
        #expect(self.decide(.GET, "/mcp", [("Origin", "https://evil.example")]).crossOrigin == nil)
        let preflight = self.decide(.OPTIONS, "/mcp", local + [("Access-Control-Request-Headers", "mcp-param-x")])
        #expect(preflight.route == .options(allow: "GET, POST, DELETE", requestedHeaders: "mcp-param-x"))
        #expect(self.refusal(self.decide(.OPTIONS, "/mcp", [("Origin", "https://evil.example")])) == .originRefused)
    }

    @Test func answersHealthOnlyToThisMachine() {
        #expect(self.decide(.GET, "/healthz").route == .liveness)
        #expect(self.decide(.HEAD, "/readyz/").route == .readiness)
        #expect(self.decide(.GET, "/up", configure: { $0.healthEndpoints = ["/up"] }).route == .liveness)
        #expect(self.refusal(self.decide(.POST, "/healthz")) == .methodNotAllowed)
        #expect(self.refusal(self.decide(.GET, "/healthz", host: "mcp.example.com")) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/healthz", on: .main(servesAdmin: false))) == .notFound)
        for name in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"] {
            #expect(self.refusal(self.decide(.GET, "/healthz", [(name, "1")])) == .notFound)
        }
        let allowed = self.decide(.GET, "/readyz", host: "box", configure: { $0.allowedHosts = ["box"] })
        #expect(self.refusal(allowed) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/console")) == .notFound)
    }

    @Test func answersMetricsWhereHealthIs() {
        let plain = ScrapeRequest()
        #expect(self.decide(.GET, "/metrics").route == .metrics(plain))
        #expect(self.decide(.HEAD, "/metrics", host: "prometheus.internal", on: .admin).route == .metrics(plain))
        #expect(self.refusal(self.decide(.GET, "/metrics", host: "mcp.example.com")) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/metrics", [("X-Forwarded-For", "1.2.3.4")])) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/metrics", on: .main(servesAdmin: false))) == .notFound)
        #expect(self.refusal(self.decide(.POST, "/metrics", on: .admin)) == .methodNotAllowed)
    }

    @Test func handsOnWhatAScrapeDependsOn() {
        let target = "/metrics?name[]=up&x=1&name%5B%5D=mcp_proxy_requests_total&name[]=%zz&name="
        let headers = [
            ("Accept", "text/plain;q=0.5"), ("Accept-Encoding", "deflate"), ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
        ]
        let expected = ScrapeRequest(
            accept: "text/plain;q=0.5,*/*",
            acceptEncoding: "deflate,gzip",
            names: ["up", "mcp_proxy_requests_total", ""]
        )
        #expect(self.decide(.GET, target, headers, on: .admin).route == .metrics(expected))
    }

    @Test func callsEveryPathByItsLogicalName() {
        let named: [(String, HTTPRoute)] = [
            ("/mcp", .mcp), ("/sse", .sse), ("/sse/messages", .messages), ("/messages", .messages),
            ("/healthz", .health), ("/readyz", .ready), ("/metrics", .metrics), ("/favicon.ico", .other),
        ]
        for (path, name) in named { #expect(self.decide(.GET, path).name == name, "\(path)") }
        let foreign = self.decide(.GET, "/mcp", [("Origin", "https://evil.example")])
        #expect(foreign.name == .mcp, "refused, and still counted where it belongs")
    }

    @Test func answersNothingButHealthOnTheAdminListener() {
        #expect(self.decide(.GET, "/healthz", host: "prometheus.internal", on: .admin).route == .liveness)
        #expect(self.decide(.GET, "/readyz", [("Via", "x")], on: .admin).route == .readiness)
        #expect(self.refusal(self.decide(.POST, "/mcp", self.json, on: .admin)) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/sse", on: .admin)) == .notFound)
        #expect(self.refusal(self.decide(.GET, "/console", on: .admin)) == .notFound)
    }
}
