// SPDX-License-Identifier: Apache-2.0

import Events
import Foundation
import Glibc
import Prometheus
import Synchronization
import Telemetry
import Testing

/// A pipe whose ends are closed with it, or before.
private final class Pipe: Sendable {
    let reader: Int32
    let writer: Int32
    private let isReaderOpen = Atomic(true)
    private let isWriterOpen = Atomic(true)

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        closeReader()
        closeWriter()
    }

    func closeReader() { if isReaderOpen.exchange(false, ordering: .relaxed) { close(reader) } }
    func closeWriter() { if isWriterOpen.exchange(false, ordering: .relaxed) { close(writer) } }

    /// Everything until the writer is closed, as lines; each must end in a newline.
    func readLines() throws -> [String] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(reader, &chunk, chunk.count)
            if count <= 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.popLast() == "")
        return lines.map(String.init)
    }

    /// Fills the pipe, so that the next write blocks.
    func fill() throws {
        try #require(fcntl(writer, F_SETFL, O_NONBLOCK) == 0)
        let padding = [UInt8](repeating: UInt8(ascii: "x"), count: 4095) + [UInt8(ascii: "\n")]
        while write(writer, padding, padding.count) > 0 {}
        try #require(fcntl(writer, F_SETFL, 0) == 0)
    }
}

@Suite struct SinkTests {
    private func stderrLine(_ number: Int) -> Event {
        .upstreamStderr(link: 0, line: "line \(number)", truncated: false)
    }

    @Test func writesLinesInOrderAndDrainsOnShutdown() throws {
        let pipe = try Pipe()
        let sink = try StderrSink(format: .json, debug: false, descriptor: pipe.writer)
        for number in 0..<200 { sink.emit(stderrLine(number)) }
        #expect(sink.shutdown())
        pipe.closeWriter()
        let messages = try pipe.readLines().map { try #require(object($0)["message"] as? String) }
        #expect(messages == (0..<200).map { "line \($0)" })
    }

    /// One for every call: this log has no rate limit, so they count as debug here.
    private func isCallThatWentWell(_ event: Event) -> Bool {
        guard case .requestFinished(let request) = event else { return false }
        return [.ok, .cancelled, .rejected].contains(request.outcome)
    }

    @Test func showsDebugEventsOnlyWhenAsked() throws {
        for debug in [false, true] {
            let pipe = try Pipe()
            let sink = try StderrSink(format: .text, debug: debug, descriptor: pipe.writer)
            for event in samples { sink.emit(event) }
            #expect(sink.shutdown())
            pipe.closeWriter()
            let lines = try pipe.readLines()
            let shown = samples.filter { debug || $0.severity != .debug && !isCallThatWentWell($0) }
            #expect(lines.count == shown.count)
            for (line, event) in zip(lines, shown) {
                // No terminal, no colour.
                #expect(!line.contains("\u{1B}"))
                #expect(line.hasSuffix("  " + EventRecord(event).message))
            }
        }
    }

    @Test func countsWhatASlowReaderCosts() throws {
        let pipe = try Pipe()
        try pipe.fill()
        let sink = try StderrSink(format: .json, debug: false, descriptor: pipe.writer, capacity: 4096)
        // Far more than the ring holds, and nobody reads: the surplus is dropped, and nothing blocks.
        for number in 0..<500 { sink.emit(stderrLine(number)) }
        let reading = OnThread { try pipe.readLines() }
        #expect(sink.shutdown(within: 10_000))
        pipe.closeWriter()
        let records = try reading.value().filter { $0.hasPrefix("{") }.map(object)
        let lines = records.filter { $0["event"] as? String == "upstream.stderr" }
        let reports = records.filter { $0["event"] as? String == "telemetry.dropped" }
        // What came first is kept, in order; what is missing is reported to the last line.
        #expect(lines.count > 10)
        #expect(lines.map { $0["message"] as? String } == lines.indices.map { "line \($0)" })
        #expect(reports.count == 1)
        #expect(reports.compactMap { $0["lost"] as? Int }.reduce(0, +) == 500 - lines.count)
    }

    @Test func reportsALossBeforeTheNextLine() throws {
        let pipe = try Pipe()
        let written = Mutex<[Int]>([])
        let writer = try LineWriter(descriptor: pipe.writer, capacity: 64) { lines in
            written.withLock { $0.append(lines) }
            return Array("\(lines) lost\n".utf8)
        }
        // Longer than the ring, so it is lost however fast the thread is.
        writer.write([UInt8](repeating: UInt8(ascii: "x"), count: 65))
        writer.write(Array("next\n".utf8))
        #expect(writer.shutdown(within: 10_000))
        pipe.closeWriter()
        #expect(try pipe.readLines() == ["1 lost", "next"])
        #expect(written.withLock { $0 } == [1])
    }

    @Test func endsInBoundedTimeWhenTheReaderIsStuck() throws {
        let pipe = try Pipe()
        try pipe.fill()
        let sink = try StderrSink(format: .text, debug: false, descriptor: pipe.writer)
        sink.emit(stderrLine(0))
        let clock = ContinuousClock()
        let took = clock.measure { #expect(!sink.shutdown(within: 50)) }
        #expect(took >= .milliseconds(50) && took < .seconds(10))
        // The thread wakes with EPIPE.
        pipe.closeReader()
    }

    @Test func survivesAReaderThatIsGone() throws {
        let pipe = try Pipe()
        pipe.closeReader()
        let sink = try StderrSink(format: .text, debug: false, descriptor: pipe.writer)
        for number in 0..<10 { sink.emit(stderrLine(number)) }
        #expect(sink.shutdown(within: 10_000))
    }

    @Test func waitsForANonBlockingDescriptor() throws {
        let pipe = try Pipe()
        try pipe.fill()
        try #require(fcntl(pipe.writer, F_SETFL, O_NONBLOCK) == 0)
        let sink = try StderrSink(format: .text, debug: false, descriptor: pipe.writer)
        sink.emit(stderrLine(0))
        let reading = OnThread { try pipe.readLines() }
        #expect(sink.shutdown(within: 10_000))
        pipe.closeWriter()
        #expect(try reading.value().last?.hasSuffix("line 0") == true)
    }

    @Test func countsAnEventBeforeItIsLogged() throws {
        let pipe = try Pipe()
        let metrics = try MetricsSink(InstanceFacts(version: "1", name: "n", unit: ""), histograms: .classic)
        let stderr = try StderrSink(format: .json, debug: false, descriptor: pipe.writer)
        let sinks = EventFanOut(metrics: metrics, stderr: stderr)
        sinks.emit(.proxyReady(afterMilliseconds: 1))
        sinks.emit(.proxyStopped(drained: true))
        #expect(stderr.shutdown())
        pipe.closeWriter()
        #expect(try pipe.readLines().map { object($0)["event"] as? String } == ["proxy.ready", "proxy.stopped"])
        #expect(Page(metrics)[#"mcp_proxy_events_total{event="proxy.stopped"}"#] == 1)
    }
}

/// Work on a thread of its own: the pool of tasks may be taken up by tests that block.
final class OnThread<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ work: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            let outcome = Result { try work() }
            result.withLock { $0 = outcome }
            done.signal()
        }
    }

    /// Waits for the end of the work. Once.
    func value() throws -> Value {
        done.wait()
        return try #require(result.withLock { $0 }).get()
    }
}

/// The JSON object of a line; empty, with an issue, when it is none.
func object(_ line: String) -> [String: Any] {
    let parsed = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    if parsed == nil { Issue.record("not an object: \(line)") }
    return parsed ?? [:]
}
