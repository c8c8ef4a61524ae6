// SPDX-License-Identifier: Apache-2.0

/// One entry of the journal, serialised as it is filled.
///
/// A value may come from anywhere: it is made printable and cut, so that every reader of the journal can show it.
/// From 4096 bytes a field on, `journalctl -o json` prints `null`; a control character or a noncharacter makes it
/// print an array of numbers. PRIORITY, MESSAGE_ID and the like are fields as any other (systemd.journal-fields(7)).
package struct JournalEntry: Sendable {
    /// The longest field, in bytes, its name and the equals sign included.
    package static let maximumFieldBytes = 4095

    /// `NAME=value` and a newline for each field. No value contains a newline.
    package private(set) var bytes: [UInt8] = []

    package init() {
        // Most entries fit, so that filling one costs a single allocation.
        bytes.reserveCapacity(1024)
    }

    /// Adds a field. The journal keeps several of the same name.
    ///
    /// - Parameters:
    ///   - name: one that `JournalFieldName` would take.
    ///   - value: replaced in it are white space that is not a space, by a space, and what is invisible, reorders the
    ///     text or is no character, by U+FFFD. If it is too long it is cut between two code points and ends in `…`.
    package mutating func append(_ name: StaticString, _ value: String) {
        append(name: name)
        append(value: value, room: Self.maximumFieldBytes - name.utf8CodeUnitCount - 1)
    }

    /// Adds a field with a number in decimal notation.
    package mutating func append(_ name: StaticString, _ value: Int) {
        append(name: name)
        append(decimal: value)
    }

    /// Adds a field whose name is known at run time only.
    package mutating func append(_ name: JournalFieldName, _ value: String) {
        append(name: name)
        append(value: value, room: Self.maximumFieldBytes - name.bytes.count - 1)
    }

    /// Adds a field whose name is known at run time only, with a number in decimal notation.
    package mutating func append(_ name: JournalFieldName, _ value: Int) {
        append(name: name)
        append(decimal: value)
    }
}

extension JournalEntry {
    private static let newline = UInt8(ascii: "\n")

    private mutating func append(name: StaticString) {
        name.withUTF8Buffer { text in
            assert(JournalFieldName.isValid(text), "not a name for a journal field: \(name)")
            bytes.append(contentsOf: text)
        }
        bytes.append(UInt8(ascii: "="))
    }

    private mutating func append(name: JournalFieldName) {
        bytes.append(contentsOf: name.bytes)
        bytes.append(UInt8(ascii: "="))
    }

    private mutating func append(decimal value: Int) {
        let start = bytes.count
        var rest = value.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes[start...].reverse()
        bytes.append(Self.newline)
    }

    private mutating func append(value: String, room: Int) {
        var value = value
        let isPlain = value.withUTF8 { text in
            guard text.count <= room, text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return false }
            bytes.append(contentsOf: text)
            return true
        }
        if !isPlain { append(cleaning: value, room: room) }
        bytes.append(Self.newline)
    }

    private mutating func append(cleaning value: String, room: Int) {
        let ellipsis = "…".utf8
        let end = bytes.count + room
        // Where to cut if not all of it fits.
        var cut = bytes.count
        for scalar in value.unicodeScalars {
            let clean = scalar.inJournal
            guard bytes.count + UTF8.width(clean) <= end else {
                bytes.removeSubrange(cut...)
                bytes.append(contentsOf: ellipsis)
                return
            }
            bytes.append(contentsOf: clean.utf8)
            if bytes.count <= end - ellipsis.count { cut = bytes.count }
        }
    }
}

extension Unicode.Scalar {
    /// The scalar itself or what stands for it in the journal.
    fileprivate var inJournal: Unicode.Scalar {
        switch self {
        case " "..."~": return self
        case "\t", "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": return " "
        default: break
        }
        if properties.isNoncharacterCodePoint { return "\u{FFFD}" }
        switch properties.generalCategory {
        case .control, .format: return "\u{FFFD}"
        default: return self
        }
    }
}
