# SPDX-License-Identifier: Apache-2.0
"""Objectives: how much of the budget of failures is left, and how fast it is used up."""

from grafana_foundation_sdk.models import units

import alert_rules
from board import board
from panels import BAD, GOOD, WARN, Column, bars, graph, now, query, row_of, steps, table
from queries import known, select

KINDS = {
    "availability": ("failed", "eligible", "McpErrorBudgetBurn", ("crash", "overload")),
    "latency": ("slow", "timed", "McpLatencyBudgetBurn", ("slow",)),
}
MONTH = "30d"
BROKEN = "Below 0 the promise is broken; -100 % stands for anything worse."
# Of what is left of a budget: nothing, little, enough.
LEFT = steps((0, WARN), (0.25, GOOD), base=BAD)


def recorded(what, window):
    return select(f"instance:mcp_proxy_requests_{what}:increase{window}")


def objective(kind):
    """The objective of each server, by its name."""
    return select(f"instance:mcp_proxy_{kind}:objective")


def bad_share(kind, window):
    bad, all_, *_ = KINDS[kind]
    return f"{recorded(bad, window)} / ({recorded(all_, window)} > 0)"


def burn(kind, window):
    """How many times faster than it may the budget is used up; 1 uses it up in exactly the 30 days."""
    return f"({bad_share(kind, window)})\n/ on (job, instance) group_left (name) (1 - {objective(kind)})"


def left(kind):
    """Share of the budget that is left; all of it while there are no requests."""
    return f"clamp_min(1 - {burn(kind, MONTH)}, -1)\nor {objective(kind)} > bool 0"


def budgets(kind, title, text):
    *_, alert, shows = KINDS[kind]
    return bars(
        title,
        text,
        units.PercentUnit,
        now(f"sort({left(kind)})"),
        shows=("healthy", "sparse", *shows),
        bottom=-1,
        top=1,
        colors=LEFT,
        runbooks=(alert,),
    )


def burns(kind):
    """A graph for each pair of windows of the alerts, with the factor at which they fire."""
    *_, alert, shows = KINDS[kind]
    for each in alert_rules.burns(alert):
        color = BAD if each.severity == "critical" else WARN
        yield graph(
            f"Burn of the {kind} budget: {each.long} and {each.short}",
            f"How many times faster than it may the budget is used up, over {each.long} and over {each.short}. An "
            f"alert ({each.severity}) fires when both are above the line at {each.factor:g}.",
            units.Short,
            *(query(burn(kind, window), "{{name}} " + window) for window in (each.long, each.short)),
            shows=("healthy", *shows),
            width=6,
            height=9,
            lines=((each.factor, color),),
            runbooks=(alert,),
            calcs=("lastNotNull", "max"),
        )


def details():
    return table(
        "Objectives",
        "What each server should do, and did, in 30 days. Failed are errors of the server, timeouts, lost servers and "
        "refusals; requests that were wrong themselves, or that clients gave up, do not count.",
        row_of(known(f"round({recorded('eligible', MONTH)})")),
        row_of(known(f"round({recorded('failed', MONTH)})")),
        row_of(objective("availability")),
        row_of(left("availability")),
        row_of(known(f"round({recorded('slow', MONTH)})")),
        row_of(objective("latency")),
        row_of(left("latency")),
        columns=[
            Column("name", "Server"),
            Column("A", "Requests", units.Short),
            Column("B", "Failed", units.Short),
            Column("C", "Objective: answered", units.PercentUnit),
            Column("D", "Budget left", units.PercentUnit, colors=LEFT),
            Column("E", "Slow", units.Short),
            Column("F", "Objective: in time", units.PercentUnit),
            Column("G", "Budget of time left", units.PercentUnit, colors=LEFT),
        ],
        dropped=("job", "instance"),
        sort="Failed",
        shows=("healthy", "crash", "overload", "slow", "sparse"),
        runbooks=("McpErrorBudgetBurn", "McpLatencyBudgetBurn"),
    )


def slo():
    percent = f"{alert_rules.objective('availability'):.0%}"
    in_time = f"{alert_rules.objective('latency'):.0%}"
    bound = f"{alert_rules.slow('instance:mcp_proxy_requests_slow:increase5m'):g} s"
    return board(
        "mcp-proxy-slo",
        "MCP servers: objectives",
        f"How well the servers keep their promises: {percent} of requests answered, {in_time} within {bound}.",
        [
            (
                None,
                [
                    budgets(
                        "availability",
                        "Budget of failures left of 30 days",
                        f"{percent} of the requests of 30 days should be answered. Of the failures that leaves room "
                        f"for, this share is left. {BROKEN}",
                    ),
                    budgets(
                        "latency",
                        "Budget of slow requests left of 30 days",
                        f"{in_time} of the requests of 30 days should be answered within {bound}. Of the slow ones "
                        f"that leaves room for, this share is left. {BROKEN}",
                    ),
                ],
            ),
            (None, [details()]),
            ("How fast the budget of failures is used up", list(burns("availability"))),
            ("How fast the budget of slow requests is used up", list(burns("latency"))),
        ],
    )
