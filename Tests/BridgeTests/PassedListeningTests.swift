// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

/// What is kept of a client is little, whatever it sends.
@Suite("subscriptions/listen over a child without a handshake, and what is kept of clients")
struct PassedListeningTests {
    private let world = World.modern()
    private let subscription = #""io.modelcontextprotocol/subscriptionId":"l""#

    private func listen(_ members: String, capabilities: String = "{}") -> StatelessRequest {
        StatelessRequest(
            id: #""l""#,
            method: "subscriptions/listen",
            params: members,
            capabilities: capabilities,
            meta: #""progressToken":"p""#
        )
    }

    private let wanted = #""notifications":{"promptsListChanged":true,"resourceSubscriptions":["a:1","a:2"]}"#

    /// A client that listens, and the request to the child.
    private func listener() throws -> (ExchangeID, Text) {
        let exchange = world.post(listen(wanted))
        return (exchange, try #require(world.sent().first))
    }

    private func tell(_ line: Text, _ method: String, _ members: String = "") {
        let meta = #""_meta":{"io.modelcontextprotocol/subscriptionId":\#(line.id)}"#
        let rest = members.isEmpty ? "" : members + ","
        world.childSays(#"{"jsonrpc":"2.0","method":"notifications/\#(method)","params":{\#(rest)\#(meta)}}"#)
    }

    private func text(of bytes: Int) -> String { String(repeating: "x", count: bytes) }

    // MARK: What comes

    @Test("an answer that nobody can read ends it with an error", arguments: [#""result":{}"#, #""error":5"#])
    func unreadable(answer: String) throws {
        let (exchange, line) = try listener()
        world.childSays(#"{"id":\#(line.id),\#(answer)}"#)
        #expect(world.messages(exchange).last?.contains("upstream_answer_invalid") == true)
        #expect(world.ended.contains(exchange) && world.sessionCount == 0)
    }
}
