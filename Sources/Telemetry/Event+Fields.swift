// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP
internal import NIOCore

extension Event {
    /// Every fact the event carries, in a fixed order, as the catalogue declares them; nil for what is not known.
    var fields: [EventField?] {
        switch self {
        case .proxyStarted(let proxy): proxy.fields
        case .proxyReady(let milliseconds): [EventField("after_ms", milliseconds)]
        case .proxyStopping(let inFlight, let sessions):
            [EventField("in_flight", inFlight), EventField("sessions", sessions)]
        case .proxyStopped(let drained): [EventField("drained", drained)]
        case .configReloaded(let changed, let needsRestart):
            [EventField("changed", list: changed), EventField("needs_restart", list: needsRestart)]
        case .configInvalid(let problem): [EventField("problem", problem, cap: TextCap.line)]

        case .upstreamStarting(let link, let generation, let program, let argumentCount):
            [
                EventField("link", link), EventField("generation", generation), EventField("program", program),
                EventField("argument_count", argumentCount),
            ]
        case .upstreamStarted(let link, let generation, let pid):
            [EventField("link", link), EventField("generation", generation), EventField("pid", Int(pid))]
        case .imagePulling(let link, let generation, let image):
            [EventField("link", link), EventField("generation", generation), EventField("image", image)]
        case .imagePulled(let link, let generation, let image, let duration, let problem):
            [
                EventField("link", link), EventField("generation", generation), EventField("image", image),
                EventField("duration_ms", duration.milliseconds),
                problem.map { EventField("problem", $0, cap: TextCap.line) },
            ]
        case .containerStarted(let container): container.fields
        case .containersRemoved(let count, let left): [EventField("count", count), EventField("left", left)]
        case .engineChanged(let isUp, let problem):
            isUp ? [] : [EventField("problem", problem ?? "", cap: TextCap.line)]
        case .upstreamReady(let ready): ready.fields
        case .upstreamExited(let exit): exit.fields
        case .upstreamStderr(let link, let line, let truncated):
            [
                EventField("link", link), EventField("line", line, cap: TextCap.line),
                EventField("truncated", truncated),
            ]
        case .upstreamStderrSuppressed(let link, let lines): [EventField("link", link), EventField("lines", lines)]
        case .upstreamReplaced(let link, let predecessor, let inFlight):
            [EventField("link", link), EventField("predecessor", predecessor), EventField("in_flight", inFlight)]
        case .replacementFailed(let link, let problem):
            [EventField("link", link), EventField("problem", problem, cap: TextCap.line)]
        case .upstreamUnresponsive(let link, let silence):
            [EventField("link", link), EventField("silent_ms", silence)]
        case .upstreamProbed(let link, let time):
            [
                EventField("link", link), EventField("answered", time != nil),
                time.map { EventField("duration_ms", $0.milliseconds) },
            ]
        case .upstreamTakesTurns(let link): [EventField("link", link)]
        case .upstreamLog(let link, let level, let bytes):
            [EventField("link", link), EventField("log_level", level), EventField("bytes", bytes)]
        case .protocolViolation(let peer, let kind, let detail):
            [
                EventField("peer", peer.rawValue), EventField("kind", kind.rawValue),
                EventField("detail", unlessEmpty: detail),
            ]

        case .sessionOpened(let session): session.fields
        case .sessionClosed(let session): session.fields
        case .streamOpened(let session, let kind):
            [EventField("session", session), EventField("stream_kind", kind.rawValue)]
        case .streamClosed(let session, let kind, let end, let events, let duration):
            [
                EventField("session", session), EventField("stream_kind", kind.rawValue),
                EventField("end", end.rawValue),
                EventField("events", events), EventField("duration_ms", duration.milliseconds),
            ]
        case .streamResumed(let session, let replayed):
            [EventField("session", session), EventField("replayed", replayed)]
        case .messagesDropped(let session, let dropped):
            [EventField("session", session), EventField("count", dropped)]

        case .requestFinished(let request): request.fields
        case .requestRejected(let reason, let detail):
            [EventField("reason", reason.rawValue), EventField("detail", unlessEmpty: detail)]
        case .requestCancelled(let initiator): [EventField("initiator", initiator.rawValue)]
        case .answerDropped(let method): [EventField("method", method.rawValue)]
        case .serverRequestFinished(let method, let outcome, let requestBytes, let responseBytes, _):
            [
                EventField("method", method.rawValue), EventField("outcome", outcome.rawValue),
                EventField("request_bytes", requestBytes), EventField("response_bytes", responseBytes),
            ]
        case .notificationReceived(let peer, let method, let bytes):
            [EventField("peer", peer.rawValue), EventField("method", method.rawValue), EventField("bytes", bytes)]
        case .payload(let peer, let session, let message, let bytes):
            [
                EventField("peer", peer.rawValue), EventField("session", unlessEmpty: session),
                EventField("payload", PayloadRedaction.text(of: message), cap: TextCap.line),
                EventField("bytes", bytes),
            ]

        case .httpAnswered(let answer):
            [
                EventField("http_method", answer.method.rawValue), EventField("route", answer.route.rawValue),
                EventField("http_status", answer.status), EventField("duration_us", answer.duration.microseconds),
            ]
        case .unknownHost(let host, _): [EventField("host", host)]
        case .connectionClosed(let reason): [EventField("reason", reason.rawValue)]
        }
    }
}

