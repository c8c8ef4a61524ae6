// SPDX-License-Identifier: Apache-2.0
// Written by scripts/catalogue.py from metrics.json: edit that, not this.

internal import Prometheus

extension MetricDescription {
    static let serverOperationDuration = MetricDescription(
        name: "mcp_server_operation_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time from a client's complete request to its answer, queueing and the server's work included; "
            + "streams that stay open are not part of it.",
        labels: [
            .init(name: "mcp_method_name", values: Vocabulary.method),
            .init(name: "gen_ai_tool_name", values: nil),
            .init(name: "gen_ai_prompt_name", values: nil),
            .init(name: "error_type", values: Vocabulary.errorType),
            .init(name: "network_transport", values: ["tcp"]),
        ],
        buckets: Buckets.operation,
        scale: .nanoseconds,
        startsEmpty: true
    )
    static let clientOperationDuration = MetricDescription(
        name: "mcp_client_operation_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time from handing a request to the server's stdin to reading its answer.",
        labels: [
            .init(name: "mcp_method_name", values: Vocabulary.method),
            .init(name: "gen_ai_tool_name", values: nil),
            .init(name: "gen_ai_prompt_name", values: nil),
            .init(name: "error_type", values: Vocabulary.errorType),
            .init(name: "network_transport", values: ["pipe"]),
        ],
        buckets: Buckets.operation,
        scale: .nanoseconds,
        startsEmpty: true
    )
    static let overhead = MetricDescription(
        name: "mcp_proxy_overhead_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time the proxy itself took for an answered request: all of it without queueing and without the server.",
        buckets: Buckets.overhead,
        scale: .nanoseconds
    )
    static let queueWait = MetricDescription(
        name: "mcp_proxy_queue_wait_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time a request waited in the queue before it was handed to the server; 0 when it went at once.",
        buckets: Buckets.queue,
        scale: .nanoseconds
    )
    static let requests = MetricDescription(
        name: "mcp_proxy_requests_total",
        kind: .counter,
        help: "Requests of clients that were answered, by method and outcome.",
        labels: [
            .init(name: "mcp_method_name", values: Vocabulary.method),
            .init(name: "outcome", values: Vocabulary.outcome),
        ]
    )
    static let requestsByRevision = MetricDescription(
        name: "mcp_proxy_requests_by_revision_total",
        kind: .counter,
        help: "The same requests by the revision of the protocol their clients speak; 2026-07-28 has no sessions.",
        labels: [.init(name: "mcp_protocol_version", values: Vocabulary.revision)]
    )
    static let parkedCalls = MetricDescription(
        name: "mcp_proxy_parked_calls",
        kind: .gauge,
        help: "Calls whose clients were asked something (input_required) and have not come back with the answer."
    )
    static let oldestParked = MetricDescription(
        name: "mcp_proxy_oldest_parked_call_timestamp_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When the client of the oldest parked call was asked, as Unix time; 0 when there is none."
    )
    static let requestsInFlight = MetricDescription(
        name: "mcp_proxy_requests_inflight",
        kind: .gauge,
        help: "Requests that are with a server and whose clients wait."
    )
    static let requestsInFlightLimit = MetricDescription(
        name: "mcp_proxy_requests_inflight_limit",
        kind: .gauge,
        help: "Requests that one server may work on at a time (--max-in-flight)."
    )
    static let oldestInFlight = MetricDescription(
        name: "mcp_proxy_oldest_inflight_request_timestamp_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When the oldest request that is not answered yet came, as Unix time; 0 when there is none."
    )
    static let requestsRejected = MetricDescription(
        name: "mcp_proxy_requests_rejected_total",
        kind: .counter,
        help: "Requests, messages and connections the proxy refused.",
        labels: [.init(name: "reason", values: Vocabulary.rejectReason)]
    )
    static let queueLength = MetricDescription(
        name: "mcp_proxy_queue_length",
        kind: .gauge,
        help: "Requests that wait to be handed to a server."
    )
    static let queueLimit = MetricDescription(
        name: "mcp_proxy_queue_limit",
        kind: .gauge,
        help: "Requests that may wait for one server (--queue)."
    )
    static let messages = MetricDescription(
        name: "mcp_proxy_messages_total",
        kind: .counter,
        help: "JSON-RPC messages that were passed on or answered, by the side they came from.",
        labels: [
            .init(name: "direction", values: Vocabulary.peer),
            .init(name: "kind", values: ["request", "response", "error", "notification"]),
        ]
    )
    static let messageSize = MetricDescription(
        name: "mcp_proxy_message_size_bytes",
        kind: .histogram,
        unit: "bytes",
        help: "Size of the JSON-RPC messages counted by mcp_proxy_messages_total.",
        labels: [.init(name: "direction", values: Vocabulary.peer)],
        buckets: Buckets.size
    )
    static let protocolErrors = MetricDescription(
        name: "mcp_proxy_protocol_errors_total",
        kind: .counter,
        help: "Rules of the protocol that a peer broke.",
        labels: [
            .init(name: "direction", values: Vocabulary.peer),
            .init(name: "kind", values: Vocabulary.protocolViolation),
        ]
    )
    static let cancellations = MetricDescription(
        name: "mcp_proxy_cancellations_total",
        kind: .counter,
        help: "Requests that were ended before their answer, by who ended them.",
        labels: [.init(name: "initiator", values: Vocabulary.cancelInitiator)]
    )
    static let answersDropped = MetricDescription(
        name: "mcp_proxy_answers_dropped_total",
        kind: .counter,
        help: "Answers of the server that nobody waited for any more."
    )
    static let messagesDropped = MetricDescription(
        name: "mcp_proxy_messages_dropped_total",
        kind: .counter,
        help: "Messages for clients that were dropped because the client opens no stream to take them."
    )
    static let serverRequests = MetricDescription(
        name: "mcp_proxy_server_requests_total",
        kind: .counter,
        help: "Requests of the server to clients that are over.",
        labels: [
            .init(name: "mcp_method_name", values: Vocabulary.serverMethod),
            .init(name: "outcome", values: Vocabulary.serverRequestOutcome),
        ]
    )
    static let serverRequestsOpen = MetricDescription(
        name: "mcp_proxy_server_requests_open",
        kind: .gauge,
        help: "Requests of the server that a client has not answered yet."
    )
    static let httpDuration = MetricDescription(
        name: "http_server_request_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time from the head of an HTTP request to its answer, or to the head of its event stream.",
        labels: [
            .init(name: "http_request_method", values: Vocabulary.httpMethod),
            .init(name: "http_response_status_code", values: Vocabulary.httpStatus),
            .init(name: "http_route", values: Vocabulary.route),
        ],
        buckets: Buckets.operation,
        scale: .nanoseconds,
        startsEmpty: true
    )
    static let connections = MetricDescription(
        name: "mcp_proxy_connections",
        kind: .gauge,
        help: "HTTP connections that are open."
    )
    static let connectionsLimit = MetricDescription(
        name: "mcp_proxy_connections_limit",
        kind: .gauge,
        help: "HTTP connections that may be open on a listener (--max-connections)."
    )
    static let connectionsClosed = MetricDescription(
        name: "mcp_proxy_connections_closed_total",
        kind: .counter,
        help: "HTTP connections that ended, by reason.",
        labels: [.init(name: "reason", values: Vocabulary.connectionEnd)]
    )
    static let unknownHosts = MetricDescription(
        name: "mcp_proxy_unknown_hosts_total",
        kind: .counter,
        help: "Requests let through although their Host is neither loopback nor allowed (--allow-host)."
    )
    static let bufferedBytes = MetricDescription(
        name: "mcp_proxy_buffered_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Bytes kept for clients in all sessions: events for resumption and messages that wait for a stream."
    )
    static let bufferedBytesLimit = MetricDescription(
        name: "mcp_proxy_buffered_limit_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Bytes that may be kept for clients (--max-buffered)."
    )
    static let timeout = MetricDescription(
        name: "mcp_proxy_timeout_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "Configured timeouts; 0 is off.",
        labels: [
            .init(name: "name", values: ["request", "max_request", "client_request", "connection", "session_idle"])
        ]
    )
    static let sessions = MetricDescription(
        name: "mcp_proxy_sessions",
        kind: .gauge,
        help: "Open sessions: initializing, active (a request or a stream is open) or idle.",
        labels: [.init(name: "state", values: ["initializing", "active", "idle"])]
    )
    static let sessionsLimit = MetricDescription(
        name: "mcp_proxy_sessions_limit",
        kind: .gauge,
        help: "Sessions that may be open (--max-sessions)."
    )
    static let sessionsOpened = MetricDescription(
        name: "mcp_proxy_sessions_opened_total",
        kind: .counter,
        help: "Sessions that completed their handshake, by the revision agreed with the client.",
        labels: [
            .init(name: "mcp_protocol_version", values: Vocabulary.revision),
            .init(name: "transport", values: Vocabulary.transport),
        ]
    )
    static let sessionsClosed = MetricDescription(
        name: "mcp_proxy_sessions_closed_total",
        kind: .counter,
        help: "Sessions that ended, by reason.",
        labels: [.init(name: "reason", values: Vocabulary.sessionCloseReason)]
    )
    static let sessionDuration = MetricDescription(
        name: "mcp_server_session_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "How long sessions lasted.",
        buckets: Buckets.session,
        scale: .nanoseconds
    )
    static let oldestUnanswered = MetricDescription(
        name: "mcp_proxy_oldest_unanswered_session_timestamp_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "Of the sessions that wait for an answer, the earliest last sign of life, as Unix time; 0 when "
            + "none waits."
    )
    static let streams = MetricDescription(
        name: "mcp_proxy_streams",
        kind: .gauge,
        help: "Event streams that a connection carries.",
        labels: [.init(name: "kind", values: Vocabulary.streamKind)]
    )
    static let streamsOpened = MetricDescription(
        name: "mcp_proxy_streams_opened_total",
        kind: .counter,
        help: "Event streams that were opened.",
        labels: [.init(name: "kind", values: Vocabulary.streamKind)]
    )
    static let streamsClosed = MetricDescription(
        name: "mcp_proxy_streams_closed_total",
        kind: .counter,
        help: "Event streams that ended, by reason; slow_consumer is a client that does not keep up.",
        labels: [
            .init(name: "kind", values: Vocabulary.streamKind),
            .init(name: "reason", values: Vocabulary.streamEnd),
        ]
    )
    static let streamDuration = MetricDescription(
        name: "mcp_proxy_stream_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "How long a connection carried an event stream.",
        labels: [.init(name: "kind", values: Vocabulary.streamKind)],
        buckets: Buckets.session,
        scale: .nanoseconds
    )
    static let streamEvents = MetricDescription(
        name: "mcp_proxy_stream_events_total",
        kind: .counter,
        help: "Messages sent on event streams, counted when the stream ends.",
        labels: [.init(name: "kind", values: Vocabulary.streamKind)]
    )
    static let streamResumes = MetricDescription(
        name: "mcp_proxy_stream_resumes_total",
        kind: .counter,
        help: "Event streams that a client came back to."
    )
    static let upstreamInfo = MetricDescription(
        name: "mcp_proxy_upstream_info",
        kind: .info,
        help: "The MCP server, as it named itself in its last handshake.",
        labels: [
            .init(name: "server_name", values: nil),
            .init(name: "server_version", values: nil),
            .init(name: "protocol_version", values: nil),
        ]
    )
    static let upstreamUp = MetricDescription(
        name: "mcp_proxy_upstream_up",
        kind: .gauge,
        help: "1 when the MCP server is up and has answered its handshake: what /readyz says."
    )
    static let upstreamDesired = MetricDescription(
        name: "mcp_proxy_upstream_desired",
        kind: .gauge,
        help: "1 while the MCP server should be up, 0 once the proxy is stopping."
    )
    static let upstreamState = MetricDescription(
        name: "mcp_proxy_upstream_state",
        kind: .stateSet,
        help: "What the MCP server is doing, in the words of /readyz.",
        labels: [.init(name: "mcp_proxy_upstream_state", values: Vocabulary.readinessState)]
    )
    static let upstreamProcesses = MetricDescription(
        name: "mcp_proxy_upstream_processes",
        kind: .gauge,
        help: "Processes of the MCP server that run."
    )
    static let upstreamStarts = MetricDescription(
        name: "mcp_proxy_upstream_starts_total",
        kind: .counter,
        help: "Processes of the MCP server that were to be started."
    )
    static let upstreamStartFailures = MetricDescription(
        name: "mcp_proxy_upstream_start_failures_total",
        kind: .counter,
        help: "Starts that ended before the handshake was done, by reason.",
        labels: [.init(name: "reason", values: Vocabulary.exitReason)]
    )
    static let upstreamExits = MetricDescription(
        name: "mcp_proxy_upstream_exits_total",
        kind: .counter,
        help: "Processes of the MCP server that ended or could not be started, by reason; all but stopped are"
            + " failures.",
        labels: [.init(name: "reason", values: Vocabulary.exitReason)]
    )
    static let upstreamLastExitCode = MetricDescription(
        name: "mcp_proxy_upstream_last_exit_code",
        kind: .gauge,
        help: "Exit status of the last process that ended, 128 + the number of the signal that ended it, or "
            + "-1 when it had none."
    )
    static let upstreamLastExit = MetricDescription(
        name: "mcp_proxy_upstream_last_exit_timestamp_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When a process last ended, as Unix time; 0 before that."
    )
    static let upstreamStartTime = MetricDescription(
        name: "mcp_proxy_upstream_start_time_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When the newest process was started, as Unix time."
    )
    static let upstreamStartDuration = MetricDescription(
        name: "mcp_proxy_upstream_start_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time from the start of a process to the end of its handshake: the cold start.",
        buckets: Buckets.start,
        scale: .nanoseconds
    )
    static let upstreamBackoff = MetricDescription(
        name: "mcp_proxy_upstream_restart_backoff_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "How long the supervisor waits before the next start; 0 while a process runs."
    )
    static let upstreamReplacements = MetricDescription(
        name: "mcp_proxy_upstream_replacements_total",
        kind: .counter,
        help: "Replacements of a running MCP server by a new one (SIGUSR2), by outcome.",
        labels: [.init(name: "outcome", values: Vocabulary.success)]
    )
    static let upstreamUnresponsive = MetricDescription(
        name: "mcp_proxy_upstream_unresponsive_total",
        kind: .counter,
        help: "Processes that were ended because they answered no ping while nothing moved."
    )
    static let upstreamProbeSuccess = MetricDescription(
        name: "mcp_proxy_upstream_probe_success",
        kind: .gauge,
        help: "Whether the server answered the last ping that follows a timeout; 1 before the first."
    )
    static let upstreamProbeDuration = MetricDescription(
        name: "mcp_proxy_upstream_probe_duration_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "How long the answer to the last such ping took."
    )
    static let upstreamTakesTurns = MetricDescription(
        name: "mcp_proxy_upstream_takes_turns",
        kind: .gauge,
        help: "1 when the calls of different clients take turns because the server asks clients questions."
    )
    static let upstreamStderrLines = MetricDescription(
        name: "mcp_proxy_upstream_stderr_lines_total",
        kind: .counter,
        help: "Lines the server wrote to stderr that were logged."
    )
    static let upstreamStderrBytes = MetricDescription(
        name: "mcp_proxy_upstream_stderr_bytes_total",
        kind: .counter,
        unit: "bytes",
        help: "Bytes of those lines."
    )
    static let upstreamStderrDropped = MetricDescription(
        name: "mcp_proxy_upstream_stderr_dropped_total",
        kind: .counter,
        help: "Lines of stderr that were left out because the server writes faster than its rate allows."
    )
    static let upstreamLogMessages = MetricDescription(
        name: "mcp_proxy_upstream_log_messages_total",
        kind: .counter,
        help: "Log messages of the server (notifications/message) that belong to no client.",
        labels: [.init(name: "level", values: Vocabulary.logLevel)]
    )
    static let upstreamStdinBlocked = MetricDescription(
        name: "mcp_proxy_upstream_stdin_blocked_seconds_total",
        kind: .counter,
        unit: "seconds",
        help: "Time during which more than 256 KiB waited for a server to read its stdin.",
        scale: .nanoseconds
    )
    static let upstreamStdinBuffered = MetricDescription(
        name: "mcp_proxy_upstream_stdin_buffered_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Bytes that wait for servers to read their stdin, beyond what the pipe holds."
    )
    static let containerInfo = MetricDescription(
        name: "mcp_proxy_container_info",
        kind: .info,
        help: "The image of the newest container: as the command names it, and what that meant when it was started.",
        labels: [
            .init(name: "image", values: nil),
            .init(name: "image_id", values: nil),
            .init(name: "image_digest", values: nil),
        ]
    )
    static let engineUp = MetricDescription(
        name: "mcp_proxy_engine_up",
        kind: .gauge,
        help: "1 when the container engine answered the last question, 0 when it did not or refused the connection.",
        startsEmpty: true
    )
    static let orphanContainers = MetricDescription(
        name: "mcp_proxy_orphan_containers",
        kind: .gauge,
        help: "Containers of this proxy that should be gone and could not be removed yet.",
        startsEmpty: true
    )
    static let containersRemoved = MetricDescription(
        name: "mcp_proxy_containers_removed_total",
        kind: .counter,
        help: "Containers removed at the start because a killed proxy had left them behind."
    )
    static let imagePulls = MetricDescription(
        name: "mcp_proxy_image_pulls_total",
        kind: .counter,
        help: "Pulls of the image before a start, by outcome.",
        labels: [.init(name: "outcome", values: Vocabulary.success)]
    )
    static let imagePullDuration = MetricDescription(
        name: "mcp_proxy_image_pull_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time that successful pulls took.",
        buckets: Buckets.pull,
        scale: .nanoseconds
    )
    static let events = MetricDescription(
        name: "mcp_proxy_events_total",
        kind: .counter,
        help: "Events of the proxy by kind: each is at most one entry of the log.",
        labels: [.init(name: "event", values: Vocabulary.event)]
    )
    static let journalUp = MetricDescription(
        name: "mcp_proxy_journal_up",
        kind: .gauge,
        help: "1 when journald takes entries, 0 when it is absent, refuses or has not read for a second; "
            + "absent when the log goes elsewhere."
    )
    static let journalEvents = MetricDescription(
        name: "mcp_proxy_journal_events_total",
        kind: .counter,
        help: "Entries numbered for the journal (MCP_SEQ), by priority; those dropped afterwards are counted "
            + "by mcp_proxy_journal_events_dropped_total.",
        labels: [.init(name: "priority", values: ["2", "3", "4", "5", "6", "7"])]
    )
    static let journalDropped = MetricDescription(
        name: "mcp_proxy_journal_events_dropped_total",
        kind: .counter,
        help: "Numbered entries that did not reach the journal, by reason.",
        labels: [.init(name: "reason", values: ["buffer_full", "send_error", "no_journald", "oversize"])]
    )
    static let journalSuppressed = MetricDescription(
        name: "mcp_proxy_journal_events_suppressed_total",
        kind: .counter,
        help: "Events left out of the journal by the rate limit, by kind.",
        labels: [.init(name: "event", values: Vocabulary.event)]
    )
    static let journalQueue = MetricDescription(
        name: "mcp_proxy_journal_queue_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Bytes of entries that wait for journald."
    )
    static let journalSendDuration = MetricDescription(
        name: "mcp_proxy_journal_send_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "How long sending one entry to journald took, on the thread that does nothing else.",
        buckets: Buckets.overhead,
        scale: .nanoseconds
    )
    static let logLinesDropped = MetricDescription(
        name: "mcp_proxy_log_lines_dropped_total",
        kind: .counter,
        help: "Lines of the log on stderr that were dropped because stderr is read too slowly, or not at all."
    )
    static let spansExported = MetricDescription(
        name: "mcp_proxy_trace_spans_exported_total",
        kind: .counter,
        help: "Spans that a collector accepted."
    )
    static let spansDropped = MetricDescription(
        name: "mcp_proxy_trace_spans_dropped_total",
        kind: .counter,
        help: "Spans that were dropped, by reason.",
        labels: [.init(name: "reason", values: ["queue_full", "send_failed", "rejected"])]
    )
    static let spanQueue = MetricDescription(
        name: "mcp_proxy_trace_queue_spans",
        kind: .gauge,
        help: "Spans that wait to be sent to the collector."
    )
    static let exportFailures = MetricDescription(
        name: "mcp_proxy_trace_export_failures_total",
        kind: .counter,
        help: "Attempts to send spans to the collector that did not go as they should, by reason.",
        labels: [.init(name: "reason", values: Vocabulary.exportFailure)]
    )
    static let metricSeries = MetricDescription(
        name: "mcp_proxy_metric_series",
        kind: .gauge,
        help: "Time series this page shows."
    )
    static let labelOverflow = MetricDescription(
        name: "mcp_proxy_metric_label_overflow_total",
        kind: .counter,
        help: "Label sets that became _OTHER because their metric has too many series.",
        labels: [.init(name: "metric", values: nil)]
    )
    static let scrapes = MetricDescription(
        name: "mcp_proxy_scrapes_total",
        kind: .counter,
        help: "Scrapes of this page that were answered."
    )
    static let scrapeDuration = MetricDescription(
        name: "mcp_proxy_scrape_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "Time to answer a scrape, compression included.",
        buckets: Buckets.overhead,
        scale: .nanoseconds
    )
    static let scrapeSize = MetricDescription(
        name: "mcp_proxy_scrape_size_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Size of the last page before compression."
    )
    static let eventLoopTick = MetricDescription(
        name: "mcp_proxy_event_loop_tick_duration_seconds",
        kind: .histogram,
        unit: "seconds",
        help: "How long the event loop was busy in one round: for that long, everything else waits.",
        buckets: Buckets.overhead,
        scale: .nanoseconds
    )
    static let reloadSuccessful = MetricDescription(
        name: "mcp_proxy_config_last_reload_successful",
        kind: .gauge,
        help: "1 when the last reload of the configuration (SIGHUP) was applied; 1 before the first."
    )
    static let reloadTimestamp = MetricDescription(
        name: "mcp_proxy_config_last_reload_success_timestamp_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When the configuration in use was read, as Unix time."
    )
    static let buildInfo = MetricDescription(
        name: "mcp_proxy_build_info",
        kind: .info,
        help: "The version of the proxy and what it was built with and for.",
        labels: [
            .init(name: "version", values: nil),
            .init(name: "swift_version", values: nil),
            .init(name: "os", values: nil),
            .init(name: "arch", values: nil),
        ]
    )
    static let instanceInfo = MetricDescription(
        name: "mcp_proxy_instance_info",
        kind: .info,
        help: "The name of this instance (--name) and its systemd unit; unit is empty outside one.",
        labels: [.init(name: "name", values: nil), .init(name: "unit", values: nil)]
    )
    static let processCPU = MetricDescription(
        name: "process_cpu_seconds_total",
        kind: .counter,
        unit: "seconds",
        help: "CPU time the proxy has taken.",
        scale: .nanoseconds
    )
    static let processOpenFDs = MetricDescription(
        name: "process_open_fds",
        kind: .gauge,
        help: "File descriptors that are open."
    )
    static let processMaxFDs = MetricDescription(
        name: "process_max_fds",
        kind: .gauge,
        help: "File descriptors that may be open."
    )
    static let processVirtual = MetricDescription(
        name: "process_virtual_memory_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Virtual memory."
    )
    static let processVirtualMax = MetricDescription(
        name: "process_virtual_memory_max_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Virtual memory that may be taken; absent when there is no limit."
    )
    static let processResident = MetricDescription(
        name: "process_resident_memory_bytes",
        kind: .gauge,
        unit: "bytes",
        help: "Resident memory."
    )
    static let processStart = MetricDescription(
        name: "process_start_time_seconds",
        kind: .gauge,
        unit: "seconds",
        help: "When the proxy was started, as Unix time."
    )
    static let processThreads = MetricDescription(
        name: "process_threads",
        kind: .gauge,
        help: "Threads of the proxy."
    )

