// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import NIOCore

/// Frames what a process writes to stdout and hands each line straight to its `Child`.
final class StandardOutputHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private weak var child: Child?
    private let generation: Int
    private var framer: LineFramer

    init(child: Child, generation: Int, maxLine: Int) {
        self.child = child
        self.generation = generation
        framer = LineFramer(maxLine: maxLine)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framer.append(unwrapInboundIn(data))
        // The child may be stopped or killed by what it is told, so it is asked anew for each line.
        while let child, child.accepts(generation: generation), let line = framer.next() {
            child.received(line)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        child?.stdoutClosed(generation: generation)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Hands over what is left, a last line without a terminator included.
    func finish() {
        while let child, child.accepts(generation: generation), let line = framer.finish() {
            child.received(line)
        }
    }
}

/// Drains stderr, whatever is done with its lines.
final class StandardErrorHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private weak var child: Child?
    private let generation: Int

    init(child: Child, generation: Int) {
        self.child = child
        self.generation = generation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        child?.receivedStderr(unwrapInboundIn(data), generation: generation)
    }

    func channelInactive(context: ChannelHandlerContext) {
        child?.stderrClosed(generation: generation)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Watches whether a process keeps up with its stdin.
final class StandardInputHandler: ChannelInboundHandler {
    typealias InboundIn = Never

    private weak var child: Child?
    private let generation: Int

    init(child: Child, generation: Int) {
        self.child = child
        self.generation = generation
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        child?.stdinBecameWritable(generation: generation)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The process closed its stdin, by exiting or on purpose. Its exit, or its silence, decides what follows.
        context.close(promise: nil)
    }
}
