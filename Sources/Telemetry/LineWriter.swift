// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import Journal
internal import Synchronization

/// Writes lines to a descriptor from a thread of its own, so that whoever logs never waits for whoever reads.
///
/// Lines wait in a ring; when it is full they are dropped and counted, and a line that says so takes their place as
/// soon as there is room. `write` is called by one thread at a time (the event loop); `shutdown` by any.
package final class LineWriter: Sendable {
    private let descriptor: Int32
    private let ring: ByteRing
    private let describeLoss: @Sendable (Int) -> [UInt8]
    /// Lines dropped and not yet reported.
    private let dropped = Atomic<Int>(0)
    private let droppedInAll = Atomic<Int>(0)
    /// Whether `wake` was posted and the thread has not yet looked; saves a system call per line.
    private let isWoken = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let wake = Semaphore()
    private let finished = Semaphore()

    /// Starts the thread, which keeps the writer alive until `shutdown`.
    ///
    /// - Parameters:
    ///   - descriptor: stays the caller's, and open for as long as the writer lives.
    ///   - capacity: of the ring, in bytes.
    ///   - describeLoss: makes the line that reports so many dropped lines; called on either thread.
    package init(
        descriptor: Int32,
        capacity: Int,
        describeLoss: @escaping @Sendable (Int) -> [UInt8]
    ) throws(WorkerThreadError) {
        self.descriptor = descriptor
        self.ring = ByteRing(capacity: capacity)
        self.describeLoss = describeLoss
        try WorkerThread.start(for: "log") { [self] in run() }
    }

    /// Queues a line, which carries its own newline, or drops it when the ring is full. Never blocks.
    package func write(_ line: [UInt8]) {
        // The report and the line go in together or not at all: otherwise a nearly full ring would fill with reports.
        let lost = dropped.exchange(0, ordering: .relaxed)
        if !ring.push(lost == 0 ? line : describeLoss(lost) + line) {
            dropped.add(lost + 1, ordering: .relaxed)
            droppedInAll.add(1, ordering: .relaxed)
        }
        wakeThread()
    }

    /// Lines dropped so far.
    package var droppedLines: Int { droppedInAll.load(ordering: .relaxed) }

    /// Writes what is queued and ends the thread.
    ///
    /// Blocks until it is done, but no longer than `milliseconds`: the reader may be stuck. Call it once, after the
    /// last `write`.
    ///
    /// - Returns: whether everything was written.
    @discardableResult
    package func shutdown(within milliseconds: Int) -> Bool {
        isStopping.store(true, ordering: .releasing)
        wakeThread()
        return finished.wait(milliseconds: milliseconds)
    }

    private func wakeThread() {
        if !isWoken.exchange(true, ordering: .acquiringAndReleasing) { wake.post() }
    }

    // MARK: On the thread

    private func run() {
        while true {
            wake.wait()
            _ = isWoken.exchange(false, ordering: .acquiringAndReleasing)
            // Looked at before draining: what was queued before `shutdown` is then surely seen.
            let isLast = isStopping.load(ordering: .acquiring)
            drain()
            if isLast { break }
        }
        finished.post()
    }

    private func drain() {
        while true {
            while ring.take(writeSome) {}
            let lost = dropped.exchange(0, ordering: .relaxed)
            if lost == 0 { return }
            describeLoss(lost).withUnsafeBytes { report in
                var rest = report[...]
                while !rest.isEmpty { rest = rest.dropFirst(writeSome(UnsafeRawBufferPointer(rebasing: rest))) }
            }
        }
    }

    /// Writes at least one byte, waiting for the reader if it must.
    ///
    /// - Returns: how many bytes are done with. After an error all of them: nobody can read them, nor be told.
    private func writeSome(_ bytes: UnsafeRawBufferPointer) -> Int {
        while true {
            let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            if count > 0 { return count }
            switch errno {
            case EINTR:
                continue
            case EAGAIN:
                // Somebody who shares the terminal or pipe made it non-blocking.
                var writable = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&writable, 1, -1)
            default:
                let newline = UInt8(ascii: "\n")
                droppedInAll.add(bytes.count { $0 == newline }, ordering: .relaxed)
                return bytes.count
            }
        }
    }
}
