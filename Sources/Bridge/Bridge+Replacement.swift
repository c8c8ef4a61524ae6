// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
package import NIOCore

// A child is replaced by a new one of the same command, as after an update of its image, and no call is lost: the new
// one is started beside the old, takes over once it has answered its handshake, and the old one ends when it has
// answered what it was asked before.
extension Bridge {
    /// Begins to replace the children that sessions share, one after the other. With a child for each session only the
    /// spare one is replaced: those of sessions hold what their clients did, and end with them.
    package mutating func replace(now: NIODeadline) {
        self.now = now
        guard !isDraining else { return }
        switch configuration.isolation {
        case .session:
            let spares = links.values.filter { $0.role == .spare && $0.phase != .stopping }
            for spare in spares { stop(spare) }
            if !spares.isEmpty { openSpare() }
        case .shared, .pool:
            // Who asks again while it is under way gets what is already coming.
            guard !links.values.contains(where: { $0.role == .successor }) else { return }
            toReplace = sharedLinks.map(\.id)[...]
            replaceNext()
        }
    }

    private mutating func replaceNext() {
        while let id = toReplace.popFirst() {
            guard let old = links[id], old.role == .shared, old.phase != .stopping else { continue }
            guard !old.isReserve else {
                // It has not been spoken to, so nobody notices.
                stop(old)
                openLink(role: .shared)
                continue
            }
            let new = openLink(role: .successor)
            new.declared = old.declared
            new.era = EraSearch(isStateless: old.era.isStateless)
            return old.successor = new.id
        }
    }

    /// The new child has answered its handshake: everything that is not yet with the old one goes to it.
    mutating func takeOver(_ link: Link, _ handshake: Link.Handshake) {
        guard let old = links.values.first(where: { $0.successor == link.id }) else { return }
        link.role = .shared
        old.role = .retired
        for session in sessions.values where session.link == old.id {
            session.link = link.id
            // They were things of the old process.
            session.tasks.removeAll()
            session.elicitations.removeAll()
            // The new child is listened to when it is ready; what the old one says of it is heard no more.
            if let call = session.listening?.call { endListening(call, old) }
            session.listening?.call = nil
        }
        for call in [old.watch.current?.call, old.watch.pending?.call].compactMap(\.self) { endListening(call, old) }
        link.sessionsLogLevel = old.sessionsLogLevel
        link.subscriptions = old.subscriptions
        link.subscribedBytes = old.subscribedBytes
        link.loseAskedSubscriptions()
        (link.awaitedSubscriptions, old.awaitedSubscriptions) = (old.awaitedSubscriptions, [:])
        (link.awaitedBytes, old.awaitedBytes) = (old.awaitedBytes, 0)
        link.wrappedTools = old.wrappedTools
        if old.turns.areTaken { link.turns.takeTurns() }
        for call in calls.values where call.link == old.id && call.phase == .waiting { call.link = link.id }
        (link.waiting, old.waiting) = (old.waiting, CircularBuffer())
        (link.waitingCount, old.waitingCount) = (old.waitingCount, 0)
        (link.waitingBytes, old.waitingBytes) = (old.waitingBytes, 0)
        emit(.upstreamReplaced(link: link.id, predecessor: old.id, inFlight: old.inFlight))
        if let before = old.handshake { settle(link, after: before, now: handshake) }
        becomeReady(link)
        retire(old)
        replaceNext()
    }

    /// Ends a child that was replaced, once it owes no answer any more.
    mutating func retire(_ link: Link) {
        guard link.role == .retired, link.inFlight == 0 else { return }
        stop(link)
    }

    /// A process ended that is not to be started again: the old child's, or one that was to replace it and can't.
    mutating func giveUp(_ link: Link, _ exit: Event.UpstreamExit) {
        if link.role == .successor {
            emit(.replacementFailed(link: link.id, problem: exit.summary))
            links.values.first { $0.successor == link.id }?.successor = nil
            // The others would fare no better.
            toReplace.removeAll()
        }
        stop(link)
    }

    /// The child that sessions of `link` talk to now.
    func current(for link: Link) -> Link {
        var current = link
        while current.role == .retired, let next = current.successor.flatMap({ links[$0] }) { current = next }
        return current
    }
}
