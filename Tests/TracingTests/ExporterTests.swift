// SPDX-License-Identifier: Apache-2.0

import Events
import NIOCore
import NIOEmbedded
import SeededRandom
import Testing

@testable import Tracing

@Suite struct ExporterTests {
    /// An exporter on a loop whose clock the test moves, and a collector the test answers for.
    private struct Bench {
        let loop = EmbeddedEventLoop()
        let collector: FakeCollector
        let exporter: SpanExporter

        init(queue: Int = 10, batch: Int = 4, timeout: TimeAmount = .seconds(10)) {
            var settings = BatchSettings()
            settings.queue = queue
            settings.batch = batch
            collector = FakeCollector(loop)
            exporter = SpanExporter(eventLoop: loop, transport: collector, timeout: timeout) {
                ExportMachine(settings, generator: SeededGenerator(seed: 3))
            }
        }

        func export(_ numbers: ClosedRange<UInt64>) throws {
            for number in numbers { exporter.export(try plainSpan(number)) }
            loop.run()
        }

        func answer(_ reply: ExportReply) throws {
            try collector.answer(reply)
            loop.run()
        }

        func stop(within time: TimeAmount) -> Flag {
            let flag = Flag(loop)
            exporter.shutDown(within: time).whenSuccess { flag.raise() }
            loop.run()
            return flag
        }

        var tally: ExportTally { exporter.tally }
        /// The numbers of the spans in each request so far.
        var requests: [[UInt64]] { collector.requests.map(\.spans) }
    }

    private let ok = ExportReply.answered(status: 200)

    @Test func sendsAFullBatchAtOnce() throws {
        let bench = Bench()
        try bench.export(1...3)
        #expect(bench.requests == [])
        #expect(bench.tally.waiting == 3)
        try bench.export(4...4)
        #expect(bench.requests == [[1, 2, 3, 4]])
        #expect(bench.tally.waiting == 0)
        #expect(bench.tally.exported == 0)
        try bench.answer(ok)
        #expect(bench.tally.exported == 4)
    }

    @Test func sendsWhatWaitsWhenTheOldestHasWaitedLongEnough() throws {
        let bench = Bench()
        try bench.export(1...1)
        bench.loop.advanceTime(by: .milliseconds(4000))
        try bench.export(2...2)
        bench.loop.advanceTime(by: .milliseconds(999))
        #expect(bench.requests == [])
        bench.loop.advanceTime(by: .milliseconds(1))
        #expect(bench.requests == [[1, 2]])
        try bench.answer(ok)
        bench.loop.advanceTime(by: .minutes(10))
        #expect(bench.requests.count == 1)
        try bench.export(3...3)
        bench.loop.advanceTime(by: .seconds(5))
        #expect(bench.requests == [[1, 2], [3]])
    }

    @Test func sendsOneBatchAtATime() throws {
        let bench = Bench()
        try bench.export(1...9)
        bench.loop.advanceTime(by: .minutes(1))
        #expect(bench.requests == [[1, 2, 3, 4]])
        try bench.answer(ok)
        #expect(bench.requests == [[1, 2, 3, 4], [5, 6, 7, 8]])
        try bench.answer(ok)
        #expect(bench.requests.count == 2)
        bench.loop.advanceTime(by: .seconds(5))
        #expect(bench.requests.last == [9])
    }

    @Test func dropsWhatDoesNotFitAndGoesOn() throws {
        let bench = Bench()
        try bench.export(1...20)
        #expect(bench.tally.waiting == 10)
        #expect(bench.tally.dropped[.queueFull] == 6)
        try bench.answer(ok)
        try bench.export(21...21)
        #expect(bench.tally.dropped[.queueFull] == 6)
        try bench.answer(ok)
        #expect(bench.requests.map { $0.first } == [1, 5, 9])
        #expect(bench.requests.last == [9, 10, 11, 12])
    }

