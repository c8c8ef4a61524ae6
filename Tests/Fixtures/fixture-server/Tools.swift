// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A tool: what `tools/list` says of it, and what it does.
struct Tool: Sendable {
    enum TaskSupport: String { case forbidden, optional, required }

    let name: String
    let description: String
    /// The type of each argument by its name; a question mark behind the type makes it optional.
    var arguments: [String: String] = [:]
    var tasks = TaskSupport.forbidden
    var output: JSON?
    let work: Work

    func json(atRevision revision: String) -> JSON {
        let properties = arguments.mapValues { type -> JSON in
            type == "any?" ? [:] : ["type": .string(type.replacing("?", with: ""))]
        }
        let required = arguments.filter { !$0.value.hasSuffix("?") }.keys.sorted().map { JSON.string($0) }
        var json: JSON = [
            "name": .string(name), "description": .string(description),
            "inputSchema": ["type": "object", "properties": .object(properties), "required": .array(required)],
        ]
        if revision >= "2025-06-18" { json["outputSchema"] = output }
        if revision >= "2025-11-25", tasks != .forbidden {
            json["execution"] = ["taskSupport": .string(tasks.rawValue)]
        }
        return json
    }

    /// A result of one text.
    static func text(_ text: String, isError: Bool = false) -> JSON {
        var result: JSON = ["content": [["type": "text", "text": .string(text)]]]
        if isError { result["isError"] = true }
        return result
    }

    static let all = plain + asking + misbehaving
}

extension Server {
    func listTools(_ call: Call) throws -> JSON {
        let (revision, additions) = state.withLock { ($0.revision, $0.additions["tool"] ?? 0) }
        var tools = Tool.all.map { $0.json(atRevision: revision) }
        for number in 0..<additions {
            tools.append(["name": .string("extra_tool_\(number + 1)"), "inputSchema": ["type": "object"]])
        }
        return try page(tools, named: "tools", of: tools.count, call)
    }

    func workOfTool(_ call: Call) throws -> Work {
        guard let name = call.params["name"]?.string else { throw Fault.invalidParams("name is missing") }
        let (revision, additions) = state.withLock { ($0.revision, $0.additions["tool"] ?? 0) }
        if (0..<additions).contains(where: { name == "extra_tool_\($0 + 1)" }) {
            return .now { _, _ in Tool.text("I am \(name).") }
        }
        guard let tool = Tool.all.first(where: { $0.name == name }) else {
            throw Fault.invalidParams("Unknown tool: \(name)")
        }
        guard revision >= "2025-11-25" else { return tool.work }
        let wantsTask = call.params["task"] != nil
        if wantsTask ? tool.tasks == .forbidden : tool.tasks == .required {
            throw Fault.methodNotFound("for the tool \(name), running as a task is \(tool.tasks.rawValue)")
        }
        guard wantsTask, case .later(let body) = tool.work else { return tool.work }
        return .now { server, call in server.startTask(call, body) }
    }
}

