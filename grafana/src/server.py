# SPDX-License-Identifier: Apache-2.0
"""One server: what its clients see, whose fault it is, and what is near its limit."""

from grafana_foundation_sdk.models import units

import alert_rules
import queries
from board import alerts_table, board
from fleet import EXITS, FAILED_STARTS, REQUESTS, UNASKED, budget_colors
from panels import (
    BAD,
    CLEAR,
    GOOD,
    NOTE,
    OFF,
    OUTCOMES,
    STATES,
    WARN,
    Column,
    graph,
    heat,
    now,
    number,
    query,
    row_of,
    steps,
    table,
    timeline,
)
from queries import (
    ELIGIBLE,
    FAILED,
    TOOL_CALL,
    age,
    count,
    increase,
    known,
    mean,
    named,
    quantile,
    rate,
    select,
    share,
    total,
)

OPERATION, CLIENT = "mcp_server_operation_duration_seconds", "mcp_client_operation_duration_seconds"
QUEUE, OVERHEAD = "mcp_proxy_queue_wait_seconds", "mcp_proxy_overhead_seconds"
TOOL = ("gen_ai_tool_name",)
BY_TOOL = "{{name}} {{gen_ai_tool_name}}"
# What the alert about failing tools counts, and that with calls that were lost with the server.
TOOL_FAILED = 'error_type=~"tool_error|timeout|-32603"'
NO_ANSWER = 'error_type=~"tool_error|timeout|-32603|upstream_lost"'
# Whose time it is.
BLAME = {".* queue": "orange", ".* server": "blue", ".* proxy": "green"}


def gauge(metric, *matchers):
    return query(named(select(metric, *matchers)))


def level(title, text, unit, metric, limit, what, shows, runbook=None, alert_share=None, more=None):
    """A gauge and its limit; the line of the alert is a share of it."""
    asked = [
        query(named(total(select(metric), ())), "{{name}} " + what),
        query(named(select(limit)), "{{name}} limit"),
    ]
    if alert_share:
        asked.append(query(named(f"{alert_share} * {select(limit)}"), "{{name}} alert"))
    if more:
        asked.append(more)
    colors = {".* limit": BAD, ".* alert": WARN}
    runbooks = (runbook,) if runbook else ()
    return small(title, text, unit, *asked, shows=shows, colors=colors, runbooks=runbooks, calcs=("lastNotNull", "max"))


def small(*arguments, **options):
    """A graph of which three stand in a row."""
    return graph(*arguments, **{"width": 8, "height": 7, **options})


def summary():
    failing = share(increase(REQUESTS, FAILED), increase(REQUESTS, ELIGIBLE))
    return [
        number(
            "State",
            "What the MCP server is doing now.",
            units.NoUnit,
            now(known(queries.state())),
            shows=("healthy", "crash", "down"),
            mapping=STATES,
            width=4,
            runbooks=("McpServerNotReady", "McpProxyDown"),
        ),
        number(
            "Requests",
            "Requests in the chosen time.",
            units.Short,
            now(known(increase(REQUESTS))),
            shows=("healthy", "sparse"),
            width=4,
        ),
        number(
            "Failing",
            "Share of the requests in the chosen time that got no answer from the server.",
            units.PercentUnit,
            now(known(failing)),
            shows=("healthy", "crash"),
            width=4,
            decimals=1,
            colors=budget_colors(),
            runbooks=("McpErrorBudgetBurn", "McpRequestsFailing"),
        ),
        number(
            "p95",
            "The time within which 19 of 20 requests of the chosen time were answered.",
            units.Seconds,
            now(known(quantile(0.95, OPERATION, window="$__range"))),
            shows=("healthy", "slow"),
            width=4,
            colors=steps((alert_rules.slow("instance:mcp_proxy_requests_slow:increase5m"), WARN)),
            runbooks=("McpLatencyBudgetBurn",),
        ),
        number(
            "Ends of the server",
            "How often the MCP server ended unasked in the chosen time, failed starts included.",
            units.NoUnit,
            now(known(increase(EXITS, UNASKED))),
            shows=("healthy", "crash"),
            width=4,
            colors=steps((alert_rules.threshold("McpServerCrashed"), WARN)),
            runbooks=("McpServerCrashed",),
        ),
        number(
            "Uptime of the server",
            "Since when the newest process of the MCP server runs.",
            units.Seconds,
            now(named(f"{age('mcp_proxy_upstream_start_time_seconds')} and {select('mcp_proxy_upstream_up')} == 1")),
            shows="healthy",
            width=4,
        ),
    ]


