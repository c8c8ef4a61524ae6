// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A row of atomic integers, all 0 at first, in one piece of memory.
///
/// Sendable although it holds a pointer: the pointer never changes, what it points to is atomic, and the memory lives
/// as long as the row.
struct AtomicRow: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutablePointer<Atomic<Int>>
    let count: Int

    init(count: Int) {
        base = .allocate(capacity: count)
        self.count = count
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// `index` must be below `count`; only debug builds check it.
    subscript(index: Int) -> Int {
        @inline(__always) get {
            assert(index >= 0 && index < count)
            return base[index].load(ordering: .relaxed)
        }
    }

    /// From any thread.
    @inline(__always) func add(_ n: Int, at index: Int) {
        assert(index >= 0 && index < count)
        base[index].wrappingAdd(n, ordering: .relaxed)
    }

    /// From the one thread that owns the cell.
    @inline(__always) func addOwned(_ n: Int, at index: Int) {
        assert(index >= 0 && index < count)
        base[index].store(base[index].load(ordering: .relaxed) &+ n, ordering: .relaxed)
    }

    /// From the one thread that owns the cell.
    @inline(__always) func store(_ value: Int, at index: Int) {
        assert(index >= 0 && index < count)
        base[index].store(value, ordering: .relaxed)
    }
}
