// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Sessions and streams")
struct SessionTests {
    @Test("a request without a session is refused with 400, one of an unknown session with 404")
    func sessions() throws {
        let world = World.ready()
        let missing = world.post(toolCall("\"x\""))
        #expect(world.replies[missing]?.status == 400)
        #expect(world.body(missing)?.id == "\"x\"")
        let unknown = world.post(toolCall("1"), session: "nope")
        #expect(world.replies[unknown]?.status == 404)
        let get = world.get(session: "nope")
        #expect(world.replies[get]?.status == 404)
    }

    @Test("the stateless revision is turned away quickly, so that its clients fall back to initialize")
    func discover() {
        let world = World.ready()
        let exchange = world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{}}}"#,
            version: "2026-07-28"
        )
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.errorCode == -32600)
    }

    @Test("an unsupported version header is refused, a known one other than the negotiated is tolerated")
    func versions() throws {
        let world = World.ready()
        let session = try world.openSession()
        let bad = world.post(toolCall("1"), session: session, version: "1999-01-01")
        #expect(world.replies[bad]?.status == 400)
        #expect(world.sent().isEmpty)
        world.post(toolCall("1"), session: session, version: "2025-03-26")
        #expect(world.sent().count == 1)
    }

    @Test("a second initialize in a session is refused")
    func secondInitialize() throws {
        let world = World.ready()
        let session = try world.openSession()
        let again = world.post(World.initialize, session: session)
        #expect(world.replies[again]?.status == 400)
    }

    @Test("more sessions than allowed: 503 with Retry-After; an ended one makes room")
    func limit() throws {
        let world = World.ready { $0.maxSessions = 1 }
        let session = try world.openSession()
        let refused = world.post(World.initialize)
        #expect(world.replies[refused]?.status == 503)
        #expect(world.replies[refused]?.retryAfter != nil)
        world.delete(session: session)
        _ = try world.openSession()
    }

    @Test("session ids are long, different, and never shown whole")
    func ids() throws {
        let world = World.ready()
        let ids = try (0..<20).map { _ in try world.openSession() }
        #expect(Set(ids).count == 20)
        #expect(ids.allSatisfy { $0.count == 48 })
        for event in world.events {
            for id in ids { #expect(!"\(event)".contains(id)) }
        }
    }

    @Test("events tell what a client calls itself, and how it calls its requests")
    func words() throws {
        let world = World.ready()
        let session = try world.openSession()
        let opened = world.events.compactMap { event in
            if case .sessionOpened(let opened) = event { "\(opened.clientName) \(opened.clientVersion)" } else { nil }
        }
        #expect(opened == ["c 1"])
        for id in ["17", "\"a b\""] {
            world.post(toolCall(id), session: session)
            world.childSays(result(try #require(world.sent().last).id))
        }
        #expect(world.finished.map(\.id) == ["0", "17", "\"a b\""])
    }

    @Test("an idle session ends; one with an open stream does not")
    func idle() throws {
        let world = World.ready { $0.sessionIdleTimeout = .seconds(60) }
        let (idle, busy) = (try world.openSession(), try world.openSession())
        _ = world.get(session: busy)
        world.pass(.seconds(61))
        let gone = world.post(toolCall("1"), session: idle)
        #expect(world.replies[gone]?.status == 404)
        world.post(toolCall("1"), session: busy)
        #expect(world.sent().last?.method == "tools/call")
    }

    @Test("a stream that broke is resumed: what was missed comes again, then the rest")
    func resumption() throws {
        let world = World.ready()
        let session = try world.openSession()
        let first = world.post(toolCall("1", meta: #","_meta":{"progressToken":1}"#), session: session)
        let call = try #require(world.sent().first)
        func progress(_ value: Int) {
            world.childSays(
                #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(call.id),"progress":\#(value)}}"#
            )
        }
        progress(1)
        let seen = try #require(world.streams[first]?.last?.id)
        world.goAway(first)
        progress(2)
        let second = world.get(session: session, lastEventID: seen)
        #expect(world.messages(second).count == 1)
        #expect(world.messages(second)[0].contains(#""progress":2"#))
        world.childSays(result(call.id))
        #expect(world.messages(second).last?.text == result("1"))
        #expect(world.ended.contains(second))
        // And once more, after the end.
        let third = world.get(session: session, lastEventID: seen)
        #expect(world.messages(third).count == 2)
        #expect(world.ended.contains(third))
    }

    @Test("an event id of another session, or none at all, is refused")
    func foreignEventID() throws {
        let world = World.ready()
        let (mine, other) = (try world.openSession(), try world.openSession())
        let stream = world.get(session: other)
        let foreign = try #require(world.streams[stream]?.first?.id)
        for id in [foreign, "x", "a-1-1", ""] {
            let exchange = world.get(session: mine, lastEventID: id)
            #expect(world.replies[exchange]?.status == 400)
        }
    }

    @Test("the event store keeps within its count and its bytes")
    func store() {
        var store = EventStore(maxEvents: 3, maxBytes: 100)
        for sequence in 1...5 { store.append(stream: 0, sequence: sequence, data: ByteBuffer(string: "x")) }
        #expect(store.events(of: 0, after: 0).map(\.sequence) == [3, 4, 5])
        store.append(stream: 1, sequence: 1, data: ByteBuffer(repeating: 0, count: 99))
        #expect(store.events(of: 0, after: 0).map(\.sequence) == [5])
        #expect(store.bytes == 100)
    }

    @Test("all sessions together keep no more than allowed; what an ended one kept makes room")
    func storeOfAll() throws {
        let world = World.ready { $0.maxBuffered = 300 }
        let (first, second) = (try world.openSession(), try world.openSession())
        let note = #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
        for _ in 0..<10 { world.childSays(note) }
        let kept = [first, second].map { world.messages(world.get(session: $0)).count }
        #expect(kept.reduce(0, +) * note.utf8.count <= 300)
        #expect(kept.reduce(0, +) >= 3)
        world.delete(session: first)
        for _ in 0..<10 { world.childSays(note) }
        #expect(world.bufferedBytes <= 300)
        world.delete(session: second)
        #expect(world.bufferedBytes == 0)
    }

    @Test("a second GET takes over from the first, which may hang on a dead connection")
    func takeOver() throws {
        let world = World.ready()
        let session = try world.openSession()
        let first = world.get(session: session)
        let second = world.get(session: session)
        #expect(world.ended.contains(first))
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        #expect(world.messages(second).count == 1)
    }

    @Test("without an event store there are no ids and no priming event")
    func noStore() throws {
        let world = World.ready { $0.eventStore = false }
        let session = try world.openSession()
        let stream = world.get(session: session)
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        #expect(world.streams[stream]?.map(\.id) == [nil])
    }

    @Test("older revisions get ids but no priming event", arguments: ["2025-03-26", "2025-06-18"])
    func noPriming(_ revision: String) throws {
        let world = World.ready()
        let stream = world.get(session: try world.openSession(revision: revision))
        #expect(world.streams[stream]?.isEmpty == true)
    }

    @Test("the 2024-11-05 transport: endpoint first, answers on the stream, and its end is the session's")
    func sse() throws {
        let world = World.ready()
        let stream = world.openSSE()
        let endpoint = try #require(world.streams[stream]?.first)
        #expect(endpoint.name == "endpoint")
        let path = try #require(world.messages(stream).first).text
        #expect(path.hasPrefix("/sse/messages?sessionId="))
        let id = String(path.dropFirst("/sse/messages?sessionId=".count))
        let posted = world.postSSE(World.initialize(revision: "2024-11-05"), session: id)
        #expect(world.replies[posted]?.status == 202)
        #expect(world.messages(stream).last?.token(.resultProtocolVersion) == "\"2024-11-05\"")
        world.postSSE(toolCall("1"), session: id)
        let call = try #require(world.sent().last)
        world.childSays(result(call.id))
        #expect(world.messages(stream).last?.text == result("1"))
        world.postSSE(toolCall("2"), session: id)
        _ = world.sent()
        world.goAway(stream)
        #expect(world.sent().map(\.method) == ["notifications/cancelled"])
        let late = world.postSSE(toolCall("3"), session: id)
        #expect(world.replies[late]?.status == 404)
        // Nor does its id open the other transport.
        let other = world.post(toolCall("3"), session: id)
        #expect(world.replies[other]?.status == 404)
    }

    @Test("stateless: every POST stands alone")
    func stateless() throws {
        let world = World.ready { $0.stateless = true }
        let opened = world.post(World.initialize)
        #expect(world.replies[opened]?.status == 200)
        #expect(world.replies[opened]?.sessionID == nil)
        let exchange = world.post(toolCall("1"))
        world.childSays(result(try #require(world.sent().last).id))
        #expect(world.body(exchange)?.text == result("1"))
        let batch = world.post(
            "[\(toolCall("1")),\(#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)]",
            version: "2025-03-26"
        )
        world.childSays(result(try #require(world.sent().last).id))
        #expect(world.body(batch)?.contains(result("2")) == true)
        #expect(world.sessionCount == 0)
        let get = world.get(session: nil)
        #expect(world.replies[get]?.status == 405)
    }

    @Test("a client that leaves while it initializes leaves no session behind")
    func leavesEarly() throws {
        let world = World()
        let exchange = world.post(World.initialize)
        #expect(world.sessionCount == 1)
        world.goAway(exchange)
        #expect(world.sessionCount == 0)
        world.childBecomesReady()
        #expect(world.replies[exchange] == nil)
    }
}
