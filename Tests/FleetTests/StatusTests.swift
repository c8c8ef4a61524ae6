// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Fleet

@Suite struct StatusTests {
    private let metrics = """
        # HELP mcp_proxy_requests_total Requests.
        mcp_proxy_requests_total{mcp_method_name="tools/call",outcome="ok"} 90
        mcp_proxy_requests_total{mcp_method_name="tools/call",outcome="cancelled"} 4
        mcp_proxy_requests_total{mcp_method_name="tools/call",outcome="timeout"} 6
        mcp_proxy_upstream_exits_total{reason="stopped"} 5
        mcp_proxy_upstream_exits_total{reason="oom"} 2
        mcp_proxy_upstream_info{server_name="a \\"b\\", c=1",server_version="1.2",protocol_version="2025-11-25"} 1
        mcp_proxy_sessions{state="active"} 2
        mcp_proxy_sessions{state="idle"} 1
        process_start_time_seconds 1000.5
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="a",le="0.1"} 50
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="a",le="0.2"} 50
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="a",le="+Inf"} 50
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="b",le="0.1"} 40
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="b",le="0.2"} 50
        mcp_server_operation_duration_seconds_bucket{mcp_method_name="b",le="+Inf"} 50

        """

    @Test func whatAnInstanceSays() throws {
        let status = InstanceStatus(readiness: #"{"status":"ready"}"#, metrics: metrics, now: 4600.5)
        #expect(status.state == "ready")
        #expect(status.detail == "")
        #expect(status.version == "1.2")
        #expect(status.uptime == 3600)
        #expect(status.restarts == 2)
        #expect(status.sessions == 3)
        #expect(status.requests == 100)
        #expect(status.errors == 6)
        let slow = try #require(status.slowCall)
        #expect(abs(slow - 0.15) < 0.0001)
    }

    @Test func beforeTheFirstCall() {
        let readiness = #"{"status":"crash_loop","reason":"it said \"no\""}"#
        let status = InstanceStatus(readiness: readiness, metrics: "", now: 0)
        #expect(status.state == "crash_loop")
        #expect(status.detail == #"it said "no""#)
        #expect(status.slowCall == nil)
        #expect(status.sessions == nil)
    }

    @Test(arguments: [#"{"status":""}"#, #"{"status":" "}"#, "{\"status\":\"\u{1B}[2J\"}", "<html>", ""])
    func whateverListensThere(readiness: String) throws {
        let metrics = """
            process_start_time_seconds NaN
            mcp_proxy_sessions 1e300
            mcp_proxy_requests_total{outcome="ok"} -Inf
            mcp_server_operation_duration_seconds_bucket{le="1e300"} 5
            mcp_server_operation_duration_seconds_bucket{le="nan"} 5
            mcp_proxy_upstream_info{server_version="1\u{1B}c\u{9B}"} 1

            """
        let status = InstanceStatus(readiness: readiness, metrics: metrics, now: 4600.5)
        let server = try rows()[0].0
        #expect(status.state == "unknown" && status.version == "1c")
        let text = StatusTable.text([(server, status)], width: 10, isColoured: true)
        #expect(text == "NAME  STATE\ntime  \u{1B}[31munknown\u{1B}[0m\n")
    }

    private func rows() throws -> [(Server, InstanceStatus)] {
        let text = """
            servers:
              - { name: time, command: x, port: 1, host: none }
              - { name: sequential-thinking, command: x, port: 2, host: none }
            """
        let servers = try FleetReader.read(text, checkOption: { _, _ in nil }).get().servers
        return [
            (servers[0], InstanceStatus(readiness: #"{"status":"ready"}"#, metrics: metrics, now: 4600.5)),
            (servers[1], .down("nobody answers on 127.0.0.1:6002")),
        ]
    }

    @Test func theTable() throws {
        #expect(
            StatusTable.text(try rows(), width: nil, isColoured: false) == """
                NAME                 STATE  VERSION  UPTIME  RESTARTS  SESSIONS  CALLS  ERRORS    P95  WHY
                time                 ready  1.2       1h 0m         2         3    100       6  150ms
                sequential-thinking  down   -             -         -         -      -       -      -  nobody answers on 127.0.0.1:6002

                """
        )
    }

    @Test(arguments: [
        (120, "NAME STATE VERSION UPTIME RESTARTS SESSIONS CALLS ERRORS P95 WHY"),
        (80, "NAME STATE VERSION UPTIME RESTARTS SESSIONS ERRORS P95"),
        (50, "NAME STATE ERRORS P95"), (10, "NAME STATE"),
    ])
    func aNarrowTerminal(width: Int, columns: String) throws {
        let text = StatusTable.text(try rows(), width: width, isColoured: false)
        let lines = text.split(separator: "\n")
        #expect(lines.first?.split(separator: " ").joined(separator: " ") == columns)
        if width > 10 { #expect(lines.allSatisfy { $0.count <= width }) }
    }

    @Test func colours() throws {
        let lines = StatusTable.text(try rows(), width: nil, isColoured: true).split(separator: "\n")
        #expect(lines[1].contains("\u{1B}[32mready\u{1B}[0m  1.2"))
        #expect(lines[2].contains("\u{1B}[31mdown\u{1B}[0m   -"))
    }
}
