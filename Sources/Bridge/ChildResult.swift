// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import MCP
import NIOCore

/// What a child of the stateless revision answered a request with: one of the two results there are (2026-07-28,
/// "Result Types").
enum ChildResult {
    case complete
    case inputRequired(InputRequired)

    /// Reads the result of a call.
    init(_ message: ByteBuffer, _ envelope: Envelope, method: Method) throws(AnswerFault) {
        guard let result = envelope[.result], message.isObject(result) else {
            throw AnswerFault(detail: "its result is no object")
        }
        switch envelope[.resultType].map({ message.string($0) ?? message.text($0) }) {
        case nil, "complete":
            // A question whose type was forgotten: nobody would seal its state.
            guard message.given(.resultRequestState, envelope) == nil,
                message.given(.resultInputRequests, envelope) == nil
            else { throw AnswerFault(detail: "it asks for input without the resultType input_required") }
            self = .complete
        case "input_required":
            guard method.takesTurns else {
                throw AnswerFault(detail: "it asks for input in \(method.rawValue), where there is none")
            }
            self = .inputRequired(try InputRequired(message, envelope))
        case .some(let type):
            throw AnswerFault(detail: "its resultType \(Messages.quoted(String(type.prefix(32)))) is unknown")
        }
    }
}

/// What a child wants to know before it goes on with a call (2026-07-28, "Multi Round-Trip Requests").
struct InputRequired {
    struct Question {
        let key: String
        let range: ByteRange
        let method: Method
        /// What a client must have declared to be asked it.
        let needed: ClientCapabilities
    }

    let questions: [Question]
    /// What the child wants back: a JSON string.
    let state: ByteRange?

    init(_ message: ByteBuffer, _ envelope: Envelope) throws(AnswerFault) {
        state = message.given(.resultRequestState, envelope)
        if let state, message.string(state) == nil { throw AnswerFault(detail: "its requestState is no string") }
        let requests = message.given(.resultInputRequests, envelope)
        guard state != nil || requests != nil else {
            throw AnswerFault(detail: "it asks for input and has neither inputRequests nor requestState")
        }
        if let requests, !message.isObject(requests) { throw AnswerFault(detail: "its inputRequests are no object") }
        var questions: [Question] = []
        for member in requests.map({ members(of: $0, in: message) }) ?? [] {
            questions.append(try Question(member.name, member.value, message))
        }
        guard Set(questions.map(\.key)).count == questions.count else {
            throw AnswerFault(detail: "two of its inputRequests have the same key")
        }
        self.questions = questions
    }
}

extension InputRequired.Question {
    fileprivate init(_ key: String, _ range: ByteRange, _ message: ByteBuffer) throws(AnswerFault) {
        let present = members(of: range, in: message)
        let method = Method(name: present.last { $0.name == "method" }.flatMap { message.string($0.value) } ?? "")
        guard method.asksClient else {
            throw AnswerFault(detail: "one of its inputRequests is nothing that a client can be asked")
        }
        let params = present.last { $0.name == "params" }.map { members(of: $0.value, in: message) } ?? []
        let isURLMode = params.contains { $0.name == "mode" && message.string($0.value) == "url" }
        self.key = key
        self.range = range
        self.method = method
        needed = ClientCapabilities.needed(for: method, isURLMode: isURLMode)
    }
}

/// Why a child's answer is of no use.
struct AnswerFault: Error {
    var detail: String
}

extension ByteBuffer {
    /// Where a member lies that may be left out. Some servers write null for that.
    fileprivate func given(_ member: Member, _ envelope: Envelope) -> ByteRange? {
        envelope[member].flatMap { $0.count == 4 && text($0) == "null" ? nil : $0 }
    }
}
