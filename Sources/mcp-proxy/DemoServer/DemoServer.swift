// SPDX-License-Identifier: Apache-2.0

import Glibc
import JSONRPC
import NIOCore

/// The server behind `mcp-proxy demo-server`: a small stdio MCP server to try the proxy with.
///
/// One thread waits for input and for the next step of a `slow` call at once, so no call waits for another.
enum DemoServer {
    /// Serves on standard input and output until the input ends or nobody reads the output.
    ///
    /// Returns the exit status of the process.
    static func run() -> Int32 {
        var conversation = DemoConversation()
        var framer = LineFramer(maxLine: 4 << 20)
        while true {
            switch read(waitingUntil: conversation.nextDeadline) {
            case .bytes(let chunk): framer.append(chunk)
            case .nothing: break
            case .end: return 0
            }
            while let line = framer.next() { conversation.receive(line, now: .now()) }
            conversation.advance(to: .now())
            guard write(conversation.takeOutput()) else { return 0 }
        }
    }

    private enum Input {
        case bytes(ByteBuffer)
        case nothing
        case end
    }

    /// What arrives on standard input before the deadline.
    private static func read(waitingUntil deadline: NIODeadline?) -> Input {
        var timeout: Int32 = -1
        if let deadline {
            // Rounded up: a wait that ends too early would spin.
            let milliseconds = ((deadline - .now()).nanoseconds + 999_999) / 1_000_000
            timeout = Int32(clamping: max(0, milliseconds))
        }
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, timeout) > 0 else { return .nothing }
        var chunk = ByteBuffer()
        let count = chunk.writeWithUnsafeMutableBytes(minimumWritableBytes: 65536) { space in
            max(0, Glibc.read(STDIN_FILENO, space.baseAddress, space.count))
        }
        return count > 0 ? .bytes(chunk) : .end
    }

    /// Writes everything, waiting as long as the reader takes; false when there is no reader.
    private static func write(_ output: ByteBuffer) -> Bool {
        var rest = output
        while rest.readableBytes > 0 {
            let count = rest.withUnsafeReadableBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest.moveReaderIndex(forwardBy: count)
        }
        return true
    }
}
