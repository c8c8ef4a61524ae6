// SPDX-License-Identifier: Apache-2.0

package import Events
internal import Journal
internal import NIOCore

/// How much an event matters, on syslog's scale (RFC 5424, 6.2.1): the raw value is the journal's `PRIORITY`.
package enum Severity: Int, CaseIterable, Sendable {
    /// Clients can't be served and it won't mend by itself soon.
    case critical = 2
    /// Something broke.
    case error = 3
    /// Something went wrong, or will unless somebody acts.
    case warning = 4
    /// Normal, and worth knowing.
    case notice = 5
    /// Normal.
    case info = 6
    /// One line per call and more: only for looking closely.
    case debug = 7

    /// The word in a log line.
    package var label: String {
        switch self {
        case .critical: "crit"
        case .error: "error"
        case .warning: "warn"
        case .notice: "notice"
        case .info: "info"
        case .debug: "debug"
        }
    }
}

/// One named value of an event, safe to print: text in it is sanitised and capped (see `sanitised`).
package struct EventField: Sendable, Equatable {
    /// What a field can hold.
    package enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
        case boolean(Bool)
    }

    /// In snake case; a journal field is this in capitals behind `MCP_`.
    package let name: String
    package let value: Value

    package init(_ name: String, _ text: String, cap: Int = TextCap.name) {
        self.name = name
        self.value = .text(text.sanitised(cap: cap))
    }

    package init(_ name: String, _ integer: Int) {
        self.name = name
        self.value = .integer(integer)
    }

    package init(_ name: String, _ boolean: Bool) {
        self.name = name
        self.value = .boolean(boolean)
    }
}

/// One event as every textual sink tells it: stderr and the journal take the same name, level, sentence and fields.
///
/// Nothing in it can break a line: message and fields are free of control characters.
package struct EventRecord: Sendable, Equatable {
    package let kind: EventKind
    package let severity: Severity
    /// One sentence for the operator.
    package let message: String
    /// Every fact the event carries, in a fixed order; what is unknown is left out.
    package let fields: [EventField]

    package init(_ event: Event) { self.init(event.kind, event.severity, event.sentence, event.fields) }

    init(_ kind: EventKind, _ severity: Severity, _ message: String, _ fields: [EventField?] = []) {
        self.kind = kind
        self.severity = severity
        self.message = message.sanitised(cap: TextCap.message)
        self.fields = fields.compactMap { $0 }
    }

    /// The summary of events that the journal's rate limit left out.
    init(leftOut: [EventKind: Int], within window: TimeAmount) {
        let total = leftOut.values.reduce(0, +)
        let kinds = leftOut.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue)=\($0.value)" }
        self.init(
            .requestsSummary,
            .info,
            "\(count(total, "event")) left out of the journal within"
                + " \(durationText(milliseconds: window.milliseconds)): \(kinds.joined(separator: ", "))",
            [
                EventField("window_ms", window.milliseconds), EventField("suppressed", total),
                EventField("kinds", list: kinds),
            ]
        )
    }

    /// The report of entries that did not reach the journal; not an event, since only the log lost something.
    init(_ loss: JournalWriter.Loss) {
        self.init(
            .telemetryDropped,
            .warning,
            "\(count(loss.count, "entry", plural: "entries")) of the journal lost, MCP_SEQ \(loss.first) to"
                + " \(loss.last): \(loss.reason.words)",
            [
                EventField("lost", loss.count), EventField("reason", loss.reason.rawValue),
                EventField("first_seq", loss.first), EventField("last_seq", loss.last),
            ]
        )
    }

    /// The report of lines that a slow reader of the log cost; not an event, since only the log lost something.
    init(droppedLogLines lines: Int) {
        self.init(
            .telemetryDropped,
            .warning,
            "\(count(lines, "log line")) dropped: stderr is read too slowly",
            [EventField("lost", lines), EventField("reason", "slow_reader")]
        )
    }
}
