// SPDX-License-Identifier: Apache-2.0

/// How a record becomes a line on stderr (`--log`).
package enum LogFormat: String, CaseIterable, Sendable {
    /// `2026-11-23T05:12:01.123Z error  upstream.crashed  exit status 3 after 12.4 s, …`
    case text
    /// One flat object: `time`, `level`, `event`, `message`, then the fields of the event.
    case json

    /// The line, ended by a newline and with none inside.
    ///
    /// - Parameter colour: whether the level is coloured for a terminal; only the text format does.
    package func line(_ record: EventRecord, at time: WallTime, colour: Bool = false) -> [UInt8] {
        switch self {
        case .text: Self.text(record, at: time, colour: colour)
        case .json: Self.json(record, at: time)
        }
    }

    private static func text(_ record: EventRecord, at time: WallTime, colour: Bool) -> [UInt8] {
        let label = record.severity.label
        let padding = String(repeating: " ", count: max(0, 6 - label.utf8.count))
        let level = colour ? "\u{1B}[\(record.severity.colour)m\(label)\u{1B}[0m" : label
        return Array("\(time.text) \(level)\(padding) \(record.kind.rawValue)  \(record.message)\n".utf8)
    }

    private static func json(_ record: EventRecord, at time: WallTime) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256 + record.message.utf8.count)
        line.append(contentsOf: #"{"time":"#.utf8)
        line.append(jsonString: time.text)
        line.append(contentsOf: #","level":"#.utf8)
        line.append(jsonString: record.severity.label)
        line.append(contentsOf: #","event":"#.utf8)
        line.append(jsonString: record.kind.rawValue)
        line.append(contentsOf: #","message":"#.utf8)
        line.append(jsonString: record.message)
        for field in record.fields {
            line.append(UInt8(ascii: ","))
            line.append(jsonString: field.name)
            line.append(UInt8(ascii: ":"))
            switch field.value {
            case .text(let text): line.append(jsonString: text)
            case .integer(let number): line.append(contentsOf: String(number).utf8)
            case .boolean(let flag): line.append(contentsOf: (flag ? "true" : "false").utf8)
            }
        }
        line.append(contentsOf: "}\n".utf8)
        return line
    }
}

extension Severity {
    /// The parameter of the terminal's "select graphic rendition" (ECMA-48, 8.3.117).
    fileprivate var colour: String {
        switch self {
        case .critical: "1;31"
        case .error: "31"
        case .warning: "33"
        case .notice: "32"
        case .info: "36"
        case .debug: "2"
        }
    }
}

extension [UInt8] {
    /// Appends a JSON string (RFC 8259, 7). Records hold no control characters, so two bytes need an escape.
    fileprivate mutating func append(jsonString text: String) {
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append(UInt8(ascii: "\\")) }
            append(byte)
        }
        append(UInt8(ascii: "\""))
    }
}
