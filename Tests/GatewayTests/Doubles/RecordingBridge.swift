// SPDX-License-Identifier: Apache-2.0

import Bridge
import Events
import Gateway
import NIOCore
import Synchronization

/// A bridge that writes down what it is told and answers only when a test says so. Loop-confined, but for `calls`.
final class RecordingBridge: BridgeInput {
    /// One line per call, in order: `post 1 {…}`, `get 2`, `gone 2 client_gone`, ….
    let calls: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    private(set) var log: [String] = []
    private(set) var heads: [ExchangeHead] = []
    var readiness = Readiness(.ready)
    /// What a POST sets off.
    var onPost: ((ExchangeID, ByteBuffer) -> Void)?

    init() { (self.calls, self.continuation) = AsyncStream.makeStream() }

    /// The exchange of the last call.
    private(set) var last = ExchangeID(0)

    private func note(_ name: String, _ exchange: ExchangeID, _ detail: String = "") {
        self.last = exchange
        let line = "\(name) \(exchange.number)" + (detail.isEmpty ? "" : " " + detail)
        self.log.append(line)
        self.continuation.yield(line)
    }

    func post(_ exchange: ExchangeID, head: ExchangeHead, body: ByteBuffer) {
        self.heads.append(head)
        self.note("post", exchange, body.readableBytes < 200 ? String(buffer: body) : "\(body.readableBytes) bytes")
        self.onPost?(exchange, body)
    }

    func get(_ exchange: ExchangeID, head: ExchangeHead) {
        self.heads.append(head)
        self.note("get", exchange)
    }

    func delete(_ exchange: ExchangeID, head: ExchangeHead) {
        self.heads.append(head)
        self.note("delete", exchange)
    }

    func openSSE(_ exchange: ExchangeID) { self.note("openSSE", exchange) }

    func postSSE(_ exchange: ExchangeID, session: String?, traceContext: TraceContext?, body: ByteBuffer) {
        self.note("postSSE", exchange, "\(session ?? "nil") \(String(buffer: body))")
    }

    func clientGone(_ exchange: ExchangeID, end: StreamEnd) { self.note("gone", exchange, end.rawValue) }
}

/// A sink that keeps one line per event.
final class RecordingSink: EventSink {
    private let kept = Mutex<[String]>([])

    /// All but the answers.
    var lines: [String] { self.kept.withLock { $0 }.filter { !$0.hasPrefix("answered ") } }
    /// `answered POST mcp 200`, one for each answer.
    var answers: [String] { self.kept.withLock { $0 }.filter { $0.hasPrefix("answered ") } }
    /// Without the ends of connections, which are no news in most tests.
    var news: [String] { self.lines.filter { !$0.hasPrefix("closed ") } }

    func emit(_ event: Event) {
        let line =
            switch event {
            case .requestRejected(let reason, _): "rejected \(reason.rawValue)"
            case .unknownHost(let host, let isFirst): isFirst ? "unknown \(host)" : "unknown again \(host)"
            case .connectionClosed(let reason): "closed \(reason.rawValue)"
            case .httpAnswered(let answer):
                "answered \(answer.method.rawValue) \(answer.route.rawValue) \(answer.status)"
            default: "other"
            }
        self.kept.withLock { $0.append(line) }
    }
}
