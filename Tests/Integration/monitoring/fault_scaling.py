# SPDX-License-Identifier: Apache-2.0
"""Makes the shipped rules and configurations run faster: every duration is divided by one factor, and nothing else.

Thresholds in seconds are numbers to a rule, not durations, and stay as they are; so do the timeouts of the proxy.
"""

import re

import yaml

from proxy_process import ROOT

# A scrape every 500 ms instead of 15 s; `for: 5m` becomes 10 s.
FACTOR = 30
DIRECTORY = ROOT / "prometheus"
# The keys whose values are durations, of rules, of Prometheus and of Alertmanager.
DURATIONS = {
    *("for", "keep_firing_for", "interval", "scrape_interval", "scrape_timeout", "evaluation_interval"),
    *("refresh_interval", "group_wait", "group_interval", "repeat_interval", "resolve_timeout"),
}
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
LITERAL = r"(?:\d+(?:ms|[smhdwy]))+"
# What an expression is made of, as far as a duration could be mistaken for a part of it: `increase5m` is a name.
TOKEN = re.compile(rf"""
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    | (?P<comment>\#[^\n]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<duration>{LITERAL})(?![A-Za-z0-9_])
    | (?P<number>[0-9.]+)
    | (?P<other>.)""", re.VERBOSE | re.DOTALL)  # fmt: skip


def milliseconds(duration):
    """What a duration such as 1h30m is."""
    assert re.fullmatch(LITERAL, duration), duration
    return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def seconds(duration):
    """A duration of the shipped files in seconds of a test."""
    return milliseconds(duration) / 1000 / FACTOR


def scaled(duration):
    whole, rest = divmod(milliseconds(duration), FACTOR)
    assert rest == 0, f"{duration} is not divisible by {FACTOR}"
    return f"{whole}ms" if whole else "0s"


def tokens(expression):
    return [(match.lastgroup, match[0]) for match in TOKEN.finditer(expression)]


def scaled_expression(expression):
    return "".join(scaled(text) if kind == "duration" else text for kind, text in tokens(expression))


def durations(expression):
    return [text for kind, text in tokens(expression) if kind == "duration"]


def scaled_tree(tree, addresses):
    """A loaded file with its durations scaled and other addresses for those in `addresses`."""
    if isinstance(tree, list):
        return [scaled_tree(each, addresses) for each in tree]
    if isinstance(tree, dict):
        return {key: scaled_value(key, value, addresses) for key, value in tree.items()}
    if isinstance(tree, str):
        for address, other in addresses.items():
            tree = tree.replace(address, other)
    return tree


def scaled_value(key, value, addresses):
    if key in DURATIONS and isinstance(value, str):
        return scaled(value)
    if key == "expr":
        return scaled_expression(value)
    return scaled_tree(value, addresses)


def scaled_file(path, addresses):
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    return yaml.safe_dump(scaled_tree(tree, addresses), sort_keys=False, width=1000)


class Shipped:
    """What the shipped files say of times."""

    def __init__(self):
        self.prometheus = self._load("prometheus.yml")
        self.route = self._load("alertmanager.yml")["route"]
        folders = [path for folder in ("alerts", "recording") for path in sorted((DIRECTORY / folder).glob("*.yml"))]
        groups = [group for path in folders for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
        self.rules = [rule for group in groups for rule in group["rules"]]

    @staticmethod
    def _load(name):
        return yaml.safe_load((DIRECTORY / name).read_text(encoding="utf-8"))

    def window(self, expression):
        """The longest time an expression looks back, recorded series included, in milliseconds."""
        found = [milliseconds(duration) for duration in durations(expression)]
        names = {text for kind, text in tokens(expression) if kind == "name" and ":" in text}
        for rule in self.rules:
            # That of names carries itself on and looks at itself.
            if rule.get("record") in names and rule["record"] not in rule["expr"]:
                found.append(self.window(rule["expr"]))
        return max(found, default=0)

    def bound(self, alert, severity):
        """How long a test may take at most from a fault to its notification, in seconds."""
        times = []
        for rule in self.rules:
            if rule.get("alert") == alert and rule["labels"]["severity"] == severity:
                held = milliseconds(rule["for"]) if "for" in rule else 0
                times.append((self.window(rule["expr"]) + held) / 1000 / FACTOR)
        intervals = self.prometheus["global"]
        waits = (intervals["scrape_interval"], intervals["evaluation_interval"], self.route["group_wait"])
        return max(times) + sum(seconds(wait) for wait in waits) + 1