    @Test(arguments: [
        ExportReply.failed(.unreachable), .failed(.timeout), .failed(.connectionClosed), .answered(status: 429),
        .answered(status: 502), .answered(status: 503), .answered(status: 504),
    ])
    func triesAgainAndAgainWithLongerPauses(_ reply: ExportReply) throws {
        let bench = Bench()
        try bench.export(1...4)
        let failure = try #require(reply.failure)
        var pause: TimeAmount = .seconds(1)
        for attempt in 1..<ExportMachine.maximumAttempts {
            try bench.answer(reply)
            #expect(bench.tally.failures[failure] == attempt)
            bench.loop.advanceTime(by: .nanoseconds(pause.nanoseconds * 8 / 10 - 1))
            #expect(bench.requests.count == attempt)
            bench.loop.advanceTime(by: .nanoseconds(pause.nanoseconds * 4 / 10 + 1))
            #expect(bench.requests.count == attempt + 1)
            pause = pause * 2
        }
        #expect(bench.requests.allSatisfy { $0 == [1, 2, 3, 4] })
        // It is written down once.
        #expect(bench.collector.encodings == 1)
        #expect(bench.tally.dropped[.sendFailed] == 0)
        try bench.answer(reply)
        #expect(bench.tally.dropped[.sendFailed] == 4)
        #expect(bench.tally.exported == 0)
    }

    @Test func recoversWithTheSameBatch() throws {
        let bench = Bench()
        try bench.export(1...8)
        try bench.answer(.failed(.unreachable))
        bench.loop.advanceTime(by: .milliseconds(1200))
        try bench.answer(ok)
        #expect(bench.requests == [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8]])
        #expect(bench.tally.exported == 4)
        #expect(bench.tally.failures.values.reduce(0, +) == 1)
    }

    @Test func theNextBatchWaitsToo() throws {
        let bench = Bench()
        try bench.export(1...8)
        for _ in 1..<ExportMachine.maximumAttempts {
            try bench.answer(.failed(.unreachable))
            bench.loop.advanceTime(by: .minutes(1))
        }
        try bench.answer(.answered(status: 503, retryAfter: .seconds(60)))
        #expect(bench.tally.dropped[.sendFailed] == 4)
        bench.loop.advanceTime(by: .seconds(59))
        #expect(bench.requests.last == [1, 2, 3, 4])
        bench.loop.advanceTime(by: .seconds(13))
        #expect(bench.requests.last == [5, 6, 7, 8])
    }

    @Test func aBatchThatIsNotFullWaitsToo() throws {
        let bench = Bench()
        try bench.export(1...4)
        for _ in 1..<ExportMachine.maximumAttempts {
            try bench.answer(.failed(.unreachable))
            bench.loop.advanceTime(by: .minutes(1))
        }
        try bench.answer(.answered(status: 503, retryAfter: .seconds(60)))
        try bench.export(5...5)
        bench.loop.advanceTime(by: .seconds(59))
        #expect(bench.requests.last == [1, 2, 3, 4])
        bench.loop.advanceTime(by: .seconds(13))
        #expect(bench.requests.last == [5])
    }

    /// What the collector wishes, the earliest and the latest moment of the next attempt, all in milliseconds.
    @Test(arguments: [(30_000, 30_000, 36_000), (0, 1_000, 1_200), (86_400_000, 300_000, 360_000)])
    func waitsAsLongAsTheCollectorWishes(_ wish: Int64, _ earliest: Int64, _ latest: Int64) throws {
        let bench = Bench()
        try bench.export(1...4)
        try bench.answer(.answered(status: 429, retryAfter: .milliseconds(wish)))
        bench.loop.advanceTime(by: .milliseconds(earliest - 1))
        #expect(bench.requests.count == 1)
        bench.loop.advanceTime(by: .milliseconds(latest - earliest + 1))
        #expect(bench.requests.count == 2)
    }

