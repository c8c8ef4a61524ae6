// SPDX-License-Identifier: Apache-2.0

extension JournalWriter {
    /// Why an entry did not reach the journal.
    package enum LossReason: String, CaseIterable, Sendable {
        /// The buffer had no room, because the journal takes entries too slowly or not at all.
        case bufferFull = "buffer_full"
        /// The journal's library refused the entry.
        case sendError = "send_error"
        /// The socket is missing or nobody listens on it, and the buffer had no more room to wait for it.
        case noJournald = "no_journald"
        /// The entry is larger than the journal's socket or the buffer would ever take.
        case oversize = "oversize"
    }

    /// Entries lost for one reason.
    package struct Loss: Sendable, Equatable {
        /// At least 1.
        package var count: Int
        package var reason: LossReason
        /// The first sequence number lost.
        package var first: Int
        /// The last one. Numbers between may have been written, or lost for other reasons.
        package var last: Int

        package init(count: Int, reason: LossReason, first: Int, last: Int) {
            self.count = count
            self.reason = reason
            self.first = first
            self.last = last
        }
    }
}

/// What was lost: all of it in numbers, and what the journal has not yet been told.
///
/// Reports are made at once after a quiet time, then once a second: a journal that can't keep up needs no more work.
struct LossLedger {
    /// Between reports, in nanoseconds.
    static let interval = 1_000_000_000

    private(set) var total: [JournalWriter.LossReason: Int]
    private var pending: [JournalWriter.LossReason: JournalWriter.Loss]
    /// When the next report may be made, by the monotonic clock in nanoseconds.
    private var earliest = 0

    init() {
        // With every reason in its place, and room for them, counting never allocates.
        total = Dictionary(uniqueKeysWithValues: JournalWriter.LossReason.allCases.map { ($0, 0) })
        pending = Dictionary(minimumCapacity: JournalWriter.LossReason.allCases.count)
    }

    /// When there will be something to report, by the monotonic clock in nanoseconds; nil when nothing is.
    var nextReport: Int? { pending.isEmpty ? nil : earliest }

    /// Counts one entry as lost.
    mutating func record(_ reason: JournalWriter.LossReason, sequence: Int) {
        total[reason, default: 0] += 1
        add(JournalWriter.Loss(count: 1, reason: reason, first: sequence, last: sequence))
    }

    /// Takes out what is to be reported for one reason.
    ///
    /// - Parameter now: by the monotonic clock in nanoseconds; nil to take it whether it is time or not.
    mutating func takePending(at now: Int?) -> JournalWriter.Loss? {
        if let now, now < earliest { return nil }
        guard let reason = JournalWriter.LossReason.allCases.first(where: { pending[$0] != nil }) else { return nil }
        let loss = pending.removeValue(forKey: reason)
        // The other reasons' reports still belong to this second.
        if let now, pending.isEmpty { earliest = now + Self.interval }
        return loss
    }

    /// Puts back what could not be reported.
    mutating func putBack(_ loss: JournalWriter.Loss) { add(loss) }

    private mutating func add(_ loss: JournalWriter.Loss) {
        guard let known = pending[loss.reason] else {
            pending[loss.reason] = loss
            return
        }
        pending[loss.reason] = JournalWriter.Loss(
            count: known.count + loss.count,
            reason: loss.reason,
            first: min(known.first, loss.first),
            last: max(known.last, loss.last)
        )
    }
}
