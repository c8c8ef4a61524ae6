// SPDX-License-Identifier: Apache-2.0
// Written by scripts/catalogue.py from events.json: edit that, not this.

/// What an entry of the log can be about; the raw value is its name there. `docs/events.md` tells of each.
package enum EventKind: String, CaseIterable, Sendable {
    case proxyStarted = "proxy.started"
    case proxyReady = "proxy.ready"
    case proxyStopping = "proxy.stopping"
    case proxyStopped = "proxy.stopped"
    case configReloaded = "config.reloaded"
    case configInvalid = "config.invalid"
    case upstreamStarting = "upstream.starting"
    case upstreamStarted = "upstream.started"
    case imagePulling = "image.pulling"
    case imagePulled = "image.pulled"
    case imagePullFailed = "image.pull_failed"
    case containerStarted = "container.started"
    case containerLeftoversRemoved = "container.leftovers_removed"
    case engineUnreachable = "engine.unreachable"
    case engineReachable = "engine.reachable"
    case upstreamEngineFailed = "upstream.engine_failed"
    case upstreamReady = "upstream.ready"
    case upstreamStopped = "upstream.stopped"
    case upstreamCrashed = "upstream.crashed"
    case upstreamBackoff = "upstream.backoff"
    case upstreamStartFailed = "upstream.start_failed"
    case upstreamReplaced = "upstream.replaced"
    case upstreamReplacementFailed = "upstream.replacement_failed"
    case upstreamUnresponsive = "upstream.unresponsive"
    case upstreamProbed = "upstream.probed"
    case upstreamTakesTurns = "upstream.takes_turns"
    case upstreamStderr = "upstream.stderr"
    case upstreamStderrSuppressed = "upstream.stderr_suppressed"
    case upstreamLog = "upstream.log"
    case upstreamProtocolError = "upstream.protocol_error"
    case upstreamAnswerDropped = "upstream.answer_dropped"
    case upstreamRequestFinished = "upstream.request_finished"
    case upstreamNotification = "upstream.notification"
    case clientProtocolError = "client.protocol_error"
    case clientNotification = "client.notification"
    case sessionOpened = "session.opened"
    case sessionClosed = "session.closed"
    case sessionExpired = "session.expired"
    case sessionMessagesDropped = "session.messages_dropped"
    case streamOpened = "stream.opened"
    case streamClosed = "stream.closed"
    case streamResumed = "stream.resumed"
    case requestCompleted = "request.completed"
    case requestFailed = "request.failed"
    case requestTimeout = "request.timeout"
    case requestUpstreamLost = "request.upstream_lost"
    case requestRejected = "request.rejected"
    case requestCancelled = "request.cancelled"
    case messagePayload = "message.payload"
    case httpAnswered = "http.answered"
    case securityUnknownHost = "security.unknown_host"
    case securityHostRejected = "security.host_rejected"
    case securityOriginRejected = "security.origin_rejected"
    case connectionClosed = "connection.closed"
    case requestsSummary = "requests.summary"
    case telemetryDropped = "telemetry.dropped"

    /// Which limit a kind meets on its way into the journal.
    package enum Lane: Sendable {
        /// None, and the queue keeps room for it alone.
        case reserved
        /// None: such events are rare by nature, or limited where they arise.
        case ordinary
        /// The token bucket of that name.
        case request, failure, security
    }

    package var lane: Lane {
        switch self {
        case .proxyStarted, .proxyReady, .proxyStopping, .proxyStopped, .configReloaded, .configInvalid,
            .upstreamStarting, .upstreamStarted, .imagePulling, .imagePulled, .containerStarted,
            .containerLeftoversRemoved, .engineReachable, .upstreamReady, .upstreamStopped, .upstreamReplaced,
            .upstreamProbed, .upstreamTakesTurns, .upstreamStderr, .upstreamStderrSuppressed, .requestsSummary:
            .ordinary
        case .imagePullFailed, .engineUnreachable, .upstreamEngineFailed, .upstreamCrashed, .upstreamBackoff,
            .upstreamStartFailed, .upstreamReplacementFailed, .upstreamUnresponsive, .telemetryDropped:
            .reserved
        case .upstreamLog, .upstreamAnswerDropped, .upstreamRequestFinished, .upstreamNotification, .clientNotification,
            .sessionOpened, .sessionClosed, .sessionExpired, .sessionMessagesDropped, .streamOpened, .streamClosed,
            .streamResumed, .requestCompleted, .requestCancelled, .messagePayload, .httpAnswered, .connectionClosed:
            .request
        case .upstreamProtocolError, .clientProtocolError, .requestFailed, .requestTimeout, .requestUpstreamLost,
            .requestRejected:
            .failure
        case .securityUnknownHost, .securityHostRejected, .securityOriginRejected: .security
        }
    }

    /// The journal's `MESSAGE_ID`: 32 hexadecimal digits that never change.
    package var messageID: String {
        switch self {
        case .proxyStarted: "fb27657e314447408127c0405aa78a0d"
        case .proxyReady: "27b8085a72f14cdab183a2ee9c73ef6a"
        case .proxyStopping: "e06be79b7519486da8a5655acdd6304f"
        case .proxyStopped: "7232cca4f14f4cada63350449a4fba48"
        case .configReloaded: "49b0965e73d14b83896196250afc5683"
        case .configInvalid: "59e52f9222ee456eb3fa0561d17e56fc"
        case .upstreamStarting: "de5cb0b1e18146e88b69b25cef065844"
        case .upstreamStarted: "13e0e2d6e59c4309a18fa5c61a74628b"
        case .imagePulling: "7671cf3bb14e4e39873c035714024e42"
        case .imagePulled: "483ec919102f4972b06ab6a17ff431cf"
        case .imagePullFailed: "314508ee5a924f91a78bf711fb444759"
        case .containerStarted: "a41e6253337c404db89db3163286aed5"
        case .containerLeftoversRemoved: "ded5406b532a44ecacbd1f5035fad2fc"
        case .engineUnreachable: "6e4bf7508f504667847fce7e735a2522"
        case .engineReachable: "8a249546ced149ecba02e2e49944ef3c"
        case .upstreamEngineFailed: "63845595fdac49dba4a522d78e8955b9"
        case .upstreamReady: "df1771e76fa643cfadd464cc78f151af"
        case .upstreamStopped: "b321fd2de698495883fcaeb8c69787aa"
        case .upstreamCrashed: "a32bfd816ff24539abd489686b627a36"
        case .upstreamBackoff: "31b8c7d51e7742f7835fa77fc6f0561c"
        case .upstreamStartFailed: "2954070504d04010b30e3ea59a221465"
        case .upstreamReplaced: "a66c57db8ee249c5a05c13c0a1842ce0"
        case .upstreamReplacementFailed: "56190393694e42579ff0a980023c43de"
        case .upstreamUnresponsive: "7ef3ffcb1d2a4340b4b63a2724c17e30"
        case .upstreamProbed: "51732924bdca4e15a0d3610d2fee918a"
        case .upstreamTakesTurns: "24a4ed68767342c683114b62b3d59fef"
        case .upstreamStderr: "b3cf4e04362c4743912b8482cbcf52a7"
        case .upstreamStderrSuppressed: "0c1f8dd8a9124acf9a9d07038156e11f"
        case .upstreamLog: "25fd00a40b7b42e89afb14883f9ba05c"
        case .upstreamProtocolError: "fa8fb55b4e594a9cada99bddf19ab8d7"
        case .upstreamAnswerDropped: "82f4e326399c460ba0b8f06d2dae1b24"
        case .upstreamRequestFinished: "7ec119c484ec4b08920cf81f2d83bd31"
        case .upstreamNotification: "a5e5a9ec1de242ce9f74c4a5968a145a"
        case .clientProtocolError: "10ac4834977144d6b8bc691c53a92757"
        case .clientNotification: "56789372337e4ef3bce27905022610b0"
        case .sessionOpened: "0578ffd3a026438f9786e09464efaae4"
        case .sessionClosed: "2038823622c4472b80b26175aa7a2c3d"
        case .sessionExpired: "265de0d453c14707a230bbdc6bf71ce5"
        case .sessionMessagesDropped: "61020ab377484270ade0707975dbcb92"
        case .streamOpened: "6be02e1e9a2443e0862d032e47a30e8b"
        case .streamClosed: "5c0b48d9ba434e61bd78575ff10b6401"
        case .streamResumed: "eb2cfcd631fd45a29c5c064a246cc0bf"
        case .requestCompleted: "3dc8a50b693941e99a6160a1ce17dda6"
        case .requestFailed: "bd5d8e1f150f4403b9cf1296a7e5327c"
        case .requestTimeout: "f2fca4afb4c44b6181ead48ea794e13e"
        case .requestUpstreamLost: "4592a76bc19444859864dc8aa110be33"
        case .requestRejected: "bd9e1f08b25c47e79b4fe9e4247722e5"
        case .requestCancelled: "e79f3c8d58cd4c8fbfbcf0c0a4d79bf3"
        case .messagePayload: "17c68091acc041ba91a7fed7ec082f18"
        case .httpAnswered: "cd841ac83c79447b8ced7aea3ac0ed52"
        case .securityUnknownHost: "971f8fee74e24eb7940520b57a367b2c"
        case .securityHostRejected: "9ff172daf76041268894ca1323705494"
        case .securityOriginRejected: "0ac84e3a98b6494ab125168cc67ba772"
        case .connectionClosed: "0aaf61162fad449d91d350cb8eef8206"
        case .requestsSummary: "78f7149f4e6e4dc79a53b2e897a8542c"
        case .telemetryDropped: "8ab9a0af30564eecb2076aea8dc4c57d"
        }
    }

    /// A field that entries of a kind have.
    package struct DeclaredField: Sendable, Equatable {
        package enum FieldType: Sendable { case text, integer, boolean }

        /// As in `EventField`.
        package let name: String
        package let type: FieldType
        /// Whether an entry may lack it.
        package let isOptional: Bool

        fileprivate init(_ name: String, _ type: FieldType, isOptional: Bool = false) {
            self.name = name
            self.type = type
            self.isOptional = isOptional
        }
    }

    /// The fields of its entries, in their order there.
    package var declaredFields: [DeclaredField] {
        switch self {
        case .proxyStarted:
            [
                DeclaredField("version", .text), DeclaredField("name", .text), DeclaredField("listen", .text),
                DeclaredField("admin_listen", .text, isOptional: true), DeclaredField("isolation", .text),
                DeclaredField("log", .text),
            ]
        case .proxyReady:
            [DeclaredField("after_ms", .integer)]
        case .proxyStopping:
            [DeclaredField("in_flight", .integer), DeclaredField("sessions", .integer)]
        case .proxyStopped:
            [DeclaredField("drained", .boolean)]
        case .configReloaded:
            [
                DeclaredField("changed", .text, isOptional: true),
                DeclaredField("needs_restart", .text, isOptional: true),
            ]
        case .configInvalid, .engineUnreachable:
            [DeclaredField("problem", .text)]
        case .upstreamStarting:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("program", .text),
                DeclaredField("argument_count", .integer),
            ]
        case .upstreamStarted:
            [DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("pid", .integer)]
        case .imagePulling:
            [DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("image", .text)]
        case .imagePulled:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("image", .text),
                DeclaredField("duration_ms", .integer),
            ]
        case .imagePullFailed:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("image", .text),
                DeclaredField("duration_ms", .integer), DeclaredField("problem", .text),
            ]
        case .containerStarted:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer),
                DeclaredField("container", .text), DeclaredField("image", .text),
                DeclaredField("image_id", .text, isOptional: true),
                DeclaredField("image_digest", .text, isOptional: true),
            ]
        case .containerLeftoversRemoved:
            [DeclaredField("count", .integer), DeclaredField("left", .integer)]
        case .engineReachable:
            []
        case .upstreamEngineFailed, .upstreamStopped, .upstreamCrashed, .upstreamBackoff, .upstreamStartFailed:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer), DeclaredField("reason", .text),
                DeclaredField("status", .integer, isOptional: true),
                DeclaredField("signal", .integer, isOptional: true), DeclaredField("detail", .text, isOptional: true),
                DeclaredField("uptime_ms", .integer), DeclaredField("was_ready", .boolean),
                DeclaredField("stderr_tail", .text, isOptional: true), DeclaredField("plan", .text),
                DeclaredField("delay_ms", .integer, isOptional: true),
                DeclaredField("attempt", .integer, isOptional: true), DeclaredField("in_flight", .integer),
            ]
        case .upstreamReady:
            [
                DeclaredField("link", .integer), DeclaredField("generation", .integer),
                DeclaredField("server_name", .text), DeclaredField("server_version", .text),
                DeclaredField("revision", .text), DeclaredField("start_ms", .integer),
            ]
        case .upstreamReplaced:
            [
                DeclaredField("link", .integer), DeclaredField("predecessor", .integer),
                DeclaredField("in_flight", .integer),
            ]
        case .upstreamReplacementFailed:
            [DeclaredField("link", .integer), DeclaredField("problem", .text)]
        case .upstreamUnresponsive:
            [DeclaredField("link", .integer), DeclaredField("silent_ms", .integer)]
        case .upstreamProbed:
            [
                DeclaredField("link", .integer), DeclaredField("answered", .boolean),
                DeclaredField("duration_ms", .integer, isOptional: true),
            ]
        case .upstreamTakesTurns:
            [DeclaredField("link", .integer)]
        case .upstreamStderr:
            [DeclaredField("link", .integer), DeclaredField("line", .text), DeclaredField("truncated", .boolean)]
        case .upstreamStderrSuppressed:
            [DeclaredField("link", .integer), DeclaredField("lines", .integer)]
        case .upstreamLog:
            [DeclaredField("link", .integer), DeclaredField("log_level", .text), DeclaredField("bytes", .integer)]
        case .upstreamProtocolError, .clientProtocolError:
            [
                DeclaredField("peer", .text), DeclaredField("kind", .text),
                DeclaredField("detail", .text, isOptional: true),
            ]
        case .upstreamAnswerDropped:
            [DeclaredField("method", .text)]
        case .upstreamRequestFinished:
            [
                DeclaredField("method", .text), DeclaredField("outcome", .text),
                DeclaredField("request_bytes", .integer), DeclaredField("response_bytes", .integer),
            ]
        case .upstreamNotification, .clientNotification:
            [DeclaredField("peer", .text), DeclaredField("method", .text), DeclaredField("bytes", .integer)]
        case .sessionOpened:
            [
                DeclaredField("session", .text), DeclaredField("transport", .text), DeclaredField("revision", .text),
                DeclaredField("client_name", .text), DeclaredField("client_version", .text, isOptional: true),
            ]
        case .sessionClosed, .sessionExpired:
            [
                DeclaredField("session", .text), DeclaredField("reason", .text), DeclaredField("requests", .integer),
                DeclaredField("duration_ms", .integer),
            ]
        case .sessionMessagesDropped:
            [DeclaredField("session", .text), DeclaredField("count", .integer)]
        case .streamOpened:
            [DeclaredField("session", .text), DeclaredField("stream_kind", .text)]
        case .streamClosed:
            [
                DeclaredField("session", .text), DeclaredField("stream_kind", .text), DeclaredField("end", .text),
                DeclaredField("events", .integer), DeclaredField("duration_ms", .integer),
            ]
        case .streamResumed:
            [DeclaredField("session", .text), DeclaredField("replayed", .integer)]
        case .requestCompleted, .requestFailed, .requestTimeout, .requestUpstreamLost:
            [
                DeclaredField("session", .text, isOptional: true), DeclaredField("method", .text),
                DeclaredField("tool", .text, isOptional: true), DeclaredField("prompt", .text, isOptional: true),
                DeclaredField("jsonrpc_id", .text, isOptional: true), DeclaredField("outcome", .text),
                DeclaredField("error_type", .text, isOptional: true),
                DeclaredField("error_code", .integer, isOptional: true), DeclaredField("transport", .text),
                DeclaredField("protocol_version", .text), DeclaredField("request_bytes", .integer),
                DeclaredField("response_bytes", .integer), DeclaredField("duration_us", .integer),
                DeclaredField("queue_us", .integer, isOptional: true),
                DeclaredField("upstream_us", .integer, isOptional: true),
                DeclaredField("overhead_us", .integer, isOptional: true),
                DeclaredField("trace_id", .text, isOptional: true), DeclaredField("span_id", .text, isOptional: true),
            ]
        case .requestRejected, .securityHostRejected, .securityOriginRejected:
            [DeclaredField("reason", .text), DeclaredField("detail", .text, isOptional: true)]
        case .requestCancelled:
            [DeclaredField("initiator", .text)]
        case .messagePayload:
            [
                DeclaredField("peer", .text), DeclaredField("session", .text, isOptional: true),
                DeclaredField("payload", .text), DeclaredField("bytes", .integer),
            ]
        case .httpAnswered:
            [
                DeclaredField("http_method", .text), DeclaredField("route", .text),
                DeclaredField("http_status", .integer), DeclaredField("duration_us", .integer),
            ]
        case .securityUnknownHost:
            [DeclaredField("host", .text)]
        case .connectionClosed:
            [DeclaredField("reason", .text)]
        case .requestsSummary:
            [
                DeclaredField("window_ms", .integer), DeclaredField("suppressed", .integer),
                DeclaredField("kinds", .text),
            ]
        case .telemetryDropped:
            [
                DeclaredField("lost", .integer), DeclaredField("reason", .text),
                DeclaredField("first_seq", .integer, isOptional: true),
                DeclaredField("last_seq", .integer, isOptional: true),
            ]
        }
    }
}
