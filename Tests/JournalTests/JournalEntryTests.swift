// SPDX-License-Identifier: Apache-2.0

import Journal
import Testing

@Suite struct JournalEntryTests {
    /// What one value becomes, in the field `F`.
    private func field(_ value: String) -> String {
        var entry = JournalEntry()
        entry.append("F", value)
        let text = String(decoding: entry.bytes, as: UTF8.self)
        #expect(text.hasPrefix("F=") && text.hasSuffix("\n") && text.utf8.count - 1 <= JournalEntry.maximumFieldBytes)
        #expect(Array(text.utf8) == entry.bytes, "valid UTF-8")
        return String(text.dropFirst(2).dropLast())
    }

    @Test func aFieldIsALine() throws {
        var entry = JournalEntry()
        entry.append("MESSAGE", "hello")
        entry.append("PRIORITY", 6)
        let name = try JournalFieldName("MCP_X")
        entry.append(name, "=a=")
        entry.append(name, -40)
        entry.append("MCP_EMPTY", "")
        #expect(
            String(decoding: entry.bytes, as: UTF8.self)
                == "MESSAGE=hello\nPRIORITY=6\nMCP_X==a=\nMCP_X=-40\nMCP_EMPTY=\n"
        )
    }

    @Test(arguments: [0, 7, 10, -1, 1_234_567_890, Int.max, Int.min])
    func numbersAreDecimal(_ number: Int) {
        var entry = JournalEntry()
        entry.append("F", number)
        #expect(String(decoding: entry.bytes, as: UTF8.self) == "F=\(number)\n")
    }

    @Test func whatIsReadableStays() {
        for text in ["plain ~ text", " a ", "שלום Ελλάδα 日本語", "e\u{301}", "\u{1F680}", "a\u{A0}b", "\u{FFFD}"] {
            #expect(Array(field(text).utf8) == Array(text.utf8))
        }
    }

    @Test func whiteSpaceBecomesSpaces() {
        #expect(field("a\nb\tc\r\nd\u{85}e\u{2028}f\u{2029}g") == "a b c  d e f g")
    }

    @Test func whatTheJournalWouldNotShowIsReplaced() {
        #expect(field("a\0b\u{1B}[31m\u{7F}\u{9B}") == "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}\u{FFFD}")
        for scalar: UInt32 in [0xFFFE, 0xFFFF, 0xFDD0, 0xFDEF, 0x1FFFF, 0x10FFFE] {
            #expect(Unicode.Scalar(scalar).map { field("a\($0)b") } == "a\u{FFFD}b")
        }
    }

    @Test func whatReordersOrHidesIsReplaced() {
        for scalar in ["\u{202E}", "\u{2066}", "\u{200F}", "\u{200B}", "\u{FEFF}", "\u{AD}"] {
            #expect(field("a\(scalar)b") == "a\u{FFFD}b")
        }
    }

    @Test func invalidBytesAreReplaced() {
        #expect(field(String(decoding: [0x61, 0xC3, 0x28], as: UTF8.self)) == "a\u{FFFD}(")
    }

    @Test func theLongestValueFitsWhole() {
        let room = JournalEntry.maximumFieldBytes - 2
        let longest = String(repeating: "x", count: room)
        #expect(field(longest) == longest)
        #expect(field(longest + "x") == String(repeating: "x", count: room - 3) + "…")
        let wide = "x" + String(repeating: "é", count: room / 2)
        #expect(room % 2 == 1 && field(wide) == wide)
    }

    /// Characters of one to four bytes, at every offset.
    @Test(arguments: ["x", "é", "日", "\u{1F680}", "\u{1}"])
    func cuttingSplitsNoCharacter(_ character: String) {
        for offset in 0..<4 {
            let kept = field(String(repeating: "a", count: offset) + String(repeating: character, count: 5000))
            let shown = character == "\u{1}" ? "\u{FFFD}" : character
            #expect(kept.hasSuffix("…"))
            #expect(kept.dropLast().dropFirst(offset).allSatisfy { String($0) == shown })
            // No more is cut than must be.
            #expect(kept.utf8.count > JournalEntry.maximumFieldBytes - 2 - shown.utf8.count)
        }
    }

    @Test func theNameCountsToo() throws {
        var entry = JournalEntry()
        entry.append(try JournalFieldName(String(repeating: "N", count: 64)), String(repeating: "x", count: 5000))
        #expect(entry.bytes.count == JournalEntry.maximumFieldBytes + 1)
    }

    @Test func namesAreChecked() throws {
        for name in ["A", "MCP_SEQ", "X9_", String(repeating: "A", count: 64)] {
            #expect(throws: Never.self) { try JournalFieldName(name) }
        }
        for name in ["", "_PID", "9A", "a", "Mcp", "A-B", "A=B", "A\n", "É", String(repeating: "A", count: 65)] {
            let error = #expect(throws: InvalidJournalFieldName.self) { try JournalFieldName(name) }
            #expect(error?.name == name)
        }
    }
}
