// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Sessions outlive the processes behind them")
struct SupervisionTests {
    @Test("a crash fails what was in flight at once, with the cause; the same session's next call works")
    func crash() throws {
        let world = World.ready()
        let session = try world.openSession()
        let lost = world.post(toolCall("1"), session: session)
        _ = world.sent()
        world.childExits(.signal, signal: 9)
        let error = try #require(world.body(lost))
        #expect(world.replies[lost]?.status == 200)
        #expect(error.contains(#""reason":"upstream_exited""#))
        #expect(error.contains(#""signal":9"#) && error.contains(#""restarting":true"#))
        #expect(!world.readiness.state.isReady)

        let waiting = world.post(toolCall("2"), session: session)
        #expect(world.sent().isEmpty)
        world.childBecomesReady()
        let lines = world.sent()
        #expect(lines.map(\.method) == ["notifications/initialized", "tools/call"])
        world.childSays(result(lines[1].id))
        #expect(world.body(waiting)?.text == result("2"))
        #expect(world.readiness.state.isReady)
    }

    @Test("a call that met a process already gone is not lost: it waits for the next one, in its place")
    func deadPipe() throws {
        let world = World.ready()
        let session = try world.openSession()
        let read = world.post(toolCall("1"), session: session)
        _ = world.sent()
        world.dead.insert(0)
        let unread = [2, 3].map { world.post(toolCall("\($0)"), session: session) }
        world.dead.remove(0)
        world.childExits()
        #expect(world.body(read)?.contains("upstream_exited") == true)
        #expect(unread.allSatisfy { world.replies[$0] == nil })
        world.childBecomesReady()
        let lines = world.sent().filter { $0.method == "tools/call" }
        #expect(lines.count == 2)
        for line in lines { world.childSays(result(line.id)) }
        #expect(unread.map { world.body($0)?.text } == [result("2"), result("3")])
    }

