// SPDX-License-Identifier: Apache-2.0

package import Events
internal import MCP

extension EventRecord {
    /// The one place that says what an event is called, how it reads, and which fields it has.
    package init(_ event: Event) {
        let severity = event.severity
        switch event {
        case .proxyStarted(let proxy):
            self.init("proxy.started", severity, proxy.sentence, proxy.fields)
        case .proxyReady(let milliseconds):
            self.init(
                "proxy.ready",
                severity,
                "ready after \(duration(milliseconds: milliseconds))",
                [EventField("after_ms", milliseconds)]
            )
        case .proxyStopping(let inFlight, let sessions):
            self.init(
                "proxy.stopping",
                severity,
                "stopping: \(count(inFlight, "call")) in flight, \(count(sessions, "session")) open",
                [EventField("in_flight", inFlight), EventField("sessions", sessions)]
            )
        case .proxyStopped(let drained):
            let sentence = drained ? "stopped, every call was answered" : "stopped before every call was answered"
            self.init("proxy.stopped", severity, sentence, [EventField("drained", drained)])

        case .upstreamStarting(let link, let generation, let program, let argumentCount):
            self.init(
                "upstream.starting",
                severity,
                subject(link) + "starting \(program.quoted()) with \(count(argumentCount, "argument"))",
                [
                    EventField("link", link), EventField("generation", generation), EventField("program", program),
                    EventField("argument_count", argumentCount),
                ]
            )
        case .upstreamStarted(let link, let generation, let pid):
            self.init(
                "upstream.started",
                severity,
                subject(link) + "process \(pid) started",
                [EventField("link", link), EventField("generation", generation), EventField("pid", Int(pid))]
            )
        case .upstreamReady(let ready):
            self.init("upstream.ready", severity, ready.sentence, ready.fields)
        case .upstreamExited(let exit):
            self.init(exit.eventName, severity, exit.sentence, exit.fields)
        case .upstreamStderr(let link, let line, let truncated):
            self.init(
                "upstream.stderr",
                severity,
                subject(link) + line + (truncated ? " (cut)" : ""),
                [
                    EventField("link", link), EventField("line", line, cap: TextCap.line),
                    EventField("truncated", truncated),
                ]
            )
        case .upstreamStderrSuppressed(let link, let lines):
            self.init(
                "upstream.stderr_suppressed",
                severity,
                subject(link) + "\(count(lines, "line")) of stderr left out: the server writes too fast",
                [EventField("link", link), EventField("lines", lines)]
            )
        case .upstreamUnresponsive(let link, let milliseconds):
            self.init(
                "upstream.unresponsive",
                severity,
                subject(link)
                    + "sent nothing for \(duration(milliseconds: milliseconds)), not even an answer to a ping",
                [EventField("link", link), EventField("silent_ms", milliseconds)]
            )
        case .upstreamTakesTurns(let link):
            self.init(
                "upstream.takes_turns",
                severity,
                subject(link) + "the server asks clients questions: calls of different clients take turns from now on",
                [EventField("link", link)]
            )
        case .upstreamLog(let link, let level, let bytes):
            self.init(
                "upstream.log",
                severity,
                subject(link)
                    + "the server logged a message of level \(level.quoted()), \(count(bytes, "byte")), for nobody"
                    + " in particular",
                [EventField("link", link), EventField("log_level", level), EventField("bytes", bytes)]
            )
        case .protocolViolation(let peer, let kind, let detail):
            self.init(
                peer == .server ? "upstream.protocol_error" : "client.protocol_error",
                severity,
                kind.sentence(of: peer) + clause(detail),
                [
                    EventField("peer", peer.rawValue), EventField("kind", kind.rawValue), detailField(detail),
                ]
            )

        case .sessionOpened(let session):
            self.init("session.opened", severity, session.sentence, session.fields)
        case .sessionClosed(let session):
            let name = session.reason == .idleTimeout ? "session.expired" : "session.closed"
            self.init(name, severity, session.sentence, session.fields)
        case .streamOpened(let session, let kind):
            self.init(
                "stream.opened",
                severity,
                "\(kind.words) of session \(session.sanitised(cap: TextCap.name)) opened",
                [EventField("session", session), EventField("stream", kind.rawValue)]
            )
        case .streamClosed(let session, let kind, let end, let events):
            self.init(
                "stream.closed",
                severity,
                "\(kind.words) of session \(session.sanitised(cap: TextCap.name)) closed after "
                    + "\(count(events, "event")): \(end.words)",
                [
                    EventField("session", session), EventField("stream", kind.rawValue),
                    EventField("end", end.rawValue), EventField("events", events),
                ]
            )
        case .streamResumed(let session, let replayed):
            self.init(
                "stream.resumed",
                severity,
                "session \(session.sanitised(cap: TextCap.name)) resumed a stream, \(count(replayed, "event")) replayed",
                [EventField("session", session), EventField("replayed", replayed)]
            )

        case .requestFinished(let request):
            self.init(request.outcome.eventName, severity, request.sentence, request.fields)
        case .requestRejected(let reason, let detail):
            self.init(
                reason.eventName,
                severity,
                "refused: \(reason.words)" + clause(detail),
                [EventField("reason", reason.rawValue), detailField(detail)]
            )
        case .requestCancelled(let initiator):
            self.init(
                "request.cancelled",
                severity,
                "a call was ended before its answer: \(initiator.words)",
                [EventField("initiator", initiator.rawValue)]
            )
        case .messagesDropped(let session, let dropped):
            self.init(
                "session.messages_dropped",
                severity,
                "session \(session) opens no stream: dropped \(count(dropped, "message"))",
                [EventField("session", session), EventField("count", dropped)]
            )
        case .answerDropped(let method):
            self.init(
                "upstream.answer_dropped",
                severity,
                "an answer to \(method.words) was dropped: nobody waits for it any more",
                [EventField("method", method.rawValue)]
            )
        case .serverRequestFinished(let method, let outcome):
            self.init(
                "upstream.request_finished",
                severity,
                "\(method.words) of the server: \(outcome.words)",
                [EventField("method", method.rawValue), EventField("outcome", outcome.rawValue)]
            )

        case .unknownHost(let host, _):
            self.init("security.unknown_host", severity, unknownHost(host), [EventField("host", host)])
        case .connectionClosed(let reason):
            self.init(
                "connection.closed",
                severity,
                "a connection was closed" + clause(reason),
                [EventField("reason", reason)]
            )
        }
    }

    /// The report of lines that a slow reader of the log cost; not an event, since only the log lost something.
    init(droppedLogLines lines: Int) {
        self.init(
            "telemetry.dropped",
            .warning,
            "\(count(lines, "log line")) dropped: stderr is read too slowly",
            [EventField("lines", lines)]
        )
    }
}

private func detailField(_ detail: String) -> EventField? {
    detail.isEmpty ? nil : EventField("detail", detail, cap: TextCap.line)
}

/// What to do about a `Host` header that isn't expected. It is text of a client's choosing which the operator is
/// asked to paste into a command, so only what can be a host name is offered for that.
private func unknownHost(_ host: String) -> String {
    let isName =
        !host.isEmpty
        && host.utf8.count <= TextCap.name
        && host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
        && !host.hasPrefix("-")
    guard isName else {
        return "requests come in for \(host.quoted()), which is no host name: refuse such requests with --strict-host"
    }
    return "requests come in for host \(host), let through for now: allow it with --allow-host \(host)"
        + ", or refuse such requests with --strict-host"
}
