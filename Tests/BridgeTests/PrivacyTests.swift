// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

/// What a child that several clients share knows of one must not reach another, in the odd moments either.
@Suite("Privacy in the odd moments")
struct PrivacyTests {
    private static let question =
        #"{"jsonrpc":"2.0","id":8,"method":"sampling/createMessage","params":{"messages":[],"#
        + #""_meta":{"io.modelcontextprotocol/related-task":{"taskId":"T1"}}}}"#

    private func createTask(_ world: World, _ session: String) -> ExchangeID {
        world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","task":{"ttl":1}}}"#,
            session: session
        )
    }

    private static let task = #"{"task":{"taskId":"T1","status":"working"}}"#

    @Test("a task's question is refused when its session has ended, however alone another one is")
    func orphanedTask() throws {
        let world = World.ready()
        let (owner, other) = (try world.openSession(), try world.openSession())
        _ = createTask(world, owner)
        world.childSays(result(try #require(world.sent().first).id, Self.task))
        world.delete(session: owner)
        let call = world.post(toolCall("2"), session: other)
        _ = world.sent()
        world.childSays(Self.question)
        #expect(world.messages(call).isEmpty)
        #expect(world.sent().first?.errorCode == -32000)
    }

    @Test("a task whose client gave up before it heard of it is cancelled, and its questions are nobody's")
    func abandonedTask() throws {
        let world = World.ready()
        let (owner, other) = (try world.openSession(), try world.openSession())
        _ = createTask(world, owner)
        let call = try #require(world.sent().first)
        world.post(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#, session: owner)
        _ = world.sent()
        world.childSays(result(call.id, Self.task))
        #expect(world.sent().map(\.method) == ["tasks/cancel"])
        let running = world.post(toolCall("2"), session: other)
        _ = world.sent()
        world.childSays(Self.question)
        #expect(world.messages(running).isEmpty)
    }

    @Test("the next process may give the same task ids to others")
    func taskIDsEndWithTheProcess() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        _ = createTask(world, first)
        world.childSays(result(try #require(world.sent().first).id, Self.task))
        world.childExits()
        world.childBecomesReady()
        _ = world.sent()
        _ = createTask(world, second)
        world.childSays(result(try #require(world.sent().first).id, Self.task))
        let stolen = world.post(
            #"{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"T1"}}"#,
            session: first
        )
        #expect(world.body(stolen)?.errorCode == -32602)
        #expect(world.sent().isEmpty)
    }

    @Test("a session calls nothing before initialize, so nothing of it can be taken for another's")
    func noCallsBeforeInitialize() throws {
        let world = World.ready()
        _ = try world.openSession()
        let stream = world.openSSE()
        let id = try #require(world.messages(stream).first).text.split(separator: "=").last.map(String.init)
        world.postSSE(toolCall("1"), session: id)
        #expect(world.messages(stream).last?.errorCode == -32600)
        #expect(world.sent().isEmpty)
    }

    @Test("a log message of one session's call does not reach the only other one")
    func logOfAGhost() throws {
        let world = World.ready()
        let (ended, left) = (try world.openSession(), try world.openSession())
        let stream = world.get(session: left)
        world.post(toolCall("1"), session: ended)
        world.delete(session: ended)
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#)
        #expect(world.messages(stream).isEmpty)
    }

    @Test("an update of a resource nobody here subscribed to is told to nobody; a lost subscription is taken back")
    func lostSubscription() throws {
        let world = World.ready()
        let (ended, left) = (try world.openSession(), try world.openSession())
        let stream = world.get(session: left)
        func subscribe(_ uri: String, _ session: String) throws -> Text {
            world.post(
                #"{"jsonrpc":"2.0","id":4,"method":"resources/subscribe","params":{"uri":"\#(uri)"}}"#,
                session: session
            )
            return try #require(world.sent().last)
        }
        world.childSays(result(try subscribe("a://other", left).id))
        let lost = try subscribe("a://secret", ended)
        world.delete(session: ended)
        _ = world.sent()
        world.childSays(result(lost.id))
        #expect(world.sent().map(\.method) == ["resources/unsubscribe"])
        _ = try world.openSession()
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://secret"}}"#
        )
        #expect(world.messages(stream).isEmpty)
    }

    @Test("a session that subscribes while the child is told of the last one's end is not forgotten")
    func subscriptionRace() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        func ask(_ method: String, _ session: String) {
            world.post(
                #"{"jsonrpc":"2.0","id":4,"method":"resources/\#(method)","params":{"uri":"a://b"}}"#,
                session: session
            )
        }
        ask("subscribe", first)
        world.childSays(result(try #require(world.sent().last).id))
        ask("unsubscribe", first)
        let unsubscribe = try #require(world.sent().last)
        ask("subscribe", second)
        world.childSays(result(unsubscribe.id))
        #expect(world.sent().map(\.method) == ["resources/subscribe"])
    }

    @Test("a broken request of the child does not fail the call that happens to have its id")
    func brokenRequest() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        let id = try #require(world.sent().first).id
        world.childSays(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"elicitation/create","params":{"mode":"a","mode":"b"}}"#
        )
        #expect(world.replies[exchange] == nil)
        world.childSays(result(id))
        #expect(world.body(exchange)?.text == result("1"))
    }

    @Test("nested batches are refused, not unpacked")
    func nestedBatches() throws {
        let world = World.ready()
        world.childSays(String(repeating: "[", count: 300) + "1" + String(repeating: "]", count: 300))
        #expect(world.eventCount { if case .protocolViolation = $0 { true } else { false } } == 1)
    }
}

@Suite("Time")
struct DeadlineTests {
    private static let question =
        #"{"jsonrpc":"2.0","id":8,"method":"sampling/createMessage","params":{"messages":[]}}"#

    private func world() -> World {
        World.ready {
            $0.requestTimeout = .seconds(2)
            $0.clientRequestTimeout = .seconds(30)
        }
    }

    @Test("a call has as long as its client is being asked, and the usual time after the answer")
    func whileAsked() throws {
        let world = world()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1", meta: #","_meta":{"progressToken":1}"#), session: session)
        let id = try #require(world.sent().first).id
        world.childSays(Self.question)
        let asked = try #require(world.messages(exchange).first)
        // Progress must not shorten it.
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(id),"progress":1}}"#
        )
        world.pass(.seconds(20))
        #expect(!world.ended.contains(exchange))
        world.post(result(asked.id), session: session)
        #expect(world.wakeAt <= world.now + .seconds(2))
        world.pass(.seconds(3))
        #expect(world.messages(exchange).last?.errorCode == -32001)
    }

    @Test("a call that was cancelled and never answered is forgotten when no call could still run")
    func lingeringEnds() throws {
        let world = World.ready { $0.maxRequestTime = .seconds(100) }
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        world.delete(session: first)
        _ = world.sent()
        world.pass(.seconds(50))
        let early = world.post(toolCall("2"), session: second)
        world.childSays(Self.question)
        #expect(world.messages(early).isEmpty)
        world.childSays(result(try #require(world.sent().first { $0.method == "tools/call" }).id))
        world.pass(.seconds(51))
        let late = world.post(toolCall("3"), session: second)
        world.childSays(Self.question)
        #expect(world.messages(late).count == 1)
    }
}
