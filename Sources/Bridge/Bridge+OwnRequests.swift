// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// How a request of the proxy's own ended.
enum OwnEnd {
    case answered(ByteBuffer, Envelope)
    /// The answer came and is of no use: why.
    case unusable(Failure, String)
    /// The child took it back without an answer, which it may do with a subscription.
    case cancelled
    /// No answer came in time.
    case expired
}

extension Bridge {
    /// What follows from the end of a request of the proxy's own, whatever ended it.
    mutating func ended(_ call: Call, _ request: Call.OwnRequest, _ end: OwnEnd, _ link: Link) {
        switch (request, end) {
        // The child may answer still.
        case (.discover, .expired): return discoverExpired(call, link)
        case (.watch, .expired): endListening(call.id, link)
        default: calls[call.id] = nil
        }
        // What it says of anything but its calls is for nobody any more.
        guard link.role != .retired else { return }
        switch (request, end) {
        case (.handshake, .answered(let message, let envelope)): offerAnswered(message, envelope, link)
        case (.handshake, .unusable(_, let detail)):
            effects.append(.fail(link: link.id, .handshakeFailed, detail: detail))
        case (.handshake, _): offerExpired(call, link)
        case (.discover, .answered(let message, let envelope)): discoverAnswered(message, envelope, link)
        case (.discover, .unusable(_, let detail)): discoverRefused(detail, link)
        case (.discover, _), (.standingState, _): break
        case (.ping, .expired): pingExpired(link)
        case (.ping, _):
            // Whatever it says: it lives.
            link.ping = nil
            emit(.upstreamProbed(link: link.id, answeredAfter: now - call.arrived))
        case (.subscription(let uri), .answered(_, let envelope)):
            subscriptionAnswered(uri, isHonoured: envelope.kind == .result, link)
        case (.subscription(let uri), _): subscriptionAnswered(uri, isHonoured: false, link)
        case (.listen(let session), _): listenEnded(session, end, link)
        case (.watch, _): watchEnded(call, end, link)
        }
    }
}
