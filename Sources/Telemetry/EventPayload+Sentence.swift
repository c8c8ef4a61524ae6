// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import Glibc
internal import MCP
internal import NIOCore

// The sentences of the events with many fields.

extension Event.ProxyStarted {
    var sentence: String {
        let admin = adminListen.map { ", metrics and health on \($0)" } ?? ""
        return "mcp-proxy \(version) serves \(name.quoted()) on \(listen)\(admin); isolation: \(isolation)"
            + "; log: \(log)"
    }
}

extension Event.UpstreamReady {
    var sentence: String {
        subject(link) + "\(serverName.quoted()) \(serverVersion.sanitised(cap: TextCap.name)) is ready after "
            + "\(durationText(milliseconds: startDuration.milliseconds)), it speaks \(revision.sanitised(cap: TextCap.name))"
    }
}

extension Event.UpstreamExit {
    var sentence: String {
        var text = subject(link) + cause
        if inFlight > 0 { text += ", \(count(inFlight, "call")) in flight failed" }
        text += next
        if !stderrTail.isEmpty { text += "; stderr: \(stderrTail.sanitisedEnd(cap: TextCap.quotation).inQuotes)" }
        return text
    }

    private var cause: String {
        let after = "after \(durationText(milliseconds: uptimeMilliseconds))"
        // Cut here, so that a long explanation leaves room for what comes behind it.
        let why = detail.map { " (\($0.sanitised(cap: TextCap.quotation)))" } ?? ""
        return switch reason {
        case .stopped: "stopped as asked (\(ending)) \(after)"
        case .exit, .signal: "\(ending) \(after)\(why)"
        case .outOfMemory:
            "was killed by the kernel for want of memory\(status.map { " (exit status \($0))" } ?? "") \(after)\(why)"
        case .stdoutClosed: "closed its stdout while running and was ended \(after)\(why)"
        case .unresponsive: "answered no ping and was ended \(after)\(why)"
        case .handshakeFailed: "failed the handshake \(after)\(why)"
        case .spawnFailed: "could not be started\(why)"
        case .engine: "the container engine failed \(after)\(why)"
        }
    }

    /// How the process ended, as the kernel tells it.
    private var ending: String {
        if let signal { return "killed by \(signalName(signal))" }
        if let status { return "exit status \(status)" }
        return "ended"
    }

    private var next: String {
        func start(in milliseconds: Int) -> String {
            milliseconds == 0 ? "at once" : "in \(durationText(milliseconds: milliseconds))"
        }
        return switch plan {
        case .restart(let delay, let attempt): ", restarting \(start(in: delay)) (attempt \(attempt))"
        case .crashLoop(let delay, let attempt):
            ", crash loop: calls are refused until it answers again, next start \(start(in: delay))"
                + " (attempt \(attempt))"
        case .none: reason == .stopped ? "" : ", not restarting"
        }
    }
}

/// "SIGKILL", or the number of a signal that seldom ends a process.
private func signalName(_ signal: Int32) -> String {
    switch signal {
    case SIGHUP: "SIGHUP"
    case SIGINT: "SIGINT"
    case SIGQUIT: "SIGQUIT"
    case SIGILL: "SIGILL"
    case SIGTRAP: "SIGTRAP"
    case SIGABRT: "SIGABRT"
    case SIGBUS: "SIGBUS"
    case SIGFPE: "SIGFPE"
    case SIGKILL: "SIGKILL"
    case SIGSEGV: "SIGSEGV"
    case SIGPIPE: "SIGPIPE"
    case SIGALRM: "SIGALRM"
    case SIGTERM: "SIGTERM"
    case SIGXCPU: "SIGXCPU"
    case SIGXFSZ: "SIGXFSZ"
    case SIGSYS: "SIGSYS"
    default: "signal \(signal)"
    }
}

extension Event.ContainerStarted {
    var sentence: String {
        subject(link) + "container \(container.sanitised(cap: TextCap.name)) of the image \(image.quoted())"
            + (imageID.isEmpty ? "" : " (\(imageID.dropFirst("sha256:".count).prefix(12)))")
    }
}

extension Event.SessionOpened {
    var sentence: String {
        "session \(session.sanitised(cap: TextCap.name)) opened by \(clientName.quoted()) over \(transport.words), "
            + revision.rawValue
    }
}

extension Transport {
    fileprivate var words: String {
        switch self {
        case .streamableHTTP: "Streamable HTTP"
        case .sse: "SSE"
        }
    }
}

extension Event.SessionClosed {
    var sentence: String {
        "session \(session.sanitised(cap: TextCap.name)) closed after \(durationText(milliseconds: duration.milliseconds))"
            + " and \(count(requests, "request")): \(reason.words)"
    }
}

extension Event.RequestFinished {
    var sentence: String {
        let time = precise(finished - arrived)
        let code = errorCode.map { " \($0)" } ?? ""
        let ending =
            switch outcome {
            case .ok: "answered in \(time)"
            case .inputRequired: "answered in \(time) with a question"
            case .toolError: "answered in \(time): the tool reports a failure"
            case .clientError: "answered in \(time): the server refused it with error\(code)"
            case .serverError: "failed after \(time): error\(code) in the server"
            case .timeout: "timed out after \(time)"
            case .upstreamLost: "failed after \(time): the server died"
            case .rejected: "refused by the proxy after \(time)"
            case .cancelled: "cancelled after \(time)"
            }
        let subject = name.map { "\(method.words) \($0.text.quoted())" } ?? method.words
        guard !session.isEmpty else { return "\(subject) \(ending)" }
        return "\(subject) of session \(session.sanitised(cap: TextCap.name)) \(ending)"
    }
}

/// Like `durationText(milliseconds:)`, but with the microseconds that a call to a local tool takes.
func precise(_ amount: TimeAmount) -> String {
    let microseconds = amount.microseconds
    if microseconds >= 1_000_000 { return durationText(milliseconds: microseconds / 1000) }
    let thousandths = String(1000 + microseconds % 1000).dropFirst()
    return "\(microseconds / 1000).\(thousandths) ms"
}
