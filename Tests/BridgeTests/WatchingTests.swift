// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

/// What is asked of a child without a handshake on behalf of sessions, when all does not go well.
@Suite("Subscriptions of sessions at a child without a handshake")
struct WatchingTests {
    private static let capabilities = #"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#
    private let world = World.modern(capabilities: Self.capabilities)

    /// A session, and the listen that its opening led to.
    private func session(_ revision: String = "2025-11-25") throws -> (id: String, listen: Text?) {
        (try world.openSession(revision: revision), world.sent().first { $0.method == "subscriptions/listen" })
    }

    private func watchedSession() throws -> String {
        let (session, listen) = try session()
        acknowledge(try #require(listen))
        return session
    }

    private func acknowledge(_ line: Text, link: Int = 0) {
        let asked = line.between(#""notifications":"#, #","_meta""#) ?? "{}"
        let meta = #"{"io.modelcontextprotocol/subscriptionId":\#(line.id)}"#
        let params = #"{"notifications":\#(asked),"_meta":\#(meta)}"#
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":\#(params)}"#,
            link: link
        )
    }

    private func refuse(_ line: Text, _ code: Int = -32602) {
        world.childSays(#"{"jsonrpc":"2.0","id":\#(line.id),"error":{"code":\#(code),"message":"no such"}}"#)
    }

    private func subscribe(_ id: Int, _ uri: String, _ session: String) -> ExchangeID {
        let params = #"{"uri":"\#(uri)"}"#
        return world.post(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"resources/subscribe","params":\#(params)}"#,
            session: session
        )
    }

    // MARK: Refusals

    @Test("who waits for what the child refuses gets its error, and others are not held up")
    func refused() throws {
        let session = try watchedSession()
        let bad = subscribe(1, "bad:1", session)
        let line = try #require(world.sent().first)
        let good = subscribe(2, "good:1", session)
        refuse(line)
        #expect(world.body(bad)?.errorCode == -32602 && world.body(bad)?.contains("no such") == true)
        let next = try #require(world.sent().first)
        #expect(next.contains(#""resourceSubscriptions":["good:1"]"#))
        acknowledge(next)
        #expect(world.body(good)?.text == result("2"))
    }

    @Test("a child that refuses to be listened to at all is asked again for who subscribes, and for nobody else")
    func alwaysRefused() throws {
        let (session, listen) = try session()
        refuse(try #require(listen), -32601)
        #expect(world.sent().isEmpty)
        let exchange = subscribe(1, "a:1", session)
        refuse(try #require(world.sent().first), -32601)
        #expect(world.body(exchange)?.errorCode == -32601)
        #expect(world.sent().isEmpty)
        world.pass(.seconds(2))
        #expect(world.sent().map(\.method) == ["subscriptions/listen"])
    }

    @Test(
        "an end before the acknowledgement is an error for who waits",
        arguments: [
            #"{"jsonrpc":"2.0","id":$ID,"result":{"resultType":"complete"}}"#,
            #"{"id":$ID,"result":{}}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":$ID}}"#,
        ]
    )
    func ended(answer: String) throws {
        let session = try watchedSession()
        let first = subscribe(1, "a:1", session)
        let line = try #require(world.sent().first)
        world.childSays(answer.replacing("$ID", with: line.id))
        #expect(world.body(first)?.contains("upstream_answer_invalid") == true)
        let second = subscribe(2, "a:2", session)
        acknowledge(try #require(world.sent().first))
        #expect(world.body(second)?.text == result("2"))
    }

    @Test("silence is an error for who waits, and the child is told that nobody does")
    func silence() throws {
        let session = try watchedSession()
        let exchange = subscribe(1, "a:1", session)
        let line = try #require(world.sent().first)
        world.pass(.seconds(60))
        #expect(world.messages(exchange).last?.errorCode == -32001)
        let told = world.sent()
        #expect(told.map(\.method) == ["notifications/cancelled"] && told[0].token(.requestID) == line.id)
    }

    @Test("an answer to a ping that nobody can read is a sign of life, and the next ping is sent")
    func unreadablePing() throws {
        let session = try watchedSession()
        for id in 1...2 {
            world.post(toolCall("\(id)"), session: session)
            _ = world.sent()
            world.pass(.seconds(300))
            let ping = try #require(world.sent().first { $0.method == "server/discover" })
            world.childSays(#"{"id":\#(ping.id),"result":{}}"#)
        }
        world.pass(.seconds(60))
        #expect(world.failed.isEmpty)
    }

    @Test("nobody waits for a child that keeps failing")
    func crashLoop() throws {
        let session = try watchedSession()
        world.childExits(plan: .crashLoop(delayMilliseconds: 1000, attempt: 9))
        #expect(world.body(subscribe(1, "a:1", session))?.contains("upstream_unavailable") == true)
    }

    // MARK: Limits

    @Test("what waits counts, too: so many resources in one session")
    func limit() throws {
        let session = try session().id
        for id in 0..<Link.maxSubscriptions { _ = subscribe(id, "a:\(id)", session) }
        #expect(world.body(subscribe(-1, "b:1", session))?.contains("subscription_limit") == true)
        world.post(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#, session: session)
        let exchange = subscribe(-2, "b:2", session)
        #expect(world.replies[exchange] == nil, "what was cancelled counts no more")
    }

    @Test("what the child is asked for at once fits into one line of bounded length")
    func bytes() throws {
        let session = try watchedSession()
        let filler = String(repeating: "x", count: 8000)
        var refused = 0
        for id in 0..<140 where world.body(subscribe(id, "a:\(id)\(filler)", session)) != nil { refused += 1 }
        #expect(refused == 140 - Link.maxWatchedBytes / 8004)
        acknowledge(try #require(world.sent().first))
        #expect(world.body(subscribe(-1, "b:\(filler)", session))?.contains("subscription_limit") == true)
        world.delete(session: session)
        let other = try world.openSession()
        #expect(world.body(subscribe(1, "b:\(filler)", other)) == nil, "what was released counts no more")
    }

    @Test("a child that does not read is not sent more")
    func blocked() throws {
        world.block()
        let session = try session().id
        _ = subscribe(1, "a:1", session)
        #expect(world.sent().isEmpty)
        world.unblock()
        let line = try #require(world.sent().first)
        #expect(line.method == "subscriptions/listen" && line.contains(#"["a:1"]"#))
    }

    // MARK: Sessions

    @Test("a client of --stateless, which has no session, is answered, and nothing stays of its subscription")
    func ephemeral() throws {
        let world = World.modern(capabilities: Self.capabilities) { $0.stateless = true }
        let exchange = world.post(#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a:1"}}"#)
        let line = try #require(world.sent().first)
        let meta = #""_meta":{"io.modelcontextprotocol/subscriptionId":\#(line.id)}"#
        let params = #"{"notifications":{"resourceSubscriptions":["a:1"]},\#(meta)}"#
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":\#(params)}"#
        )
        #expect(world.body(exchange)?.text == result("1"))
        #expect(world.sent().map(\.method) == ["notifications/cancelled"])
    }

    @Test("older revisions have no listen", arguments: ["2024-11-05", "2025-11-25"])
    func listen(revision: String) throws {
        let session = try session(revision).id
        let params = #"{"notifications":{"toolsListChanged":true}}"#
        let exchange = world.post(
            #"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":\#(params)}"#,
            session: session
        )
        #expect(world.body(exchange)?.errorCode == -32601)
        #expect(world.replies[exchange]?.status == 200, "404 would say that the session is gone")
        #expect(world.sent().isEmpty)
    }

    @Test("a session that moves to another child of a pool is told of changes there")
    func moved() throws {
        let world = World {
            $0.isolation = .pool(2)
            $0.upstreamProtocol = .auto
        }
        for link in 0...1 { world.childStarts(link) }
        for link in 0...1 {
            let probe = try #require(world.sent(link).first)
            world.childSays(World.discovered(id: probe.id, capabilities: Self.capabilities), link: link)
        }
        let session = try world.openSession()
        let first = try #require(world.sent(0).first)
        let meta = #"{"io.modelcontextprotocol/subscriptionId":\#(first.id)}"#
        let params = #"{"notifications":{"toolsListChanged":true},"_meta":\#(meta)}"#
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":\#(params)}"#
        )
        world.post(StatelessRequest())
        _ = world.sent(0)
        world.post(toolCall("1"), session: session)
        #expect(Set(world.sent(1).map(\.method)) == ["subscriptions/listen", "tools/call"])
        #expect(world.sent(0).map(\.method) == ["notifications/cancelled"], "nobody listens there any more")
    }

    // MARK: Tools

    @Test("a tool that has an object's schema now is not wrapped any more; a new process says anew which are")
    func wrapping() throws {
        let session = try watchedSession()
        func list(_ schema: String) throws {
            world.post(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, session: session)
            let tools = #"[{"name":"t","outputSchema":\#(schema)}]"#
            let id = try #require(world.sent().first).id
            world.childSays(result(id, #"{"resultType":"complete","tools":\#(tools)}"#))
        }
        func content() throws -> String? {
            let exchange = world.post(toolCall("2"), session: session)
            let id = try #require(world.sent().last).id
            world.childSays(result(id, #"{"resultType":"complete","structuredContent":{"a":1}}"#))
            return world.body(exchange)?.token(.result)
        }
        try list(#"{"type":"array"}"#)
        #expect(try content() == #"{"structuredContent":{"result":{"a":1}}}"#)
        try list(#"{"type":"object"}"#)
        #expect(try content() == #"{"structuredContent":{"a":1}}"#)
        try list(#"{"type":"array"}"#)
        world.childExits()
        world.modernChildStarts(capabilities: Self.capabilities)
        #expect(try content() == #"{"structuredContent":{"a":1}}"#)
    }
}
