// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing
import Upstream

@Suite struct StderrLogTests {
    private func lines(_ chunks: [String], limits: StderrLog.Limits = .init()) -> [StderrLog.Entry] {
        var log = StderrLog(limits, now: at(0))
        var entries: [StderrLog.Entry] = []
        for chunk in chunks { log.append(ByteBuffer(string: chunk), now: at(0)) { entries.append($0) } }
        log.finish(now: at(0)) { entries.append($0) }
        return entries
    }

    @Test func splitsAtEveryPoint() {
        let text = "first\r\n\nsecönd\nthird"
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var log = StderrLog(now: at(0))
            var found: [String] = []
            log.append(ByteBuffer(bytes: bytes[..<cut]), now: at(0)) { found.append($0.line) }
            log.append(ByteBuffer(bytes: bytes[cut...]), now: at(0)) { found.append($0.line) }
            log.finish(now: at(0)) { found.append($0.line) }
            #expect(found == ["first", "secönd", "third"])
        }
    }

    @Test func capsLines() {
        let long = String(repeating: "x", count: 3999) + "ö" + String(repeating: "y", count: 10_000)
        for chunks in [[long + "\nnext\n"], [long, "more", "\n", "next\n"]] {
            let entries = lines(chunks)
            #expect(entries.count == 2)
            #expect(entries.first?.isTruncated == true)
            #expect(entries.first.map { $0.line.utf8.count <= 4000 && $0.line.hasPrefix("xxx") } == true)
            #expect(entries.last == .init(line: "next"))
        }
        #expect(lines([String(repeating: "x", count: 4000) + "\n"]).first?.isTruncated == false)
    }

    @Test func cleansLines() {
        #expect(lines(["\u{1B}[1;31mred\u{1B}[0m\ta\u{7}\u{0}b\u{85}\u{2028}c\n"]) == [.init(line: "red abc")])
        #expect(lines(["\u{1B}[2J\n", "\u{1B}"]) == [])
        var log = StderrLog(now: at(0))
        var found: [String] = []
        log.append(ByteBuffer(bytes: [0xFF, 0x61, 0x0A]), now: at(0)) { found.append($0.line) }
        #expect(found == ["\u{FFFD}a"])
    }

    @Test func holdsBackAFlood() {
        var log = StderrLog(now: at(0))
        var count = 0
        log.append(ByteBuffer(string: String(repeating: "line\n", count: 1200)), now: at(0)) { _ in count += 1 }
        #expect(count == 500)
        #expect(log.isSuppressing)
        #expect(log.takeSuppressed() == 700)
        #expect(!log.isSuppressing)
        log.append(ByteBuffer(string: String(repeating: "line\n", count: 60)), now: at(1000)) { _ in count += 1 }
        #expect(count == 550)
        #expect(log.takeSuppressed() == 10)
    }

    @Test func keepsTheTail() {
        var log = StderrLog(now: at(0))
        #expect(log.tail == "")
        for number in 0..<2000 {
            log.append(ByteBuffer(string: "line number \(number)\n"), now: at(0)) { _ in }
        }
        log.append(ByteBuffer(string: "the end"), now: at(0)) { _ in }
        #expect(log.tail.hasSuffix("line number 1999\nthe end"))
        #expect(log.tail.hasPrefix("line number "))
        #expect((1900...2048).contains(log.tail.utf8.count))
    }

    @Test func tailOfOneEndlessLine() {
        var log = StderrLog(now: at(0))
        log.append(ByteBuffer(repeating: UInt8(ascii: "z"), count: 100_000), now: at(0)) { _ in }
        #expect(log.tail == String(repeating: "z", count: 2048))
        var invalid = StderrLog(now: at(0))
        invalid.append(ByteBuffer(repeating: 0xFF, count: 100_000), now: at(0)) { _ in }
        #expect(invalid.tail.utf8.count <= 2048)
    }
}