extension EventField {
    /// Nil for a text that says nothing.
    init?(_ name: String, unlessEmpty text: String) {
        guard !text.isEmpty else { return nil }
        self.init(name, text, cap: TextCap.line)
    }

    /// Words, separated by commas; nil for none.
    init?(_ name: String, list: [String]) { self.init(name, unlessEmpty: list.joined(separator: ", ")) }
}

extension TimeAmount {
    var milliseconds: Int { Int(nanoseconds / 1_000_000) }
    var microseconds: Int { Int(nanoseconds / 1000) }
}

extension Event.ProxyStarted {
    fileprivate var fields: [EventField?] {
        [
            EventField("version", version), EventField("name", name), EventField("listen", listen),
            adminListen.map { EventField("admin_listen", $0) }, EventField("isolation", isolation),
            EventField("log", log),
        ]
    }
}

extension Event.ContainerStarted {
    fileprivate var fields: [EventField?] {
        [
            EventField("link", link), EventField("generation", generation), EventField("container", container),
            EventField("image", image), EventField("image_id", unlessEmpty: imageID),
            EventField("image_digest", unlessEmpty: digest),
        ]
    }
}

extension Event.UpstreamReady {
    fileprivate var fields: [EventField?] {
        [
            EventField("link", link), EventField("generation", generation), EventField("server_name", serverName),
            EventField("server_version", serverVersion), EventField("revision", revision),
            EventField("start_ms", startDuration.milliseconds),
        ]
    }
}

extension Event.UpstreamExit {
    fileprivate var fields: [EventField?] {
        [
            EventField("link", link), EventField("generation", generation), EventField("reason", reason.rawValue),
            status.map { EventField("status", Int($0)) }, signal.map { EventField("signal", Int($0)) },
            detail.map { EventField("detail", $0, cap: TextCap.line) }, EventField("uptime_ms", uptimeMilliseconds),
            EventField("was_ready", wasReady), EventField("stderr_tail", unlessEmpty: stderrTail),
        ] + planFields + [EventField("in_flight", inFlight)]
    }

    private var planFields: [EventField] {
        switch plan {
        case .restart(let delay, let attempt):
            [EventField("plan", "restart"), EventField("delay_ms", delay), EventField("attempt", attempt)]
        case .crashLoop(let delay, let attempt):
            [EventField("plan", "crash_loop"), EventField("delay_ms", delay), EventField("attempt", attempt)]
        case .none: [EventField("plan", "none")]
        }
    }
}

extension Event.SessionOpened {
    fileprivate var fields: [EventField?] {
        [
            EventField("session", session), EventField("transport", transport.rawValue),
            EventField("revision", revision.rawValue), EventField("client_name", clientName),
            EventField("client_version", unlessEmpty: clientVersion),
        ]
    }
}

extension Event.SessionClosed {
    fileprivate var fields: [EventField?] {
        [
            EventField("session", session), EventField("reason", reason.rawValue), EventField("requests", requests),
            EventField("duration_ms", duration.milliseconds),
        ]
    }
}

extension Event.RequestFinished {
    /// The proxy's own part of the time: all of it without the queue and without the child.
    var overhead: TimeAmount {
        let upstream = sent.flatMap { sent in answered.map { $0 - sent } } ?? .zero
        return finished - arrived - queued - upstream
    }

    fileprivate var fields: [EventField?] {
        [
            EventField("session", unlessEmpty: session), EventField("method", method.rawValue),
            name.map { EventField($0.kind == .tool ? "tool" : "prompt", $0.text) },
            // A string without its quotes.
            id.map { EventField("jsonrpc_id", $0.hasPrefix("\"") ? String($0.dropFirst().dropLast()) : $0) },
            EventField("outcome", outcome.rawValue), EventField("error_type", unlessEmpty: ErrorType(self).rawValue),
            errorCode.map { EventField("error_code", $0) }, EventField("transport", transport.rawValue),
            EventField("protocol_version", revision.rawValue), EventField("request_bytes", requestBytes),
            EventField("response_bytes", responseBytes),
            EventField("duration_us", (finished - arrived).microseconds),
        ] + phases + [
            trace.map { EventField("trace_id", $0.server.traceID.hex) },
            trace.map { EventField("span_id", $0.server.spanID.hex) },
        ]
    }

    /// Where the time went, as far as the request came.
    private var phases: [EventField] {
        guard let sent else { return [] }
        let queue = EventField("queue_us", queued.microseconds)
        guard let answered else { return [queue] }
        return [
            queue, EventField("upstream_us", (answered - sent).microseconds),
            EventField("overhead_us", overhead.microseconds),
        ]
    }
}
