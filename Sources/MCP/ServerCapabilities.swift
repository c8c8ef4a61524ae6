// SPDX-License-Identifier: Apache-2.0

package import JSONRPC
package import NIOCore

/// What a server can do, as it declared in its answer to `initialize`: every capability and every flag of one that
/// is on, as paths (`tools`, `tools.listChanged`).
package struct ServerCapabilities: Equatable, Sendable {
    package private(set) var paths: Set<String> = []

    package init() {}

    /// Reads the `capabilities` object at `range`.
    package init(at range: ByteRange, in message: ByteBuffer) {
        for capability in members(of: range, in: message) {
            paths.insert(capability.name)
            for flag in members(of: capability.value, in: message) where message.text(flag.value) != "false" {
                paths.insert(capability.name + "." + flag.name)
            }
        }
    }

    package func contains(_ path: String) -> Bool { paths.contains(path) }

    /// Whether a client that was promised `self` can go on with a server that declares `other`.
    package func isKept(by other: ServerCapabilities) -> Bool { paths.isSubset(of: other.paths) }
}