    @Test("a late answer of a dead process cannot answer a new call")
    func generations() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        let old = try #require(world.sent().first)
        world.childExits()
        world.childBecomesReady()
        _ = world.sent()
        let exchange = world.post(toolCall("1"), session: session)
        world.childSays(result(old.id, #"{"old":true}"#))
        #expect(world.replies[exchange] == nil)
    }

    @Test("the standing state is replayed before the waiting calls, and the clients learn what may have changed")
    func replay() throws {
        let world = World.ready()
        let session = try world.openSession()
        let stream = world.get(session: session)
        world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}"#,
            session: session
        )
        world.post(
            #"{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a://b"}}"#,
            session: session
        )
        for line in world.sent() { world.childSays(result(line.id)) }
        world.childExits()
        world.post(toolCall("3"), session: session)
        world.childBecomesReady()
        #expect(
            world.sent().map(\.method)
                == ["notifications/initialized", "logging/setLevel", "resources/subscribe", "tools/call"]
        )
        #expect(
            world.messages(stream).map(\.method) == [
                "notifications/tools/list_changed", "notifications/resources/list_changed",
                "notifications/resources/updated",
            ]
        )
    }

    @Test("what the dead child asked its client for is taken back")
    func takesQuestionsBack() throws {
        let world = World.ready()
        let session = try world.openSession()
        let stream = world.get(session: session)
        world.childSays(#"{"jsonrpc":"2.0","id":4,"method":"elicitation/create","params":{"message":"?"}}"#)
        let question = try #require(world.messages(stream).first)
        world.childExits()
        let cancelled = try #require(world.messages(stream).last)
        #expect(cancelled.method == "notifications/cancelled")
        #expect(cancelled.token(.requestID) == question.id)
        world.post(result(question.id), session: session)
        world.childBecomesReady()
        #expect(!world.sent().contains { $0.id == "4" })
    }

    @Test(
        "a new process that speaks another revision or can do less ends the sessions",
        arguments: [
            ("2025-06-18", World.fullCapabilities), ("2025-11-25", #"{"tools":{"listChanged":true}}"#),
        ]
    )
    func changed(_ revision: String, _ capabilities: String) throws {
        let world = World.ready()
        let session = try world.openSession()
        world.childExits()
        world.childBecomesReady(revision: revision, capabilities: capabilities)
        let exchange = world.post(toolCall("1"), session: session)
        #expect(world.replies[exchange]?.status == 404)
    }

    @Test("in a crash loop callers are refused at once, with the reason; readiness tells it")
    func crashLoop() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.childExits()
        let waiting = world.post(toolCall("1"), session: session)
        world.childExits(.exit, signal: nil, plan: .crashLoop(delayMilliseconds: 1000, attempt: 5))
        #expect(world.body(waiting)?.contains("upstream_unavailable") == true)
        let refused = world.post(toolCall("2"), session: session)
        #expect(world.body(refused)?.contains("upstream_unavailable") == true)
        let initialize = world.post(World.initialize)
        #expect(world.body(initialize)?.contains("upstream_unavailable") == true)
        #expect(world.readiness.state == .crashLoop)
        world.childBecomesReady()
        #expect(world.readiness.state.isReady)
    }

    @Test("initialize waits for a child that is still starting, as long as --connection-timeout allows")
    func initializeWaits() throws {
        let world = World()
        let early = world.post(World.initialize)
        #expect(world.replies[early] == nil)
        world.childBecomesReady()
        #expect(world.replies[early]?.sessionID != nil)

        let slow = World { $0.connectionTimeout = .seconds(2) }
        let exchange = slow.post(World.initialize)
        slow.pass(.seconds(3))
        #expect(slow.body(exchange)?.errorCode == -32001)
        #expect(slow.sessionCount == 0)
    }

    @Test("a handshake that fails or takes too long ends the process")
    func handshakeFailures() throws {
        let world = World { $0.connectionTimeout = .seconds(2) }
        world.childStarts()
        world.pass(.seconds(3))
        #expect(world.failed.map(\.reason) == [.handshakeFailed])
        world.childExits(.handshakeFailed, signal: nil)
        world.childStarts()
        let id = try #require(world.sent().last).id
        world.childSays(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32602,"message":"no"}}"#)
        #expect(world.failed.count == 2)
        #expect(world.failed.last?.detail.contains("\"no\"") == true)
    }

    @Test("a client gets the older of its revision and the child's")
    func revisions() throws {
        let world = World()
        world.childBecomesReady(revision: "2025-06-18")
        for (asked, given) in [
            ("2024-11-05", "2024-11-05"), ("2025-11-25", "2025-06-18"), ("2026-07-28", "2025-06-18"),
            ("nonsense", "2025-06-18"),
        ] {
            let exchange = world.post(World.initialize(revision: asked))
            #expect(world.body(exchange)?.token(.resultProtocolVersion) == "\"\(given)\"")
        }
        let without = world.post(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{}}}"#)
        #expect(world.body(without)?.token(.resultProtocolVersion) == "\"2025-03-26\"")
    }

    @Test("draining refuses new sessions and calls, lets those under way finish, and ends everything at last")
    func drain() throws {
        let world = World.ready()
        let session = try world.openSession()
        let stream = world.get(session: session)
        let running = world.post(toolCall("1"), session: session)
        let call = try #require(world.sent().first)
        world.drain()
        #expect(!world.isDrained)
        let newcomer = world.post(World.initialize)
        #expect(world.replies[newcomer]?.status == 503)
        let refused = world.post(toolCall("2"), session: session)
        #expect(world.body(refused)?.contains("shutting_down") == true)
        world.childSays(result(call.id))
        #expect(world.body(running)?.text == result("1"))
        #expect(world.isDrained)
        world.shutDown()
        #expect(world.ended.contains(stream))
        #expect(world.stopped == [0])
    }
}

@Suite("A child per session")
struct IsolationTests {
    private func world() -> World {
        let world = World { $0.isolation = .session }
        world.childBecomesReady(0)
        world.childExits(.stopped, signal: nil, plan: .none, link: 0)
        return world
    }

    @Test("a probe proves the handshake, then a spare waits for the first session")
    func probe() {
        let world = world()
        #expect(world.stopped == [0])
        #expect(world.started == [0, 1])
        #expect(world.readiness.state.isReady)
        world.childStarts(1)
        #expect(world.sent(1).isEmpty)
    }

    @Test("a session's initialize reaches its own child as it came; requests for its roots come back to it")
    func ownHandshake() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        let line = try #require(world.sent(1).first)
        #expect(line.contains(#""roots":{}"#) && line.contains(#""name":"c""#))
        #expect(world.started == [0, 1, 2])
        world.childSays(World.handshake(id: line.id), link: 1)
        let session = try #require(world.replies[exchange]?.sessionID)
        #expect(world.body(exchange)?.id == "0")
        let stream = world.get(session: session)
        world.childSays(#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#, link: 1)
        #expect(world.messages(stream).map(\.method) == ["roots/list"])
    }

