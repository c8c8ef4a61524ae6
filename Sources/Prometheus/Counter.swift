// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A count that only grows: one series.
package final class Counter: Sendable {
    /// In recorded units; `absent` while there is nothing to show.
    private let cell = Atomic<Int>(0)
    private static let absent = Int.min

    init() {}

    // Two functions each instead of a default value, which costs a second call from another module.

    /// Counts one, from any thread.
    package func add() { add(1) }

    /// Counts from any thread.
    package func add(_ n: Int) { cell.wrappingAdd(n, ordering: .relaxed) }

    /// Counts one without a locked instruction. Only for the one thread that owns the series: two would lose counts.
    package func addOwned() { addOwned(1) }

    /// Counts without a locked instruction. Only for the one thread that owns the series.
    package func addOwned(_ n: Int) { cell.store(cell.load(ordering: .relaxed) &+ n, ordering: .relaxed) }

    /// Takes over a count that is kept elsewhere, by the kernel for example. Any thread; don't mix it with `add`.
    package func set(_ value: Int) { cell.store(value, ordering: .relaxed) }

    /// Takes the series out of the exposition until the next `set`. Any thread.
    package func clear() { cell.store(Self.absent, ordering: .relaxed) }

    /// The count, in recorded units; 0 when cleared.
    package var value: Int { current ?? 0 }

    /// The count, or nil when cleared.
    var current: Int? {
        let value = cell.load(ordering: .relaxed)
        return value == Self.absent ? nil : value
    }
}
