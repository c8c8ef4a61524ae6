# SPDX-License-Identifier: Apache-2.0
"""What is near its limit: the queue, the connections, and the process of the proxy itself."""

from grafana_foundation_sdk.models import units

import alert_rules
from panels import BAD, WARN, gauge, level, query, small
from queries import age, named, quantile, rate, select, total
from server_calls import OVERHEAD, QUEUE


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
