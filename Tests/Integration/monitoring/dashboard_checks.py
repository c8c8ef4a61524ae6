# SPDX-License-Identifier: Apache-2.0
"""What a dashboard must be, told from its JSON alone. Each check gives its problems as a list of sentences."""

import json
import re

import promql_parser
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard
from promql_parser import AggregateExpr, BinaryExpr, Call, MatrixSelector, ParenExpr, UnaryExpr, VectorSelector

import metrics_catalogue
import recorded_run
from dashboard_queries import ALL, View, interpolated, panels
from proxy_process import ROOT

CATALOGUE = metrics_catalogue.rows()
RUNBOOKS = ROOT / "runbooks"
SUFFIXES = ("_bucket", "_sum", "_count")
TARGET = {"job", "instance"}
RECORDED = {rule["record"]: rule["expr"] for rule in recorded_run.rules("recording")}
# What Prometheus adds by itself. A value of None: any label.
OTHERS = {"up": TARGET, "scrape_duration_seconds": TARGET, "scrape_samples_scraped": TARGET, "ALERTS": None}
PROBES = re.compile(r"probe_\w+")
# Functions whose result does not depend on where a counter began.
OF_COUNTERS = {"rate", "increase", "irate", "resets", "min_over_time", "last_over_time", "changes"}
VIEW = View(0, 3600, {"job": ["mcp-proxy"], "instance": [ALL], "datasource": [ALL]})

register_default_plugins()


def parsed(expression):
    return promql_parser.parse(interpolated(expression, VIEW, 15))