    @Test(arguments: [
        (ExportReply.answered(status: 400), ExportFailure.refused), (.answered(status: 500), .refused),
        (.answered(status: 301), .refused), (.answered(status: 401), .unauthorized),
        (.answered(status: 403), .unauthorized), (.answered(status: 404), .notFound),
        (.answered(status: 405), .notFound), (.failed(.badResponse), .badResponse),
        (.answered(status: 413, retryAfter: .seconds(1)), .refused),
    ])
    func doesNotInsist(_ reply: ExportReply, _ failure: ExportFailure) throws {
        let bench = Bench()
        try bench.export(1...8)
        try bench.answer(reply)
        #expect(bench.requests.last == [5, 6, 7, 8])
        #expect(bench.tally.dropped[.rejected] == 4)
        #expect(bench.tally.failures[failure] == 1)
        try bench.answer(ok)
        #expect(bench.tally.exported == 4)
        #expect(bench.tally.failures.values.reduce(0, +) == 1)
    }

    @Test(arguments: [(1, 3, 1), (4, 0, 4), (5, 0, 4), (-1, 4, 0)])
    func countsRejectedSpans(_ rejected: Int, _ exported: Int, _ dropped: Int) throws {
        let bench = Bench()
        try bench.export(1...4)
        try bench.answer(.answered(status: 200, rejected: rejected))
        #expect(bench.tally.exported == exported)
        #expect(bench.tally.dropped[.rejected] == dropped)
        #expect(bench.tally.failures[.rejectedSpans] == (rejected > 0 ? 1 : 0))
    }

    @Test func sendsWhatWaitsBeforeItEnds() throws {
        let bench = Bench()
        try bench.export(1...9)
        let done = bench.stop(within: .seconds(2))
        try bench.answer(ok)
        try bench.answer(ok)
        #expect(!done.isFulfilled)
        #expect(bench.requests == [[1, 2, 3, 4], [5, 6, 7, 8], [9]])
        #expect(bench.collector.requests.last?.time == .seconds(2))
        try bench.answer(ok)
        #expect(done.isFulfilled)
        #expect(bench.tally.exported == 9)
    }

    @Test func endsAtOnceWithNothingToDo() {
        let bench = Bench()
        #expect(bench.stop(within: .seconds(2)).isFulfilled)
    }

    @Test func endsInTimeWithACollectorThatHangs() throws {
        let bench = Bench()
        try bench.export(1...9)
        let done = bench.stop(within: .seconds(2))
        bench.loop.advanceTime(by: .milliseconds(1999))
        #expect(!done.isFulfilled)
        bench.loop.advanceTime(by: .milliseconds(1))
        #expect(done.isFulfilled)
        #expect(bench.tally.dropped[.sendFailed] == 9)
        #expect(bench.tally.waiting == 0)
        // Too late to count.
        try bench.answer(ok)
        #expect(bench.tally.exported == 0)
        try bench.export(10...10)
        #expect(bench.tally.dropped[.sendFailed] == 10)
        #expect(bench.requests.count == 1)
    }

    @Test func theTallyIsCompleteWhenTheEndIsTold() throws {
        let bench = Bench()
        try bench.export(1...9)
        let seen = NIOLoopBoundBox<ExportTally?>(nil, eventLoop: bench.loop)
        let exporter = bench.exporter
        exporter.shutDown(within: .seconds(1)).whenSuccess { seen.value = exporter.tally }
        bench.loop.advanceTime(by: .seconds(1))
        #expect(seen.value?.dropped[.sendFailed] == 9)
        #expect(seen.value?.waiting == 0)
    }

    @Test func triesEachBatchOnceAtTheEnd() throws {
        let bench = Bench()
        try bench.export(1...8)
        try bench.answer(.answered(status: 503, retryAfter: .seconds(60)))
        let done = bench.stop(within: .seconds(5))
        #expect(bench.requests.count == 2)
        try bench.answer(.failed(.unreachable))
        #expect(bench.requests == [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8]])
        try bench.answer(.failed(.unreachable))
        #expect(done.isFulfilled)
        #expect(bench.tally.dropped[.sendFailed] == 8)
    }

