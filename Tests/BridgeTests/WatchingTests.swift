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
}