    /// All of them, in the order of the documentation.
    static let catalogue: [MetricDescription] = [
        serverOperationDuration, clientOperationDuration, overhead, queueWait, requests, requestsByRevision,
        parkedCalls, oldestParked, requestsInFlight, requestsInFlightLimit, oldestInFlight, requestsRejected,
        queueLength, queueLimit, messages, messageSize, protocolErrors, cancellations, answersDropped, messagesDropped,
        serverRequests, serverRequestsOpen, httpDuration, connections, connectionsLimit, connectionsClosed,
        unknownHosts, bufferedBytes, bufferedBytesLimit, timeout, sessions, sessionsLimit, sessionsOpened,
        sessionsClosed, sessionDuration, oldestUnanswered, streams, streamsOpened, streamsClosed, streamDuration,
        streamEvents, streamResumes, upstreamInfo, upstreamUp, upstreamDesired, upstreamState, upstreamProcesses,
        upstreamStarts, upstreamStartFailures, upstreamExits, upstreamLastExitCode, upstreamLastExit, upstreamStartTime,
        upstreamStartDuration, upstreamBackoff, upstreamReplacements, upstreamUnresponsive, upstreamProbeSuccess,
        upstreamProbeDuration, upstreamTakesTurns, upstreamStderrLines, upstreamStderrBytes, upstreamStderrDropped,
        upstreamLogMessages, upstreamStdinBlocked, upstreamStdinBuffered, containerInfo, engineUp, orphanContainers,
        containersRemoved, imagePulls, imagePullDuration, events, journalUp, journalEvents, journalDropped,
        journalSuppressed, journalQueue, journalSendDuration, logLinesDropped, spansExported, spansDropped, spanQueue,
        exportFailures, metricSeries, labelOverflow, scrapes, scrapeDuration, scrapeSize, eventLoopTick,
        reloadSuccessful, reloadTimestamp, buildInfo, instanceInfo, processCPU, processOpenFDs, processMaxFDs,
        processVirtual, processVirtualMax, processResident, processStart, processThreads,
    ]
}

