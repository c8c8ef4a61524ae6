// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The series of one family, by their label values. Any thread.
///
/// A reader takes the sorted list as it is and reads it without the lock; a series that is added meanwhile makes a
/// new list.
final class SeriesTable<Instrument: Sendable>: Sendable {
    struct Entry: Sendable {
        let labels: LabelSet
        let instrument: Instrument
    }

    private struct State {
        var byLabels: [LabelSet: Instrument] = [:]
        var sorted: [Entry] = []

        mutating func insert(_ labels: LabelSet, _ instrument: Instrument) -> Instrument {
            // Series are few and made once: a search from the start will do.
            let index = sorted.firstIndex { labels < $0.labels } ?? sorted.endIndex
            sorted.insert(Entry(labels: labels, instrument: instrument), at: index)
            byLabels[labels] = instrument
            return instrument
        }
    }

    private let description: MetricDescription
    private let limit: Int
    private let overflow: Counter?
    private let make: @Sendable () -> Instrument
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: how many label sets there may be before all open labels become `_OTHER`.
    ///   - overflow: counts the label sets that did.
    ///   - mostAtZero: how many combinations of labels there may be for all of them to exist from now on.
    init(
        _ description: MetricDescription,
        limit: Int,
        overflow: Counter?,
        mostAtZero: Int,
        make: @escaping @Sendable () -> Instrument
    ) {
        self.description = description
        self.limit = limit
        self.overflow = overflow
        self.make = make
        if description.startsEmpty { return }
        for combination in description.combinations(atMost: mostAtZero) { _ = instrument(for: combination) }
    }

    /// In the order of the values.
    var entries: [Entry] { state.withLock { $0.sorted } }

    /// The series with these values, made if it is new. See `CounterFamily.with(_:)` for values that don't fit.
    func instrument(for values: [String]) -> Instrument {
        guard let placed = description.placed(values) else {
            assertionFailure("\(description.name) has no series with the label values \(values)")
            return make()
        }
        let labels = LabelSet(description.labels, placed)
        let (instrument, isFolded) = state.withLock { state -> (Instrument, Bool) in
            if let existing = state.byLabels[labels] { return (existing, false) }
            guard description.hasOpenLabels, state.sorted.count >= limit else {
                return (state.insert(labels, make()), false)
            }
            let folded = zip(description.labels, placed).map { $0.values == nil && !$1.isEmpty ? LabelSet.other : $1 }
            let other = LabelSet(description.labels, folded)
            return (state.byLabels[other] ?? state.insert(other, make()), other != labels)
        }
        if isFolded { overflow?.add() }
        return instrument
    }
}
