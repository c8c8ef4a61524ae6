// SPDX-License-Identifier: Apache-2.0

internal import Events
package import NIOCore

/// A batch as it is sent.
package struct ExportBody: Sendable, Equatable {
    package var bytes: ByteBuffer
    /// Whether it is compressed with gzip.
    package var isCompressed: Bool

    package init(bytes: ByteBuffer = ByteBuffer(), isCompressed: Bool = false) {
        self.bytes = bytes
        self.isCompressed = isCompressed
    }
}

/// What an exporter needs of the world. Futures belong to any event loop; none fails while the exporter is in use.
package protocol SpanTransport: Sendable {
    /// Makes the body of a request, on another thread than the event loop's.
    func encode(_ spans: [Span]) -> EventLoopFuture<ExportBody>
    /// Sends a body once, taking no longer than that.
    func post(_ body: ExportBody, within: TimeAmount) -> EventLoopFuture<ExportReply>
}

/// Hands finished spans to a collector, in batches, behind the back of whoever finished them.
///
/// `export` is called on the event loop only, takes no lock and never blocks: what does not fit into the queue is
/// dropped and counted. Nothing it does is logged or traced itself.
package final class SpanExporter: Sendable {
    private struct State {
        var machine: ExportMachine
        /// The body of the batch under way.
        var body = ExportBody()
        var timer: Scheduled<Void>?
        var timerAt: NIODeadline?
        var finished: EventLoopPromise<Void>?
        /// No attempt takes longer.
        var timeout: TimeAmount
    }

    private let eventLoop: any EventLoop
    private let transport: any SpanTransport
    private let state: NIOLoopBoundBox<State>

    /// - Parameters:
    ///   - eventLoop: where `export` is called.
    ///   - timeout: for one attempt to send a batch.
    package convenience init(
        eventLoop: any EventLoop,
        transport: any SpanTransport,
        batches: BatchSettings,
        timeout: TimeAmount
    ) {
        self.init(eventLoop: eventLoop, transport: transport, timeout: timeout) { ExportMachine(batches) }
    }

    init(
        eventLoop: any EventLoop,
        transport: any SpanTransport,
        timeout: TimeAmount,
        machine: () -> ExportMachine
    ) {
        self.eventLoop = eventLoop
        self.transport = transport
        self.state = .makeBoxSendingValue(State(machine: machine(), timeout: timeout), eventLoop: eventLoop)
    }

    /// What became of the spans so far. On the event loop only.
    package var tally: ExportTally { state.value.machine.tally }

    /// Takes a finished span of a sampled trace. On the event loop only.
    package func export(_ span: Span) {
        let now = eventLoop.now
        state.value.machine.add(span, now: now)
        proceed(now)
    }

    /// Sends what waits, once, and gives up on the rest when the time is over. Call it once, on any thread, after the
    /// last `export`.
    ///
    /// - Returns: done when nothing is left to be done; never fails.
    package func shutDown(within time: TimeAmount) -> EventLoopFuture<Void> {
        let finished = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            let now = self.eventLoop.now
            let deadline = now + time
            self.state.value.finished = finished
            self.state.value.timeout = min(self.state.value.timeout, time)
            self.state.value.machine.stop(by: deadline)
            self.proceed(now)
        }
        return finished.futureResult
    }

    // MARK: On the event loop

    private func proceed(_ now: NIODeadline) {
        switch state.value.machine.next(now: now) {
        case .send(let spans):
            transport.encode(spans).hop(to: eventLoop).whenSuccess { body in
                // It may have been given up meanwhile.
                guard self.state.value.machine.isUnderWay else { return }
                self.state.value.body = body
                self.post()
            }
        case .resend:
            post()
        case .finish:
            state.value.finished?.succeed()
        case nil:
            break
        }
        armTimer()
    }

    private func post() {
        transport.post(state.value.body, within: state.value.timeout).hop(to: eventLoop).whenSuccess { reply in
            let now = self.eventLoop.now
            self.state.value.machine.replied(reply, now: now)
            if !self.state.value.machine.mayResend { self.state.value.body = ExportBody() }
            self.proceed(now)
        }
    }

    private func armTimer() {
        let wakeAt = state.value.machine.wakeAt
        guard wakeAt != state.value.timerAt else { return }
        state.value.timer?.cancel()
        state.value.timerAt = wakeAt
        state.value.timer = wakeAt.map { deadline in
            eventLoop.scheduleTask(deadline: deadline) {
                self.state.value.timerAt = nil
                self.proceed(self.eventLoop.now)
            }
        }
    }
}
