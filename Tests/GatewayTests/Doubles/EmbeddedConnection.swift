// SPDX-License-Identifier: Apache-2.0

import Bridge
import NIOCore
import NIOEmbedded

@testable import Gateway

/// One connection without a socket, on a loop whose clock the test moves.
final class EmbeddedConnection {
    let loop = EmbeddedEventLoop()
    let channel: EmbeddedChannel
    let bridge = RecordingBridge()
    let sink = RecordingSink()
    let page: EmptyPage
    let gateway: Gateway

    init(
        on listener: Router.Listener = .main(servesAdmin: true),
        configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = GatewayConfiguration()
        configure(&configuration)
        self.page = EmptyPage(on: self.loop)
        self.gateway = Gateway(
            configuration: configuration,
            eventLoop: self.loop,
            sink: self.sink,
            metrics: self.page
        )
        self.gateway.bridge = self.bridge
        self.channel = EmbeddedChannel(loop: self.loop)
        try self.gateway.accept(self.channel, on: listener)
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    }

    /// Delivers bytes as one read, and returns what came back.
    @discardableResult
    func send(_ text: String) throws -> String {
        try self.channel.writeInbound(ByteBuffer(string: text))
        self.loop.run()
        return try self.received()
    }

    /// What was flushed since last asked.
    func received() throws -> String {
        self.loop.run()
        var text = ""
        while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    /// Lets the clock go on, and returns what that set off.
    @discardableResult
    func wait(_ amount: TimeAmount) throws -> String {
        self.loop.advanceTime(by: amount)
        return try self.received()
    }

    var isOpen: Bool { self.channel.isActive }

    /// A complete POST of a body to a path.
    static func post(_ body: String = "{}", to path: String = "/mcp", headers: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\(headers)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A complete request without a body.
    static func request(_ method: String, _ path: String, headers: String = "") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
    }
}
