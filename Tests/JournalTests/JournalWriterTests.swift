// SPDX-License-Identifier: Apache-2.0

import SeededRandom
import Synchronization
import Testing

@testable import Journal

@Suite struct JournalWriterTests {
    private func writer(_ journal: FakeJournal, capacity: Int = 4096, reserve: Int = 1024) throws -> JournalWriter {
        let configuration = JournalWriter.Configuration(
            capacity: capacity,
            reserve: reserve,
            retryMilliseconds: 1...2
        )
        return try JournalWriter(configuration, transport: journal.transport) { loss in
            var entry = JournalEntry()
            entry.append("REASON", loss.reason.rawValue)
            entry.append("COUNT", loss.count)
            entry.append("FIRST", loss.first)
            entry.append("LAST", loss.last)
            return entry
        }
    }

    private func entry(_ message: String = "hello") -> JournalEntry {
        var entry = JournalEntry()
        entry.append("MESSAGE", message)
        return entry
    }

    private func report(_ reason: JournalWriter.LossReason, _ count: Int, _ first: Int, _ last: Int) -> [String: String]
    {
        ["REASON": reason.rawValue, "COUNT": "\(count)", "FIRST": "\(first)", "LAST": "\(last)"]
    }

    /// Writes entries until one is dropped for this reason.
    ///
    /// - Returns: how many were written, with the one that was dropped.
    private func fill(
        _ writer: JournalWriter,
        _ lane: JournalWriter.Lane = .ordinary,
        until reason: JournalWriter.LossReason
    ) -> Int {
        var count = 0
        let before = writer.statistics.dropped[reason]
        while writer.statistics.dropped[reason] == before {
            writer.write(entry(), lane: lane)
            count += 1
        }
        return count
    }

    @Test func numbersEntriesAndKeepsTheirOrder() throws {
        let journal = FakeJournal()
        let writer = try writer(journal, capacity: 1 << 20)
        for number in 0..<1000 { writer.write(entry("\(number)")) }
        #expect(writer.shutdown(within: 10_000))
        #expect(journal.numbers == Array(1...1000))
        #expect(journal.entries.compactMap { $0["MESSAGE"] } == (0..<1000).map { "\($0)" })
        let statistics = writer.statistics
        #expect(statistics.isUp && statistics.sent == 1000 && statistics.queuedEntries == 0)
        #expect(statistics.dropped == [.bufferFull: 0, .noJournald: 0, .sendError: 0, .oversize: 0])
    }

    @Test func wakesForAnEntryAfterAQuietTime() throws {
        let journal = FakeJournal()
        let writer = try writer(journal)
        for count in 1...5 {
            writer.write(entry())
            #expect(eventually { journal.entries.count == count })
        }
        #expect(writer.shutdown(within: 10_000))
    }

    @Test func measuresSends() throws {
        let journal = FakeJournal()
        let durations = Mutex<[Int]>([])
        let writer = try JournalWriter(
            observeSend: { duration in durations.withLock { $0.append(duration) } },
            transport: journal.transport,
            describeLoss: { _ in JournalEntry() }
        )
        for _ in 0..<3 { writer.write(entry()) }
        #expect(writer.shutdown(within: 10_000))
        #expect(durations.withLock { $0.count == 3 && $0.allSatisfy { $0 >= 0 } })
    }

    @Test func reservedEntriesSurviveAFlood() throws {
        let journal = FakeJournal(.stopped)
        let writer = try writer(journal)
        writer.write(entry())
        #expect(eventually { journal.attempts == 1 })
        let flood = 1 + fill(writer, until: .bufferFull)
        writer.write(entry("crash"), lane: .reserved)
        writer.write(entry())
        let more = fill(writer, .reserved, until: .bufferFull)
        #expect(more > 5)
        journal.unblock()
        #expect(writer.shutdown(within: 10_000))
        #expect(journal.entries.contains { $0["MESSAGE"] == "crash" && $0["MCP_SEQ"] == "\(flood + 1)" })
        // The last of the flood, the ordinary one behind the crash, and the last of the reserved ones.
        let last = flood + 2 + more
        #expect(Set(1...last).subtracting(journal.numbers) == [flood, flood + 2, last])
        #expect(journal.losses == [report(.bufferFull, 3, flood, last)])
        #expect(writer.statistics.dropped[.bufferFull] == 3)
    }

    @Test func aBlockedSendShows() throws {
        let journal = FakeJournal(.stopped)
        let writer = try writer(journal)
        writer.write(entry())
        #expect(eventually { journal.attempts == 1 })
        let now = monotonicNanoseconds()
        #expect(writer.statistics(at: now).isUp)
        #expect(!writer.statistics(at: now + 1_500_000_000).isUp)
        #expect(writer.statistics.queuedEntries == 1)
        journal.unblock()
        #expect(eventually { writer.statistics.sent == 1 })
        #expect(writer.statistics(at: now + 100_000_000_000).isUp)
        #expect(writer.shutdown(within: 10_000))
    }

    @Test func aBlockedSendDoesNotHoldUpTheEnd() throws {
        let journal = FakeJournal(.stopped)
        let writer = try writer(journal)
        writer.write(entry())
        #expect(!writer.shutdown(within: 20))
        journal.unblock()
    }

