// SPDX-License-Identifier: Apache-2.0

/// The severity of a log message, from the most verbose to the gravest (RFC 5424 names, as the protocol uses them).
package enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case debug, info, notice, warning, error, critical, alert, emergency

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rank < right.rank }
}
