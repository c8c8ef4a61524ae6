# SPDX-License-Identifier: Apache-2.0
"""One server: what its clients see, whose fault it is, and what is near its limit."""

from grafana_foundation_sdk.models import units

import alert_rules
import queries
from board import alerts_table, board
from fleet import EXITS, REQUESTS, UNASKED, budget_colors
from panels import STATES, WARN, now, number, steps
from queries import ELIGIBLE, FAILED, age, increase, known, named, quantile, select, share
from server_calls import OPERATION, blame, golden, tools
from server_containers import containers
from server_life import lifecycle, sessions
from server_limits import process, saturation


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
            ("Container of the server", containers()),
            ("Saturation", saturation()),
            ("Process of the proxy", process()),
        ],
    )
