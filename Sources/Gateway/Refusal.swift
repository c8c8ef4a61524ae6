// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import MCP

/// Why the gateway itself turns a request down, and what it tells the client.
struct Refusal: Equatable {
    let failure: Failure
    /// What is wrong and how to mend it.
    let message: String
    /// The methods that would be answered, for `Allow`.
    var allow: String?
    /// Its answer has no id at all, instead of null: so the stateless revision has it.
    var omitsID = false

    /// The name it is counted under.
    var reason: RejectReason {
        switch self.failure {
        case .hostRefused: .badHost
        case .originRefused: .badOrigin
        case .notFound, .methodNotAllowed: .notFound
        case .bodyTooLarge: .bodyTooLarge
        case .requestTimeout: .slowRequest
        case .tooManyConnections: .connectionLimit
        case .overloaded: .overloaded
        case .headersTooLarge, .notAcceptable, .unsupportedMediaType: .badHeader
        default: .badMessage
        }
    }
}
