// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import NIOCore
import SeededRandom
import Testing
import Tracing

@Suite struct SamplerTests {
    private func context(sampled: Bool) -> TraceContext? {
        TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\(sampled ? 1 : 0)")
    }

    private func ids(_ count: Int) -> [TraceID] {
        var generator = SeededGenerator(seed: 7)
        return (0..<count).map { _ in TraceID.random(using: &generator) }
    }

    @Test(arguments: [0, 0.001, 0.1, 0.5, 0.9, 1])
    func recordsTheShareItIsTold(_ ratio: Double) {
        let sampler = Sampler(ratio: ratio, followsParent: false)
        let count = 20_000
        let recorded = ids(count).count { sampler.decision(parent: nil, traceID: $0) }
        // Six standard deviations, so that the seed does not matter.
        let tolerance = 6 * (Double(count) * ratio * (1 - ratio)).squareRoot()
        #expect(abs(Double(recorded) - Double(count) * ratio) <= tolerance)
    }

    @Test func aGreaterRatioRecordsTheSameAndMore() {
        let few = Sampler(ratio: 0.2, followsParent: true)
        let many = Sampler(ratio: 0.3, followsParent: true)
        for id in ids(2000) where few.decision(parent: nil, traceID: id) {
            #expect(many.decision(parent: nil, traceID: id))
        }
    }

    @Test func theLowerHalfOfTheIDDecides() throws {
        let sampler = Sampler(ratio: 0.5, followsParent: false)
        let below = try #require(TraceID(high: .max, low: 0x7fff_ffff_0000_0000))
        let above = try #require(TraceID(high: 0, low: 0x8000_0000_0000_0000))
        #expect(sampler.decision(parent: nil, traceID: below))
        #expect(!sampler.decision(parent: nil, traceID: above))
    }

    @Test(arguments: [0.0, 1.0], [true, false])
    func theParentsDecisionStands(_ ratio: Double, _ isSampled: Bool) throws {
        let parent = try #require(context(sampled: isSampled))
        let following = Sampler(ratio: ratio, followsParent: true)
        let own = Sampler(ratio: ratio, followsParent: false)
        #expect(following.decision(parent: parent, traceID: parent.traceID) == isSampled)
        #expect(own.decision(parent: parent, traceID: parent.traceID) == (ratio == 1))
        #expect(following.decision(parent: nil, traceID: parent.traceID) == (ratio == 1))
    }
}

@Suite struct OperationTests {
    private func text(_ attributes: [Attribute]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: attributes.map { ($0.key, $0.value) })
    }

    @Test func tellsAToolCall() {
        let operation = Operation(
            method: .toolsCall,
            target: "get_time",
            errorType: "-32603",
            errorCode: -32603,
            revision: .v2025_06_18
        )
        #expect(operation.spanName == "tools/call get_time")
        var expected: [String: String] = [
            "mcp.method.name": "tools/call", "gen_ai.tool.name": "get_time",
            "gen_ai.operation.name": "execute_tool", "error.type": "-32603",
            "rpc.response.status_code": "-32603", "mcp.protocol.version": "2025-06-18",
            "network.transport": "pipe",
        ]
        #expect(text(operation.clientAttributes) == expected)
        expected["network.transport"] = "tcp"
        expected["network.protocol.name"] = "http"
        #expect(text(operation.serverAttributes) == expected)
    }

    @Test func tellsOtherMethods() {
        let ping = Operation(method: .ping, revision: .newestHandshake)
        #expect(ping.spanName == "ping")
        #expect(
            text(ping.clientAttributes) == [
                "mcp.method.name": "ping", "network.transport": "pipe", "mcp.protocol.version": "2025-11-25",
            ]
        )
        let prompt = Operation(method: .promptsGet, target: "greeting", revision: .newestHandshake)
        #expect(prompt.spanName == "prompts/get greeting")
        #expect(text(prompt.clientAttributes)["gen_ai.prompt.name"] == "greeting")
        #expect(text(prompt.clientAttributes)["gen_ai.tool.name"] == nil)
    }

    @Test func shortensWhatAPeerNames() {
        let operation = Operation(
            method: .toolsCall,
            target: String(repeating: "é", count: 1000) + "!",
            revision: .newestHandshake
        )
        #expect(operation.target == String(repeating: "é", count: 128))
        let odd = Operation(
            method: .toolsCall,
            target: "x" + String(repeating: "é", count: 128),
            revision: .newestHandshake
        )
        #expect(odd.target?.utf8.count == 255)
    }
}

@Suite struct WallAnchorTests {
    @Test func convertsMomentsBeforeAndAfter() {
        let anchor = WallAnchor(unixNanoseconds: 1_000, at: .uptimeNanoseconds(500))
        #expect(anchor.unixNanoseconds(.uptimeNanoseconds(500)) == 1_000)
        #expect(anchor.unixNanoseconds(.uptimeNanoseconds(700)) == 1_200)
        #expect(anchor.unixNanoseconds(.uptimeNanoseconds(0)) == 500)
        let early = WallAnchor(unixNanoseconds: 100, at: .uptimeNanoseconds(500))
        #expect(early.unixNanoseconds(.uptimeNanoseconds(0)) == 0)
    }

    @Test func readsBothClocks() {
        let now = WallAnchor.now().unixNanoseconds(.now())
        // After 2025, and before 2100.
        #expect((1_735_689_600_000_000_000...4_102_444_800_000_000_000).contains(now))
    }
}
