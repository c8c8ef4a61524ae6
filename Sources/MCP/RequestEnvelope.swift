// SPDX-License-Identifier: Apache-2.0

package import JSONRPC
package import NIOCore

/// The reserved keys of `_meta` in the stateless revision (2026-07-28, "Request Metadata").
package enum MetaKey {
    package static let protocolVersion = "io.modelcontextprotocol/protocolVersion"
    package static let clientCapabilities = "io.modelcontextprotocol/clientCapabilities"
    package static let clientInfo = "io.modelcontextprotocol/clientInfo"
    package static let logLevel = "io.modelcontextprotocol/logLevel"
    package static let serverInfo = "io.modelcontextprotocol/serverInfo"
    package static let subscriptionID = "io.modelcontextprotocol/subscriptionId"

    /// The extension for tasks, whose messages are not passed on: it would tell one client of the tasks of another.
    package static let tasks = "io.modelcontextprotocol/tasks"

    /// Those that say who asks and how, and mean nothing to a server with a handshake.
    package static let ofRequests: Set<String> = [protocolVersion, clientCapabilities, clientInfo, logLevel]
}

/// What a request of the stateless revision says of its client, in `params._meta`.
package struct RequestEnvelope: Sendable {
    package private(set) var protocolVersion: String?
    package private(set) var capabilities: ClientCapabilities?
    /// Whether the client declares the extension for tasks.
    package private(set) var knowsTasks = false
    /// From here on log messages are wanted; nil when none are.
    package private(set) var logLevel: LogLevel?
    /// What is wrong with it: which key, what stands there, what should. Nil when it is complete.
    package private(set) var fault: String?

    package init(_ envelope: Envelope, in message: ByteBuffer) {
        protocolVersion = envelope[.metaProtocolVersion].flatMap { message.string($0) }
        if let range = envelope[.metaClientCapabilities], message.isObject(range) {
            capabilities = ClientCapabilities(at: range, in: message)
            let extensions = members(of: range, in: message).last { $0.name == "extensions" }
            knowsTasks =
                extensions.map { members(of: $0.value, in: message).contains { $0.name == MetaKey.tasks } } ?? false
        }
        if let range = envelope[.metaLogLevel] {
            logLevel = message.string(range).flatMap(LogLevel.init(rawValue:))
            if logLevel == nil {
                let levels = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
                fault = "params._meta[\"\(MetaKey.logLevel)\"] is no log level; use one of \(levels)"
            }
        }
        if protocolVersion == nil {
            fault =
                "params._meta[\"\(MetaKey.protocolVersion)\"] must be a string, such as \"\(Revision.stateless.rawValue)\""
        } else if capabilities == nil {
            fault = "params._meta[\"\(MetaKey.clientCapabilities)\"] must be an object, {} if the client has none"
        }
    }
}
