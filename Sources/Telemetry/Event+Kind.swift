// SPDX-License-Identifier: Apache-2.0

package import Events

extension Event {
    /// Which row of the catalogue this event is. Cheap: every sink asks for every event.
    package var kind: EventKind {
        switch self {
        case .proxyStarted: .proxyStarted
        case .proxyReady: .proxyReady
        case .proxyStopping: .proxyStopping
        case .proxyStopped: .proxyStopped
        case .configReloaded: .configReloaded
        case .configInvalid: .configInvalid
        case .upstreamStarting: .upstreamStarting
        case .upstreamStarted: .upstreamStarted
        case .imagePulling: .imagePulling
        case .imagePulled(_, _, _, _, let problem): problem == nil ? .imagePulled : .imagePullFailed
        case .containerStarted: .containerStarted
        case .containersRemoved: .containerLeftoversRemoved
        case .engineChanged(let isUp, _): isUp ? .engineReachable : .engineUnreachable
        case .upstreamReady: .upstreamReady
        case .upstreamExited(let exit): exit.kind
        case .upstreamStderr: .upstreamStderr
        case .upstreamStderrSuppressed: .upstreamStderrSuppressed
        case .upstreamReplaced: .upstreamReplaced
        case .replacementFailed: .upstreamReplacementFailed
        case .upstreamUnresponsive: .upstreamUnresponsive
        case .upstreamProbed: .upstreamProbed
        case .upstreamTakesTurns: .upstreamTakesTurns
        case .upstreamLog: .upstreamLog
        case .protocolViolation(let peer, _, _): peer == .server ? .upstreamProtocolError : .clientProtocolError
        case .sessionOpened: .sessionOpened
        case .sessionClosed(let session): session.reason == .idleTimeout ? .sessionExpired : .sessionClosed
        case .streamOpened: .streamOpened
        case .streamClosed: .streamClosed
        case .streamResumed: .streamResumed
        case .messagesDropped: .sessionMessagesDropped
        case .requestFinished(let request): request.outcome.kind
        case .requestRejected(let reason, _): reason.kind
        case .requestCancelled: .requestCancelled
        case .answerDropped: .upstreamAnswerDropped
        case .serverRequestFinished: .upstreamRequestFinished
        case .notificationReceived(let peer, _, _): peer == .server ? .upstreamNotification : .clientNotification
        case .payload: .messagePayload
        case .httpAnswered: .httpAnswered
        case .unknownHost: .securityUnknownHost
        case .connectionClosed: .connectionClosed
        }
    }
}

extension Event.UpstreamExit {
    fileprivate var kind: EventKind {
        if case .crashLoop = plan { return .upstreamBackoff }
        switch reason {
        case .stopped: return .upstreamStopped
        case .spawnFailed, .handshakeFailed: return .upstreamStartFailed
        case .engine: return .upstreamEngineFailed
        case .exit, .signal, .outOfMemory, .stdoutClosed, .unresponsive: return .upstreamCrashed
        }
    }
}

extension Outcome {
    fileprivate var kind: EventKind {
        switch self {
        case .ok, .inputRequired, .cancelled: .requestCompleted
        case .toolError, .clientError, .serverError, .rejected: .requestFailed
        case .timeout: .requestTimeout
        case .upstreamLost: .requestUpstreamLost
        }
    }
}

extension RejectReason {
    fileprivate var kind: EventKind {
        switch self {
        case .badHost: .securityHostRejected
        case .badOrigin: .securityOriginRejected
        default: .requestRejected
        }
    }
}
