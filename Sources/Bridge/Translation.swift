// SPDX-License-Identifier: Apache-2.0

import JSONRPC
import MCP
import NIOCore

/// From the stateless revision to those with a handshake and back, message by message. Pure text in, pure text out;
/// everything that both know the same way stays as it came.
enum Translation {
    /// What every result of the stateless revision carries beside itself.
    struct Server: Equatable {
        /// The child's `serverInfo`, as JSON text.
        var info: String
    }

    // MARK: To a child with a handshake

    /// A request without what only the stateless revision has: who asks and how, and a caller's answers.
    static func forHandshake(_ message: ByteBuffer, _ envelope: Envelope, method: Method) -> ByteBuffer {
        guard let params = envelope[.params] else { return message }
        var object = ObjectText()
        var hasArguments = false
        for member in members(of: params, in: message) {
            switch member.name {
            case "inputResponses", "requestState": continue
            // Tasks are an extension in the stateless revision: who asks for one by this name gets a plain result.
            case "task" where method != .other: continue
            case "_meta":
                var meta = ObjectText()
                for key in members(of: member.value, in: message) where !MetaKey.ofRequests.contains(key.name) {
                    meta.add(key.name, message.text(key.value))
                }
                if !meta.isEmpty { object.add("_meta", meta.text) }
            default:
                hasArguments = hasArguments || member.name == "arguments"
                object.add(member.name, message.text(member.value))
            }
        }
        // Optional, but older servers fail without.
        if method == .toolsCall, !hasArguments { object.add("arguments", "{}") }
        return message.splicing(.init(params, object.text), newline: false)
    }

    // MARK: From a child with a handshake

    /// A result with what the stateless revision wants in it.
    static func stateless(result message: ByteBuffer, _ envelope: Envelope, method: Method, server: Server)
        -> ByteBuffer
    {
        var message = message
        var envelope = envelope
        for repair in [withoutExecution, withoutMisfits] {
            guard let repaired = repair(message, envelope, method), let scanned = try? Envelope.scan(repaired) else {
                continue
            }
            (message, envelope) = (repaired, scanned)
        }
        return decorated(message, envelope, method, server)
    }

    /// A result without what stands under a name of the stateless revision and can't mean the same; nil when it has
    /// nothing of the kind.
    private static func withoutMisfits(_ message: ByteBuffer, _ envelope: Envelope, _ method: Method) -> ByteBuffer? {
        guard let result = envelope[.result] else { return nil }
        let present = members(of: result, in: message)
        let fitting = present.filter { fits($0.name, $0.value, message, method) }
        guard fitting.count < present.count else { return nil }
        var object = ObjectText()
        for member in fitting { object.add(member.name, message.text(member.value)) }
        return message.splicing(.init(result, object.text), newline: false)
    }

    /// Whether a member of a result is what the stateless revision means by its name.
    static func fits(_ name: String, _ value: ByteRange, _ message: ByteBuffer, _ method: Method) -> Bool {
        switch name {
        case "resultType": message.string(value) == "complete"
        case "_meta": message.isObject(value)
        case "ttlMs" where method.isCacheable: message.integer(value).map { $0 >= 0 } ?? false
        case "cacheScope" where method.isCacheable: ["public", "private"].contains(message.string(value))
        default: true
        }
    }

