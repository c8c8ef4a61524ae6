// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Allows so many things at once, and so many per second in the long run.
package struct TokenBucket: Sendable {
    private let capacity: Int64
    /// Between two tokens, in nanoseconds.
    private let interval: Int64
    private var tokens: Int64
    private var refilledAt: NIODeadline

    package init(capacity: Int, perSecond: Int, now: NIODeadline) {
        self.capacity = Int64(max(1, capacity))
        interval = 1_000_000_000 / Int64(max(1, perSecond))
        tokens = self.capacity
        refilledAt = now
    }

    /// Takes a token if there is one.
    package mutating func take(now: NIODeadline) -> Bool {
        let earned = (now - refilledAt).nanoseconds / interval
        if earned > 0 {
            tokens = min(capacity, tokens + earned)
            refilledAt = refilledAt + .nanoseconds(earned * interval)
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
