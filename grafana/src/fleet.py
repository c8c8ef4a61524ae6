# SPDX-License-Identifier: Apache-2.0
"""All servers at a glance: is anything wrong, and where."""

from grafana_foundation_sdk.models import units

import alert_rules
import queries
from board import SERVER_LINK, alerts_table, board, firing as firing_alerts
from panels import (
    BAD,
    CLEAR,
    GOOD,
    NOTE,
    OUTCOMES,
    SEVERITIES,
    STATES,
    WARN,
    Column,
    bars,
    graph,
    now,
    number,
    query,
    row_of,
    steps,
    table,
    timeline,
)
from queries import ELIGIBLE, FAILED, TOOL_CALL, age, increase, known, named, quantile, rate, select, share

REQUESTS = "mcp_proxy_requests_total"
EXITS, FAILED_STARTS = "mcp_proxy_upstream_exits_total", "mcp_proxy_upstream_start_failures_total"
UNASKED = 'reason!="stopped"'
REACHED = {1: ("answers", GOOD), 0: ("does not", BAD)}
DAY = 86_400
EVERYWHERE = ("healthy", "crash", "overload", "slow")


def budget_colors(base=GOOD):
    """Of a share of failures: orange when a month of it uses up the budget, red when it wakes somebody."""
    budget = 1 - alert_rules.objective("availability")
    fastest, *_, slowest = alert_rules.burns("McpErrorBudgetBurn")
    return steps((slowest.factor * budget, WARN), (fastest.factor * budget, BAD), base=base)


def firing(title, severity, color, text):
    asked = now(f'sum(ALERTS{{alertstate="firing", alertname=~"Mcp.+", severity="{severity}"}}) or vector(0)', severity)
    return number(title, text, units.NoUnit, asked, shows=EVERYWHERE, width=3, colors=steps((1, color)))


def summary():
    """The first row: numbers that are green, or say how much is wrong."""
    crashes = f"{increase(EXITS, UNASKED, window='24h')} - {increase(FAILED_STARTS, UNASKED, window='24h')}"
    failing = [f"sum(\n  {rate(REQUESTS, outcome, window='$__range')}\n)" for outcome in (FAILED, ELIGIBLE)]
    return [
        firing(
            "Critical alerts", "critical", BAD, "Clients fail now and it does not mend itself. The table says where."
        ),
        firing("Warnings", "warning", WARN, "Something broke and may have mended itself, or a limit is near."),
        firing("Notices", "info", NOTE, "Alerts that are sent to nobody: worth knowing when you look."),
        number(
            "Proxies up",
            "Targets that answered the last scrape.",
            units.NoUnit,
            now(f"sum({known(select('up'))})", "up"),
            shows=EVERYWHERE,
            width=3,
        ),
        number(
            "Proxies down",
            "Targets that did not answer the last scrape. Their clients can't reach them either.",
            units.NoUnit,
            now(f"sum({known('1 - ' + select('up'))})", "down"),
            shows="down",
            width=3,
            colors=steps((1, BAD)),
            runbooks=("McpProxyDown", "McpProxyAbsent"),
        ),
        number(
            "Servers not ready",
            "MCP servers that are not ready although they should be, behind proxies that are up.",
            units.NoUnit,
            now(
                f"sum(({select('mcp_proxy_upstream_up')} == bool 0) * {select('mcp_proxy_upstream_desired')})",
                "not ready",
            ),
            shows="crash",
            width=3,
            colors=steps((1, BAD)),
            runbooks=("McpServerNotReady", "McpServerStartFailing"),
        ),
        number(
            "Crashes in 24 h",
            "MCP servers that ended unasked after they had been ready. Failed starts are not counted here.",
            units.NoUnit,
            now(f"sum(clamp_min({crashes}, 0))", "crashes"),
            shows="crash",
            width=3,
            colors=steps((alert_rules.threshold("McpServerCrashed"), WARN)),
            runbooks=("McpServerCrashed", "McpServerCrashLooping", "McpServerOomKilled"),
        ),
        number(
            "Failing requests",
            "Share of the requests in the chosen time that got no answer from a server: its errors, timeouts, lost "
            "servers, refusals. Orange when a month like that would use up the budget, red when it wakes somebody.",
            units.PercentUnit,
            now(share(*failing), "failing"),
            shows="crash",
            width=3,
            decimals=1,
            colors=budget_colors(),
            runbooks=("McpErrorBudgetBurn", "McpRequestsFailing"),
        ),
    ]


