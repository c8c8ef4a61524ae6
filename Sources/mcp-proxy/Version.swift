// SPDX-License-Identifier: Apache-2.0

/// What this build calls itself, on the command line and on the wire.
enum Product {
    static let name = "mcp-proxy"
    static let version = "0.1.0"
}