def nodes(expression, kind):
    found = []
    promql_parser.walk(expression, lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def queries(dashboard):
    """All queries: what they belong to, the panel, and the query."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", panel, target


def expressions(dashboard):
    """All PromQL there is: where, and what."""
    for place, _, target in queries(dashboard):
        yield place, target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            yield variable["name"], re.fullmatch(r"\w+\((.+?)(?:, \w+)?\)", query, re.DOTALL)[1]


# Structure.


def lossless(dashboard):
    """Through the SDK's types and back: what they do not know is lost, what they miss is added."""
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    return [] if again == dashboard else differences(dashboard, again, "")


def differences(before, after, path):
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted(before.keys() | after.keys()):
            found += differences(before.get(key), after.get(key), f"{path}.{key}")
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [each for i, (a, b) in enumerate(zip(before, after)) for each in differences(a, b, f"{path}[{i}]")]
    return [] if before == after else [f"{path}: {before!r:.80} became {after!r:.80}"]


def grid(dashboard):
    """Panels do not overlap and are within the grid; ids are their own."""
    found, taken, ids = [], {}, set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place.get("x", 0) + place["w"] > 24:
            found.append(f"{panel['title']} is beyond the grid")
        for x in range(place.get("x", 0), place.get("x", 0) + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    return found + [f"{panel['title']} covers {taken[x, y]}"]
                taken[x, y] = panel["title"]
        if panel["id"] in ids:
            found.append(f"{panel['title']}: its id is there twice")
        ids.add(panel["id"])
    return found


def conventions(dashboard):
    """What all dashboards of the project have in common."""
    wanted = {"editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "tags": ["mcp-proxy"]}
    found = [f"{name} is {dashboard.get(name)!r}" for name, value in wanted.items() if dashboard.get(name) != value]
    if not any(
        link["tags"] == ["mcp-proxy"] and link["includeVars"] and link["keepTime"] for link in dashboard["links"]
    ):
        found.append("no links to the other dashboards, with variables and time")
    return found


# Lint.


def variables(dashboard):
    """`datasource`, `job` and `instance`, as they have to be."""
    given = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    found = []
    source = given.get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != ("datasource", "prometheus", "Data source"):
        found.append("no variable for the data source")
    for name in ("job", "instance"):
        wanted = {
            "type": "query",
            "label": name.title(),
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            # On a change of the time range.
            "refresh": 2,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
        }
        for key, value in wanted.items():
            if given.get(name, {}).get(key) != value:
                found.append(f"variable {name}: {key} is not {value!r}")
    return found


def sources(dashboard):
    """Everything asks the chosen data source."""
    places = [(panel["title"], panel) for panel in panels(dashboard)]
    places += [(place, target) for place, _, target in queries(dashboard)]
    places += [(annotation["name"], annotation) for annotation in dashboard["annotations"]["list"]]
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    return [f"{place} asks {each.get('datasource')}" for place, each in places if each.get("datasource") != wanted]


def texts(dashboard):
    """Each panel has a title of its own, says what it shows and what stands there when there is nothing."""
    found = []
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description", "").endswith("."):
            found.append(f"panel {panel['id']} has no title, or no description that is a sentence")
        if not panel.get("targets"):
            found.append(f"{panel['title']} asks nothing")
        if panel["type"] not in ("heatmap", "state-timeline") and not panel["fieldConfig"]["defaults"].get("noValue"):
            found.append(f"{panel['title']} would say “No data”")
    titles = [panel["title"] for panel in panels(dashboard)]
    return found + [f"{title} is there twice" for title in set(titles) if titles.count(title) > 1]


def promql(dashboard):
    """Every expression parses."""
    found = []
    for place, expression in expressions(dashboard):
        try:
            parsed(expression)
        except ValueError as error:
            found.append(f"{place}: {error}")
    return found


def intervals(dashboard):
    """A graph looks back as far as it has to for each of its points, and no further."""
    return [
        f"{place}: [{window}]"
        for place, _, target in queries(dashboard)
        for window in re.findall(r"\[([^\]]+)\]", target["expr"])
        if window not in (("$__range", "24h") if target.get("instant") else ("$__rate_interval",))
    ]


def selectors(dashboard):
    """Every selector takes the variables, save those of what is no instance: alerts, and probes of addresses."""
    found = []
    for place, expression in expressions(dashboard):
        for selector in nodes(parsed_raw(expression), VectorSelector):
            taken = {(m.name, m.value) for m in selector.matchers.matchers}
            wanted = {("job", "$job"), ("instance", "$instance")}
            if place in ("job", "instance") or selector.name == "ALERTS" or PROBES.fullmatch(selector.name):
                continue
            found += [f"{place}: {selector.name} without {name}" for name, value in wanted - taken]
    return found


def parsed_raw(expression):
    """With the variables of the dashboard left as they are."""
    return promql_parser.parse(re.sub(r"\$__\w+", lambda m: "3600" if m[0] == "$__range_s" else "5m", expression))


def counters(dashboard):
    """A counter is only looked at for how it grows."""
    found = []
    for place, expression in expressions(dashboard):
        tree = parsed(expression)
        inside = {
            str(each.vector_selector)
            for call in nodes(tree, Call)
            if call.func.name in OF_COUNTERS
            for each in nodes(call, MatrixSelector)
        }
        for selector in nodes(tree, VectorSelector):
            is_counter = base(selector.name)[0] and (
                base(selector.name)[0].kind == "counter" or selector.name.endswith(SUFFIXES)
            )
            if is_counter and str(selector) not in inside and selector.offset is None:
                found.append(f"{place}: {selector.name} as it is")
    return found


# Names.


def base(name):
    """The row of the catalogue a series belongs to, and its suffix."""
    if name in CATALOGUE:
        return CATALOGUE[name], ""
    for suffix in SUFFIXES:
        row = CATALOGUE.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if row and row.kind == "histogram":
            return row, suffix
    return None, ""


def labels_of(name):
    """The labels a series can have and their values (None: any); no labels (None) when it can have any."""
    row, suffix = base(name)
    if row:
        return {**row.labels, "job": None, "instance": None, **({"le": None} if suffix == "_bucket" else {})}
    if name in OTHERS:
        return None if OTHERS[name] is None else dict.fromkeys(OTHERS[name])
    if name in RECORDED:
        inner = [labels_of(each) for each in recorded_run.metrics_of(RECORDED[name]) if each != name]
        return {label: None for labels in inner for label in labels or ()} | dict.fromkeys(TARGET)
    if PROBES.fullmatch(name):
        return None
    raise KeyError(name)


def names(dashboard):
    """Metrics exist, and have the labels and the values they are asked for."""
    found = []
    for place, expression in expressions(dashboard):
        tree = parsed(expression)
        for selector in nodes(tree, VectorSelector):
            try:
                known = labels_of(selector.name)
            except KeyError:
                found.append(f"{place}: no metric {selector.name}")
                continue
            if known is None:
                continue
            for matcher in selector.matchers.matchers:
                if matcher.name not in known:
                    found.append(f"{place}: {selector.name} has no label {matcher.name}")
                elif known[matcher.name] and matcher.value != ".+":
                    wrong = [value for value in matcher.value.split("|") if value not in known[matcher.name]]
                    found += [f"{place}: {matcher.name} of {selector.name} is never {value}" for value in wrong]
        for aggregation in nodes(tree, AggregateExpr):
            found += [f"{place}: no label {label} to sum by" for label in unknown_labels(aggregation)]
    return found


def unknown_labels(aggregation):
    labels = aggregation.modifier.labels if aggregation.modifier else []
    there = set()
    for selector in nodes(aggregation.expr, VectorSelector):
        try:
            known = labels_of(selector.name)
        except KeyError:
            return []
        if known is None:
            return []
        there |= known.keys()
    there |= {call.args[1].val for call in nodes(aggregation.expr, Call) if call.func.name == "label_replace"}
    return [label for label in labels if label not in there]


# Units.

FITTING = {
    "time": {"s"},
    "bytes": {"bytes"},
    "share": {"percentunit"},
    "ratio": {"percentunit", "short"},
    "rate": {"reqps", "cps"},
    "count": {"none", "short"},
}


def dimension(node):
    """What the values of an expression are: time, bytes, a count, a rate, a share of something, or points in time."""
    if isinstance(node, (ParenExpr, UnaryExpr, AggregateExpr)):
        return dimension(node.expr)
    if isinstance(node, MatrixSelector):
        return dimension(node.vector_selector)
    if isinstance(node, VectorSelector):
        return of_metric(node.name)
    if isinstance(node, Call):
        return of_call(node)
    if isinstance(node, BinaryExpr):
        return of_binary(str(node.op), dimension(node.lhs), dimension(node.rhs))
    return "number"


def of_metric(name):
    row, suffix = base(name)
    if name.endswith(":objective"):
        return "share"
    if re.search(r"(_timestamp|_start_time)_seconds$|_cert_expiry$", name):
        return "moment"
    if suffix == "_count":
        return "count"
    stem = (row.name if row else name).removesuffix("_total")
    return "time" if stem.endswith("_seconds") else "bytes" if stem.endswith("_bytes") else "count"


def of_call(node):
    name = node.func.name
    if name == "time":
        return "moment"
    if name in ("changes", "count_over_time", "sum_over_time", "vector"):
        return "count"
    if name == "histogram_quantile":
        return {"per second": "time", "share": "time"}.get(dimension(node.args[1]), dimension(node.args[1]))
    inner = dimension(node.args[0])
    if name == "rate":
        is_bucket = all(each.name.endswith("_bucket") for each in nodes(node, VectorSelector))
        return inner if is_bucket else {"time": "share", "count": "rate"}.get(inner, inner)
    return inner


def of_binary(operator, left, right):
    if operator == "*":
        return right if left in ("number", "count") else left
    if operator == "/":
        if (left, right) == ("share", "rate"):
            return "time"
        if left == right:
            return "ratio" if left == "share" else "share"
        return left
    if operator == "-":
        return "time" if left == right == "moment" else right if left == "number" else left
    if operator in ("==", "!=", ">", "<") and left == "moment":
        return "moment"
    return left


def fitting_units(dashboard):
    """Units exist, and are those of what is shown."""
    valid = {value for value in vars(units).values() if isinstance(value, str)}
    found = []
    for place, panel, target in queries(dashboard):
        unit = unit_of(panel, target)
        if unit is None:
            continue
        if unit not in valid:
            found.append(f"{place}: there is no unit {unit}")
            continue
        is_words = panel["type"] == "state-timeline" or panel["fieldConfig"]["defaults"].get("mappings")
        shown = dimension(parsed(target["expr"]))
        if not is_words and unit not in FITTING.get(shown, ()):
            found.append(f"{place}: {shown} in {unit}")
    return found


def unit_of(panel, target):
    """The unit a query is shown in; None when its value is not shown."""
    if panel["type"] == "heatmap":
        return panel["options"]["yAxis"]["unit"]
    if panel["type"] != "table":
        return panel["fieldConfig"]["defaults"].get("unit")
    organized = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    source = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
    title = organized["renameByName"].get(source)
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == title:
            properties = {each["id"]: each["value"] for each in override["properties"]}
            return None if "mappings" in properties else properties["unit"]
    return None


# Links.


def runbook_links(dashboard):
    """Links of panels lead to runbooks that are there."""
    found = []
    for panel in panels(dashboard):
        for link in panel.get("links") or []:
            name = re.fullmatch(r"\$\{runbooks\}/(\w+\.md)", link["url"])
            if not name or not (RUNBOOKS / name[1]).is_file():
                found.append(f"{panel['title']}: {link['url']}")
    return found


CHECKS = (
    lossless,
    grid,
    conventions,
    variables,
    sources,
    texts,
    promql,
    intervals,
    selectors,
    counters,
    names,
    fitting_units,
    runbook_links,
)
