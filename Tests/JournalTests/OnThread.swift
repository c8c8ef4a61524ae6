// SPDX-License-Identifier: Apache-2.0

import Journal
import Synchronization
import Testing

/// Work on a thread of its own: the pool of tasks may be taken up by tests that block.
final class OnThread<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let done = Semaphore()

    init(_ work: @escaping @Sendable () throws -> Value) throws {
        try WorkerThread.start(for: "test") { [self] in
            let outcome = Result { try work() }
            result.withLock { $0 = outcome }
            done.post()
        }
    }

    /// Waits for the end of the work. Once.
    func value() throws -> Value {
        done.wait()
        return try #require(result.withLock { $0 }).get()
    }
}
