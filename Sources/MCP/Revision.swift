// SPDX-License-Identifier: Apache-2.0

/// A revision of the Model Context Protocol.
///
/// Those up to 2025-11-25 begin with a handshake and know sessions. 2026-07-28 has neither: each request says all that
/// is to be known of its client. Source: <https://modelcontextprotocol.io/specification>, one page per revision.
package enum Revision: String, CaseIterable, Comparable, Sendable {
    case v2024_11_05 = "2024-11-05"
    case v2025_03_26 = "2025-03-26"
    case v2025_06_18 = "2025-06-18"
    case v2025_11_25 = "2025-11-25"
    case v2026_07_28 = "2026-07-28"

    /// The revision without handshake.
    package static let stateless = Revision.v2026_07_28

    /// The revisions that begin with a handshake, oldest first.
    package static let handshakes = allCases.filter { !$0.isStateless }

    /// What the proxy offers a child in a handshake, and a client whose handshake asks for something newer or unknown.
    package static let newestHandshake = Revision.v2025_11_25

    /// What a request without `MCP-Protocol-Version` and without other knowledge counts as (2025-06-18, "Protocol
    /// Version Header").
    package static let assumed = Revision.v2025_03_26

    /// The revision of that name, if it begins with a handshake.
    package init?(handshake name: String) {
        guard let revision = Revision(rawValue: name), !revision.isStateless else { return nil }
        self = revision
    }

    /// Whether it has no handshake and no sessions.
    package var isStateless: Bool { self == Self.stateless }

    /// Whether a client of this revision may send JSON-RPC batches (only 2025-03-26 may).
    package var allowsBatches: Bool { self == .v2025_03_26 }

    /// Whether a stream of this revision begins with an event that has an id and no data.
    package var primesStreams: Bool { self == .v2025_11_25 }

    package static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }
}
