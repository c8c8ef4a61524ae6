// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import NIOCore
import ServiceLifecycle
import Upstream

/// Feeds systemd's watchdog for as long as the proxy makes progress: before every sign of life the event loop and the
/// supervisor of the processes have each done something. One that hangs is restarted by systemd (`WatchdogSec=`).
struct Watchdog: Service {
    /// Between two signs of life: half of what systemd allows.
    let interval: Duration
    let eventLoop: any EventLoop
    let spawner: Spawner
    let giveSignOfLife: @Sendable () -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await eventLoop.submit {}.get()
                await spawner.makeProgress()
                giveSignOfLife()
                try? await Task.sleep(for: interval)
            }
        }
    }
}

extension Watchdog {
    /// Nil when systemd keeps no watch over this process.
    init?(_ surroundings: Surroundings, eventLoop: any EventLoop, spawner: Spawner) {
        let environment = surroundings.environment
        guard let manager = ServiceManager(environment: environment["NOTIFY_SOCKET"]),
            let microseconds = ServiceManager.watchdogInterval(
                usec: environment["WATCHDOG_USEC"],
                pid: environment["WATCHDOG_PID"],
                ownPID: getpid()
            )
        else { return nil }
        self.init(interval: .microseconds(microseconds / 2), eventLoop: eventLoop, spawner: spawner) {
            _ = manager.notify("WATCHDOG=1")
        }
    }
}
