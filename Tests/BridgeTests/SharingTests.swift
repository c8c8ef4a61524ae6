// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

private func sampling(_ id: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#
}

@Suite("One child for several clients: nobody sees what is another's")
struct SharingTests {
    @Test("a request of the child goes to the only session that runs a call; its answer finds the way back")
    func serverRequest() throws {
        let world = World.ready()
        let (asker, _) = (try world.openSession(), try world.openSession())
        let exchange = world.post(toolCall("1"), session: asker)
        let call = try #require(world.sent().first)
        world.childSays(sampling("\"child-7\""))
        let question = try #require(world.messages(exchange).first)
        #expect(question.method == "sampling/createMessage")
        #expect(question.id != "\"child-7\"")
        let answer = world.post(result(question.id, #"{"role":"assistant"}"#), session: asker)
        #expect(world.replies[answer]?.status == 202)
        #expect(world.sent().map(\.text) == [result("\"child-7\"", #"{"role":"assistant"}"#)])
        world.childSays(result(call.id))
        #expect(world.messages(exchange).last?.text == result("1"))
    }

    @Test("another session cannot answer it")
    func foreignAnswer() throws {
        let world = World.ready()
        let (asker, other) = (try world.openSession(), try world.openSession())
        let exchange = world.post(toolCall("1"), session: asker)
        _ = world.sent()
        world.childSays(sampling("7"))
        let question = try #require(world.messages(exchange).first)
        world.post(result(question.id), session: other)
        #expect(world.sent().isEmpty)
    }

    @Test("the first ambiguous request is refused, then calls of different sessions take turns")
    func turns() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        let one = world.post(toolCall("1"), session: first)
        let two = world.post(toolCall("2"), session: second)
        let calls = world.sent()
        world.childSays(sampling("1"))
        let refusal = try #require(world.sent().first)
        #expect(refusal.errorCode == -32000)
        #expect(refusal.contains("ambiguous_client"))
        #expect(world.messages(one).isEmpty && world.messages(two).isEmpty)
        #expect(world.eventCount { if case .upstreamTakesTurns = $0 { true } else { false } } == 1)
        for call in calls { world.childSays(result(call.id)) }

        let third = world.post(toolCall("3"), session: first)
        world.post(toolCall("4"), session: second)
        let lines = world.sent()
        #expect(lines.count == 1)
        world.childSays(sampling("2"))
        #expect(world.messages(third).first?.method == "sampling/createMessage")
        world.childSays(result(lines[0].id))
        #expect(world.sent().map(\.method) == ["tools/call"])
    }

    @Test("that a child takes turns outlives its process")
    func turnsAreRemembered() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        world.post(toolCall("2"), session: second)
        world.childSays(sampling("1"))
        world.childExits()
        world.childBecomesReady()
        _ = world.sent()
        world.post(toolCall("3"), session: first)
        world.post(toolCall("4"), session: second)
        #expect(world.sent().count == 1)
    }

