// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Writes entries to the journal from a thread of its own, so that whoever logs never waits for journald.
///
/// Entries wait in a ring. While the journal can't be reached they stay there, oldest first, and are sent when it is
/// back; only what finds no room is dropped. Every entry given to `write` has a sequence number, and every number is
/// either in the journal or in the range of a report of losses, which the writer sends once the journal takes
/// entries again. These reports have no sequence number themselves: only the caller of `write` gives them out, and
/// what is missing is then known without doubt.
///
/// An entry appears twice, with the same number, if the socket disappears within the microsecond after it was sent:
/// the library does not tell whether it arrived, and twice is better than never.
///
/// `write` is called by one thread at a time (the event loop); `statistics` and `shutdown` by any.
package final class JournalWriter: Sendable {
    /// Which part of the ring an entry may fill.
    package enum Lane: Sendable {
        /// All but the reserve.
        case ordinary
        /// All of it: for the few entries that must survive a flood of ordinary ones.
        case reserved
    }

    package struct Statistics: Sendable {
        /// False when the socket is missing or refused the last entry, or a send has been blocked for over a second.
        package let isUp: Bool
        /// Entries the journal took.
        package let sent: Int
        /// Entries lost; has a value for every reason.
        package let dropped: [LossReason: Int]
        /// Entries neither sent nor lost yet.
        package let queuedEntries: Int
        /// What they fill of the ring, without the one that is being sent.
        package let queuedBytes: Int
        /// Of the ring, in bytes.
        package let capacity: Int
    }

    /// The largest entry, in bytes: one that is sure to fit into one datagram.
    package static let maximumEntryBytes = 64 << 10

    /// How long the thread lets entries gather when there were some just now.
    private static let lingerMilliseconds = 5

    private let reserve: Int
    private let ring: ByteRing
    let sender: JournalSender
    private let describeLoss: @Sendable (Loss) -> JournalEntry
    /// Taken by `write` only for what it drops, and by others for the moment in which they copy a few numbers.
    private let losses = Mutex(LossLedger())
    /// Sequence numbers given out.
    private let given = Atomic<Int>(0)
    private let sent = Atomic<Int>(0)
    /// Whether `wake` was posted and the thread has not yet looked, or will look unasked; saves a system call per
    /// entry.
    private let isWoken = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    /// Whether the thread ended with nothing left to send.
    private let isComplete = Atomic<Bool>(false)
    private let wake = Semaphore()
    private let finished = Semaphore()

    /// Starts the thread, which keeps the writer alive until `shutdown`.
    ///
    /// - Parameters:
    ///   - observeSend: gets the duration of each send in nanoseconds; called on the journal's thread.
    ///   - transport: the way to the journal; another than the real one in tests only.
    ///   - describeLoss: makes the entry that reports a loss; called on the journal's thread.
    package init(
        _ configuration: Configuration = Configuration(),
        observeSend: @escaping @Sendable (_ nanoseconds: Int) -> Void = { _ in },
        transport: JournalTransport? = nil,
        describeLoss: @escaping @Sendable (Loss) -> JournalEntry
    ) throws(JournalWriterError) {
        let sequenceField: JournalFieldName
        do { sequenceField = try JournalFieldName(configuration.sequenceField) } catch { throw .sequenceField(error) }
        reserve = configuration.reserve
        ring = ByteRing(capacity: configuration.capacity)
        sender = JournalSender(
            transport: transport ?? .system(socketPath: configuration.socketPath),
            observeSend: observeSend
        )
        self.describeLoss = describeLoss
        let retry = configuration.retryMilliseconds
        do {
            try WorkerThread.start(for: "journal") { [self] in run(sequenceField: sequenceField, retry: retry) }
        } catch {
            throw .thread(error)
        }
    }

    /// Gives the entry the next sequence number and queues it, or drops and counts it. Never blocks, never allocates.
    ///
    /// Numbers start at 1, and what is dropped has one too.
    package func write(_ entry: JournalEntry, lane: Lane = .ordinary) {
        let sequence = given.add(1, ordering: .relaxed).newValue
        let reserve = lane == .ordinary ? reserve : 0
        let header = QueuedEntry.Header(length: entry.bytes.count, sequence: sequence)
        let room = min(Self.maximumEntryBytes, ring.capacity - reserve - MemoryLayout.size(ofValue: header))
        if header.length > room {
            drop(sequence, because: .oversize)
        } else if !push(header, entry, leaving: reserve) {
            drop(sequence, because: sender.isReachable ? .bufferFull : .noJournald)
        }
        wakeThread()
    }

    /// What has happened so far. Any thread; looks for the socket, which costs a system call.
    package var statistics: Statistics { statistics(at: monotonicNanoseconds()) }

    /// - Parameter now: by the monotonic clock, in nanoseconds.
    func statistics(at now: Int) -> Statistics {
        // What is sent or dropped was given before, so in this order the difference is never negative.
        let sent = sent.load(ordering: .acquiring)
        let dropped = losses.withLock { $0.total }
        let done = dropped.values.reduce(sent, +)
        return Statistics(
            isUp: sender.isUp(at: now),
            sent: sent,
            dropped: dropped,
            queuedEntries: given.load(ordering: .acquiring) - done,
            queuedBytes: ring.count,
            capacity: ring.capacity
        )
    }

    /// Sends what is queued, reports what was lost, and ends the thread. An unreachable journal is tried once more;
    /// what it does not take is then dropped.
    ///
    /// Blocks until it is done, but no longer than `milliseconds`: journald may be stopped. Call it once, after the
    /// last `write`.
    ///
    /// - Returns: whether the journal took everything that was queued.
    @discardableResult
    package func shutdown(within milliseconds: Int) -> Bool {
        isStopping.store(true, ordering: .releasing)
        wake.post()
        return finished.wait(milliseconds: milliseconds) && isComplete.load(ordering: .acquiring)
    }

    private func push(_ header: QueuedEntry.Header, _ entry: JournalEntry, leaving reserve: Int) -> Bool {
        withUnsafeBytes(of: header) { head in
            entry.bytes.withUnsafeBytes { ring.push(head, $0, leaving: reserve) }
        }
    }

    private func drop(_ sequence: Int, because reason: LossReason) {
        losses.withLock { $0.record(reason, sequence: sequence) }
    }

    private func wakeThread() {
        if !isWoken.exchange(true, ordering: .acquiringAndReleasing) { wake.post() }
    }

    // MARK: On the thread

    private func run(sequenceField: JournalFieldName, retry: ClosedRange<Int>) {
        var head = QueuedEntry(sequenceField: sequenceField)
        var pause = retry.lowerBound
        while true {
            _ = isWoken.exchange(false, ordering: .acquiringAndReleasing)
            // Looked at before draining: what was queued before `shutdown` is then surely seen.
            let isLast = isStopping.load(ordering: .acquiring)
            let round = drain(&head, isLast: isLast)
            if isLast {
                discard(&head)
                isComplete.store(round != .unreachable, ordering: .releasing)
                break
            }
            switch round {
            case .idle: rest()
            case .busy: nap(milliseconds: Self.lingerMilliseconds)
            case .unreachable: nap(milliseconds: pause)
            }
            pause = round == .unreachable ? min(2 * pause, retry.upperBound) : retry.lowerBound
        }
        finished.post()
    }

    private enum Round {
        /// Nothing waited.
        case idle
        /// All that waited was sent.
        case busy
        /// The journal did not take what is now at the head, or a report.
        case unreachable
    }

    /// Sends until the ring is empty, with reports of losses in between if it never is.
    private func drain(_ head: inout QueuedEntry, isLast: Bool) -> Round {
        var round = Round.idle
        while !head.isEmpty || head.load(from: ring) {
            switch sender.send(head.fields) {
            case .sent: sent.add(1, ordering: .releasing)
            case .refused: drop(head.sequence, because: .sendError)
            case .unreachable: return .unreachable
            }
            head.clear()
            round = .busy
            if !reportLosses(atOnce: false) { return .unreachable }
        }
        return reportLosses(atOnce: isLast) ? round : .unreachable
    }

    /// - Parameter atOnce: whether to report even if the last reports are less than a second old.
    /// - Returns: false when the journal did not take a report; it is then still to be made.
    private func reportLosses(atOnce: Bool) -> Bool {
        while let loss = losses.withLock({ $0.takePending(at: atOnce ? nil : monotonicNanoseconds()) }) {
            // A report the journal refuses would be refused again.
            if sender.send(describeLoss(loss).bytes) == .unreachable {
                losses.withLock { $0.putBack(loss) }
                return false
            }
        }
        return true
    }

    /// Waits for entries, or until losses may be reported again.
    private func rest() {
        if let time = losses.withLock({ $0.nextReport }) {
            _ = wake.wait(milliseconds: max(0, time - monotonicNanoseconds()) / 1_000_000 + 1)
        } else {
            wake.wait()
        }
    }

    /// Waits without being woken by new entries, so that adding one costs no system call; only `shutdown` cuts it
    /// short.
    private func nap(milliseconds: Int) {
        isWoken.store(true, ordering: .releasing)
        _ = wake.wait(milliseconds: milliseconds)
    }

    /// Gives up what is left.
    private func discard(_ head: inout QueuedEntry) {
        while !head.isEmpty || head.load(from: ring) {
            drop(head.sequence, because: .noJournald)
            head.clear()
        }
    }
}
