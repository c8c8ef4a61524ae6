// SPDX-License-Identifier: Apache-2.0

package import Events
package import JSONRPC

/// What a `Child` tells its owner. Called on the event loop; every method may call back into the child.
package protocol ChildDelegate: AnyObject {
    /// A process runs and may be written to. `generation` counts starts from 1.
    func childStarted(_ child: Child, generation: Int)
    /// A line of stdout.
    func child(_ child: Child, received line: Line)
    /// `Child.isWritable` turned true again.
    func childBecameWritable(_ child: Child)
    /// A process ended or could not be started, after its last line was delivered; exactly once per start, also when
    /// `childStarted` never came. What happens next is `exit.plan`. To be emitted by the delegate, which knows how many
    /// calls were in flight.
    func childExited(_ child: Child, _ exit: Event.UpstreamExit)
}
