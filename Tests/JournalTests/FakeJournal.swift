// SPDX-License-Identifier: Apache-2.0

import Glibc
import SeededRandom
import Synchronization

@testable import Journal

/// A journal in memory, which fails on demand.
final class FakeJournal: Sendable {
    enum Condition {
        case healthy
        /// No socket: what is sent disappears and counts as sent.
        case missing
        /// Nobody listens.
        case refusing
        /// The library takes none of the entries.
        case invalid
        /// Sending blocks until `unblock`.
        case stopped
    }

    private struct State {
        var condition: Condition
        /// Draws the condition anew for each entry, when there is one.
        var fate: SeededGenerator?
        var entries: [[String: String]] = []
        var attempts = 0
    }

    private let state: Mutex<State>
    private let unblocked = Semaphore()

    init(_ condition: Condition = .healthy) { state = Mutex(State(condition: condition)) }

    /// Fails at random until it is told to become something.
    init(seed: UInt64) { state = Mutex(State(condition: .healthy, fate: SeededGenerator(seed: seed))) }

    var entries: [[String: String]] { state.withLock { $0.entries } }
    var attempts: Int { state.withLock { $0.attempts } }
    var numbers: [Int] { entries.compactMap { $0["MCP_SEQ"].flatMap { Int($0) } } }
    var losses: [[String: String]] { entries.filter { $0["REASON"] != nil } }

    func become(_ condition: Condition) {
        state.withLock {
            $0.condition = condition
            $0.fate = nil
        }
    }

    /// Lets one blocked send go on; those that follow find a healthy journal.
    func unblock() {
        become(.healthy)
        unblocked.post()
    }

    var transport: JournalTransport {
        JournalTransport(send: { [self] in send($0) }, isPresent: { [self] in isPresent() })
    }

    private func send(_ fields: UnsafeRawBufferPointer) -> Int32 {
        let entry = parse(fields)
        let condition = state.withLock { state in
            state.attempts += 1
            if let draw = state.fate?.next() {
                let fates: [Condition] = [.missing, .refusing, .invalid]
                state.condition = fates.dropFirst(Int(draw % 20)).first ?? .healthy
                // Of a report that is at fault nothing could be known.
                if state.condition == .invalid && entry["MCP_SEQ"] == nil { state.condition = .healthy }
            }
            return state.condition
        }
        switch condition {
        case .missing: return 0
        case .refusing: return -ECONNREFUSED
        case .invalid: return -EINVAL
        case .stopped: unblocked.wait()
        case .healthy: break
        }
        state.withLock { $0.entries.append(entry) }
        return 0
    }

    private func isPresent() -> Bool {
        state.withLock { state in
            let isMissing = state.condition == .missing
            // Otherwise nothing would be sent any more, nor another fate drawn.
            if state.fate != nil { state.condition = .healthy }
            return !isMissing
        }
    }

    private func parse(_ fields: UnsafeRawBufferPointer) -> [String: String] {
        let pairs = String(decoding: fields, as: UTF8.self).split(separator: "\n").map { field in
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), String(parts[1]))
        }
        return Dictionary(pairs, uniquingKeysWith: { "\($0),\($1)" })
    }
}

/// Looks again and again: what the writer's thread does can only be seen, not waited for.
func eventually(within seconds: Int = 10, _ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !condition() {
        if ContinuousClock.now > end { return false }
        usleep(200)
    }
    return true
}
