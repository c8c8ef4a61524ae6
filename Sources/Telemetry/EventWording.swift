// SPDX-License-Identifier: Apache-2.0

internal import Events
internal import Journal
internal import MCP

// How the vocabulary of the event stream reads in a sentence.

/// "1 call", "2 calls".
func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
    "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// A duration as people say it: "850 ms", "12.4 s", "30 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
func durationText(milliseconds: Int) -> String {
    let seconds = milliseconds / 1000
    return switch seconds {
    case ..<1: "\(milliseconds) ms"
    case ..<60: milliseconds % 1000 < 100 ? "\(seconds) s" : "\(seconds).\(milliseconds % 1000 / 100) s"
    case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
    case ..<86400: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    default: "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
    }
}

/// Which child a sentence is about, where there can be several: the shared one is link 0 and needs no name.
func subject(_ link: Int) -> String { link == 0 ? "" : "server \(link): " }

/// An explanation at the end of a sentence, if there is one.
func clause(_ detail: String) -> String { detail.isEmpty ? "" : ": \(detail)" }

extension Method {
    var words: String { self == .other ? "a request of an unknown method" : rawValue }
}

extension ProtocolViolation {
    func sentence(of peer: Peer) -> String {
        switch (peer, self) {
        // The commonest mistake of servers; say at once how to mend it.
        case (.server, .invalidJSON):
            "the server wrote a line to stdout that is not JSON (its logs belong on stderr)"
        case (.server, _): "the server sent \(words)"
        case (.client, _): "a client sent \(words)"
        }
    }

    private var words: String {
        switch self {
        case .invalidJSON: "a message that is not JSON"
        case .notJSONRPC: "a message that is not JSON-RPC 2.0"
        case .duplicateMember: "a message with the same member twice"
        case .oversize: "a message above the size limit"
        case .stdinNotRead: "nothing: it does not read its stdin"
        case .unmatchedID: "an answer to a request nobody made"
        case .lateAnswer: "an answer after its request had ended"
        case .undeclaredRequest: "a request of a kind the client did not declare"
        case .ambiguousRequest: "a request that could be meant for several clients"
        case .ambiguousNotification: "a notification that could be meant for several clients"
        case .unknownProgressToken: "progress of a call that does not run"
        }
    }
}

extension SessionCloseReason {
    var words: String {
        switch self {
        case .clientDelete: "the client ended it"
        case .idleTimeout: "nothing came for too long"
        case .streamClosed: "the client closed its stream"
        case .upstreamChanged: "the server came back with another revision or fewer capabilities"
        case .initializeFailed: "its initialize failed"
        case .stateless: "its one request is done"
        case .shutdown: "the proxy stops"
        }
    }
}

extension StreamKind {
    var words: String {
        switch self {
        case .get: "the GET stream"
        case .post: "a POST stream"
        case .sse: "the SSE stream"
        case .listen: "a stream of changes"
        }
    }
}

extension StreamEnd {
    var words: String {
        switch self {
        case .finished: "finished"
        case .clientGone: "the client is gone"
        case .replaced: "the client opened another"
        case .slowConsumer: "the client reads too slowly"
        case .sessionEnded: "its session ended"
        }
    }
}

extension RejectReason {
    var words: String {
        switch self {
        case .queueFull: "too many calls wait for the server"
        case .sessionLimit: "too many sessions"
        case .connectionLimit: "too many connections"
        case .overloaded: "too many bytes are coming in"
        case .upstreamDown: "the server is down"
        case .shuttingDown: "the proxy stops"
        case .bodyTooLarge: "the body is too large"
        case .slowRequest: "the request came too slowly"
        case .badHost: "the Host is not allowed"
        case .badOrigin: "the Origin is not allowed"
        case .badHeader: "a header is wrong"
        case .badMessage: "the message is wrong"
        case .unknownSession: "no such session"
        case .unsupportedVersion: "a protocol version the proxy does not speak"
        case .notFound: "no such path"
        case .forbiddenTask: "the task belongs to another session"
        }
    }
}

extension CancelInitiator {
    var words: String {
        switch self {
        case .client: "the client cancelled it"
        case .proxy: "the proxy gave it up"
        }
    }
}

extension ServerRequestOutcome {
    var words: String {
        switch self {
        case .answered: "answered by the client"
        case .undeclared: "refused, the client did not declare it"
        case .ambiguous: "refused, it could be meant for several clients"
        case .noSession: "refused, no client is there to ask"
        case .timeout: "the client did not answer in time"
        case .cancelled: "cancelled"
        case .sessionEnded: "the client's session ended"
        case .upstreamLost: "the server died before the answer"
        }
    }
}

extension ConnectionEnd {
    var words: String {
        switch self {
        case .client: "by the client"
        case .server: "by the proxy"
        case .idleTimeout: "nothing came for too long"
        case .slowConsumer: "the client reads too slowly"
        case .tooMuchInput: "the client sent more than it was asked for"
        case .error: "it broke"
        }
    }
}

extension JournalWriter.LossReason {
    var words: String {
        switch self {
        case .bufferFull: "journald does not keep up"
        case .sendError: "journald refused them"
        case .noJournald: "journald was not there"
        case .oversize: "they were too large"
        }
    }
}
