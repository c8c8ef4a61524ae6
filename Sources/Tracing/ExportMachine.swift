// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// How spans are gathered into batches (`OTEL_BSP_*`).
package struct BatchSettings: Sendable, Equatable {
    /// How long a span waits for others.
    package var delay: TimeAmount = .seconds(5)
    /// Spans that may wait; one more is dropped.
    package var queue = 2048
    /// Spans that are sent in one request at most; never more than `queue`.
    package var batch = 512

    package init() {}
}

/// When to send which spans, and what becomes of them: the queue, batches, retries and the end of an exporter.
///
/// Pure: no clock and no I/O. Whoever drives it reports what happens, and after each report asks `next` what to do and
/// `wakeAt` when to ask again. One batch is under way at a time.
struct ExportMachine {
    enum Action: Equatable {
        /// Encode and send these; then `replied`.
        case send([Span])
        /// Send the last batch again; then `replied`.
        case resend
        /// Stopped: nothing more will happen.
        case finish
    }

    private enum Delivery {
        case idle
        case underWay(count: Int, attempt: Int)
        /// Until `pausedUntil`.
        case backingOff(count: Int, attempt: Int)
        case stopped
    }

    /// Tries per batch, of which the last is about half a minute after the first.
    static let maximumAttempts = 6
    static let firstBackoff: TimeAmount = .seconds(1)
    static let backoffJitter = 0.2
    /// A collector that asks for more patience than this is asked again earlier.
    static let longestRetryAfter: TimeAmount = .minutes(5)

    private let settings: BatchSettings
    private var generator: any RandomNumberGenerator
    private var waiting: [Span] = []
    /// When what waits is sent even if it makes no full batch. Meaningful while something waits.
    private var dueAt: NIODeadline = .distantFuture
    private var delivery: Delivery = .idle
    /// When the next attempt may be made, of the same batch or of the one after it.
    private var pausedUntil: NIODeadline = .uptimeNanoseconds(0)
    private var stopBy: NIODeadline?
    private(set) var tally = ExportTally()

    /// - Parameter generator: where the jitter comes from.
    init(_ settings: BatchSettings, generator: any RandomNumberGenerator = SystemRandomNumberGenerator()) {
        self.settings = settings
        self.generator = generator
    }

    // MARK: What happens

    /// A span ended.
    mutating func add(_ span: Span, now: NIODeadline) {
        if case .stopped = delivery {
            return tally.lose(1, .sendFailed)
        }
        guard waiting.count < settings.queue else {
            return tally.lose(1, .queueFull)
        }
        if waiting.isEmpty { dueAt = now + settings.delay }
        waiting.append(span)
        tally.waiting = waiting.count
    }

    /// The batch under way met its fate.
    mutating func replied(_ reply: ExportReply, now: NIODeadline) {
        // After the end, what was under way has been counted as lost.
        guard case .underWay(let count, let attempt) = delivery else { return }
        if let failure = reply.failure { tally.failures[failure, default: 0] += 1 }
        delivery = .idle
        if case .answered(200...299, _, let rejected) = reply {
            let rejected = min(max(rejected, 0), count)
            tally.exported += count - rejected
            tally.lose(rejected, .rejected)
        } else if !reply.isWorthRetrying {
            tally.lose(count, .rejected)
        } else {
            pausedUntil = now + backoff(after: attempt, reply)
            if attempt < Self.maximumAttempts, stopBy == nil {
                delivery = .backingOff(count: count, attempt: attempt)
            } else {
                tally.lose(count, .sendFailed)
            }
        }
    }

    /// No more spans come: what is there is tried once, right away, and what is not gone by then is dropped.
    mutating func stop(by deadline: NIODeadline) { stopBy = deadline }

    // MARK: What to do

    /// Nil if there is nothing to do before something happens or `wakeAt` comes.
    mutating func next(now: NIODeadline) -> Action? {
        switch delivery {
        case .stopped:
            return nil
        case .underWay(let count, _):
            return isStopOverdue(now) ? finish(losing: count) : nil
        case .backingOff(let count, let attempt):
            if isStopOverdue(now) { return finish(losing: count) }
            guard now >= pausedUntil || stopBy != nil else { return nil }
            delivery = .underWay(count: count, attempt: attempt + 1)
            return .resend
        case .idle:
            if stopBy != nil, waiting.isEmpty || isStopOverdue(now) { return finish(losing: 0) }
            guard let wakeAt, now >= wakeAt || stopBy != nil else { return nil }
            return .send(takeBatch(now: now))
        }
    }

    /// When `next` will have something to do even if nothing happens; nil for never.
    var wakeAt: NIODeadline? {
        switch delivery {
        case .stopped: nil
        case .underWay: stopBy
        case .backingOff: pausedUntil
        case .idle where waiting.isEmpty: nil
        case .idle: waiting.count >= settings.batch ? pausedUntil : max(dueAt, pausedUntil)
        }
    }

    /// Whether a reply is awaited.
    var isUnderWay: Bool {
        if case .underWay = delivery { true } else { false }
    }

    /// Whether the last batch may still be sent again.
    var mayResend: Bool {
        if case .backingOff = delivery { true } else { false }
    }

    private func isStopOverdue(_ now: NIODeadline) -> Bool { stopBy.map { now >= $0 } ?? false }

    private mutating func takeBatch(now: NIODeadline) -> [Span] {
        let batch = Array(waiting.prefix(settings.batch))
        waiting.removeFirst(batch.count)
        tally.waiting = waiting.count
        dueAt = now + settings.delay
        delivery = .underWay(count: batch.count, attempt: 1)
        return batch
    }

    private mutating func finish(losing count: Int) -> Action {
        tally.lose(count + waiting.count, .sendFailed)
        waiting = []
        tally.waiting = 0
        delivery = .stopped
        return .finish
    }

    /// The collector's wish if it has one, else one second, doubled with every attempt. Jittered, so that many proxies
    /// do not come back in step; a wish is only ever stretched.
    private mutating func backoff(after attempt: Int, _ reply: ExportReply) -> TimeAmount {
        if case .answered(_, let wish?, _) = reply {
            let wish = min(max(wish, Self.firstBackoff), Self.longestRetryAfter)
            return wish.scaled(by: Double.random(in: 1...(1 + Self.backoffJitter), using: &generator))
        }
        let factor = Double.random(in: (1 - Self.backoffJitter)...(1 + Self.backoffJitter), using: &generator)
        return (Self.firstBackoff * (1 << (attempt - 1))).scaled(by: factor)
    }
}

extension TimeAmount {
    fileprivate func scaled(by factor: Double) -> TimeAmount {
        .nanoseconds(Int64((Double(nanoseconds) * factor).rounded()))
    }
}
