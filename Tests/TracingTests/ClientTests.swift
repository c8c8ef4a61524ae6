// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import Tracing

/// The client on real sockets.
@Suite struct ClientTests {
    private static func client(
        port: Int,
        _ environment: [String: String] = [:],
        compress: OTLPClient.Compressor? = nil
    ) throws -> OTLPClient {
        let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)/base"]
        let configuration = try #require(
            try TracingConfiguration(environment: endpoint.merging(environment) { $1 })
        )
        return OTLPClient(
            configuration,
            source: sampleSource,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            threads: NIOThreadPool.singleton,
            compress: compress
        )
    }

    @Test(.timeLimit(.minutes(1)))
    func deliversABatch() async throws {
        let collector = try await OneRequest.listening()
        let client = try Self.client(
            port: collector.port,
            ["OTEL_EXPORTER_OTLP_HEADERS": "api-key=k", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"]
        ) { _ in ByteBuffer(string: "compressed") }
        let body = try await client.encode([try plainSpan()]).get()
        #expect(body == ExportBody(bytes: ByteBuffer(string: "compressed"), isCompressed: true))
        let reply = try await client.post(body, within: .seconds(30)).get()
        #expect(reply == .answered(status: 202))
        let head = try await collector.request.get()
        #expect(head.method == .POST)
        #expect(head.uri == "/base/v1/traces")
        let expected: HTTPHeaders = [
            "Host": "127.0.0.1:\(collector.port)", "User-Agent": "mcp-proxy/1", "api-key": "k",
            "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", "Content-Length": "10",
            "Connection": "close",
        ]
        #expect(head.headers == expected)
    }

    @Test func sendsAsItIsWhatIsNotToBeCompressed() async throws {
        let span = try plainSpan()
        let plain = ExportBody(bytes: OTLPEncoding.protobuf.encode([span], from: sampleSource), isCompressed: false)
        let unasked = try Self.client(port: 1) { _ in ByteBuffer(string: "compressed") }
        #expect(try await unasked.encode([span]).get() == plain)
        let unable = try Self.client(port: 1, ["OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"]) { _ in nil }
        #expect(try await unable.encode([span]).get() == plain)
    }

    @Test(.timeLimit(.minutes(1)))
    func tellsThatNobodyListens() async throws {
        let collector = try await OneRequest.listening()
        try await collector.close()
        let client = try Self.client(port: collector.port)
        let reply = try await client.post(ExportBody(), within: .seconds(30)).get()
        #expect(reply == .failed(.unreachable))
    }
}

/// A server that answers requests with 202 and remembers the head of the first.
private struct OneRequest {
    let port: Int
    private let promise: EventLoopPromise<HTTPRequestHead>
    private let channel: any Channel

    var request: EventLoopFuture<HTTPRequestHead> { promise.futureResult }

    static func listening() async throws -> OneRequest {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let request = loop.makePromise(of: HTTPRequestHead.self)
        let channel = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Answer(request))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return OneRequest(port: try #require(channel.localAddress?.port), promise: request, channel: channel)
    }

    /// Stops listening without having been asked anything.
    func close() async throws {
        promise.fail(ChannelError.eof)
        try await channel.close()
    }

    private final class Answer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let request: EventLoopPromise<HTTPRequestHead>

        init(_ request: EventLoopPromise<HTTPRequestHead>) { self.request = request }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request.succeed(head)
            case .body: break
            case .end:
                let head = HTTPResponseHead(version: .http1_1, status: .accepted, headers: ["Content-Length": "0"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
