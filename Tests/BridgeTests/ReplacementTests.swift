// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import Testing

@testable import Bridge

@Suite("A child is replaced by a new one, and no call is lost")
struct ReplacementTests {
    private static let setLevel = #"{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"error"}}"#
    private static let subscribe = #"{"jsonrpc":"2.0","id":8,"method":"resources/subscribe","params":{"uri":"a://b"}}"#

    @Test("the old one answers what it was asked, the new one what comes after it took over")
    func takesOver() throws {
        let world = World.ready()
        let session = try world.openSession()
        let before = world.post(toolCall("1"), session: session)
        let asked = try #require(world.sent().first)
        world.replace()
        #expect(world.started == [0, 1])
        world.childStarts(1)
        let meanwhile = world.post(toolCall("2"), session: session)
        let second = try #require(world.sent().first)
        #expect(world.readiness.state.isReady)

        world.childSays(World.handshake(id: try #require(world.sent(1).last?.id)), link: 1)
        #expect(world.sent(1).map(\.method) == ["notifications/initialized"])
        #expect(world.stopped.isEmpty)
        let after = world.post(toolCall("3"), session: session)
        #expect(world.sent().isEmpty)
        let third = try #require(world.sent(1).first)

        world.childSays(result(asked.id))
        #expect(world.stopped.isEmpty)
        world.childSays(result(second.id))
        #expect(world.stopped == [0])
        world.childExits(.stopped, signal: nil, plan: .none)
        world.childSays(result(third.id), link: 1)
        #expect([before, meanwhile, after].map { world.body($0)?.text } == [result("1"), result("2"), result("3")])
        #expect(world.readiness.state.isReady)
        #expect(world.readings.processes == 1)
        #expect(world.eventCount { if case .upstreamReplaced(1, 0, inFlight: 2) = $0 { true } else { false } } == 1)
        #expect(world.finished.allSatisfy { $0.outcome == .ok })
    }

    @Test("what a session set up is set up again, and clients learn what may have changed")
    func replays() throws {
        let world = World.ready()
        let session = try world.openSession()
        let stream = world.get(session: session)
        world.post(Self.setLevel, session: session)
        world.post(Self.subscribe, session: session)
        for line in world.sent() { world.childSays(result(line.id)) }
        world.replace()
        world.childBecomesReady(1)
        #expect(
            world.sent(1).map(\.method) == ["notifications/initialized", "logging/setLevel", "resources/subscribe"]
        )
        #expect(world.messages(stream).contains { $0.method == "notifications/tools/list_changed" })
        #expect(world.stopped == [0])
    }

    @Test("what was being set up when it took over is set up in the new one, too")
    func replaysWhatWasUnderWay() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(Self.setLevel, session: session)
        world.post(Self.subscribe, session: session)
        let lines = world.sent()
        world.replace()
        world.childBecomesReady(1)
        #expect(world.sent(1).map(\.method) == ["notifications/initialized"])
        for line in lines { world.childSays(result(line.id)) }
        #expect(world.sent(1).map(\.method) == ["logging/setLevel", "resources/subscribe"])
    }

    @Test("calls that waited for the old one go to the new one, and so do those it never read")
    func waitingCalls() throws {
        let world = World.ready { $0.maxInFlight = 1 }
        let session = try world.openSession()
        let first = world.post(toolCall("1"), session: session)
        let second = world.post(toolCall("2"), session: session)
        let line = try #require(world.sent().first)
        world.replace()
        world.childBecomesReady(1)
        let moved = try #require(world.sent(1).last)
        #expect(moved.method == "tools/call")
        world.childSays(result(moved.id), link: 1)
        world.childSays(result(line.id))
        #expect([first, second].map { world.body($0)?.text } == [result("1"), result("2")])
    }

    @Test("a question of the old one still finds its client, and the client's answer the old one")
    func questions() throws {
        let world = World.ready()
        let session = try world.openSession()
        let call = world.post(toolCall("1"), session: session)
        let line = try #require(world.sent().first)
        world.replace()
        world.childBecomesReady(1)
        world.childSays(#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#)
        let question = try #require(world.messages(call).last { $0.method == "sampling/createMessage" })
        world.post(result(question.id), session: session)
        #expect(world.sent().last?.id == #""q""#)
        world.childSays(result(line.id))
        #expect(world.stopped == [0])
    }

    @Test("a new one that fails changes nothing")
    func failure() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.replace()
        // Once is enough while it is under way.
        world.replace()
        #expect(world.started == [0, 1])
        world.childStarts(1)
        world.childExits(.exit, signal: nil, link: 1)
        #expect(world.stopped == [1])
        #expect(world.readiness.state.isReady)
        #expect(world.eventCount { if case .replacementFailed(1, _) = $0 { true } else { false } } == 1)
        let call = world.post(toolCall("1"), session: session)
        world.childSays(result(try #require(world.sent().first).id))
        #expect(world.body(call)?.text == result("1"))
    }

    @Test("an old one that dies costs what it still had to answer, and is not started again")
    func deathOfTheOld() throws {
        let world = World.ready()
        let session = try world.openSession()
        let lost = world.post(toolCall("1"), session: session)
        world.replace()
        world.childBecomesReady(1)
        _ = world.sent(1)
        world.childExits()
        #expect(world.body(lost)?.contains("upstream_exited") == true)
        #expect(world.stopped == [0])
        let call = world.post(toolCall("2"), session: session)
        world.childSays(result(try #require(world.sent(1).first).id), link: 1)
        #expect(world.body(call)?.text == result("2"))
    }

    @Test("one that can do less ends the sessions, as after a crash")
    func change() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.replace()
        world.childBecomesReady(1, capabilities: #"{"tools":{}}"#)
        #expect(world.sessionCount == 0)
        let call = world.post(toolCall("1"), session: session)
        #expect(world.replies[call]?.status == 404)
        _ = try world.openSession()
    }

    @Test("one that was cancelled or whose client is gone does not hold the old one")
    func endOfSessions() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        _ = world.sent()
        world.replace()
        world.childBecomesReady(1)
        world.delete(session: session)
        #expect(world.sent().map(\.method) == ["notifications/cancelled"])
        #expect(world.stopped == [0])
    }

    @Test("the replacement can be replaced")
    func again() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.replace()
        world.childBecomesReady(1)
        world.replace()
        world.childBecomesReady(2)
        #expect(world.stopped == [0, 1])
        _ = world.sent(2)
        let call = world.post(toolCall("1"), session: session)
        world.childSays(result(try #require(world.sent(2).first).id), link: 2)
        #expect(world.body(call)?.text == result("1"))
    }

    @Test("with a child for each session the spare one is new, and sessions keep theirs")
    func spare() throws {
        let world = World { $0.isolation = .session }
        world.childBecomesReady()
        world.childExits(.stopped, signal: nil, plan: .none)
        #expect(world.started == [0, 1])
        world.childStarts(1)
        world.replace()
        #expect(world.stopped.last == 1)
        #expect(world.started == [0, 1, 2])
    }
}
