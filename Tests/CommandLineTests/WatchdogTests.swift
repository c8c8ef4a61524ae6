// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Synchronization
import Testing
import Upstream

@testable import mcp_proxy

@Suite(.timeLimit(.minutes(1))) struct WatchdogTests {
    private final class Signs: Sendable {
        let count = Atomic(0)
        var isSilent: Bool { count.load(ordering: .relaxed) == 0 }
    }

    /// A supervisor that takes up nothing, until it does.
    @Test func isSilentWhileTheSupervisorHangs() async throws {
        let signs = Signs()
        let spawner = Spawner()
        let watchdog = Watchdog(
            interval: .milliseconds(1),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            spawner: spawner,
            giveSignOfLife: { signs.count.add(1, ordering: .relaxed) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watchdog.run() }
            // Time for many signs, had it any to give.
            try await Task.sleep(for: .milliseconds(200))
            #expect(signs.isSilent)
            group.addTask { await spawner.run() }
            while signs.isSilent { try await Task.sleep(for: .milliseconds(1)) }
            group.cancelAll()
        }
    }
}
