// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// One moment on both clocks, to tell moments of the monotonic one as Unix time.
struct ScrapeClock {
    private let monotonic = NIODeadline.now()
    private let unix = WallTime.now().unixSeconds

    /// 0 for no moment.
    func unixSeconds(_ moment: NIODeadline?) -> Double {
        moment.map { unix - Double((monotonic - $0).nanoseconds) / 1e9 } ?? 0
    }
}

extension WallTime {
    /// Since 1970, to the millisecond.
    var unixSeconds: Double { Double(seconds) + Double(milliseconds) / 1000 }
}