    @Test(arguments: [FakeJournal.Condition.missing, .refusing])
    func entriesWaitForTheJournal(_ condition: FakeJournal.Condition) throws {
        let journal = FakeJournal()
        let writer = try writer(journal)
        writer.write(entry())
        #expect(eventually { writer.statistics.sent == 1 })
        journal.become(condition)
        for _ in 0..<5 { writer.write(entry()) }
        #expect(eventually { !writer.sender.isReachable })
        #expect(!writer.statistics.isUp)
        let full = fill(writer, until: .noJournald)
        #expect(writer.statistics.dropped[.bufferFull] == 0)
        journal.become(.healthy)
        // The report comes without another entry to bring it.
        #expect(eventually { journal.losses == [report(.noJournald, 1, full + 6, full + 6)] })
        #expect(eventually { writer.statistics.isUp })
        #expect(writer.shutdown(within: 10_000))
        let isComplete = journal.numbers == Array(1..<(full + 6))
        #expect(isComplete)
    }

    @Test func theEndDoesNotWaitForAJournalThatIsNotThere() throws {
        let journal = FakeJournal(.missing)
        let writer = try writer(journal)
        #expect(!writer.statistics.isUp)
        for _ in 0..<5 { writer.write(entry()) }
        #expect(!writer.shutdown(within: 10_000))
        #expect(journal.attempts == 0)
        let statistics = writer.statistics
        #expect(statistics.sent == 0 && statistics.dropped[.noJournald] == 5 && statistics.queuedEntries == 0)
    }

    @Test func aRefusedEntryDoesNotStopTheOthers() throws {
        let journal = FakeJournal(.invalid)
        let writer = try writer(journal)
        writer.write(entry())
        #expect(eventually { writer.statistics.dropped[.sendError] == 1 })
        #expect(writer.statistics.isUp)
        journal.become(.healthy)
        writer.write(entry())
        writer.write(entry())
        #expect(writer.shutdown(within: 10_000))
        #expect(journal.numbers == [2, 3])
    }

    @Test func anEntryThatCanNeverFitIsCountedApart() throws {
        let journal = FakeJournal()
        let writer = try writer(journal, capacity: 1 << 20)
        func entry(bytes: Int) -> JournalEntry {
            var entry = JournalEntry()
            while entry.bytes.count + 4002 <= bytes { entry.append("F", String(repeating: "x", count: 3999)) }
            entry.append("F", String(repeating: "x", count: bytes - entry.bytes.count - 3))
            return entry
        }
        writer.write(entry(bytes: JournalWriter.maximumEntryBytes))
        writer.write(entry(bytes: JournalWriter.maximumEntryBytes + 1))
        #expect(writer.shutdown(within: 10_000))
        #expect(journal.numbers == [1])
        #expect(journal.losses == [report(.oversize, 1, 2, 2)])

        let small = FakeJournal()
        let tight = try self.writer(small, capacity: 1000, reserve: 500)
        tight.write(entry(bytes: 600))
        tight.write(entry(bytes: 600), lane: .reserved)
        #expect(tight.shutdown(within: 10_000))
        #expect(small.numbers == [2] && tight.statistics.dropped[.oversize] == 1)
    }

    @Test func theFieldOfTheSequenceIsChecked() {
        #expect(throws: JournalWriterError.sequenceField(InvalidJournalFieldName(name: "seq"))) {
            try JournalWriter(JournalWriter.Configuration(sequenceField: "seq")) { _ in JournalEntry() }
        }
    }

    /// The journal fails at random, entries of all sizes come in both lanes: each number given is in the journal, once
    /// and in order, or in the range of a report of the right count.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func everyNumberIsAccountedFor(_ seed: UInt64) throws {
        let journal = FakeJournal(seed: seed)
        let writer = try writer(journal, capacity: 2048, reserve: 512)
        var random = SeededGenerator(seed: seed)
        let given = 1500
        for _ in 0..<given {
            let size = Int.random(in: 0..<20, using: &random) == 0 ? 1700 : Int.random(in: 0..<200, using: &random)
            let entry = entry(String(repeating: "m", count: size))
            let attempts = journal.attempts
            writer.write(entry, lane: Bool.random(using: &random) ? .ordinary : .reserved)
            // Now and then the writer's thread gets ahead: there is something for it to send, this entry or others.
            if size < 200, Int.random(in: 0..<20, using: &random) == 0 {
                #expect(eventually { journal.attempts > attempts })
            }
        }
        journal.become(.healthy)
        #expect(writer.shutdown(within: 10_000))

        let numbers = journal.numbers
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        let missing = Set(1...given).subtracting(numbers)
        let statistics = writer.statistics
        #expect(statistics.sent == numbers.count && statistics.queuedEntries == 0 && statistics.queuedBytes == 0)
        var explained: Set<Int> = []
        for (reason, dropped) in statistics.dropped {
            let reports = journal.losses.filter { $0["REASON"] == reason.rawValue }
            #expect(reports.compactMap { Int($0["COUNT"] ?? "") }.reduce(0, +) == dropped)
            for report in reports {
                let first = try #require(Int(report["FIRST"] ?? ""))
                let last = try #require(Int(report["LAST"] ?? ""))
                try #require(first <= last)
                explained.formUnion(first...last)
            }
        }
        #expect(statistics.dropped.values.reduce(0, +) == missing.count)
        #expect(missing.isSubset(of: explained))
        // The walk met what it is for.
        #expect(missing.count > 10 && numbers.count > 50)
    }
}
