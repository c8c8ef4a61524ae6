// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A value that goes up and down: one series. Every operation is for any thread.
package final class Gauge: Sendable {
    /// The bits of a Double in the unit shown. Integers are exact up to 2^53.
    private let bits = Atomic<UInt64>(0)
    private let scale: MetricDescription.Scale
    /// A NaN no arithmetic makes, for "nothing to show".
    private static let absent: UInt64 = 0x7FF8_DEAD_0000_0001

    init(scale: MetricDescription.Scale) { self.scale = scale }

    /// Sets it to a recorded integer: nanoseconds when that is the scale.
    package func set(_ value: Int) { set(scale.shown(value)) }

    /// Sets it to a number in the unit shown.
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Adds a recorded integer, which may be negative.
    package func add(_ n: Int) { add(scale.shown(n)) }

    /// Adds a number in the unit shown, which may be negative.
    package func add(_ change: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let base = old == Self.absent ? 0 : Double(bitPattern: old)
            let result = bits.weakCompareExchange(
                expected: old,
                desired: (base + change).bitPattern,
                ordering: .relaxed
            )
            if result.exchanged { return }
            old = result.original
        }
    }

    /// Takes the series out of the exposition until the next `set` or `add`.
    package func clear() { bits.store(Self.absent, ordering: .relaxed) }

    /// In the unit shown; 0 when cleared.
    package var value: Double { current ?? 0 }

    /// In the unit shown, or nil when cleared.
    var current: Double? {
        let bits = bits.load(ordering: .relaxed)
        return bits == Self.absent ? nil : Double(bitPattern: bits)
    }
}
