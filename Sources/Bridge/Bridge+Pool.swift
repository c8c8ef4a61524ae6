// SPDX-License-Identifier: Apache-2.0

import MCP
import NIOCore

// Which of several shared children serves whom (`--isolation pool=N`).
//
// A child of a pool that begins with a handshake serves one caller at a time, so that what it asks can belong to nobody
// else. A session stays with its child as long as that holds something of it: a call, a subscription, a log level, a
// task. Otherwise it moves to a free child when its own is busy.
extension Bridge {
    /// The children that clients share; one that is not a pool.
    var sharedLinks: [Link] { links.values.filter { $0.role == .shared }.sorted { $0.id < $1.id } }

    /// The child for what may be asked of any: the first that is ready. Nobody has to be alone with it.
    var homeLink: Link? {
        links.values.filter { $0.role == .shared }.min { ($0.rank, $0.id) < ($1.rank, $1.id) }
    }

    /// The child that serves a caller with these capabilities best now. One that has not been spoken to is told them:
    /// what it then believes of its clients is true.
    mutating func checkOut(for capabilities: ClientCapabilities) -> Link? {
        guard case .pool = configuration.isolation else { return links[Self.firstLink] }
        let wanted = capabilities.intersection(configuration.sharedCapabilitySet)
        let best = sharedLinks.min { $0.unfitness(for: wanted) < $1.unfitness(for: wanted) }
        if let best, best.isReserve { engage(best, declaring: wanted) }
        return best
    }

    /// Lets a caller go to a free child before its call, when nothing of it is with its own.
    mutating func settle(_ session: Session, for call: Call) {
        guard case .pool = configuration.isolation, call.method.takesTurns, isFootloose(session),
            let own = session.link.flatMap({ links[$0] }), !own.isFree || own.rank > 1,
            let other = checkOut(for: session.capabilities), other !== own, other.isFree
        else { return }
        move(session, with: call, to: other)
    }

    /// A child of a pool that has nothing to do takes over the oldest call that waits for another.
    mutating func relieveOthers(_ link: Link) {
        guard case .pool = configuration.isolation, link.phase == .ready, !link.isStateless, link.isFree else { return }
        let others = sharedLinks.filter { $0 !== link && $0.waitingCount > 0 }
        let candidates = others.compactMap { other in
            other.waiting.first { call in
                call.phase == .waiting && call.method.takesTurns && call.session.map { isFootloose($0) } ?? false
            }
        }
        guard let call = candidates.min(by: { $0.id < $1.id }), let session = call.session,
            let other = links[call.link], let index = other.waiting.firstIndex(where: { $0 === call })
        else { return }
        other.waiting.remove(at: index)
        unqueue(call, other)
        move(session, with: call, to: link)
        if let incoming = call.held {
            call.held = nil
            word(incoming, call, link)
        }
        enqueue(call, link)
    }

    /// The first child begins without a handshake: such children need nobody to wait for.
    mutating func engageReserves(like link: Link) {
        for reserve in sharedLinks where reserve.isReserve {
            reserve.era = EraSearch(isStateless: link.isStateless)
            engage(reserve, declaring: configuration.sharedCapabilitySet)
        }
    }

    private mutating func engage(_ link: Link, declaring capabilities: ClientCapabilities) {
        link.declared = capabilities
        link.startedAt = now
        if link.phase == .starting, link.generation > 0 { beginHandshake(link) }
    }

    /// Whether nothing of a session is with its child, but for one call that has not been sent.
    private func isFootloose(_ session: Session) -> Bool {
        guard session.inFlight.count == 1, session.serverRequests.isEmpty, session.listening == nil,
            session.inFlight.values.allSatisfy({ calls[$0]?.phase == .waiting })
        else { return false }
        return session.isEphemeral
            || session.subscriptions.isEmpty && session.logLevel == nil
                && session.tasks.isEmpty && session.elicitations.isEmpty
    }

    private mutating func move(_ session: Session, with call: Call, to link: Link) {
        let own = session.link.flatMap { links[$0] }
        if let own, session.calledGeneration == own.generation { own.servedStrangers = true }
        session.calledGeneration = nil
        session.link = link.id
        call.link = link.id
        // What it is told of changes, it is told by its child.
        own.map { adjustWatch(of: $0) }
        adjustWatch(of: link)
    }
}

extension Link {
    /// A child of a pool that has not been spoken to: the first caller that no other suits decides what it is told.
    var isReserve: Bool { role == .shared && declared == nil }

    /// Nobody would have to wait.
    var isFree: Bool { waitingCount == 0 && (isStateless ? inFlight == 0 : turns.isIdle) }

    /// How far it is from taking a call.
    fileprivate var rank: Int {
        switch phase {
        case .ready: 0
        case .starting, .initializing: 1
        case .restarting: 2
        case .crashLoop: 3
        case .stopping: 4
        }
    }

    /// How badly it suits a caller, worst reason first.
    fileprivate func unfitness(for wanted: ClientCapabilities) -> (Int, Int, Int, Int, Int) {
        let isSpawnedReserve = isReserve && phase == .starting && generation > 0
        let mismatch = declared.map { $0 == wanted ? 0 : $0.isSuperset(of: wanted) ? 2 : 3 } ?? 1
        return (
            isSpawnedReserve ? 0 : rank, isFree ? 0 : 1, isStateless ? 0 : mismatch, waitingCount + inFlight, id
        )
    }
}
