// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Gateway

/// Transcripts of connections, second by second.
@Suite struct ConnectionStateMachineTests {
    private var machine = ConnectionStateMachine(
        limits: .init(
            maxBodySize: 100,
            readTimeout: .seconds(10),
            keepAliveTimeout: .seconds(60),
            keepAliveInterval: .seconds(15),
            lingerTimeout: .seconds(2),
            lingerBytes: 1000
        ),
        now: .second(0)
    )

    /// A request without a body, complete.
    private mutating func request(keepAlive: Bool = true, at now: NIODeadline = .second(1)) {
        #expect(self.machine.headReceived(.init(keepAlive: keepAlive), now: now) == .receiveBody)
        #expect(self.machine.endReceived() == true)
    }

    @Test mutating func answersOneRequestAfterTheOther() {
        for second in 1...3 {
            #expect(self.machine.headReceived(.init(contentLength: 5), now: .second(second)) == .receiveBody)
            #expect(!self.machine.isAnswering)
            #expect(self.machine.bodyReceived(5) == .keep)
            #expect(self.machine.endReceived() == true)
            #expect(self.machine.isAnswering)
            #expect(self.machine.answered(now: .second(second)) == .takeNext)
        }
        #expect(self.machine.closed() == false)
    }

    @Test mutating func closesWhenTheClientWantsThat() {
        self.request(keepAlive: false)
        #expect(!self.machine.persists)
        #expect(self.machine.answered(now: .second(2)) == .closeOutput)
        #expect(self.machine.nextTimer(now: .second(2)) == .second(4))
        #expect(self.machine.timerFired(now: .second(4), unsent: 0) == .close)
        #expect(self.machine.nextTimer(now: .second(4)) == nil)
    }

