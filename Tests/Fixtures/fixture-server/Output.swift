// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Standard output, one whole line after the other whichever thread writes.
final class Output: Sendable {
    private let isOpen = Mutex(true)

    func send(_ message: JSON) { send(message.bytes + [UInt8(ascii: "\n")]) }

    /// Writes bytes as they are, in one go as far as the pipe takes them.
    func send(_ bytes: [UInt8]) {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = writeAll(bytes, to: STDOUT_FILENO)
        }
    }

    /// Drops all that is written from now on.
    func mute() { isOpen.withLock { $0 = false } }

    func close() {
        mute()
        Glibc.close(STDOUT_FILENO)
    }
}

/// Writes everything, waiting as long as the reader takes; false when nobody reads.
@discardableResult
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { bytes in
        var position = 0
        while position < bytes.count {
            let count = write(descriptor, bytes.baseAddress.map { $0 + position }, bytes.count - position)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            position += count
        }
        return true
    }
}

func writeError(_ line: String) { writeAll(Array("\(line)\n".utf8), to: STDERR_FILENO) }
