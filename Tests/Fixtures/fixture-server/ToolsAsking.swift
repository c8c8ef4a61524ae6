// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

extension Server {
    fileprivate func sample(_ prompt: String, _ call: Call) async throws -> String {
        let message: JSON = ["role": "user", "content": ["type": "text", "text": .string(prompt)]]
        let answer = try await ask("sampling/createMessage", ["messages": [message], "maxTokens": 100], for: call)
        return answer["content"]?["text"]?.string ?? answer.text
    }

    fileprivate func elicit(_ message: String, _ call: Call) async throws -> JSON {
        let schema: JSON = ["type": "object", "properties": ["answer": ["type": "string"]], "required": ["answer"]]
        var params: JSON = ["message": .string(message), "requestedSchema": schema]
        if state.withLock({ $0.revision >= "2025-11-25" }) { params["mode"] = "form" }
        return try await ask("elicitation/create", params, for: call)
    }

    fileprivate func elicitURL(_ call: Call) throws -> JSON {
        let id = state.withLock { state in
            state.lastAsked += 1
            return "elicitation-\(getpid())-\(state.lastAsked)"
        }
        return [
            "mode": "url", "message": .string(try call.string("message")), "elicitationId": .string(id),
            "url": .string(try call.string("url", else: "https://example.com/\(id)")),
        ]
    }
}

extension Tool {
    /// A tool that asks the client something; an error of the client's becomes its text.
    private static func asking(
        _ name: String,
        _ description: String,
        _ arguments: [String: String] = [:],
        tasks: TaskSupport = .optional,
        _ body: @escaping @Sendable (Server, Call) async throws -> String
    ) -> Tool {
        let work = Work.later { server, call in
            try await call.pause()
            do { return text(try await body(server, call)) } catch let fault as Fault {
                return text("client error \(fault.code): \(fault.message)", isError: true)
            }
        }
        let all = arguments.merging(["ms": "integer?"]) { $1 }
        return Tool(name: name, description: description, arguments: all, tasks: tasks, work: work)
    }

    /// Tools that ask the client; each waits `ms` milliseconds first.
    static let asking: [Tool] = [
        asking("sample", "Asks for a completion and answers with its text.", ["prompt": "string"]) { server, call in
            try await server.sample(try call.string("prompt"), call)
        },
        asking("sample_twice", "Two completions, one after the other, as JSON.", ["prompt": "string"]) { server, call in
            let prompt = try call.string("prompt")
            let first = try await server.sample("\(prompt) 1", call)
            let second = try await server.sample("\(prompt) 2", call)
            return JSON.array([.string(first), .string(second)]).text
        },
        asking("sample_parallel", "Two completions at once, as JSON.", ["prompt": "string"]) { server, call in
            let prompt = try call.string("prompt")
            async let first = server.sample("\(prompt) 1", call)
            async let second = server.sample("\(prompt) 2", call)
            return try await JSON.array([.string(first), .string(second)]).text
        },
        asking("sample_task", "A completion as a task of the client's, fetched by tasks/result.", ["prompt": "string"])
        {
            server,
            call in
            let content: JSON = ["type": "text", "text": .string(try call.string("prompt"))]
            let messages: JSON = [["role": "user", "content": content]]
            let params: JSON = ["messages": messages, "maxTokens": 100, "task": ["ttl": 60000]]
            let created = try await server.ask("sampling/createMessage", params, for: call)
            guard let id = created["task"]?["taskId"] else { return "no task: \(created.text)" }
            return try await server.ask("tasks/result", ["taskId": id], for: call)["content"]?["text"]?.string ?? ""
        },
        asking("elicit", "Asks for a form and answers with action and content, as JSON.", ["message": "string"]) {
            server,
            call in try await server.elicit(try call.string("message"), call).text
        },
        asking(
            "elicit_url",
            "Asks to open a URL, says when that is complete, and answers with the action.",
            ["message": "string", "url": "string?"]
        ) { server, call in
            let params = try server.elicitURL(call)
            let answer = try await server.ask("elicitation/create", params, for: call)
            server.notify("notifications/elicitation/complete", ["elicitationId": params["elicitationId"] ?? .null])
            return answer["action"]?.string ?? answer.text
        },
        Tool(
            name: "elicit_url_required",
            description: "Fails with -32042, which names a URL to open.",
            arguments: ["message": "string", "url": "string?"],
            work: .now { server, call in
                let elicitation = try server.elicitURL(call)
                throw Fault(code: -32042, message: "URL elicitation required", data: ["elicitations": [elicitation]])
            }
        ),
        asking("roots", "Asks for the roots and answers with them, as JSON.") { server, call in
            try await server.ask("roots/list", for: call)["roots"]?.text ?? "[]"
        },
        asking("nested", "A completion, whose text becomes the message of a form.", ["prompt": "string"]) {
            server,
            call in
            let text = try await server.sample(try call.string("prompt"), call)
            return (["sampled": .string(text), "elicited": try await server.elicit(text, call)] as JSON).text
        },
        asking("ping_client", "Pings the client.") { server, call in try await server.ask("ping", for: call).text },
        asking(
            "request_custom",
            "Asks the client by any method, and answers with the result as JSON.",
            ["method": "string", "params": "object?"]
        ) { server, call in
            try await server.ask(try call.string("method"), call.arguments["params"], for: call).text
        },
    ]
}