    @Test("an initialize without a revision, or with an unknown one, is made one a child understands")
    func mendsInitialize() throws {
        for (params, expected) in [
            (#"{"capabilities":{}}"#, "2025-03-26"), (#"{}"#, "2025-03-26"),
            (#"{"protocolVersion":"2026-07-28","capabilities":{}}"#, "2025-11-25"),
        ] {
            let world = world()
            world.childStarts(1)
            world.post(#"{"jsonrpc":"2.0","method":"initialize","params":\#(params),"id":"i"}"#)
            let line = try #require(world.sent(1).first)
            #expect(line.token(.protocolVersion) == "\"\(expected)\"")
        }
    }

    @Test("after a crash the client's own handshake is replayed into the next process")
    func replay() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        world.childSays(World.handshake(id: try #require(world.sent(1).first).id), link: 1)
        let session = try #require(world.replies[exchange]?.sessionID)
        world.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, session: session)
        #expect(world.sent(1).map(\.method) == ["notifications/initialized"])
        world.childExits(link: 1)
        let waiting = world.post(toolCall("1"), session: session)
        world.childStarts(1)
        let again = try #require(world.sent(1).first)
        #expect(again.method == "initialize" && again.contains(#""name":"c""#))
        world.childSays(World.handshake(id: again.id), link: 1)
        let lines = world.sent(1)
        #expect(lines.map(\.method) == ["notifications/initialized", "tools/call"])
        world.childSays(result(lines[1].id), link: 1)
        #expect(world.body(waiting)?.text == result("1"))
    }

    @Test("the end of a session is the end of its child")
    func end() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        world.childSays(World.handshake(id: try #require(world.sent(1).first).id), link: 1)
        world.delete(session: world.replies[exchange]?.sessionID)
        #expect(world.stopped.contains(1))
    }

    @Test("a second initialize on one event stream starts no second child")
    func oneInitialize() throws {
        let world = world()
        let stream = world.openSSE()
        let id = try #require(world.messages(stream).first).text.split(separator: "=").last.map(String.init)
        for request in 0..<5 {
            let body = World.initialize.replacing(#""id":0"#, with: #""id":\#(request)"#)
            world.postSSE(body, session: id)
        }
        #expect(world.started == [0, 1, 2])
        world.goAway(stream)
        #expect(world.stopped.contains(1))
    }

    @Test("an answer to initialize that cannot be read leaves neither session nor child")
    func unreadableHandshake() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        let id = try #require(world.sent(1).first).id
        world.childSays(#"{"jsonrpc":"2.0","id":\#(id),"result":{},"result":{}}"#, link: 1)
        #expect(world.body(exchange)?.contains("upstream_answer_invalid") == true)
        #expect(world.sessionCount == 0)
        #expect(world.stopped.contains(1))
    }

    @Test("an initialize whose params are no object is refused at once and takes no child")
    func arrayParams() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":[]}"#)
        #expect(world.body(exchange)?.errorCode == -32600)
        #expect(world.sessionCount == 0)
        #expect(world.started == [0, 1])
    }

    @Test("a next process that can do less ends the session, and its child with it")
    func lessCapable() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        world.childSays(World.handshake(id: try #require(world.sent(1).first).id), link: 1)
        world.childExits(link: 1)
        world.childStarts(1)
        let again = try #require(world.sent(1).first)
        world.childSays(World.handshake(id: again.id, capabilities: "{}"), link: 1)
        #expect(world.stopped.filter { $0 == 1 }.count == 1)
        let late = world.post(toolCall("1"), session: world.replies[exchange]?.sessionID)
        #expect(world.replies[late]?.status == 404)
    }

    @Test("the death of a spare does not make the proxy unready; a spare that cannot live does")
    func deadSpare() {
        let world = world()
        world.childStarts(1)
        world.childExits(link: 1)
        #expect(world.readiness.state.isReady)
        world.childExits(plan: .crashLoop(delayMilliseconds: 1000, attempt: 5), link: 1)
        #expect(!world.readiness.state.isReady)
        world.childStarts(1)
        #expect(world.readiness.state.isReady)
    }

    @Test("children that are being stopped count, so that opening and ending sessions does not outrun them")
    func churn() throws {
        let world = World {
            $0.isolation = .session
            $0.maxSessions = 2
        }
        world.childBecomesReady(0)
        world.childExits(.stopped, signal: nil, plan: .none, link: 0)
        var refused = 0
        for link in 1...20 where refused == 0 {
            world.childStarts(link)
            let exchange = world.post(World.initialize)
            guard let line = world.sent(link).first else {
                refused += world.replies[exchange]?.status == 503 ? 1 : 0
                continue
            }
            world.childSays(World.handshake(id: line.id), link: link)
            world.delete(session: world.replies[exchange]?.sessionID)
        }
        #expect(refused == 1)
    }

    @Test("a refusal by the child is passed on and leaves no session")
    func refusal() throws {
        let world = world()
        world.childStarts(1)
        let exchange = world.post(World.initialize)
        let id = try #require(world.sent(1).first).id
        world.childSays(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32602,"message":"no"}}"#, link: 1)
        #expect(world.body(exchange)?.errorCode == -32602)
        #expect(world.replies[exchange]?.sessionID == nil)
        #expect(world.sessionCount == 0)
    }
}
