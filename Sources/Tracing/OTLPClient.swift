// SPDX-License-Identifier: Apache-2.0

package import NIOCore
internal import NIOHTTP1
package import NIOPosix

/// Sends batches to a collector over HTTP/1.1 (OTLP/HTTP), each on a connection of its own: there is at most one every
/// few seconds, and a connection that is not kept cannot have gone stale.
///
/// Names are looked up on another thread, by NIO.
package struct OTLPClient: SpanTransport {
    /// Compresses a body with gzip; nil if it can't, and then the body is sent as it is.
    package typealias Compressor = @Sendable (ByteBuffer) -> ByteBuffer?

    private let configuration: TracingConfiguration
    private let source: SpanSource
    private let eventLoop: any EventLoop
    private let threads: NIOThreadPool
    private let compress: Compressor?

    /// - Parameters:
    ///   - eventLoop: for connections; they cost it little.
    ///   - threads: for encoding and compression. It runs for as long as the client is used.
    ///   - compress: needed if the configuration wants compression.
    package init(
        _ configuration: TracingConfiguration,
        source: SpanSource,
        eventLoop: any EventLoop,
        threads: NIOThreadPool,
        compress: Compressor? = nil
    ) {
        self.configuration = configuration
        self.source = source
        self.eventLoop = eventLoop
        self.threads = threads
        self.compress = configuration.isCompressed ? compress : nil
    }

    package func encode(_ spans: [Span]) -> EventLoopFuture<ExportBody> {
        threads.runIfActive(eventLoop: eventLoop) { [configuration, source, compress] in
            let body = configuration.encoding.encode(spans, from: source)
            if let compressed = compress?(body) { return ExportBody(bytes: compressed, isCompressed: true) }
            return ExportBody(bytes: body, isCompressed: false)
        }
    }

    package func post(_ body: ExportBody, within time: TimeAmount) -> EventLoopFuture<ExportReply> {
        let deadline = NIODeadline.now() + time
        let reply = eventLoop.makePromise(of: ExportReply.self)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(time)
            .connect(host: configuration.endpoint.host, port: configuration.endpoint.port)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    // Only now, since there may have been several connections on the way to this one.
                    exchange(body, deadline: deadline, on: channel, reply)
                case .failure(ChannelError.connectTimeout):
                    reply.succeed(.failed(.timeout))
                case .failure:
                    reply.succeed(.failed(.unreachable))
                }
            }
        return reply.futureResult
    }

    /// On the event loop.
    private func exchange(
        _ body: ExportBody,
        deadline: NIODeadline,
        on channel: any Channel,
        _ reply: EventLoopPromise<ExportReply>
    ) {
        let exchange = OTLPExchange(
            head: requestHead(body),
            body: body.bytes,
            encoding: configuration.encoding,
            deadline: deadline,
            reply: reply
        )
        do {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHTTPClientHandlers(decoderLimitConfiguration: OTLPExchange.answerLimits)
            try pipeline.addHandler(exchange)
        } catch {
            // It is closed already.
            reply.succeed(.failed(.connectionClosed))
            channel.close(promise: nil)
        }
    }

    private func requestHead(_ body: ExportBody) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: configuration.endpoint.authority)
        headers.add(name: "User-Agent", value: "\(source.program)/\(source.version)")
        for header in configuration.headers { headers.replaceOrAdd(name: header.name, value: header.value) }
        headers.add(name: "Content-Type", value: configuration.encoding.contentType)
        if body.isCompressed { headers.add(name: "Content-Encoding", value: "gzip") }
        headers.add(name: "Content-Length", value: String(body.bytes.readableBytes))
        headers.add(name: "Connection", value: "close")
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: configuration.endpoint.path, headers: headers)
    }
}
