// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A moment of the wall clock, for people: durations are measured with the monotonic clock elsewhere.
package struct WallTime: Sendable, Equatable {
    /// Since 1970-01-01T00:00:00Z.
    package let seconds: Int
    /// 0 to 999.
    package let milliseconds: Int

    package init(seconds: Int, milliseconds: Int) {
        self.seconds = seconds
        self.milliseconds = milliseconds
    }

    /// Now.
    package static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
    }

    /// As RFC 3339 writes it in UTC, such as `2026-11-23T05:12:01.123Z`.
    package var text: String {
        var seconds = time_t(seconds)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let date = "\(fields.tm_year + 1900)-\(padded(fields.tm_mon + 1, to: 2))-\(padded(fields.tm_mday, to: 2))"
        let time = "\(padded(fields.tm_hour, to: 2)):\(padded(fields.tm_min, to: 2)):\(padded(fields.tm_sec, to: 2))"
        return "\(date)T\(time).\(padded(milliseconds, to: 3))Z"
    }
}

private func padded(_ number: some BinaryInteger, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
