// SPDX-License-Identifier: Apache-2.0

package import Events

extension Event {
    /// How much this event matters. Cheap: what isn't shown is judged by this alone, once per call.
    package var severity: Severity {
        switch self {
        case .requestFinished(let request): request.outcome.severity
        case .proxyStarted, .proxyReady, .proxyStopping: .notice
        case .proxyStopped(let drained): drained ? .notice : .warning
        case .configReloaded: .notice
        case .configInvalid: .error
        case .upstreamStarting: .debug
        case .upstreamStarted: .info
        case .imagePulling: .notice
        case .imagePulled(_, _, _, _, let problem): problem == nil ? .notice : .error
        case .containerStarted: .info
        case .containersRemoved(_, let left): left == 0 ? .notice : .warning
        case .engineChanged(let isUp, _): isUp ? .notice : .error
        case .upstreamReady: .notice
        case .upstreamExited(let exit): exit.severity
        case .upstreamStderr: .info
        case .upstreamStderrSuppressed: .warning
        case .upstreamReplaced: .notice
        case .replacementFailed: .error
        case .upstreamUnresponsive: .error
        case .upstreamProbed: .info
        case .upstreamTakesTurns: .notice
        case .upstreamLog(_, let level, _):
            switch level {
            case "warning", "error", "critical", "alert", "emergency": .info
            default: .debug
            }
        // What clients send must not be able to fill the log with warnings.
        case .protocolViolation(let peer, _, _): peer == .server ? .warning : .info
        case .sessionOpened: .info
        case .sessionClosed(let session):
            switch session.reason {
            case .clientDelete, .streamClosed, .shutdown: .info
            case .idleTimeout, .upstreamChanged, .initializeFailed: .notice
            // One per request.
            case .stateless: .debug
            }
        case .streamOpened, .streamResumed: .debug
        case .streamClosed(_, _, let end, _, _): end == .slowConsumer ? .notice : .debug
        case .requestRejected(let reason, _): reason.severity
        case .requestCancelled, .answerDropped, .messagesDropped, .notificationReceived, .httpAnswered: .debug
        case .payload: .info
        case .serverRequestFinished(_, let outcome, _, _, _):
            switch outcome {
            case .answered, .cancelled: .debug
            case .undeclared, .noSession, .timeout, .sessionEnded, .upstreamLost: .info
            case .ambiguous: .warning
            }
        case .unknownHost(_, let isFirst): isFirst ? .warning : .debug
        case .connectionClosed: .debug
        }
    }
}

extension Event.UpstreamExit {
    fileprivate var severity: Severity {
        if case .crashLoop = plan { return .critical }
        switch reason {
        case .stopped: return .info
        case .exit, .signal, .outOfMemory, .stdoutClosed, .unresponsive, .handshakeFailed, .spawnFailed, .engine:
            return .error
        }
    }
}

extension Outcome {
    fileprivate var severity: Severity {
        switch self {
        // A refusal tells its reason in an event of its own.
        case .ok, .inputRequired, .cancelled, .rejected: .info
        case .toolError, .clientError: .notice
        case .serverError, .timeout, .upstreamLost: .warning
        }
    }
}

extension RejectReason {
    fileprivate var severity: Severity {
        switch self {
        // A limit of the proxy is reached, or a browser or a name is where it should not be.
        case .queueFull, .sessionLimit, .connectionLimit, .overloaded, .upstreamDown, .badHost, .badOrigin: .warning
        case .bodyTooLarge, .slowRequest, .forbiddenTask: .notice
        case .shuttingDown, .badHeader, .badMessage, .unknownSession, .unsupportedVersion, .notFound: .info
        }
    }
}