    private static func decorated(
        _ message: ByteBuffer,
        _ envelope: Envelope,
        _ method: Method,
        _ server: Server
    ) -> ByteBuffer {
        guard let result = envelope[.result] else { return message }
        let present = members(of: result, in: message)
        let names = Set(present.map(\.name))
        var added = ObjectText()
        if !names.contains("resultType") { added.add("resultType", #""complete""#) }
        if method.isCacheable {
            // An older server promised nothing: nobody but this client may use it, and only now.
            if !names.contains("ttlMs") { added.add("ttlMs", "0") }
            if !names.contains("cacheScope") { added.add("cacheScope", #""private""#) }
        }
        let meta = present.last { $0.name == "_meta" }
        if meta == nil { added.add("_meta", #"{"\#(MetaKey.serverInfo)":\#(server.info)}"#) }
        return message.splicing(
            .insertion(of: added.members, into: result, of: message, isEmpty: present.isEmpty),
            meta.flatMap { serverInfoInsertion($0.value, message, server) },
            newline: false
        )
    }

    private static func serverInfoInsertion(_ meta: ByteRange, _ message: ByteBuffer, _ server: Server) -> Edit? {
        let present = members(of: meta, in: message)
        guard !present.contains(where: { $0.name == MetaKey.serverInfo }) else { return nil }
        let member = #""\#(MetaKey.serverInfo)":\#(server.info)"#
        return .insertion(of: member, into: meta, of: message, isEmpty: present.isEmpty)
    }

    /// A list of tools without `execution`, which the stateless revision has no more; nil when no tool has it.
    private static func withoutExecution(_ message: ByteBuffer, _ envelope: Envelope, _ method: Method) -> ByteBuffer? {
        guard method == .toolsList, let result = envelope[.result],
            let tools = members(of: result, in: message).first(where: { $0.name == "tools" })
        else { return nil }
        var isChanged = false
        let texts = elements(of: tools.value, in: message).map { tool in
            let present = members(of: tool, in: message)
            guard present.contains(where: { $0.name == "execution" }) else { return message.text(tool) }
            isChanged = true
            var object = ObjectText()
            for member in present where member.name != "execution" {
                object.add(member.name, message.text(member.value))
            }
            return object.text
        }
        guard isChanged else { return nil }
        return message.splicing(.init(tools.value, "[" + texts.joined(separator: ",") + "]"), newline: false)
    }

    /// What the answer to `server/discover` says, from the answer to `initialize`.
    static func discovery(initialized message: ByteBuffer, _ envelope: Envelope, server: Server) -> String {
        var capabilities = ObjectText()
        let declared = envelope[.resultCapabilities].map { members(of: $0, in: message) } ?? []
        for member in declared where member.name != "tasks" {
            capabilities.add(member.name, message.text(member.value))
        }
        var result = ObjectText()
        result.add("resultType", #""complete""#)
        result.add("supportedVersions", #"["\#(Revision.stateless.rawValue)"]"#)
        result.add("capabilities", capabilities.text)
        if let instructions = envelope[.resultInstructions] { result.add("instructions", message.text(instructions)) }
        result.add("ttlMs", "0")
        result.add("cacheScope", #""private""#)
        result.add("_meta", #"{"\#(MetaKey.serverInfo)":\#(server.info)}"#)
        return result.text
    }

    /// A notification with the id of the subscription it belongs to.
    static func subscribed(_ message: ByteBuffer, _ envelope: Envelope, method: Method, to id: RequestID) -> ByteBuffer
    {
        let member = #""\#(MetaKey.subscriptionID)":\#(id.token)"#
        if let meta = envelope[.meta], message.isObject(meta) {
            let isEmpty = members(of: meta, in: message).isEmpty
            return message.splicing(.insertion(of: member, into: meta, of: message, isEmpty: isEmpty), newline: false)
        }
        if let params = envelope[.params], message.isObject(params), envelope[.meta] == nil {
            let isEmpty = members(of: params, in: message).isEmpty
            let edit = Edit.insertion(of: #""_meta":{\#(member)}"#, into: params, of: message, isEmpty: isEmpty)
            return message.splicing(edit, newline: false)
        }
        if let meta = envelope[.meta] { return message.splicing(.init(meta, "{\(member)}"), newline: false) }
        return Messages.notification(method, params: #"{"_meta":{\#(member)}}"#)
    }
}

extension Method {
    /// Whether its results say how long they may be kept (2026-07-28, "Caching").
    var isCacheable: Bool {
        switch self {
        case .serverDiscover, .toolsList, .promptsList, .resourcesList, .resourcesTemplatesList, .resourcesRead: true
        default: false
        }
    }
}

extension Edit {
    /// Puts members at the beginning of an object; nil when the range is none.
    static func insertion(of members: String, into object: ByteRange, of message: ByteBuffer, isEmpty: Bool) -> Edit? {
        guard !members.isEmpty, message.isObject(object) else { return nil }
        let start = Int(object.lowerBound) + 1
        return Edit(ByteRange(start, start), isEmpty ? members : members + ",")
    }
}

/// A JSON object, written member by member.
struct ObjectText {
    private(set) var members = ""

    var isEmpty: Bool { members.isEmpty }
    var text: String { "{" + members + "}" }

    /// Adds a member whose value is JSON text.
    mutating func add(_ name: String, _ value: String) {
        if !members.isEmpty { members += "," }
        members += Messages.quoted(name) + ":" + value
    }
}

// MARK: - Errors

extension Translation {
    /// What an error of a child with a handshake becomes.
    enum TranslatedError: Equatable {
        /// An error response with the members of its `error` object but the code and data.
        case error(code: Int, data: String?)
        /// The result `input_required`, as JSON text.
        case inputRequired(String)
    }

    /// An error whose code the stateless revision forbids, or uses for something else; nil when it may stay.
    ///
    /// - Parameter target: The URI the request was about.
    static func stateless(error message: ByteBuffer, _ envelope: Envelope, code: Int, target: String?)
        -> TranslatedError?
    {
        let data = data(ofError: message, envelope)
        switch code {
        case -32002:
            // Resource not found. The newer code is one for bad parameters; the URI tells the two apart.
            if let data, members(of: data, in: message).contains(where: { $0.name == "uri" }) {
                return .error(code: -32602, data: message.text(data))
            }
            return .error(code: -32602, data: target.map { #"{"uri":\#(Messages.quoted($0))}"# })
        case -32042:
            guard let requests = urlElicitations(data, message) else { return .error(code: -32603, data: nil) }
            return .inputRequired(#"{"resultType":"input_required","inputRequests":\#(requests)}"#)
        case -32099 ... -32020:
            var wrapped = ObjectText()
            wrapped.add("originalCode", String(code))
            if let data { wrapped.add("originalData", message.text(data)) }
            return .error(code: -32603, data: wrapped.text)
        default: return nil
        }
    }

    /// The `data` of an error.
    static func data(ofError message: ByteBuffer, _ envelope: Envelope) -> ByteRange? {
        envelope[.error].flatMap { error in members(of: error, in: message).last { $0.name == "data" }?.value }
    }

    /// The pages that a user has to visit before the call can succeed, as requests for input (2025-11-25, "URL
    /// Elicitation Required"). The answer to them is the same call once more.
    private static func urlElicitations(_ data: ByteRange?, _ message: ByteBuffer) -> String? {
        guard let data, let list = members(of: data, in: message).first(where: { $0.name == "elicitations" }) else {
            return nil
        }
        var requests = ObjectText()
        for (index, elicitation) in elements(of: list.value, in: message).enumerated() {
            var params = ObjectText()
            params.add("mode", #""url""#)
            let present = members(of: elicitation, in: message)
            guard present.contains(where: { $0.name == "url" && message.string($0.value) != nil }) else { continue }
            for member in present where member.name == "url" || member.name == "message" {
                params.add(member.name, message.text(member.value))
            }
            requests.add("url\(index + 1)", #"{"method":"elicitation/create","params":\#(params.text)}"#)
        }
        return requests.isEmpty ? nil : requests.text
    }

    /// The error response with another code and other data.
    static func error(_ message: ByteBuffer, _ envelope: Envelope, id: RequestID, code: Int, data: String?)
        -> ByteBuffer
    {
        let text = envelope[.errorMessage].flatMap { message.string($0) == nil ? nil : message.text($0) }
        var error = ObjectText()
        error.add("code", String(code))
        error.add("message", text ?? #""the MCP server gave no reason""#)
        if let data { error.add("data", data) }
        return ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(id.token),"error":\#(error.text)}"#)
    }
}
