// SPDX-License-Identifier: Apache-2.0

package import Events

/// Hands every event to the instruments there are, in a fixed order.
///
/// The one value the rooms are given: which instruments there are is decided once, at start-up, and no emitter knows.
/// It knows their types, and not a list of sinks: this runs several times for each request.
package final class EventFanOut: EventSink {
    private let metrics: MetricsSink?
    private let stderr: StderrSink?
    private let journal: JournalSink?
    private let serviceManager: ServiceManagerSink?
    private let spans: SpanSink?

    /// Metrics come first, so that whoever reads an entry of the log finds it counted.
    package init(
        metrics: MetricsSink? = nil,
        stderr: StderrSink? = nil,
        journal: JournalSink? = nil,
        serviceManager: ServiceManagerSink? = nil,
        spans: SpanSink? = nil
    ) {
        self.metrics = metrics
        self.stderr = stderr
        self.journal = journal
        self.serviceManager = serviceManager
        self.spans = spans
    }

    package func emit(_ event: Event) {
        metrics?.emit(event)
        stderr?.emit(event)
        journal?.emit(event)
        serviceManager?.emit(event)
        spans?.emit(event)
    }
}
