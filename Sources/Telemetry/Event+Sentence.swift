// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP

extension Event {
    /// What the event says to an operator.
    var sentence: String {
        switch self {
        case .proxyStarted(let proxy): return proxy.sentence
        case .proxyReady(let milliseconds): return "ready after \(durationText(milliseconds: milliseconds))"
        case .proxyStopping(let inFlight, let sessions):
            return "stopping: \(count(inFlight, "call")) in flight, \(count(sessions, "session")) open"
        case .proxyStopped(let drained):
            return drained ? "stopped, every call was answered" : "stopped before every call was answered"
        case .configReloaded(let changed, let needsRestart): return reloaded(changed, needsRestart)
        case .configInvalid(let problem):
            return "the configuration was not reloaded, the one before stays in use: \(problem)"

        case .upstreamStarting(let link, _, let program, let argumentCount):
            return subject(link) + "starting \(program.quoted()) with \(count(argumentCount, "argument"))"
        case .upstreamStarted(let link, _, let pid): return subject(link) + "process \(pid) started"
        case .imagePulling(let link, _, let image): return subject(link) + "pulling the image \(image.quoted())"
        case .imagePulled(let link, _, let image, let duration, let problem):
            let time = durationText(milliseconds: duration.milliseconds)
            guard let problem else { return subject(link) + "pulled the image \(image.quoted()) in \(time)" }
            return subject(link) + "the image \(image.quoted()) could not be pulled after \(time)" + clause(problem)
        case .containerStarted(let container): return container.sentence
        case .containersRemoved(let removed, let left):
            if removed == 0 { return "\(count(left, "container")) could not be removed and will be tried again" }
            let rest = left == 0 ? "" : ", \(left) could not be removed"
            return "removed \(count(removed, "container")) that a killed proxy left behind" + rest
        case .engineChanged(let isUp, let problem):
            return isUp
                ? "the container engine answers again" : "the container engine does not answer" + clause(problem ?? "")
        case .upstreamReady(let ready): return ready.sentence
        case .upstreamExited(let exit): return exit.sentence
        case .upstreamStderr(let link, let line, let truncated):
            return subject(link) + line + (truncated ? " (cut)" : "")
        case .upstreamStderrSuppressed(let link, let lines):
            return subject(link) + "\(count(lines, "line")) of stderr left out: the server writes too fast"
        case .upstreamReplaced(let link, _, let inFlight):
            return subject(link) + "took over from its predecessor, which has \(count(inFlight, "call")) left to answer"
        case .replacementFailed(let link, let problem):
            return subject(link) + "could not take over, the one before goes on" + clause(problem)
        case .upstreamUnresponsive(let link, let milliseconds):
            return subject(link)
                + "sent nothing for \(durationText(milliseconds: milliseconds)), not even an answer to a ping"
        case .upstreamProbed(let link, let time):
            guard let time else { return subject(link) + "the server did not answer a ping" }
            return subject(link) + "the server answered a ping after \(durationText(milliseconds: time.milliseconds))"
        case .upstreamTakesTurns(let link):
            return subject(link)
                + "the server asks clients questions: calls of different clients take turns from now on"
        case .upstreamLog(let link, let level, let bytes):
            return subject(link)
                + "the server logged a message of level \(level.quoted()), \(count(bytes, "byte")), for nobody"
                + " in particular"
        case .protocolViolation(let peer, let kind, let detail): return kind.sentence(of: peer) + clause(detail)

        case .sessionOpened(let session): return session.sentence
        case .sessionClosed(let session): return session.sentence
        case .streamOpened(let session, let kind):
            return "\(kind.words) of session \(session.sanitised(cap: TextCap.name)) opened"
        case .streamClosed(let session, let kind, let end, let events, _):
            return "\(kind.words) of session \(session.sanitised(cap: TextCap.name)) closed after "
                + "\(count(events, "event")): \(end.words)"
        case .streamResumed(let session, let replayed):
            return "session \(session.sanitised(cap: TextCap.name)) resumed a stream,"
                + " \(count(replayed, "event")) replayed"
        case .messagesDropped(let session, let dropped):
            return "session \(session.sanitised(cap: TextCap.name)) opens no stream:"
                + " dropped \(count(dropped, "message"))"

        case .requestFinished(let request): return request.sentence
        case .requestRejected(let reason, let detail): return "refused: \(reason.words)" + clause(detail)
        case .requestCancelled(let initiator): return "a call was ended before its answer: \(initiator.words)"
        case .answerDropped(let method):
            return "an answer to \(method.words) was dropped: nobody waits for it any more"
        case .serverRequestFinished(let method, let outcome, _, _, _):
            return "\(method.words) of the server: \(outcome.words)"
        case .notificationReceived(let peer, let method, let bytes):
            let sender = peer == .server ? "the server" : "a client"
            return "\(sender) sent \(method == .other ? "a notification of an unknown method" : method.rawValue),"
                + " \(count(bytes, "byte"))"
        case .payload(let peer, let session, let message, let bytes):
            let end = session.isEmpty ? "" : " of session \(session.sanitised(cap: TextCap.name))"
            let sender = (peer == .server ? "from the server" : "from the client") + end
            return "\(sender), \(count(bytes, "byte")): \(PayloadRedaction.text(of: message))"

        case .httpAnswered(let answer):
            return "\(answer.method.rawValue) on the route \(answer.route.rawValue) was answered with"
                + " \(answer.status) after \(precise(answer.duration))"
        case .unknownHost(let host, _): return adviceOnUnknownHost(host)
        case .connectionClosed(let reason): return "a connection was closed: \(reason.words)"
        }
    }
}

/// What a reload changed, and what it could not change.
private func reloaded(_ changed: [String], _ needsRestart: [String]) -> String {
    let news = changed.isEmpty ? "nothing changed" : "changed: \(changed.joined(separator: ", "))"
    guard !needsRestart.isEmpty else { return "configuration reloaded, \(news)" }
    return "configuration reloaded, \(news); a restart is needed for: \(needsRestart.joined(separator: ", "))"
}

/// What to do about a `Host` header that isn't expected. It is text of a client's choosing which the operator is
/// asked to paste into a command, so only what can be a host name is offered for that.
private func adviceOnUnknownHost(_ host: String) -> String {
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
