// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import NIOCore
import Testing

@testable import Bridge

/// Several children that serve one caller each at a time (`--isolation pool=N`).
@Suite struct PoolTests {
    static let question =
        #"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#
    /// What the proxy declares without `--client-capabilities`.
    static let everything = #"{"sampling":{},"elicitation":{"form":{},"url":{}}}"#

    private func pool(of size: Int = 2) -> World {
        let world = World { $0.isolation = .pool(size) }
        world.childBecomesReady(0)
        for link in 1..<size { world.childStarts(link) }
        for link in 0..<size { _ = world.sent(link) }
        return world
    }

    private func shakeHands(_ world: World, _ link: Int) throws -> Text {
        let initialize = try #require(world.sent(link).first)
        world.childSays(World.handshake(id: initialize.id), link: link)
        return initialize
    }

    private func session(_ world: World, _ capabilities: String = PoolTests.everything) throws -> String {
        let exchange = world.post(World.initialize(capabilities: capabilities))
        return try #require(world.replies[exchange]?.sessionID)
    }

    @Test("All children are started at once; the first is spoken to, the others wait for their first caller")
    func start() {
        let world = World { $0.isolation = .pool(3) }
        #expect(world.started == [0, 1, 2])
        for link in 0..<3 { world.childStarts(link) }
        #expect(world.sent(0).map(\.method) == ["initialize"])
        #expect(world.sent(1).isEmpty && world.sent(2).isEmpty)
    }

