// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// How things stand at one moment: what gauges show. Put together when somebody asks.
package struct Readings: Sendable {
    // The bridge.

    /// What `/readyz` says.
    package var state = ReadinessState.starting
    package var isDraining = false
    /// Calls that are with a child and whose clients wait.
    package var inFlight = 0
    /// Calls that wait to be written.
    package var queued = 0
    /// When the oldest call that has a waiting client came.
    package var oldestArrival: NIODeadline?
    /// Calls whose clients were asked something and are away, and since when the first of them is.
    package var parked = 0
    package var oldestParking: NIODeadline?

    package var initializingSessions = 0
    /// Sessions with an unanswered request or an open stream.
    package var activeSessions = 0
    package var idleSessions = 0
    /// Of the sessions with an unanswered request: the earliest last sign of life.
    package var oldestUnanswered: NIODeadline?
    /// Streams that a connection carries.
    package var streams: [StreamKind: Int] = [:]
    /// Bytes kept for clients.
    package var bufferedBytes = 0
    /// Requests of children that clients have not answered.
    package var openServerRequests = 0

    /// Children that have a running process.
    package var processes = 0
    package var takesTurns = false
    /// For how long children have not taken what waited for their stdin, added up over all of them since the start.
    package var stdinBlocked = TimeAmount.zero

    // The other rooms.

    /// Bytes that wait for children to read their stdin.
    package var stdinBuffered = 0
    /// What is known of the container engine; nil when the command runs no container.
    package var engine: Engine?
    /// HTTP connections that are open.
    package var connections = 0

    package init() {}

    /// The container engine, and what it still has of this proxy.
    package struct Engine: Sendable {
        /// Whether it answered the last question.
        package var isUp: Bool
        /// Containers that should be gone and are not.
        package var orphans: Int

        package init(isUp: Bool, orphans: Int) {
            self.isUp = isUp
            self.orphans = orphans
        }
    }
}
