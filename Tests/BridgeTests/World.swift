// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

/// A bridge without sockets, processes or clocks: tests play the clients, the children and the time, and read what
/// the bridge wanted done.
final class World {
    private var bridge: Bridge
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private var nextExchange: UInt64 = 1

    /// What each exchange was answered with.
    private(set) var replies: [ExchangeID: Reply] = [:]
    /// The events of each stream that was opened.
    private(set) var streams: [ExchangeID: [ServerSentEvent]] = [:]
    private(set) var ended: Set<ExchangeID> = []
    /// The lines each child was sent and has not been asked about yet.
    private var lines: [Int: [String]] = [:]
    private(set) var started: [Int] = []
    private(set) var stopped: [Int] = []
    private(set) var failed: [(link: Int, reason: ExitReason, detail: String)] = []
    private(set) var events: [Event] = []
    private var generation = 0
    private var blocked: Set<Int> = []
    /// Children that died without anybody knowing yet.
    var dead: Set<Int> = []

    init(_ configure: (inout BridgeConfiguration) -> Void = { _ in }) {
        var configuration = BridgeConfiguration()
        // Only tests about it find out what their child speaks.
        configuration.upstreamProtocol = .legacy
        configure(&configuration)
        bridge = Bridge(configuration: configuration)
        bridge.start(now: now)
        settle()
    }

    private func settle() {
        while !bridge.effects.isEmpty {
            let effects = bridge.effects
            bridge.effects.removeAll()
            var written: Set<Int> = []
            for effect in effects {
                switch effect {
                case .respond(let exchange, let reply):
                    #expect(replies[exchange] == nil && streams[exchange] == nil, "answered twice")
                    replies[exchange] = reply
                case .openStream(let exchange, _):
                    #expect(replies[exchange] == nil && streams[exchange] == nil, "answered twice")
                    streams[exchange] = []
                case .send(let exchange, let event):
                    #expect(streams[exchange] != nil && !ended.contains(exchange), "sent on a closed stream")
                    streams[exchange]?.append(event)
                case .endStream(let exchange):
                    #expect(streams[exchange] != nil && !ended.contains(exchange), "ended twice")
                    ended.insert(exchange)
                case .start(let link): started.append(link)
                case .write(let link, let line, let call):
                    if let call, dead.contains(link) {
                        bridge.upstreamWriteFailed(link: link, call: call, line: line, now: now)
                        continue
                    }
                    let text = String(buffer: line)
                    #expect(text.hasSuffix("\n") && text.dropLast().allSatisfy { !$0.isNewline }, "not one line")
                    lines[link, default: []].append(String(text.dropLast()))
                    written.insert(link)
                case .confirmReady: break
                case .fail(let link, let reason, let detail): failed.append((link, reason, detail))
                case .stop(let link): stopped.append(link)
                case .wake: break
                case .emit(let event): events.append(event)
                }
            }
            for link in written {
                bridge.upstreamIsWritable(link: link, !blocked.contains(link), now: now)
            }
        }
    }

    // MARK: Clients

    @discardableResult
    func post(
        _ body: String,
        session: String? = nil,
        version: String? = nil,
        acceptsEventStream: Bool = true,
        traceContext: TraceContext? = nil,
        routing: RoutingHeaders = RoutingHeaders(),
        credentials: String? = nil
    ) -> ExchangeID {
        let exchange = mint()
        let head = ExchangeHead(
            sessionID: session,
            protocolVersion: version,
            acceptsEventStream: acceptsEventStream,
            traceContext: traceContext,
            routing: routing,
            credentials: credentials
        )
        bridge.post(exchange, head: head, body: ByteBuffer(string: body), now: now)
        settle()
        return exchange
    }

    func get(session: String?, lastEventID: String? = nil) -> ExchangeID {
        let exchange = mint()
        bridge.get(exchange, head: ExchangeHead(sessionID: session, lastEventID: lastEventID), now: now)
        settle()
        return exchange
    }

    @discardableResult
    func delete(session: String?) -> ExchangeID {
        let exchange = mint()
        bridge.delete(exchange, head: ExchangeHead(sessionID: session), now: now)
        settle()
        return exchange
    }

    func openSSE() -> ExchangeID {
        let exchange = mint()
        bridge.openSSE(exchange, now: now)
        settle()
        return exchange
    }

    @discardableResult
    func postSSE(_ body: String, session: String?) -> ExchangeID {
        let exchange = mint()
        bridge.postSSE(exchange, session: session, body: ByteBuffer(string: body), now: now)
        settle()
        return exchange
    }

    func goAway(_ exchange: ExchangeID) {
        bridge.clientGone(exchange, end: .clientGone, now: now)
        settle()
    }

    private func mint() -> ExchangeID {
        defer { nextExchange += 1 }
        return ExchangeID(nextExchange)
    }

    // MARK: Children

    func childStarts(_ link: Int = 0) {
        generation += 1
        bridge.upstreamStarted(link: link, generation: generation, now: now)
        settle()
    }

    func childSays(_ line: String, link: Int = 0) {
        bridge.upstreamLine(link: link, .message(ByteBuffer(string: line)), now: now)
        settle()
    }

