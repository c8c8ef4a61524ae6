// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

extension World {
    /// What a child of the stateless revision says of itself.
    static func discovered(id: String, capabilities: String = fullCapabilities, versions: String = #""2026-07-28""#)
        -> String
    {
        result(
            id,
            #"{"resultType":"complete","supportedVersions":[\#(versions)],"capabilities":\#(capabilities),"#
                + #""instructions":"i","ttlMs":5,"cacheScope":"public","#
                + #""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m","version":"2"}}}"#
        )
    }

    /// A world whose child speaks the stateless revision and is ready.
    static func modern(
        capabilities: String = fullCapabilities,
        _ configure: (inout BridgeConfiguration) -> Void = { _ in }
    ) -> World {
        let world = World {
            $0.upstreamProtocol = .auto
            configure(&$0)
        }
        world.modernChildStarts(capabilities: capabilities)
        return world
    }

    func modernChildStarts(capabilities: String = fullCapabilities) {
        childStarts()
        childSays(World.discovered(id: sent().last?.id ?? "?", capabilities: capabilities))
    }

    /// The revision of each process that became ready.
    var revisions: [String] {
        events.compactMap { if case .upstreamReady(let ready) = $0 { ready.revision } else { nil } }
    }

    var violations: Int { eventCount { if case .protocolViolation = $0 { true } else { false } } }
}

@Suite("What a shared child speaks")
struct EraTests {
    private func auto() -> World {
        let world = World { $0.upstreamProtocol = .auto }
        world.childStarts()
        return world
    }

