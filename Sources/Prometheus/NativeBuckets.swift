// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The buckets of a native histogram: powers of a factor, the same ones for every metric, so that they need no
/// configuration and any two can be added up.
///
/// Bucket `i` of schema `s` ends at 2^(i/2^s), inclusive. Values are kept at schema 3 (each bucket 9 % wider than
/// the one before), one cell for every bucket an `Int` can reach. Only when more than 160 hold something, a reader
/// sees them merged in pairs: every second bound, one schema lower. As counts never shrink, that never goes back.
struct NativeBuckets: Sendable {
    static let schema = 3
    static let limit = 160
    /// The width of the bucket around 0: smaller than any value above 0 that can be recorded.
    static let zeroThreshold = 0x1p-128

    let table: BucketTable
    /// The bucket index of the first cell: that of the smallest value above 0.
    let firstIndex: Int

    init(scale: MetricDescription.Scale) {
        let perDoubling = Double(1 << Self.schema)
        let first = Int((log2(1 / scale.divisor) * perDoubling).rounded(.up))
        var bounds: [Int] = []
        while let bound = Int(
            exactly: (exp2(Double(first + bounds.count) / perDoubling) * scale.divisor).rounded(.down)
        ) {
            bounds.append(bound)
        }
        table = BucketTable(bounds: bounds)
        firstIndex = first
    }

    /// Buckets in one scheme, ready for the wire.
    struct Reading {
        var schema = NativeBuckets.schema
        /// The index of the first of `counts`.
        var firstIndex: Int
        var counts: [Int]
    }
}

extension NativeBuckets.Reading {
    /// Puts the native buckets of a series in the place of what was there, in the memory of that.
    mutating func load(_ buckets: NativeBuckets, of histogram: Histogram) {
        schema = NativeBuckets.schema
        firstIndex = buckets.firstIndex
        counts.removeAll(keepingCapacity: true)
        counts.reserveCapacity(buckets.table.count)
        let first = histogram.layout.firstNativeBucket
        for cell in first..<first + buckets.table.count { counts.append(histogram.cells[cell]) }
    }

    /// Merges buckets in pairs until at most `limit` hold something.
    mutating func reduce(to limit: Int = NativeBuckets.limit) {
        while counts.count(where: { $0 != 0 }) > limit { halve() }
    }

    private mutating func halve() {
        // Bucket i ends where bucket ceil(i/2) of the next lower schema ends, or lies in its lower half.
        let first = (firstIndex + 1) >> 1
        for offset in counts.indices {
            let count = counts[offset]
            counts[offset] = 0
            counts[((firstIndex + offset + 1) >> 1) - first] += count
        }
        counts.removeLast(counts.count - (((firstIndex + counts.count) >> 1) - first + 1))
        firstIndex = first
        schema -= 1
    }

    /// Runs of buckets to send, as ranges of `counts`. Gaps of one or two are cheaper to send than to skip.
    var spans: Spans { Spans(counts: counts[...]) }

    /// Found one after the other, so that no memory is needed for them.
    struct Spans: Sequence, IteratorProtocol {
        /// What lies behind the last one.
        fileprivate var counts: ArraySlice<Int>

        mutating func next() -> Range<Int>? {
            guard let first = counts.firstIndex(where: { $0 != 0 }) else { return nil }
            var end = first + 1
            for index in end..<counts.endIndex where counts[index] != 0 {
                if index - end > 2 { break }
                end = index + 1
            }
            counts = counts[end...]
            return first..<end
        }
    }
}