    func childSays(oversize id: Int?, bytes: Int, link: Int = 0) {
        bridge.upstreamLine(link: link, .oversize(id: id.map { RequestID($0) }, bytes: bytes), now: now)
        settle()
    }

    func childExits(
        _ reason: ExitReason = .signal,
        signal: Int32? = 9,
        plan: RestartPlan = .restart(delayMilliseconds: 0, attempt: 1),
        link: Int = 0
    ) {
        let exit = Event.UpstreamExit(link: link, generation: generation, reason: reason, signal: signal, plan: plan)
        bridge.upstreamExited(exit, now: now)
        settle()
    }

    func block(_ link: Int = 0) {
        blocked.insert(link)
        bridge.upstreamIsWritable(link: link, false, now: now)
        settle()
    }

    func unblock(_ link: Int = 0) {
        blocked.remove(link)
        bridge.upstreamIsWritable(link: link, true, now: now)
        settle()
    }

    /// The lines sent to a child since the last time this was asked.
    func sent(_ link: Int = 0) -> [Text] { (lines.removeValue(forKey: link) ?? []).map(Text.init) }

    /// The capabilities and answer of a child that can do everything.
    static let fullCapabilities =
        #"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{},"prompts":{}}"#

    /// A child starts and completes its handshake.
    func childBecomesReady(
        _ link: Int = 0,
        revision: String = "2025-11-25",
        capabilities: String = World.fullCapabilities
    ) {
        childStarts(link)
        let id = sent(link).last?.id ?? "?"
        childSays(World.handshake(id: id, revision: revision, capabilities: capabilities), link: link)
    }

    static func handshake(id: String, revision: String = "2025-11-25", capabilities: String = fullCapabilities)
        -> String
    {
        #"{"jsonrpc":"2.0","id":\#(id),"result":{"protocolVersion":"\#(revision)","capabilities":\#(capabilities),"#
            + #""serverInfo":{"name":"s","version":"1"}}}"#
    }

    // MARK: Time and life

    func pass(_ time: TimeAmount) {
        now = now + time
        bridge.tick(now: now)
        settle()
    }

    func replace() {
        bridge.replace(now: now)
        settle()
    }

    func drain() {
        bridge.drain(now: now)
        settle()
    }

    func shutDown() {
        bridge.shutDown(now: now)
        settle()
    }

    var isDrained: Bool { bridge.isDrained }
    var readiness: Readiness { bridge.readiness }
    var sessionCount: Int { bridge.sessionCount }
    var bufferedBytes: Int { bridge.bufferedBytes }
    var readings: Readings { bridge.readings(now: now) }
    /// What is known of the requests that were answered.
    var finished: [Event.RequestFinished] {
        events.compactMap { if case .requestFinished(let request) = $0 { request } else { nil } }
    }
    /// Calls the queue of the shared child holds, ended ones included.
    var queuedCalls: Int { bridge.links[0]?.waiting.count ?? 0 }
    /// When the bridge wants to be woken.
    var wakeAt: NIODeadline { bridge.wakeAt }

    // MARK: Shorthands

    /// A ready world with a child.
    static func ready(_ configure: (inout BridgeConfiguration) -> Void = { _ in }) -> World {
        let world = World(configure)
        world.childBecomesReady()
        _ = world.sent()
        return world
    }

    static let initialize = initialize()

    static func initialize(
        revision: String = "2025-11-25",
        capabilities: String = #"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}}"#
    ) -> String {
        #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"\#(revision)","#
            + #""capabilities":\#(capabilities),"clientInfo":{"name":"c","version":"1"}}}"#
    }

    /// Opens a session and returns its id.
    func openSession(revision: String = "2025-11-25") throws -> String {
        let exchange = post(World.initialize(revision: revision))
        return try #require(replies[exchange]?.sessionID)
    }

    func body(_ exchange: ExchangeID) -> Text? { replies[exchange]?.body.map { Text(String(buffer: $0)) } }

    /// The messages sent on a stream, without events that carry none.
    func messages(_ exchange: ExchangeID) -> [Text] {
        (streams[exchange] ?? []).compactMap { $0.data.map { Text(String(buffer: $0)) } }
    }

    func eventCount(_ matches: (Event) -> Bool) -> Int { events.lazy.filter(matches).count }
}

/// A message a test looks into.
struct Text: CustomStringConvertible, Equatable {
    let text: String

    init(_ text: String) { self.text = text }

    var description: String { text }

    private var buffer: ByteBuffer { ByteBuffer(string: text) }

    func token(_ member: Member) -> String? {
        guard let envelope = try? Envelope.scan(buffer), let range = envelope[member] else { return nil }
        return buffer.text(range)
    }

    var id: String { token(.id) ?? "none" }
    var method: String? { token(.method).map { String($0.dropFirst().dropLast()) } }
    var errorCode: Int? { token(.errorCode).flatMap { Int($0) } }

    func contains(_ part: String) -> Bool { text.contains(part) }
}

func toolCall(_ id: String, _ name: String = "t", meta: String = "") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(name)","arguments":{}\#(meta)}}"#
}

func result(_ id: String, _ text: String = "{}") -> String { #"{"jsonrpc":"2.0","id":\#(id),"result":\#(text)}"# }
