// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("What gauges and histograms are told")
struct ReadingsTests {
    @Test("in flight, queued, oldest: while calls run and afterwards")
    func calls() throws {
        let world = World.ready { $0.maxInFlight = 1 }
        let session = try world.openSession()
        let arrived = world.now
        world.post(toolCall("1"), session: session)
        world.pass(.seconds(1))
        world.post(toolCall("2"), session: session)
        #expect(world.readings.inFlight == 1)
        #expect(world.readings.queued == 1)
        #expect(world.readings.oldestArrival == arrived)
        #expect(world.readings.activeSessions == 1)
        #expect(world.readings.oldestUnanswered == arrived + .seconds(1))
        let first = try #require(world.sent().first)
        world.childSays(result(first.id))
        world.childSays(result(try #require(world.sent().first).id))
        #expect(world.readings.inFlight == 0)
        #expect(world.readings.queued == 0)
        #expect(world.readings.oldestArrival == nil)
        #expect(world.readings.oldestUnanswered == nil)
        #expect(world.readings.idleSessions == 1)
    }

    @Test("time in the queue is told apart from the child's")
    func queueTime() throws {
        let world = World.ready { $0.maxInFlight = 1 }
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        world.post(toolCall("2"), session: session)
        world.pass(.seconds(2))
        world.childSays(result(try #require(world.sent().first).id))
        world.pass(.seconds(3))
        world.childSays(result(try #require(world.sent().first).id))
        let calls = world.finished.filter { $0.method == .toolsCall }
        #expect(calls.map(\.queued) == [.zero, .seconds(2)])
        let sent = try #require(calls[1].sent)
        #expect(sent - calls[1].arrived == .seconds(2))
        #expect(calls[1].answered.map { $0 - sent } == .seconds(3))
    }

    @Test("streams count while a connection carries them, and their end tells how long that was")
    func streams() throws {
        let world = World.ready()
        let session = try world.openSession()
        let stream = world.get(session: session)
        #expect(world.readings.streams == [.get: 1])
        world.pass(.seconds(7))
        world.goAway(stream)
        #expect(world.readings.streams == [:])
        let durations = world.events.compactMap { event -> TimeAmount? in
            if case .streamClosed(_, .get, .clientGone, _, let duration) = event { duration } else { nil }
        }
        #expect(durations == [.seconds(7)])
    }

    @Test("a child that does not take its stdin: the time counts up while it lasts and stays counted")
    func blockedStdin() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.block()
        world.post(toolCall("1"), session: session)
        world.pass(.seconds(4))
        #expect(world.readings.stdinBlocked == .seconds(4))
        world.unblock()
        world.pass(.seconds(9))
        #expect(world.readings.stdinBlocked == .seconds(4))
    }

    @Test("a child counts as a process from its start to its end")
    func processes() {
        let world = World.ready()
        #expect(world.readings.processes == 1)
        #expect(world.readings.state == .ready)
        world.childExits()
        #expect(world.readings.processes == 0)
        #expect(world.readings.state == .restarting)
    }

    @Test("an exit tells whether the handshake was done")
    func wasReady() {
        let world = World.ready()
        world.childExits()
        world.childStarts()
        world.childExits()
        world.childBecomesReady()
        world.shutDown()
        world.childExits(.stopped, signal: 15, plan: .none)
        let exits = world.events.compactMap { if case .upstreamExited(let exit) = $0 { exit.wasReady } else { nil } }
        #expect(exits == [true, false, true])
    }

    @Test("a session goes by a name that tells nothing of its id, and always by the same")
    func sessionLabel() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        world.childSays(result(try #require(world.sent().first).id))
        _ = world.delete(session: session)
        let labels = world.events.compactMap { event -> String? in
            switch event {
            case .sessionOpened(let opened): opened.session
            case .sessionClosed(let closed): closed.session
            case .requestFinished(let request) where request.method == .toolsCall: request.session
            default: nil
            }
        }
        #expect(labels.count == 3 && Set(labels).count == 1)
        #expect(labels[0].count == 16)
        for length in 4...8 { #expect(!labels[0].contains(session.prefix(length))) }
    }
}

@Suite("Names that may become labels")
struct KnownNamesTests {
    private func names(calling tool: String, after list: String) throws -> KnownName? {
        let world = World.ready()
        let session = try world.openSession()
        world.post(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, session: session)
        world.childSays(result(try #require(world.sent().first).id, list))
        world.post(toolCall("2", tool), session: session)
        world.childSays(result(try #require(world.sent().first).id))
        return try #require(world.finished.last).name
    }

    @Test("a tool is known once the child has listed it")
    func learns() throws {
        #expect(try names(calling: "get_time", after: #"{"tools":[{"name":"get_time"}]}"#)?.text == "get_time")
        #expect(try names(calling: "get_time", after: #"{"tools":[]}"#) == nil)
        #expect(try names(calling: "get_time", after: #"{"prompts":[{"name":"get_time"}]}"#) == nil)
        #expect(try names(calling: "時刻", after: #"{"tools":[{"title":"x","name":"\u6642刻"}]}"#)?.text == "時刻")
    }

    @Test(
        "names that control, hide or are too long are not",
        arguments: ["\\n", "\\u0000", "\\u202e", "\\u200b", String(repeating: "x", count: 129), ""]
    )
    func refuses(name: String) throws {
        #expect(try names(calling: name, after: #"{"tools":[{"name":"\#(name)"}]}"#) == nil)
    }

    @Test("pages add up, and the same list again changes nothing")
    func pages() {
        var names = KnownNames()
        func learn(_ list: String) {
            let message = ByteBuffer(string: list)
            names.learn(from: message, result: .init(0, message.readableBytes), method: .toolsList)
        }
        func number(_ name: String) -> Int? {
            let message = ByteBuffer(string: "\"\(name)\"")
            return names.name(of: .toolsCall, .init(0, message.readableBytes), in: message)?.number
        }
        learn(#"{"tools":[{"name":"a"},{"name":"b"}],"nextCursor":"x"}"#)
        learn(#"{"tools":[{"name":"c"}]}"#)
        learn(#"{"tools":[{"name":"b"},{"name":"a"}]}"#)
        #expect([number("a"), number("b"), number("c")] == [1, 2, 3])
        learn(#"{"tools":[1,null,{"name":7},{"x":"y"}]}"#)
        #expect(number("y") == nil)
    }

    @Test("there is an end to it")
    func capacity() {
        var names = KnownNames()
        let list = (0...KnownNames.capacity).map { #"{"name":"t\#($0)"}"# }.joined(separator: ",")
        let message = ByteBuffer(string: "{\"tools\":[\(list)]}")
        names.learn(from: message, result: .init(0, message.readableBytes), method: .toolsList)
        func isKnown(_ number: Int) -> Bool {
            let message = ByteBuffer(string: "\"t\(number)\"")
            return names.name(of: .toolsCall, .init(0, message.readableBytes), in: message) != nil
        }
        #expect(isKnown(KnownNames.capacity - 1))
        #expect(!isKnown(KnownNames.capacity))
    }
}
