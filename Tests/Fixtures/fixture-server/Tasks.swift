// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A task of revision 2025-11-25: a tool call whose result is fetched later.
struct TaskRecord: Sendable {
    let id: String
    let ttl: JSON
    let created = Date.now.ISO8601Format()
    var updated = Date.now.ISO8601Format()
    var status = "working"
    let worker: Task<Result<JSON, any Error>, Never>

    var isOver: Bool { ["completed", "failed", "cancelled"].contains(status) }

    var json: JSON {
        [
            "taskId": .string(id), "status": .string(status), "ttl": ttl, "createdAt": .string(created),
            "lastUpdatedAt": .string(updated), "pollInterval": 50,
        ]
    }
}

extension Server {
    /// Begins a tool call as a task; the result names the task.
    func startTask(_ call: Call, _ body: @escaping @Sendable (Server, Call) async throws -> JSON) -> JSON {
        state.withLock { state in
            let id = "task-\(getpid())-\(state.tasks.count + 1)"
            var call = call
            call.taskID = id
            let worker = Task { [call] () -> Result<JSON, any Error> in
                do {
                    let result = try await body(self, call)
                    setStatus(of: id, to: result["isError"]?.bool == true ? "failed" : "completed")
                    return .success(result)
                } catch {
                    setStatus(of: id, to: "failed")
                    return .failure(error)
                }
            }
            let record = TaskRecord(id: id, ttl: call.params["task"]?["ttl"] ?? .null, worker: worker)
            state.tasks[id] = record
            return ["task": record.json]
        }
    }

    /// Changes the status of a task that is not over, and tells the client.
    @discardableResult
    func setStatus(of id: String, to status: String) -> Bool {
        let changed: JSON? = state.withLock { state in
            guard var record = state.tasks[id], !record.isOver, record.status != status else { return nil }
            record.status = status
            record.updated = Date.now.ISO8601Format()
            state.tasks[id] = record
            return record.json
        }
        if let changed { notify("notifications/tasks/status", changed) }
        return changed != nil
    }

    func getTask(_ call: Call) throws -> JSON { try record(call).json }

    func listTasks(_ call: Call) throws -> JSON {
        let records = state.withLock { Array($0.tasks.values) }.sorted { ($0.id.count, $0.id) < ($1.id.count, $1.id) }
        return try page(records.map(\.json), named: "tasks", of: 100, call)
    }

    func cancelTask(_ call: Call) throws -> JSON {
        let id = try record(call).id
        guard setStatus(of: id, to: "cancelled") else { throw Fault.invalidParams("the task is over already") }
        let record = try self.record(call)
        record.worker.cancel()
        return record.json
    }

    /// The result of the call behind a task, once there is one.
    func taskResult(_ call: Call) async throws -> JSON {
        let record = try record(call)
        var result = try await record.worker.value.get()
        var meta = result["_meta"] ?? [:]
        meta["io.modelcontextprotocol/related-task"] = ["taskId": .string(record.id)]
        result["_meta"] = meta
        return result
    }

    private func record(_ call: Call) throws -> TaskRecord {
        guard let record = call.params["taskId"]?.string.flatMap({ id in state.withLock { $0.tasks[id] } }) else {
            throw Fault.invalidParams("Unknown task")
        }
        return record
    }
}