    private func refusal(_ id: String, _ code: Int) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"no"}}"#
    }

    @Test("one that answers server/discover is spoken to without a handshake, also after a restart")
    func modern() throws {
        let world = auto()
        let probe = world.sent()
        #expect(probe.map(\.method) == ["server/discover"])
        #expect(probe[0].token(.metaProtocolVersion) == #""2026-07-28""#)
        world.childSays(World.discovered(id: probe[0].id))
        #expect(world.revisions == ["2026-07-28"] && world.readiness.state == .ready)
        #expect(world.sent().isEmpty, "nothing follows, least of all notifications/initialized")
        world.childExits()
        world.childStarts()
        #expect(world.sent().map(\.method) == ["server/discover"])
        world.pass(.seconds(5))
        #expect(world.sent().isEmpty, "it knew it before: it is only slow")
    }

    @Test(
        "any other answer means a handshake, in the same process, and no probe of those that follow",
        arguments: [-32601, -32602, -1]
    )
    func legacy(code: Int) throws {
        let world = auto()
        world.childSays(refusal(try #require(world.sent().first).id, code))
        let initialize = try #require(world.sent().first)
        #expect(initialize.method == "initialize")
        world.childSays(World.handshake(id: initialize.id))
        #expect(world.revisions == ["2025-11-25"])
        world.childExits()
        world.childStarts()
        #expect(world.sent().map(\.method).last == "initialize")
    }

    @Test("one that is not ready after what was right before is asked anew: it may have been replaced")
    func replaced() throws {
        let world = auto()
        world.childSays(refusal(try #require(world.sent().first).id, -32601))
        world.childSays(World.handshake(id: try #require(world.sent().first).id))
        world.childExits()
        world.childStarts()
        world.childSays(refusal(try #require(world.sent().last).id, -32601))
        #expect(world.failed.map(\.reason) == [.handshakeFailed])
        world.childExits()
        world.childStarts()
        let probe = try #require(world.sent().first)
        #expect(probe.method == "server/discover")
        world.childSays(World.discovered(id: probe.id))
        #expect(world.revisions == ["2025-11-25", "2026-07-28"])
    }

    @Test(
        "an answer to the probe that nobody can read is a refusal like any other",
        arguments: [#""jsonrpc":"2.0","error":"unknown method""#, #""error":{"code":-32601,"message":"no"}"#, nil]
    )
    func unreadable(members: String?) throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        if let members {
            world.childSays(#"{"id":\#(probe.id),\#(members)}"#)
        } else {
            world.childSays(oversize: Int(probe.id), bytes: 1 << 30)
        }
        #expect(world.failed.isEmpty)
        let initialize = try #require(world.sent().first)
        world.childSays(World.handshake(id: initialize.id))
        #expect(world.revisions == ["2025-11-25"])
    }

    @Test(
        "one that answers the probe and is spoiled by it begins with the handshake from then on",
        arguments: [true, false],
        ["{}", nil]
    )
    func spoiled(refusesHandshake: Bool, answer: String?) throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.childSays(answer.map { result(probe.id, $0) } ?? refusal(probe.id, -32601))
        let offered = try #require(world.sent().first)
        if refusesHandshake { world.childSays(refusal(offered.id, -1)) }
        #expect(world.failed.count == (refusesHandshake ? 1 : 0))
        world.childExits(.exit, signal: nil)
        world.childStarts()
        let initialize = try #require(world.sent().first)
        #expect(initialize.method == "initialize")
        world.childSays(World.handshake(id: initialize.id))
        #expect(world.revisions == ["2025-11-25"])
    }

    @Test(
        "an answer that names no revision, or others only, is no answer",
        arguments: ["{}", #"{"supportedVersions":["2025-11-25"]}"#]
    )
    func nonsense(answer: String) throws {
        let world = auto()
        world.childSays(result(try #require(world.sent().first).id, answer))
        #expect(world.sent().map(\.method) == ["initialize"])
    }

    @Test("silence decides nothing: the handshake is offered as well, and a late refusal is no fault")
    func silence() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.milliseconds(2999))
        #expect(world.sent().isEmpty)
        world.pass(.milliseconds(1))
        let initialize = try #require(world.sent().first)
        #expect(initialize.method == "initialize")
        world.pass(.seconds(30))
        world.childSays(refusal(probe.id, -32601))
        #expect(world.sent().isEmpty)
        world.childSays(World.handshake(id: initialize.id))
        #expect(world.revisions == ["2025-11-25"])
        #expect(world.violations == 0)
    }

    @Test("a probe that is never answered takes log messages from nobody")
    func silenceAndLogs() throws {
        let world = auto()
        world.pass(.seconds(3))
        world.childSays(World.handshake(id: try #require(world.sent().last).id))
        let exchange = world.post(StatelessRequest(meta: #""\#(MetaKey.logLevel)":"debug""#))
        world.childSays(
            #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"heard"}}"#
        )
        #expect(world.messages(exchange).count == 1)
    }

    @Test("a child that answers the probe after the handshake goes on as it is")
    func veryLate() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.seconds(3))
        world.childSays(World.handshake(id: try #require(world.sent().first).id))
        world.childSays(World.discovered(id: probe.id))
        #expect(world.revisions == ["2025-11-25"])
        #expect(world.violations == 0 && world.failed.isEmpty)
    }

    @Test("one that started slowly and refuses the handshake after its answer to the probe has none")
    func slowAndLocked() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.seconds(3))
        let initialize = try #require(world.sent().first)
        world.childSays(World.discovered(id: probe.id))
        #expect(world.revisions.isEmpty, "its answer to initialize decides")
        world.childSays(refusal(initialize.id, -32022))
        #expect(world.revisions == ["2026-07-28"])
    }

    @Test("one that started slowly and takes the handshake has been bound by it")
    func slowAndObliging() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.seconds(3))
        let initialize = try #require(world.sent().first)
        world.childSays(World.discovered(id: probe.id))
        world.childSays(World.handshake(id: initialize.id))
        #expect(world.revisions == ["2025-11-25"])
    }

    @Test("one that knows no initialize at all, not even to refuse it, is taken at its word")
    func slowAndSilent() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.seconds(3))
        world.childSays(World.discovered(id: probe.id))
        world.pass(.seconds(60))
        #expect(world.revisions == ["2026-07-28"] && world.failed.isEmpty)
    }

    @Test("one that refuses the handshake for want of one is asked again what it can do")
    func refusedHandshake() throws {
        let world = auto()
        world.pass(.seconds(3))
        let lines = world.sent()
        #expect(lines.map(\.method) == ["server/discover", "initialize"])
        world.childSays(refusal(lines[1].id, -32022))
        let again = try #require(world.sent().first)
        #expect(again.method == "server/discover")
        world.childSays(World.discovered(id: again.id))
        #expect(world.revisions == ["2026-07-28"])
    }

    @Test("one that refuses the handshake in any way before it has answered the probe is waited for")
    func slowAndNew() throws {
        let world = auto()
        let probe = try #require(world.sent().first)
        world.pass(.seconds(3))
        world.childSays(refusal(try #require(world.sent().first).id, -32601))
        world.pass(.seconds(2))
        #expect(world.failed.isEmpty && world.sent().isEmpty)
        world.childSays(World.discovered(id: probe.id))
        #expect(world.revisions == ["2026-07-28"] && world.readiness.state == .ready)
    }

    @Test("it is waited for as long as for any handshake; what it said is the reason then")
    func slowAndUseless() throws {
        let world = auto()
        _ = world.sent()
        world.pass(.seconds(3))
        world.childSays(refusal(try #require(world.sent().first).id, -1))
        world.pass(.seconds(56))
        #expect(world.failed.isEmpty)
        world.pass(.seconds(1))
        #expect(world.failed.map(\.reason) == [.handshakeFailed])
        #expect(world.failed.first?.detail.contains(#"initialize with the error "no""#) == true)
    }

    @Test("the next process's request for a sign of life is answered, whatever the last one spoke")
    func pingOfTheNext() throws {
        let world = World.modern()
        world.childExits()
        world.childStarts()
        _ = world.sent()
        world.childSays(#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
        #expect(world.sent().map(\.text) == [result(#""p""#)])
    }

    @Test(
        "what a child says of itself is mended where it cannot be right",
        arguments: [
            (#""x""#, #"{"name":"unknown","version":"unknown"}"#),
            (#"{"name":"m","title":5}"#, #"{"name":"m","title":5,"version":"unknown"}"#),
            (#"{"name":1,"version":"2"}"#, #"{"version":"2","name":"unknown"}"#),
        ]
    )
    func misfits(info: String, expected: String) throws {
        let world = auto()
        let rest = #""instructions":5,"ttlMs":-1,"cacheScope":"world""#
        let meta = #""_meta":{"io.modelcontextprotocol/serverInfo":\#(info),"x":1}"#
        let answer = #"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},\#(rest),\#(meta)}"#
        world.childSays(result(try #require(world.sent().first).id, answer))
        let discovery = world.body(world.post(StatelessRequest(method: "server/discover", params: "")))
        let mended =
            #"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#
            + #""_meta":{"x":1,"io.modelcontextprotocol/serverInfo":\#(expected)},"ttlMs":0,"cacheScope":"private"}"#
        #expect(discovery?.text == result("1", mended))
        let initialized = world.body(world.post(World.initialize))
        #expect(initialized?.contains(#""serverInfo":\#(expected)}"#) == true)
        #expect(initialized?.contains("instructions") == false)
    }

    @Test("one that goes at the probe begins with the handshake from then on")
    func exits() throws {
        let world = auto()
        _ = world.sent()
        world.childExits(.exit, signal: nil)
        world.childStarts()
        let initialize = try #require(world.sent().first)
        #expect(initialize.method == "initialize")
        world.childSays(World.handshake(id: initialize.id))
        world.childExits()
        world.childStarts()
        #expect(world.sent().map(\.method).last == "initialize")
    }

    @Test("one that goes whatever it is sent is not thought shy")
    func exitsAnyway() {
        let world = auto()
        for expected in ["server/discover", "initialize", "server/discover"] {
            #expect(world.sent().map(\.method) == [expected])
            world.childExits(.exit, signal: nil)
            world.childStarts()
        }
    }

    @Test("pinned to a handshake, it is never probed; pinned to none, it is never offered one")
    func pinned() throws {
        let legacy = World { $0.upstreamProtocol = .legacy }
        legacy.childStarts()
        #expect(legacy.sent().map(\.method) == ["initialize"])
        let modern = World { $0.upstreamProtocol = .modern }
        modern.childStarts()
        let probe = try #require(modern.sent().first)
        modern.pass(.seconds(10))
        #expect(modern.sent().isEmpty)
        modern.childSays(refusal(probe.id, -32601))
        #expect(modern.sent().isEmpty && modern.failed.map(\.reason) == [.handshakeFailed])
        #expect(modern.failed.first?.detail.contains("server/discover") == true)
    }

    @Test("the child of a session is left to its client's handshake")
    func perSession() {
        let world = World {
            $0.upstreamProtocol = .auto
            $0.isolation = .session
        }
        world.childStarts()
        #expect(world.sent().map(\.method) == ["initialize"])
    }

    @Test("calls that came before anybody knew are put into the words of the child", arguments: [true, false])
    func earlyCalls(isModern: Bool) throws {
        let world = auto()
        let exchange = world.post(StatelessRequest(meta: #""progressToken":"p""#))
        let probe = try #require(world.sent().first)
        if isModern {
            world.childSays(World.discovered(id: probe.id))
        } else {
            world.childSays(refusal(probe.id, -32601))
            world.childSays(World.handshake(id: try #require(world.sent().first).id))
        }
        let call = try #require(world.sent().last)
        #expect(call.method == "tools/call" && call.token(.metaProgressToken) == call.id)
        #expect((call.token(.metaProtocolVersion) != nil) == isModern)
        world.childSays(result(call.id, #"{"resultType":"complete","content":[]}"#))
        #expect(world.body(exchange)?.contains(#""content":[]"#) == true)
    }

    @Test("a child that comes back as one of the other kind ends what stands in the old words")
    func changes() throws {
        let world = World.modern()
        let session = try world.openSession()
        let waiting = world.post(StatelessRequest())
        _ = world.sent()
        world.childExits()
        world.childStarts()
        #expect(world.body(waiting)?.contains("upstream_exited") == true)
        let queued = world.post(StatelessRequest())
        world.childSays(refusal(try #require(world.sent().first).id, -32601))
        world.childSays(World.handshake(id: try #require(world.sent().first).id))
        #expect(world.body(queued)?.contains("the MCP server changed") == true)
        let exchange = world.post(toolCall("5"), session: session)
        #expect(world.replies[exchange]?.status == 404)
    }
}