def golden():
    return [
        graph(
            "Requests by outcome",
            "All requests, by how they ended. A tool that says that it failed (tool_error) has answered.",
            units.RequestsPerSecond,
            query(named(f"{rate(REQUESTS, by=('outcome',))} > 0"), "{{name}} {{outcome}}"),
            shows=("healthy", "crash", "overload", "slow"),
            stacked=True,
            bars=True,
            colors={f".* {outcome}": color for outcome, color in OUTCOMES.items()},
            runbooks=("McpErrorBudgetBurn", "McpRequestsFailing"),
        ),
        graph(
            "Time to answer",
            "How long clients wait, queueing included: half of the requests less than p50, 19 of 20 less than p95. "
            "Points are calls that have a trace.",
            units.Seconds,
            *(
                query(named(quantile(q, OPERATION)), f"{{{{name}}}} p{int(q * 100)}", exemplars=q == 0.99)
                for q in (0.5, 0.95, 0.99)
            ),
            shows=("healthy", "slow"),
            lines=((alert_rules.slow("instance:mcp_proxy_requests_slow:increase5m"), WARN),),
            colors={".* p50": NOTE, ".* p95": WARN, ".* p99": BAD},
            runbooks=("McpLatencyBudgetBurn",),
        ),
        heat(
            "Time to answer, all requests",
            "How many requests took how long. A second band far above the first is a tool of its own kind, or a queue.",
            units.Seconds,
            query(
                f"sum by (le) (increase({select(f'{OPERATION}_bucket')}[$__rate_interval]))",
                "{{le}}",
                form="heatmap",
                exemplars=True,
            ),
            shows=("healthy", "slow"),
        ),
        graph(
            "Requests by method",
            "What clients ask for.",
            units.RequestsPerSecond,
            query(named(f"{rate(REQUESTS, by=('mcp_method_name',))} > 0"), "{{name}} {{mcp_method_name}}"),
            shows="healthy",
            stacked=True,
            bars=True,
        ),
    ]


def blame():
    parts = ((QUEUE, "queue"), (CLIENT, "server"), (OVERHEAD, "proxy"))
    return [
        graph(
            "Where the time goes: the average call",
            "Means of the three parts of a call, which add up: waiting for its turn, the server itself, the proxy.",
            units.Seconds,
            *(query(named(mean(metric)), f"{{{{name}}}} {part}") for metric, part in parts),
            shows=("healthy", "overload", "slow"),
            stacked=True,
            colors=BLAME,
            runbooks=("McpToolSlow", "McpQueueSaturated", "McpProxyOverheadHigh"),
        ),
        graph(
            "Where the time goes: slow calls",
            "The same for slow calls (p95 of each part; these do not add up).",
            units.Seconds,
            *(query(named(quantile(0.95, metric)), f"{{{{name}}}} {part}") for metric, part in parts),
            shows=("healthy", "overload", "slow"),
            stacked=True,
            colors=BLAME,
            runbooks=("McpToolSlow", "McpQueueSaturated", "McpProxyOverheadHigh"),
        ),
    ]


