// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Clients without a handshake, in front of a child with one")
struct StatelessTests {
    private let server = #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}"#

    @Test("a call reaches the child without its envelope, and its result comes back decorated")
    func call() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(id: #""a""#, meta: #""progressToken":"p","traceparent":"x""#))
        let line = try #require(world.sent().first)
        #expect(!line.contains("io.modelcontextprotocol"))
        #expect(line.contains(#""traceparent":"x""#))
        #expect(line.token(.metaProgressToken) == line.id)
        world.childSays(result(line.id, #"{"content":[]}"#))
        let reply = try #require(world.replies[exchange])
        #expect(reply.status == 200 && reply.sessionID == nil)
        let text = #"{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete",\#(server),"content":[]}}"#
        #expect(world.body(exchange)?.text == text)
        #expect(world.sessionCount == 0)
    }

    @Test(
        "what may be kept says for how long: not at all",
        arguments: ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"]
    )
    func cacheHints(method: String) throws {
        let world = World.ready()
        let params = method == "resources/read" ? #""uri":"file:///a""# : ""
        let exchange = world.post(StatelessRequest(method: method, params: params))
        world.childSays(result(try #require(world.sent().first).id))
        #expect(world.body(exchange)?.contains(#""ttlMs":0,"cacheScope":"private""#) == true)
    }

    @Test("an answer's own _meta is kept")
    func mergedMeta() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        world.childSays(result(try #require(world.sent().first).id, #"{"_meta":{"x":1},"content":[]}"#))
        let expected = #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},"x":1}"#
        #expect(world.body(exchange)?.contains(expected) == true)
    }

    @Test("tools lose `execution`, and nothing else")
    func execution() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(method: "tools/list", params: ""))
        let tools = #"[{"name":"a","execution":{"taskSupport":"optional"},"inputSchema":{}},{"name":"b"}]"#
        world.childSays(result(try #require(world.sent().first).id, #"{"tools":\#(tools)}"#))
        #expect(world.body(exchange)?.contains(#""tools":[{"name":"a","inputSchema":{}},{"name":"b"}]"#) == true)
    }

    @Test("server/discover is answered from the handshake, and waits for it")
    func discover() throws {
        let world = World()
        let exchange = world.post(StatelessRequest(method: "server/discover", params: ""))
        #expect(world.replies[exchange] == nil)
        world.childBecomesReady(capabilities: #"{"tools":{},"tasks":{"list":{}}}"#)
        let expected =
            #"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"#
            + #""capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private",\#(server)}}"#
        #expect(world.body(exchange)?.text == expected)
        let later = world.post(StatelessRequest(method: "server/discover", params: ""))
        #expect(world.replies[later] != nil)
    }

    @Test("a server that starts for long sends who asks for it to initialize, before the client loses patience")
    func discoverTimeout() {
        let world = World()
        let exchange = world.post(StatelessRequest(method: "server/discover", params: ""))
        world.pass(.seconds(8))
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.errorCode == -32600)
    }

    @Test("the ladder: each fault has its code and status")
    func ladder() throws {
        let world = World.ready()
        func outcome(
            _ body: String,
            version: String? = "2026-07-28",
            _ change: (inout RoutingHeaders) -> Void = { _ in }
        )
            -> [Int]
        {
            var routing = StatelessRequest().routing
            change(&routing)
            let exchange = world.post(body, version: version, routing: routing)
            return [world.replies[exchange]?.status ?? 0, world.body(exchange)?.errorCode ?? 0]
        }
        let good = StatelessRequest()
        #expect(outcome(toolCall("1")) == [400, -32602])
        #expect(outcome(StatelessRequest(capabilities: "1").body) == [400, -32602])
        #expect(outcome(StatelessRequest(meta: #""\#(MetaKey.logLevel)":"loud""#).body) == [400, -32602])
        #expect(outcome(good.body, version: nil) == [400, -32020])
        #expect(outcome(good.body, version: "2025-11-25") == [400, -32020])
        #expect(outcome(good.body) { $0.method = nil } == [400, -32020])
        #expect(outcome(good.body) { $0.method = "tools/list" } == [400, -32020])
        #expect(outcome(good.body) { $0.name = nil } == [400, -32020])
        #expect(outcome(good.body) { $0.name = "u" } == [400, -32020])
        #expect(outcome(good.body) { $0.duplicate = "Mcp-Name" } == [400, -32020])
        #expect(outcome(StatelessRequest(version: "2027-01-01").body, version: "2027-01-01") == [400, -32022])
        #expect(outcome(result("1")) == [400, -32600])
        for removed in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "roots/list"] {
            let request = StatelessRequest(method: removed, params: "")
            #expect(outcome(request.body) { $0 = request.routing } == [404, -32601])
        }
        #expect(world.sent().isEmpty)
        let encoded = outcome(good.body) { $0.name = "=?base64?dA==?=" }
        #expect(encoded == [0, 0], "it is with the child")
    }

    @Test("an unknown revision is told which are served")
    func unknownRevision() {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(version: "2027-01-01"))
        #expect(world.body(exchange)?.contains(#""supported":["2026-07-28"],"requested":"2027-01-01""#) == true)
    }

    @Test("an argument that the tool's schema wants in a header has to be there, and the same")
    func parameterHeaders() throws {
        let world = World.ready()
        world.post(StatelessRequest(method: "tools/list", params: ""))
        let schema = #"{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"Count"}}}"#
        let list = #"{"tools":[{"name":"t","inputSchema":\#(schema)}]}"#
        world.childSays(result(try #require(world.sent().first).id, list))
        func status(_ arguments: String, _ header: String?) -> Int? {
            let request = StatelessRequest(params: #""name":"t","arguments":\#(arguments)"#)
            var routing = request.routing
            routing.parameters["count"] = header
            let exchange = world.post(request.body, version: request.version, routing: routing)
            return world.replies[exchange]?.status
        }
        #expect(status(#"{"n":42}"#, "42") == nil)
        #expect(status(#"{"n":42}"#, "42.0") == nil)
        #expect(status(#"{"n":42}"#, "43") == 400)
        #expect(status(#"{"n":42}"#, nil) == 400)
        #expect(status("{}", "42") == 400)
        #expect(status(#"{"n":null}"#, nil) == nil)
        #expect(status(#"{"n":42},"arguments":{"n":42}"#, "42") == 400, "two readers could take two")
    }

    @Test("progress goes to the call's own stream, and its answer ends it")
    func progress() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(meta: #""progressToken":7"#))
        let call = try #require(world.sent().first)
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(call.id),"progress":1}}"#
        )
        #expect(world.messages(exchange).first?.contains(#""progressToken":7"#) == true)
        world.childSays(result(call.id))
        #expect(world.messages(exchange).last?.contains(#""resultType":"complete""#) == true)
        #expect(world.streams[exchange]?.allSatisfy { $0.id == nil } == true)
        #expect(world.ended.contains(exchange))
    }

    @Test("the next process may have other tools; integers are compared digit by digit")
    func parameterHeaderValues() throws {
        let world = World.ready()
        world.post(StatelessRequest(method: "tools/list", params: ""))
        let schema = #"{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"Count"}}}"#
        let list = #"{"tools":[{"name":"t","inputSchema":\#(schema)}]}"#
        world.childSays(result(try #require(world.sent().first).id, list))
        func status(_ argument: String, _ header: String?) -> Int? {
            let request = StatelessRequest(params: #""name":"t","arguments":{"n":\#(argument)}"#)
            var routing = request.routing
            routing.parameters["count"] = header
            let exchange = world.post(request.body, version: request.version, routing: routing)
            return world.replies[exchange]?.status
        }
        #expect(status("42", "0x2A") == 400)
        #expect(status("42", "042") == 400)
        #expect(status("9007199254740993", "9007199254740992") == 400)
        #expect(status("9007199254740993", "9007199254740993") == nil)
        #expect(status("-7.0", "-7") == nil)
        world.childExits()
        world.childBecomesReady()
        #expect(status("42", nil) == nil)
    }

    @Test("a result that is no object is none", arguments: ["null", "[]", #""x""#, "5"])
    func noObject(value: String) throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        world.childSays(result(try #require(world.sent().last).id, value))
        #expect(world.body(exchange)?.contains("upstream_answer_invalid") == true)
    }

    @Test("what means something else in this revision is replaced")
    func misfits() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(method: "tools/list", params: ""))
        let id = try #require(world.sent().last).id
        world.childSays(result(id, #"{"resultType":"task","ttlMs":"x","cacheScope":7,"_meta":null,"tools":[]}"#))
        let rest = #""resultType":"complete","ttlMs":0,"cacheScope":"private",\#(server),"tools":[]"#
        #expect(world.body(exchange)?.text == #"{"jsonrpc":"2.0","id":1,"result":{\#(rest)}}"#)
    }

    @Test("a task is not asked for")
    func task() throws {
        let world = World.ready()
        world.post(StatelessRequest(params: #""name":"t","arguments":{},"task":{"ttl":1}"#))
        #expect(try #require(world.sent().last).contains("ttl") == false)
    }

    @Test("the child logs for a request as long as that runs, then what sessions want")
    func logLevel() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"warning"}}"#,
            session: session
        )
        world.childSays(result(try #require(world.sent().last).id))
        world.post(StatelessRequest(meta: #""\#(MetaKey.logLevel)":"debug""#))
        let lines = world.sent()
        #expect(lines.map { $0.token(.level) } == [#""debug""#, nil])
        world.childSays(result(try #require(lines.last).id))
        #expect(world.sent().map { $0.token(.level) } == [#""warning""#])
    }

    @Test("one that waited in the queue sets its level, too")
    func queuedLogLevel() {
        let world = World()
        world.post(StatelessRequest(meta: #""\#(MetaKey.logLevel)":"debug""#))
        world.childStarts()
        world.childSays(World.handshake(id: world.sent().last?.id ?? ""))
        #expect(world.sent().map(\.method) == ["notifications/initialized", "logging/setLevel", "tools/call"])
    }

    @Test("parameters of the wrong shape are refused")
    func shapes() {
        let world = World.ready()
        for params in [#""requestState":7"#, #""requestState":null"#] {
            #expect(world.status(StatelessRequest(params: #""name":"t","arguments":{},"# + params)) == 400)
        }
        #expect(world.status(StatelessRequest(meta: #""progressToken":1.5"#)) == 400)
        #expect(world.status(StatelessRequest(meta: #""progressToken":{}"#)) == 400)
        let nameless = world.post(StatelessRequest(params: ""))
        #expect(world.body(nameless)?.errorCode == -32020)
    }

    @Test("an error that answers nothing names no id", arguments: ["[]", "{", #"{"jsonrpc":"2.0","result":{}}"#])
    func noID(body: String) {
        let world = World.ready()
        let exchange = world.post(body, version: "2026-07-28")
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.contains(#""id""#) == false)
    }

    @Test("headers and body are compared byte by byte")
    func bytes() {
        let request = StatelessRequest(params: #""name":"e\#u{301}","arguments":{}"#)
        let world = World.ready()
        var routing = request.routing
        routing.name = HeaderValue.encode("\u{e9}")
        let exchange = world.post(request.body, version: request.version, routing: routing)
        #expect(world.body(exchange)?.errorCode == -32020)
    }

    @Test("who goes away has cancelled the call")
    func disconnect() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        let call = try #require(world.sent().first)
        world.goAway(exchange)
        let line = try #require(world.sent().first)
        #expect(line.method == "notifications/cancelled" && line.token(.requestID) == call.id)
        #expect(world.finished.map(\.outcome) == [.cancelled])
        #expect(world.sessionCount == 0)
        world.childSays(result(call.id))
    }

    @Test("log messages reach the only request that asked for them, at its level")
    func logs() throws {
        let world = World.ready()
        let asking = StatelessRequest(meta: #""\#(MetaKey.logLevel)":"warning""#)
        let exchange = world.post(asking)
        let lines = world.sent()
        #expect(lines.map(\.method) == ["logging/setLevel", "tools/call"])
        func log(_ level: String) {
            world.childSays(
                #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"\#(level)","data":1}}"#
            )
        }
        log("info")
        log("error")
        #expect(world.messages(exchange).map { $0.token(.level) } == [#""error""#])
        world.post(asking)
        log("error")
        #expect(world.messages(exchange).count == 1, "it could be the other's")
    }

    @Test("a silent request hears no log messages")
    func noLogs() {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#)
        #expect(world.messages(exchange).isEmpty)
    }

    @Test(
        "errors that the revision forbids are translated",
        arguments: [
            (#"{"code":-32002,"message":"m"}"#, #"{"code":-32602,"message":"m","data":{"uri":"file:///a"}}"#),
            (
                #"{"code":-32002,"message":"m","data":{"uri":"x"}}"#,
                #"{"code":-32602,"message":"m","data":{"uri":"x"}}"#
            ),
            (#"{"code":-32050,"message":"m"}"#, #"{"code":-32603,"message":"m","data":{"originalCode":-32050}}"#),
            (#"{"code":-1,"message":"m"}"#, #"{"code":-1,"message":"m"}"#),
        ]
    )
    func errors(fromChild: String, toClient: String) throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(method: "resources/read", params: #""uri":"file:///a""#))
        world.childSays(#"{"jsonrpc":"2.0","id":\#(try #require(world.sent().first).id),"error":\#(fromChild)}"#)
        #expect(world.body(exchange)?.text == #"{"jsonrpc":"2.0","id":1,"error":\#(toClient)}"#)
    }

    @Test(
        "the child's refusals have the status that belongs to them",
        arguments: [(-32601, 404), (-32600, 400), (-1, 200)]
    )
    func refusals(code: Int, status: Int) throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(method: "x/y", params: ""))
        let id = try #require(world.sent().first).id
        world.childSays(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"m"}}"#)
        #expect(world.replies[exchange]?.status == status)
    }

    @Test("the death of the child fails the call at once")
    func crash() {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        world.childExits()
        #expect(world.body(exchange)?.contains("upstream_exited") == true)
    }

    @Test("a notification is taken and means nothing")
    func notification() {
        let world = World.ready()
        let exchange = world.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, version: "2026-07-28")
        #expect(world.replies[exchange]?.status == 202)
        #expect(world.sent().isEmpty)
    }

    @Test("with a child per session they are sent back to initialize, quickly")
    func isolation() {
        let world = World { $0.isolation = .session }
        let exchange = world.post(StatelessRequest(method: "server/discover", params: ""))
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.errorCode == -32600)
    }
}