/// The closed sets of label values.
private enum Vocabulary {
    static let event = EventKind.allCases.map(\.rawValue)
    static let outcome = [
        "ok", "tool_error", "input_required", "client_error", "server_error", "timeout", "upstream_lost", "rejected",
        "cancelled",
    ]
    static let rejectReason = [
        "queue_full", "session_limit", "connection_limit", "overloaded", "upstream_down", "shutting_down",
        "body_too_large", "slow_request", "bad_host", "bad_origin", "bad_header", "bad_message", "unknown_session",
        "unsupported_version", "not_found", "forbidden_task",
    ]
    static let success = ["ok", "failed"]
    static let exitReason = [
        "stopped", "exit", "signal", "oom", "stdout_closed", "unresponsive", "handshake_failed", "spawn_failed",
        "engine",
    ]
    static let sessionCloseReason = [
        "client_delete", "idle_timeout", "stream_closed", "upstream_changed", "initialize_failed", "stateless",
        "shutdown",
    ]
    static let protocolViolation = [
        "invalid_json", "not_jsonrpc", "duplicate_member", "oversize", "stdin_not_read", "unmatched_id", "late_answer",
        "undeclared_request", "ambiguous_request", "ambiguous_notification", "unknown_progress_token",
    ]
    static let peer = ["from_client", "from_server"]
    static let transport = ["streamable_http", "sse"]
    static let streamKind = ["get", "post", "sse", "listen"]
    static let streamEnd = ["finished", "client_gone", "replaced", "slow_consumer", "session_ended"]
    static let cancelInitiator = ["client", "proxy"]
    static let serverRequestOutcome = [
        "answered", "undeclared", "ambiguous", "no_session", "timeout", "cancelled", "session_ended", "upstream_lost",
    ]
    static let connectionEnd = ["client", "server", "idle_timeout", "slow_consumer", "too_much_input", "error"]
    static let httpMethod = ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "_OTHER"]
    static let route = ["mcp", "sse", "messages", "health", "ready", "metrics", "other"]
    static let httpStatus = [
        "200", "202", "204", "400", "403", "404", "405", "406", "408", "413", "415", "431", "500", "503", "_OTHER",
    ]
    static let revision = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
    static let logLevel = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "_OTHER"]
    static let method = [
        "initialize", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list",
        "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
        "completion/complete", "logging/setLevel", "tasks/get", "tasks/result", "tasks/list", "tasks/cancel",
        "server/discover", "subscriptions/listen", "_OTHER",
    ]
    static let serverMethod = [
        "sampling/createMessage", "elicitation/create", "roots/list", "tasks/get", "tasks/result", "tasks/list",
        "tasks/cancel", "_OTHER",
    ]
    static let errorType = [
        "", "-32700", "-32600", "-32601", "-32602", "-32603", "-32000", "-32001", "-32002", "-32042", "tool_error",
        "timeout", "cancelled", "upstream_lost", "rejected", "_OTHER",
    ]
    static let readinessState = ["pulling", "starting", "ready", "restarting", "crash_loop", "stopping"]
    static let exportFailure = [
        "unreachable", "timeout", "connection_closed", "bad_response", "throttled", "unavailable", "unauthorized",
        "not_found", "refused", "rejected_spans",
    ]
}

/// Upper bounds of histograms, in the unit of the metric.
private enum Buckets {
    static let operation: [Double] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300,
    ]
    static let overhead: [Double] = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25]
    static let queue: [Double] = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300]
    static let session: [Double] = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400]
    static let pull: [Double] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800]
    static let start: [Double] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
    static let size: [Double] = [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216]
}
