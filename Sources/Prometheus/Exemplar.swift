// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The trace behind one observation (OpenMetrics 1.0, "Exemplars").
package struct Exemplar: Sendable, Equatable {
    /// The high and the low half.
    package var traceID: (UInt64, UInt64)
    package var spanID: UInt64
    /// Since 1970.
    package var unixMilliseconds: Int

    package init(traceID: (UInt64, UInt64), spanID: UInt64, unixMilliseconds: Int) {
        self.traceID = traceID
        self.spanID = spanID
        self.unixMilliseconds = unixMilliseconds
    }

    package static func == (left: Exemplar, right: Exemplar) -> Bool {
        left.traceID == right.traceID && left.spanID == right.spanID
            && left.unixMilliseconds == right.unixMilliseconds
    }
}

/// The latest exemplar of each bucket of a histogram, written by the one thread that owns it and read by any.
///
/// A slot is a sequence lock: its number is odd while it is written, and a reader that sees it odd or changed looks
/// again. The writer never waits. Memory is taken at the first exemplar.
///
/// Sendable although it holds a pointer: it is atomic, is set once, with release order after the row was made, and the
/// row it points to is Sendable and lives as long as the object.
final class ExemplarSlots: @unchecked Sendable {
    /// What a slot holds, by offset from its first cell.
    private enum Cell {
        static let sequence = 0
        static let value = 1
        static let traceHigh = 2
        static let traceLow = 3
        static let span = 4
        static let time = 5
        static let count = 6
    }

    private let count: Int
    /// Nil until the first exemplar; then it stays as it is until `deinit`.
    private let row = Atomic<UnsafeMutablePointer<AtomicRow>?>(nil)

    init(count: Int) { self.count = count }

    deinit {
        guard let row = row.load(ordering: .acquiring) else { return }
        row.deinitialize(count: 1)
        row.deallocate()
    }

    /// Owner only.
    private func makeRow() -> UnsafeMutablePointer<AtomicRow> {
        let new = UnsafeMutablePointer<AtomicRow>.allocate(capacity: 1)
        new.initialize(to: AtomicRow(count: count * Cell.count))
        row.store(new, ordering: .releasing)
        return new
    }

    /// Owner only.
    func store(_ exemplar: Exemplar, value: Int, at bucket: Int) {
        let row = row.load(ordering: .relaxed) ?? makeRow()
        let slot = bucket * Cell.count
        row.pointee.addOwned(1, at: slot + Cell.sequence)
        atomicMemoryFence(ordering: .releasing)
        row.pointee.store(value, at: slot + Cell.value)
        row.pointee.store(Int(truncatingIfNeeded: exemplar.traceID.0), at: slot + Cell.traceHigh)
        row.pointee.store(Int(truncatingIfNeeded: exemplar.traceID.1), at: slot + Cell.traceLow)
        row.pointee.store(Int(truncatingIfNeeded: exemplar.spanID), at: slot + Cell.span)
        row.pointee.store(exemplar.unixMilliseconds, at: slot + Cell.time)
        atomicMemoryFence(ordering: .releasing)
        row.pointee.addOwned(1, at: slot + Cell.sequence)
    }

    /// The latest exemplar of a bucket and the recorded value it belongs to. Nil when there is none, or when the owner
    /// writes faster than this reads.
    func load(_ bucket: Int) -> (exemplar: Exemplar, value: Int)? {
        guard let row = row.load(ordering: .acquiring) else { return nil }
        let slot = bucket * Cell.count
        for _ in 0..<8 {
            let sequence = row.pointee[slot + Cell.sequence]
            if sequence == 0 { return nil }
            atomicMemoryFence(ordering: .acquiring)
            let value = row.pointee[slot + Cell.value]
            let exemplar = Exemplar(
                traceID: (
                    UInt64(truncatingIfNeeded: row.pointee[slot + Cell.traceHigh]),
                    UInt64(truncatingIfNeeded: row.pointee[slot + Cell.traceLow])
                ),
                spanID: UInt64(truncatingIfNeeded: row.pointee[slot + Cell.span]),
                unixMilliseconds: row.pointee[slot + Cell.time]
            )
            atomicMemoryFence(ordering: .acquiring)
            if sequence.isMultiple(of: 2), row.pointee[slot + Cell.sequence] == sequence { return (exemplar, value) }
        }
        return nil
    }
}
