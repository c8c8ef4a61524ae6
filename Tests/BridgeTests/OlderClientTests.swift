// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Clients with a handshake, in front of a child without one")
struct OlderClientTests {
    private static let capabilities =
        #"{"tools":{"listChanged":true},"resources":{"subscribe":true},"extensions":{"x":{}}}"#
    private let world = World.modern(capabilities: Self.capabilities)

    /// A session whose standing listen the child has acknowledged.
    private func session(_ revision: String = "2025-11-25") throws -> String {
        let session = try world.openSession(revision: revision)
        for line in world.sent() where line.method == "subscriptions/listen" { acknowledge(line) }
        return session
    }

    /// Acknowledges a listen: everything it asks for, but for some resources.
    private func acknowledge(_ line: Text, without refused: String? = nil) {
        let asked = line.between(#""resourceSubscriptions":["#, "]") ?? ""
        let uris = asked.split(separator: ",").filter {
            refused.map { !"\($0)".contains($0) } ?? true || !$0.contains(refused ?? "?")
        }
        tell(
            "subscriptions/acknowledged",
            line.id,
            #""notifications":{"toolsListChanged":true,"resourceSubscriptions":[\#(uris.joined(separator: ","))]}"#
        )
    }

    private func tell(_ method: String, _ id: String, _ params: String = "") {
        let meta = #""_meta":{"io.modelcontextprotocol/subscriptionId":\#(id)}"#
        let rest = params.isEmpty ? "" : "," + params
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/\#(method)","params":{\#(meta)\#(rest)}}"#)
    }

    private func ask(_ id: String, _ method: String, _ params: String, _ session: String) -> ExchangeID {
        world.post(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(params)}}"#, session: session)
    }

    // MARK: Handshake and envelope

    @Test(
        "initialize is answered from what the child says of itself",
        arguments: ["2024-11-05", "2025-06-18", "2026-07-28"]
    )
    func initialize(asked: String) throws {
        let exchange = world.post(World.initialize(revision: asked))
        let body = try #require(world.body(exchange))
        let revision = asked == "2026-07-28" ? "2025-11-25" : asked
        #expect(body.token(.resultProtocolVersion) == "\"\(revision)\"")
        #expect(body.token(.resultCapabilities) == #"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#)
        #expect(body.token(.resultServerInfo) == #"{"name":"m","version":"2"}"#)
        #expect(body.token(.resultInstructions) == #""i""#)
        #expect(world.replies[exchange]?.sessionID != nil)
    }

