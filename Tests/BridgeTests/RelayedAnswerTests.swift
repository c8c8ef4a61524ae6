// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore
import Testing

@testable import Bridge

@Suite("What a child without a handshake may answer")
struct RelayedAnswerTests {
    @Test(
        "an error without a code or a message is an internal one",
        arguments: [
            ("{}", #"{"code":-32603,"message":"the MCP server gave no reason"}"#),
            (#"{"code":"x","message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":1.5,"message":"m","data":[1]}"#, #"{"code":-32603,"message":"m","data":[1]}"#),
            (#"{"code":-32002.0,"message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":-32042e0,"message":"m"}"#, #"{"code":-32603,"message":"m"}"#),
            (#"{"code":-1,"message":5}"#, #"{"code":-32603,"message":"the MCP server gave no reason"}"#),
        ],
        [true, false]
    )
    func errors(texts: (fromChild: String, toClient: String), isModern: Bool) throws {
        let world = isModern ? World.modern() : World.ready()
        let session = try world.openSession()
        _ = world.sent()
        let exchanges = [world.post(StatelessRequest()), world.post(toolCall("1"), session: session)]
        for line in world.sent() where line.method == "tools/call" {
            world.childSays(#"{"jsonrpc":"2.0","id":\#(line.id),"error":\#(texts.fromChild)}"#)
        }
        for exchange in exchanges {
            #expect(world.body(exchange)?.text == #"{"jsonrpc":"2.0","id":1,"error":\#(texts.toClient)}"#)
            #expect(world.replies[exchange]?.status == 200)
        }
    }
}
