// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

/// What is kept of a client is little, whatever it sends.
@Suite("subscriptions/listen over a child without a handshake, and what is kept of clients")
struct PassedListeningTests {
    private let world = World.modern()
    private let subscription = #""io.modelcontextprotocol/subscriptionId":"l""#

    private func listen(_ members: String, capabilities: String = "{}") -> StatelessRequest {
        StatelessRequest(
            id: #""l""#,
            method: "subscriptions/listen",
            params: members,
            capabilities: capabilities,
            meta: #""progressToken":"p""#
        )
    }

    private let wanted = #""notifications":{"promptsListChanged":true,"resourceSubscriptions":["a:1","a:2"]}"#

    /// A client that listens, and the request to the child.
    private func listener() throws -> (ExchangeID, Text) {
        let exchange = world.post(listen(wanted))
        return (exchange, try #require(world.sent().first))
    }

    private func tell(_ line: Text, _ method: String, _ members: String = "") {
        let meta = #""_meta":{"io.modelcontextprotocol/subscriptionId":\#(line.id)}"#
        let rest = members.isEmpty ? "" : members + ","
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/\#(method)","params":{\#(rest)\#(meta)}}"#)
    }

    private func text(of bytes: Int) -> String { String(repeating: "x", count: bytes) }

    // MARK: What is kept

    @Test("the child is sent what the client wants and who it is, and nothing else that stood in the request")
    func line() throws {
        world.post(listen(#""junk":"\#(text(of: 20_000))",\#(wanted)"#, capabilities: #"{"sampling":{}}"#))
        let line = try #require(world.sent().first)
        let envelope =
            #""io.modelcontextprotocol/protocolVersion":"2026-07-28","#
            + #""io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"#
            + #""io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}"#
        #expect(line.token(.params) == "{\(wanted),\"_meta\":{\(envelope)}}")
    }

    @Test("a listen that says more of its client than is kept is refused")
    func largeListen() throws {
        let exchange = world.post(listen(wanted, capabilities: #"{"experimental":{"x":"\#(text(of: 17_000))"}}"#))
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.contains("16384 bytes") == true)
        #expect(world.sessionCount == 0 && world.sent().isEmpty)
    }

    @Test("an initialize that says more of its client than is kept is refused; what is not kept may be large")
    func largeInitialize() throws {
        let large = #"{"experimental":{"x":"\#(text(of: 17_000))"}}"#
        let exchange = world.post(World.initialize(capabilities: large))
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.contains("16384 bytes") == true)
        #expect(world.sessionCount == 0)
        let other = world.post(World.initialize(capabilities: #"{"tasks":{"x":"\#(text(of: 17_000))"}}"#))
        #expect(world.replies[other]?.status == 200)
        let icons = #""icons":[{"src":"data:image/png;base64,\#(text(of: 17_000))"}]"#
        let third = world.post(World.initialize.replacing(#""name":"c""#, with: #""name":"c",\#(icons)"#))
        #expect(world.replies[third]?.status == 200)
        #expect(world.sessionCount == 2)
        let legacy = World.ready()
        let fourth = legacy.post(World.initialize(capabilities: large))
        #expect(legacy.replies[fourth]?.status == 200, "nothing is kept")
    }

    @Test("a child that does not read is sent no listen, and never those whose client went meanwhile")
    func blocked() throws {
        world.block()
        let exchanges = (0..<3).map { _ in world.post(listen(wanted)) }
        #expect(world.sent().isEmpty)
        world.goAway(exchanges[1])
        world.unblock()
        #expect(world.sent().map(\.method) == ["subscriptions/listen", "subscriptions/listen"])
        world.block()
        world.post(listen(wanted))
        world.childExits()
        world.unblock()
        world.modernChildStarts()
        #expect(world.sent().count == 3, "a new process is told of each once")
    }

    // MARK: What comes

    @Test("the acknowledgement is of what was asked, and lets only that through")
    func acknowledged() throws {
        let (exchange, line) = try listener()
        tell(line, "prompts/list_changed")
        #expect(world.messages(exchange).isEmpty, "nothing comes before the acknowledgement")
        let honoured =
            #""notifications":{"promptsListChanged":true,"toolsListChanged":true,"resourceSubscriptions":["a:2","b:1"]}"#
        tell(line, "subscriptions/acknowledged", honoured)
        let acknowledgement = try #require(world.messages(exchange).first)
        #expect(
            acknowledgement.token(.params)
                == #"{"notifications":{"promptsListChanged":true,"resourceSubscriptions":["a:2"]},"_meta":{\#(subscription)}}"#
        )
        tell(line, "tools/list_changed")
        tell(line, "resources/updated", #""uri":"a:1""#)
        tell(line, "resources/updated", #""uri":"b:1""#)
        #expect(world.messages(exchange).count == 1)
        #expect(world.violations == 4)
        tell(line, "prompts/list_changed")
        tell(line, "resources/updated", #""uri":"a:2""#)
        tell(line, "resources/updated", #""uri":"a:2/part""#)
        #expect(world.messages(exchange).count == 4)
        #expect(world.messages(exchange).allSatisfy { $0.contains(subscription) })
    }

    @Test(
        "whatever the child ends it with, its client gets a result of the proxy",
        arguments: [
            "{}", #"{"resultType":"complete","x":1}"#, #"{"resultType":"input_required","requestState":"SECRET"}"#,
        ]
    )
    func result(text: String) throws {
        let (exchange, line) = try listener()
        world.childSays(#"{"jsonrpc":"2.0","id":\#(line.id),"result":\#(text)}"#)
        #expect(
            world.messages(exchange).map(\.text) == [
                #"{"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","_meta":{\#(subscription)}}}"#
            ]
        )
        #expect(world.ended.contains(exchange))
    }

    @Test(
        "errors keep to the codes of the revision",
        arguments: [(-32601, -32601), (-32002, -32602), (-32042, -32603)]
    )
    func error(code: Int, expected: Int) throws {
        let (exchange, line) = try listener()
        world.childSays(#"{"jsonrpc":"2.0","id":\#(line.id),"error":{"code":\#(code),"message":"m"}}"#)
        let last = try #require(world.messages(exchange).last)
        #expect(last.errorCode == expected && last.id == #""l""# && last.contains(#""message":"m""#))
        #expect(world.ended.contains(exchange) && world.sessionCount == 0)
    }

    @Test("an answer that nobody can read ends it with an error", arguments: [#""result":{}"#, #""error":5"#])
    func unreadable(answer: String) throws {
        let (exchange, line) = try listener()
        world.childSays(#"{"id":\#(line.id),\#(answer)}"#)
        #expect(world.messages(exchange).last?.contains("upstream_answer_invalid") == true)
        #expect(world.ended.contains(exchange) && world.sessionCount == 0)
    }
}
