// SPDX-License-Identifier: Apache-2.0

import Events
import MCP
import NIOCore
import Prometheus
import Testing
import Tracing

@testable import Telemetry

/// What a page of metrics says, by sample: `name{a="b"}`.
struct Page {
    let samples: [String: Double]

    init(_ sink: MetricsSink) {
        var text: [UInt8] = []
        sink.registry.render(into: &text, as: .text)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
        samples = Dictionary(
            uniqueKeysWithValues: lines.compactMap { line in
                line.lastIndex(of: " ").map { end in
                    (String(line[..<end]), Double(line[line.index(after: end)...]) ?? .nan)
                }
            }
        )
    }

    subscript(sample: String) -> Double? { samples[sample] }

    /// Whether some sample of the family is neither absent nor 0.
    func shows(_ family: String) -> Bool {
        samples.contains { $0.value != 0 && $0.key.split(separator: "{")[0].hasPrefix(family) }
    }
}

@Suite struct MetricsSinkTests {
    private func sink() throws -> MetricsSink {
        try MetricsSink(InstanceFacts(version: "1.2.3", name: "time", unit: "mcp@time.service"), histograms: .classic)
    }

    private func named(_ outcome: Outcome, _ name: KnownName?, errorCode: Int? = nil) -> Event {
        guard case .requestFinished(var request) = finished(outcome, errorCode: errorCode) else { return finished(.ok) }
        request.name = name
        return .requestFinished(request)
    }

    /// A row that nothing feeds is a promise nobody keeps.
    @Test func everyRowOfTheCatalogueIsFed() throws {
        let sink = try sink()
        for event in samples { sink.emit(event) }
        var readings = Readings()
        readings.state = .ready
        readings.inFlight = 1
        readings.queued = 1
        readings.oldestArrival = .now()
        readings.parked = 1
        readings.oldestParking = .now()
        readings.initializingSessions = 1
        readings.oldestUnanswered = .now()
        readings.streams = [.get: 1]
        readings.bufferedBytes = 1
        readings.openServerRequests = 1
        readings.processes = 1
        readings.takesTurns = true
        readings.stdinBlocked = .milliseconds(1)
        readings.stdinBuffered = 1
        readings.connections = 1
        readings.engine = Readings.Engine(isUp: true, orphans: 1)
        var limits = ConfiguredLimits()
        limits.maxInFlight = 1
        limits.queue = 1
        limits.maxSessions = 1
        limits.maxConnections = 1
        limits.maxBuffered = 1
        limits.requestTimeout = .seconds(1)
        sink.configure(limits)
        sink.refresh(readings)
        let telemetry = sink.telemetry
        telemetry.scraped(bytes: 1, in: .milliseconds(1))
        telemetry.ticked(nanoseconds: 1)
        telemetry.journaled(.info)
        telemetry.suppressed(.requestCompleted)
        telemetry.sentToJournal(nanoseconds: 1)
        telemetry.refresh(logLinesDropped: 1)
        var spans = ExportTally()
        spans.exported = 1
        spans.waiting = 1
        spans.dropped[.queueFull] = 1
        spans.failures[.timeout] = 1
        telemetry.refresh(spans)
        let page = Page(sink)
        // Fed by the journal's writer, by the registry itself when a limit is exceeded, or by a limit nobody set.
        let elsewhere: Set = [
            "mcp_proxy_journal_up", "mcp_proxy_journal_events_dropped_total", "mcp_proxy_journal_queue_bytes",
            "mcp_proxy_metric_label_overflow_total", "process_virtual_memory_max_bytes",
            // 0 is what the last of the samples says.
            "mcp_proxy_upstream_restart_backoff_seconds", "mcp_proxy_upstream_last_exit_code",
            "mcp_proxy_upstream_probe_success", "mcp_proxy_config_last_reload_successful", "process_cpu_seconds_total",
        ]
        for metric in MetricDescription.catalogue where !elsewhere.contains(metric.name) {
            #expect(page.shows(metric.name), "nothing feeds \(metric.name)")
        }
    }

    @Test func boundedCountersExistFromTheBeginning() throws {
        let page = Page(try sink())
        #expect(page[#"mcp_proxy_upstream_exits_total{reason="signal"}"#] == 0)
        #expect(page[#"mcp_proxy_requests_total{mcp_method_name="tools/call",outcome="timeout"}"#] == 0)
        #expect(page[#"mcp_proxy_requests_rejected_total{reason="queue_full"}"#] == 0)
        #expect(page[#"mcp_proxy_events_total{event="upstream.crashed"}"#] == 0)
        #expect(page[#"mcp_proxy_instance_info{name="time",unit="mcp@time.service"}"#] == 1)
        #expect(page["mcp_proxy_journal_up"] == nil, "unknown as long as the log goes elsewhere")
    }