def tools():
    calls = count(f"{OPERATION}_count", TOOL_CALL, by=TOOL)
    failed = count(f"{OPERATION}_count", TOOL_CALL, NO_ANSWER, by=TOOL)
    limit, ratio = alert_rules.slow("instance_tool:mcp_tool_calls_slow:increase1h"), alert_rules.share("McpToolFailing")
    all_calls = rate(f"{OPERATION}_count", TOOL_CALL, by=TOOL)
    # A tool that never failed has no series of failures.
    failures = f"({rate(f'{OPERATION}_count', TOOL_CALL, TOOL_FAILED, by=TOOL)}\nor {all_calls} * 0)"
    return [
        small(
            "Calls by tool",
            "How often each tool is called.",
            units.RequestsPerSecond,
            query(named(f"{all_calls} > 0"), BY_TOOL),
            shows=("healthy", "crash"),
            stacked=True,
            bars=True,
        ),
        small(
            "Failing calls by tool",
            "Share of the calls that failed: the tool said so, it took too long, or an error of the server.",
            units.PercentUnit,
            query(named(share(failures, all_calls)), BY_TOOL),
            shows=("healthy", "crash"),
            top=1,
            lines=((ratio, WARN),),
            runbooks=("McpToolFailing",),
        ),
        small(
            "Slow calls by tool",
            "p95 of the time each tool takes in the server itself, without queueing.",
            units.Seconds,
            query(named(quantile(0.95, CLIENT, TOOL_CALL, by=TOOL)), BY_TOOL, exemplars=True),
            shows=("healthy", "slow"),
            lines=((limit, WARN),),
            runbooks=("McpToolSlow",),
        ),
        table(
            "Tools",
            "Counts of the chosen time; also right for a tool that is called once a day. Failed are also calls that "
            "were lost because the server ended.",
            row_of(known(calls)),
            row_of(known(f"{failed}\nor {calls} * 0")),
            row_of(known(quantile(0.5, CLIENT, TOOL_CALL, by=TOOL, window="$__range"))),
            row_of(known(quantile(0.95, CLIENT, TOOL_CALL, by=TOOL, window="$__range"))),
            columns=[
                Column("name", "Server", width=140),
                Column("gen_ai_tool_name", "Tool"),
                Column("A", "Calls", units.Short),
                Column("B", "Failed", units.Short),
                Column("C", "p50", units.Seconds),
                Column("D", "p95", units.Seconds, colors=steps((limit, WARN), base=CLEAR)),
            ],
            dropped=("job", "instance"),
            sort="Calls",
            shows=("healthy", "sparse", "slow"),
            height=8,
            runbooks=("McpToolSlow", "McpToolFailing"),
        ),
    ]


def sessions():
    opened = rate("mcp_proxy_sessions_opened_total", by=("mcp_protocol_version", "transport"))
    return [
        level(
            "Sessions",
            "Open sessions, all and those that are in use, and how many there may be.",
            units.Short,
            "mcp_proxy_sessions",
            "mcp_proxy_sessions_limit",
            "open",
            "healthy",
            "McpSessionsNearLimit",
            alert_rules.threshold("McpSessionsNearLimit"),
            more=query(named(select("mcp_proxy_sessions", 'state="active"')), "{{name}} active"),
        ),
        small(
            "Sessions opened",
            "By the revision of the protocol agreed on, and the transport.",
            units.CountsPerSecond,
            query(named(f"{opened} > 0"), "{{name}} {{mcp_protocol_version}} {{transport}}"),
            shows="healthy",
            stacked=True,
            bars=True,
        ),
        small(
            "Sessions closed",
            "By reason: idle_timeout are clients that left without a word.",
            units.CountsPerSecond,
            query(named(f"{rate('mcp_proxy_sessions_closed_total', by=('reason',))} > 0"), "{{name}} {{reason}}"),
            shows="healthy",
            stacked=True,
            bars=True,
        ),
        small(
            "Open streams",
            "Event streams that a connection carries, by kind.",
            units.Short,
            query(named(select("mcp_proxy_streams")), "{{name}} {{kind}}"),
            shows="healthy",
            stacked=True,
        ),
        small(
            "Streams closed",
            "By reason: slow_consumer is a client that does not keep up.",
            units.CountsPerSecond,
            query(named(f"{rate('mcp_proxy_streams_closed_total', by=('reason',))} > 0"), "{{name}} {{reason}}"),
            shows="healthy",
            stacked=True,
            bars=True,
        ),
        small(
            "Questions of the server to clients",
            "Requests of the server that are over, by outcome, and those still open.",
            units.Short,
            query(
                named(f"{increase('mcp_proxy_server_requests_total', by=('outcome',), window='$__rate_interval')} > 0"),
                "{{name}} {{outcome}}",
            ),
            query(named(select("mcp_proxy_server_requests_open")), "{{name}} open"),
            shows="healthy",
            runbooks=("McpSessionStuck",),
        ),
        small(
            "Silence of waiting sessions",
            "Of the sessions that wait for an answer, or are asked for one: how long the most silent one has been so.",
            units.Seconds,
            query(
                named(
                    f"{age('mcp_proxy_oldest_unanswered_session_timestamp_seconds')}\n"
                    f"or {select('mcp_proxy_server_requests_open')} * 0"
                )
            ),
            shows=("healthy", "slow"),
            runbooks=("McpSessionStuck",),
        ),
        small(
            "Answers nobody waited for",
            "Messages that were thrown away: answers too late, and what a client without a stream can't get.",
            units.Short,
            query(named(increase("mcp_proxy_answers_dropped_total", window="$__rate_interval")), "{{name}} answers"),
            query(named(increase("mcp_proxy_messages_dropped_total", window="$__rate_interval")), "{{name}} messages"),
            shows="healthy",
        ),
    ]


