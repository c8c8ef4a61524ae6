// SPDX-License-Identifier: Apache-2.0

internal import Bridge
internal import Events
internal import MCP
internal import NIOHTTP1

/// What a request is for, once its head has been judged.
enum Route: Equatable {
    /// A message on the stream endpoint.
    case post(ExchangeHead)
    case get(ExchangeHead)
    case delete(ExchangeHead)
    /// The event stream of the 2024-11-05 transport.
    case openSSE
    /// A message of the 2024-11-05 transport.
    case postSSE(session: String?, TraceContext?)
    /// A CORS preflight, or a plain OPTIONS.
    case options(allow: String, requestedHeaders: String?)
    case liveness
    case readiness
    case metrics(ScrapeRequest)
    case refused(Refusal)
}

/// Decides from a head alone what becomes of a request. The checks come in one order: well-formed, `Host` and
/// `Origin`, path, method, `Content-Type`, `Accept`. The body's size is the connection's business.
///
/// Health and metrics are answered on the admin listener when there is one. Without one they are answered on the main
/// listener, but only when that is bound to loopback and the request was not forwarded and names a loopback host:
/// behind a reverse proxy on the same machine, the loopback port is public.
struct Router: Sendable {
    /// Which listener a connection came in on.
    enum Listener: Sendable, Equatable {
        case main(servesAdmin: Bool)
        case admin
    }

    /// A route, and what its request's origin means for the answer.
    struct Decision: Equatable {
        var route: Route
        /// The origin to name in the CORS headers, when the request has one that is allowed.
        var crossOrigin: String?
        /// A host to warn the operator about.
        var unknownHost: String?
        /// What the path stands for.
        var name = HTTPRoute.other
    }

    fileprivate enum Endpoint { case stream, sse, messages, liveness, readiness, metrics }

    private let policy: OriginPolicy
    private let streamPath: String
    private let endpoints: [String: Endpoint]

    init(_ configuration: GatewayConfiguration) {
        self.policy = OriginPolicy(
            allowedHosts: configuration.allowedHosts,
            allowedOrigins: configuration.allowedOrigins,
            isStrict: configuration.strictHost
        )
        self.streamPath = String(RequestTarget.normalized(Substring(configuration.streamEndpoint)))
        var endpoints: [String: Endpoint] = ["/healthz": .liveness, "/readyz": .readiness, "/metrics": .metrics]
        for path in configuration.healthEndpoints {
            endpoints[String(RequestTarget.normalized(Substring(path)))] = .liveness
        }
        if configuration.transports != .stream {
            let path = String(RequestTarget.normalized(Substring(configuration.sseEndpoint)))
            endpoints[path] = .sse
            endpoints[path == "/" ? "/messages" : path + "/messages"] = .messages
            endpoints["/messages"] = .messages
        }
        if configuration.transports != .sse { endpoints[self.streamPath] = .stream }
        self.endpoints = endpoints
    }

    func route(
        _ head: HTTPRequestHead,
        _ headers: RequestHeaders,
        on listener: Listener,
        hosts: inout AuthorityMemo
    ) -> Decision {
        var decision = self.judge(head, headers, on: listener, hosts: &hosts)
        if headers.isStateless, case .refused(var refusal) = decision.route {
            refusal.omitsID = true
            decision.route = .refused(refusal)
        }
        return decision
    }

    private func judge(
        _ head: HTTPRequestHead,
        _ headers: RequestHeaders,
        on listener: Listener,
        hosts: inout AuthorityMemo
    ) -> Decision {
        if let duplicate = headers.duplicate {
            return Decision(refusing: .malformedRequest, "\(duplicate.quotable()) was sent twice; send it once")
        }
        guard let target = RequestTarget(head.uri) else {
            return Decision(
                refusing: .malformedRequest,
                "the request target must be a path, such as \(self.streamPath)"
            )
        }
        let name = target.authority ?? headers.host ?? ""
        let host = hosts.authority(of: name)
        if host == nil, head.version != .http1_0 || !name.isEmpty {
            return Decision(refusing: .malformedRequest, "Host must name this server, got '\(name.quotable())'")
        }
        let endpoint = self.endpoints[String(target.path)]
        let path = endpoint?.name ?? .other
        if listener == .admin {
            return Decision(route: self.adminRoute(endpoint, head, headers, target), name: path)
        }

        var decision = Decision(route: .liveness, name: path)
        switch self.policy.judge(host: host, origin: headers.origin) {
        case .allowed: break
        case .unknownHost(let name): decision.unknownHost = name
        case .hostRefused: return Decision(route: .refused(self.hostRefusal(host)), name: path)
        case .originRefused: return Decision(route: .refused(self.originRefusal(headers.origin)), name: path)
        }
        decision.crossOrigin = headers.origin
        switch endpoint {
        case .stream: decision.route = self.streamRoute(head, headers)
        case .sse: decision.route = self.sseRoute(head, headers)
        case .messages: decision.route = self.messageRoute(head, headers, target)
        case .liveness, .readiness, .metrics:
            let isLocal = host?.isLoopback ?? false
            let isServed = listener == .main(servesAdmin: true) && isLocal && !headers.isForwarded
            decision.route = self.adminRoute(isServed ? endpoint : nil, head, headers, target)
        case nil: decision.route = self.notFound(target)
        }
        return decision
    }

