// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// A call of the stateless revision whose child has asked its client something. The client gets the question as the
/// answer to its request, and comes back with a new request; until then the call is parked: it runs on in the child.
struct Parking {
    /// What the client must repeat: the call, and who it is.
    let context: RequestContext
    /// The child's questions by the proxy's own number, as the client is shown them.
    var questions: [Int: String] = [:]
    var round = 0
    /// The client was asked and has not come back.
    var isAway = false
    var since: NIODeadline
    /// The child's answer to the call, when it came while the client was away.
    var answer: (message: ByteBuffer, envelope: Envelope)?
}

extension Bridge {
    // MARK: Asking

    /// The child asks the client of a stateless request something.
    mutating func park(_ own: Int, _ method: Method, _ message: ByteBuffer, _ envelope: Envelope, _ session: Session) {
        session.parking?.questions[own] = Self.question(method, message, envelope)
        guard let call = session.inFlight.values.first.flatMap({ calls[$0] }), call.exchange != nil else { return }
        askForInput(call, session)
    }

    /// The question as it stands in `inputRequests`: without what only a handshake revision has.
    private static func question(_ method: Method, _ message: ByteBuffer, _ envelope: Envelope) -> String {
        var question = ObjectText()
        question.add("method", Messages.quoted(method.rawValue))
        if method != .rootsList, let range = envelope[.params] {
            var params = ObjectText()
            for member in members(of: range, in: message) where member.name != "elicitationId" && member.name != "task"
            {
                params.add(member.name, message.text(member.value))
            }
            question.add("params", params.text)
        }
        return question.text
    }