def lifecycle():
    ends = increase(EXITS, by=("reason",), window="$__rate_interval")
    violations = increase(
        "mcp_proxy_protocol_errors_total", 'direction="from_server"', by=("kind",), window="$__rate_interval"
    )
    return [
        timeline(
            "State of the server",
            "What the MCP server was doing.",
            query(known(queries.state())),
            mapping=STATES,
            shows=("healthy", "crash", "down"),
            height=4,
            runbooks=("McpServerNotReady", "McpServerStartFailing"),
        ),
        small(
            "Ends by reason",
            "Processes that ended or could not be started, by reason; all but stopped are failures.",
            units.Short,
            query(named(f"{ends} > 0"), "{{name}} {{reason}}"),
            shows="crash",
            bars=True,
            stacked=True,
            colors={".* stopped": OFF},
            runbooks=("McpServerCrashed", "McpServerCrashLooping", "McpServerOomKilled"),
            calcs=("max",),
        ),
        small(
            "Starts",
            "Processes that were started, and those that ended before they were ready.",
            units.Short,
            query(named(increase("mcp_proxy_upstream_starts_total", window="$__rate_interval")), "{{name}} starts"),
            query(named(increase(FAILED_STARTS, UNASKED, window="$__rate_interval")), "{{name}} failed"),
            shows="crash",
            colors={".* failed": BAD},
            runbooks=("McpServerStartFailing",),
            calcs=("max",),
        ),
        small(
            "Pause before the next start",
            "How long the supervisor waits; it grows while starts fail.",
            units.Seconds,
            gauge("mcp_proxy_upstream_restart_backoff_seconds"),
            shows="crash",
            runbooks=("McpServerCrashLooping",),
            calcs=("lastNotNull", "max"),
        ),
        number(
            "Last exit status",
            "Of the process that ended last; 128 and more is a signal, -1 is none. The runbook has a table.",
            units.NoUnit,
            now(
                named(
                    f"{select('mcp_proxy_upstream_last_exit_code')}\n"
                    f"and {select('mcp_proxy_upstream_last_exit_timestamp_seconds')} > 0"
                )
            ),
            shows="crash",
            width=6,
            height=3,
            background=False,
            empty="never ended",
            runbooks=("McpServerCrashed",),
        ),
        number(
            "Last end",
            "How long ago a process of the server ended.",
            units.Seconds,
            now(named(age("mcp_proxy_upstream_last_exit_timestamp_seconds"))),
            shows="crash",
            width=6,
            height=3,
            background=False,
            empty="never ended",
            runbooks=("McpServerCrashed",),
        ),
        number(
            "Hung servers",
            "Processes of the chosen time that were ended because they answered no ping.",
            units.NoUnit,
            now(known(increase("mcp_proxy_upstream_unresponsive_total"))),
            shows=("healthy", "crash"),
            width=6,
            height=3,
            colors=steps((1, WARN)),
            runbooks=("McpServerUnresponsive",),
        ),
        number(
            "Cold start",
            "Average time from the start of a process to its first answer, in the chosen time.",
            units.Seconds,
            now(
                known(
                    share(
                        increase_sum("mcp_proxy_upstream_start_duration_seconds_sum"),
                        increase_sum("mcp_proxy_upstream_start_duration_seconds_count"),
                    )
                )
            ),
            shows="crash",
            width=6,
            height=3,
            background=False,
        ),
        number(
            "Container engine",
            "Whether the engine that runs the server in a container answered the last question.",
            units.NoUnit,
            now(known(select("mcp_proxy_engine_up"))),
            shows="healthy",
            width=12,
            height=3,
            mapping={1: ("Up", GOOD), 0: ("Away", BAD)},
            empty="no container",
            runbooks=("McpEngineUnavailable",),
        ),
        number(
            "Containers that can't be removed",
            "They should be gone, and are tried again every 30 seconds.",
            units.NoUnit,
            now(known(select("mcp_proxy_orphan_containers"))),
            shows="healthy",
            width=12,
            height=3,
            colors=steps((1, WARN)),
            empty="no container",
            runbooks=("McpOrphanContainers",),
        ),
        small(
            "Stderr of the server",
            "Lines that were logged, and those left out because there were too many.",
            units.CountsPerSecond,
            query(named(rate("mcp_proxy_upstream_stderr_lines_total")), "{{name}} lines"),
            query(named(rate("mcp_proxy_upstream_stderr_dropped_total")), "{{name}} left out"),
            shows="healthy",
            colors={".* left out": WARN},
        ),
        small(
            "Broken rules of the protocol",
            "What the server wrote that is not MCP, by kind; the journal has the line.",
            units.Short,
            query(named(f"{violations} > 0"), "{{name}} {{kind}}"),
            shows="crash",
            bars=True,
            stacked=True,
            runbooks=("McpServerProtocolViolations",),
            calcs=("max",),
        ),
    ]


