// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import MCP
import NIOCore
import Testing

@Suite("The protocol's vocabulary")
struct VocabularyTests {
    @Test("revisions are ordered by date; only 2025-03-26 has batches, only 2025-11-25 primes its streams")
    func revisions() {
        #expect(Revision.allCases == Revision.allCases.sorted())
        #expect(Revision.handshakes == Array(Revision.allCases.dropLast()))
        #expect(Revision.newestHandshake == Revision.handshakes.last)
        #expect(Revision.allCases.filter(\.allowsBatches) == [.v2025_03_26])
        #expect(Revision.allCases.filter(\.primesStreams) == [.v2025_11_25])
        #expect(Revision(handshake: Revision.stateless.rawValue) == nil)
    }

    @Test("a method the protocol does not name is _OTHER")
    func methods() {
        #expect(Method(name: "tools/call") == .toolsCall)
        #expect(Method(name: "tools/Call") == .other)
        #expect(Method(name: "") == .other)
    }

    @Test("log levels are ordered from debug to emergency")
    func logLevels() {
        #expect(LogLevel.debug < .info && LogLevel.error < .critical && LogLevel.alert < .emergency)
        #expect(LogLevel(rawValue: "verbose") == nil)
    }

    @Test(
        "what a client can be asked",
        arguments: [
            (#"{}"#, []),
            (#"{"sampling":{},"roots":{"listChanged":true}}"#, [.sampling, .roots]),
            (#"{"elicitation":{}}"#, .elicitationForm),
            (#"{"elicitation":{"url":{}}}"#, .elicitationURL),
            (#"{"elicitation":{"form":{},"url":{}},"tasks":{}}"#, [.elicitationForm, .elicitationURL, .tasks]),
        ] as [(String, ClientCapabilities)]
    )
    func clientCapabilities(_ json: String, _ expected: ClientCapabilities) {
        let buffer = ByteBuffer(string: json)
        #expect(ClientCapabilities(at: ByteRange(0, buffer.readableBytes), in: buffer) == expected)
    }

    @Test("what a request of the child needs of its client")
    func needed() {
        #expect(ClientCapabilities.needed(for: .elicitationCreate, isURLMode: true) == .elicitationURL)
        #expect(ClientCapabilities.needed(for: .elicitationCreate, isURLMode: false) == .elicitationForm)
        #expect(ClientCapabilities.needed(for: .other, isURLMode: false).isEmpty)
    }

    @Test("a server that lost a capability or a flag of one is another server")
    func serverCapabilities() {
        func parse(_ json: String) -> ServerCapabilities {
            let buffer = ByteBuffer(string: json)
            return ServerCapabilities(at: ByteRange(0, buffer.readableBytes), in: buffer)
        }
        let full = parse(#"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#)
        #expect(full.contains("tools.listChanged"))
        #expect(full.isKept(by: full))
        #expect(full.isKept(by: parse(#"{"logging":{},"tools":{"listChanged":true},"resources":{"subscribe":true}}"#)))
        #expect(!full.isKept(by: parse(#"{"tools":{"listChanged":false},"resources":{"subscribe":true}}"#)))
        #expect(!full.isKept(by: parse(#"{"tools":{"listChanged":true}}"#)))
    }
}

@Suite("The table of failures")
struct FailureTests {
    @Test("every failure has a code JSON-RPC allows and a status HTTP clients understand", arguments: Failure.allCases)
    func codes(_ failure: Failure) {
        let isPredefined = [-32700, -32600, -32601, -32602, -32603, -32800].contains(failure.code)
        #expect(isPredefined || (-32099 ... -32000).contains(failure.code))
        #expect([200, 400, 403, 404, 405, 406, 408, 413, 415, 431, 503].contains(failure.status))
    }

    @Test("the statuses the specification fixes")
    func fixed() {
        #expect(Failure.unknownSession.status == 404)
        #expect(Failure.missingSession.status == 400)
        #expect(Failure.unsupportedVersion.status == 400)
        #expect(Failure.originRefused.status == 403)
        #expect(Failure.methodNotAllowed.status == 405)
    }

    @Test("an error names its reason, and carries the id it answers")
    func response() throws {
        let message = Failure.timeout.response(
            id: RequestID(token: "\"x\""),
            "late",
            details: [("signal", .integer(9))]
        )
        let envelope = try Envelope.scan(message)
        #expect(envelope.kind == .error)
        #expect(envelope.id(in: message)?.token == "\"x\"")
        #expect(String(buffer: message).contains(#""data":{"reason":"timeout","signal":9}"#))
    }
}

@Suite("The messages the proxy writes")
struct MessageTests {
    @Test("each is one valid JSON-RPC message")
    func valid() throws {
        let requests = [
            Messages.initialize(id: 1, capabilities: Messages.sharedCapabilities, version: "1"),
            Messages.setLevel(id: 2, level: .error),
            Messages.subscription(id: 3, method: .resourcesSubscribe, uri: "a\"b\\c\n"),
            Messages.request(id: 4, method: .ping),
        ]
        for message in requests { #expect(try Envelope.scan(message).kind == .request) }
        let notifications = [
            Messages.notification(.initialized), Messages.resourceUpdated(uri: "x"),
            Messages.cancelled(id: RequestID(7), reason: "\"quoted\""),
        ]
        for message in notifications { #expect(try Envelope.scan(message).kind == .notification) }
        #expect(try Envelope.scan(Messages.emptyResult(id: RequestID(1))).kind == .result)
    }
}
