// SPDX-License-Identifier: Apache-2.0

import Events
import Journal
import NIOCore
import NIOEmbedded
import Prometheus
import Synchronization
import Testing

@testable import Telemetry

/// A sink whose journal is in memory, on a loop whose clock the test moves.
private final class Journaling {
    let loop = EmbeddedEventLoop()
    let metrics: MetricsSink
    let sink: JournalSink
    private let kept = Kept()

    private final class Kept: Sendable {
        let entries = Mutex<[[String: String]]>([])
    }

    init(_ rates: JournalRates = JournalRates(requestsPerSecond: 20, requestBurst: 500), isDebugging: Bool = true)
        throws
    {
        metrics = try MetricsSink(InstanceFacts(version: "1", name: "time", unit: ""), histograms: .classic)
        let kept = kept
        sink = try JournalSink(
            rates: rates,
            identity: JournalIdentity(server: "time", instance: "abc"),
            isDebugging: isDebugging,
            eventLoop: loop,
            metrics: metrics.telemetry,
            transport: JournalTransport(
                send: { fields in
                    let pairs = String(decoding: fields, as: UTF8.self).split(separator: "\n").map { line in
                        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                        return (String(parts[0]), String(parts[1]))
                    }
                    let entry = Dictionary(pairs) { first, second in
                        Issue.record("a field occurs twice: \(first), \(second)")
                        return first
                    }
                    kept.entries.withLock { $0.append(entry) }
                    return 0
                },
                isPresent: { true }
            )
        )
    }

    func emit(_ events: [Event]) {
        for event in events {
            metrics.emit(event)
            sink.emit(event)
        }
    }

    /// Everything that was written; ends the sink.
    func entries() -> [[String: String]] {
        #expect(sink.shutdown(within: 10_000))
        return kept.entries.withLock { $0 }
    }
}

@Suite struct JournalSinkTests {
    @Test func tellsEveryEventWithAllItsFields() throws {
        let journaling = try Journaling()
        journaling.emit(samples)
        let entries = journaling.entries()
        #expect(entries.count == samples.count)
        for (entry, event) in zip(entries, samples) {
            let record = EventRecord(event)
            #expect(entry["MCP_EVENT"] == record.kind.rawValue)
            #expect(entry["MESSAGE_ID"] == record.kind.messageID)
            #expect(entry["PRIORITY"] == String(record.severity.rawValue))
            #expect(entry["MCP_SERVER"] == "time" && entry["MCP_INSTANCE"] == "abc" && entry["MCP_SCHEMA"] == "1")
            #expect(entry["SYSLOG_IDENTIFIER"] == "mcp-proxy")
            for field in record.fields { #expect(entry[field.journalName] != nil, "\(record.kind) \(field.name)") }
        }
        #expect(entries.map { $0["MCP_SEQ"] } == entries.indices.map { String($0 + 1) })
    }

    @Test func namesFieldsAsTheCatalogueSays() {
        #expect(EventField("duration_us", 1).journalName == "MCP_DURATION_USEC")
        #expect(EventField("uptime_ms", 1).journalName == "MCP_UPTIME_MSEC")
        #expect(EventField("session", "s").journalName == "MCP_SESSION_ID")
        #expect(EventField("trace_id", "t").journalName == "TRACE_ID")
        for kind in EventKind.allCases {
            for field in kind.declaredFields {
                #expect(throws: Never.self) { try JournalFieldName(EventField(field.name, 0).journalName) }
            }
        }
    }

    @Test func saysExitsInTheWordsOfSystemd() throws {
        let journaling = try Journaling()
        journaling.emit([
            crashed(.exit, status: 3, plan: .restart(delayMilliseconds: 1, attempt: 7)),
            crashed(.signal, status: nil, signal: 9, plan: .none),
            .upstreamStderr(link: 0, line: "hello", truncated: true),
        ])
        let entries = journaling.entries()
        #expect(entries[0]["EXIT_CODE"] == "exited" && entries[0]["EXIT_STATUS"] == "3")
        #expect(entries[0]["N_RESTARTS"] == "7")
        #expect(entries[1]["EXIT_CODE"] == "killed" && entries[1]["EXIT_STATUS"] == "9")
        #expect(entries[1]["N_RESTARTS"] == nil)
        #expect(entries[2]["MCP_STREAM"] == "stderr" && entries[2]["MCP_TRUNCATED"] == "1")
    }

    @Test func leavesOutWhatClientsCauseAndSaysSo() throws {
        var rates = JournalRates(requestsPerSecond: 1, requestBurst: 3)
        rates.failureBurst = 2
        rates.failuresPerSecond = 1
        let journaling = try Journaling(rates)
        // Each flood in a bucket of its own, and none takes a crash away.
        journaling.emit(Array(repeating: finished(.ok), count: 100))
        journaling.emit(Array(repeating: finished(.timeout, isAnswered: false), count: 50))
        journaling.emit(Array(repeating: crashed(), count: 20))
        journaling.emit([.requestRejected(reason: .badHost, detail: "")])
        let page = Page(journaling.metrics)
        journaling.loop.advanceTime(by: JournalSink.summaryInterval)
        let entries = journaling.entries()
        func count(_ kind: String) -> Int { entries.count { $0["MCP_EVENT"] == kind } }
        // The buckets may have earned a token or so meanwhile.
        #expect((3...8).contains(count("request.completed")))
        #expect((2...7).contains(count("request.timeout")))
        #expect(count("upstream.crashed") == 20)
        #expect(count("security.host_rejected") == 1)
        for kind in ["request.completed", "request.timeout", "upstream.crashed"] {
            let told = Double(count(kind))
            let suppressed = page[#"mcp_proxy_journal_events_suppressed_total{event="\#(kind)"}"#] ?? .nan
            #expect(told + suppressed == page[#"mcp_proxy_events_total{event="\#(kind)"}"#])
        }
        let summary = try #require(entries.last)
        #expect(summary["MCP_EVENT"] == "requests.summary")
        let left = 150 - count("request.completed") - count("request.timeout")
        #expect(summary["MCP_SUPPRESSED"] == String(left))
        #expect(summary["MCP_WINDOW_MSEC"] == "10000")
        #expect(summary["MCP_KINDS"]?.contains("request.completed=\(100 - count("request.completed"))") == true)
    }

    @Test func summarisesBeforeTheEnd() throws {
        let journaling = try Journaling(JournalRates(requestsPerSecond: 1, requestBurst: 1))
        journaling.emit(Array(repeating: finished(.ok), count: 9))
        journaling.loop.advanceTime(by: .milliseconds(1234))
        journaling.emit([.proxyStopped(drained: true)])
        let last = journaling.entries().suffix(2)
        #expect(last.map { $0["MCP_EVENT"] } == ["requests.summary", "proxy.stopped"])
        #expect(last.first?["MCP_WINDOW_MSEC"] == "1234")
    }

    @Test func tellsDebugEventsOnlyWhenAsked() throws {
        let journaling = try Journaling(isDebugging: false)
        journaling.emit([.connectionClosed(reason: .client)])
        journaling.sink.setDebugging(true)
        journaling.emit([.connectionClosed(reason: .error)])
        #expect(journaling.entries().map { $0["MCP_REASON"] } == ["error"])
    }
}