def increase_sum(metric):
    """A sum of seconds must not be rounded to whole ones."""
    return total(f"increase({select(metric)}[$__range])", ())


def saturation():
    refused = rate("mcp_proxy_requests_rejected_total", by=("reason",))
    half = alert_rules.threshold("McpStdinBackpressure")
    return [
        level(
            "Requests with the server",
            "Requests the server works on, and how many it may work on at a time (--max-in-flight).",
            units.Short,
            "mcp_proxy_requests_inflight",
            "mcp_proxy_requests_inflight_limit",
            "in flight",
            ("healthy", "overload"),
        ),
        level(
            "Queue",
            "Requests that wait for the server, and how many may wait (--queue).",
            units.Short,
            "mcp_proxy_queue_length",
            "mcp_proxy_queue_limit",
            "waiting",
            ("healthy", "overload"),
            "McpQueueSaturated",
            alert_rules.threshold("McpQueueSaturated"),
        ),
        small(
            "Refused",
            "What the proxy refused, by reason. queue_full and the limits are too much load.",
            units.RequestsPerSecond,
            query(named(f"{refused} > 0"), "{{name}} {{reason}}"),
            shows=("overload", "crash"),
            bars=True,
            stacked=True,
            runbooks=("McpRequestsRejected",),
        ),
        small(
            "Wait in the queue",
            "p95 of the time a request waited for its turn.",
            units.Seconds,
            query(named(quantile(0.95, QUEUE))),
            shows=("healthy", "overload"),
            runbooks=("McpQueueSaturated",),
        ),
        small(
            "Age of the oldest request",
            "How long the oldest unanswered request has been waiting, and when it is ended (--request-timeout).",
            units.Seconds,
            query(
                named(
                    f"{age('mcp_proxy_oldest_inflight_request_timestamp_seconds')}\n"
                    f"or {select('mcp_proxy_requests_inflight')} * 0"
                ),
                "{{name}} oldest",
            ),
            query(named(total(select("mcp_proxy_timeout_seconds", 'name="request"') + " > 0", ())), "{{name}} timeout"),
            shows=("healthy", "slow"),
            colors={".* timeout": BAD},
            runbooks=("McpRequestStuck",),
        ),
        small(
            "Blocked stdin",
            "Share of the time in which the server left more than 256 KiB unread.",
            units.PercentUnit,
            query(named(rate("mcp_proxy_upstream_stdin_blocked_seconds_total"))),
            shows="healthy",
            top=1,
            lines=((half, WARN),),
            runbooks=("McpStdinBackpressure",),
        ),
        level(
            "Kept for clients",
            "Bytes kept for resumption and for streams, and how many there may be (--max-buffered).",
            units.BytesIEC,
            "mcp_proxy_buffered_bytes",
            "mcp_proxy_buffered_limit_bytes",
            "kept",
            "healthy",
        ),
        level(
            "Connections",
            "HTTP connections, and how many there may be on a listener (--max-connections).",
            units.Short,
            "mcp_proxy_connections",
            "mcp_proxy_connections_limit",
            "open",
            "healthy",
            "McpRequestsRejected",
        ),
        small(
            "Size of messages",
            "p95 of the size of messages, by the side they come from.",
            units.BytesIEC,
            query(named(quantile(0.95, "mcp_proxy_message_size_bytes", by=("direction",))), "{{name}} {{direction}}"),
            shows="healthy",
        ),
    ]


