# SPDX-License-Identifier: Apache-2.0
"""The numbers of the rules in prometheus/: what panels draw as thresholds stands there, and only there."""

import functools
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "prometheus"
COMPARISONS = (">", ">=", "<", "<=", "==")


@functools.cache
def rules(folder):
    """All rules of a folder of prometheus/, with their expressions parsed."""
    found = []
    for path in sorted((PROMETHEUS / folder).glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            found += [(rule, promql_parser.parse(rule["expr"])) for rule in group["rules"]]
    return found


def alerts(name, severity=None):
    """The expressions of the alerts of that name (and severity)."""
    found = [
        expression
        for rule, expression in rules("alerts")
        if rule.get("alert") == name and severity in (None, rule["labels"]["severity"])
    ]
    assert found, f"no alert {name} of severity {severity}"
    return found


def recording(name):
    """The expression of a recorded series."""
    return next(expression for rule, expression in rules("recording") if rule["record"] == name)


def nodes(expression, kind):
    """All nodes of a kind in an expression, from the outside in and the left to the right."""
    found = []
    promql_parser.walk(expression, lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def thresholds(name, severity=None):
    """The numbers an alert compares with, in the order of its expression."""
    return [
        node.rhs.val
        for expression in alerts(name, severity)
        for node in nodes(expression, promql_parser.BinaryExpr)
        if str(node.op) in COMPARISONS and isinstance(node.rhs, promql_parser.NumberLiteral)
    ]


def threshold(name, severity=None):
    """The number an alert compares with first."""
    return thresholds(name, severity)[0]


def share(name):
    """Of an alert with several conditions: the smallest number below 1, which is a share of all calls."""
    return min(number for number in thresholds(name) if 0 < number < 1)


@dataclass(frozen=True)
class Burn:
    """One way in which an alert looks at the budget: at which multiple of its rate, over which two windows."""

    factor: float
    long: str
    short: str
    severity: str


def burns(name):
    """All of them, the fastest first."""
    found = []
    for rule, expression in rules("alerts"):
        if rule.get("alert") == name:
            pairs = [node for node in nodes(expression, promql_parser.BinaryExpr) if str(node.op) == "and"]
            found += [Burn(*side(pair.lhs), side(pair.rhs)[1], rule["labels"]["severity"]) for pair in pairs]
    return sorted(found, key=lambda burn: -burn.factor)


def side(comparison):
    """Factor and window of `…increaseWINDOW / … > FACTOR * (1 - objective)`."""
    factor = next(
        node.lhs.val
        for node in nodes(comparison.rhs, promql_parser.BinaryExpr)
        if isinstance(node.lhs, promql_parser.NumberLiteral) and str(node.op) == "*"
    )
    name = nodes(comparison.lhs, promql_parser.VectorSelector)[0].name
    return factor, name.rpartition("increase")[2]


def objective(kind):
    """The share of requests that has to be good: `availability` or `latency`."""
    return nodes(recording(f"instance:mcp_proxy_{kind}:objective"), promql_parser.NumberLiteral)[-1].val


def slow(name):
    """From how many seconds on a recorded series counts a call as slow: the bound of its bucket."""
    selectors = nodes(recording(name), promql_parser.VectorSelector)
    bounds = {m.value for selector in selectors for m in selector.matchers.matchers if m.name == "le"}
    assert len(bounds) == 1, f"{name}: {bounds}"
    return float(bounds.pop())


@functools.cache
def configuration():
    return yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["global"]


def runbooks_url():
    """Where the links of alerts find their runbooks."""
    return configuration()["external_labels"]["runbooks_url"]
