// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Testing

/// Runs each body on a thread of its own, all from the same moment on, and waits for them.
func atOnce(_ bodies: [@Sendable () -> Void]) throws {
    let gate = Gate(bodies.count)
    var threads: [pthread_t] = []
    for body in bodies {
        let work = Unmanaged.passRetained(Work(gate: gate, body: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            work.toOpaque()
        )
        try #require(result == 0)
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

/// A flag between threads.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}

private final class Gate: Sendable {
    private let missing: Atomic<Int>
    init(_ count: Int) { missing = Atomic(count) }

    func pass() {
        missing.subtract(1, ordering: .acquiringAndReleasing)
        while missing.load(ordering: .acquiring) > 0 { sched_yield() }
    }
}

private final class Work: Sendable {
    private let gate: Gate
    private let body: @Sendable () -> Void

    init(gate: Gate, body: @escaping @Sendable () -> Void) {
        self.gate = gate
        self.body = body
    }

    func run() {
        gate.pass()
        body()
    }
}