    /// Answers a call's present request with the questions that are open.
    private mutating func askForInput(_ call: Call, _ session: Session) {
        guard var parking = session.parking, case .client(_, let id) = call.origin else { return }
        parking.round += 1
        parking.isAway = true
        parking.since = now
        session.parking = parking
        if sessions.values.count(where: { $0.parking?.isAway == true }) > configuration.maxSessions,
            let oldest = longestAway(where: { _ in true }), oldest !== session
        {
            close(oldest, .stateless, failure: .timeout, "too many calls are parked")
        }
        wake(at: parkingEnd(session))
        let expiry = parking.questions.keys.compactMap { serverRequests[$0]?.deadline }.max() ?? now
        let state = RequestState(session: session.key, round: parking.round, expiry: expiry)
        var requests = ObjectText()
        for (own, question) in parking.questions.sorted(by: { $0.key < $1.key }) { requests.add("q\(own)", question) }
        var result = ObjectText()
        result.add("resultType", #""input_required""#)
        result.add("inputRequests", requests.text)
        result.add("requestState", Messages.quoted(seal.seal(state, context: parking.context)))
        result.add("_meta", #"{"\#(MetaKey.serverInfo)":\#(links[call.link]?.handshake?.server.info ?? "{}")}"#)
        let message = ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id.token),"result":\#(result.text)}"#)
        reply(to: call, session, with: message)
        call.stream = nil
        call.exchange = nil
        call.streamAt = nil
        call.acceptsEventStream = false
        report(call, session, .inputRequired, responseBytes: message.readableBytes)
    }

    // MARK: Coming back

    /// A client comes back with answers: its parked call goes on.
    mutating func resume(
        _ incoming: Incoming,
        _ text: String,
        _ envelope: RequestEnvelope,
        _ exchange: ExchangeID,
        _ head: ExchangeHead
    ) {
        guard let id = incoming.id else { return }
        let context = RequestContext(incoming, credentials: head.credentials)
        guard let state = seal.open(text, context: context) else {
            let message = "requestState is not valid for this call and this caller; call again without it"
            return refuse(exchange, .requestStateInvalid, message, id: id)
        }
        guard let session = sessions[state.session], let parking = session.parking, parking.isAway,
            parking.round == state.round, let callID = session.inFlight.values.first
        else {
            let message =
                state.expiry <= now
                ? "requestState has expired: the answer came too late; call again without it"
                : "requestState has been used, or its call has ended; call again without it"
            return refuse(exchange, .requestStateInvalid, message, id: id)
        }
        guard let answers = inputResponses(in: incoming) else {
            return refuse(exchange, .envelopeInvalid, "params.inputResponses must be an object of objects", id: id)
        }
        session.take(envelope)
        session.parking?.isAway = false
        session.inFlight = [id: callID]
        guard let call = calls[callID] else { return answerLate(incoming, session, exchange, id) }
        call.rebind(to: session, id: id, exchange: exchange, incoming: incoming, head: head, now: now)
        call.trace = trace(of: incoming)
        exchanges[exchange] = .call(call)
        if call.acceptsEventStream { call.streamAt = now + configuration.streamAfter }
        for (own, answer) in answers.sorted(by: { $0.key < $1.key }) { passOn(own, answer, session) }
        extendDeadline(of: call, session)
        wake(at: call.nextDeadline)
        // Not all of them were answered, or the child has asked more meanwhile.
        if session.parking?.questions.isEmpty == false { askForInput(call, session) }
    }

    /// The answers by question; nil when they are not what they should be. Answers to no question are ignored.
    private func inputResponses(in incoming: Incoming) -> [Int: String]? {
        let message = incoming.message
        let params = incoming.envelope[.params].map { members(of: $0, in: message) } ?? []
        guard let responses = params.last(where: { $0.name == "inputResponses" })?.value else { return [:] }
        guard message.text(responses).hasPrefix("{") else { return nil }
        var answers: [Int: String] = [:]
        for member in members(of: responses, in: message) {
            let text = message.text(member.value)
            guard text.hasPrefix("{") else { return nil }
            if member.name.hasPrefix("q"), let own = Int(member.name.dropFirst()) { answers[own] = text }
        }
        return answers
    }

    /// Gives the child a client's answer.
    private mutating func passOn(_ own: Int, _ answer: String, _ session: Session) {
        guard session.parking?.questions.removeValue(forKey: own) != nil, let request = serverRequests[own],
            case .request(let childID) = request.asker, let link = links[request.link]
        else { return }
        forget(serverRequest: own, .answered, answerBytes: answer.utf8.count)
        let line = #"{"jsonrpc":"2.0","id":\#(childID.token),"result":\#(answer)}"#
        writeControl(link, ByteBuffer(string: line + "\n"))
    }

    /// The child had answered the call before its client came back.
    private mutating func answerLate(_ incoming: Incoming, _ session: Session, _ exchange: ExchangeID, _ id: RequestID)
    {
        guard let (message, envelope) = session.parking?.answer, let link = session.link.flatMap({ links[$0] }) else {
            refuse(exchange, .requestStateInvalid, "the call has ended; call again without requestState", id: id)
            return close(session, .stateless)
        }
        let call = makeCall(incoming, from: session)
        call.exchange = exchange
        call.isAnswered = true
        register(call, session, id)
        call.phase = .sent
        link.inFlight += 1
        answer(call, id, with: message, envelope, session, link)
    }

    // MARK: While the client is away

    /// Whether the answer to a session's call has to wait for its client; then it is kept.
    mutating func keepsAnswer(of session: Session, _ message: ByteBuffer, _ envelope: Envelope) -> Bool {
        guard session.parking?.isAway == true else { return false }
        session.parking?.answer = (ByteBuffer(bytes: message.readableBytesView), envelope)
        keepWithinBounds(session)
        while bufferedBytes > configuration.maxBuffered, let oldest = longestAway(where: { $0.answer != nil }) {
            close(oldest, .stateless, failure: .timeout, "too many answers wait for their clients")
        }
        return true
    }

    /// The session whose client has been away from its parked call for longest.
    private func longestAway(where isMeant: (Parking) -> Bool) -> Session? {
        sessions.values.filter { $0.parking.map { $0.isAway && isMeant($0) } ?? false }
            .min { ($0.parking?.since ?? now, $0.key.number) < ($1.parking?.since ?? now, $1.key.number) }
    }

    /// Ends parked calls whose clients did not come back in time.
    mutating func expireParking() {
        for session in Array(sessions.values) {
            guard session.parking?.isAway == true else { continue }
            let end = parkingEnd(session)
            guard end <= now else {
                wake(at: end)
                continue
            }
            close(session, .stateless, failure: .timeout, "the client did not come back with its answers")
        }
    }

    /// When a parked call ends that nobody comes back to; `distantFuture` when the session's call isn't parked. One that
    /// others wait for has less time.
    func parkingEnd(_ session: Session) -> NIODeadline {
        guard let parking = session.parking, parking.isAway else { return .distantFuture }
        let end = parking.since + configuration.clientRequestTimeout
        guard let link = session.link.flatMap({ links[$0] }), link.turns.holders.contains(session.key),
            othersWait(for: session, link)
        else { return end }
        return min(end, parking.since + configuration.parkedTurnGrace)
    }
}

extension Call {
    /// From here on this request is the one that waits for the answer.
    fileprivate func rebind(
        to session: Session,
        id: RequestID,
        exchange: ExchangeID,
        incoming: Incoming,
        head: ExchangeHead,
        now: NIODeadline
    ) {
        origin = .client(session, id: id)
        self.exchange = exchange
        acceptsEventStream = head.acceptsEventStream
        arrived = now
        sentAt = now
        queued = .zero
        requestBytes = incoming.message.readableBytes
        if progressToken != nil {
            progressToken = incoming.envelope[.metaProgressToken].map { incoming.message.text($0) }
        }
    }
}
