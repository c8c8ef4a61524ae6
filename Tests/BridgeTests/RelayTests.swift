// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Clients without a handshake, in front of a child without one")
struct RelayTests {
    private let done =
        #"{"resultType":"complete","content":[],"x":1.0,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m"}}}"#

    @Test("a call passes as it is but for id and progress token, and so does its result")
    func call() throws {
        let world = World.modern()
        let request = StatelessRequest(id: #""a""#, meta: #""progressToken":7,"y":1.50"#)
        let exchange = world.post(request)
        let line = try #require(world.sent().first)
        let own = request.body
            .replacing(#""id":"a""#, with: #""id":\#(line.id)"#)
            .replacing(#""progressToken":7"#, with: #""progressToken":\#(line.id)"#)
        #expect(line.text == own)
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(line.id),"progress":1}}"#
        )
        #expect(world.messages(exchange).first?.contains(#""progressToken":7"#) == true)
        world.childSays(result(line.id, done))
        #expect(world.messages(exchange).last?.text == result(#""a""#, done))
    }

    @Test("server/discover has the child's own words, but for revisions and tasks")
    func discover() {
        let capabilities = #"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}}"#
        let world = World.modern(capabilities: capabilities)
        let exchange = world.post(StatelessRequest(method: "server/discover", params: ""))
        let text = world.body(exchange)
        #expect(text?.contains(#""capabilities":{"tools":{},"extensions":{"x/y":{}}}"#) == true)
        #expect(text?.contains(#""ttlMs":5,"cacheScope":"public""#) == true)
        #expect(text?.contains(#""supportedVersions":["2026-07-28"]"#) == true)
    }

