// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import MCP
import NIOCore

// Between clients with a handshake and a child of the stateless revision.
extension Translation {
    // MARK: What the child says of itself

    /// A child's `serverInfo`, with what every implementation has to have in it.
    static func server(_ info: ByteRange?, in message: ByteBuffer) -> Server {
        var object = ObjectText()
        var missing = ["name", "version"]
        for member in info.map({ members(of: $0, in: message) }) ?? [] {
            if ["name", "version"].contains(member.name) {
                guard message.string(member.value) != nil else { continue }
                missing.removeAll { $0 == member.name }
            }
            object.add(member.name, message.text(member.value))
        }
        for name in missing { object.add(name, #""unknown""#) }
        return Server(info: object.text)
    }

    /// The result of `server/discover`, as clients of the proxy get it.
    ///
    /// - Parameter present: The members of the child's result.
    static func discovery(
        _ present: [(name: String, value: ByteRange)],
        _ message: ByteBuffer,
        _ server: Server
    ) -> String {
        var result = ObjectText()
        result.add("resultType", #""complete""#)
        result.add("supportedVersions", #"["\#(Revision.stateless.rawValue)"]"#)
        let fitting = present.filter { fits($0.name, $0.value, message, .serverDiscover) }
        for member in fitting {
            switch member.name {
            case "resultType", "supportedVersions": continue
            case "instructions" where message.string(member.value) == nil: continue
            case "capabilities": result.add(member.name, capabilities(member.value, message, keepsExtensions: true))
            case "_meta":
                var meta = without([MetaKey.serverInfo], member.value, message)
                meta.add(MetaKey.serverInfo, server.info)
                result.add(member.name, meta.text)
            default: result.add(member.name, message.text(member.value))
            }
        }
        let names = Set(fitting.map(\.name))
        if !names.contains("capabilities") { result.add("capabilities", "{}") }
        if !names.contains("ttlMs") { result.add("ttlMs", "0") }
        if !names.contains("cacheScope") { result.add("cacheScope", #""private""#) }
        if !names.contains("_meta") { result.add("_meta", #"{"\#(MetaKey.serverInfo)":\#(server.info)}"#) }
        return result.text
    }

    /// The answer to `initialize` that says the same, with places for the id and the revision.
    static func initialization(
        _ present: [(name: String, value: ByteRange)],
        _ message: ByteBuffer,
        _ server: Server
    ) -> ByteBuffer {
        var result = ObjectText()
        result.add("protocolVersion", #""\#(Revision.newestHandshake.rawValue)""#)
        let capability = present.last { $0.name == "capabilities" }
        result.add(
            "capabilities",
            capability.map { capabilities($0.value, message, keepsExtensions: false) } ?? "{}"
        )
        result.add("serverInfo", server.info)
        if let text = present.last(where: { $0.name == "instructions" && message.string($0.value) != nil }) {
            result.add("instructions", message.text(text.value))
        }
        return ByteBuffer(string: #"{"jsonrpc":"2.0","id":0,"result":\#(result.text)}"#)
    }

    private static func capabilities(_ range: ByteRange, _ message: ByteBuffer, keepsExtensions: Bool) -> String {
        var object = ObjectText()
        for member in members(of: range, in: message) where member.name != "tasks" {
            guard member.name == "extensions" else {
                object.add(member.name, message.text(member.value))
                continue
            }
            guard keepsExtensions else { continue }
            object.add(member.name, without([MetaKey.tasks], member.value, message).text)
        }
        return object.text
    }

    /// An object without some of its members.
    private static func without(_ names: Set<String>, _ object: ByteRange, _ message: ByteBuffer) -> ObjectText {
        var text = ObjectText()
        for member in members(of: object, in: message) where !names.contains(member.name) {
            text.add(member.name, message.text(member.value))
        }
        return text
    }

    // MARK: Who asks

    /// The envelope of requests of whom nothing is known.
    static let anonymousEnvelope = envelope(capabilities: "{}", client: nil)

    /// What the proxy says of itself when it asks something on its own account.
    static func ownEnvelope(version: String) -> String {
        envelope(capabilities: "{}", client: #"{"name":"mcp-proxy","version":\#(Messages.quoted(version))}"#)
    }

    /// The envelope of the requests of a client, from its `initialize`.
    static func envelope(of initialize: ByteBuffer, _ scanned: Envelope) -> String {
        var declared = ObjectText()
        for member in scanned[.capabilities].map({ members(of: $0, in: initialize) }) ?? [] {
            let text = initialize.text(member.value)
            switch member.name {
            case "tasks": continue
            case "roots": declared.add(member.name, "{}")
            case "elicitation" where members(of: member.value, in: initialize).isEmpty:
                declared.add(member.name, #"{"form":{}}"#)
            case "extensions": declared.add(member.name, without([MetaKey.tasks], member.value, initialize).text)
            default: declared.add(member.name, text)
            }
        }
        return envelope(capabilities: declared.text, client: scanned[.clientInfo].map { clientInfo($0, initialize) })
    }

    /// What a request of the stateless revision says of its client.
    static func envelope(ofStateless message: ByteBuffer, _ scanned: Envelope) -> String {
        var meta = ObjectText()
        for member in scanned[.meta].map({ members(of: $0, in: message) }) ?? []
        where MetaKey.ofRequests.contains(member.name) {
            let isInfo = member.name == MetaKey.clientInfo
            meta.add(member.name, isInfo ? clientInfo(member.value, message) : message.text(member.value))
        }
        return meta.members
    }

    /// Who the client is. Its icons are for people to see, may be of any size, and are not kept.
    private static func clientInfo(_ range: ByteRange, _ message: ByteBuffer) -> String {
        without(["icons"], range, message).text
    }

    private static func envelope(capabilities: String, client: String?) -> String {
        var meta = ObjectText()
        meta.add(MetaKey.protocolVersion, #""\#(Revision.stateless.rawValue)""#)
        meta.add(MetaKey.clientCapabilities, capabilities)
        if let client { meta.add(MetaKey.clientInfo, client) }
        return meta.members
    }

    // MARK: To a child of the stateless revision

    /// A request with its envelope, and without what only older revisions have.
    static func forStateless(
        _ message: ByteBuffer,
        _ scanned: Envelope,
        envelope: String,
        logLevel: LogLevel?
    ) -> ByteBuffer {
        var params = ObjectText()
        var meta = ObjectText()
        for member in scanned[.params].map({ members(of: $0, in: message) }) ?? [] {
            switch member.name {
            case "task", "inputResponses", "requestState": continue
            case "_meta": meta = without(MetaKey.ofRequests, member.value, message)
            default: params.add(member.name, message.text(member.value))
            }
        }
        if let logLevel { meta.add(MetaKey.logLevel, #""\#(logLevel.rawValue)""#) }
        let separator = meta.isEmpty ? "" : ","
        params.add("_meta", "{" + envelope + separator + meta.members + "}")
        if let range = scanned[.params] { return message.splicing(.init(range, params.text), newline: false) }
        guard let method = scanned[.method] else { return message }
        let end = Int(method.upperBound)
        return message.splicing(.init(ByteRange(end, end), #","params":"# + params.text), newline: false)
    }

    /// A request of the stateless revision whose client does not know the extension for tasks.
    static func withoutTasks(_ message: ByteBuffer, _ scanned: Envelope) -> ByteBuffer {
        guard let meta = scanned[.meta],
            let declared = members(of: meta, in: message).last(where: { $0.name == MetaKey.clientCapabilities }),
            let extensions = members(of: declared.value, in: message).last(where: { $0.name == "extensions" })
        else { return message }
        let text = without([MetaKey.tasks], extensions.value, message).text
        return message.splicing(.init(extensions.value, text), newline: false)
    }

    // MARK: From a child of the stateless revision

    /// Whether a complete result has all that its revision wants in it, and has it right: then it can stay as it is.
    static func isDecorated(_ message: ByteBuffer, _ envelope: Envelope, method: Method) -> Bool {
        guard envelope[.resultType] != nil, envelope[.resultMetaServerInfo].map({ message.isObject($0) }) == true else {
            return false
        }
        guard method.isCacheable else { return true }
        guard let ttl = envelope[.resultTTL], let scope = envelope[.resultCacheScope] else { return false }
        return fits("ttlMs", ttl, message, method) && fits("cacheScope", scope, message, method)
    }

    /// The result that asks for input, with the state as its client is to carry it.
    static func inputRequired(_ result: ByteRange, _ message: ByteBuffer, state: String?, server: Server) -> String {
        var object = without(["requestState", "_meta"], result, message)
        if let state { object.add("requestState", Messages.quoted(state)) }
        let meta = members(of: result, in: message).last { $0.name == "_meta" }?.value
        var text = meta.map { without([MetaKey.serverInfo], $0, message) } ?? ObjectText()
        text.add(MetaKey.serverInfo, server.info)
        object.add("_meta", text.text)
        return object.text
    }

    /// A result without what only the stateless revision has.
    ///
    /// - Parameter isWrapped: The tool's results are wrapped whatever they are, as its schema says.
    static func forHandshake(result message: ByteBuffer, _ scanned: Envelope, isWrapped: Bool) -> ByteBuffer {
        guard let result = scanned[.result], message.isObject(result) else { return message }
        var object = ObjectText()
        for member in members(of: result, in: message) {
            let text = message.text(member.value)
            switch member.name {
            case "resultType", "ttlMs", "cacheScope": continue
            case "_meta":
                let meta = without([MetaKey.serverInfo], member.value, message)
                if !meta.isEmpty { object.add("_meta", meta.text) }
            case "structuredContent" where isWrapped || !text.hasPrefix("{"):
                object.add(member.name, #"{"result":\#(text)}"#)
            default: object.add(member.name, text)
            }
        }
        return message.splicing(.init(result, object.text), newline: false)
    }

    /// A list of tools in which every `outputSchema` is that of an object, the tools for which that is a wrapping, and
    /// the others.
    static func withObjectSchemas(_ message: ByteBuffer, _ scanned: Envelope)
        -> (ByteBuffer, wrapped: Set<String>, others: Set<String>)
    {
        let list = scanned[.result].flatMap { result in
            members(of: result, in: message).first { $0.name == "tools" }?.value
        }
        guard let list else { return (message, [], []) }
        var wrapped: Set<String> = []
        var others: Set<String> = []
        let texts = elements(of: list, in: message).map { tool in
            let present = members(of: tool, in: message)
            guard let name = present.last(where: { $0.name == "name" }).flatMap({ message.string($0.value) }) else {
                return message.text(tool)
            }
            guard let schema = present.last(where: { $0.name == "outputSchema" })?.value,
                !members(of: schema, in: message).contains(where: {
                    $0.name == "type" && message.string($0.value) == "object"
                })
            else {
                others.insert(name)
                return message.text(tool)
            }
            wrapped.insert(name)
            var object = ObjectText()
            for member in present {
                let text = message.text(member.value)
                let isSchema = member.name == "outputSchema"
                object.add(
                    member.name,
                    isSchema ? #"{"type":"object","properties":{"result":\#(text)},"required":["result"]}"# : text
                )
            }
            return object.text
        }
        guard !wrapped.isEmpty else { return (message, [], others) }
        let edit = Edit(list, "[" + texts.joined(separator: ",") + "]")
        return (message.splicing(edit, newline: false), wrapped, others)
    }

    /// An error for a client of the stateless revision from a child of the same, which must not use the codes of older
    /// ones; nil when it may stay.
    static func tolerated(
        error message: ByteBuffer,
        _ scanned: Envelope,
        code: Int,
        target: String?
    ) -> TranslatedError? {
        switch code {
        case -32002: stateless(error: message, scanned, code: code, target: target)
        case -32042: .error(code: -32603, data: nil)
        default: nil
        }
    }

    /// An error for a client with a handshake: a resource that was not found has a code of its own there; nil when it may
    /// stay.
    static func forHandshake(
        error message: ByteBuffer,
        _ scanned: Envelope,
        code: Int,
        method: Method
    ) -> TranslatedError? {
        guard code == -32602, method == .resourcesRead, let error = scanned[.error],
            let data = members(of: error, in: message).last(where: { $0.name == "data" })?.value,
            members(of: data, in: message).contains(where: { $0.name == "uri" })
        else { return nil }
        return .error(code: -32002, data: message.text(data))
    }

    /// A notification without the subscription it came by.
    static func unsubscribed(_ message: ByteBuffer, _ scanned: Envelope) -> ByteBuffer {
        guard let meta = scanned[.meta] else { return message }
        let rest = without([MetaKey.subscriptionID], meta, message)
        return message.splicing(.init(meta, rest.text), newline: false)
    }
}