    @Test mutating func asksForABodyHeldBack() {
        #expect(
            self.machine.headReceived(.init(contentLength: 5, expectsContinue: true), now: .second(1)) == .sendContinue
        )
        #expect(self.machine.bodyReceived(5) == .keep)
    }

    @Test mutating func refusesAnAnnouncedBody() {
        #expect(self.machine.headReceived(.init(contentLength: 101), now: .second(1)) == .refuseBody)
        #expect(!self.machine.persists)
        #expect(self.machine.answered(now: .second(1)) == .closeOutput)
        #expect(self.machine.bodyReceived(600) == .drop)
        #expect(self.machine.bodyReceived(400) == .drop)
        #expect(self.machine.bodyReceived(1) == .close)
        #expect(self.machine.nextTimer(now: .second(1)) == nil)
    }

    @Test mutating func refusesABodyThatGrows() {
        #expect(self.machine.headReceived(.init(), now: .second(1)) == .receiveBody)
        #expect(self.machine.bodyReceived(100) == .keep)
        #expect(self.machine.bodyReceived(1) == .refuseBody)
        #expect(self.machine.answered(now: .second(1)) == .closeOutput)
        #expect(self.machine.endReceived() == false)
    }

    @Test mutating func refusesABodyWhenTooMuchIsComingInAltogether() {
        #expect(self.machine.headReceived(.init(), now: .second(1)) == .receiveBody)
        #expect(self.machine.bodyReceived(10) == .keep)
        #expect(self.machine.bodyReceived(10, hasRoom: false) == .refuseOverload)
        #expect(self.machine.answered(now: .second(1)) == .closeOutput)
    }

    @Test mutating func throwsTheBodyOfARefusedRequestAwayAndGoesOn() {
        #expect(self.machine.headReceived(.init(contentLength: 50, isRefused: true), now: .second(1)) == .receiveBody)
        #expect(self.machine.bodyReceived(50) == .drop)
        #expect(self.machine.endReceived() == true)
        #expect(self.machine.answered(now: .second(1)) == .takeNext)
    }

    @Test mutating func doesNotAskForTheBodyOfARefusedRequest() {
        let framing = ConnectionStateMachine.Framing(contentLength: 50, expectsContinue: true, isRefused: true)
        #expect(self.machine.headReceived(framing, now: .second(1)) == .refuse)
        #expect(self.machine.answered(now: .second(1)) == .closeOutput)
    }

    @Test mutating func endsItsPatienceWithARequest() {
        self.machine.partialHeadReceived(now: .second(5))
        self.machine.partialHeadReceived(now: .second(9))
        #expect(self.machine.headReceived(.init(contentLength: 5), now: .second(12)) == .receiveBody)
        #expect(self.machine.timerFired(now: .second(14), unsent: 0) == .none)
        #expect(self.machine.nextTimer(now: .second(14)) == .second(15))
        #expect(self.machine.timerFired(now: .second(15), unsent: 0) == .answerTimeout)
        #expect(self.machine.answered(now: .second(15)) == .closeOutput)
    }

    @Test mutating func closesAnUnusedConnectionWithoutAWord() {
        #expect(self.machine.nextTimer(now: .second(0)) == .second(10))
        #expect(self.machine.timerFired(now: .second(10), unsent: 0) == .close)
    }

    @Test mutating func closesAnIdleConnectionUnlessItsAnswerIsStillGoingOut() {
        self.request(at: .second(1))
        #expect(self.machine.answered(now: .second(1)) == .takeNext)
        #expect(self.machine.timerFired(now: .second(60), unsent: 5000) == .none)
        #expect(self.machine.timerFired(now: .second(61), unsent: 5000) == .none)
        #expect(self.machine.timerFired(now: .second(121), unsent: 4000) == .none)
        #expect(self.machine.timerFired(now: .second(181), unsent: 4000) == .close)
    }

    @Test mutating func waitsForAnAnswerWithoutEnd() {
        self.request()
        #expect(self.machine.timerFired(now: .second(100_000), unsent: 0) == .none)
        #expect(self.machine.nextTimer(now: .second(100_000)) == .second(100_010))
        #expect(self.machine.closed() == true)
        #expect(self.machine.closed() == false)
    }

    @Test mutating func keepsASilentStreamAlive() {
        self.request()
        #expect(self.machine.streamOpened(isDelimited: true, now: .second(1)) == true)
        #expect(self.machine.timerFired(now: .second(15), unsent: 0) == .none)
        #expect(self.machine.eventSent(now: .second(15)) == true)
        #expect(self.machine.timerFired(now: .second(29), unsent: 0) == .none)
        #expect(self.machine.nextTimer(now: .second(29)) == .second(30))
        #expect(self.machine.timerFired(now: .second(30), unsent: 0) == .sendComment)
        #expect(self.machine.timerFired(now: .second(31), unsent: 0) == .none)
        #expect(self.machine.answered(now: .second(31)) == .takeNext)
        #expect(self.machine.eventSent(now: .second(32)) == false)
    }

    @Test mutating func endsAStreamWithTheConnectionWhenItHasNoOtherEnd() {
        self.request()
        #expect(self.machine.streamOpened(isDelimited: false, now: .second(1)) == true)
        #expect(!self.machine.persists)
        #expect(self.machine.answered(now: .second(2)) == .closeOutput)
    }

    @Test mutating func opensNoStreamWhereNothingWaits() {
        #expect(self.machine.streamOpened(isDelimited: true, now: .second(1)) == false)
        #expect(self.machine.answered(now: .second(1)) == .ignore)
    }

    @Test mutating func drainsIdleConnectionsAtOnceAndOthersAfterTheirAnswer() {
        var idle = self.machine
        #expect(idle.drain() == true)
        #expect(idle.nextTimer(now: .second(1)) == nil)
        self.request()
        #expect(self.machine.drain() == false)
        #expect(!self.machine.persists)
        #expect(self.machine.answered(now: .second(2)) == .closeOutput)
    }

    @Test mutating func answersWhatIsNotHTTPOnce() {
        #expect(self.machine.parserFailed() == true)
        #expect(self.machine.answered(now: .second(1)) == .closeOutput)
        #expect(self.machine.parserFailed() == false)
        #expect(self.machine.headReceived(.init(), now: .second(1)) == .ignore)
    }

    @Test mutating func doesNothingAfterTheEnd() {
        #expect(self.machine.closed() == false)
        #expect(self.machine.headReceived(.init(), now: .second(1)) == .ignore)
        #expect(self.machine.bodyReceived(1) == .drop)
        #expect(self.machine.endReceived() == false)
        #expect(self.machine.timerFired(now: .second(1000), unsent: 0) == .none)
        #expect(self.machine.drain() == false)
    }
}

extension NIODeadline {
    fileprivate static func second(_ count: Int) -> NIODeadline { .uptimeNanoseconds(UInt64(count) * 1_000_000_000) }
}
