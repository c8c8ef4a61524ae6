// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// What a child of the stateless revision wants to know before it goes on with a call of a client with a handshake
/// (2026-07-28, "Multi Round-Trip Requests"). The client is asked by requests, as its revision has it, and the call is
/// sent again with its answers.
struct Inputs {
    /// The call as it was sent first.
    let line: ByteBuffer
    /// How often the child has asked.
    var rounds = 0
    /// What the child wants back, as a JSON token.
    var state: String?
    /// The questions that are open, by the proxy's own number.
    var pending: Set<Int> = []
    /// The answers by question, as JSON text.
    var answers: [(key: String, text: String)] = []
    /// When it is sent again although nothing was asked: the child only needed time.
    var retryAt: NIODeadline?

    /// Both official clients give up after as many.
    static let maxRounds = 10
    /// Questions that may be asked at a time.
    static let maxQuestions = 64

    /// The questions of the present round are still being put.
    var isAsking = false

    init(line: ByteBuffer) { self.line = line }
}

extension Bridge {
    // MARK: Asking

    /// The child answered a call with questions.
    mutating func inputRequired(
        _ call: Call,
        _ message: ByteBuffer,
        _ asked: InputRequired,
        _ session: Session,
        _ link: Link
    ) {
        guard var inputs = call.inputs else {
            return fail(call, .upstreamAnswerInvalid, "the MCP server asks for input where no input can be given")
        }
        guard inputs.rounds < Inputs.maxRounds else {
            return fail(
                call,
                .upstreamAnswerInvalid,
                "the MCP server asked for input \(inputs.rounds) times; that is enough"
            )
        }
        guard asked.questions.count <= Inputs.maxQuestions else {
            return fail(
                call,
                .upstreamAnswerInvalid,
                "the MCP server asked \(asked.questions.count) questions at once; \(Inputs.maxQuestions) are enough"
            )
        }
        // From here on nothing runs in the child: the call waits for its client.
        call.isAnswered = false
        call.phase = .waiting
        call.sentAt = nil
        link.inFlight -= 1
        inputs.rounds += 1
        inputs.answers = []
        inputs.state = asked.state.map { message.text($0) }
        call.inputs = inputs
        call.inputs?.isAsking = true
        for question in asked.questions {
            guard call.isLive, calls[call.id] === call else { return }
            ask(question.key, question.range, message, call, session)
        }
        call.inputs?.isAsking = false
        guard call.isLive, calls[call.id] === call, call.inputs?.pending.isEmpty == true else { return }
        if asked.questions.isEmpty {
            let delay = TimeAmount.milliseconds(min(50 << Int64(inputs.rounds - 1), 250))
            call.inputs?.retryAt = now + delay
            wake(at: now + delay)
        } else {
            sendAgain(call)
        }
    }

    /// Asks the client one question.
    private mutating func ask(
        _ key: String,
        _ range: ByteRange,
        _ message: ByteBuffer,
        _ call: Call,
        _ session: Session
    ) {
        let present = members(of: range, in: message)
        let name = present.last { $0.name == "method" }.flatMap { message.string($0.value) } ?? ""
        let method = Method(name: name)
        let paramsRange = present.last { $0.name == "params" }?.value
        let params = paramsRange.map { members(of: $0, in: message) } ?? []
        let isURLMode = params.contains { $0.name == "mode" && message.string($0.value) == "url" }
        let needed = ClientCapabilities.needed(for: method, isURLMode: isURLMode)
        guard method.asksClient, session.capabilities.isSuperset(of: needed) else {
            emit(.protocolViolation(peer: .server, kind: .undeclaredRequest, detail: method.rawValue))
            emit(.serverRequestFinished(method: method, outcome: .undeclared, requestBytes: range.count))
            return questionRefused(call.id, key: key, method, "this client did not declare \(method.rawValue)")
        }
        let own = nextServerRequest
        nextServerRequest += 1
        let request = ServerRequest(
            asker: .call(call.id, key: key),
            link: call.link,
            session: session,
            method: method,
            requestBytes: range.count,
            deadline: now + configuration.clientRequestTimeout,
            stream: stream(of: call, session)
        )
        serverRequests[own] = request
        session.serverRequests.insert(own)
        call.inputs?.pending.insert(own)
        wake(at: request.deadline)
        extendDeadline(of: call, session)
        var text = ObjectText()
        for member in params { text.add(member.name, message.text(member.value)) }
        // Older revisions know such a question by an id, which the newest no longer has.
        if isURLMode { text.add("elicitationId", Messages.quoted(randomText(bytes: 16))) }
        let question = Messages.request(id: own, method: method, params: paramsRange == nil ? nil : text.text)
        deliver(question, to: session, stream: request.stream)
    }

