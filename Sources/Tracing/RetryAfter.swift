// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import NIOCore

/// The wall clock, since 1970-01-01T00:00:00Z.
func unixSeconds() -> Int { time(nil) }

/// How long a `Retry-After` asks to wait: a number of seconds or a date (RFC 9110, 10.2.3); nil if it is neither.
///
/// The obsolete forms of dates are not understood.
///
/// - Parameter now: the wall clock, since 1970-01-01T00:00:00Z.
func retryAfter(_ value: String, now: Int) -> TimeAmount? {
    guard let seconds = Int(value) ?? unixSeconds(ofDate: value).map({ $0 - now }) else { return nil }
    // A century is as good as any longer wait, and far from overflow.
    return .seconds(Int64(min(max(seconds, 0), 3_155_760_000)))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
private func unixSeconds(ofDate text: String) -> Int? {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard words.count == 6, words[5] == "GMT",
        let day = Int32(words[1]), 1...31 ~= day,
        let month = months.firstIndex(of: String(words[2])),
        let year = Int32(words[3]), 1970...9999 ~= year
    else { return nil }
    let clock = words[4].split(separator: ":").compactMap { Int32($0) }
    guard clock.count == 3, 0...23 ~= clock[0], 0...59 ~= clock[1], 0...60 ~= clock[2] else { return nil }
    var fields = tm()
    fields.tm_year = year - 1900
    fields.tm_mon = Int32(month)
    fields.tm_mday = day
    (fields.tm_hour, fields.tm_min, fields.tm_sec) = (clock[0], clock[1], clock[2])
    return timegm(&fields)
}
