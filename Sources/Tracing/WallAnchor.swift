// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import NIOCore

/// One moment on both clocks: turns the monotonic times that events carry into the wall time that spans need.
///
/// Take one per span or so: whoever sets the wall clock moves what is converted afterwards, but no duration.
package struct WallAnchor: Sendable {
    private let unixNanoseconds: UInt64
    private let monotonic: NIODeadline

    /// - Parameter unixNanoseconds: since 1970-01-01T00:00:00Z, read at `monotonic`.
    package init(unixNanoseconds: UInt64, at monotonic: NIODeadline) {
        self.unixNanoseconds = unixNanoseconds
        self.monotonic = monotonic
    }

    /// Reads both clocks.
    package static func now() -> WallAnchor {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let nanoseconds = UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(time.tv_nsec)
        return WallAnchor(unixNanoseconds: nanoseconds, at: .now())
    }

    /// Since 1970-01-01T00:00:00Z; 0 for a moment before that.
    package func unixNanoseconds(_ moment: NIODeadline) -> UInt64 {
        let distance = (moment - monotonic).nanoseconds
        let (sum, overflow) =
            distance < 0
            ? unixNanoseconds.subtractingReportingOverflow(distance.magnitude)
            : unixNanoseconds.addingReportingOverflow(distance.magnitude)
        return overflow ? (distance < 0 ? 0 : .max) : sum
    }
}