    @Test func endsWhileABatchIsEncoded() throws {
        let bench = Bench()
        bench.collector.holdsEncoding = true
        try bench.export(1...4)
        let done = bench.stop(within: .seconds(1))
        bench.loop.advanceTime(by: .seconds(1))
        #expect(done.isFulfilled)
        bench.collector.finishEncoding()
        bench.loop.run()
        #expect(bench.requests == [])
        #expect(bench.tally.dropped[.sendFailed] == 4)
    }

    @Test func everySpanIsCountedOnce() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            let bench = Bench(queue: 6, batch: 3)
            var exported: UInt64 = 0
            for _ in 0..<60 {
                switch UInt8.random(in: 0..<4, using: &generator) {
                case 0, 1:
                    exported += 1
                    try bench.export(exported...exported)
                case 2 where bench.collector.isAsked:
                    let replies: [ExportReply] = [
                        ok, ok, .failed(.timeout), .answered(status: 400), .answered(status: 200, rejected: 1),
                    ]
                    try bench.answer(try #require(replies.randomElement(using: &generator)))
                default:
                    bench.loop.advanceTime(by: .milliseconds(Int64.random(in: 0...9000, using: &generator)))
                }
            }
            let done = bench.stop(within: .seconds(1))
            bench.loop.advanceTime(by: .seconds(1))
            #expect(done.isFulfilled)
            let tally = bench.tally
            let dropped = tally.dropped.values.reduce(0, +)
            #expect(tally.exported + dropped == Int(exported))
            #expect(tally.waiting == 0)
            if bench.collector.isAsked { try bench.answer(ok) }
        }
    }
}

/// Whether something has happened.
private struct Flag: Sendable {
    private let box: NIOLoopBoundBox<Bool>

    init(_ loop: EmbeddedEventLoop) { box = NIOLoopBoundBox(false, eventLoop: loop) }

    var isFulfilled: Bool { box.value }
    func raise() { box.value = true }
}

/// Remembers what it is asked to send, and waits for the test to answer.
private final class FakeCollector: SpanTransport {
    struct Request {
        var spans: [UInt64]
        var time: TimeAmount
    }

    private struct State {
        var requests: [Request] = []
        var encodings = 0
        var holdsEncoding = false
        var held: (() -> Void)?
        var reply: EventLoopPromise<ExportReply>?
    }

    private let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(_ loop: EmbeddedEventLoop) {
        self.loop = loop
        state = NIOLoopBoundBox(State(), eventLoop: loop)
    }

    var requests: [Request] { state.value.requests }
    var encodings: Int { state.value.encodings }
    var isAsked: Bool { state.value.reply != nil }
    var holdsEncoding: Bool {
        get { state.value.holdsEncoding }
        set { state.value.holdsEncoding = newValue }
    }

    func encode(_ spans: [Span]) -> EventLoopFuture<ExportBody> {
        state.value.encodings += 1
        var bytes = ByteBuffer()
        for span in spans { bytes.writeInteger(span.spanID.value) }
        let body = ExportBody(bytes: bytes)
        guard state.value.holdsEncoding else { return loop.makeSucceededFuture(body) }
        let promise = loop.makePromise(of: ExportBody.self)
        state.value.held = { promise.succeed(body) }
        return promise.futureResult
    }

    func finishEncoding() { state.value.held?() }

    func post(_ body: ExportBody, within time: TimeAmount) -> EventLoopFuture<ExportReply> {
        var rest = body.bytes
        var spans: [UInt64] = []
        while let number = rest.readInteger(as: UInt64.self) { spans.append(number) }
        state.value.requests.append(Request(spans: spans, time: time))
        let promise = loop.makePromise(of: ExportReply.self)
        state.value.reply = promise
        return promise.futureResult
    }

    func answer(_ reply: ExportReply) throws {
        let promise = try #require(state.value.reply)
        state.value.reply = nil
        promise.succeed(reply)
    }
}