    @Test("each request says who asks, and loses what only older revisions have")
    func envelope() throws {
        let capabilities = #"{"roots":{"listChanged":true},"elicitation":{},"tasks":{"list":{}},"sampling":{}}"#
        let opened = world.post(World.initialize(capabilities: capabilities))
        let session = try #require(world.replies[opened]?.sessionID)
        _ = world.sent()
        let params =
            #""name":"t","task":{"ttl":1},"_meta":{"progressToken":"p","x":1,"io.modelcontextprotocol/logLevel":"debug"}"#
        _ = ask(#""a""#, "tools/call", params, session)
        let line = try #require(world.sent().first)
        let expected =
            #"{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#
            + #""io.modelcontextprotocol/clientCapabilities":{"roots":{},"elicitation":{"form":{}},"sampling":{}},"#
            + #""io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"progressToken":\#(line.id),"x":1}}"#
        #expect(line.token(.params) == expected)
    }

    @Test("a request without params gets some")
    func withoutParams() throws {
        let session = try session()
        world.post(#"{"jsonrpc":"2.0","id":4,"method":"tools/list"}"#, session: session)
        #expect(try #require(world.sent().first).token(.metaProtocolVersion) == #""2026-07-28""#)
    }

    @Test("results lose what only the stateless revision has")
    func results() throws {
        let session = try session()
        let exchange = ask("4", "resources/read", #""uri":"file:///a""#, session)
        let meta = #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m"},"x":1}"#
        let text = #"{"resultType":"complete","ttlMs":1,"cacheScope":"public","contents":[],\#(meta)}"#
        world.childSays(result(try #require(world.sent().first).id, text))
        #expect(world.body(exchange)?.text == result("4", #"{"contents":[],"_meta":{"x":1}}"#))
    }

    @Test("structured content that is no object is wrapped into one, and so is its schema")
    func structuredContent() throws {
        let session = try session()
        let list = ask("4", "tools/list", "", session)
        let tools =
            #"[{"name":"a","outputSchema":{"type":"array"}},{"name":"b","outputSchema":{"type":"object"}},{"name":"t","outputSchema":{}}]"#
        world.childSays(result(try #require(world.sent().first).id, #"{"resultType":"complete","tools":\#(tools)}"#))
        let wrapping = #"{"type":"object","properties":{"result":{"type":"array"}},"required":["result"]}"#
        #expect(
            world.body(list)?.contains(
                #"{"name":"a","outputSchema":\#(wrapping)},{"name":"b","outputSchema":{"type":"object"}}"#
            ) == true
        )
        for (name, content, expected) in [
            ("a", "[1]", #"{"result":[1]}"#), ("b", "{}", "{}"), ("t", "{}", #"{"result":{}}"#),
        ] {
            let exchange = ask("5", "tools/call", #""name":"\#(name)""#, session)
            world.childSays(
                result(
                    try #require(world.sent().first).id,
                    #"{"resultType":"complete","structuredContent":\#(content)}"#
                )
            )
            #expect(world.body(exchange)?.text == result("5", #"{"structuredContent":\#(expected)}"#))
        }
    }

    @Test("a resource that is not there has the code of older revisions")
    func errors() throws {
        let session = try session()
        let exchange = ask("4", "resources/read", #""uri":"file:///a""#, session)
        let id = try #require(world.sent().first).id
        world.childSays(
            #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32602,"message":"m","data":{"uri":"file:///a"}}}"#
        )
        #expect(world.body(exchange)?.errorCode == -32002)
        #expect(world.replies[exchange]?.status == 200)
    }

    @Test("what the stateless revision has no more is answered or kept by the proxy")
    func local() throws {
        let session = try session()
        let ping = world.post(#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#, session: session)
        #expect(world.body(ping)?.text == result("3"))
        #expect(world.body(ask("4", "logging/setLevel", #""level":"warning""#, session))?.text == result("4"))
        #expect(world.body(ask("5", "tasks/list", "", session))?.errorCode == -32601)
        world.post(#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#, session: session)
        #expect(world.sent().isEmpty)
        let exchange = ask("6", "tools/call", #""name":"t""#, session)
        #expect(try #require(world.sent().first).contains(#""io.modelcontextprotocol/logLevel":"warning""#))
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#)
        #expect(world.messages(exchange).map(\.method) == ["notifications/message"])
        world.post(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}"#, session: session)
        #expect(world.sent().map(\.method) == ["notifications/cancelled"])
    }

    // MARK: Questions

    private let form = #"{"method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#
    private let url =
        #"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://example.com/"}}"#
    private let sampling = #"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#

    private func asking(_ requests: String, state: String? = #""s""#) -> String {
        let rest = state.map { #","requestState":\#($0)"# } ?? ""
        return #"{"resultType":"input_required","inputRequests":{\#(requests)}\#(rest)}"#
    }

    @Test("questions reach the client on the call's stream; the call is sent again with its answers")
    func questions() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t","_meta":{"progressToken":"p"}"#, session)
        let first = try #require(world.sent().first)
        world.childSays(result(first.id, asking(#""a":\#(form),"b":\#(url),"c":{"method":"roots/list"}"#)))
        let questions = world.messages(exchange)
        #expect(questions.map(\.method) == ["elicitation/create", "elicitation/create", "roots/list"])
        #expect(questions[1].token(.elicitationID) != nil && questions[0].token(.elicitationID) == nil)
        #expect(world.readings.inFlight == 0, "nothing runs in the child")
        world.post(result(questions[2].id, #"{"roots":[],"_meta":{}}"#), session: session)
        world.post(result(questions[1].id, #"{"action":"accept"}"#), session: session)
        #expect(world.sent().isEmpty)
        world.post(#"{"jsonrpc":"2.0","id":\#(questions[0].id),"error":{"code":-1,"message":"no"}}"#, session: session)
        let second = try #require(world.sent().first)
        #expect(second.id != first.id && second.token(.metaProgressToken) == second.id)
        #expect(
            second.contains(
                #""inputResponses":{"c":{"roots":[]},"b":{"action":"accept"},"a":{"action":"cancel"}},"requestState":"s""#
            )
        )
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(second.id),"progress":1}}"#
        )
        #expect(world.messages(exchange).last?.contains(#""progressToken":"p""#) == true)
        world.childSays(result(second.id, #"{"resultType":"complete","content":[]}"#))
        #expect(world.messages(exchange).last?.text == result("4", #"{"content":[]}"#))
        #expect(world.finished.last?.outcome == .ok)
        #expect(world.readings.openServerRequests == 0)
    }

    @Test("more questions than anybody would answer end the call")
    func tooManyQuestions() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        let questions = (0...64).map { #""k\#($0)":{"method":"roots/list"}"# }.joined(separator: ",")
        world.childSays(result(try #require(world.sent().first).id, asking(questions)))
        #expect(world.body(exchange)?.errorCode == -32000)
        #expect(world.readings.openServerRequests == 0 && world.readings.inFlight == 0)
    }

    @Test("a second process can take the answers: nothing is lost when the first one dies")
    func acrossProcesses() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(form)"#)))
        world.childExits()
        let question = try #require(world.messages(exchange).first)
        world.post(result(question.id, #"{"action":"decline"}"#), session: session)
        world.modernChildStarts(capabilities: Self.capabilities)
        #expect(world.sent().contains { $0.contains(#""inputResponses":{"a":{"action":"decline"}}"#) })
    }

    @Test("what a client cannot be asked is refused: an elicitation in words, a tool's sampling as the tool's failure")
    func undeclared() throws {
        let opened = world.post(World.initialize(capabilities: "{}"))
        let session = try #require(world.replies[opened]?.sessionID)
        _ = world.sent()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(form),"b":\#(form)"#)))
        let second = try #require(world.sent().first)
        #expect(second.contains(#""inputResponses":{"a":{"action":"cancel"},"b":{"action":"cancel"}}"#))
        world.childSays(result(second.id, asking(#""a":\#(sampling),"b":\#(form)"#)))
        #expect(world.body(exchange)?.contains(#""isError":true"#) == true)
        let prompt = ask("5", "prompts/get", #""name":"p""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(sampling)"#)))
        #expect(world.body(prompt)?.errorCode == -32603)
        #expect(world.sent().isEmpty)
    }

    @Test("a call that ends takes its questions back")
    func takenBack() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(form),"b":\#(sampling)"#)))
        let questions = world.messages(exchange)
        world.post(
            #"{"jsonrpc":"2.0","id":\#(questions[1].id),"error":{"code":-1,"message":"User rejected"}}"#,
            session: session
        )
        let stream = world.messages(exchange)
        #expect(stream.contains { $0.method == "notifications/cancelled" && $0.token(.requestID) == questions[0].id })
        #expect(stream.contains { $0.contains(#""isError":true"#) && $0.contains("User rejected") })
        #expect(world.sent().isEmpty)
        _ = ask("5", "tools/call", #""name":"t""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(form)"#)))
        world.delete(session: session)
        #expect(world.readings.openServerRequests == 0)
        #expect(!world.sent().contains { $0.method == "tools/call" })
    }

    @Test("an answer that is no object is none, and a state of null is none")
    func nonsense() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        world.childSays(result(try #require(world.sent().first).id, asking(#""a":\#(form)"#, state: "null")))
        let question = try #require(world.messages(exchange).first)
        world.post(result(question.id, #""nonsense""#), session: session)
        let again = try #require(world.sent().first)
        #expect(again.contains(#""inputResponses":{"a":{"action":"cancel"}},"#) && !again.contains("requestState"))
    }

    @Test("ten times a child may ask; one that only wants time gets it")
    func rounds() throws {
        let session = try session()
        let exchange = ask("4", "tools/call", #""name":"t""#, session)
        for round in 1...10 {
            let line = try #require(world.sent().first, "round \(round)")
            world.childSays(result(line.id, #"{"resultType":"input_required","requestState":"\#(round)"}"#))
            #expect(world.sent().isEmpty)
            world.pass(.milliseconds(250))
        }
        let last = try #require(world.sent().first)
        #expect(last.contains(#""requestState":"10""#) && !last.contains("inputResponses"))
        world.childSays(result(last.id, #"{"resultType":"input_required","requestState":"11"}"#))
        #expect(world.body(exchange)?.contains("upstream_answer_invalid") == true)
    }

    // MARK: Changes

    @Test("one listen serves all sessions, and is replaced only when the next is acknowledged")
    func watching() throws {
        _ = try world.openSession()
        let first = try #require(world.sent().first)
        #expect(first.contains(#""notifications":{"toolsListChanged":true}"#))
        acknowledge(first)
        let session = try world.openSession()
        #expect(world.sent().isEmpty)
        let stream = world.get(session: session)
        tell("tools/list_changed", first.id)
        let change = try #require(world.messages(stream).last)
        #expect(change.method == "notifications/tools/list_changed" && !change.contains("subscriptionId"))
        let subscribe = ask("4", "resources/subscribe", #""uri":"file:///a""#, session)
        let refused = ask("5", "resources/subscribe", #""uri":"file:///no""#, session)
        let second = try #require(world.sent().first)
        #expect(second.contains(#""resourceSubscriptions":["file:///a"]"#))
        #expect(world.replies[subscribe] == nil)
        acknowledge(second)
        #expect(world.body(subscribe)?.text == result("4"))
        let lines = world.sent()
        #expect(lines.map(\.method) == ["notifications/cancelled", "subscriptions/listen"])
        #expect(lines[0].token(.requestID) == first.id)
        acknowledge(lines[1], without: "no")
        #expect(world.body(refused)?.errorCode == -32002)
        tell("resources/updated", lines[1].id, #""uri":"file:///a""#)
        #expect(world.messages(stream).last?.method == "notifications/resources/updated")
        #expect(world.sent().map(\.method) == ["notifications/cancelled"], "nobody asks for what was refused once more")
        #expect(world.body(ask("6", "resources/unsubscribe", #""uri":"file:///a""#, session))?.text == result("6"))
        #expect(world.sent().first?.contains("resourceSubscriptions") == false)
    }

    @Test("a listen that ends is repeated after a while, and the last session's end is its end")
    func watchEnds() throws {
        let session = try session()
        _ = world.sent()
        let stream = world.get(session: session)
        world.delete(session: session)
        #expect(world.sent().map(\.method) == ["notifications/cancelled"])
        _ = stream
        _ = try world.openSession()
        let line = try #require(world.sent().first)
        world.childSays(result(line.id, #"{"resultType":"complete"}"#))
        #expect(world.sent().isEmpty)
        world.pass(.seconds(1))
        let again = try #require(world.sent().first)
        world.childSays(#"{"jsonrpc":"2.0","id":\#(again.id),"error":{"code":-32603,"message":"m"}}"#)
        world.pass(.seconds(1))
        #expect(world.sent().isEmpty, "ever more slowly")
        world.pass(.seconds(1))
        #expect(world.sent().map(\.method) == ["subscriptions/listen"])
    }

    @Test("a new process is listened to anew, and sessions told to look again")
    func restart() throws {
        let session = try session()
        let stream = world.get(session: session)
        let subscribe = ask("4", "resources/subscribe", #""uri":"file:///a""#, session)
        acknowledge(try #require(world.sent().first))
        #expect(world.body(subscribe)?.text == result("4"))
        world.childExits()
        world.modernChildStarts(capabilities: Self.capabilities)
        #expect(
            world.messages(stream).map(\.method) == [
                "notifications/tools/list_changed", "notifications/resources/updated",
            ]
        )
        #expect(world.sent().map(\.method) == ["subscriptions/listen"])
    }
}
