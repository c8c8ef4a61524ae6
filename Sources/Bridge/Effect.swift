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

/// The children, as the shell sees them. Called on the event loop.
package protocol UpstreamPort: AnyObject {
    /// Brings up the child of a new link; it is restarted by policy until it is stopped.
    func start(link: Int)
    /// Hands over one whole line, newline included. What could not be written because the process is gone is told
    /// back with `upstreamWriteFailed` before its exit is, if it is a call.
    func write(link: Int, _ line: ByteBuffer, call: Int?)
    /// Whether the child's stdin takes more without piling up.
    func isWritable(link: Int) -> Bool
    /// The handshake is done.
    func confirmReady(link: Int)
    /// Ends the process now; counts as an exit for `reason`.
    func fail(link: Int, _ reason: ExitReason, detail: String)
    /// Ends the child for good: stdin closed, then SIGTERM, then SIGKILL.
    func stop(link: Int)
}
