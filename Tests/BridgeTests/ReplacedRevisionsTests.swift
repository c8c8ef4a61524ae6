// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import Testing

@testable import Bridge

@Suite("A child is replaced under clients of 2026-07-28, and a pool one after the other")
struct ReplacedRevisionsTests {
    private static let question =
        #"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#

    /// What listens is asked for on the child's behalf: uri `a:b` and changes of tools.
    private static let listen = StatelessRequest(
        id: #""l""#,
        method: "subscriptions/listen",
        params: #""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}"#
    )

    @Test("a parked call is finished by the old one, for the client that comes back")
    func parked() throws {
        let world = World.ready()
        let exchange = world.post(StatelessRequest())
        let call = try #require(world.sent().first)
        world.childSays(Self.question)
        let asked = try #require(world.body(exchange))
        world.replace()
        world.childBecomesReady(1)
        #expect(world.stopped.isEmpty, "the old one still has the call")
        let state = try #require(asked.between(#""requestState":""#, #"""#))
        let key = try #require(asked.between(#""inputRequests":{""#, #"""#))
        let answers = #""inputResponses":{"\#(key)":{"action":"accept","content":{}}},"requestState":"\#(state)""#
        let back = world.post(StatelessRequest(id: "2", params: #""name":"t","arguments":{},"# + answers))
        #expect(world.sent().last?.contains(#""action":"accept""#) == true)
        world.childSays(result(call.id, #"{"content":[]}"#))
        #expect(world.body(back)?.contains(#""resultType":"complete""#) == true)
        #expect(world.stopped == [0])
    }

    @Test("who listens goes on listening, to the new one")
    func listening() throws {
        let world = World.ready()
        let exchange = world.post(Self.listen)
        world.childSays(result(try #require(world.sent().last).id))
        world.replace()
        world.childBecomesReady(1)
        let subscribe = try #require(world.sent(1).last)
        #expect(subscribe.method == "resources/subscribe")
        world.childSays(result(subscribe.id), link: 1)
        let before = world.messages(exchange).count
        let updated = #"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}"#
        world.childSays(updated, link: 1)
        #expect(world.messages(exchange).count == before + 1)
        #expect(!world.ended.contains(exchange))
    }

    @Test("a child without a handshake is replaced by one that is asked at once, and listened to")
    func withoutHandshake() throws {
        let world = World.modern()
        let exchange = world.post(Self.listen)
        let listen = try #require(world.sent().last)
        let call = world.post(StatelessRequest())
        let asked = try #require(world.sent().last)
        world.replace()
        world.childStarts(1)
        let discover = try #require(world.sent(1).last)
        #expect(discover.method == "server/discover")
        world.childSays(World.discovered(id: discover.id), link: 1)
        #expect(world.sent(1).map(\.method).contains("subscriptions/listen"))
        // What the old one says of it is heard no more.
        world.childSays(result(listen.id, #"{"resultType":"complete"}"#))
        #expect(!world.ended.contains(exchange))
        world.childSays(result(asked.id, #"{"resultType":"complete","content":[]}"#))
        #expect(world.body(call)?.contains(#""content":[]"#) == true)
        #expect(world.stopped == [0])
    }

    @Test("the children of a pool are replaced one after the other; what was not spoken to just goes")
    func pool() throws {
        let world = World { $0.isolation = .pool(3) }
        world.childBecomesReady(0)
        world.childStarts(1)
        world.childStarts(2)
        let everything = #"{"sampling":{},"elicitation":{"form":{},"url":{}}}"#
        world.post(StatelessRequest(capabilities: "{}"))
        world.childSays(World.handshake(id: try #require(world.sent(1).first).id), link: 1)
        world.childSays(result(try #require(world.sent(1).last).id), link: 1)
        world.replace()
        #expect(world.started == [0, 1, 2, 3])
        world.childBecomesReady(3)
        #expect(world.stopped == [0])
        world.childStarts(4)
        let initialize = try #require(world.sent(4).last)
        #expect(initialize.contains(#""capabilities":{}"#), "it is told what its predecessor was told")
        world.childSays(World.handshake(id: initialize.id), link: 4)
        #expect(world.stopped == [0, 1, 2] && world.started == [0, 1, 2, 3, 4, 5])
        world.post(StatelessRequest(id: "2", capabilities: everything))
        #expect(world.sent(3).last?.method == "tools/call")
    }

    @Test("an unused child of a pool that keeps failing is replaced by an unused one")
    func failingReserve() throws {
        let world = World { $0.isolation = .pool(2) }
        world.childBecomesReady(0)
        world.childStarts(1)
        world.childExits(plan: .crashLoop(delayMilliseconds: 1000, attempt: 9), link: 1)
        world.replace()
        world.childBecomesReady(2)
        #expect(world.stopped.contains(1) && world.started == [0, 1, 2, 3])
        world.childStarts(3)
        #expect(world.sent(3).isEmpty, "nobody has come who decides what it is told")
    }
}
