// SPDX-License-Identifier: Apache-2.0

internal import Journal

/// What every entry of this proxy says of it, and how a record becomes an entry.
package struct JournalIdentity: Sendable {
    /// `--name`.
    package let server: String
    /// One for each run of the proxy: `MCP_SEQ` counts within it.
    package let instance: String

    package init(server: String, instance: String) {
        self.server = server
        self.instance = instance
    }

    /// The fields that every entry has, then those of the event.
    func entry(of record: EventRecord) -> JournalEntry {
        var entry = JournalEntry()
        entry.append("MESSAGE", record.message)
        entry.append("MESSAGE_ID", record.kind.messageID)
        entry.append("PRIORITY", record.severity.rawValue)
        entry.append("SYSLOG_IDENTIFIER", "mcp-proxy")
        entry.append("MCP_EVENT", record.kind.rawValue)
        entry.append("MCP_SERVER", server)
        entry.append("MCP_INSTANCE", instance)
        entry.append("MCP_SCHEMA", 1)
        for field in record.fields {
            // The names are the catalogue's; a test makes sure that all of them can be names of fields.
            guard let name = try? JournalFieldName(field.journalName) else { continue }
            switch field.value {
            case .text(let text): entry.append(name, text)
            case .integer(let number): entry.append(name, number)
            case .boolean(let flag): entry.append(name, flag ? 1 : 0)
            }
        }
        return entry
    }
}

extension EventField {
    /// In the journal: `duration_us` becomes `MCP_DURATION_USEC`. What others name too has their name.
    package var journalName: String {
        switch name {
        case "session": return "MCP_SESSION_ID"
        case "trace_id": return "TRACE_ID"
        case "span_id": return "SPAN_ID"
        default: break
        }
        var upper = "MCP_" + name.uppercased()
        if upper.hasSuffix("_US") { upper = upper.dropLast(3) + "_USEC" }
        if upper.hasSuffix("_MS") { upper = upper.dropLast(3) + "_MSEC" }
        return upper
    }
}
