// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Journal

@Suite struct LossLedgerTests {
    private typealias Loss = JournalWriter.Loss

    @Test func gathersByReason() {
        var ledger = LossLedger()
        #expect(ledger.nextReport == nil)
        ledger.record(.bufferFull, sequence: 3)
        ledger.record(.oversize, sequence: 4)
        ledger.record(.bufferFull, sequence: 7)
        #expect(ledger.takePending(at: 5) == Loss(count: 2, reason: .bufferFull, first: 3, last: 7))
        #expect(ledger.takePending(at: 5) == Loss(count: 1, reason: .oversize, first: 4, last: 4))
        #expect(ledger.takePending(at: nil) == nil)
        #expect(ledger.total == [.bufferFull: 2, .oversize: 1, .sendError: 0, .noJournald: 0])
    }

    @Test func reportsOnceASecond() {
        var ledger = LossLedger()
        ledger.record(.bufferFull, sequence: 1)
        #expect(ledger.nextReport == 0)
        #expect(ledger.takePending(at: 100) != nil)
        ledger.record(.bufferFull, sequence: 2)
        #expect(ledger.nextReport == 100 + LossLedger.interval)
        #expect(ledger.takePending(at: 99 + LossLedger.interval) == nil)
        #expect(ledger.takePending(at: 100 + LossLedger.interval)?.first == 2)
        ledger.record(.bufferFull, sequence: 3)
        // At the end there is no later.
        #expect(ledger.takePending(at: nil)?.first == 3)
    }

    @Test func whatWasNotReportedIsAddedToTheNext() throws {
        var ledger = LossLedger()
        ledger.record(.noJournald, sequence: 5)
        let taken = ledger.takePending(at: nil)
        let loss = try #require(taken)
        ledger.record(.noJournald, sequence: 9)
        ledger.putBack(loss)
        #expect(ledger.takePending(at: nil) == Loss(count: 2, reason: .noJournald, first: 5, last: 9))
        #expect(ledger.total[.noJournald] == 2)
    }
}