    // MARK: Answers

    /// The client answered.
    mutating func answerQuestion(_ own: Int, _ incoming: Incoming, _ request: ServerRequest) {
        guard case .call(let id, let key) = request.asker else { return }
        let isError = incoming.envelope.kind == .error
        forget(
            serverRequest: own,
            .answered,
            answerBytes: incoming.message.readableBytes,
            isError: isError
        )
        guard let result = incoming.envelope[.result], incoming.message.isObject(result) else {
            let why = isError ? incoming.text(.errorMessage).map { String($0.prefix(200)) } : "its answer is no object"
            return questionRefused(
                id,
                key: key,
                request.method,
                "the client refused \(request.method.rawValue): \(why ?? "no message")"
            )
        }
        var plain = ObjectText()
        for member in members(of: result, in: incoming.message) where member.name != "_meta" {
            plain.add(member.name, incoming.message.text(member.value))
        }
        answerQuestion(of: id, key: key, plain.text)
    }

    private mutating func answerQuestion(of id: CallID, key: String, _ text: String) {
        guard let call = calls[id], call.isLive, let session = call.session else { return }
        call.inputs?.answers.append((key, text))
        extendDeadline(of: call, session)
        if call.inputs?.pending.isEmpty == true { sendAgain(call) }
    }

    /// The client will not, or cannot, answer. Only an elicitation can be refused in so many words; without the answer
    /// to anything else the call is over.
    mutating func questionRefused(_ id: CallID, key: String, _ method: Method, _ why: String) {
        guard let call = calls[id], call.isLive, case .client(_, let clientID) = call.origin else { return }
        guard method != .elicitationCreate else {
            call.inputs?.answers.append((key, #"{"action":"cancel"}"#))
            // One that is refused at once is not the last to be asked.
            guard call.inputs?.pending.isEmpty == true, call.inputs?.isAsking == false else { return }
            return sendAgain(call)
        }
        guard call.method == .toolsCall else { return fail(call, .inputRefused, why) }
        let content = #"[{"type":"text","text":\#(Messages.quoted(why))}]"#
        let text = #"{"jsonrpc":"2.0","id":\#(clientID.token),"result":{"content":\#(content),"isError":true}}"#
        answer(call, with: ByteBuffer(string: text), outcome: .toolError)
    }

    /// The call is over: whatever its client is still being asked is of no use any more.
    mutating func dropQuestions(of call: Call) {
        for own in (call.inputs?.pending ?? []).sorted() {
            guard let request = serverRequests[own] else { continue }
            forget(serverRequest: own, .cancelled)
            followUp(Messages.cancelled(id: RequestID(own), reason: "the call has ended"), request)
        }
        call.inputs = nil
    }

    // MARK: Once more

    /// Sends the call again, with what its client answered and under a new id.
    mutating func sendAgain(_ call: Call) {
        guard let inputs = call.inputs, let session = call.session, let link = links[call.link],
            case .client(_, let id) = call.origin, let envelope = try? Envelope.scan(inputs.line),
            let params = envelope[.params]
        else { return }
        call.inputs?.retryAt = nil
        var added = ObjectText()
        if !inputs.answers.isEmpty {
            var answers = ObjectText()
            for (key, text) in inputs.answers { answers.add(key, text) }
            added.add("inputResponses", answers.text)
        }
        if let state = inputs.state { added.add("requestState", state) }
        let full = inputs.line.splicing(
            .insertion(of: added.members, into: params, of: inputs.line, isEmpty: false),
            newline: false
        )
        guard let scanned = try? Envelope.scan(full), let idRange = scanned[.id] else { return }
        calls[call.id] = nil
        call.id = nextCall
        nextCall += 1
        calls[call.id] = call
        session.inFlight[id] = call.id
        if let stream = call.stream { session.streams[stream]?.call = call.id }
        let ownID = String(call.id)
        // The line has its end already.
        call.line = full.splicing(
            .init(idRange, ownID),
            scanned[.metaProgressToken].map { .init($0, ownID) },
            newline: false
        )
        extendDeadline(of: call, session)
        enqueue(call, link)
    }
}

extension Method {
    /// Whether it is one of those a child may put to a client as a question.
    var asksClient: Bool {
        switch self {
        case .samplingCreateMessage, .elicitationCreate, .rootsList: true
        default: false
        }
    }
}

extension Call {
    /// Whether the child may answer it with questions that the proxy has to put to its client.
    func mayWantInput(from link: Link) -> Bool {
        method.takesTurns && link.isStateless && session?.revision.isStateless == false
    }
}
