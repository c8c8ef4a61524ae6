// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Why an attempt to export did not go as it should. The raw values are part of the product's interface: add, never rename.
package enum ExportFailure: String, CaseIterable, Sendable {
    /// No connection: the name is unknown, nobody listens, or the network is down.
    case unreachable
    /// No whole answer in time.
    case timeout
    /// The connection broke before the answer was complete.
    case connectionClosed = "connection_closed"
    /// The answer is not HTTP/1, or is too large.
    case badResponse = "bad_response"
    /// 429: the collector asks for patience.
    case throttled
    /// 502, 503 or 504.
    case unavailable
    /// 401 or 403: the headers lack a valid key.
    case unauthorized
    /// 404 or 405: there is no OTLP receiver at that path.
    case notFound = "not_found"
    /// Any other status that is not a success.
    case refused
    /// The collector took the batch but not all spans of it.
    case rejectedSpans = "rejected_spans"
}

/// What came of one attempt to send a batch.
package enum ExportReply: Sendable, Equatable {
    /// The collector answered with a status of HTTP.
    ///
    /// `retryAfter` is its wish if it has one; `rejected` tells how many spans it did not take although it accepted
    /// the batch.
    case answered(status: Int, retryAfter: TimeAmount? = nil, rejected: Int = 0)
    /// It did not.
    case failed(ExportFailure)

    /// What is wrong, nil if nothing is.
    var failure: ExportFailure? {
        switch self {
        case .failed(let failure): failure
        case .answered(200...299, _, rejected: 1...): .rejectedSpans
        case .answered(200...299, _, _): nil
        case .answered(429, _, _): .throttled
        case .answered(502...504, _, _): .unavailable
        case .answered(401, _, _), .answered(403, _, _): .unauthorized
        case .answered(404, _, _), .answered(405, _, _): .notFound
        case .answered: .refused
        }
    }

    /// Whether the same batch may fare better later (OTLP specification, "OTLP/HTTP Response": 429, 502, 503, 504).
    var isWorthRetrying: Bool {
        switch failure {
        case .unreachable, .timeout, .connectionClosed, .throttled, .unavailable: true
        case .badResponse, .unauthorized, .notFound, .refused, .rejectedSpans, nil: false
        }
    }
}
