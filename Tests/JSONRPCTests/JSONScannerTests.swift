// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import NIOCore
import SeededRandom
import Synchronization
import Testing

@testable import JSONRPC

func isValidJSON(_ bytes: [UInt8]) -> Bool {
    do throws(Malformed) {
        try validateJSON(bytes.span)
        return true
    } catch {
        return false
    }
}

func isValidJSON(_ text: String) -> Bool { isValidJSON(Array(text.utf8)) }

@Suite struct JSONScannerTests {
    @Test(arguments: [
        "0", "-0", "1", "10", "-123", "0.5", "1.25e10", "1E+2", "1e-07", "123456789012345678901234567890",
        "true", "false", "null", "\"\"", "[]", "{}", " [ 1 , 2 ] ", "{\"a\":{\"a\":[{}]},\"a\":1}",
        #""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud800""#, "\"é€😀\u{7f}\u{2028}\"",
    ])
    func valid(text: String) { #expect(isValidJSON(text)) }

    @Test(arguments: [
        "", " ", "+1", "-", "01", "-01", "1.", ".5", "1.e1", "1e", "1e+", "0x1", "1_0", "NaN", "Infinity",
        "tru", "True", "nulll", "nul", "truefalse",
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "[}", "{]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1",
        "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{,}",
        "\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u123g\"", "\"\\U0041\"", "'a'",
        "\"\n\"", "\"\r\"", "\"\t\"", "\"\u{0}\"", "\"\u{1f}\"", "\"abcdefgh\u{1f}\"",
        "1 1", "{} {}", "[]]", "// c\n1", "1//", "\u{feff}1", "\u{a0}1", "\u{b}1", "\u{c}1", "1\u{0}",
    ])
    func invalid(text: String) { #expect(!isValidJSON(text)) }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x22], [0xC2, 0xC2], [0xE0, 0x9F, 0xBF],
            [0xE0, 0xA0], [0xE1, 0x80], [0xE1, 0x80, 0x22], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x90, 0x80], [0xF1, 0x80, 0x80, 0x00], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE],
            [0xFF],
        ] as [[UInt8]]
    )
    func invalidUTF8(sequence: [UInt8]) {
        for before in 0..<10 {
            let plain = Array(repeating: UInt8(ascii: "x"), count: before)
            #expect(!isValidJSON([0x22] + plain + sequence + [0x22]))
            #expect(!isValidJSON([0x22] + plain + sequence))
            #expect(!isValidJSON([0x22] + plain + [0xC3, 0xA9] + sequence + plain + [0x22]))
        }
    }

    /// Every two- and three-byte sequence, held against the standard library's decoder.
    @Test func shortSequencesOfUTF8() {
        for lead in UInt8(0x80)...0xFF {
            for second in UInt8(0x20)...0xFF where second != 0x22 && second != 0x5C {
                let two = [lead, second]
                #expect(isValidJSON([0x22] + two + [0x22]) == (String(validating: two, as: UTF8.self) != nil))
                for third: UInt8 in [0x61, 0x7F, 0x80, 0xBF, 0xC0] {
                    let three = two + [third]
                    #expect(isValidJSON([0x22] + three + [0x22]) == (String(validating: three, as: UTF8.self) != nil))
                }
            }
        }
    }

    @Test func boundariesOfUTF8() {
        for scalar: Unicode.Scalar in [
            "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{fffd}", "\u{ffff}", "\u{10000}", "\u{10ffff}",
        ] {
            #expect(isValidJSON("\"\(scalar)\""))
        }
    }

    @Test func controlCharactersAtEveryPositionOfAWord() {
        for length in 1...24 {
            for position in 0..<length {
                for byte: UInt8 in [0x00, 0x1F, 0x0A, 0xFF, 0x80] {
                    var text = Array(repeating: UInt8(ascii: "~"), count: length)
                    text[position] = byte
                    #expect(!isValidJSON([0x22] + text + [0x22]))
                }
                for byte: UInt8 in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F] {
                    var text = Array(repeating: UInt8(ascii: "~"), count: length)
                    text[position] = byte
                    #expect(isValidJSON([0x22] + text + [0x22]))
                }
            }
        }
    }

    @Test(arguments: ["[", "{\"a\":"])
    func depth(opening: String) {
        func nested(_ depth: Int) -> String {
            String(repeating: opening, count: depth) + (opening == "[" ? "" : "1")
                + String(repeating: opening == "[" ? "]" : "}", count: depth)
        }
        #expect(isValidJSON(nested(512)))
        #expect(!isValidJSON(nested(513)))
        #expect(!isValidJSON(nested(100_000)))
    }

    /// Each kind of container closes as what it was opened, whatever stood in it.
    @Test func mixedNesting() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            var text = ""
            var closing = ""
            for _ in 0..<Int.random(in: 1...511, using: &generator) {
                let isObject = Bool.random(using: &generator)
                text += isObject ? "{\"k\":[],\"a\":" : "[{},"
                closing = (isObject ? "}" : "]") + closing
            }
            #expect(isValidJSON(text + "0" + closing))
            var wrong = Array((text + "0" + closing).utf8)
            let index = wrong.count - 1 - Int.random(in: 0..<closing.utf8.count, using: &generator)
            wrong[index] = wrong[index] == UInt8(ascii: "}") ? UInt8(ascii: "]") : UInt8(ascii: "}")
            #expect(!isValidJSON(wrong))
        }
    }

    /// The deepest message fits on a small stack.
    @Test func stack() {
        let isAccepted = Mutex(false)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let deep = String(repeating: "{\"_meta\":", count: 510) + "1" + String(repeating: "}", count: 510)
            isAccepted.withLock { $0 = scanError(request(params: deep)) == nil }
            done.signal()
        }
        thread.stackSize = 128 << 10
        thread.start()
        done.wait()
        #expect(isAccepted.withLock { $0 })
    }
}
