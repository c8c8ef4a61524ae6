// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOHTTP1

/// One request and its answer, on a connection that serves for nothing else: sends at once, tells what came of it, and
/// closes.
final class OTLPExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Of an answer's body, in bytes; the longest that makes sense is a sentence.
    static let answerLimit = 64 * 1024
    static var answerLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = answerLimit
        return limits
    }

    private let head: HTTPRequestHead
    private let body: ByteBuffer
    private let encoding: OTLPEncoding
    private let deadline: NIODeadline
    private var timer: Scheduled<Void>?
    /// Nil when it has been told.
    private var reply: EventLoopPromise<ExportReply>?
    private var answerHead: HTTPResponseHead?
    private var answer = ByteBuffer()

    init(
        head: HTTPRequestHead,
        body: ByteBuffer,
        encoding: OTLPEncoding,
        deadline: NIODeadline,
        reply: EventLoopPromise<ExportReply>
    ) {
        self.head = head
        self.body = body
        self.encoding = encoding
        self.deadline = deadline
        self.reply = reply
    }

    func handlerAdded(context: ChannelHandlerContext) {
        guard context.channel.isActive else { return finish(.failed(.connectionClosed), context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            let (exchange, context) = bound.value
            exchange.finish(.failed(.timeout), context)
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answerHead = head
        case .body(var part):
            guard answer.readableBytes + part.readableBytes <= Self.answerLimit else {
                return finish(.failed(.badResponse), context)
            }
            answer.writeBuffer(&part)
        case .end:
            guard let answerHead else { return }
            finish(
                .answered(
                    status: Int(answerHead.status.code),
                    retryAfter: answerHead.headers.first(name: "Retry-After").flatMap {
                        retryAfter($0, now: unixSeconds())
                    },
                    rejected: encoding.rejectedSpans(in: answer)
                ),
                context
            )
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: finish(.failed(.connectionClosed), context)
        case is HTTPParserError: finish(.failed(.badResponse), context)
        default: finish(.failed(.connectionClosed), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failed(.connectionClosed), context)
        context.fireChannelInactive()
    }

    private func finish(_ outcome: ExportReply, _ context: ChannelHandlerContext) {
        guard let reply else { return }
        self.reply = nil
        timer?.cancel()
        timer = nil
        reply.succeed(outcome)
        context.close(promise: nil)
    }
}
