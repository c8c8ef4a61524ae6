// SPDX-License-Identifier: Apache-2.0

internal import NIOCore

/// One HTTP/1.1 connection of a client, without its bytes: which part of which request is due, when patience ends,
/// and whether the connection lives on.
///
/// Requests are taken one at a time; whoever feeds the machine holds parts back while `isAnswering`. Three kinds of
/// input are out of order: a part of a request that was already refused is dropped without a word, an answer for
/// an exchange that is over is ignored, and everything after `closed` does nothing.
struct ConnectionStateMachine {
    /// The limits and timeouts of a connection, as in `GatewayConfiguration`.
    struct Limits: Sendable, Equatable {
        var maxBodySize: Int
        var readTimeout: TimeAmount
        var keepAliveTimeout: TimeAmount
        var keepAliveInterval: TimeAmount?
        /// How long, after the last answer, a client that still sends is listened to before the connection is cut.
        /// Closing at once would reset it and could take the answer with it.
        var lingerTimeout = TimeAmount.seconds(2)
        /// How many bytes are thrown away meanwhile.
        var lingerBytes = 1024 * 1024
    }

    private enum State: Equatable {
        /// Nothing of a request has come. `unsent` is how much of the last answer had not gone out when last looked.
        case idle(deadline: NIODeadline, unsent: Int)
        /// A part of a head has come.
        case head(deadline: NIODeadline)
        /// A body is coming in, and is kept or thrown away.
        case body(deadline: NIODeadline, received: Int, keepAlive: Bool, isRefused: Bool)
        /// The request is complete, or refused before it was; its answer is due.
        case waiting(keepAlive: Bool)
        /// The answer is an event stream.
        case streaming(keepAlive: Bool, lastWrite: NIODeadline)
        /// The last answer is out and our side is closed; what still comes in is thrown away.
        case lingering(deadline: NIODeadline, unsent: Int, allowance: Int)
        case closed
    }

    /// What the head says about the rest of its request.
    struct Framing: Equatable {
        var contentLength: Int?
        var keepAlive = true
        var expectsContinue = false
        /// The router has refused it.
        var isRefused = false
    }

    private let limits: Limits
    private var state: State
    private var isDraining = false

    /// A connection just accepted: its first request is due within the read timeout.
    init(limits: Limits, now: NIODeadline) {
        self.limits = limits
        self.state = .idle(deadline: now + limits.readTimeout, unsent: 0)
    }

    /// Whether a request is being answered, so that the next one has to wait.
    var isAnswering: Bool {
        switch self.state {
        case .waiting, .streaming: true
        case .idle, .head, .body, .lingering, .closed: false
        }
    }

    /// Whether the connection is to be used again after the present answer.
    var persists: Bool {
        switch self.state {
        case .waiting(let keepAlive), .streaming(let keepAlive, _): keepAlive && !self.isDraining
        case .idle, .head, .body: !self.isDraining
        case .lingering, .closed: false
        }
    }

    // MARK: The request

    /// Bytes came in that did not complete a head.
    mutating func partialHeadReceived(now: NIODeadline) {
        if case .idle = self.state { self.state = .head(deadline: now + self.limits.readTimeout) }
    }

    enum HeadAction: Equatable {
        case receiveBody
        /// Ask for the body the client holds back.
        case sendContinue
        /// Answer with the router's refusal now, without the body.
        case refuse
        /// Answer that the announced body is too large.
        case refuseBody
        case ignore
    }

    mutating func headReceived(_ framing: Framing, now: NIODeadline) -> HeadAction {
        let deadline: NIODeadline
        switch self.state {
        case .idle: deadline = now + self.limits.readTimeout
        case .head(let begun): deadline = begun
        case .body, .waiting, .streaming, .lingering, .closed: return .ignore
        }
        let isTooLarge = framing.contentLength.map { $0 > self.limits.maxBodySize } ?? false
        if isTooLarge || (framing.isRefused && framing.expectsContinue) {
            self.state = .waiting(keepAlive: false)
            return framing.isRefused ? .refuse : .refuseBody
        }
        self.state = .body(
            deadline: deadline,
            received: 0,
            keepAlive: framing.keepAlive,
            isRefused: framing.isRefused
        )
        return framing.expectsContinue ? .sendContinue : .receiveBody
    }

    enum BodyAction: Equatable {
        case keep
        case drop
        /// Answer with the router's refusal now: the body is larger than what is worth waiting for.
        case refuse
        /// Answer that the body is too large.
        case refuseBody
        /// Answer that too much is coming in on all connections together.
        case refuseOverload
        /// Enough was thrown away: cut the connection.
        case close
    }

    /// - Parameter hasRoom: Whether the bodies that are coming in on all connections leave room for this part.
    mutating func bodyReceived(_ count: Int, hasRoom: Bool = true) -> BodyAction {
        switch self.state {
        case .body(let deadline, let received, let keepAlive, let isRefused):
            guard hasRoom || isRefused else {
                self.state = .waiting(keepAlive: false)
                return .refuseOverload
            }
            guard received + count <= self.limits.maxBodySize else {
                self.state = .waiting(keepAlive: false)
                return isRefused ? .refuse : .refuseBody
            }
            self.state = .body(
                deadline: deadline,
                received: received + count,
                keepAlive: keepAlive,
                isRefused: isRefused
            )
            return isRefused ? .drop : .keep
        case .lingering(let deadline, let unsent, let allowance):
            guard count <= allowance else {
                self.state = .closed
                return .close
            }
            self.state = .lingering(deadline: deadline, unsent: unsent, allowance: allowance - count)
            return .drop
        case .idle, .head, .waiting, .streaming, .closed: return .drop
        }
    }

