// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Wall-clock times in named time zones, by the C library and the system's time zone database.
///
/// The C library knows one zone per process, `TZ`, which every function here sets: for a single-threaded process only.
enum WorldClock {
    /// Why there is no time to tell; the message is for the person who asked.
    struct Refusal: Error { let message: String }

    /// A moment in a zone.
    struct Reading {
        let zone: String
        let parts: tm

        /// `2026-01-31T09:05:00+01:00` (RFC 3339, section 5.6).
        var timestamp: String {
            let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
            let time = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
            let minutes = Int32(abs(parts.tm_gmtoff) / 60)
            let offset = "\(parts.tm_gmtoff < 0 ? "-" : "+")\(padded(minutes / 60)):\(padded(minutes % 60))"
            return "\(date)T\(time)\(offset)"
        }

        var dayOfWeek: String {
            let names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
            return names[Int(parts.tm_wday)]
        }

        var isDaylightSaving: Bool { parts.tm_isdst > 0 }

        private func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    }

    private static let database = "/usr/share/zoneinfo"

    /// The moment `seconds` after the epoch, in a zone named as the IANA database names it (`Europe/Paris`).
    static func reading(of seconds: time_t, in zone: String) throws(Refusal) -> Reading {
        try enter(zone)
        return Reading(zone: zone, parts: local(seconds))
    }

    /// Today's `time` (`HH:MM`, 24 hours) in the zone `source`, there and in the zone `target`.
    ///
    /// Throws for a time of day that a clock change skips.
    static func convert(
        _ time: String,
        from source: String,
        to target: String,
        now: time_t
    ) throws(Refusal) -> (source: Reading, target: Reading) {
        let fields = time.split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) }
        guard fields.count == 2, let hour = fields[0], let minute = fields[1], (0...23).contains(hour),
            (0...59).contains(minute)
        else { throw Refusal(message: "Invalid time format. Expected HH:MM [24-hour format]") }
        try enter(source)
        var parts = local(now)
        (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (hour, minute, 0, -1)
        let seconds = mktime(&parts)
        guard parts.tm_hour == hour, parts.tm_min == minute else {
            throw Refusal(
                message: "Invalid time: \(time) does not exist in \(source) today (skipped by a clock change)"
            )
        }
        return (try reading(of: seconds, in: source), try reading(of: seconds, in: target))
    }

    /// How far `target` is ahead of `source`: `+9.0h`, `-3.5h`, `+5.75h`.
    static func difference(from source: Reading, to target: Reading) -> String {
        let minutes = (target.parts.tm_gmtoff - source.parts.tm_gmtoff) / 60
        let (hours, rest) = abs(minutes).quotientAndRemainder(dividingBy: 60)
        let hundredths = rest * 100 / 60
        let fraction =
            hundredths % 10 == 0 ? "\(hundredths / 10)" : hundredths < 10 ? "0\(hundredths)" : "\(hundredths)"
        return "\(minutes < 0 ? "-" : "+")\(hours).\(fraction)h"
    }

    private static func local(_ seconds: time_t) -> tm {
        var (seconds, parts) = (seconds, tm())
        localtime_r(&seconds, &parts)
        return parts
    }

    /// Makes `zone` the zone of the process.
    private static func enter(_ zone: String) throws(Refusal) {
        // A leading colon makes the C library read the rest as a file name and nothing else.
        let setting = zone == "UTC" ? "UTC0" : ":\(try file(of: zone))"
        guard setenv("TZ", setting, 1) == 0 else { throw Refusal(message: "Invalid timezone: \(zone)") }
        tzset()
    }

    /// The database file of a zone; the name comes from a client and must not lead out of the database.
    private static func file(of zone: String) throws(Refusal) -> String {
        guard access(database, R_OK) == 0 else {
            throw Refusal(message: "Invalid timezone: only UTC works here until the package tzdata is installed")
        }
        let path = "\(database)/\(zone)"
        let isPlain = zone.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "+"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard !zone.isEmpty, !zone.hasPrefix("/"), isPlain, holdsZone(path) else {
            throw Refusal(message: "Invalid timezone: no time zone found with key \(zone)")
        }
        return path
    }

    /// Whether a file begins as time zone files do (RFC 9636, section 3.1).
    private static func holdsZone(_ path: String) -> Bool {
        guard let file = fopen(path, "r") else { return false }
        defer { fclose(file) }
        return "TZif".utf8.allSatisfy { fgetc(file) == Int32($0) }
    }
}