def process():
    overhead = alert_rules.threshold("McpProxyOverheadHigh")
    return [
        small(
            "CPU of the proxy",
            "Share of one core the proxy itself takes, without the server.",
            units.PercentUnit,
            query(named(rate("process_cpu_seconds_total"))),
            shows="healthy",
        ),
        small(
            "Memory of the proxy",
            "Resident memory of the proxy itself, without the server.",
            units.BytesIEC,
            gauge("process_resident_memory_bytes"),
            shows="healthy",
            runbooks=("McpProxyMemoryGrowing",),
        ),
        level(
            "File descriptors",
            "Open file descriptors, and how many there may be.",
            units.Short,
            "process_open_fds",
            "process_max_fds",
            "open",
            "healthy",
            "McpProxyFileDescriptorsNearLimit",
            alert_rules.threshold("McpProxyFileDescriptorsNearLimit"),
        ),
        small(
            "Threads of the proxy",
            "It has a few, whatever the load.",
            units.Short,
            gauge("process_threads"),
            shows="healthy",
        ),
        small(
            "Overhead of the proxy",
            "p99 of the time the proxy itself takes for a request.",
            units.Seconds,
            query(named(quantile(0.99, OVERHEAD)), exemplars=True),
            shows="healthy",
            lines=((overhead, WARN),),
            runbooks=("McpProxyOverheadHigh",),
        ),
        small(
            "Event loop",
            "p99 of how long the event loop was busy in one round: for that long, everything else waits.",
            units.Seconds,
            query(named(quantile(0.99, "mcp_proxy_event_loop_tick_duration_seconds"))),
            shows="healthy",
            runbooks=("McpProxyOverheadHigh",),
        ),
    ]


def server():
    return board(
        "mcp-proxy-server",
        "MCP servers: one server",
        "One MCP server and its proxy: choose it above.",
        [
            (None, summary()),
            (None, [alerts_table(("crash", "overload", "slow"), queries.VARIABLES, height=5)]),
            ("Golden signals", golden()),
            ("Blame: server, queue or proxy", blame()),
            ("Tools", tools()),
            ("Sessions and streams", sessions()),
            ("Lifecycle of the server", lifecycle()),
            ("Saturation", saturation()),
            ("Process of the proxy", process()),
        ],
    )
