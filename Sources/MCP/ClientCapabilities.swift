// SPDX-License-Identifier: Apache-2.0

package import JSONRPC
package import NIOCore

/// What a client can be asked, as it declared in `initialize`.
package struct ClientCapabilities: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let sampling = ClientCapabilities(rawValue: 1)
    package static let elicitationForm = ClientCapabilities(rawValue: 2)
    package static let elicitationURL = ClientCapabilities(rawValue: 4)
    package static let roots = ClientCapabilities(rawValue: 8)
    package static let tasks = ClientCapabilities(rawValue: 16)

    /// Reads the `capabilities` object at `range`.
    ///
    /// `elicitation: {}` means the form mode only (2025-11-25, "Elicitation: Capabilities").
    package init(at range: ByteRange, in message: ByteBuffer) {
        var found: ClientCapabilities = []
        for member in members(of: range, in: message) {
            switch member.name {
            case "sampling": found.insert(.sampling)
            case "roots": found.insert(.roots)
            case "tasks": found.insert(.tasks)
            case "elicitation":
                let modes = members(of: member.value, in: message).map(\.name)
                if modes.contains("url") { found.insert(.elicitationURL) }
                if modes.contains("form") || !modes.contains("url") { found.insert(.elicitationForm) }
            default: break
            }
        }
        self = found
    }

    /// The `capabilities` object that declares them.
    package var json: String {
        let modes = [(ClientCapabilities.elicitationForm, "form"), (.elicitationURL, "url")].filter { contains($0.0) }
        var declared = [(ClientCapabilities.sampling, "sampling"), (.roots, "roots"), (.tasks, "tasks")]
            .filter { contains($0.0) }.map { "\"\($0.1)\":{}" }
        if !modes.isEmpty {
            declared.append("\"elicitation\":{\(modes.map { "\"\($0.1)\":{}" }.joined(separator: ","))}")
        }
        return "{\(declared.joined(separator: ","))}"
    }

    /// What a client must have declared to be asked `method`; nothing for methods the protocol doesn't name.
    ///
    /// - Parameter isURLMode: whether an `elicitation/create` has `mode: "url"`.
    package static func needed(for method: Method, isURLMode: Bool) -> ClientCapabilities {
        switch method {
        case .samplingCreateMessage: .sampling
        case .elicitationCreate: isURLMode ? .elicitationURL : .elicitationForm
        case .rootsList: .roots
        case .tasksGet, .tasksResult, .tasksList, .tasksCancel: .tasks
        default: []
        }
    }
}
