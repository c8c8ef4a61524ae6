// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// Calls of a child of the stateless revision: its answers, and what clients with a handshake ask of it.
extension Bridge {
    // MARK: Answers

    /// Gives a client the child's result.
    mutating func relay(
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        let answered: ChildResult
        do throws(AnswerFault) {
            answered = try ChildResult(message, envelope, method: call.method)
        } catch {
            return fail(call, .upstreamAnswerInvalid, "the MCP server's answer is not valid: \(error.detail)")
        }
        switch answered {
        case .inputRequired(let asked) where session.revision.isStateless:
            passOn(asked, call, id, message, envelope, session, link)
        case .inputRequired(let asked): inputRequired(call, message, asked, session, link)
        case .complete where !session.revision.isStateless:
            answerResult(call, id, message, envelope, as: plain(call, message, envelope, link))
        case .complete where Translation.isDecorated(message, envelope, method: call.method):
            answerResult(call, id, message, envelope)
        case .complete: answerStateless(call, id, message, envelope, link)
        }
    }

    /// Gives a client without a handshake the child's questions.
    private mutating func passOn(
        _ asked: InputRequired,
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        if let question = asked.questions.first(where: { !session.capabilities.isSuperset(of: $0.needed) }) {
            let method = question.method.rawValue
            emit(.protocolViolation(peer: .server, kind: .undeclaredRequest, detail: method))
            return fail(
                call,
                .upstreamAnswerInvalid,
                "the MCP server asks for \(method) in a way that this client did not declare"
            )
        }
        let state = asked.state.map { seal.seal(message.text($0), for: session.credentials) }
        guard let result = envelope[.result], let server = link.handshake?.server else { return }
        let text = Translation.inputRequired(result, message, state: state, server: server)
        let forClient = ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id.token),"result":\#(text)}"#)
        answer(call, with: forClient, outcome: .inputRequired, isFromChild: true)
    }

    /// A result for a client with a handshake.
    private func plain(_ call: Call, _ message: ByteBuffer, _ envelope: Envelope, _ link: Link) -> ByteBuffer {
        let isWrapped = call.target.map { link.wrappedTools.contains($0) } ?? false
        let plain = Translation.forHandshake(result: message, envelope, isWrapped: isWrapped)
        guard call.method == .toolsList, let scanned = try? Envelope.scan(plain) else { return plain }
        let (list, wrapped, others) = Translation.withObjectSchemas(plain, scanned)
        link.wrappedTools.subtract(others)
        if link.wrappedTools.count < KnownNames.capacity { link.wrappedTools.formUnion(wrapped) }
        return list
    }

    // MARK: Clients with a handshake

    /// Answers a request from what is known, or has the child answer it.
    mutating func handshakeClientRequest(_ incoming: Incoming, _ call: Call, _ session: Session, _ link: Link) {
        guard case .client(_, let id) = call.origin else { return }
        call.target = incoming.target
        switch incoming.method {
        case .loggingSetLevel:
            // Each request says from now on how much is wanted. What is no level is for the child to refuse.
            guard let level = incoming.text(.level).flatMap(LogLevel.init(rawValue:)) else { break }
            session.logLevel = level
            return answer(call, with: Messages.emptyResult(id: id), outcome: .ok)
        case .resourcesSubscribe, .resourcesUnsubscribe: return watch(incoming, call, session, link)
        case .subscriptionsListen:
            // Under 404, its status in the newest revision, an older client takes its session for lost.
            let message = "revision \(session.revision.rawValue) has no subscriptions/listen; use resources/subscribe"
            let error = Failure.methodNotFound.response(id: id, message)
            reject(.methodNotFound, message)
            return answer(call, with: error, outcome: .rejected, errorCode: Failure.methodNotFound.code)
        case .tasksGet, .tasksResult, .tasksCancel, .tasksList:
            return fail(call, .notShared, "tasks are not available: the MCP server has none in your revision")
        default: break
        }
        forward(incoming, call, link)
    }

    // MARK: Subscriptions

    /// The child ended a subscription without a word.
    mutating func listenCancelled(_ message: ByteBuffer, _ envelope: Envelope, _ link: Link) {
        guard let call = envelope[.requestID].flatMap({ message.integer($0) }).flatMap({ calls[$0] }),
            call.link == link.id, case .own(let request) = call.origin
        else { return }
        switch request {
        case .watch, .listen: ended(call, request, .cancelled, link)
        default: break
        }
    }
}

extension Method {
    /// Whether a child of the stateless revision says it to those only who listen.
    var needsSubscription: Bool {
        switch self {
        case .subscriptionsAcknowledged, .toolsListChanged, .promptsListChanged, .resourcesListChanged,
            .resourcesUpdated:
            true
        default: false
        }
    }
}
