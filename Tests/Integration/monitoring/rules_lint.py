# SPDX-License-Identifier: Apache-2.0
"""What a rule may say: names and values that exist, functions that suit them, windows that are long enough."""

import re

import promql_parser as promql

import metrics_catalogue
from rules_files import rules

COUNTERS_ONLY = ("rate", "increase", "irate", "resets")
GAUGES_ONLY = ("changes", "delta", "deriv", "predict_linear", "idelta")
# Labels of a target, and so of every series.
TARGET = {"job": None, "instance": None}
# What Prometheus and the blackbox exporter themselves make. `name` is put on by targets/public.yml.
FOREIGN = {
    "ALERTS": ("gauge", {**TARGET, "alertname": [rule.name for rule in rules("alerts")], "alertstate": ["firing"]}),
    "up": ("gauge", TARGET),
    "scrape_duration_seconds": ("gauge", TARGET),
    "probe_success": ("gauge", {**TARGET, "name": None}),
    "probe_ssl_earliest_cert_expiry": ("gauge", {**TARGET, "name": None}),
}
# A window has to hold two samples, even when one of them is late.
SHORTEST_WINDOW = 2 * 15


def series():
    """Kind and labels (with the values there can be, or None) of all series that rules may ask for, by name."""
    found = dict(FOREIGN)
    for row in metrics_catalogue.rows().values():
        labels = {**TARGET, **row.labels}
        if row.kind != "histogram":
            found[row.name] = ("counter" if row.kind == "counter" else "gauge", labels)
            continue
        # The whole is a native histogram.
        found[row.name] = ("counter", labels)
        bounds = [str(float(bound)) for bound in row.bounds]
        found[f"{row.name}_bucket"] = ("counter", {**labels, "le": [*bounds, "+Inf"]})
        found[f"{row.name}_count"] = found[f"{row.name}_sum"] = ("counter", labels)
    for rule in rules("recording"):
        levels = {"instance": {}, "instance_name": {"name": None}, "instance_tool": {"gen_ai_tool_name": None}}
        labels = levels[rule.name.partition(":")[0]]
        if rule.name.endswith(":objective"):
            labels = {"name": None}
        found[rule.name] = ("gauge", {**TARGET, **labels})
    return found


def problems(expression, known):
    """All that is wrong with an expression."""
    return list(_visit(promql.parse(expression), known, None))


def _children(node):
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.Call):
        return node.args
    if isinstance(node, promql.AggregateExpr):
        return [node.expr, node.param]
    if isinstance(node, promql.MatrixSelector):
        return [node.vector_selector]
    return [node.expr] if isinstance(node, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)) else []


def _visit(node, known, function):
    """`function` is the one that takes the window around this node, or stands for it."""
    if isinstance(node, promql.VectorSelector):
        yield from _selector(node, known, function)
    if isinstance(node, promql.MatrixSelector):
        if node.range.total_seconds() < SHORTEST_WINDOW:
            yield f"{node} is too short"
    if isinstance(node, promql.AggregateExpr):
        yield from _aggregation(node, known)
    if isinstance(node, promql.BinaryExpr):
        yield from _joined(node)
        if is_new_series(node):
            function = "increase"
    if isinstance(node, promql.Call):
        function = node.func.name
    for child in _children(node):
        if isinstance(child, promql.Expr):
            yield from _visit(child, known, function)


def is_new_series(node):
    """Whether it reads `counter unless counter offset 1h`: what was not there an hour ago has counted since then."""
    words = [str(each).split("{")[0] for each in (node.lhs, node.rhs)]
    return operator(node) == "unless" and words[0] == words[1] and str(node.rhs).endswith("offset 1h")


def operator(node):
    return str(node).removeprefix(str(node.lhs)).split()[0]


def _selector(node, known, function):
    if node.name not in known:
        yield f"there is no {node.name}"
        return
    kind, labels = known[node.name]
    if kind == "counter" and function not in COUNTERS_ONLY:
        yield f"{node.name} is a counter, and is not asked for its rate"
    if kind == "gauge" and function in COUNTERS_ONLY:
        yield f"{node.name} is a gauge, and has no {function}"
    if kind == "counter" and function in GAUGES_ONLY:
        yield f"{node.name} is a counter, and has no {function}"
    for matcher in node.matchers.matchers:
        if matcher.name not in labels:
            yield f"{node.name} has no label {matcher.name}"
        elif labels[matcher.name] is not None:
            for value in matcher.value.split("|"):
                if value not in labels[matcher.name]:
                    yield f"{matcher.name} of {node.name} is never {value!r}"


def _aggregation(node, known):
    """It may not be told to keep, or to drop, what nothing below it has."""
    names = []
    promql.walk(node.expr, lambda each: names.append(getattr(each, "name", None)) or True)
    there = {label for name in names if name in known for label in known[name][1]}
    for label in node.modifier.labels if node.modifier else ():
        if label not in there:
            yield f"nothing below {str(node)[:40]} has a label {label}"
    if re.match(r"(topk|bottomk)\b", str(node)):
        yield "which series are at the top changes, and each change is a new alert"


def _joined(node):
    if node.modifier and node.modifier.matching:
        labels = node.modifier.matching.labels
        if labels not in ([], ["job", "instance"]):
            yield f"joined on {labels}"


def vocabulary(event_catalogue):
    """Names of events, and all fields an entry of the journal can have: those of events in capitals behind MCP_."""
    fields = {field["name"] for field in event_catalogue["journalFields"]}
    for event in event_catalogue["events"]:
        for field in event["fields"]:
            name = field["name"].replace("_us", "_usec") if field["name"].endswith("_us") else field["name"]
            name = re.sub("_ms$", "_msec", name)
            fields.add(name.upper() if name in ("trace_id", "span_id") else f"MCP_{name.upper()}")
    return {event["name"] for event in event_catalogue["events"]}, fields