    /// The request is complete. Returns whether it is to be carried out now.
    mutating func endReceived() -> Bool {
        guard case .body(_, _, let keepAlive, _) = self.state else { return false }
        self.state = .waiting(keepAlive: keepAlive)
        return true
    }

    /// What came in is not HTTP. Returns whether that is to be answered.
    mutating func parserFailed() -> Bool {
        switch self.state {
        case .idle, .head, .body:
            self.state = .waiting(keepAlive: false)
            return true
        case .waiting, .streaming, .lingering, .closed: return false
        }
    }

    /// The connection is one too many. Returns whether that is to be answered.
    mutating func connectionRefused() -> Bool { self.parserFailed() }

    // MARK: The answer

    enum AfterAnswer: Equatable {
        /// The next request may come.
        case takeNext
        /// Close our side once everything is out, and listen on for a moment.
        case closeOutput
        case ignore
    }

    /// The answer, or the end of the event stream, has been written.
    mutating func answered(now: NIODeadline) -> AfterAnswer {
        switch self.state {
        case .waiting, .streaming:
            guard self.persists else {
                self.state = .lingering(
                    deadline: now + self.limits.lingerTimeout,
                    unsent: .max,
                    allowance: self.limits.lingerBytes
                )
                return .closeOutput
            }
            self.state = .idle(deadline: now + self.limits.keepAliveTimeout, unsent: .max)
            return .takeNext
        case .idle, .head, .body, .lingering, .closed: return .ignore
        }
    }

    /// The answer is to be an event stream. Returns whether it can still be one.
    ///
    /// - Parameter isDelimited: Whether the client can tell its end without the end of the connection (not in
    ///   HTTP/1.0).
    mutating func streamOpened(isDelimited: Bool, now: NIODeadline) -> Bool {
        guard case .waiting(let keepAlive) = self.state else { return false }
        self.state = .streaming(keepAlive: keepAlive && isDelimited, lastWrite: now)
        return true
    }

    /// An event is to be written. Returns whether there is a stream to write it on.
    mutating func eventSent(now: NIODeadline) -> Bool {
        guard case .streaming(let keepAlive, _) = self.state else { return false }
        self.state = .streaming(keepAlive: keepAlive, lastWrite: now)
        return true
    }

    // MARK: Time and the end

    enum TimerAction: Equatable {
        case none
        /// Nobody waits for anything: cut the connection.
        case close
        /// Answer that the request took too long.
        case answerTimeout
        /// Send a comment on the silent stream.
        case sendComment
    }

    /// The timer has fired.
    ///
    /// - Parameter unsent: How many bytes have been written but not sent. While they become fewer, a client is
    ///   still taking its answer and is left in peace.
    mutating func timerFired(now: NIODeadline, unsent: Int) -> TimerAction {
        switch self.state {
        case .idle(let deadline, let before) where now >= deadline:
            guard unsent > 0, unsent < before else { break }
            self.state = .idle(deadline: now + self.limits.keepAliveTimeout, unsent: unsent)
            return .none
        case .lingering(let deadline, let before, let allowance) where now >= deadline:
            guard unsent > 0, unsent < before else { break }
            self.state = .lingering(deadline: now + self.limits.lingerTimeout, unsent: unsent, allowance: allowance)
            return .none
        case .head(let deadline) where now >= deadline, .body(let deadline, _, _, _) where now >= deadline:
            self.state = .waiting(keepAlive: false)
            return .answerTimeout
        case .streaming(let keepAlive, let lastWrite):
            guard let interval = self.limits.keepAliveInterval, now >= lastWrite + interval else { return .none }
            self.state = .streaming(keepAlive: keepAlive, lastWrite: now)
            return .sendComment
        case .idle, .head, .body, .waiting, .lingering, .closed: return .none
        }
        self.state = .closed
        return .close
    }

    /// When the timer is to fire next, or nil when there is nothing to wait for any more.
    ///
    /// It is never moved while it runs, so it fires at least once per shortest period: no deadline set meanwhile can
    /// be sooner than that.
    func nextTimer(now: NIODeadline) -> NIODeadline? {
        var period = min(self.limits.readTimeout, self.limits.keepAliveTimeout)
        if let interval = self.limits.keepAliveInterval { period = min(period, interval) }
        // However short the timeouts are set, the timer must not spin.
        period = max(period, .milliseconds(100))
        switch self.state {
        case .idle(let deadline, _), .head(let deadline), .body(let deadline, _, _, _):
            return min(deadline, now + period)
        case .streaming(_, let lastWrite):
            return self.limits.keepAliveInterval.map { min(lastWrite + $0, now + period) } ?? now + period
        case .waiting: return now + period
        case .lingering(let deadline, _, _): return deadline
        case .closed: return nil
        }
    }

    /// The proxy is going down: no further request on this connection. Returns whether to cut it now.
    mutating func drain() -> Bool {
        self.isDraining = true
        guard case .idle = self.state else { return false }
        self.state = .closed
        return true
    }

    /// The connection is gone, or is about to be cut. Returns whether somebody waited for an answer on it.
    mutating func closed() -> Bool {
        defer { self.state = .closed }
        return self.isAnswering
    }
}
