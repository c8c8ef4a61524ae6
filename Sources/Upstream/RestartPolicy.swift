// SPDX-License-Identifier: Apache-2.0

package import Events
package import NIOCore

/// When a process that ended is started again: at once after a healthy run, then with exponential backoff.
///
/// A run is healthy when the handshake was confirmed and the process then lived for a while. A child that is killed
/// now and then therefore always comes straight back, while one that dies right after its start backs off and, failing
/// again and again, counts as a crash loop, which still retries.
///
/// Pure: no clock and no randomness of its own. Restarts are jittered so that many children felled by one cause
/// (a registry, a database) do not come back in step.
package struct RestartPolicy {
    /// The numbers of the policy.
    package struct Settings: Sendable, Equatable {
        /// How long a process has to live after its confirmed handshake for its run to be healthy.
        package var healthyAfter: TimeAmount = .milliseconds(500)
        /// The upper end of the delay after a healthy run, in milliseconds.
        package var promptMilliseconds = 10
        /// The delay after the first failure, in milliseconds; it doubles with each further one.
        package var firstMilliseconds = 100
        /// What the delay grows to, in milliseconds, before jitter.
        package var maximumMilliseconds = 30_000
        /// How far a delay strays to either side, as a fraction of it.
        package var jitter = 0.2
        /// This many failures in a row are a crash loop.
        package var crashLoopFailures = 5

        package init() {}
    }

    private let settings: Settings
    private var generator: any RandomNumberGenerator
    /// Unhealthy runs in a row, failed starts included.
    private var failures = 0

    /// - Parameter generator: Where the jitter comes from; a seeded one makes the delays reproducible.
    package init(
        _ settings: Settings = Settings(),
        generator: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.settings = settings
        self.generator = generator
    }

    /// A process ended, or could not be started.
    ///
    /// - Parameter readyFor: How long it lived after its confirmed handshake; nil when there was none.
    /// - Returns: When to start the next one: never `RestartPlan.none`.
    package mutating func ended(readyFor: TimeAmount?) -> RestartPlan {
        if let readyFor, readyFor >= settings.healthyAfter {
            failures = 0
            let delay = Int.random(in: 0...settings.promptMilliseconds, using: &generator)
            return .restart(delayMilliseconds: delay, attempt: 1)
        }
        failures += 1
        let delay = jittered(backoffMilliseconds)
        if failures >= settings.crashLoopFailures {
            return .crashLoop(delayMilliseconds: delay, attempt: failures + 1)
        }
        return .restart(delayMilliseconds: delay, attempt: failures + 1)
    }

    /// Somebody started the child anew: what was before is forgotten.
    package mutating func reset() {
        failures = 0
    }

    private var backoffMilliseconds: Int {
        // 2^20 first delays are past any maximum that makes sense, and far from overflow.
        let doublings = min(failures - 1, 20)
        return min(settings.firstMilliseconds << doublings, settings.maximumMilliseconds)
    }

    private mutating func jittered(_ milliseconds: Int) -> Int {
        let factor = Double.random(in: (1 - settings.jitter)...(1 + settings.jitter), using: &generator)
        return Int((Double(milliseconds) * factor).rounded())
    }
}
