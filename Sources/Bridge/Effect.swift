// SPDX-License-Identifier: Apache-2.0

package import Events
package import NIOCore

/// What the bridge wants done. The shell carries effects out in the order they were produced.
package enum Effect: Sendable {
    // Towards HTTP (see `ExchangeOutput`).
    case respond(ExchangeID, Reply)
    case openStream(ExchangeID, sessionID: String?)
    case send(ExchangeID, ServerSentEvent)
    case endStream(ExchangeID)
    // Towards a child (see `UpstreamPort`).
    case start(link: Int)
    /// Hand a line over; `call` is told back by `upstreamWriteFailed` if it never got there.
    case write(link: Int, ByteBuffer, call: Int?)
    case confirmReady(link: Int)
    case fail(link: Int, ExitReason, detail: String)
    case stop(link: Int)
    // Towards the shell.
    /// Call `tick` at this time, or earlier.
    case wake(at: NIODeadline)
    case emit(Event)
}
