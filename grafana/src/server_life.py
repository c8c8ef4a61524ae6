# SPDX-License-Identifier: Apache-2.0
"""Who is connected to one server, and how its processes come and go."""

from grafana_foundation_sdk.models import units

import alert_rules
import queries
from fleet import EXITS, FAILED_STARTS, UNASKED
from panels import BAD, OFF, STATES, WARN, gauge, level, now, number, query, small, steps, timeline
from queries import age, increase, known, named, rate, select, share, total


def happened(title, text, metric, *labels):
    """How often something happened, by those labels."""
    legend = " ".join(f"{{{{{label}}}}}" for label in ("name", *labels))
    asked = query(named(f"{rate(metric, by=labels)} > 0"), legend)
    return small(title, text, units.CountsPerSecond, asked, shows="healthy", stacked=True, bars=True)


def sessions():
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
        happened(
            "Sessions opened",
            "By the revision of the protocol agreed on, and the transport.",
            "mcp_proxy_sessions_opened_total",
            "mcp_protocol_version",
            "transport",
        ),
        happened(
            "Sessions closed",
            "By reason: idle_timeout are clients that left without a word.",
            "mcp_proxy_sessions_closed_total",
            "reason",
        ),
        small(
            "Open streams",
            "Event streams that a connection carries, by kind.",
            units.Short,
            query(named(select("mcp_proxy_streams")), "{{name}} {{kind}}"),
            shows="healthy",
            stacked=True,
        ),
        happened(
            "Streams closed",
            "By reason: slow_consumer is a client that does not keep up.",
            "mcp_proxy_streams_closed_total",
            "reason",
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
