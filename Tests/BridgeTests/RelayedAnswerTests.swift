// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("What a child without a handshake may answer")
struct RelayedAnswerTests {
    private static let meta = #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m","version":"2"}}"#
    private static let form = #"{"method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#
    private let world = World.modern()

    /// What a client gets when the child answers its request so.
    private func answer(_ text: String, to request: StatelessRequest = StatelessRequest()) throws -> Text {
        let exchange = world.post(request)
        let id = try #require(world.sent().first { $0.method == request.method }).id
        world.childSays(result(id, text))
        return try #require(world.body(exchange))
    }

    @Test("a complete result gets what it lacks or has wrongly, and nothing else")
    func completed() throws {
        #expect(
            try answer(#"{"content":[],"x":1.0}"#).text
                == result("1", #"{"resultType":"complete",\#(Self.meta),"content":[],"x":1.0}"#)
        )
        let list = StatelessRequest(method: "prompts/list", params: "")
        let whole = #"{"resultType":"complete","ttlMs":1,"cacheScope":"public",\#(Self.meta),"prompts":[]}"#
        #expect(try answer(whole, to: list).text == result("1", whole))
        let wrong = #"{"resultType":"complete","ttlMs":-1,"cacheScope":"world","_meta":null,"prompts":[]}"#
        #expect(
            try answer(wrong, to: list).text
                == result(
                    "1",
                    #"{"ttlMs":0,"cacheScope":"private",\#(Self.meta),"resultType":"complete","prompts":[]}"#
                )
        )
        let nameless = #"{"resultType":"complete","ttlMs":1,"cacheScope":"public","_meta":{"x":1},"prompts":[]}"#
        #expect(try answer(nameless, to: list).contains(#""_meta":{"io.modelcontextprotocol/serverInfo":"#))
    }

    @Test(
        "anything else is refused, whoever asks",
        arguments: [
            "null", "[]", "5", #""x""#,
            #"{"resultType":"task","taskId":"x"}"#, #"{"resultType":5,"content":[]}"#,
            // Neither complete nor a question, with what nobody has sealed.
            #"{"requestState":"RAW","inputRequests":{}}"#, #"{"resultType":"complete","requestState":"RAW"}"#,
            // A question that asks nothing, or has not the right form.
            #"{"resultType":"input_required"}"#, #"{"resultType":"input_required","inputRequests":[]}"#,
            #"{"resultType":"input_required","requestState":5}"#,
            #"{"resultType":"input_required","requestState":"RAW","requestState":"s"}"#,
            #"{"resultType":"input_required","inputRequests":{"a":5}}"#,
            #"{"resultType":"input_required","inputRequests":{"a":{"method":"tools/list"}}}"#,
            #"{"resultType":"input_required","inputRequests":{"a":\#(form),"a":\#(form)}}"#,
        ]
    )
    func refused(text: String) throws {
        let body = try answer(text)
        #expect(body.contains("upstream_answer_invalid") && !body.contains("RAW"))
        let session = try world.openSession()
        _ = world.sent()
        let exchange = world.post(toolCall("4"), session: session)
        world.childSays(result(try #require(world.sent().first).id, text))
        #expect(world.body(exchange)?.contains("upstream_answer_invalid") == true)
        #expect(world.readings.inFlight == 0)
    }

    @Test("a client is asked only what it declared, and only in a method that may ask")
    func undeclared() throws {
        let asking = #"{"resultType":"input_required","inputRequests":{"a":\#(Self.form)},"requestState":"RAW"}"#
        let mute = try answer(asking, to: StatelessRequest(capabilities: #"{"elicitation":{"url":{}}}"#))
        #expect(mute.contains("upstream_answer_invalid"))
        #expect(world.violations == 1)
        let list = try answer(asking, to: StatelessRequest(method: "tools/list", params: ""))
        #expect(list.contains("upstream_answer_invalid") && !list.contains("RAW"))
        let asked = try answer(asking)
        #expect(asked.contains(#""inputRequests":{"a":\#(Self.form)}"#) && !asked.contains("RAW"))
        #expect(asked.contains(Self.meta), "every result says who gave it")
    }

    @Test("a state of null is none")
    func nullState() throws {
        let text = #"{"resultType":"input_required","inputRequests":{"a":\#(Self.form)},"requestState":null}"#
        #expect(try !answer(text).contains("requestState"))
    }

    @Test(
        "an error without a code or a message is an internal one",
        arguments: [
            ("{}", #"{"code":-32603,"message":"the MCP server gave no reason"}"#),
            (#"{"code":"x","message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":1.5,"message":"m","data":[1]}"#, #"{"code":-32603,"message":"m","data":[1]}"#),
            (#"{"code":-32002.0,"message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":-32042e0,"message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":-1,"message":5}"#, #"{"code":-32603,"message":"the MCP server gave no reason"}"#),
        ],
        [true, false]
    )
    func errors(texts: (fromChild: String, toClient: String), isModern: Bool) throws {
        let world = isModern ? World.modern() : World.ready()
        let session = try world.openSession()
        _ = world.sent()
        let exchanges = [world.post(StatelessRequest()), world.post(toolCall("1"), session: session)]
        for line in world.sent() where line.method == "tools/call" {
            world.childSays(#"{"jsonrpc":"2.0","id":\#(line.id),"error":\#(texts.fromChild)}"#)
        }
        for exchange in exchanges {
            #expect(world.body(exchange)?.text == #"{"jsonrpc":"2.0","id":1,"error":\#(texts.toClient)}"#)
            #expect(world.replies[exchange]?.status == 200)
        }
    }
}