    private func streamRoute(_ head: HTTPRequestHead, _ headers: RequestHeaders) -> Route {
        switch head.method {
        case .POST:
            if let refusal = self.contentTypeRefusal(headers) { return .refused(refusal) }
            let accepted = MediaRange.accepted(headers.accept)
            guard accepted.json || accepted.eventStream else {
                return .refused(self.notAcceptable("application/json or text/event-stream", headers))
            }
            if headers.isStateless, !(accepted.json && accepted.eventStream) {
                return .refused(self.notAcceptable("application/json and text/event-stream", headers))
            }
            return .post(ExchangeHead(headers, acceptsEventStream: accepted.eventStream))
        case .GET where headers.isStateless, .DELETE where headers.isStateless:
            return .refused(self.methodNotAllowed(head, allow: "POST"))
        case .GET:
            guard MediaRange.accepted(headers.accept).eventStream else {
                return .refused(self.notAcceptable("text/event-stream", headers))
            }
            return .get(ExchangeHead(headers, acceptsEventStream: true))
        case .DELETE: return .delete(ExchangeHead(headers, acceptsEventStream: true))
        case .OPTIONS: return .options(allow: "GET, POST, DELETE", requestedHeaders: headers.requestedHeaders)
        default: return .refused(self.methodNotAllowed(head, allow: "GET, POST, DELETE"))
        }
    }

    private func sseRoute(_ head: HTTPRequestHead, _ headers: RequestHeaders) -> Route {
        switch head.method {
        case .GET:
            guard MediaRange.accepted(headers.accept).eventStream else {
                return .refused(self.notAcceptable("text/event-stream", headers))
            }
            return .openSSE
        case .OPTIONS: return .options(allow: "GET", requestedHeaders: headers.requestedHeaders)
        default: return .refused(self.methodNotAllowed(head, allow: "GET"))
        }
    }

    private func messageRoute(_ head: HTTPRequestHead, _ headers: RequestHeaders, _ target: RequestTarget) -> Route {
        switch head.method {
        case .POST:
            if let refusal = self.contentTypeRefusal(headers) { return .refused(refusal) }
            return .postSSE(session: target.queryValue("sessionId", "session_id"), headers.traceContext)
        case .OPTIONS: return .options(allow: "POST", requestedHeaders: headers.requestedHeaders)
        default: return .refused(self.methodNotAllowed(head, allow: "POST"))
        }
    }

    private func adminRoute(
        _ endpoint: Endpoint?,
        _ head: HTTPRequestHead,
        _ headers: RequestHeaders,
        _ target: RequestTarget
    ) -> Route {
        let route: Route
        switch endpoint {
        case .liveness: route = .liveness
        case .readiness: route = .readiness
        case .metrics:
            route = .metrics(
                ScrapeRequest(
                    accept: headers.accept,
                    acceptEncoding: headers.acceptEncoding,
                    names: target.queryValues("name[]")
                )
            )
        case .stream, .sse, .messages, nil: return self.notFound(target)
        }
        guard head.method == .GET || head.method == .HEAD else {
            return .refused(self.methodNotAllowed(head, allow: "GET, HEAD"))
        }
        return route
    }

    private func contentTypeRefusal(_ headers: RequestHeaders) -> Refusal? {
        guard let type = headers.contentType else {
            return Refusal(failure: .unsupportedMediaType, message: "Content-Type must be application/json, got none")
        }
        if MediaRange.isJSON(type) { return nil }
        let message = "Content-Type must be application/json, got '\(type.quotable())'"
        return Refusal(failure: .unsupportedMediaType, message: message)
    }

    private func notAcceptable(_ offered: String, _ headers: RequestHeaders) -> Refusal {
        let message = "Accept must allow \(offered), got '\((headers.accept ?? "").quotable())'"
        return Refusal(failure: .notAcceptable, message: message)
    }

    private func methodNotAllowed(_ head: HTTPRequestHead, allow: String) -> Refusal {
        let message = "\(head.method.rawValue) is not answered here; use \(allow)"
        return Refusal(failure: .methodNotAllowed, message: message, allow: allow)
    }

    private func notFound(_ target: RequestTarget) -> Route {
        .refused(Refusal(failure: .notFound, message: "nothing is served at '\(target.path.quotable())'"))
    }

    private func hostRefusal(_ host: Authority?) -> Refusal {
        let name = host?.name.quotable() ?? ""
        let message = "Host '\(name)' is not allowed; if it is this proxy's name, start it with --allow-host \(name)"
        return Refusal(failure: .hostRefused, message: message)
    }

    private func originRefusal(_ origin: String?) -> Refusal {
        // Shown, and logged, when it is nothing but what an origin is; anything else in it may be a secret.
        let name = origin.map { OriginPolicy.isSerialized($0) ? $0.quotable() : "(not an origin)" } ?? ""
        let message =
            "Origin '\(name)' is not allowed; if you trust that site, start the proxy with --allow-origin \(name)"
        return Refusal(failure: .originRefused, message: message)
    }
}

extension Router.Endpoint {
    /// As telemetry calls it.
    fileprivate var name: HTTPRoute {
        switch self {
        case .stream: .mcp
        case .sse: .sse
        case .messages: .messages
        case .liveness: .health
        case .readiness: .ready
        case .metrics: .metrics
        }
    }
}

extension RequestHeaders {
    /// Whether the request names the revision without sessions, which has nothing but POST.
    fileprivate var isStateless: Bool { self.protocolVersion == Revision.stateless.rawValue }
}

extension Router.Decision {
    fileprivate init(refusing failure: Failure, _ message: String) {
        self.init(route: .refused(Refusal(failure: failure, message: message)))
    }
}

extension ExchangeHead {
    fileprivate init(_ headers: RequestHeaders, acceptsEventStream: Bool) {
        self.init(
            sessionID: headers.sessionID,
            protocolVersion: headers.protocolVersion,
            lastEventID: headers.lastEventID,
            acceptsEventStream: acceptsEventStream,
            traceContext: headers.traceContext,
            routing: headers.routing,
            credentials: headers.authorization
        )
    }
}
