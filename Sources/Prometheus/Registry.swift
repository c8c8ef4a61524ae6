// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// All metrics of the process, and their exposition. Any thread.
package final class Registry: Sendable {
    private struct Registration: Sendable {
        let family: any Family
        let head: TextHead
    }

    private struct State {
        /// In the order they are shown.
        var registrations: [Registration] = []
        /// Who uses a name.
        var owners: [String: String] = [:]
        var collectors: [@Sendable () -> Void] = []
    }

    private let mode: HistogramMode
    private let seriesLimit: Int
    private let overflow: CounterFamily?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - histograms: which buckets histograms keep and show.
    ///   - seriesLimit: how many label sets a family with open labels may have before new ones become `_OTHER`.
    ///   - overflow: a counter with the one open label `metric`, which counts label sets that became `_OTHER`. An
    ///     invalid description stops debug builds; release builds don't count then.
    package init(
        histograms: HistogramMode = .classic,
        seriesLimit: Int = 1000,
        overflow: MetricDescription? = nil
    ) {
        mode = histograms
        self.seriesLimit = seriesLimit
        var family: CounterFamily?
        if let overflow {
            do {
                try overflow.validate(as: .counter)
                family = CounterFamily(overflow, limit: .max, overflow: nil)
            } catch {
                assertionFailure("\(error)")
            }
        }
        self.overflow = family
        if let family { _ = insert(family) }
    }

    // MARK: Registration

    /// Adds a counter. Its series at 0 exist from now on unless it has open labels.
    package func counter(_ description: MetricDescription) throws(RegistrationError) -> CounterFamily {
        try add(description, as: .counter) {
            CounterFamily(description, limit: seriesLimit, overflow: overflowCounter(description))
        }
    }

    /// Adds a gauge. Its series at 0 exist from now on unless it has open labels or more than 64 combinations.
    package func gauge(_ description: MetricDescription) throws(RegistrationError) -> GaugeFamily {
        try add(description, as: .gauge) {
            GaugeFamily(description, limit: seriesLimit, overflow: overflowCounter(description))
        }
    }

    /// Adds a histogram. Its series at 0 exist from now on unless it has open labels or more than 64 combinations.
    package func histogram(_ description: MetricDescription) throws(RegistrationError) -> HistogramFamily {
        try add(description, as: .histogram) {
            HistogramFamily(
                description,
                mode: mode,
                limit: seriesLimit,
                overflow: overflowCounter(description)
            )
        }
    }

    /// Adds an info, which isn't shown until it is set.
    package func info(_ description: MetricDescription) throws(RegistrationError) -> InfoFamily {
        try add(description, as: .info) { InfoFamily(description) }
    }

    /// Adds a state set, with every state at 0.
    package func stateSet(_ description: MetricDescription) throws(RegistrationError) -> StateSetFamily {
        try add(description, as: .stateSet) { StateSetFamily(description) }
    }

    /// Runs `body` at the beginning of each `render`, on its thread, to read what is only known by asking.
    package func collect(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(body) }
    }

    private func add<Made: Family>(
        _ description: MetricDescription,
        as kind: MetricDescription.Kind,
        _ make: () -> Made
    ) throws(RegistrationError) -> Made {
        try description.validate(as: kind)
        let family = make()
        if let clash = insert(family) {
            throw description.problem("the name \"\(clash.name)\" belongs to \"\(clash.owner)\" already")
        }
        return family
    }

    /// - Returns: the name that another family has already; nil when the family was added.
    private func insert(_ family: any Family) -> (name: String, owner: String)? {
        let description = family.description
        let registration = Registration(family: family, head: TextHead(description))
        let names = description.reservedNames
        return state.withLock { state in
            for name in names.sorted() {
                if let owner = state.owners[name] { return (name, owner) }
            }
            for name in names { state.owners[name] = description.name }
            let index = state.registrations.firstIndex { description.precedes($0.family.description) }
            state.registrations.insert(registration, at: index ?? state.registrations.endIndex)
            return nil
        }
    }

    private func overflowCounter(_ description: MetricDescription) -> Counter? {
        description.hasOpenLabels ? overflow?.with(description.name) : nil
    }

    // MARK: Exposition

    /// Time series, that is sample lines, that a scrape shows now.
    package var seriesCount: Int {
        state.withLock { $0.registrations }.reduce(0) { $0 + $1.family.lineCount }
    }

    /// Appends everything there is to show, sorted by name and label values.
    ///
    /// Doesn't hold up whoever counts meanwhile. Several renders may run at once.
    ///
    /// - Parameters:
    ///   - output: keeps its capacity when the caller empties and passes it again; then nothing is allocated per series.
    ///   - names: families to show, by their own name or that of a sample (`name[]` of the request); nil shows all.
    package func render(
        into output: inout [UInt8],
        as format: ExpositionFormat,
        only names: Set<String>? = nil
    ) {
        let (registrations, collectors) = state.withLock { ($0.registrations, $0.collectors) }
        for collector in collectors { collector() }
        switch format {
        case .text, .openMetrics:
            for registration in registrations where registration.family.description.isNamed(in: names) {
                output.append(registration.family, head: registration.head, openMetrics: format == .openMetrics)
            }
            if format == .openMetrics { output.append("# EOF\n") }
        case .protobuf:
            var writer = ProtobufWriter()
            // Swapped, so that the buffer has one owner and isn't copied.
            swap(&writer.bytes, &output)
            for registration in registrations where registration.family.description.isNamed(in: names) {
                writer.append(registration.family)
            }
            swap(&writer.bytes, &output)
        }
    }
}

extension MetricDescription {
    fileprivate func isNamed(in names: Set<String>?) -> Bool {
        guard let names else { return true }
        return names.contains(name) || names.contains(familyName) || sampleNames.contains(where: names.contains)
    }

    /// By name; `target_info`, which describes all the others, comes first (OpenMetrics 1.0, "Supporting target
    /// metadata in both push-based and pull-based systems").
    fileprivate func precedes(_ other: MetricDescription) -> Bool {
        if name == "target_info" || other.name == "target_info" { return name == "target_info" }
        return name.utf8.lexicographicallyPrecedes(other.name.utf8)
    }
}