    @Test func separatesWhatTheChildTookFromTheRest() throws {
        let sink = try sink()
        sink.emit(finished(.ok))
        let page = Page(sink)
        let labels = #"{mcp_method_name="tools/call",gen_ai_tool_name="_OTHER","#
        #expect(page["mcp_server_operation_duration_seconds_sum" + labels + #"network_transport="tcp"}"#] == 0.012345)
        #expect(page["mcp_client_operation_duration_seconds_sum" + labels + #"network_transport="pipe"}"#] == 0.01)
        #expect(page["mcp_proxy_queue_wait_seconds_sum"] == 0.001)
        #expect(page["mcp_proxy_overhead_seconds_sum"] == 0.001345)
    }

    @Test func namesOnlyWhatTheChildLists() throws {
        let sink = try sink()
        sink.emit(named(.ok, KnownName(.tool, "get_time", number: 1)))
        sink.emit(named(.ok, KnownName(.tool, "get_time", number: 1)))
        sink.emit(named(.ok, nil))
        let page = Page(sink)
        func count(_ tool: String) -> Double? {
            page[
                #"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="\#(tool)","#
                    + #"network_transport="tcp"}"#
            ]
        }
        #expect(count("get_time") == 2)
        #expect(count("_OTHER") == 1)
    }

    @Test func tellsErrorsByTheirCode() throws {
        let sink = try sink()
        sink.emit(named(.clientError, nil, errorCode: -32602))
        sink.emit(named(.serverError, nil, errorCode: -31999))
        sink.emit(named(.toolError, nil))
        let page = Page(sink)
        for error in ["-32602", "_OTHER", "tool_error"] {
            let sample =
                #"mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="_OTHER","#
                + #"error_type="\#(error)",network_transport="tcp"}"#
            #expect(page[sample] == 1, "\(error)")
        }
    }

    @Test func aRequestThatNeverReachedTheChildIsNoneOfItsTime() throws {
        let sink = try sink()
        sink.emit(finished(.rejected, errorCode: -32000, isSent: false, isAnswered: false))
        let page = Page(sink)
        #expect(!page.shows("mcp_client_operation_duration_seconds"))
        #expect(page["mcp_proxy_overhead_seconds_count"] == 0)
        #expect(page[#"mcp_proxy_requests_total{mcp_method_name="tools/call",outcome="rejected"}"#] == 1)
    }

    @Test func aStartThatFailedIsNoCrashOfARunningServer() throws {
        let sink = try sink()
        sink.emit(crashed(.handshakeFailed, status: nil, signal: 9))
        var exit = Event.UpstreamExit(link: 0, generation: 2, reason: .signal, signal: 11)
        exit.wasReady = true
        exit.plan = .restart(delayMilliseconds: 1500, attempt: 2)
        sink.emit(.upstreamExited(exit))
        let page = Page(sink)
        #expect(page[#"mcp_proxy_upstream_start_failures_total{reason="handshake_failed"}"#] == 1)
        #expect(page[#"mcp_proxy_upstream_start_failures_total{reason="signal"}"#] == 0)
        #expect(page[#"mcp_proxy_upstream_exits_total{reason="signal"}"#] == 1)
        #expect(page["mcp_proxy_upstream_last_exit_code"] == 139)
        #expect(page["mcp_proxy_upstream_restart_backoff_seconds"] == 1.5)
        sink.emit(.upstreamStarted(link: 0, generation: 3, pid: 1))
        #expect(Page(sink)["mcp_proxy_upstream_restart_backoff_seconds"] == 0)
    }

    @Test func everyEventIsCountedByKind() throws {
        let sink = try sink()
        for event in samples { sink.emit(event) }
        let page = Page(sink)
        for kind in EventKind.allCases {
            let count = samples.count { $0.kind == kind }
            #expect(page[#"mcp_proxy_events_total{event="\#(kind.rawValue)"}"#] == Double(count))
        }
    }

    @Test func blockedTimeOnlyGrows() throws {
        let sink = try sink()
        var readings = Readings()
        readings.state = .ready
        for milliseconds in [100, 250, 250] as [Int64] {
            readings.stdinBlocked = .milliseconds(milliseconds)
            sink.refresh(readings)
        }
        #expect(Page(sink)["mcp_proxy_upstream_stdin_blocked_seconds_total"] == 0.25)
    }
}
