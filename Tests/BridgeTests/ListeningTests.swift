// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("subscriptions/listen over a child with a handshake")
struct ListeningTests {
    private func listen(_ notifications: String, id: String = #""l""#) -> StatelessRequest {
        StatelessRequest(id: id, method: "subscriptions/listen", params: #""notifications":\#(notifications)"#)
    }

    private let subscription = #""io.modelcontextprotocol/subscriptionId":"l""#

    @Test("what the child can tell is acknowledged first, then told with the subscription's id")
    func lists() throws {
        let world = World.ready()
        let exchange = world.post(listen(#"{"toolsListChanged":true,"promptsListChanged":true}"#))
        let first = try #require(world.messages(exchange).first)
        #expect(first.method == "notifications/subscriptions/acknowledged")
        #expect(first.contains(#""notifications":{"toolsListChanged":true}"#), "prompts of this child never change")
        #expect(first.contains(subscription))
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#)
        #expect(world.messages(exchange).count == 2)
        #expect(world.messages(exchange).last?.contains(subscription) == true)
    }

    @Test("resources are subscribed to once for all, and those the child refuses are left out")
    func resources() throws {
        let world = World.ready()
        let one = world.post(listen(#"{"resourceSubscriptions":["file:///a","file:///b"]}"#))
        let asked = world.sent()
        #expect(asked.map(\.method) == ["resources/subscribe", "resources/subscribe"])
        #expect(world.messages(one).isEmpty)
        world.childSays(result(asked[0].id))
        world.childSays(#"{"jsonrpc":"2.0","id":\#(asked[1].id),"error":{"code":-32602,"message":"no"}}"#)
        #expect(world.messages(one).first?.contains(#""resourceSubscriptions":["file:///a"]"#) == true)
        let two = world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#, id: "5"))
        #expect(world.sent().isEmpty)
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a/b"}}"#)
        #expect(world.messages(one).last?.contains(subscription) == true)
        #expect(world.messages(two).last?.contains(#""io.modelcontextprotocol/subscriptionId":5"#) == true)
        world.goAway(one)
        #expect(world.sent().isEmpty)
        world.goAway(two)
        #expect(world.sent().map(\.method) == ["resources/unsubscribe"])
        #expect(world.sessionCount == 0)
    }

    @Test("one that comes before the child is ready is acknowledged when it is")
    func beforeReady() {
        let world = World()
        let exchange = world.post(listen(#"{"toolsListChanged":true}"#))
        #expect(world.messages(exchange).isEmpty)
        world.childBecomesReady()
        #expect(world.messages(exchange).first?.method == "notifications/subscriptions/acknowledged")
    }

    @Test("a new process of the child may have changed everything")
    func restart() {
        let world = World.ready()
        let exchange = world.post(listen(#"{"toolsListChanged":true}"#))
        world.childExits()
        world.childBecomesReady()
        #expect(world.messages(exchange).last?.method == "notifications/tools/list_changed")
        #expect(!world.ended.contains(exchange))
    }

    @Test("the proxy's end ends it with a result")
    func end() {
        let world = World.ready()
        let exchange = world.post(listen("{}"))
        world.shutDown()
        let last = world.messages(exchange).last
        #expect(last?.contains(#""result":{"resultType":"complete","_meta":{"# + subscription) == true)
        #expect(world.ended.contains(exchange))
    }

    @Test("without notifications it is refused")
    func malformed() {
        let world = World.ready()
        let exchange = world.post(StatelessRequest(method: "subscriptions/listen", params: ""))
        #expect(world.replies[exchange]?.status == 400)
    }
}
