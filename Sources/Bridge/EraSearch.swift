// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import MCP
import NIOCore

/// How it is found out whether a shared child begins with a handshake (2026-07-28, "stdio: Protocol Version
/// Negotiation"). What a process that became ready has shown is remembered for the next: it is asked `server/discover`
/// once, not at each restart.
struct EraSearch {
    /// What a process that has just been started is sent.
    enum Opening: Equatable {
        case initialize
        /// Not knowing it is no fault: `initialize` follows.
        case probe
        /// It knew it before, or must.
        case discover
    }

    /// Whether the child speaks the stateless revision; nil as long as nobody knows.
    private(set) var isStateless: Bool?
    /// A process that was asked did not become ready, whatever it answered. Only if the next one likes `initialize`
    /// better was it that.
    private var isShy = false

    // The running process.
    /// `server/discover` has been sent.
    private var wasAsked = false
    /// `initialize` has been sent.
    private(set) var isOffered = false
    /// Why it refused `initialize`, when its answer to `server/discover` decides instead.
    private(set) var refusal: String?
    /// What it said of itself after `initialize` had been sent: its answer to that decides.
    var discovered: Link.Handshake?

    /// - Parameter isStateless: What another child of the same command was found to speak.
    init(isStateless: Bool? = nil) { self.isStateless = isStateless }

    /// A process has been started.
    mutating func begin(_ wanted: UpstreamProtocol) -> Opening {
        wasAsked = false
        isOffered = false
        refusal = nil
        discovered = nil
        switch wanted {
        case .legacy: return .initialize
        case .modern: return .discover
        case .auto: break
        }
        if isStateless == false || isShy { return .initialize }
        return isStateless == true ? .discover : .probe
    }

    mutating func asked() { wasAsked = true }

    mutating func offered() { isOffered = true }

    mutating func refused(_ detail: String) {
        refusal = detail
        isOffered = false
    }

    mutating func settled(isStateless: Bool) {
        self.isStateless = isStateless
        isShy = false
        discovered = nil
    }

    /// The process ended before anything was settled. What its predecessors spoke says no more about the next.
    mutating func failed() {
        isShy = wasAsked && !isShy
        isStateless = nil
    }
}

extension Link.Handshake {
    /// Reads a child's answer to `server/discover`.
    ///
    /// - Returns: What it agrees to, or why it does not speak the stateless revision.
    static func discovered(_ message: ByteBuffer, _ envelope: Envelope) -> Result<Link.Handshake, HandshakeRefusal> {
        guard let result = envelope[.result] else {
            let text = envelope[.errorMessage].flatMap { message.string($0) } ?? "no message"
            return .failure(
                HandshakeRefusal(detail: "it answered server/discover with the error \"\(text.prefix(200))\"")
            )
        }
        let present = members(of: result, in: message)
        let versions = present.last { $0.name == "supportedVersions" }
        let names = versions.map { elements(of: $0.value, in: message).compactMap { message.string($0) } } ?? []
        guard names.contains(Revision.stateless.rawValue) else {
            let known = names.map { String($0.prefix(32)) }.prefix(8).joined(separator: ", ")
            let detail = names.isEmpty ? "names no revisions" : "names only the revisions \(known)"
            return .failure(HandshakeRefusal(detail: "its answer to server/discover \(detail)"))
        }
        let info = present.last { $0.name == "_meta" }
            .flatMap { meta in members(of: meta.value, in: message).last { $0.name == MetaKey.serverInfo } }
        let server = Translation.server(info?.value, in: message)
        let answer = Translation.initialization(present, message, server)
        guard let scanned = try? Envelope.scan(answer), let id = scanned[.id],
            let version = scanned[.resultProtocolVersion]
        else { return .failure(HandshakeRefusal(detail: "its answer to server/discover cannot be read")) }
        let capabilities = present.last { $0.name == "capabilities" }
        return .success(
            Link.Handshake(
                answer: answer,
                id: id,
                protocolVersion: version,
                discovery: Translation.discovery(present, message, server),
                revision: .stateless,
                capabilities: capabilities.map { ServerCapabilities(at: $0.value, in: message) }
                    ?? ServerCapabilities(),
                server: server
            )
        )
    }
}
