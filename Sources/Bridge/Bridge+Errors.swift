// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

// A child's errors, as the revisions of its clients have them.
extension Bridge {
    /// Gives a client the child's error.
    mutating func answerError(
        _ call: Call,
        _ id: RequestID,
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ session: Session,
        _ link: Link
    ) {
        guard let range = envelope[.id] else { return }
        let code = envelope[.errorCode].flatMap { message.integer($0) }
        switch translation(of: message, envelope, code: code, call, session, link) {
        case nil:
            let forClient = message.splicing(.init(range, id.token), newline: false)
            answerError(call, forClient, code: code, toClient: code, session)
        case .error(let newCode, let data):
            let forClient = Translation.error(message, envelope, id: id, code: newCode, data: data)
            answerError(call, forClient, code: code, toClient: newCode, session)
        case .inputRequired where !session.capabilities.contains(.elicitationURL):
            fail(
                call,
                .capabilityMissing,
                "the call needs a page to be visited first: declare the capability elicitation with the mode url",
                details: [("requiredCapabilities", .json(#"{"elicitation":{"url":{}}}"#))]
            )
        case .inputRequired(let result):
            let forClient = ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id.token),"result":\#(result)}"#)
            answer(call, with: forClient, outcome: .inputRequired, isFromChild: true)
        }
    }

    private mutating func answerError(
        _ call: Call,
        _ forClient: ByteBuffer,
        code: Int?,
        toClient newCode: Int?,
        _ session: Session
    ) {
        answer(
            call,
            with: forClient,
            outcome: .init(errorCode: code),
            errorCode: newCode,
            isFromChild: true,
            status: session.revision.isStateless ? Self.status(ofError: newCode) : 200
        )
    }

    /// What becomes of an error on its way to a client; nil when it may stay.
    private func translation(
        of message: ByteBuffer,
        _ envelope: Envelope,
        code: Int?,
        _ call: Call,
        _ session: Session,
        _ link: Link
    ) -> Translation.TranslatedError? {
        // The official clients cannot read one without, and would wait for another answer.
        guard let code, envelope[.errorMessage].map({ message.string($0) != nil }) == true else {
            return .error(code: -32603, data: Translation.data(ofError: message, envelope).map { message.text($0) })
        }
        switch (link.isStateless, session.revision.isStateless) {
        case (true, true): return Translation.tolerated(error: message, envelope, code: code, target: call.target)
        case (true, false): return Translation.forHandshake(error: message, envelope, code: code, method: call.method)
        case (false, false): return nil
        case (false, true):
            let translated = Translation.stateless(error: message, envelope, code: code, target: call.target)
            guard case .inputRequired = translated, !call.method.takesTurns else { return translated }
            return .error(code: -32603, data: nil)
        }
    }

    /// The HTTP status under which a child's error travels (2026-07-28, "Streamable HTTP: Error Responses").
    private static func status(ofError code: Int?) -> Int {
        switch code {
        case -32601: 404
        case .some(-32022 ... -32020), -32700, -32600: 400
        default: 200
        }
    }
}
