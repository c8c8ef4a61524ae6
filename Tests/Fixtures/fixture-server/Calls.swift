// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A request of the client.
struct Call: Sendable {
    /// The spelling of the id.
    let id: JSON
    /// The value of the id.
    let key: JSON
    var params: JSON
    /// The task that stands for this call, when the client asked for one.
    var taskID: String?

    var arguments: JSON { params["arguments"] ?? [:] }
    var progressToken: JSON? { params["_meta"]?["progressToken"] }

    func string(_ name: String, else fallback: String? = nil) throws -> String {
        guard let value = arguments[name]?.string ?? fallback else {
            throw Fault.invalidParams("the argument \(name) is missing or not a string")
        }
        return value
    }

    func int(_ name: String, else fallback: Int? = nil) throws -> Int {
        guard let value = arguments[name]?.int ?? fallback else {
            throw Fault.invalidParams("the argument \(name) is missing or not an integer")
        }
        return value
    }

    /// Waits as many milliseconds as the argument `ms` says.
    func pause() async throws { try await Task.sleep(for: .milliseconds(try int("ms", else: 0))) }
}

/// How a request is worked on: at once, by the thread that reads, or beside it.
enum Work: Sendable {
    case now(@Sendable (Server, Call) throws -> JSON)
    case later(@Sendable (Server, Call) async throws -> JSON)
}

extension Server {
    func start(_ message: Message) {
        guard let id = message.id, let key = message.key, let method = message.method else { return }
        let call = Call(id: id, key: key, params: message.params)
        do {
            try admit(method, key)
            switch try work(for: method, call) {
            case .now(let body): conclude(call, .success(try body(self, call)))
            case .later(let body):
                state.withLock { state in
                    let task = Task {
                        do { finish(key, .success(try await body(self, call))) } catch { finish(key, .failure(error)) }
                    }
                    state.running[key] = Running(call: call, task: task)
                }
            }
        } catch { conclude(call, .failure(error)) }
    }

    /// Ends the work on a request that has not answered yet, or was never begun.
    func cancel(_ key: JSON) {
        let (waiting, running) = state.withLock { state in
            let waiting = state.queue.firstIndex { $0.key == key }.map { state.queue.remove(at: $0) }
            return (waiting, state.running[key])
        }
        if let id = waiting?.id, options.answersCancelled { answer(id, fault: .cancelled) }
        running?.task.cancel()
        if running != nil { finish(key, .failure(options.answersCancelled ? Fault.cancelled : Silence())) }
    }

    /// Throws for what the order of the handshake, or the request's id, forbids.
    private func admit(_ method: String, _ key: JSON) throws {
        try state.withLock { state in
            guard state.running[key] == nil else { throw Fault(code: -32600, message: "the id is in use") }
            switch method {
            case "initialize":
                guard state.initialize == nil else { throw Fault(code: -32600, message: "already initialized") }
            case "ping", "server/discover": break
            default: guard state.isInitialized else { throw Fault(code: -32600, message: "not initialized yet") }
            }
        }
    }

    /// Answers a slow request, unless that was done before.
    private func finish(_ key: JSON, _ outcome: Result<JSON, any Error>) {
        if let running = state.withLock({ $0.running.removeValue(forKey: key) }) { conclude(running.call, outcome) }
    }

    /// Answers, and with `--serial` goes on with the next request.
    private func conclude(_ call: Call, _ outcome: Result<JSON, any Error>) {
        switch outcome {
        case .success(let result): answer(call.id, result: result)
        case .failure(let fault as Fault): answer(call.id, fault: fault)
        case .failure(is Silence): break
        case .failure(is CancellationError): answer(call.id, fault: .cancelled)
        case .failure(let error): answer(call.id, fault: Fault(code: -32603, message: "\(error)"))
        }
        let next: Message? = state.withLock { state in
            state.isBusy = !state.queue.isEmpty
            return state.isBusy ? state.queue.removeFirst() : nil
        }
        if let next { start(next) }
    }

    func answer(_ id: JSON, result: JSON) { output.send(["jsonrpc": "2.0", "id": id, "result": result]) }

    func answer(_ id: JSON, fault: Fault) { output.send(["jsonrpc": "2.0", "id": id, "error": fault.json]) }
}