    @Test("a client that calls a tool to answer a question of the same server is not made to wait for its own turn")
    func nestedCall() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        world.post(toolCall("2"), session: second)
        for call in world.sent() {
            world.childSays(sampling("1"))
            world.childSays(result(call.id))
        }
        _ = world.sent()
        let outer = world.post(toolCall("3"), session: first)
        world.post(toolCall("4"), session: second)
        _ = world.sent()
        world.childSays(sampling("5"))
        #expect(world.messages(outer).count == 1)
        world.post(toolCall("6"), session: first)
        #expect(world.sent().map(\.method) == ["tools/call"])
    }

    @Test("a busy session lets go of its turn when another waits")
    func fairness() throws {
        var turns = Turns()
        let (busy, waiting) = (SessionKey(number: 1), SessionKey(number: 2))
        turns.takeTurns()
        #expect(turns.mayStart(busy, isAnswering: false, othersWait: false))
        turns.started(busy)
        #expect(turns.mayStart(busy, isAnswering: false, othersWait: false))
        #expect(!turns.mayStart(busy, isAnswering: false, othersWait: true))
        #expect(!turns.mayStart(waiting, isAnswering: false, othersWait: true))
        turns.finished(busy, wasLingering: false)
        #expect(turns.mayStart(waiting, isAnswering: false, othersWait: false))
    }

    @Test("lists don't wait for turns")
    func listsPass() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        world.post(toolCall("2"), session: second)
        world.childSays(sampling("1"))
        _ = world.sent()
        world.post(#"{"jsonrpc":"2.0","id":9,"method":"tools/list"}"#, session: second)
        #expect(world.sent().map(\.method) == ["tools/list"])
    }

    @Test(
        "a call of an ended session that still runs makes requests refused",
        arguments: ["delete", "timeout", "cancel"]
    )
    func ghosts(_ end: String) throws {
        let world = World.ready { $0.requestTimeout = .seconds(5) }
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        switch end {
        case "delete": world.delete(session: first)
        case "timeout": world.pass(.seconds(6))
        default:
            world.post(
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
                session: first
            )
        }
        let two = world.post(toolCall("2"), session: second)
        _ = world.sent()
        world.childSays(sampling("1"))
        #expect(world.messages(two).isEmpty)
        #expect(world.sent().first?.contains("ambiguous_client") == true)
    }

    @Test("a call that was cancelled and never answered lets others have their turn, but may still ask")
    func lingering() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        world.post(toolCall("1"), session: first)
        world.post(toolCall("2"), session: second)
        let calls = world.sent()
        world.childSays(sampling("1"))
        world.childSays(result(calls[1].id))
        world.post(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#, session: first)
        _ = world.sent()
        let next = world.post(toolCall("3"), session: second)
        #expect(world.sent().isEmpty)
        world.pass(.seconds(31))
        #expect(world.sent().map(\.method) == ["tools/call"])
        world.childSays(sampling("2"))
        #expect(world.messages(next).isEmpty)
    }

    @Test(
        "a request the client did not declare is refused at once",
        arguments: ["roots/list", "sampling/createMessage"]
    )
    func undeclared(_ method: String) throws {
        let world = World.ready()
        let initialize = World.initialize(capabilities: #"{"elicitation":{},"roots":{}}"#)
        let opened = world.post(initialize)
        let session = try #require(world.replies[opened]?.sessionID)
        let exchange = world.post(toolCall("1"), session: session)
        _ = world.sent()
        world.childSays(#"{"jsonrpc":"2.0","id":3,"method":"\#(method)"}"#)
        #expect(world.sent().first?.errorCode == -32601)
        #expect(world.messages(exchange).isEmpty)
    }

    @Test("a client that does not answer in time is told to forget it, and the child gets an error")
    func clientTimeout() throws {
        let world = World.ready { $0.clientRequestTimeout = .seconds(30) }
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        _ = world.sent()
        world.childSays(sampling("7"))
        let question = try #require(world.messages(exchange).first)
        world.pass(.seconds(31))
        let error = try #require(world.sent().first)
        #expect(error.id == "7" && error.errorCode == -32001)
        #expect(world.messages(exchange).last?.token(.requestID) == question.id)
        // The call itself goes on.
        #expect(!world.ended.contains(exchange))
    }

    @Test("log messages reach a client only when it is the only one")
    func logs() throws {
        let message = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#
        let world = World.ready()
        let first = try world.openSession()
        let stream = world.get(session: first)
        world.childSays(message)
        #expect(world.messages(stream).map(\.method) == ["notifications/message"])
        _ = try world.openSession()
        world.childSays(message)
        #expect(world.messages(stream).count == 1)
        #expect(world.eventCount { if case .upstreamLog = $0 { true } else { false } } == 1)
    }

    @Test("the child is told the most verbose level; a level it already has is not told again")
    func logLevel() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        func set(_ level: String, _ session: String) -> ExchangeID {
            world.post(
                #"{"jsonrpc":"2.0","id":4,"method":"logging/setLevel","params":{"level":"\#(level)"}}"#,
                session: session
            )
        }
        _ = set("warning", first)
        let line = try #require(world.sent().first)
        #expect(line.token(.level) == "\"warning\"")
        world.childSays(result(line.id))
        let second1 = set("error", second)
        #expect(world.body(second1)?.text == result("4"))
        #expect(world.sent().isEmpty)
        _ = set("debug", second)
        #expect(world.sent().first?.token(.level) == "\"debug\"")
    }

    @Test("subscriptions are counted: the child hears of the first and the last, updates reach the subscribers")
    func subscriptions() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        let streams = [first, second].map { world.get(session: $0) }
        func ask(_ method: String, _ session: String) -> ExchangeID {
            world.post(
                #"{"jsonrpc":"2.0","id":4,"method":"resources/\#(method)","params":{"uri":"a://b"}}"#,
                session: session
            )
        }
        _ = ask("subscribe", first)
        let line = try #require(world.sent().first)
        world.childSays(result(line.id))
        let again = ask("subscribe", second)
        #expect(world.body(again)?.text == result("4"))
        #expect(world.sent().isEmpty)
        let update = #"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://b"}}"#
        world.childSays(update)
        #expect(streams.map { world.messages($0).count } == [1, 1])
        _ = ask("unsubscribe", first)
        #expect(world.sent().isEmpty)
        world.childSays(update)
        #expect(streams.map { world.messages($0).count } == [1, 2])
        world.delete(session: second)
        #expect(world.sent().map(\.method) == ["resources/unsubscribe"])
    }

    @Test("list changes reach every session, kept for those that have no stream open yet")
    func listChanged() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        let open = world.get(session: first)
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        #expect(world.messages(open).count == 1)
        let late = world.get(session: second)
        #expect(world.messages(late).count == 1)
    }

    @Test("an unknown notification goes to everybody when no call runs, to nobody when it could be several clients'")
    func unknownNotification() throws {
        let world = World.ready()
        let sessions = [try world.openSession(), try world.openSession()]
        let streams = sessions.map { world.get(session: $0) }
        let note = #"{"jsonrpc":"2.0","method":"notifications/x","params":{}}"#
        world.childSays(note)
        #expect(streams.map { world.messages($0).count } == [1, 1])
        for (index, session) in sessions.enumerated() { world.post(toolCall("\(index)"), session: session) }
        world.childSays(note)
        #expect(streams.map { world.messages($0).count } == [1, 1])
    }

    @Test("a task is its session's alone")
    func tasks() throws {
        let world = World.ready()
        let (owner, other) = (try world.openSession(), try world.openSession())
        world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","task":{"ttl":1}}}"#,
            session: owner
        )
        let call = try #require(world.sent().first)
        world.childSays(result(call.id, #"{"task":{"taskId":"T1","status":"working"}}"#))
        func get(_ session: String) -> ExchangeID {
            world.post(#"{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":"T1"}}"#, session: session)
        }
        let foreign = get(other)
        #expect(world.body(foreign)?.errorCode == -32602)
        #expect(world.sent().isEmpty)
        _ = get(owner)
        let asked = try #require(world.sent().first)
        #expect(asked.method == "tasks/get")
        world.childSays(result(asked.id))
        let list = world.post(#"{"jsonrpc":"2.0","id":3,"method":"tasks/list"}"#, session: owner)
        #expect(world.body(list)?.errorCode == -32601)
        // A request that names the task finds its owner although nothing runs and several sessions are open.
        let stream = world.get(session: owner)
        world.childSays(
            #"{"jsonrpc":"2.0","id":8,"method":"elicitation/create","params":{"message":"m","#
                + #""_meta":{"io.modelcontextprotocol/related-task":{"taskId":"T1"}}}}"#
        )
        #expect(world.messages(stream).last?.method == "elicitation/create")
    }

    @Test("DELETE of a session answers its calls, refuses what it was asked and leaves the other's alone")
    func deletion() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        let own = world.post(toolCall("1"), session: first)
        _ = world.sent()
        world.childSays(sampling("5"))
        let other = world.post(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, session: second)
        let list = try #require(world.sent().first)
        let deleted = world.delete(session: first)
        #expect(world.replies[deleted]?.status == 200)
        #expect(world.messages(own).last?.errorCode == -32800)
        let lines = world.sent()
        #expect(lines.map(\.id).contains("5"))
        #expect(lines.contains { $0.method == "notifications/cancelled" })
        world.childSays(result(list.id))
        #expect(world.body(other)?.text == result("1"))
        let twice = world.delete(session: first)
        #expect(world.replies[twice]?.status == 404)
    }
}
