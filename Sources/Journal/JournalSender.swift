// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Sends entries one by one and knows how that went. `send` is called by one thread, `isUp` and `isReachable` by any.
final class JournalSender: Sendable {
    /// What became of an entry.
    enum Delivery {
        case sent
        /// The entry itself was at fault; it would never be taken.
        case refused
        /// The journal did not take it now.
        case unreachable
    }

    private let transport: JournalTransport
    private let observeSend: @Sendable (Int) -> Void
    private let wasReached: Atomic<Bool>
    /// When the send that is under way began, by the monotonic clock in nanoseconds; 0 between sends.
    private let sendingSince = Atomic<Int>(0)

    init(transport: JournalTransport, observeSend: @escaping @Sendable (Int) -> Void) {
        self.transport = transport
        self.observeSend = observeSend
        wasReached = Atomic(transport.isPresent())
    }

    /// Whether the journal took, or judged, the last entry.
    var isReachable: Bool { wasReached.load(ordering: .relaxed) }

    /// Whether entries get through at this time of the monotonic clock, in nanoseconds.
    func isUp(at now: Int) -> Bool {
        let since = sendingSince.load(ordering: .relaxed)
        let isBlocked = since != 0 && now - since > 1_000_000_000
        return isReachable && !isBlocked && transport.isPresent()
    }

    /// Sends one entry, waiting for journald if it must.
    func send(_ fields: [UInt8]) -> Delivery {
        // The library reports success when the socket is missing, so what it says counts only if the socket was
        // there before and after.
        guard transport.isPresent() else { return concluded(.unreachable) }
        let start = monotonicNanoseconds()
        sendingSince.store(start, ordering: .relaxed)
        let result = fields.withUnsafeBytes(transport.send)
        sendingSince.store(0, ordering: .relaxed)
        switch -result {
        case 0:
            guard transport.isPresent() else { return concluded(.unreachable) }
            observeSend(monotonicNanoseconds() - start)
            return concluded(.sent)
        case EINVAL, EMSGSIZE, E2BIG:
            return concluded(.refused)
        default:
            // Nobody listens (ECONNREFUSED), or the system is short of something (EMFILE, ENOBUFS): that passes.
            return concluded(.unreachable)
        }
    }

    private func concluded(_ delivery: Delivery) -> Delivery {
        wasReached.store(delivery != .unreachable, ordering: .relaxed)
        return delivery
    }
}

/// The monotonic clock, in nanoseconds.
func monotonicNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
