// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("Calls: own ids, one answer each")
struct CallTests {
    @Test("a client's id comes back with its JSON type; the child sees the proxy's")
    func restoresIDs() throws {
        let world = World.ready()
        let session = try world.openSession()
        for id in ["1", "\"1\"", "\"a-long-string-of-an-id\"", "-7"] {
            let exchange = world.post(toolCall(id), session: session)
            let line = try #require(world.sent().first)
            #expect(line.method == "tools/call")
            #expect(Int(line.id) != nil)
            world.childSays(result(line.id, #"{"content":[]}"#))
            #expect(world.body(exchange)?.text == result(id, #"{"content":[]}"#))
        }
    }

    @Test("two clients that use the same id at once get each their own answer, in any order")
    func sameIDs() throws {
        let world = World.ready()
        let (first, second) = (try world.openSession(), try world.openSession())
        let one = world.post(toolCall("5"), session: first)
        let other = world.post(toolCall("5"), session: second)
        let lines = world.sent()
        world.childSays(result(lines[1].id, #"{"for":"second"}"#))
        world.childSays(result(lines[0].id, #"{"for":"first"}"#))
        #expect(world.body(one)?.text == result("5", #"{"for":"first"}"#))
        #expect(world.body(other)?.text == result("5", #"{"for":"second"}"#))
    }

    @Test("an id already in flight is refused; the twin goes on")
    func duplicateID() throws {
        let world = World.ready()
        let session = try world.openSession()
        let first = world.post(toolCall("5"), session: session)
        let twin = world.post(toolCall("5"), session: session)
        #expect(world.replies[twin]?.status == 400)
        #expect(world.body(twin)?.errorCode == -32600)
        let lines = world.sent()
        #expect(lines.count == 1)
        world.childSays(result(lines[0].id))
        #expect(world.replies[first]?.status == 200)
    }

    @Test("unknown members, odd numbers and key order reach the child as they were")
    func passesBytesThrough() throws {
        let world = World.ready()
        let session = try world.openSession()
        let odd = #"{"z":1e400,"a":12345678901234567890,"s":"\u00e9\/","n":1.0}"#
        let exchange = world.post(
            #"{"x":1,"id":9,"params":\#(odd),"method":"x/raw","jsonrpc":"2.0"}"#,
            session: session
        )
        let line = try #require(world.sent().first)
        #expect(line.text == #"{"x":1,"id":\#(line.id),"params":\#(odd),"method":"x/raw","jsonrpc":"2.0"}"#)
        world.childSays(#"{"result":\#(odd),"y":[],"id":\#(line.id),"jsonrpc":"2.0"}"#)
        #expect(world.body(exchange)?.text == #"{"result":\#(odd),"y":[],"id":9,"jsonrpc":"2.0"}"#)
    }

    @Test("a pretty-printed request reaches the child as one line")
    func flattens() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post("{\r\n\"jsonrpc\":\"2.0\",\n\"id\":1,\n\"method\":\"tools/list\"}", session: session)
        #expect(world.sent().count == 1)
    }

    @Test("progress goes to the call that asked, with its own token, and turns its answer into a stream")
    func progress() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1", meta: #","_meta":{"progressToken":"mine"}"#), session: session)
        let line = try #require(world.sent().first)
        #expect(line.token(.metaProgressToken) == line.id)
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(line.id),"progress":1}}"#
        )
        world.childSays(result(line.id))
        let messages = world.messages(exchange)
        #expect(messages.map { $0.token(.progressToken) } == ["\"mine\"", nil])
        #expect(messages.last?.text == result("1"))
        #expect(world.ended.contains(exchange))
        // The priming event of 2025-11-25: an id, no data.
        #expect(world.streams[exchange]?.first?.data == nil)
        #expect(world.streams[exchange]?.first?.id != nil)
    }

    @Test("ping is answered without the child")
    func ping() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#, session: session)
        #expect(world.body(exchange)?.text == result("\"p\""))
        #expect(world.sent().isEmpty)
    }

    @Test("a cancelled call is answered at once, the child is told its own id, and a late answer is dropped")
    func cancellation() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("\"c\""), session: session)
        let call = try #require(world.sent().first)
        let notification =
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c","reason":"why"}}"#
        let accepted = world.post(notification, session: session)
        #expect(world.replies[accepted]?.status == 202)
        #expect(world.body(exchange)?.errorCode == -32800)
        let cancelled = try #require(world.sent().first)
        #expect(cancelled.token(.requestID) == call.id)
        #expect(cancelled.contains("\"why\""))
        world.childSays(result(call.id))
        #expect(world.eventCount { if case .answerDropped = $0 { true } else { false } } == 1)
    }

    @Test("a call that waits is cancelled without the child hearing of it")
    func cancelsUnwritten() throws {
        let world = World.ready { $0.maxInFlight = 1 }
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        let waiting = world.post(toolCall("2"), session: session)
        let first = world.sent()
        #expect(first.count == 1)
        world.post(
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#,
            session: session
        )
        #expect(world.body(waiting)?.errorCode == -32800)
        world.childSays(result(first[0].id))
        #expect(world.sent().isEmpty)
    }

    @Test("calls that were cancelled while they waited take no place and no memory in the queue")
    func cancelledWaiters() throws {
        let world = World.ready { $0.maxInFlight = 1 }
        let session = try world.openSession()
        world.post(toolCall("0"), session: session)
        for id in 1...500 {
            world.post(toolCall("\(id)"), session: session)
            world.post(
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id)}}"#,
                session: session
            )
        }
        #expect(world.queuedCalls < 100)
    }

    @Test("a session cannot cancel another's call")
    func foreignCancel() throws {
        let world = World.ready()
        let (owner, other) = (try world.openSession(), try world.openSession())
        let exchange = world.post(toolCall("1"), session: owner)
        _ = world.sent()
        world.post(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#, session: other)
        #expect(world.replies[exchange] == nil)
        #expect(world.sent().isEmpty)
    }

    @Test("more calls than may be in flight wait their turn; a full queue refuses with a named reason")
    func queue() throws {
        let world = World.ready {
            $0.maxInFlight = 1
            $0.maxQueue = 1
        }
        let session = try world.openSession()
        let exchanges = (1...3).map { world.post(toolCall("\($0)"), session: session) }
        #expect(world.body(exchanges[2])?.contains("queue_full") == true)
        #expect(world.replies[exchanges[2]]?.status == 200)
        for exchange in exchanges.prefix(2) {
            let lines = world.sent()
            #expect(lines.count == 1)
            world.childSays(result(lines[0].id))
            #expect(world.replies[exchange]?.status == 200)
        }
    }

    @Test("a child that does not read stdin makes calls wait, not vanish")
    func backPressure() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.block()
        world.post(toolCall("1"), session: session)
        #expect(world.sent().isEmpty)
        world.unblock()
        #expect(world.sent().count == 1)
    }

    @Test("no answer in time is a named error; the child is told and asked for a sign of life")
    func timeout() throws {
        let world = World.ready { $0.requestTimeout = .seconds(5) }
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        let call = try #require(world.sent().first)
        world.pass(.seconds(6))
        #expect(world.body(exchange)?.errorCode == -32001)
        let lines = world.sent()
        #expect(lines.map(\.method) == ["notifications/cancelled", "ping"])
        #expect(lines[0].token(.requestID) == call.id)
        // It answers: it was only slow.
        world.childSays(result(lines[1].id))
        world.pass(.seconds(20))
        #expect(world.failed.isEmpty)
    }

    @Test("silence after a timeout condemns the child")
    func unresponsive() throws {
        let world = World.ready { $0.requestTimeout = .seconds(5) }
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        world.pass(.seconds(6))
        world.pass(.seconds(11))
        #expect(world.failed.map(\.reason) == [.unresponsive])
    }

    @Test("a child that said anything since the call was sent is busy, not dead")
    func busyIsNotDead() throws {
        let world = World.ready { $0.requestTimeout = .seconds(5) }
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        world.pass(.seconds(1))
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#)
        world.pass(.seconds(5))
        world.pass(.seconds(11))
        #expect(world.failed.isEmpty)
    }

    @Test("progress extends a call, the hard maximum ends it")
    func hardMaximum() throws {
        let world = World.ready {
            $0.requestTimeout = .seconds(5)
            $0.maxRequestTime = .seconds(12)
        }
        let session = try world.openSession()
        let exchange = world.post(toolCall("1", meta: #","_meta":{"progressToken":1}"#), session: session)
        let id = try #require(world.sent().first).id
        for _ in 0..<3 {
            world.pass(.seconds(4))
            world.childSays(
                #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(id),"progress":1}}"#
            )
        }
        world.pass(.seconds(1))
        #expect(world.messages(exchange).last?.errorCode == -32001)
        #expect(world.messages(exchange).last?.contains("--max-request-time") == true)
    }

    @Test("an answer that takes long becomes a stream, so that no proxy in between cuts a silent connection")
    func streamsLate() throws {
        let world = World.ready()
        let session = try world.openSession()
        let streamed = world.post(toolCall("1"), session: session)
        let plain = world.post(toolCall("2"), session: session, acceptsEventStream: false)
        world.pass(.seconds(11))
        #expect(world.streams[streamed] != nil)
        #expect(world.streams[plain] == nil)
    }

    @Test("the answer to a client that is gone is dropped and counted; the call runs on")
    func goneClient() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        let call = try #require(world.sent().first)
        world.goAway(exchange)
        #expect(world.sent().isEmpty)
        world.childSays(result(call.id))
        #expect(world.replies[exchange] == nil)
        #expect(world.eventCount { if case .answerDropped = $0 { true } else { false } } == 1)
    }

    @Test(
        "garbage on stdout costs that line only",
        arguments: [
            "hello", "{", #"{"jsonrpc":"2.0"}"#, #"{"jsonrpc":"2.0","id":99,"result":{}}"#,
            #"{"jsonrpc":"2.0","id":"x","result":{}}"#, "[1]",
        ]
    )
    func garbage(_ line: String) throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        let call = try #require(world.sent().first)
        world.childSays(line)
        #expect(world.eventCount { if case .protocolViolation = $0 { true } else { false } } >= 1)
        world.childSays(result(call.id))
        #expect(world.body(exchange)?.text == result("1"))
    }

    @Test("an answer that is not valid fails the call it names")
    func invalidAnswer() throws {
        let world = World.ready()
        let session = try world.openSession()
        let exchange = world.post(toolCall("1"), session: session)
        let id = try #require(world.sent().first).id
        world.childSays(#"{"jsonrpc":"1.0","id":\#(id),"result":{}}"#)
        #expect(world.body(exchange)?.contains("upstream_answer_invalid") == true)
    }

    @Test("a duplicate answer goes nowhere")
    func duplicateAnswer() throws {
        let world = World.ready()
        let session = try world.openSession()
        world.post(toolCall("1"), session: session)
        let id = try #require(world.sent().first).id
        world.childSays(result(id))
        world.childSays(result(id))
        let late = world.eventCount {
            if case .protocolViolation(.server, .lateAnswer, _) = $0 { true } else { false }
        }
        #expect(late == 1)
    }

    @Test("a line over the limit fails the call it answers, and no other")
    func oversize() throws {
        let world = World.ready()
        let session = try world.openSession()
        let big = world.post(toolCall("1"), session: session)
        let small = world.post(toolCall("2"), session: session)
        let lines = world.sent()
        world.childSays(oversize: Int(lines[0].id), bytes: 70_000_000)
        world.childSays(result(lines[1].id))
        #expect(world.body(big)?.contains("--max-line") == true)
        #expect(world.body(small)?.text == result("2"))
    }

    @Test("a batch of 2025-03-26 is taken apart and answered as one array")
    func batch() throws {
        let world = World.ready()
        let session = try world.openSession(revision: "2025-03-26")
        let note = #"{"jsonrpc":"2.0","method":"notifications/x"}"#
        let exchange = world.post("[\(toolCall("1")),\(note),\(toolCall("2"))]", session: session)
        let lines = world.sent()
        #expect(lines.map(\.method) == ["tools/call", "notifications/x", "tools/call"])
        world.childSays(result(lines[2].id))
        #expect(world.replies[exchange] == nil)
        world.childSays(result(lines[0].id))
        #expect(world.body(exchange)?.text == "[\(result("2")),\(result("1"))]")
        let notes = world.post("[\(note)]", session: session)
        #expect(world.replies[notes]?.status == 202)
    }

    @Test(
        "a batch where none is allowed, or with the same id twice, or empty, is refused",
        arguments: [
            ("2025-11-25", "[\(toolCall("1"))]"), ("2025-03-26", "[\(toolCall("1")),\(toolCall("1"))]"),
            ("2025-03-26", "[]"), ("2025-03-26", "[\(World.initialize)]"),
        ]
    )
    func badBatch(_ revision: String, _ body: String) throws {
        let world = World.ready()
        let session = try world.openSession(revision: revision)
        let exchange = world.post(body, session: session)
        #expect(world.replies[exchange]?.status == 400)
        #expect(world.body(exchange)?.errorCode == -32600)
        #expect(world.sent().isEmpty)
    }
}