def servers():
    """One line for each server."""
    failing = share(increase(REQUESTS, FAILED), increase(REQUESTS, ELIGIBLE))
    version = f"group by (job, instance, server_version) ({select('mcp_proxy_upstream_info')})"
    slow = alert_rules.slow("instance:mcp_proxy_requests_slow:increase5m")
    sessions = f"sum by (job, instance) ({select('mcp_proxy_sessions')})"
    restarts = f"changes({select('process_start_time_seconds')}[$__range])"
    worst = f"max by (job, instance) (\n{firing_alerts(queries.VARIABLES)}\n)\nor on (job, instance) {select('up')} * 0"
    return table(
        "Servers",
        "One line for each server, those with alerts first; its name leads to its dashboard. Counts are of the chosen "
        "time. p95 is the time within which 19 of 20 requests are answered. Ended: how often the MCP server ended "
        "unasked, failed starts included. Restarts are those of the proxy.",
        row_of(known(worst)),
        row_of(known(queries.state())),
        row_of(known(increase(REQUESTS, ELIGIBLE))),
        row_of(known(failing)),
        row_of(known(quantile(0.95, "mcp_server_operation_duration_seconds", window="$__range"))),
        row_of(known(increase(EXITS, UNASKED))),
        row_of(known(restarts)),
        row_of(named(sessions)),
        row_of(named(age("process_start_time_seconds"))),
        row_of(named(version)),
        columns=[
            Column("name", "Server", link=("Dashboard of ${__value.text}", SERVER_LINK), width=110),
            Column("A", "Alerts", mapping=SEVERITIES, width=80),
            Column("B", "State", mapping=STATES, width=105),
            Column("C", "Requests", units.Short),
            Column("D", "Failing", units.PercentUnit, colors=budget_colors(CLEAR)),
            Column("E", "p95", units.Seconds, colors=steps((slow, WARN), base=CLEAR)),
            Column("F", "Ended", colors=steps((alert_rules.threshold("McpServerCrashed"), WARN), base=CLEAR)),
            Column("G", "Restarts", colors=steps((alert_rules.threshold("McpProxyRestarting"), WARN), base=CLEAR)),
            Column("H", "Sessions"),
            Column("I", "Uptime", units.Seconds),
            Column("server_version", "Version", width=70),
            Column("instance", "Address", width=125),
        ],
        hidden=("job",),
        dropped=("J",),
        sort="Alerts",
        shows=("healthy", "crash", "overload", "slow", "sparse", "down"),
        width=16,
        height=9,
        runbooks=("McpProxyRestarting",),
    )


def slowest():
    tools = quantile(
        0.95, "mcp_client_operation_duration_seconds", TOOL_CALL, by=("gen_ai_tool_name",), window="$__range"
    )
    return bars(
        "Slowest tools",
        "The ten tools whose slow calls (p95 of the chosen time) take longest in the server itself, without queueing.",
        units.Seconds,
        now(f"topk(10, {known(tools)})", "{{name}} {{gen_ai_tool_name}}"),
        shows="slow",
        colors=steps((alert_rules.slow("instance_tool:mcp_tool_calls_slow:increase1h"), WARN), base=NOTE),
        runbooks=("McpToolSlow",),
    )


def public():
    """What the world sees: through DNS, firewall, nginx and TLS, which a scrape on loopback never meets."""
    probes = '{job="mcp-proxy-public"}'
    late, soon = (alert_rules.threshold("McpCertificateExpiringSoon", name) for name in ("critical", "warning"))
    return [
        timeline(
            "Public addresses",
            "Whether each public address answers over HTTPS, probed from this host through DNS, nginx and TLS.",
            query(f"probe_success{probes}", "{{name}} {{instance}}"),
            mapping=REACHED,
            shows="public",
            width=16,
            height=5,
            runbooks=("McpPublicEndpointDown",),
            empty="no public address is probed",
        ),
        bars(
            "Certificates",
            "How long the certificate that each public address serves is valid; seen last while the address answered.",
            units.Seconds,
            now(f"sort(last_over_time(probe_ssl_earliest_cert_expiry{probes}[$__range]) - time())", "{{name}}"),
            shows="public",
            width=8,
            height=5,
            top=90 * DAY,
            colors=steps((late * DAY, WARN), (soon * DAY, GOOD), base=BAD),
            runbooks=("McpCertificateExpiringSoon",),
            empty="no public address is probed",
        ),
    ]


def fleet():
    by_outcome = f"sum by (outcome) (\n  {rate(REQUESTS, by=('outcome',))}\n) > 0"
    return board(
        "mcp-proxy-fleet",
        "MCP servers: fleet",
        "All MCP servers behind mcp-proxy: is anything wrong, and where.",
        [
            (None, summary()),
            (None, [servers(), alerts_table(EVERYWHERE, width=8, height=9)]),
            (
                None,
                [
                    timeline(
                        "State of each server",
                        "What each MCP server was doing; a proxy that did not answer is down.",
                        query(known(queries.state())),
                        mapping=STATES,
                        shows=("healthy", "crash", "down"),
                        runbooks=("McpServerNotReady", "McpProxyDown", "McpServerCrashLooping"),
                    )
                ],
            ),
            (None, public()),
            (
                None,
                [
                    graph(
                        "Requests by outcome",
                        "All requests, by how they ended. A tool that says that it failed (tool_error) has answered.",
                        units.RequestsPerSecond,
                        query(by_outcome, "{{outcome}}"),
                        shows=EVERYWHERE,
                        stacked=True,
                        bars=True,
                        colors=OUTCOMES,
                    ),
                    graph(
                        "Failing requests by server",
                        "Requests that got no answer from a server, by server.",
                        units.RequestsPerSecond,
                        query(known(f"{rate(REQUESTS, FAILED)} > 0")),
                        shows=("crash", "overload"),
                        stacked=True,
                        bars=True,
                        runbooks=("McpErrorBudgetBurn", "McpRequestsFailing"),
                    ),
                    bars(
                        "Requests in the chosen time",
                        "How often each server was called: also right for one that is called ten times a day.",
                        units.Short,
                        now(f"sort_desc({known(increase(REQUESTS))})"),
                        shows=("healthy", "sparse"),
                    ),
                    slowest(),
                ],
            ),
        ],
    )
