# SPDX-License-Identifier: Apache-2.0
"""Asks a Prometheus what a dashboard asks, with variables, intervals and ranges put in as Grafana does it."""

import json
import re
from dataclasses import dataclass, field

import yaml

from proxy_process import ROOT

DATASOURCE = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8"))
# What Grafana takes for the interval of scrapes: `timeInterval` of the data source.
SCRAPE_INTERVAL = int(DATASOURCE["datasources"][0]["jsonData"]["timeInterval"].removesuffix("s"))
# How wide a dashboard is on a screen, in points of a graph.
PIXELS = 1600
GRID = 24
ALL = "$__all"
# The lengths Grafana rounds an interval to, in seconds, up to the middle between each and the next.
LENGTHS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")


@dataclass
class View:
    """What somebody looks at: a time range, and chosen values of variables."""

    start: float
    end: float
    values: dict = field(default_factory=dict)

    @property
    def range(self):
        return self.end - self.start

    def interval(self, points):
        """`$__interval` for a graph of so many points."""
        exact = self.range / points
        rounded = next((a for a, b in zip(LENGTHS, LENGTHS[1:]) if exact < (a + b) / 2), LENGTHS[-1])
        return max(rounded, SCRAPE_INTERVAL)


def interpolated(expression, view, interval):
    """The expression as Grafana sends it."""
    built_in = {
        "__interval": f"{interval}s",
        "__rate_interval": f"{max(interval + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s",
        "__range": f"{round(view.range)}s",
        "__range_s": str(round(view.range)),
    }

    def value(match):
        name = match[1] or match[3]
        if name in built_in:
            return built_in[name]
        if name not in view.values:
            # Of label_replace(), for instance.
            assert name.isdigit(), f"no variable {name}: {expression}"
            return match[0]
        return chosen(view.values[name])

    return VARIABLE.sub(value, expression)


def chosen(values):
    """Several values become a regular expression, one that is chosen from a list is escaped for one."""
    if values == [ALL]:
        return ".+"
    escaped = [re.sub(r"[\\^$*+?.()|\[\]{}]", lambda match: "\\\\" + match[0], value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def points(panel):
    return panel.get("maxDataPoints") or round(PIXELS * panel["gridPos"]["w"] / GRID)


def ask(server, target, view, panel):
    """The series of one query of a panel: labels, and the values over time (one, if only now counts)."""
    interval = view.interval(points(panel))
    expression = interpolated(target["expr"], view, interval)
    if target.get("instant"):
        found = server.query(expression, view.end)
        return [(series["metric"], [(series["value"][0], float(series["value"][1]))]) for series in found]
    # Grafana asks for whole steps.
    start, end = (int(when // interval * interval) for when in (view.start, view.end))
    found = server.query_range(expression, start, end, interval)
    return [(s["metric"], [(when, float(value)) for when, value in s["values"]]) for s in found]


def results(server, panel, view):
    """All series of a panel, by the letter of the query."""
    return {target["refId"]: ask(server, target, view, panel) for target in panel["targets"]}


def legend(form, labels):
    """The name of a series in a legend."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), form)


def values_of(server, variable, view):
    """What can be chosen: pairs of text and value."""
    query = variable["query"]["query"]
    if call := re.fullmatch(r"label_values\((.+), (\w+)\)", query, re.DOTALL):
        selector = interpolated(call[1], view, SCRAPE_INTERVAL)
        found = server.api(f"label/{call[2]}/values", **{"match[]": selector, "start": view.start, "end": view.end})
        texts = [(value, value) for value in found]
    else:
        expression = interpolated(re.fullmatch(r"query_result\((.+)\)", query, re.DOTALL)[1], view, SCRAPE_INTERVAL)
        texts = [(line, line) for line in map(as_line, server.query(expression, view.end))]
    if not variable.get("regex"):
        return texts
    # Grafana's named groups are JavaScript's.
    pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
    return [(m["text"], m["value"]) for text, _ in texts if (m := pattern.search(text))]


def as_line(series):
    """One series of query_result(), as Grafana writes it for the regular expression."""
    labels = dict(series["metric"])
    name = labels.pop("__name__", "")
    pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    when, value = series["value"]
    return f"{name}{{{pairs}}} {value} {round(when * 1000)}"


def panels(dashboard):
    """All panels that ask something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]