extension Tool {
    /// Tools that do what they say, without the client's help.
    static let plain: [Tool] = [
        Tool(
            name: "echo",
            description: "Answers with the text.",
            arguments: ["text": "string"],
            work: .now { _, call in text(try call.string("text")) }
        ),
        Tool(
            name: "add",
            description: "Answers with the sum, as text and structured.",
            arguments: ["a": "integer", "b": "integer"],
            output: ["type": "object", "properties": ["sum": ["type": "integer"]], "required": ["sum"]],
            work: .now { _, call in
                let sum = try call.int("a") &+ call.int("b")
                var result = text("\(sum)")
                result["structuredContent"] = ["sum": .int(sum)]
                return result
            }
        ),
        Tool(
            name: "sleep",
            description: "Answers after some milliseconds.",
            arguments: ["ms": "integer"],
            tasks: .optional,
            work: .later { _, call in
                try await call.pause()
                return text("slept \(try call.int("ms")) ms")
            }
        ),
        Tool(
            name: "sleep_task",
            description: "As sleep, but only as a task.",
            arguments: ["ms": "integer"],
            tasks: .required,
            work: .later { _, call in
                try await call.pause()
                return text("slept \(try call.int("ms")) ms")
            }
        ),
        Tool(
            name: "progress",
            description: "Takes steps of some milliseconds and reports progress after each.",
            arguments: ["steps": "integer", "ms": "integer?"],
            tasks: .optional,
            work: .later { server, call in
                let steps = try call.int("steps")
                let hasMessage = server.state.withLock { $0.revision >= "2025-03-26" }
                for step in stride(from: 1, through: steps, by: 1) {
                    try await call.pause()
                    guard let token = call.progressToken else { continue }
                    var params: JSON = ["progressToken": token, "progress": .int(step), "total": .int(steps)]
                    if hasMessage { params["message"] = .string("step \(step)") }
                    server.notify("notifications/progress", params)
                }
                return text("done \(steps) steps")
            }
        ),
        Tool(
            name: "big",
            description: "Answers with a text of that many bytes, on one line; the id before or behind it.",
            arguments: ["bytes": "integer", "id_last": "boolean?"],
            work: .now { server, call in
                let count = try call.int("bytes")
                guard (0...(256 << 20)).contains(count) else { throw Fault.invalidParams("bytes is out of range") }
                let start = Array(#"{"content":[{"type":"text","text":""#.utf8)
                let result = start + [UInt8](repeating: UInt8(ascii: "x"), count: count) + Array(#""}]}"#.utf8)
                guard call.arguments["id_last"]?.bool == true else { return .raw(result) }
                let end = #","id":\#(call.id.text)}"# + "\n"
                server.output.send(Array(#"{"jsonrpc":"2.0","result":"#.utf8) + result + Array(end.utf8))
                throw Silence()
            }
        ),
        Tool(
            name: "log",
            description: "Sends a log message if its level is wanted.",
            arguments: ["level": "string", "text": "string", "logger": "string?"],
            work: .now { server, call in
                let (level, data) = (try call.string("level"), try call.string("text"))
                let wanted = server.state.withLock { Server.levels.firstIndex(of: $0.logLevel) ?? 0 }
                guard let rank = Server.levels.firstIndex(of: level) else {
                    throw Fault.invalidParams("level is not one of \(Server.levels.joined(separator: ", "))")
                }
                guard rank >= wanted else { return text("below the level") }
                let logger = try call.string("logger", else: "fixture")
                let params: JSON = ["level": .string(level), "logger": .string(logger), "data": .string(data)]
                server.notify("notifications/message", params)
                return text("sent")
            }
        ),
        Tool(
            name: "stderr",
            description: "Writes a line to standard error.",
            arguments: ["text": "string"],
            work: .now { _, call in
                writeError(try call.string("text"))
                return text("written")
            }
        ),
        Tool(
            name: "counter",
            description: "Counts its calls since the process began.",
            work: .now { server, _ in
                let count = server.state.withLock { state in
                    state.counter += 1
                    return state.counter
                }
                return text("\(count)")
            }
        ),
        Tool(name: "pid", description: "The process id.", work: .now { _, _ in text("\(getpid())") }),
        Tool(
            name: "process",
            description: "Process, parent and group ids, arguments, working directory, open descriptors, as JSON.",
            work: .now { _, _ in
                let manager = FileManager.default
                let descriptors = try manager.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int.init)
                // The directory that was read here is closed by now.
                let open = descriptors.filter { fcntl(Int32($0), F_GETFD) >= 0 }.sorted().map { JSON.int($0) }
                let facts: JSON = [
                    "pid": .int(getpid()), "ppid": .int(getppid()), "pgid": .int(getpgrp()), "sid": .int(getsid(0)),
                    "arguments": .array(CommandLine.arguments.map { .string($0) }),
                    "directory": .string(manager.currentDirectoryPath), "descriptors": .array(open),
                ]
                return text(facts.text)
            }
        ),
        Tool(
            name: "env",
            description: "A variable of the environment; an error when it is not set.",
            arguments: ["name": "string"],
            work: .now { _, call in
                let value = ProcessInfo.processInfo.environment[try call.string("name")]
                return text(value ?? "not set", isError: value == nil)
            }
        ),
        Tool(
            name: "client_info",
            description: "The params of initialize, and the revision agreed on, as JSON.",
            work: .now { server, _ in
                let (params, revision) = server.state.withLock { ($0.initialize ?? .null, $0.revision) }
                return text((["initialize": params, "revision": .string(revision)] as JSON).text)
            }
        ),
        Tool(
            name: "received",
            description: "The methods of all notifications received, as JSON.",
            work: .now { server, _ in
                text(JSON.array(server.state.withLock { $0.notifications.map { .string($0) } }).text)
            }
        ),
        Tool(
            name: "list_change",
            description: "Adds a tool, a resource or a prompt and says that the list changed.",
            arguments: ["kind": "string"],
            work: .now { server, call in
                let kind = try call.string("kind")
                guard ["tool", "resource", "prompt"].contains(kind) else {
                    throw Fault.invalidParams("kind is tool, resource or prompt")
                }
                let count = server.state.withLock { state in
                    state.additions[kind, default: 0] += 1
                    return state.additions[kind, default: 0]
                }
                server.notify("notifications/\(kind)s/list_changed")
                return text("\(count) added")
            }
        ),
        Tool(
            name: "touch",
            description: "Says that a resource was updated, if it is subscribed to.",
            arguments: ["uri": "string"],
            work: .now { server, call in
                let uri = try call.string("uri")
                guard server.state.withLock({ $0.subscriptions.contains(uri) }) else { return text("not subscribed") }
                server.notify("notifications/resources/updated", ["uri": .string(uri)])
                return text("sent")
            }
        ),
        Tool(
            name: "subscriptions",
            description: "The URIs subscribed to, as JSON.",
            work: .now { server, _ in
                text(JSON.array(server.state.withLock { $0.subscriptions.sorted().map { .string($0) } }).text)
            }
        ),
        Tool(
            name: "notify_custom",
            description: "Sends a notification that the protocol does not know.",
            arguments: ["method": "string?", "params": "object?"],
            work: .now { server, call in
                let method = try call.string("method", else: "notifications/x-fixture")
                server.notify(method, call.arguments["params"])
                return text("sent")
            }
        ),
    ]
}
