// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What became of spans, and how the export fares.
package struct ExportTally: Sendable, Equatable {
    /// Spans the collector took.
    package var exported = 0
    /// Spans dropped because too many waited (`queue_full`).
    package var droppedQueueFull = 0
    /// Spans dropped because the collector could not be reached in time (`send_failed`).
    package var droppedUnsent = 0
    /// Spans the collector refused, alone or with their batch (`rejected`).
    package var droppedRejected = 0
    /// Spans that wait to be sent, not counting those under way.
    package var waiting = 0
    /// What went wrong with the last attempt; nil if nothing did, or there was none.
    package var lastFailure: ExportFailure?

    package init() {}
}

/// The tally of an exporter, for any thread to read.
///
/// The event loop stores each number on its own: they only ever fit together when nothing is under way.
final class ExportCounters: Sendable {
    private let exported = Atomic<Int>(0)
    private let droppedQueueFull = Atomic<Int>(0)
    private let droppedUnsent = Atomic<Int>(0)
    private let droppedRejected = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    /// Its place in `ExportFailure.allCases`, or -1.
    private let lastFailure = Atomic<Int>(-1)

    /// Called by one thread only.
    func store(_ tally: ExportTally) {
        exported.store(tally.exported, ordering: .relaxed)
        droppedQueueFull.store(tally.droppedQueueFull, ordering: .relaxed)
        droppedUnsent.store(tally.droppedUnsent, ordering: .relaxed)
        droppedRejected.store(tally.droppedRejected, ordering: .relaxed)
        waiting.store(tally.waiting, ordering: .relaxed)
        let failure = tally.lastFailure.flatMap { ExportFailure.allCases.firstIndex(of: $0) }
        lastFailure.store(failure ?? -1, ordering: .relaxed)
    }

    func load() -> ExportTally {
        var tally = ExportTally()
        tally.exported = exported.load(ordering: .relaxed)
        tally.droppedQueueFull = droppedQueueFull.load(ordering: .relaxed)
        tally.droppedUnsent = droppedUnsent.load(ordering: .relaxed)
        tally.droppedRejected = droppedRejected.load(ordering: .relaxed)
        tally.waiting = waiting.load(ordering: .relaxed)
        let failure = lastFailure.load(ordering: .relaxed)
        tally.lastFailure = failure < 0 ? nil : ExportFailure.allCases[failure]
        return tally
    }
}
