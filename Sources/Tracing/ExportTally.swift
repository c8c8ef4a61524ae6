// SPDX-License-Identifier: Apache-2.0

/// Why a span never reached the collector. The raw values are part of the product's interface: add, never rename.
package enum SpanLoss: String, CaseIterable, Sendable {
    /// Too many waited.
    case queueFull = "queue_full"
    /// The collector could not be reached in time.
    case sendFailed = "send_failed"
    /// The collector refused it, alone or with its batch.
    case rejected
}

/// What became of spans, and how the export fares.
package struct ExportTally: Sendable, Equatable {
    /// Spans the collector took.
    package var exported = 0
    package var dropped = Dictionary(uniqueKeysWithValues: SpanLoss.allCases.map { ($0, 0) })
    /// Spans that wait to be sent, not counting those under way.
    package var waiting = 0
    /// Attempts to send a batch that did not go as they should.
    package var failures = Dictionary(uniqueKeysWithValues: ExportFailure.allCases.map { ($0, 0) })

    package init() {}

    mutating func lose(_ count: Int, _ loss: SpanLoss) { dropped[loss, default: 0] += count }
}
