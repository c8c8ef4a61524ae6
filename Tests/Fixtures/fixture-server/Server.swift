// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// The protocol side of the server: who may ask what, who is answered, and what is remembered.
///
/// Messages come from one thread; the work of slow requests runs in tasks of their own.
final class Server: Sendable {
    struct Running {
        let call: Call
        let task: Task<Void, Never>
    }

    struct State {
        var initialize: JSON?
        var revision = Options.revisions[0]
        var isInitialized = false
        var capabilities: [String: JSON] = [:]
        /// Slow requests being worked on, by the value of their id.
        var running: [JSON: Running] = [:]
        /// With `--serial`: requests that wait for the one before, and whether there is one.
        var queue: [Message] = []
        var isBusy = false
        /// Requests to the client that wait for its answer.
        var asked: [JSON: CheckedContinuation<JSON, any Error>] = [:]
        var lastAsked = 0
        var counter = 0
        var logLevel = "info"
        var subscriptions: Set<String> = []
        /// How many tools, resources and prompts `list_change` has added.
        var additions: [String: Int] = [:]
        /// The methods of all notifications received.
        var notifications: [String] = []
        var tasks: [String: TaskRecord] = [:]
        var isReading = true
    }

    let options: Options
    let output = Output()
    let state = Mutex(State())

    init(options: Options) { self.options = options }

    /// Takes a line without its end.
    func receive(_ line: [UInt8]) {
        let message: Message
        do {
            message = try Message(line: line)
        } catch let fault as Fault {
            return answer(.null, fault: fault)
        } catch {
            return answer(.null, fault: Fault(code: -32700, message: "not JSON: \(error)"))
        }
        switch message.kind {
        case .notification: hear(message)
        case .response: resume(message)
        case .request:
            let waits = state.withLock { state in
                guard options.isSerial, state.isBusy else {
                    state.isBusy = true
                    return false
                }
                state.queue.append(message)
                return true
            }
            if !waits { start(message) }
        case nil: answer(message.id ?? .null, fault: Fault(code: -32600, message: "not a JSON-RPC message"))
        }
    }

    func notify(_ method: String, _ params: JSON? = nil) {
        var message: JSON = ["jsonrpc": "2.0", "method": .string(method)]
        message["params"] = params
        output.send(message)
    }

    /// Asks the client and waits for its answer, on behalf of a call whose cancellation withdraws the question.
    func ask(_ method: String, _ params: JSON? = nil, for call: Call) async throws -> JSON {
        let id: JSON = state.withLock { state in
            state.lastAsked += 1
            return options.stringIDs ? .string("fixture-\(state.lastAsked)") : .int(state.lastAsked)
        }
        var message: JSON = ["jsonrpc": "2.0", "id": id, "method": .string(method)]
        message["params"] = params
        if let task = call.taskID {
            var params = params ?? [:]
            params["_meta"] = ["io.modelcontextprotocol/related-task": ["taskId": .string(task)]]
            message["params"] = params
            setStatus(of: task, to: "input_required")
        }
        defer { if let task = call.taskID { setStatus(of: task, to: "working") } }
        do {
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    state.withLock { $0.asked[id] = continuation }
                    output.send(message)
                    // The handler below has already run when the call was cancelled before this.
                    if Task.isCancelled { settle(id, .failure(CancellationError())) }
                }
            } onCancel: {
                settle(id, .failure(CancellationError()))
            }
        } catch let error as CancellationError {
            notify("notifications/cancelled", ["requestId": id, "reason": "the call behind it was cancelled"])
            throw error
        }
    }

    private func settle(_ id: JSON, _ outcome: Result<JSON, any Error>) {
        state.withLock { $0.asked.removeValue(forKey: id) }?.resume(with: outcome)
    }

    private func resume(_ message: Message) {
        guard let key = message.key else { return }
        if let error = message.error {
            let text = error["message"]?.string ?? error.text
            settle(key, .failure(Fault(code: error["code"]?.int ?? 0, message: text, data: error["data"])))
        } else {
            settle(key, .success(message.result ?? .null))
        }
    }

    private func hear(_ message: Message) {
        state.withLock { state in
            state.notifications.append(message.method ?? "")
            if message.method == "notifications/initialized" { state.isInitialized = true }
        }
        if message.method == "notifications/cancelled", let id = message.params["requestId"] { cancel(id) }
    }
}