    @Test("A child believes what is true of its clients: one that nobody used is told what the caller declares")
    func capabilities() throws {
        let world = pool()
        let exchange = world.post(StatelessRequest(capabilities: #"{"elicitation":{}}"#))
        let initialize = try shakeHands(world, 1)
        #expect(initialize.contains(#""capabilities":{"elicitation":{"form":{}}}"#))
        let call = try #require(world.sent(1).last)
        #expect(call.method == "tools/call")
        world.childSays(result(call.id), link: 1)
        #expect(world.replies[exchange]?.status == 200)
        // The next one of that kind finds it, and one that declares all finds the first.
        world.post(StatelessRequest(id: "2", capabilities: #"{"elicitation":{}}"#))
        #expect(world.sent(1).map(\.method) == ["tools/call"])
        world.post(StatelessRequest(id: "3", capabilities: PoolTests.everything))
        #expect(world.sent(0).map(\.method) == ["tools/call"])
    }

    @Test("A caller that no child suits goes to one that was told more, and is asked only what it declared")
    func fallback() throws {
        let world = pool()
        let first = world.post(StatelessRequest(capabilities: "{}"))
        _ = try shakeHands(world, 1)
        world.childSays(result(try #require(world.sent(1).last).id), link: 1)
        #expect(world.replies[first] != nil)
        world.post(StatelessRequest(id: "2", capabilities: #"{"sampling":{}}"#))
        _ = world.sent(0)
        world.childSays(PoolTests.question, link: 0)
        #expect(world.sent(0).last?.errorCode == -32601)
    }

    @Test("Two callers are asked at the same time, each by the child that serves it alone")
    func twoCallers() throws {
        let world = pool()
        let first = world.post(StatelessRequest(id: "1", capabilities: PoolTests.everything))
        let second = world.post(StatelessRequest(id: "2", capabilities: PoolTests.everything))
        #expect(world.sent(0).map(\.method) == ["tools/call"])
        _ = try shakeHands(world, 1)
        #expect(world.sent(1).last?.method == "tools/call")
        world.childSays(PoolTests.question.replacing(#""m""#, with: #""for the second""#), link: 1)
        world.childSays(PoolTests.question.replacing(#""m""#, with: #""for the first""#), link: 0)
        #expect(try #require(world.body(first)).contains("for the first"))
        #expect(try #require(world.body(second)).contains("for the second"))
    }

    @Test("Who comes when all are busy waits, and goes to the child that is free first")
    func relief() throws {
        let world = pool()
        world.post(StatelessRequest(id: "1", capabilities: PoolTests.everything))
        world.post(StatelessRequest(id: "2", capabilities: PoolTests.everything))
        let calls = (world.sent(0).last?.id ?? "", try shakeHands(world, 1))
        let second = try #require(world.sent(1).last)
        _ = calls
        // Waits for the first child, whose call is not answered.
        let third = world.post(StatelessRequest(id: "3", capabilities: PoolTests.everything))
        #expect(world.sent(0).isEmpty && world.sent(1).isEmpty)
        world.childSays(result(second.id), link: 1)
        let taken = try #require(world.sent(1).first)
        #expect(taken.method == "tools/call")
        world.childSays(result(taken.id), link: 1)
        #expect(world.replies[third]?.status == 200)
        #expect(world.readings.queued == 0 && world.readings.inFlight == 1)
    }

    @Test("Who waits for a child that dies is served by another")
    func death() throws {
        let world = pool()
        world.post(StatelessRequest(id: "1", capabilities: PoolTests.everything))
        world.post(StatelessRequest(id: "2", capabilities: PoolTests.everything))
        _ = try shakeHands(world, 1)
        let third = world.post(StatelessRequest(id: "3", capabilities: PoolTests.everything))
        world.childSays(result(try #require(world.sent(1).last).id), link: 1)
        let taken = try #require(world.sent(1).first)
        world.childExits(link: 0)
        world.childSays(result(taken.id), link: 1)
        #expect(world.replies[third]?.status == 200)
        // And with the first one gone, the second serves alone.
        world.post(StatelessRequest(id: "4", capabilities: PoolTests.everything))
        #expect(world.sent(1).map(\.method) == ["tools/call"])
        #expect(world.readiness.state == .ready)
    }

    @Test("A session that holds nothing goes to a free child when its own is busy")
    func footloose() throws {
        let world = pool()
        let first = try session(world)
        let second = try session(world)
        _ = world.sent(0)
        world.post(toolCall("1"), session: first)
        #expect(world.sent(0).map(\.method) == ["notifications/initialized", "tools/call"].suffix(1).map { $0 })
        let answer = world.post(toolCall("1"), session: second)
        _ = try shakeHands(world, 1)
        let call = try #require(world.sent(1).last)
        #expect(call.method == "tools/call")
        world.childSays(result(call.id), link: 1)
        #expect(world.replies[answer]?.status == 200)
        // A question on each finds its own client.
        world.childSays(PoolTests.question, link: 0)
        #expect(world.readings.openServerRequests == 1)
    }

    @Test("A session that subscribed stays where its subscription is")
    func bound() throws {
        let world = pool()
        let first = try session(world)
        let second = try session(world)
        let subscribe = #"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a:b"}}"#
        world.post(subscribe, session: first)
        world.childSays(result(try #require(world.sent(0).last).id), link: 0)
        world.post(toolCall("2"), session: second)
        let call = try #require(world.sent(0).last)
        world.post(toolCall("3"), session: first)
        #expect(world.sent(0).isEmpty && world.sent(1).isEmpty, "it waits for its turn")
        world.childSays(result(call.id), link: 0)
        #expect(world.sent(0).map(\.method) == ["tools/call"])
    }

    @Test("Children without a handshake are spoken to at once and serve many callers")
    func stateless() throws {
        let world = World {
            $0.isolation = .pool(2)
            $0.upstreamProtocol = .auto
        }
        world.childStarts(0)
        world.childStarts(1)
        let discover = try #require(world.sent(0).first)
        #expect(world.sent(1).isEmpty)
        let discovered = #"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#
        world.childSays(result(discover.id, discovered), link: 0)
        let second = try #require(world.sent(1).first)
        #expect(second.method == "server/discover")
        world.childSays(result(second.id, discovered), link: 1)
        for id in 1...4 { world.post(StatelessRequest(id: "\(id)")) }
        #expect(world.sent(0).count == 2 && world.sent(1).count == 2)
    }

    @Test("A pool is ready as long as one child is")
    func readiness() {
        let world = pool(of: 3)
        world.childExits(plan: .crashLoop(delayMilliseconds: 1000, attempt: 9), link: 0)
        #expect(world.readiness.state != .ready)
        world.post(StatelessRequest())
        #expect(world.sent(1).map(\.method) == ["initialize"])
    }
}
