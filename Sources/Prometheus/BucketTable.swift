// SPDX-License-Identifier: Apache-2.0

/// Finds the bucket of a recorded integer: the first whose upper bound isn't below it.
///
/// The bit width of the integer tells where to start, so that a step or two is enough for bounds that grow like a
/// geometric row. Sendable although it holds pointers: nothing they point to changes after `init`.
final class BucketTable: @unchecked Sendable {
    /// The bounds, and `Int.max` behind them.
    private let bounds: UnsafeMutablePointer<Int>
    /// By bit width: the bucket of the smallest integer of that width.
    private let starts: UnsafeMutablePointer<UInt16>
    private static let widths = Int.bitWidth
    /// Buckets, the one up to `Int.max` included.
    let count: Int

    /// - Parameter bounds: ascending; equal neighbours are buckets that stay empty. At most 65,535.
    init(bounds: [Int]) {
        count = bounds.count + 1
        self.bounds = .allocate(capacity: count)
        self.bounds.initialize(from: bounds + [.max], count: count)
        starts = .allocate(capacity: Self.widths)
        for width in 0..<Self.widths {
            let smallest = width == 0 ? 0 : 1 << (width - 1)
            let start = bounds.firstIndex { $0 >= smallest } ?? bounds.count
            (starts + width).initialize(to: UInt16(start))
        }
    }

    deinit {
        bounds.deallocate()
        starts.deallocate()
    }

    /// - Parameter raw: not negative.
    @inline(__always) func index(of raw: Int) -> Int {
        assert(raw >= 0)
        var index = Int(starts[Self.widths - raw.leadingZeroBitCount])
        while bounds[index] < raw { index += 1 }
        return index
    }
}
