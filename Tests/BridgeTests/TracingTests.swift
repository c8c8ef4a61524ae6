// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import Testing

@testable import Bridge

private let trace = "0af7651916cd43dd8448eb211c80319c"
private let parent = "00-\(trace)-b7ad6b7169203331-01"
private let unsampled = "00-\(trace)-b7ad6b7169203331-00"
/// What the proxy's own spans are called here.
private let ours = "00-\(trace)-00000000000000bb-01"

// swift-format-ignore: NeverForceUnwrap
private let ourServer = SpanID(0xaa)!
// swift-format-ignore: NeverForceUnwrap
private let ourUpstream = SpanID(0xbb)!
// swift-format-ignore: NeverForceUnwrap
private let newTrace = TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c)!

/// Records a trace if its parent does, and traces without a parent always.
@Sendable private func start(_ parent: TraceContext?, _ link: TraceContext?) -> RequestTrace {
    RequestTrace(
        parent: parent,
        link: link,
        server: parent?.child(ourServer, isSampled: parent?.isSampled ?? true)
            ?? TraceContext(traceID: newTrace, spanID: ourServer, isSampled: true),
        upstream: ourUpstream
    )
}

@Suite("Trace context: in from the client, out to the child")
struct TracingTests {
    private func sent(_ body: String, header: String? = nil, tracing: Bool = true) throws -> (Text, World) {
        let world = World.ready { $0.startTrace = tracing ? start : nil }
        let session = try world.openSession()
        let context = try header.map { try #require(TraceContext(traceparent: $0)) }
        world.post(body, session: session, traceContext: context)
        return (try #require(world.sent().first), world)
    }

    private func request(_ params: String?) -> String {
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call""# + (params.map { #","params":\#($0)"# } ?? "") + "}"
    }

    @Test(
        "the child is told the proxy's span, and nothing else of the message changes",
        arguments: [
            (
                #"{"name":"t","_meta":{"traceparent":"\#(parent)","x":1}}"#,
                #"{"name":"t","_meta":{"traceparent":"\#(ours)","x":1}}"#
            ),
            (#"{"name":"t","_meta":{"x":1}}"#, #"{"name":"t","_meta":{"traceparent":"\#(ours)","x":1}}"#),
            (#"{"name":"t","_meta":{}}"#, #"{"name":"t","_meta":{"traceparent":"\#(ours)"}}"#),
            (#"{"name":"t"}"#, #"{"_meta":{"traceparent":"\#(ours)"},"name":"t"}"#),
            (#"{}"#, #"{"_meta":{"traceparent":"\#(ours)"}}"#),
            (nil, #"{"_meta":{"traceparent":"\#(ours)"}}"#),
        ] as [(String?, String)]
    )
    func injects(params: String?, expected: String) throws {
        let (line, _) = try sent(request(params))
        #expect(line.text == request(expected).replacing(#""id":1"#, with: #""id":\#(line.id)"#))
    }

    @Test("what was not asked to be recorded travels as it came")
    func passesUnsampled() throws {
        let params = #"{"name":"t","_meta":{"traceparent":"\#(unsampled)","tracestate":"a=b"}}"#
        let (line, _) = try sent(request(params))
        #expect(line.contains(params))
    }

    @Test("context of the HTTP request is handed on when the message has none")
    func fromHeaders() throws {
        #expect(try sent(request("{}"), header: parent).0.contains(#"{"traceparent":"\#(ours)"}"#))
        #expect(try sent(request("{}"), header: unsampled).0.contains(#"{"traceparent":"\#(unsampled)"}"#))
        let both = request(#"{"_meta":{"traceparent":"\#(unsampled)"}}"#)
        #expect(try sent(both, header: parent).0.contains(unsampled), "the message's own counts")
    }

    @Test("the event of the request says where it stands")
    func tellsTheTrace() throws {
        let (line, world) = try sent(request(#"{"_meta":{"traceparent":"\#(parent)"}}"#))
        world.childSays(result(line.id))
        let known = try #require(world.finished.last?.trace)
        #expect(known.parent?.traceparent == parent)
        #expect(known.server.spanID == ourServer)
        #expect(known.upstream == ourUpstream)
    }

    @Test(
        "what came in headers beside the message's own context is linked",
        arguments: [(parent, unsampled, unsampled), (parent, parent, nil), (nil, parent, nil), (parent, nil, nil)]
            as [(String?, String?, String?)]
    )
    func links(message: String?, header: String?, link: String?) throws {
        let meta = message.map { #"{"_meta":{"traceparent":"\#($0)"}}"# } ?? "{}"
        let (line, world) = try sent(request(meta), header: header)
        world.childSays(result(line.id))
        let known = try #require(world.finished.last?.trace)
        #expect(known.parent?.traceparent == parent)
        #expect(known.link?.traceparent == link)
    }

    @Test("without tracing every byte stays, whatever it says of traces")
    func off() throws {
        let body = request(#"{"name":"t", "_meta" : {"traceparent":"\#(parent)"}}"#)
        let (line, world) = try sent(body, header: parent, tracing: false)
        #expect(line.text == body.replacing(#""id":1"#, with: #""id":\#(line.id)"#))
        world.childSays(result(line.id))
        #expect(world.finished.last?.trace == nil)
    }

    @Test("params that are no object are left alone")
    func oddParams() throws {
        #expect(try sent(request("[1]")).0.contains(#""params":[1]"#))
    }
}
