// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// What a shared child is asked first, and what its answers mean.
extension Bridge {
    /// Speaks to a new process.
    mutating func open(_ link: Link) {
        switch link.era.begin(configuration.upstreamProtocol) {
        case .initialize: offerHandshake(link)
        case .probe: discover(link, within: min(configuration.probeTimeout, configuration.connectionTimeout))
        case .discover: discover(link, within: configuration.connectionTimeout)
        }
    }

    /// Sends the `initialize` of the proxy's own.
    mutating func offerHandshake(_ link: Link) {
        link.era.offered()
        let isComplete = link.declared.map { $0 == configuration.sharedCapabilitySet } ?? true
        let capabilities = isComplete ? configuration.sharedCapabilities : link.declared?.json ?? "{}"
        let version = configuration.version
        _ = ask(link, .handshake, .initialize) {
            Messages.initialize(id: $0, capabilities: capabilities, version: version)
        }
    }

    private mutating func discover(_ link: Link, within patience: TimeAmount) {
        link.era.asked()
        let envelope = Translation.ownEnvelope(version: configuration.version)
        _ = ask(link, .discover, .serverDiscover, within: patience) { Messages.discover(id: $0, envelope: envelope) }
    }

    /// The child answered `server/discover`. An answer that comes when all is settled is of no use and no fault: it may
    /// have taken long to start.
    mutating func discoverAnswered(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard link.phase == .initializing else { return }
        switch Link.Handshake.discovered(message, envelope) {
        case .success(let new):
            // Whether it will still do without a handshake depends on what it makes of the one it has been offered.
            guard !link.era.isOffered else { return link.era.discovered = new }
            agree(new, link)
        case .failure(let refusal): discoverRefused(refusal.detail, link)
        }
    }

    /// The child's answer to `server/discover` says no, or says nothing that can be read.
    mutating func discoverRefused(_ detail: String, _ link: Link) {
        guard link.phase == .initializing, !link.era.isOffered else { return }
        guard configuration.upstreamProtocol == .auto, link.era.refusal == nil else {
            let detail = link.era.refusal.map { "\($0), and \(detail)" } ?? detail
            return effects.append(.fail(link: link.id, .handshakeFailed, detail: detail))
        }
        offerHandshake(link)
    }

    /// No answer to `server/discover`.
    mutating func discoverExpired(_ call: Call, _ link: Link) {
        if configuration.upstreamProtocol == .auto, link.era.isStateless == nil, link.era.refusal == nil {
            // It may still be starting, or not answer what it does not know: nothing is decided by silence.
            call.phase = .abandoned(since: now)
            call.hardDeadline = now + configuration.maxRequestTime
            wake(at: call.hardDeadline)
            return offerHandshake(link)
        }
        calls[call.id] = nil
        let silence = "no answer to server/discover within \(configuration.connectionTimeout.words)"
        let detail = link.era.refusal.map { "\($0), and \(silence)" } ?? silence
        effects.append(.fail(link: link.id, .handshakeFailed, detail: detail))
    }

    /// The child answered the `initialize` of the proxy's own.
    mutating func offerAnswered(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard link.phase == .initializing else { return }
        switch handshake(message, envelope) {
        case .success(let new): agree(new, link)
        case .failure(let refusal):
            if let discovered = link.era.discovered { return agree(discovered, link) }
            let code = envelope[.errorCode].flatMap { message.integer($0) } ?? 0
            if link.isShared, configuration.upstreamProtocol == .auto, (-32022 ... -32020).contains(code) {
                link.era.refused(refusal.detail)
                return discover(link, within: configuration.connectionTimeout)
            }
            if let probe = openProbe(of: link) { return waitFor(probe, link, refusal.detail) }
            effects.append(.fail(link: link.id, .handshakeFailed, detail: refusal.detail))
        }
    }

    /// The question whether a process speaks the stateless revision, as long as it is not answered.
    private func openProbe(of link: Link) -> Call? {
        calls.values.first { call in
            if case .own(.discover) = call.origin { call.link == link.id } else { false }
        }
    }

    /// A process that is slow to start may refuse `initialize` before it gets to the probe: its answer to that decides.
    private mutating func waitFor(_ probe: Call, _ link: Link, _ refusal: String) {
        link.era.refused(refusal)
        probe.phase = .sent
        probe.deadline = probe.arrived + configuration.connectionTimeout
        probe.hardDeadline = probe.deadline
        wake(at: probe.deadline)
    }

    /// No answer to `initialize` of the proxy's own.
    mutating func offerExpired(_ call: Call, _ link: Link) {
        calls[call.id] = nil
        // A child without a handshake need not know the word.
        if link.phase == .initializing, let discovered = link.era.discovered { return agree(discovered, link) }
        let detail = "no answer to initialize within \(configuration.connectionTimeout.words)"
        effects.append(.fail(link: link.id, .handshakeFailed, detail: detail))
    }
}