    @Test("nobody is told of tasks: a client that knows them is one that doesn't")
    func tasks() throws {
        let world = World.modern()
        world.post(StatelessRequest(capabilities: #"{"extensions":{"io.modelcontextprotocol/tasks":{},"x":{}}}"#))
        let line = try #require(world.sent().first)
        #expect(line.contains(#""extensions":{"x":{}}"#) && line.contains(#""name":"t""#))
    }

    @Test("errors of the child keep their codes, with the status that belongs to them")
    func errors() throws {
        let world = World.modern()
        func outcome(_ code: Int, method: String = "tools/call", params: String = #""name":"t""#) throws -> [Int] {
            let exchange = world.post(StatelessRequest(method: method, params: params))
            let id = try #require(world.sent().first).id
            world.childSays(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"m"}}"#)
            return [world.replies[exchange]?.status ?? 0, world.body(exchange)?.errorCode ?? 0]
        }
        #expect(try outcome(-32601) == [404, -32601])
        #expect(try outcome(-32021) == [400, -32021])
        #expect(try outcome(-32602) == [200, -32602])
        #expect(try outcome(-32002, method: "resources/read", params: #""uri":"file:///a""#) == [200, -32602])
        #expect(try outcome(-32042) == [200, -32603])
        #expect(try outcome(7) == [200, 7])
    }

    @Test("the child's state is good for the caller it was given to, and for nobody else")
    func requestState() throws {
        let world = World.modern()
        let exchange = world.post(StatelessRequest(capabilities: #"{"roots":{}}"#), credentials: "Bearer a")
        let state = #""st\u0041te""#
        let asking =
            #"{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":\#(state)}"#
        world.childSays(result(try #require(world.sent().first).id, asking))
        let body = try #require(world.body(exchange))
        #expect(!body.contains("u0041") && body.contains(#""inputRequests":{"k":{"method":"roots/list"}}"#))
        #expect(world.finished.last?.outcome == .inputRequired)
        let sealed = try #require(body.between(#""requestState":""#, "\""))
        func again(_ state: String) -> StatelessRequest {
            StatelessRequest(
                id: "2",
                params: #""name":"t","inputResponses":{"k":{"roots":[]}},"requestState":"\#(state)""#
            )
        }
        #expect(world.status(again(sealed), credentials: "Bearer b") == 400)
        #expect(world.status(again(sealed)) == 400)
        #expect(world.status(again("te"), credentials: "Bearer a") == 400)
        #expect(world.status(again(String(sealed.reversed())), credentials: "Bearer a") == 400)
        #expect(world.sent().isEmpty)
        #expect(world.status(again(sealed), credentials: "Bearer a") == nil)
        let line = try #require(world.sent().first)
        #expect(line.contains(#""requestState":"st\u0041te""#), "as it was, to the byte")
        #expect(line.contains(#""inputResponses":{"k":{"roots":[]}}"#))
    }

    @Test("a child of this kind has no requests to make; each is refused and counted")
    func serverRequest() throws {
        let world = World.modern()
        let exchange = world.post(StatelessRequest())
        _ = world.sent()
        world.childSays(#"{"jsonrpc":"2.0","id":"x","method":"roots/list"}"#)
        let answer = try #require(world.sent().first)
        #expect(answer.id == #""x""# && answer.errorCode == -32601)
        #expect(world.violations == 1)
        #expect(world.replies[exchange] == nil)
    }

    @Test("log messages reach a request that asked for them when no other runs, whatever the child makes of the rules")
    func logs() throws {
        let world = World.modern()
        let asking = world.post(StatelessRequest(meta: #""\#(MetaKey.logLevel)":"info""#))
        let log = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#
        world.childSays(log)
        #expect(world.messages(asking).map(\.method) == ["notifications/message"])
        world.childSays(log.replacing("error", with: "debug"))
        #expect(world.messages(asking).count == 1, "not wanted")
        let other = world.post(StatelessRequest())
        world.childSays(log)
        #expect(world.messages(asking).count == 1, "it could be the other's")
        world.goAway(other)
        world.childSays(log)
        #expect(
            world.eventCount { if case .upstreamLog = $0 { true } else { false } } == 2,
            "the cancelled call may still run"
        )
    }

    @Test("who goes away has cancelled the call; a call that times out is followed by a sign of life")
    func cancellation() throws {
        let world = World.modern()
        let exchange = world.post(StatelessRequest())
        let call = try #require(world.sent().first)
        world.goAway(exchange)
        let line = try #require(world.sent().first)
        #expect(line.method == "notifications/cancelled" && line.token(.requestID) == call.id)
        world.post(StatelessRequest())
        _ = world.sent()
        world.pass(.seconds(300))
        #expect(world.sent().map(\.method) == ["notifications/cancelled", "server/discover"])
    }

    // MARK: Listening

    private func listen(_ notifications: String, id: String = #""l""#) -> StatelessRequest {
        StatelessRequest(id: id, method: "subscriptions/listen", params: #""notifications":\#(notifications)"#)
    }

    private func tell(_ world: World, _ method: String, _ id: String, _ params: String = "") {
        let meta = #""_meta":{"io.modelcontextprotocol/subscriptionId":\#(id)}"#
        let rest = params.isEmpty ? "" : "," + params
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/\#(method)","params":{\#(meta)\#(rest)}}"#)
    }

    @Test("each listen is the child's own; its messages come under the client's id")
    func listening() throws {
        let world = World.modern()
        let one = world.post(listen(#"{"toolsListChanged":true}"#))
        let two = world.post(listen(#"{"toolsListChanged":true}"#, id: "5"))
        let lines = world.sent()
        #expect(lines.map(\.method) == ["subscriptions/listen", "subscriptions/listen"])
        tell(world, "subscriptions/acknowledged", lines[0].id, #""notifications":{"toolsListChanged":true}"#)
        tell(world, "tools/list_changed", lines[0].id)
        #expect(
            world.messages(one).map(\.method) == [
                "notifications/subscriptions/acknowledged", "notifications/tools/list_changed",
            ]
        )
        #expect(world.messages(one).allSatisfy { $0.contains(#""io.modelcontextprotocol/subscriptionId":"l""#) })
        #expect(world.messages(two).isEmpty)
        tell(world, "subscriptions/acknowledged", lines[1].id, #""notifications":{}"#)
        #expect(world.messages(two).first?.contains(#""io.modelcontextprotocol/subscriptionId":5"#) == true)
        tell(world, "tools/list_changed", "77")
        #expect(world.violations == 1)
        world.goAway(two)
        let cancelled = try #require(world.sent().first)
        #expect(cancelled.method == "notifications/cancelled" && cancelled.token(.requestID) == lines[1].id)
        let end = #"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":\#(lines[0].id)}}"#
        world.childSays(result(lines[0].id, end))
        #expect(
            world.messages(one).last?.text
                == result(#""l""#, #"{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}"#)
        )
        #expect(world.ended.contains(one) && world.sessionCount == 0)
    }

    @Test("a stream outlives the process: the next one is listened to, and its client told to look again")
    func listeningAgain() throws {
        let world = World.modern()
        let exchange = world.post(listen(#"{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}"#))
        let honoured = #""notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}"#
        tell(world, "subscriptions/acknowledged", try #require(world.sent().first).id, honoured)
        world.childExits()
        world.modernChildStarts()
        let again = try #require(world.sent().first)
        #expect(again.method == "subscriptions/listen")
        tell(world, "subscriptions/acknowledged", again.id, honoured)
        #expect(
            world.messages(exchange).map(\.method) == [
                "notifications/subscriptions/acknowledged", "notifications/tools/list_changed",
                "notifications/resources/updated",
            ]
        )
        tell(world, "resources/updated", again.id, #""uri":"file:///a""#)
        #expect(world.messages(exchange).count == 4)
    }

    @Test("a child that takes a subscription back ends the stream without a result")
    func listenCancelled() throws {
        let world = World.modern()
        let exchange = world.post(listen(#"{"toolsListChanged":true}"#))
        let id = try #require(world.sent().first).id
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id)}}"#)
        #expect(world.messages(exchange).isEmpty && world.ended.contains(exchange))
    }
}
