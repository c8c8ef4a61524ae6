// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
package import NIOCore

// Everything that time ends. Deadlines lie where they belong; one timer fires, looks at all of them and re-arms.
extension Bridge {
    /// The time the bridge asked to be woken at has come (or has not quite: being early does no harm).
    package mutating func tick(now: NIODeadline) {
        self.now = now
        wakeAt = .distantFuture
        for call in calls.values.sorted(by: { $0.id < $1.id }) { inspect(call) }
        for (own, request) in serverRequests.sorted(by: { $0.key < $1.key }) {
            guard request.deadline <= now else {
                wake(at: request.deadline)
                continue
            }
            failServerRequest(own, .clientTimeout, "the client did not answer in time", .timeout)
            let message = Messages.cancelled(id: RequestID(own), reason: "timeout")
            followUp(message, request)
        }
        expireParking()
        retryWatches()
        endIdleSessions()
    }

    private mutating func inspect(_ call: Call) {
        guard calls[call.id] != nil else { return }
        if case .abandoned(let since) = call.phase { return linger(call, since) }
        if min(call.deadline, call.hardDeadline) <= now { return expire(call) }
        if let retryAt = call.inputs?.retryAt, retryAt <= now { sendAgain(call) }
        // There may have been no room for it.
        guard call.isLive, calls[call.id] === call else { return }
        if let streamAt = call.streamAt, streamAt <= now {
            call.streamAt = nil
            if let session = call.session, call.exchange != nil, call.stream == nil { _ = commit(call, session) }
        }
        wake(at: call.nextDeadline)
    }

    private mutating func linger(_ call: Call, _ since: NIODeadline) {
        guard let session = call.session, let link = links[call.link] else {
            // One of the proxy's own, whose answer is of no interest.
            if call.hardDeadline <= now { calls[call.id] = nil } else { wake(at: call.hardDeadline) }
            return
        }
        // Many servers never answer what was cancelled. No call runs for longer than a call may last.
        if call.hardDeadline <= now {
            calls[call.id] = nil
            childIsDone(with: call, link)
            return pump(link)
        }
        wake(at: call.hardDeadline)
        guard call.mayAsk, !call.lingers else { return }
        let end = since + configuration.abandonedTurnGrace
        guard end <= now else { return wake(at: end) }
        call.lingers = true
        link.turns.lingers(session.key)
        link.lingering += 1
        // Past this many, the turns alone remember, for as long as the process lives, that one might still ask.
        if link.lingering > Link.maxLingering { calls[call.id] = nil }
        pump(link)
    }

    private mutating func expire(_ call: Call) {
        guard let link = links[call.link] else { return fail(call, .timeout, "timed out") }
        switch call.origin {
        case .own(let request): ended(call, request, .expired, link)
        case .client(let session, _): expire(call, session, link)
        }
    }

    private mutating func expire(_ call: Call, _ session: Session, _ link: Link) {
        if call.aftermath == .discover {
            // Any answer of 4xx sends its client to `initialize`, which waits for as long as it takes.
            return fail(
                call,
                .statelessRevision,
                "the MCP server is still starting; send initialize, which waits for it"
            )
        }
        let wasSent = call.phase == .sent
        let wasEverSent = wasSent || call.inputs.map { $0.rounds > 0 } ?? false
        let isHard = call.hardDeadline <= now
        let limit = isHard ? "--max-request-time" : "--request-timeout"
        let message =
            switch call.aftermath {
            case .handshake, .sharedHandshake:
                "\(link.whyNotReady); waited "
                    + configuration.connectionTimeout.words
            default:
                wasEverSent
                    ? "the MCP server did not answer within \((now - call.arrived).words) (\(limit))"
                    : "the call waited \((now - call.arrived).words) for the MCP server and was never sent (\(limit))"
            }
        fail(call, .timeout, message)
        if call.method == .initialize { return close(session, .initializeFailed) }
        guard wasSent, let sentAt = call.sentAt else { return }
        emit(.requestCancelled(initiator: .proxy))
        tellCancelled(call, link, reason: "timeout")
        suspect(link, silentSince: sentAt)
        pump(link)
    }

    private mutating func endIdleSessions() {
        guard configuration.sessionIdleTimeout > .zero else { return }
        for session in Array(sessions.values) {
            let end = session.hasOpenExchange ? now + configuration.sessionIdleTimeout : session.idleEnd(configuration)
            if end <= now { close(session, .idleTimeout) } else { wake(at: end) }
        }
    }
}

extension Session {
    fileprivate func idleEnd(_ configuration: BridgeConfiguration) -> NIODeadline {
        lastActivity + configuration.sessionIdleTimeout
    }
}

extension TimeAmount {
    /// For people: `300 s`, `250 ms`.
    var words: String {
        let milliseconds = nanoseconds / 1_000_000
        return milliseconds >= 10_000 || milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
