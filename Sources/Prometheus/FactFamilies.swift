// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// One sample with the value 1 whose labels are the message: a build, a target.
package final class InfoFamily: Family, Sendable {
    let description: MetricDescription
    private let sample = Mutex<LabelSet?>(nil)

    init(_ description: MetricDescription) { self.description = description }

    /// Replaces the sample; until the first time there is none. Any thread.
    ///
    /// Values that don't fit the description stop debug builds and change nothing in release builds.
    package func set(_ labelValues: [String]) {
        guard let placed = description.placed(labelValues) else {
            assertionFailure("\(description.name) can't have the label values \(labelValues)")
            return
        }
        let labels = LabelSet(description.labels, placed)
        sample.withLock { $0 = labels }
    }

    var lineCount: Int { sample.withLock { $0 == nil ? 0 : 1 } }

    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool) {
        guard let labels = sample.withLock({ $0 }) else { return }
        output.append(contentsOf: name)
        output.append(contentsOf: labels.text)
        output.append("1\n")
    }

    func appendMetrics(to writer: inout ProtobufWriter) {
        guard let labels = sample.withLock({ $0 }) else { return }
        writer.metric(description.labels, labels) { $0.gauge(1) }
    }
}

/// A series for each state, of which one is 1: none before the first `set`.
package final class StateSetFamily: Family, Sendable {
    let description: MetricDescription
    private let states: [LabelSet]
    /// The index in `states`; one atomic, so that no reader sees two states at once.
    private let current = Atomic<Int>(-1)

    init(_ description: MetricDescription) {
        self.description = description
        states = description.combinations(atMost: .max).map { LabelSet(description.labels, $0) }.sorted()
    }

    /// Enters a state. Any thread. One that isn't described stops debug builds and changes nothing in release builds.
    package func set(_ state: String) {
        guard let index = states.firstIndex(where: { $0.values == [state] }) else {
            assertionFailure("\(description.name) has no state \"\(state)\"")
            return
        }
        current.store(index, ordering: .relaxed)
    }

    var lineCount: Int { states.count }

    func appendLines(to output: inout [UInt8], name: [UInt8], exemplars: Bool) {
        let current = current.load(ordering: .relaxed)
        for (index, state) in states.enumerated() {
            output.append(contentsOf: name)
            output.append(contentsOf: state.text)
            output.append(index == current ? "1\n" : "0\n")
        }
    }

    func appendMetrics(to writer: inout ProtobufWriter) {
        let current = current.load(ordering: .relaxed)
        for (index, state) in states.enumerated() {
            writer.metric(description.labels, state) { $0.gauge(index == current ? 1 : 0) }
        }
    }
}
