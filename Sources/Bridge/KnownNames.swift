// SPDX-License-Identifier: Apache-2.0

import Events
import JSONRPC
import MCP
import NIOCore

/// The tools and prompts that the child's own lists name.
///
/// Only they may become labels of metrics: what a request calls them is a client's text. Names are kept for as long as
/// the proxy runs, since a list can come in pages and a restarted child lists the same ones again.
struct KnownNames {
    /// The protocol asks for names of at most 128 characters (2025-11-25, "Tool Names"). Longer ones are not learned.
    static let maxLength = 128
    /// A child that lists more than this is not followed any further.
    static let capacity = 10_000

    private var tools: [String: KnownName] = [:]
    private var prompts: [String: KnownName] = [:]

    /// Takes the names out of the answer to a list; `method` says to which.
    mutating func learn(from message: ByteBuffer, result: ByteRange?, method: Method) {
        guard let result else { return }
        switch method {
        case .toolsList: learn(.tool, \.tools, names(inList: "tools", result, message))
        case .promptsList: learn(.prompt, \.prompts, names(inList: "prompts", result, message))
        default: break
        }
    }

    /// The known name that a request is about.
    func name(of method: Method, _ token: ByteRange?, in message: ByteBuffer) -> KnownName? {
        guard let token, token.count <= 2 + 6 * Self.maxLength else { return nil }
        switch method {
        case .toolsCall: return message.string(token).flatMap { tools[$0] }
        case .promptsGet: return message.string(token).flatMap { prompts[$0] }
        default: return nil
        }
    }

    private mutating func learn(
        _ kind: KnownName.Kind,
        _ known: WritableKeyPath<KnownNames, [String: KnownName]>,
        _ names: [String]
    ) {
        for name in names where self[keyPath: known][name] == nil && name.isFitForLabel {
            let count = tools.count + prompts.count
            guard count < Self.capacity else { return }
            self[keyPath: known][name] = KnownName(kind, name, number: count + 1)
        }
    }

    private func names(inList list: String, _ result: ByteRange, _ message: ByteBuffer) -> [String] {
        guard let list = members(of: result, in: message).first(where: { $0.name == list }) else { return [] }
        return elements(of: list.value, in: message).compactMap { element in
            members(of: element, in: message).first { $0.name == "name" }.flatMap { message.string($0.value) }
        }
    }
}

extension String {
    /// Whether a person who reads it on a dashboard sees what it is: short, and without characters that control,
    /// reorder or hide.
    fileprivate var isFitForLabel: Bool {
        guard !isEmpty, utf8.count <= KnownNames.maxLength else { return false }
        return unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate: false
            default: true
            }
        }
    }
}
