// SPDX-License-Identifier: Apache-2.0

import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("What belongs to a client without a session reaches nobody else")
struct StatelessPrivacyTests {
    private let log = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#
    private func elicitation(_ id: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#
    }
    private let unknown = #"{"jsonrpc":"2.0","method":"notifications/x","params":{}}"#

    private func says(_ world: World, _ id: String = "7") -> [Text] {
        for line in [log, elicitation(id), unknown] { world.childSays(line) }
        return world.sent()
    }

    @Test("what a child says outside of all calls is for the one session there is, while only that has called")
    func onlySession() throws {
        let world = World.ready()
        let stream = world.get(session: try world.openSession())
        #expect(says(world).isEmpty)
        #expect(world.messages(stream).count == 3)
        world.post(StatelessRequest())
        world.childSays(result(try #require(world.sent().last).id))
        #expect(says(world, "8").first?.errorCode == -32000)
        #expect(world.messages(stream).count == 3)
        world.childExits()
        world.childBecomesReady()
        let before = world.messages(stream).count
        _ = says(world)
        #expect(world.messages(stream).count == before + 3, "the new process has served nobody else")
    }

    @Test("a session that has ended may be who it is about")
    func endedSession() throws {
        let world = World.ready()
        let stream = world.get(session: try world.openSession())
        let other = try world.openSession()
        world.post(toolCall("1"), session: other)
        world.childSays(result(try #require(world.sent().last).id))
        world.delete(session: other)
        _ = says(world)
        #expect(world.messages(stream).isEmpty)
    }

    @Test(
        "a log message is nobody's while the child may still work on what its client gave up",
        arguments: ["tools/call", "tools/list"]
    )
    func logOfAbandonedCall(method: String) throws {
        let world = World.ready()
        world.goAway(world.post(StatelessRequest(method: method)))
        let exchange = world.post(StatelessRequest(id: "2", meta: #""\#(MetaKey.logLevel)":"debug""#))
        world.childSays(log)
        #expect(world.messages(exchange).isEmpty)
        for line in world.sent() where line.method == method || line.method == "tools/call" {
            world.childSays(result(line.id))
        }
        let later = world.post(StatelessRequest(id: "3", meta: #""\#(MetaKey.logLevel)":"debug""#))
        world.childSays(log)
        #expect(world.messages(later).count == 1)
    }

    @Test("what a client gave up long ago takes log messages from nobody: many servers never answer it")
    func logLongAfterAbandonedCall() throws {
        let world = World.ready()
        world.goAway(world.post(StatelessRequest()))
        world.pass(.seconds(30))
        let exchange = world.post(StatelessRequest(id: "2", meta: #""\#(MetaKey.logLevel)":"warning""#))
        world.childSays(log.replacing(#""error""#, with: #""info""#))
        #expect(world.messages(exchange).isEmpty, "not wanted")
        world.childSays(log)
        #expect(world.messages(exchange).count == 1)
    }

    @Test("a notification that the revision lacks does not reach its clients")
    func unknownNotification() {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        world.childSays(unknown)
        #expect(world.messages(exchange).isEmpty && world.replies[exchange] == nil)
    }
}
