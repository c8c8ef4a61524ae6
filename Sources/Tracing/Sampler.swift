// SPDX-License-Identifier: Apache-2.0

package import Events

/// Decides which traces are recorded (`OTEL_TRACES_SAMPLER`).
package struct Sampler: Sendable, Equatable {
    /// The share of traces that is recorded, by trace id, when there is no parent to go by.
    private let ratio: Double
    /// Whether a parent's decision stands.
    private let followsParent: Bool

    /// - Parameters:
    ///   - ratio: from 0 for none to 1 for all.
    ///   - followsParent: whether a trace somebody else began is recorded if and only if they record it.
    package init(ratio: Double, followsParent: Bool) {
        self.ratio = ratio
        self.followsParent = followsParent
    }

    /// Whether a trace is recorded. For a given trace always the same answer, and of two ratios the greater one
    /// records whatever the other does.
    package func decision(parent: TraceContext?, traceID: TraceID) -> Bool {
        if followsParent, let parent { return parent.isSampled }
        if ratio >= 1 { return true }
        // The lower half of the id is a uniform fraction of 2^64; common SDKs compare the same bits, so that services
        // with one ratio record the same traces.
        return Double(traceID.low >> 1) < ratio * 0x1p63
    }
}
