// SPDX-License-Identifier: Apache-2.0

package import Events
package import JSONRPC
package import NIOCore

/// The shell of the bridge: feeds it the time and what happens, and carries its effects out. Loop-confined.
package final class BridgeRuntime: BridgeInput {
    private var bridge: Bridge
    private let eventLoop: any EventLoop
    private let sink: any EventSink
    private let upstream: any UpstreamPort
    private weak var output: (any ExchangeOutput)?

    /// Whether effects are being carried out: what they cause in turn is appended and carried out by the same loop.
    private var isCarryingOut = false
    private var nextEffect = 0
    private var wakeAt = NIODeadline.distantFuture
    /// The children written to in this round.
    private var written: Set<Int> = []
    private var whenDrained: EventLoopPromise<Void>?
    private var whenStopped: EventLoopPromise<Void>?

    package init(
        configuration: BridgeConfiguration,
        eventLoop: any EventLoop,
        sink: any EventSink,
        upstream: any UpstreamPort
    ) {
        self.bridge = Bridge(configuration: configuration)
        self.eventLoop = eventLoop
        self.sink = sink
        self.upstream = upstream
    }

    /// Connects the HTTP side. It is kept weakly: it owns the way back.
    package func connect(_ output: any ExchangeOutput) { self.output = output }

    // MARK: Life

    /// Starts the first child.
    package func start() {
        bridge.start(now: .now())
        carryOut()
    }

    /// Sessions that are open.
    package var sessionCount: Int { bridge.sessionCount }
    /// Calls that are with a child and have a client that waits.
    package var inFlightCount: Int { bridge.inFlightCount }

    /// Takes nothing new; the future is done when no client waits any more.
    package func drain() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        whenDrained = promise
        bridge.drain(now: .now())
        carryOut()
        return promise.futureResult
    }

    /// Ends sessions and children; the future is done when the last child is gone.
    package func shutDown() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        whenStopped = promise
        bridge.shutDown(now: .now())
        carryOut()
        return promise.futureResult
    }

    /// Goes on with another configuration (see `Bridge.reconfigure`).
    package func reconfigure(_ configuration: BridgeConfiguration) {
        bridge.reconfigure(configuration, now: .now())
        carryOut()
    }

    /// Replaces the child (see `Bridge.replace`).
    package func replace() {
        bridge.replace(now: .now())
        carryOut()
    }

    // MARK: From HTTP (see `BridgeInput`)

    package func post(_ exchange: ExchangeID, head: ExchangeHead, body: ByteBuffer) {
        bridge.post(exchange, head: head, body: body, now: .now())
        carryOut()
    }

    package func get(_ exchange: ExchangeID, head: ExchangeHead) {
        bridge.get(exchange, head: head, now: .now())
        carryOut()
    }

    package func delete(_ exchange: ExchangeID, head: ExchangeHead) {
        bridge.delete(exchange, head: head, now: .now())
        carryOut()
    }

    package func openSSE(_ exchange: ExchangeID) {
        bridge.openSSE(exchange, now: .now())
        carryOut()
    }

    package func postSSE(_ exchange: ExchangeID, session: String?, traceContext: TraceContext?, body: ByteBuffer) {
        bridge.postSSE(exchange, session: session, traceContext: traceContext, body: body, now: .now())
        carryOut()
    }

    package func clientGone(_ exchange: ExchangeID, end: StreamEnd) {
        bridge.clientGone(exchange, end: end, now: .now())
        carryOut()
    }

    package var readiness: Readiness { bridge.readiness }

    /// How things stand, for gauges.
    package var readings: Readings { bridge.readings(now: .now()) }

    // MARK: From the children (see the inputs of `Bridge` with the same names)

    package func upstreamStarted(link: Int, generation: Int) {
        bridge.upstreamStarted(link: link, generation: generation, now: .now())
        carryOut()
    }

    package func upstreamIsPulling(link: Int, image: String?) { bridge.upstreamIsPulling(link: link, image: image) }

    package func upstreamLine(link: Int, _ line: Line) {
        bridge.upstreamLine(link: link, line, now: .now())
        carryOut()
    }

    package func upstreamBecameWritable(link: Int) {
        bridge.upstreamIsWritable(link: link, true, now: .now())
        carryOut()
    }

    package func upstreamWriteFailed(link: Int, call: Int, line: ByteBuffer) {
        bridge.upstreamWriteFailed(link: link, call: call, line: line, now: .now())
        carryOut()
    }

    package func upstreamExited(_ exit: Event.UpstreamExit) {
        bridge.upstreamExited(exit, now: .now())
        carryOut()
    }

    package func upstreamStopped(link: Int) {
        bridge.upstreamStopped(link: link, now: .now())
        carryOut()
    }

    // MARK: Effects

    private func carryOut() {
        guard !isCarryingOut else { return }
        isCarryingOut = true
        repeat {
            while nextEffect < bridge.effects.count {
                let effect = bridge.effects[nextEffect]
                nextEffect += 1
                carryOut(effect)
            }
            bridge.effects.removeAll(keepingCapacity: true)
            nextEffect = 0
            confirmWrites()
        } while !bridge.effects.isEmpty
        isCarryingOut = false
        if bridge.isDraining { finishWaiting() }
    }

    private func carryOut(_ effect: Effect) {
        switch effect {
        case .respond(let exchange, let reply): output?.respond(exchange, reply)
        case .openStream(let exchange, let sessionID): output?.openStream(exchange, sessionID: sessionID)
        case .send(let exchange, let event): output?.send(exchange, event)
        case .endStream(let exchange): output?.endStream(exchange)
        case .start(let link): upstream.start(link: link)
        case .write(let link, let line, let call):
            upstream.write(link: link, line, call: call)
            if let call { bridge.upstreamTook(call: call, now: .now()) }
            written.insert(link)
        case .confirmReady(let link): upstream.confirmReady(link: link)
        case .fail(let link, let reason, let detail): upstream.fail(link: link, reason, detail: detail)
        case .stop(let link): upstream.stop(link: link)
        case .wake(let deadline): schedule(deadline)
        // Its answer was carried out right before.
        case .emit(.requestFinished(var request)):
            request.finished = .now()
            sink.emit(.requestFinished(request))
        case .emit(let event): sink.emit(event)
        }
    }

    private func confirmWrites() {
        guard !written.isEmpty else { return }
        let now = NIODeadline.now()
        for link in written {
            bridge.upstreamIsWritable(link: link, upstream.isWritable(link: link), now: now)
        }
        written.removeAll(keepingCapacity: true)
    }

    /// Timers are never cancelled: one that finds an earlier one armed does nothing, one that fires re-arms.
    private func schedule(_ deadline: NIODeadline) {
        guard deadline < wakeAt else { return }
        wakeAt = deadline
        eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            guard self.wakeAt == deadline else { return }
            self.wakeAt = .distantFuture
            self.bridge.tick(now: .now())
            self.carryOut()
        }
    }

    private func finishWaiting() {
        if bridge.isDrained { whenDrained?.succeed(); whenDrained = nil }
        if bridge.isStopped { whenStopped?.succeed(); whenStopped = nil }
    }
}
