// SPDX-License-Identifier: Apache-2.0

/// A revision of the Model Context Protocol that begins with a handshake.
///
/// Source: <https://modelcontextprotocol.io/specification>, one page per revision. 2026-07-28 has no handshake
/// and no sessions; the proxy only recognises it, to send its clients back to `initialize`.
package enum Revision: String, CaseIterable, Comparable, Sendable {
    case v2024_11_05 = "2024-11-05"
    case v2025_03_26 = "2025-03-26"
    case v2025_06_18 = "2025-06-18"
    case v2025_11_25 = "2025-11-25"

    /// What the proxy offers a child, and a client that asks for something newer or unknown.
    package static let newest = Revision.v2025_11_25

    /// What a request without `MCP-Protocol-Version` and without other knowledge counts as (2025-06-18, "Protocol
    /// Version Header").
    package static let assumed = Revision.v2025_03_26

    /// The name of the stateless revision, as header and `_meta` carry it.
    package static let statelessName = "2026-07-28"

    /// Whether a client of this revision may send JSON-RPC batches (only 2025-03-26 may).
    package var allowsBatches: Bool { self == .v2025_03_26 }

    /// Whether a stream of this revision begins with an event that has an id and no data.
    package var primesStreams: Bool { self >= .v2025_11_25 }

    package static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }
}
