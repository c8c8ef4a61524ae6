// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A bounded queue of bytes between one thread that pushes whole records and one that takes bytes out.
///
/// Bounded in bytes, not records, because a record may be 100 bytes or 8000. Neither side ever waits or allocates.
///
/// Sendable although it holds a pointer: `push` is called by one thread only and `take` by one thread only, as
/// their comments demand. The producer touches bytes `written ..< taken + capacity` and the consumer
/// `taken ..< written`, which are disjoint. Each counter is stored by one side with release order after its bytes
/// were copied, and loaded by the other with acquire order before it touches them. The memory lives as long as the
/// object, which both sides retain.
package final class ByteRing: @unchecked Sendable {
    private let storage: UnsafeMutableRawBufferPointer
    /// Bytes ever pushed; stored by the producer. Counting at 1 GB/s it overflows after 292 years.
    private let written = Atomic<Int>(0)
    /// Bytes ever taken out; stored by the consumer.
    private let taken = Atomic<Int>(0)

    /// - Parameter capacity: in bytes, at least 1.
    package init(capacity: Int) {
        storage = .allocate(byteCount: max(1, capacity), alignment: 1)
    }

    deinit { storage.deallocate() }

    /// In bytes.
    package var capacity: Int { storage.count }

    /// Bytes that wait. Any thread; to a third one the number may be a moment old.
    package var count: Int {
        // In this order the difference is never negative.
        let begin = taken.load(ordering: .acquiring)
        return min(written.load(ordering: .acquiring) - begin, capacity)
    }

    /// Adds the record as a whole, or returns false and adds nothing when there is no room for all of it. Producer only.
    package func push(_ record: [UInt8]) -> Bool {
        record.withUnsafeBytes { push($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    /// Adds a record that lies in two pieces, as a whole or not at all. Producer only.
    ///
    /// - Parameter reserve: bytes that must stay free behind it, for records that matter more.
    package func push(_ head: UnsafeRawBufferPointer, _ tail: UnsafeRawBufferPointer, leaving reserve: Int = 0) -> Bool
    {
        let end = written.load(ordering: .relaxed)
        let used = end - taken.load(ordering: .acquiring)
        let count = head.count + tail.count
        guard count <= storage.count - used - reserve else { return false }
        copy(head, to: end)
        copy(tail, to: end + head.count)
        written.store(end + count, ordering: .releasing)
        return true
    }

    /// Shows `body` the oldest bytes that lie in one piece, and removes as many as it returns. Consumer only.
    ///
    /// - Returns: false, without calling `body`, when the ring is empty.
    package func take(_ body: (UnsafeRawBufferPointer) -> Int) -> Bool {
        let begin = taken.load(ordering: .relaxed)
        let available = written.load(ordering: .acquiring) - begin
        guard available > 0 else { return false }
        let start = begin % storage.count
        let piece = storage[start..<min(start + available, storage.count)]
        let count = body(UnsafeRawBufferPointer(rebasing: piece))
        taken.store(begin + count, ordering: .releasing)
        return true
    }

    private func copy(_ bytes: UnsafeRawBufferPointer, to position: Int) {
        let start = position % storage.count
        let beforeWrap = min(bytes.count, storage.count - start)
        UnsafeMutableRawBufferPointer(rebasing: storage[start...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<beforeWrap])
        )
        storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[beforeWrap...]))
    }
}
