# SPDX-License-Identifier: Apache-2.0
"""PromQL that panels are made of. Every selector takes the variables, every result has the name of its server."""

from alert_rules import alerts, nodes

from promql_parser import VectorSelector

VARIABLES = 'job=~"$job", instance=~"$instance"'
FAILED = 'outcome=~"server_error|timeout|upstream_lost|rejected"'
ELIGIBLE = 'outcome!~"client_error|cancelled"'
TOOL_CALL = 'mcp_method_name="tools/call"'
# What /readyz says, in numbers: a graph can't show words.
STATES = {"ready": 1, "starting": 2, "restarting": 3, "crash_loop": 4, "stopping": 5, "pulling": 6}
DOWN = 0


def select(metric, *matchers):
    return f"{metric}{{{', '.join((VARIABLES, *matchers))}}}"


def named(expression):
    """Gives each series the name of its server, as the proxy tells it."""
    return f"({expression})\n* on (job, instance) group_left (name) {select('mcp_proxy_instance_info')}"


def known(expression):
    """The same for what must show while a proxy is down, too: one that was never up is called by its address."""
    address = f'label_replace({select("up", alert_job())}, "name", "$1", "instance", "(.+)")'
    names = (
        f"{select('instance_name:mcp_proxy_instance:info')}"
        f"\n  or on (job, instance) group by (job, instance, name) ({address})"
    )
    return f"({expression})\n* on (job, instance) group_left (name) (\n  {names}\n)"


def alert_job():
    """The matcher by which the alerts find the scrape job."""
    up = next(n for n in nodes(alerts("McpProxyDown")[0], VectorSelector) if n.name == "up")
    return next(f'job="{m.value}"' for m in up.matchers.matchers if m.name == "job")


def rate(metric, *matchers, by=(), window="$__rate_interval"):
    """Per second, summed over all labels but these."""
    return total(f"rate({select(metric, *matchers)}[{window}])", by)


def increase(metric, *matchers, by=(), window="$__range"):
    """How much a counter grew, as a whole number. It has to be there from the start."""
    return f"round({total(f'increase({select(metric, *matchers)}[{window}])', by)})"


def count(metric, *matchers, by=()):
    """The same for series that begin with their first event, which increase() can't see: it is added.

    Unless the proxy is older than the range and was not watched when it began: then the first value has grown before.
    """
    series = select(metric, *matchers)
    increased = f"increase({series}[$__range])"
    first = (
        f"min_over_time({series}[$__range])\n"
        f"    unless {series} offset $__range\n"
        f"    and on (job, instance) (\n"
        f"      {select('process_start_time_seconds')} > time() - $__range_s or {select('up')} offset $__range\n"
        f"    )"
    )
    # Of two scrapes of which only the last shows it, there is no increase at all.
    grown = f"({increased} or min_over_time({series}[$__range]) * 0)"
    return f"round({total(f'{grown} + ({first} or {grown} * 0)', by)})"


def total(expression, by):
    return f"sum by ({', '.join(('job', 'instance', *by))}) (\n  {expression}\n)"


def quantile(q, metric, *matchers, by=(), window="$__rate_interval"):
    """A quantile of a histogram; no value, rather than NaN, where nothing was observed."""
    counted = total(f"rate({select(f'{metric}_bucket', *matchers)}[{window}])", (*by, "le"))
    return f"histogram_quantile({q}, {counted}) >= 0"


def mean(metric, *matchers, by=()):
    """The mean of a histogram, likewise."""
    return f"{rate(f'{metric}_sum', *matchers, by=by)}\n/ ({rate(f'{metric}_count', *matchers, by=by)} > 0)"


def share(part, whole):
    """A share of what there is, where there is something."""
    return f"{part}\n/ ({whole} > 0)"


def state():
    """What each server is doing, as a number; `DOWN` when its proxy does not answer."""
    metric = "mcp_proxy_upstream_state"
    parts = [f'{code} * ({select(metric, f"""{metric}="{name}" """.strip())} == 1)' for name, code in STATES.items()]
    shown = f"sum without ({metric}) (\n  " + "\n  or ".join(parts) + "\n)"
    return f"{shown}\nor on (job, instance) {select('up')} == {DOWN}"


def age(metric):
    """How long ago the point in time is that a metric tells; none when it tells none."""
    return f"time() - ({select(metric)} > 0)"
