// SPDX-License-Identifier: Apache-2.0

package import Events

/// Hands every event to each of a fixed list of sinks, in their order.
///
/// The one value the rooms are given: which sinks there are is decided once, at start-up, and no emitter knows.
package struct EventFanOut: EventSink {
    private let sinks: [any EventSink]

    /// - Parameter sinks: each must take an event without blocking, as `EventSink` demands.
    package init(_ sinks: [any EventSink]) { self.sinks = sinks }

    package func emit(_ event: Event) {
        for sink in sinks { sink.emit(event) }
    }
}
