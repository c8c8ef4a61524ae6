// SPDX-License-Identifier: Apache-2.0

/// The one table of failures: each cause the proxy answers for, with its JSON-RPC code and HTTP status.
///
/// The statuses of a malformed or misdirected HTTP request follow the specification and, where it is silent, what
/// the official SDK servers answer. A failure of the child or of the bridge travels as a JSON-RPC error under 200:
/// the official clients raise on any other status before they read the body, or wait for an answer that never
/// comes. Every row is tried with the official clients in `Tests/Integration`.
package enum Failure: String, CaseIterable, Sendable {
    // The HTTP request.
    case hostRefused = "host_refused"
    case originRefused = "origin_refused"
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case notAcceptable = "not_acceptable"
    case unsupportedMediaType = "unsupported_media_type"
    case malformedRequest = "malformed_request"
    case headersTooLarge = "headers_too_large"
    case bodyTooLarge = "body_too_large"
    case requestTimeout = "request_read_timeout"
    case tooManyConnections = "too_many_connections"
    case overloaded
    // The message.
    case parseError = "parse_error"
    case invalidRequest = "invalid_request"
    case batchNotAllowed = "batch_not_allowed"
    case idInUse = "id_in_use"
    // The envelope of the stateless revision.
    case envelopeInvalid = "envelope_invalid"
    case headerMismatch = "header_mismatch"
    case revisionNotServed = "revision_not_served"
    case methodNotFound = "method_not_found"
    case capabilityMissing = "capability_missing"
    case requestStateInvalid = "request_state_invalid"
    // The session.
    case missingSession = "missing_session"
    case unknownSession = "unknown_session"
    case unsupportedVersion = "unsupported_version"
    case statelessRevision = "stateless_revision"
    case alreadyInitialized = "already_initialized"
    case unknownEventID = "unknown_event_id"
    case sessionLimit = "session_limit"
    case shuttingDown = "shutting_down"
    // The call.
    case queueFull = "queue_full"
    case upstreamUnavailable = "upstream_unavailable"
    case upstreamExited = "upstream_exited"
    case upstreamAnswerTooLarge = "upstream_answer_too_large"
    case upstreamAnswerInvalid = "upstream_answer_invalid"
    case timeout
    case cancelled
    case taskUnknown = "task_unknown"
    case notShared = "not_shared"
    case subscriptionLimit = "subscription_limit"
    case inputRefused = "input_refused"
    // Requests of the child.
    case clientCannot = "client_cannot"
    case noClient = "no_client"
    case ambiguousClient = "ambiguous_client"
    case clientTimeout = "client_timeout"
    case clientGone = "client_gone"

    /// The JSON-RPC error code.
    ///
    /// -32000 to -32099 is where JSON-RPC 2.0 (5.1) lets a server define its own; -32001 for a timeout is what the
    /// official SDKs use. -32020 to -32022 are the stateless revision's own. -32800 is LSP's "request cancelled", which
    /// the Python SDK uses too. A child is told by -32601 that a client cannot be asked; to the client, whose call fails
    /// of it, that would mean a method that the child lacks.
    package var code: Int {
        switch self {
        case .parseError: -32700
        case .taskUnknown, .envelopeInvalid, .requestStateInvalid: -32602
        case .notShared, .clientCannot, .methodNotFound: -32601
        case .inputRefused: -32603
        case .headerMismatch: -32020
        case .capabilityMissing: -32021
        case .revisionNotServed: -32022
        case .hostRefused, .originRefused, .notFound, .methodNotAllowed, .tooManyConnections, .overloaded,
            .sessionLimit,
            .shuttingDown, .queueFull, .upstreamUnavailable, .upstreamExited, .upstreamAnswerTooLarge,
            .upstreamAnswerInvalid, .subscriptionLimit, .noClient, .ambiguousClient, .clientGone:
            -32000
        case .unknownSession, .timeout, .clientTimeout: -32001
        case .cancelled: -32800
        case .notAcceptable, .unsupportedMediaType, .malformedRequest, .headersTooLarge, .bodyTooLarge,
            .requestTimeout, .invalidRequest, .batchNotAllowed, .idInUse, .missingSession, .unsupportedVersion,
            .statelessRevision, .alreadyInitialized, .unknownEventID:
            -32600
        }
    }

    /// Whether its message may repeat what the client sent: then the log has its name alone. The refused names of hosts and
    /// origins are told, since somebody has to decide about them.
    package var quotesClient: Bool {
        switch self {
        case .notFound, .methodNotAllowed, .notAcceptable, .unsupportedMediaType, .malformedRequest, .idInUse,
            .unsupportedVersion, .revisionNotServed, .unknownEventID, .inputRefused:
            true
        default: false
        }
    }

    /// The HTTP status, when the failure is the whole answer to an HTTP request.
    package var status: Int {
        switch self {
        case .hostRefused, .originRefused: 403
        case .notFound, .unknownSession, .methodNotFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .headersTooLarge: 431
        case .tooManyConnections, .overloaded, .sessionLimit, .shuttingDown: 503
        case .malformedRequest, .parseError, .invalidRequest, .batchNotAllowed, .idInUse, .missingSession,
            .unsupportedVersion, .statelessRevision, .alreadyInitialized, .unknownEventID, .envelopeInvalid,
            .headerMismatch,
            .revisionNotServed, .capabilityMissing, .requestStateInvalid:
            400
        case .queueFull, .upstreamUnavailable, .upstreamExited, .upstreamAnswerTooLarge, .upstreamAnswerInvalid,
            .timeout, .cancelled, .taskUnknown, .notShared, .subscriptionLimit, .inputRefused, .clientCannot, .noClient,
            .ambiguousClient, .clientTimeout, .clientGone:
            200
        }
    }
}
