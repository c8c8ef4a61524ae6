// SPDX-License-Identifier: Apache-2.0

package import Events
import JSONRPC
import MCP
package import NIOCore

/// Sessions, routing and translation between the clients of one proxy and its children: the whole protocol, without
/// I/O. Inputs come from the shell (`BridgeRuntime`); what is to be done comes out as `effects`.
///
/// Three kinds of wrong input, three treatments. A client's fault is answered with a `Failure`. A child's fault costs
/// the line or the call it names and is reported as a `protocolViolation`. Input that is late by nature (an answer
/// after a timeout, an exchange that just ended) is dropped, and counted where somebody could miss it.
package struct Bridge: ~Copyable {
    /// What an exchange is for while it is open.
    enum ExchangeUse {
        case call(Call)
        case batch(PendingBatch)
        case stream(Session, Int)
    }

    private(set) var configuration: BridgeConfiguration
    var random: any RandomNumberGenerator

    var links: [Int: Link] = [:]
    /// The first link all sessions share, or of a pool, or the one that proves at start-up that a handshake succeeds.
    static let firstLink = 0
    var nextLink = 1
    /// The children that are still to be replaced, in order.
    var toReplace: ArraySlice<Int> = []
    /// Seals what clients of the stateless revision carry around.
    let seal = RequestSeal()

    var sessions: [SessionKey: Session] = [:]
    var sessionsByID: [String: Session] = [:]
    var nextSession = 0

    var calls: [CallID: Call] = [:]
    var nextCall: CallID = 1
    var serverRequests: [Int: ServerRequest] = [:]
    var nextServerRequest = 1
    var exchanges: [ExchangeID: ExchangeUse] = [:]
    /// Bytes kept for clients in all sessions.
    var bufferedBytes = 0
    var knownNames = KnownNames()
    /// For how long stdins were blocked that are blocked no more.
    var stdinBlocked = TimeAmount.zero

    /// The time of the input being handled.
    var now = NIODeadline.uptimeNanoseconds(0)
    /// When the shell will call `tick`.
    var wakeAt = NIODeadline.distantFuture
    var isDraining = false
    /// With a child per session: whether the newest start of any child succeeded, nil before the first.
    var lastStartSucceeded: Bool?

    /// What is to be done, oldest first. The shell takes it after every input.
    package var effects: [Effect] = []

    package init(
        configuration: BridgeConfiguration,
        random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.configuration = configuration
        self.random = random
    }

    /// Goes on with other limits and timeouts; how clients and children are treated must be the same. What is under way
    /// keeps its deadlines.
    package mutating func reconfigure(_ configuration: BridgeConfiguration, now: NIODeadline) {
        self.now = now
        self.configuration = configuration
        for link in Array(links.values) { pump(link) }
        if configuration.sessionIdleTimeout > .zero { wake(at: now) }
    }

    // MARK: Life

    /// Starts the first child, and the others of a pool.
    package mutating func start(now: NIODeadline) {
        self.now = now
        openLink(id: Self.firstLink, role: configuration.isolation == .session ? .probe : .shared)
        links[Self.firstLink]?.declared = configuration.sharedCapabilitySet
        guard case .pool(let size) = configuration.isolation else { return }
        for _ in 1..<size { openLink(role: .shared) }
    }

    /// Stops taking in sessions and calls; those under way go on.
    package mutating func drain(now: NIODeadline) {
        self.now = now
        isDraining = true
        for call in calls.values where call.phase == .waiting {
            fail(call, .shuttingDown, "the proxy is shutting down")
        }
    }

    /// Whether no client waits for an answer any more.
    package var isDrained: Bool {
        !calls.values.contains { $0.hasWaitingClient }
    }

    /// Ends every session and child, answering what is left with an error.
    package mutating func shutDown(now: NIODeadline) {
        self.now = now
        isDraining = true
        for session in Array(sessions.values) {
            close(session, .shutdown, failure: .shuttingDown, "the proxy is shutting down")
        }
        for link in Array(links.values) { stop(link) }
    }

    /// Whether all children are gone.
    package var isStopped: Bool { links.isEmpty }

    package var sessionCount: Int { sessions.count }

    package var inFlightCount: Int { links.values.reduce(0) { $0 + $1.inFlight } }

    /// What `/readyz` answers: the child, or one of a pool, is up and has answered its handshake. With a child per
    /// session: one did so at start-up, and the newest start succeeded.
    package var readiness: Readiness {
        if isDraining { return Readiness(.stopping, reason: "the proxy is shutting down") }
        let failingSpare = links.values.first { $0.role == .spare && $0.phase == .crashLoop }
        if configuration.isolation == .session, lastStartSucceeded == true, failingSpare == nil {
            return Readiness(.ready)
        }
        guard
            let link = failingSpare ?? homeLink ?? links[Self.firstLink]
                ?? links.values.first(where: { $0.lastExit != nil })
        else {
            return Readiness(.starting, reason: "the MCP server has not been started yet")
        }
        if let image = link.pulledImage { return Readiness(.pulling, reason: "the image \(image) is being pulled") }
        switch link.phase {
        case .ready: return Readiness(.ready)
        case .starting, .initializing:
            guard let exit = link.lastExit else {
                return Readiness(.starting, reason: "the MCP server has not answered initialize yet")
            }
            return Readiness(.restarting, reason: exit.summary)
        case .restarting: return Readiness(.restarting, reason: link.lastExit?.summary)
        case .crashLoop: return Readiness(.crashLoop, reason: link.lastExit?.summary)
        case .stopping: return Readiness(.stopping, reason: "the MCP server is being stopped")
        }
    }

    // MARK: Links

    @discardableResult
    mutating func openLink(id: Int? = nil, role: Link.Role) -> Link {
        let id = id ?? nextLink
        nextLink = max(nextLink, id + 1)
        let link = Link(id: id, role: role)
        links[id] = link
        effects.append(.start(link: id))
        return link
    }

    /// Has a child spawned for the next session, unless one waits already.
    mutating func openSpare() {
        guard !isDraining, !links.values.contains(where: { $0.role == .spare && $0.phase != .stopping }) else { return }
        openLink(role: .spare)
    }

    mutating func stop(_ link: Link) {
        guard link.phase != .stopping else { return }
        link.phase = .stopping
        effects.append(.stop(link: link.id))
    }

    /// The sessions that talk to `link` and have finished their handshake.
    func activeSessions(on link: Link) -> [Session] {
        switch link.role {
        case .exclusive(let key): sessions[key].map { $0.phase == .active ? [$0] : [] } ?? []
        case .shared: sessions.values.filter { $0.phase == .active && $0.link == link.id && !$0.isEphemeral }
        case .probe, .spare, .successor, .retired: []
        }
    }

    // MARK: Small things

    mutating func emit(_ event: Event) { effects.append(.emit(event)) }

    /// Sees to it that `tick` is called at `deadline` at the latest.
    mutating func wake(at deadline: NIODeadline) {
        guard deadline < wakeAt else { return }
        wakeAt = deadline
        effects.append(.wake(at: deadline))
    }

    /// A random hexadecimal text of `bytes` bytes.
    mutating func randomText(bytes: Int) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes * 2)
        for _ in 0..<bytes {
            let byte = UInt8.random(in: 0...255, using: &random)
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Event.UpstreamExit {
    /// What happened, in one clause for people.
    package var summary: String {
        let happened =
            switch reason {
            case .stopped: "was stopped"
            case .exit: "exited with status \(status.map(String.init) ?? "?")"
            case .signal: "was ended by signal \(signal.map(String.init) ?? "?")"
            case .outOfMemory: "was killed by the kernel for want of memory"
            case .stdoutClosed: "closed its stdout"
            case .unresponsive: "stopped answering and was ended"
            case .handshakeFailed: "did not complete the handshake"
            case .spawnFailed: "could not be started"
            case .engine: "could not be run by the container engine"
            }
        return "the MCP server \(happened)" + (detail.map { ": \($0)" } ?? "")
    }
}
