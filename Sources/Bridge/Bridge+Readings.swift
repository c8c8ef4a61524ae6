// SPDX-License-Identifier: Apache-2.0

package import Events
package import NIOCore

extension Bridge {
    /// How things stand. Takes time in proportion to the sessions and the calls under way.
    package func readings(now: NIODeadline) -> Readings {
        var readings = Readings()
        readings.state = readiness.state
        readings.isDraining = isDraining
        readings.bufferedBytes = bufferedBytes
        readings.openServerRequests = serverRequests.count
        readings.stdinBlocked = stdinBlocked
        for link in links.values {
            readings.inFlight += link.inFlight
            readings.queued += link.waitingCount
            if link.hasProcess { readings.processes += 1 }
            if link.turns.areTaken { readings.takesTurns = true }
            if let since = link.blockedSince { readings.stdinBlocked = readings.stdinBlocked + (now - since) }
        }
        for call in calls.values where call.hasWaitingClient {
            readings.oldestArrival = min(readings.oldestArrival ?? call.arrived, call.arrived)
        }
        for session in sessions.values { readings.count(session) }
        return readings
    }
}

extension Readings {
    fileprivate mutating func count(_ session: Session) {
        for stream in session.streams.values where stream.exchange != nil { streams[stream.kind, default: 0] += 1 }
        if let parking = session.parking, parking.isAway {
            parked += 1
            oldestParking = min(oldestParking ?? parking.since, parking.since)
        }
        // Who has no session is seen by the requests alone.
        guard !session.isEphemeral else { return }
        if !session.inFlight.isEmpty {
            oldestUnanswered = min(oldestUnanswered ?? session.lastActivity, session.lastActivity)
        }
        if session.phase == .initializing {
            initializingSessions += 1
        } else if session.hasOpenExchange {
            activeSessions += 1
        } else {
            idleSessions += 1
        }
    }
}

extension Link {
    fileprivate var hasProcess: Bool {
        switch phase {
        case .initializing, .ready: true
        case .starting: generation > 0
        case .restarting, .crashLoop, .stopping: false
        }
    }
}
