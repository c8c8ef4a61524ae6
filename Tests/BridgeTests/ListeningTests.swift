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

    @Test("who comes while the child is being asked for one that went shares its answer")
    func sharedAnswer() throws {
        let world = World.ready()
        world.goAway(world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#)))
        let ask = try #require(world.sent().first)
        let exchange = world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#))
        #expect(world.sent().isEmpty)
        world.childSays(result(ask.id))
        #expect(world.sent().isEmpty, "the other wants it still")
        #expect(world.messages(exchange).first?.contains("file:///a") == true)
        world.goAway(exchange)
        #expect(world.sent().map(\.method) == ["resources/unsubscribe"])
    }

    @Test("a session that is subscribing, and one that unsubscribes, leave each other what they have")
    func besideSessions() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#))
        let ask = try #require(world.sent().first)
        world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///a"}}"#,
            session: session
        )
        let own = try #require(world.sent().first)
        world.childSays(result(ask.id))
        world.goAway(exchange)
        #expect(world.sent().isEmpty, "the session's own is under way")
        world.childSays(result(own.id))
        let later = world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#))
        #expect(world.messages(later).count == 1)
        world.post(
            #"{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"file:///a"}}"#,
            session: session
        )
        #expect(world.sent().isEmpty)
    }

    @Test("a child that came back as another ends it, and who waits is told what the new one can")
    func changedChild() throws {
        let world = World.ready()
        let exchange = world.post(listen(#"{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}"#))
        world.childSays(result(try #require(world.sent().first).id))
        let waiting = world.post(listen(#"{"toolsListChanged":true,"resourceSubscriptions":["file:///b"]}"#, id: "9"))
        _ = world.sent()
        world.childExits()
        world.childBecomesReady(capabilities: #"{"tools":{}}"#)
        #expect(world.ended.contains(exchange))
        #expect(world.messages(exchange).last?.contains(#""result":{"resultType":"complete""#) == true)
        #expect(world.messages(waiting).last?.contains(#""notifications":{}"#) == true)
        #expect(!world.sent().contains { $0.method == "resources/subscribe" })
    }

    @Test("a restart while the child is being asked asks anew")
    func restartWhileAsked() throws {
        let world = World.ready()
        let exchange = world.post(listen(#"{"resourceSubscriptions":["file:///a"]}"#))
        _ = world.sent()
        world.childExits()
        world.childStarts()
        world.childSays(World.handshake(id: try #require(world.sent().last).id))
        let ask = try #require(world.sent().last)
        #expect(ask.method == "resources/subscribe")
        world.childSays(result(ask.id))
        #expect(world.messages(exchange).first?.contains("file:///a") == true)
    }

    @Test("the child is asked for some at a time, and never for those whose client is gone")
    func bounded() throws {
        let world = World.ready()
        let uris = (0..<100).map { #""file:///\#($0)""# }.joined(separator: ",")
        let exchange = world.post(listen(#"{"resourceSubscriptions":[\#(uris)]}"#))
        let first = world.sent()
        #expect(first.count == Link.maxAskedSubscriptions)
        world.childSays(result(try #require(first.first).id))
        #expect(world.sent().count == 1)
        world.goAway(exchange)
        world.childSays(result(first[1].id))
        #expect(!world.sent().contains { $0.method == "resources/subscribe" })
    }

    @Test(
        "what is too much is refused",
        arguments: [
            (0..<101).map { #""u:\#($0)""# }.joined(separator: ","),
            (0..<10).map { #""u:\#($0)\#(String(repeating: "x", count: 8000))""# }.joined(separator: ","),
        ]
    )
    func tooMuch(uris: String) {
        let world = World.ready()
        let exchange = world.post(listen(#"{"resourceSubscriptions":[\#(uris)]}"#))
        #expect(world.body(exchange)?.contains("subscription_limit") == true)
    }

    @Test("a list of URIs has nothing else in it", arguments: [#"[""]"#, "[5]", #""file:///a""#])
    func noURIs(value: String) {
        #expect(World.ready().status(listen(#"{"resourceSubscriptions":\#(value)}"#)) == 400)
    }

    @Test("who holds a resource is told before those who hold one it is a part of, which ends at a boundary")
    func parts() throws {
        let world = World.ready()
        let one = world.post(listen(#"{"resourceSubscriptions":["x://a/1"]}"#))
        let ten = world.post(listen(#"{"resourceSubscriptions":["x://a/10"]}"#))
        let all = world.post(listen(#"{"resourceSubscriptions":["x://a"]}"#))
        for line in world.sent() { world.childSays(result(line.id)) }
        func update(_ uri: String) {
            world.childSays(#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"\#(uri)"}}"#)
        }
        update("x://a/10")
        #expect([one, ten, all].map { world.messages($0).count } == [1, 2, 1])
        update("x://a/1?q")
        #expect([one, ten, all].map { world.messages($0).count } == [2, 2, 2])
        update("x://ab")
        #expect([one, ten, all].map { world.messages($0).count } == [2, 2, 2])
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
