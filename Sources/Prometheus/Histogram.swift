// SPDX-License-Identifier: Apache-2.0

/// Which buckets histograms keep and show (`--histograms`).
package enum HistogramMode: String, CaseIterable, Sendable {
    /// The described ones.
    case classic
    /// Exponential ones, in protobuf; the text formats can't carry them and show the described ones.
    case native
    /// Both, in protobuf.
    case both
}

/// What all series of a histogram family share.
///
/// The cells of a series are the sum, the described buckets, and with native buckets the one for 0 and the rest.
struct HistogramLayout: Sendable {
    let scale: MetricDescription.Scale
    let mode: HistogramMode
    let classic: BucketTable
    let native: NativeBuckets?

    static let sum = 0
    static let firstBucket = 1
    var zeroBucket: Int { Self.firstBucket + classic.count }
    var firstNativeBucket: Int { zeroBucket + 1 }
    var cellCount: Int { native.map { firstNativeBucket + $0.table.count } ?? zeroBucket }

    /// - Parameter bounds: of the described buckets, in the unit shown; all must have a recorded integer.
    init(bounds: [Double], scale: MetricDescription.Scale, mode: HistogramMode) {
        self.scale = scale
        self.mode = mode
        classic = BucketTable(bounds: bounds.compactMap { scale.recorded($0) })
        native = mode == .classic ? nil : NativeBuckets(scale: scale)
    }
}

/// Observations sorted into buckets: one series.
///
/// Buckets aren't cumulated and there is no count: both are made when somebody reads, so that `_count` and the last
/// bucket are always the same number. The sum is exact; a reader may see it without values that just came in, as it is
/// written last and read first.
/// A series takes either `observe` from any thread or `observeOwned` from one, not both.
package final class Histogram: Sendable {
    let layout: HistogramLayout
    let cells: AtomicRow
    let exemplars: ExemplarSlots
    private let classic: BucketTable

    init(layout: HistogramLayout) {
        self.layout = layout
        cells = AtomicRow(count: layout.cellCount)
        exemplars = ExemplarSlots(count: layout.classic.count)
        classic = layout.classic
    }

    /// Records a value in the recorded unit, from any thread. A negative one counts as 0.
    package func observe(_ raw: Int) {
        let raw = max(0, raw)
        cells.add(1, at: HistogramLayout.firstBucket + classic.index(of: raw))
        if layout.native != nil { cells.add(1, at: nativeCell(raw)) }
        cells.add(raw, at: HistogramLayout.sum)
    }

    /// Records a value without a locked instruction. Only for the one thread that owns the series.
    package func observeOwned(_ raw: Int) { _ = record(max(0, raw)) }

    /// As `observeOwned`, and remembers the trace for the bucket, in place of the one before.
    package func observeOwned(_ raw: Int, exemplar: Exemplar?) {
        let raw = max(0, raw)
        let bucket = record(raw)
        if let exemplar { exemplars.store(exemplar, value: raw, at: bucket) }
    }

    /// - Returns: the bucket the value fell into.
    @inline(__always) private func record(_ raw: Int) -> Int {
        let bucket = classic.index(of: raw)
        cells.addOwned(1, at: HistogramLayout.firstBucket + bucket)
        if layout.native != nil { cells.addOwned(1, at: nativeCell(raw)) }
        cells.addOwned(raw, at: HistogramLayout.sum)
        return bucket
    }

    /// How many values were recorded.
    package var count: Int { bucketCounts.reduce(0, +) }

    /// Their sum, in the recorded unit. It wraps around after 2^63, which is 292 years of nanoseconds.
    package var sum: Int { cells[HistogramLayout.sum] }

    /// What the described buckets hold, not cumulated, the last being `+Inf`.
    var bucketCounts: LazyMapSequence<Range<Int>, Int> {
        (0..<classic.count).lazy.map { self.cells[HistogramLayout.firstBucket + $0] }
    }

    private func nativeCell(_ raw: Int) -> Int {
        guard raw > 0, let native = layout.native else { return layout.zeroBucket }
        return layout.firstNativeBucket + native.table.index(of: raw)
    }
}
