// SPDX-License-Identifier: Apache-2.0

/// A name the journal would not take as that of a field.
package struct InvalidJournalFieldName: Error, Equatable, CustomStringConvertible {
    package let name: String

    package var description: String {
        "\"\(name)\" can't name a journal field; use A to Z, 0 to 9 and _, a letter first, at most 64 in all"
    }
}

/// The name of a field that is not known when the program is built: `[A-Z][A-Z0-9_]*`, at most 64 characters.
///
/// The journal silently leaves out fields with other names, and keeps those that begin with `_` for itself
/// (systemd.journal-fields(7)).
package struct JournalFieldName: Sendable, Hashable {
    let bytes: [UInt8]

    package init(_ name: String) throws(InvalidJournalFieldName) {
        bytes = Array(name.utf8)
        if !Self.isValid(bytes) { throw InvalidJournalFieldName(name: name) }
    }

    static func isValid(_ name: some Collection<UInt8>) -> Bool {
        guard let first = name.first, isLetter(first), name.count <= 64 else { return false }
        return name.allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
}
