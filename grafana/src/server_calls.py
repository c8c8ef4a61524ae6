# SPDX-License-Identifier: Apache-2.0
"""The calls of one server: what clients see, whose time it is, and which tool it is."""

from grafana_foundation_sdk.models import units

import alert_rules
from fleet import REQUESTS
from panels import BAD, CLEAR, NOTE, OUTCOMES, WARN, Column, graph, heat, query, row_of, small, steps, table
from queries import TOOL_CALL, count, known, mean, named, quantile, rate, select, share

OPERATION, CLIENT = "mcp_server_operation_duration_seconds", "mcp_client_operation_duration_seconds"
QUEUE, OVERHEAD = "mcp_proxy_queue_wait_seconds", "mcp_proxy_overhead_seconds"
TOOL = ("gen_ai_tool_name",)
BY_TOOL = "{{name}} {{gen_ai_tool_name}}"
# What the alert about failing tools counts, and that with calls that were lost with the server.
TOOL_FAILED = 'error_type=~"tool_error|timeout|-32603"'
NO_ANSWER = 'error_type=~"tool_error|timeout|-32603|upstream_lost"'
# Whose time it is.
BLAME = {".* queue": "orange", ".* server": "blue", ".* proxy": "green"}


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
