// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Testing

@Suite struct ByteRingTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Takes out everything, at most `step` bytes at a time.
    private func drain(_ ring: ByteRing, step: Int = .max) -> String {
        var result: [UInt8] = []
        while ring.take({ piece in
            let count = min(step, piece.count)
            result.append(contentsOf: piece[..<count])
            return count
        }) {}
        return String(decoding: result, as: UTF8.self)
    }

    @Test func keepsOrderAroundTheEnd() {
        let ring = ByteRing(capacity: 8)
        var expected = ""
        var seen = ""
        for number in 0..<100 {
            #expect(ring.push(bytes("\(number)\n")))
            expected += "\(number)\n"
            if number % 2 == 1 { seen += drain(ring, step: 1 + number % 3) }
        }
        #expect(seen == expected)
    }

    @Test func refusesARecordThatDoesNotFitAsAWhole() {
        let ring = ByteRing(capacity: 8)
        #expect(ring.push(bytes("12345\n")))
        #expect(!ring.push(bytes("67\n")))
        #expect(ring.push(bytes("6\n")))
        #expect(!ring.push(bytes("\n")))
        #expect(drain(ring) == "12345\n6\n")
        #expect(!ring.push(bytes("123456789")))
        #expect(ring.push(bytes("12345678")))
        #expect(drain(ring) == "12345678")
    }

    @Test func keepsTheReserveFree() {
        let ring = ByteRing(capacity: 8)
        func push(_ head: String, _ tail: String, leaving reserve: Int) -> Bool {
            bytes(head).withUnsafeBytes { head in
                bytes(tail).withUnsafeBytes { ring.push(head, $0, leaving: reserve) }
            }
        }
        #expect(push("12", "345", leaving: 3))
        #expect(!push("", "6", leaving: 3))
        #expect(ring.count == 5)
        #expect(push("67", "8", leaving: 0))
        #expect(!push("9", "", leaving: 0))
        #expect(drain(ring) == "12345678")
        #expect(push("abc", "de", leaving: 3))
        #expect(drain(ring) == "abcde")
        #expect(ring.count == 0)
    }

    @Test func emptyRingHasNothingToTake() {
        let ring = ByteRing(capacity: 8)
        #expect(!ring.take { _ in 1 })
    }

    /// One thread pushes numbered lines of changing length, another takes them out in pieces: all arrive, whole and in
    /// order.
    @Test func carriesLinesBetweenThreads() throws {
        let ring = ByteRing(capacity: 257)
        let lines = 20_000
        let producer = try OnThread {
            for number in 0..<lines {
                let line = Array("\(number)-\(String(repeating: "x", count: number % 97))\n".utf8)
                while !ring.push(line) { sched_yield() }
            }
        }
        let consumer = try OnThread {
            var received = 0
            var line: [UInt8] = []
            var isIntact = true
            while received < lines {
                let wasFilled = ring.take { piece in
                    let count = 1 + piece.count / 2
                    for byte in piece[..<count] {
                        if byte != UInt8(ascii: "\n") {
                            line.append(byte)
                            continue
                        }
                        let expected = "\(received)-\(String(repeating: "x", count: received % 97))"
                        isIntact = isIntact && line == Array(expected.utf8)
                        line.removeAll(keepingCapacity: true)
                        received += 1
                    }
                    return count
                }
                if !wasFilled { sched_yield() }
            }
            return isIntact
        }
        try producer.value()
        #expect(try consumer.value())
    }
}
