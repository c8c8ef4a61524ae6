// SPDX-License-Identifier: Apache-2.0

/// The instances of a fleet at a glance, for a terminal.
package struct StatusTable {
    private struct Column: Sendable {
        var title: String
        /// The order in which columns give way in a narrow terminal; 0 never does.
        var rank: Int
        var isNumber: Bool
        var text: @Sendable (Server, InstanceStatus) -> String
    }

    private static let columns = [
        Column(title: "NAME", rank: 0, isNumber: false) { server, _ in server.name },
        Column(title: "STATE", rank: 0, isNumber: false) { _, status in status.state },
        Column(title: "VERSION", rank: 6, isNumber: false) { _, status in status.version ?? "-" },
        Column(title: "UPTIME", rank: 5, isNumber: true) { _, status in status.uptime.map(duration) ?? "-" },
        Column(title: "RESTARTS", rank: 3, isNumber: true) { _, status in count(status.restarts) },
        Column(title: "SESSIONS", rank: 4, isNumber: true) { _, status in count(status.sessions) },
        Column(title: "CALLS", rank: 7, isNumber: true) { _, status in count(status.requests) },
        Column(title: "ERRORS", rank: 1, isNumber: true) { _, status in count(status.errors) },
        Column(title: "P95", rank: 2, isNumber: true) { _, status in status.slowCall.map(latency) ?? "-" },
        Column(title: "WHY", rank: 8, isNumber: false) { _, status in status.detail },
    ]

    /// - Parameters:
    ///   - width: Columns of the terminal; nil for no limit.
    ///   - isColoured: Whether states stand in green, yellow and red.
    package static func text(_ rows: [(Server, InstanceStatus)], width: Int?, isColoured: Bool) -> String {
        var shown = columns
        if rows.allSatisfy({ $0.1.detail.isEmpty }) { shown.removeLast() }
        var widths = measure(shown, rows)
        while let width, widths.reduce(0, { $0 + $1 + 2 }) - 2 > width {
            // The last column, if it explains something, is cut rather than left out.
            let others = widths.dropLast().reduce(0) { $0 + $1 + 2 }
            if shown.last?.title == "WHY", width - others >= 16 {
                widths[widths.count - 1] = width - others
                break
            }
            guard let most = shown.map(\.rank).max(), most > 0 else { break }
            shown.removeAll { $0.rank == most }
            widths = measure(shown, rows)
        }
        var text = line(shown.map(\.title), shown, widths) + "\n"
        for (server, status) in rows {
            let cells = shown.map { $0.text(server, status) }
            var row = line(cells, shown, widths)
            if isColoured {
                let start = row.index(row.startIndex, offsetBy: widths[0] + 2)
                let end = row.index(start, offsetBy: status.state.count)
                row.replaceSubrange(start..<end, with: "\u{1B}[\(colour(status.state))m\(status.state)\u{1B}[0m")
            }
            text += row + "\n"
        }
        return text
    }

    private static func measure(_ columns: [Column], _ rows: [(Server, InstanceStatus)]) -> [Int] {
        columns.map { column in
            rows.map { column.text($0, $1).count }.reduce(column.title.count, max)
        }
    }

    private static func line(_ cells: [String], _ columns: [Column], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let isCut = cell.count > widths[index]
            let text = isCut ? cell.prefix(max(0, widths[index] - 3)) + "..." : cell[...]
            let space = String(repeating: " ", count: max(0, widths[index] - text.count))
            line += (index == 0 ? "" : "  ") + (columns[index].isNumber ? space + text : text + space)
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private static func colour(_ state: String) -> String {
        switch state {
        case "ready": "32"
        case "starting", "restarting", "stopping": "33"
        default: "31"
        }
    }
}

private func count(_ number: Int?) -> String { number.map(String.init) ?? "-" }

/// `3d 4h`, `2h 5m`, `7m`, `12s`.
private func duration(_ seconds: Double) -> String {
    let whole = Int(seconds)
    switch whole {
    case ..<60: return "\(whole)s"
    case ..<3600: return "\(whole / 60)m"
    case ..<86_400: return "\(whole / 3600)h \(whole % 3600 / 60)m"
    default: return "\(whole / 86_400)d \(whole % 86_400 / 3600)h"
    }
}

/// `12ms`, `1.4s`, `85s`.
private func latency(_ seconds: Double) -> String {
    let milliseconds = Int((seconds * 1000).rounded())
    if milliseconds < 1000 { return "\(milliseconds)ms" }
    let tenths = Int((seconds * 10).rounded())
    return tenths < 100 ? "\(tenths / 10).\(tenths % 10)s" : "\(tenths / 10)s"
}
