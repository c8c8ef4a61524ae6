// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// What each method does, tools apart.
extension Server {
    /// Throws for a method that the server does not have, or not at the revision it speaks.
    func work(for method: String, _ call: Call) throws -> Work {
        let capabilities = state.withLock { $0.capabilities }
        if let needed = Server.capability(of: method), method != "initialize", capabilities[needed] == nil {
            throw Fault.methodNotFound("the server has no \(needed)")
        }
        switch method {
        case "initialize": return .now { try $0.initialize($1) }
        case "ping": return .now { _, _ in [:] }
        case "tools/list": return .now { try $0.listTools($1) }
        case "tools/call": return try workOfTool(call)
        case "resources/list": return .now { try $0.listResources($1) }
        case "resources/templates/list": return .now { _, _ in Server.resourceTemplates }
        case "resources/read": return .now { try $0.readResource($1) }
        case "resources/subscribe": return .now { try $0.subscribe($1, true) }
        case "resources/unsubscribe": return .now { try $0.subscribe($1, false) }
        case "prompts/list": return .now { try $0.listPrompts($1) }
        case "prompts/get": return .now { try $0.getPrompt($1) }
        case "completion/complete": return .now { try $0.complete($1) }
        case "logging/setLevel": return .now { try $0.setLevel($1) }
        case "tasks/get": return .now { try $0.getTask($1) }
        case "tasks/list": return .now { try $0.listTasks($1) }
        case "tasks/cancel": return .now { try $0.cancelTask($1) }
        case "tasks/result": return .later { try await $0.taskResult($1) }
        case "x-fixture/echo", "x-fixture/raw": return .now { $1.params }
        case "server/discover" where options.exitOnDiscover: _exit(1)
        default: throw Fault.methodNotFound("Method not found: \(method)")
        }
    }

    private static func capability(of method: String) -> String? {
        switch method.split(separator: "/").first {
        case "tools": "tools"
        case "resources": "resources"
        case "prompts": "prompts"
        case "completion": "completions"
        case "logging": "logging"
        case "tasks": "tasks"
        default: nil
        }
    }

    private func initialize(_ call: Call) throws -> JSON {
        guard options.answersInitialize else { throw Silence() }
        if options.initializeError { throw Fault(code: -32603, message: "initialize refused on purpose") }
        guard let requested = call.params["protocolVersion"]?.string else {
            throw Fault.invalidParams("protocolVersion is missing")
        }
        let known = Options.revisions.filter { $0 <= options.revision }
        let revision = known.contains(requested) ? requested : options.revision
        var capabilities: [String: JSON] = [
            "tools": ["listChanged": true], "prompts": ["listChanged": true], "logging": [:],
            "resources": ["listChanged": true, "subscribe": true], "experimental": ["x-fixture": [:]],
        ]
        if revision >= "2025-03-26" { capabilities["completions"] = [:] }
        if revision >= "2025-11-25" {
            capabilities["tasks"] = ["list": [:], "cancel": [:], "requests": ["tools": ["call": [:]]]]
        }
        if let path = options.capabilitiesShrinkFile, access(path, F_OK) == 0 { capabilities["resources"] = nil }
        for name in options.missingCapabilities { capabilities[name] = nil }
        state.withLock { state in
            state.initialize = call.params
            state.revision = revision
            state.capabilities = capabilities
        }
        return [
            "protocolVersion": .string(revision), "capabilities": .object(capabilities),
            "serverInfo": ["name": "fixture-server", "title": "Fixture", "version": "1.0.0"],
            "instructions": "Does what it is told, and misbehaves on purpose.",
        ]
    }

    /// One page of a list, with the cursor of the next.
    func page(_ items: [JSON], named name: String, of size: Int, _ call: Call) throws -> JSON {
        var start = 0
        if let cursor = call.params["cursor"] {
            let digits = cursor.string.flatMap { $0.hasPrefix("after-") ? Int($0.dropFirst(6)) : nil }
            guard let digits, items.indices.contains(digits) else { throw Fault.invalidParams("Invalid cursor") }
            start = digits
        }
        let end = min(items.count, start + size)
        var result: JSON = [name: .array(Array(items[start..<end]))]
        if end < items.count { result["nextCursor"] = .string("after-\(end)") }
        return result
    }

    // MARK: Prompts, completion, logging

    private func listPrompts(_ call: Call) throws -> JSON {
        let additions = state.withLock { $0.additions["prompt"] ?? 0 }
        let argument: JSON = ["name": "name", "description": "Whom to greet", "required": true]
        let style: JSON = ["name": "style", "description": "How", "required": false]
        var prompts: [JSON] = [
            ["name": "greeting", "description": "Greets somebody.", "arguments": [argument, style]],
            ["name": "plain", "description": "Takes no arguments."],
        ]
        for number in 0..<additions { prompts.append(["name": .string("extra_prompt_\(number + 1)")]) }
        return try page(prompts, named: "prompts", of: prompts.count, call)
    }

    private func getPrompt(_ call: Call) throws -> JSON {
        let text: String
        switch call.params["name"]?.string {
        case "greeting":
            guard let name = call.arguments["name"]?.string else {
                throw Fault.invalidParams("the prompt argument name is missing")
            }
            text = "Greet \(name) in a \(call.arguments["style"]?.string ?? "friendly") way."
        case "plain": text = "Say something."
        case let name? where name.hasPrefix("extra_prompt_"): text = "I am \(name)."
        default: throw Fault.invalidParams("Unknown prompt")
        }
        return ["messages": [["role": "user", "content": ["type": "text", "text": .string(text)]]]]
    }

    private func complete(_ call: Call) throws -> JSON {
        let candidates: [String]
        switch call.params["ref"]?["type"]?.string {
        case "ref/prompt": candidates = ["ada", "adele", "alan", "barbara", "grace"]
        case "ref/resource": candidates = (1...150).map { "\($0)" }
        default: throw Fault.invalidParams("ref has no known type")
        }
        let start = call.params["argument"]?["value"]?.string ?? ""
        let matches = candidates.filter { $0.hasPrefix(start) }
        let values = matches.prefix(100).map { JSON.string($0) }
        return [
            "completion": [
                "values": .array(values), "total": .int(matches.count), "hasMore": .bool(matches.count > 100),
            ]
        ]
    }

    static let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

    private func setLevel(_ call: Call) throws -> JSON {
        guard let level = call.params["level"]?.string, Server.levels.contains(level) else {
            throw Fault.invalidParams("level is not one of \(Server.levels.joined(separator: ", "))")
        }
        state.withLock { $0.logLevel = level }
        return [:]
    }
}
