// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP
internal import NIOCore
internal import Prometheus

/// Why a request failed, as the conventions of OpenTelemetry have it: a word, or the code of a JSON-RPC error.
enum ErrorType: String, CaseIterable {
    case none = ""
    case parseError = "-32700"
    case invalidRequest = "-32600"
    case methodNotFound = "-32601"
    case invalidParams = "-32602"
    case internalError = "-32603"
    case serverError = "-32000"
    case timedOut = "-32001"
    case resourceNotFound = "-32002"
    case urlElicitationRequired = "-32042"
    case toolError = "tool_error"
    case timeout
    case cancelled
    case upstreamLost = "upstream_lost"
    case rejected
    case other = "_OTHER"

    init(_ request: Event.RequestFinished) {
        self =
            switch request.outcome {
            case .ok, .inputRequired: .none
            case .toolError: .toolError
            case .timeout: .timeout
            case .cancelled: .cancelled
            case .upstreamLost: .upstreamLost
            case .rejected: .rejected
            case .clientError, .serverError:
                request.errorCode.flatMap { ErrorType(rawValue: String($0)) } ?? .other
            }
    }
}

/// What is counted of the requests of clients. Loop-confined.
final class RequestMetrics {
    /// What one operation takes, as the client sees it and, for one that reaches it, as the child does.
    private final class Operation {
        let server: Histogram
        var client: Histogram?

        init(server: Histogram) { self.server = server }
    }

    private let server: HistogramFamily
    private let client: HistogramFamily
    /// By method, name and error, packed: looked up once per request, made once per combination.
    private var operations = Handles<Operation>()
    private let requests: PerCase<Method, PerCase<Outcome, Counter>>
    private let overhead: Histogram
    private let queueWait: Histogram
    private let messages: PerCase<Peer, PerCase<MessageKind, Counter>>
    private let sizes: PerCase<Peer, Histogram>
    private let rejected: PerCase<RejectReason, Counter>
    private let cancellations: PerCase<CancelInitiator, Counter>
    private let protocolErrors: PerCase<Peer, PerCase<ProtocolViolation, Counter>>
    private let serverRequests: PerCase<Method, PerCase<ServerRequestOutcome, Counter>>
    private let answersDropped: Counter
    private let byRevision: PerCase<Revision, Counter>

    private enum MessageKind: String, CaseIterable { case request, response, error, notification }

    init(_ registry: Registry) throws(RegistrationError) {
        server = try registry.histogram(.serverOperationDuration)
        client = try registry.histogram(.clientOperationDuration)
        let requests = try registry.counter(.requests)
        self.requests = PerCase { method in PerCase { requests.with(method.rawValue, $0.rawValue) } }
        overhead = try registry.histogram(.overhead).with()
        queueWait = try registry.histogram(.queueWait).with()
        let messages = try registry.counter(.messages)
        self.messages = PerCase { peer in PerCase { messages.with(peer.rawValue, $0.rawValue) } }
        let sizes = try registry.histogram(.messageSize)
        self.sizes = PerCase { sizes.with($0.rawValue) }
        let rejected = try registry.counter(.requestsRejected)
        self.rejected = PerCase { rejected.with($0.rawValue) }
        let cancellations = try registry.counter(.cancellations)
        self.cancellations = PerCase { cancellations.with($0.rawValue) }
        let protocolErrors = try registry.counter(.protocolErrors)
        self.protocolErrors = PerCase { peer in PerCase { protocolErrors.with(peer.rawValue, $0.rawValue) } }
        let serverRequests = try registry.counter(.serverRequests)
        self.serverRequests = PerCase { method in PerCase { serverRequests.with(method.rawValue, $0.rawValue) } }
        answersDropped = try registry.counter(.answersDropped).with()
        let byRevision = try registry.counter(.requestsByRevision)
        self.byRevision = PerCase { byRevision.with($0.rawValue) }
    }

    func finished(_ request: Event.RequestFinished) {
        requests[request.method][request.outcome].addOwned()
        byRevision[request.revision].addOwned()
        let error = ErrorType(request)
        let key = (request.name?.number ?? 0) << 16 | byte(of: request.method) << 8 | byte(of: error)
        let exemplar = request.trace.flatMap(Exemplar.init)
        let operation = operations.handle(key) { Operation(server: server.with(labels(request, error) + ["tcp"])) }
        operation.server.observeOwned((request.finished - request.arrived).raw, exemplar: exemplar)
        count(.client, .request, bytes: request.requestBytes)
        let isError = request.errorCode != nil
        count(.server, isError ? .error : .response, bytes: request.responseBytes)
        guard let sent = request.sent else { return }
        queueWait.observeOwned(request.queued.raw)
        guard let answered = request.answered else { return }
        let client = operation.client ?? makeClient(operation, request, error)
        client.observeOwned((answered - sent).raw, exemplar: exemplar)
        overhead.observeOwned(request.overhead.raw)
    }

    func rejected(_ reason: RejectReason) { rejected[reason].addOwned() }

    func cancelled(_ initiator: CancelInitiator) { cancellations[initiator].addOwned() }

    func violated(_ peer: Peer, _ kind: ProtocolViolation) { protocolErrors[peer][kind].addOwned() }

    func answerDropped() { answersDropped.addOwned() }

    func notified(_ peer: Peer, bytes: Int) { count(peer, .notification, bytes: bytes) }

    func serverRequestFinished(_ method: Method, _ outcome: ServerRequestOutcome, bytes: Int) {
        serverRequests[method][outcome].addOwned()
        count(.server, .request, bytes: bytes)
    }

    func clientAnswered(isError: Bool, bytes: Int) { count(.client, isError ? .error : .response, bytes: bytes) }

    private func count(_ peer: Peer, _ kind: MessageKind, bytes: Int) {
        messages[peer][kind].addOwned()
        sizes[peer].observeOwned(bytes)
    }

    private func makeClient(_ operation: Operation, _ request: Event.RequestFinished, _ error: ErrorType) -> Histogram {
        let made = client.with(labels(request, error) + ["pipe"])
        operation.client = made
        return made
    }

    /// Method, tool, prompt and error. A tool or prompt that the child's lists don't name is `_OTHER`.
    private func labels(_ request: Event.RequestFinished, _ error: ErrorType) -> [String] {
        let name = request.name?.text ?? "_OTHER"
        return [
            request.method.rawValue, request.method == .toolsCall ? name : "",
            request.method == .promptsGet ? name : "", error.rawValue,
        ]
    }
}

extension TimeAmount {
    /// As the histograms take it.
    var raw: Int { Int(nanoseconds) }
}

extension Exemplar {
    /// Nil for a trace that nobody records.
    fileprivate init?(_ trace: RequestTrace) {
        guard trace.server.isSampled else { return nil }
        let now = WallTime.now()
        self.init(
            traceID: (trace.server.traceID.high, trace.server.traceID.low),
            spanID: trace.server.spanID.value,
            unixMilliseconds: now.seconds * 1000 + now.milliseconds
        )
    }
}
