# SPDX-License-Identifier: Apache-2.0
"""Reads /metrics strictly: what a page says, what changed between two, and what must not be there.

`Page` takes the text format and OpenMetrics 1.0, and refuses what their specifications forbid.
"""

import math
import re
from dataclasses import dataclass, field

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# A label, and what follows it.
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\})')
NUMBER = re.compile(r"[+-]Inf|NaN|-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
SUFFIXES = {
    "counter": ("",),
    "gauge": ("",),
    "info": ("_info",),
    "stateset": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


@dataclass(frozen=True)
class Sample:
    name: str
    labels: tuple
    value: float
    exemplar: tuple | None = None

    def has(self, labels):
        mine = dict(self.labels)
        return all(mine.get(name) == value for name, value in labels.items())


@dataclass
class Family:
    name: str
    type: str | None = None
    help: str | None = None
    unit: str | None = None
    samples: list = field(default_factory=list)


def unescaped(text):
    return re.sub(r"\\[\\\"n]", lambda match: ESCAPES[match[0]], text)


class Page:
    """One page. Samples keep their order; labels theirs, too."""

    def __init__(self, text, content_type=TEXT):
        self.text = text
        self.is_openmetrics = content_type.startswith("application/openmetrics-text")
        self.families = {}
        assert text.endswith("\n"), "the last line has no end"
        assert "\r\n" not in text
        lines = text.split("\n")[:-1]
        if self.is_openmetrics:
            assert lines.pop() == "# EOF"
        family = None
        for line in lines:
            assert line, "an empty line"
            family = self._comment(line, family) if line.startswith("#") else self._sample(line, family)
        for each in self.families.values():
            self._check(each)
        series = [(sample.name, sample.labels) for sample in self.samples]
        assert len(series) == len(set(series)), "a series is there twice"

    def _comment(self, line, family):
        _, word, name, *rest = line.split(" ", 3)
        assert word in ("HELP", "TYPE", "UNIT") and NAME.fullmatch(name), line
        attribute, value = word.lower(), rest[0] if rest else ""
        if family is None or family.name != name:
            assert name not in self.families, f"the lines of {name} are not together"
            family = self.families[name] = Family(name)
        assert getattr(family, attribute) is None, f"{word} of {name} is there twice"
        assert not family.samples, f"{word} of {name} comes too late"
        setattr(family, attribute, unescaped(value) if word == "HELP" else value)
        return family

    def _sample(self, line, family):
        name = NAME.match(line)[0]
        at, labels = len(name), []
        if line[at] == "{":
            at += 1
            while labels == [] or end == ",":
                match = LABEL.match(line, at)
                assert match, f"labels: {line[:300]!r}"
                label, value, end = match.groups()
                labels.append((label, unescaped(value)))
                at = match.end()
        assert len({label for label, _ in labels}) == len(labels), line
        number, _, rest = line[at:].partition(" # ") if self.is_openmetrics else (line[at:], "", "")
        assert number.startswith(" ") and NUMBER.fullmatch(number[1:]), f"value: {line[:300]!r}"
        exemplar = self._exemplar(rest) if rest else None
        assert family is not None and self._belongs(name, family), f"{name} stands outside its family"
        family.samples.append(Sample(name, tuple(labels), float(number[1:]), exemplar))
        return family

    def _exemplar(self, text):
        assert text.startswith("{"), text
        at, labels, end = 1, {}, ","
        while end == ",":
            label, value, end = (match := LABEL.match(text, at)).groups()
            labels[label] = unescaped(value)
            at = match.end()
        assert sum(len(name) + len(value) for name, value in labels.items()) <= 128
        value, timestamp = text[at + 1 :].split(" ")
        return labels, float(value), float(timestamp)

    def _belongs(self, name, family):
        kind = family.type
        suffixes = SUFFIXES[kind]
        if self.is_openmetrics and kind == "counter":
            suffixes = ("_total",)
        return name in [family.name + suffix for suffix in suffixes]

    def _check(self, family):
        assert family.type and family.help is not None, f"{family.name} lacks TYPE or HELP"
        if self.is_openmetrics:
            assert family.unit is None or family.name.endswith(f"_{family.unit}"), family.name
        for sample in family.samples:
            if family.type in ("counter", "histogram"):
                assert sample.value >= 0, sample
            if sample.exemplar:
                assert sample.name.endswith(("_bucket", "_total")), sample
        if family.type == "histogram":
            for histogram in histograms(family):
                histogram.check()

    @property
    def samples(self):
        return [sample for family in self.families.values() for sample in family.samples]

    @property
    def lines(self):
        """What the page shows, without the values: the order of everything."""
        return [line if line[0] == "#" else line.rpartition(" ")[0] for line in self.text.split("\n")[:-1]]

    def find(self, metric, /, **labels):
        return [sample for sample in self.samples if sample.name == metric and sample.has(labels)]

    def value(self, metric, /, **labels):
        """The value of the one series with these labels, whatever others it has."""
        found = self.find(metric, **labels)
        assert len(found) == 1, f"{metric}{labels}: {len(found)} series, not one: {found[:5]}"
        return found[0].value

    def total(self, metric, /, **labels):
        """The sum of all series with these labels; 0 when there are none."""
        return sum(sample.value for sample in self.find(metric, **labels))

    def absent(self, metric, /, **labels):
        assert self.find(metric, **labels) == []

    def histogram(self, metric, /, **labels):
        """The one histogram with these labels."""
        family = self.families[metric]
        found = [each for each in histograms(family) if all(each.labels.get(k) == v for k, v in labels.items())]
        assert len(found) == 1, f"{metric}{labels}: {len(found)} histograms, not one"
        return found[0]

    def counters(self):
        """All that only grows, by series: counters, and the counts of histograms."""
        found = {}
        for family in self.families.values():
            for sample in family.samples:
                if family.type == "counter" or sample.name == f"{family.name}_count" and family.type == "histogram":
                    found[(sample.name, sample.labels)] = sample.value
        return found

    def __sub__(self, before):
        """What was counted between two pages: by series, as `name{value,value}`, without `mcp_proxy_` and `_total`."""
        earlier = before.counters()
        changes = {series: now - earlier.get(series, 0) for series, now in self.counters().items()}
        assert all(change >= 0 for change in changes.values()), "a counter went back"
        assert set(earlier) <= set(changes), "a series is gone"
        return {shorthand(*series): change for series, change in changes.items() if change}


def shorthand(name, labels):
    values = ",".join(value for _, value in labels)
    short = name.removeprefix("mcp_proxy_").removesuffix("_total")
    return f"{short}{{{values}}}" if values else short


@dataclass
class Histogram:
    labels: dict
    buckets: list
    sum: float
    count: float

    def check(self):
        bounds = [bound for bound, _ in self.buckets]
        counts = [count for _, count in self.buckets]
        assert bounds == sorted(set(bounds)), f"bounds: {bounds}"
        assert counts == sorted(counts), f"buckets must add up: {counts}"
        if bounds:
            assert bounds[-1] == math.inf
            assert counts[-1] == self.count, f"+Inf is {counts[-1]}, _count is {self.count}"

    def within(self, low, high):
        """How many observations are in the buckets that cover (low, high], both of which are bounds."""
        counts = dict(self.buckets)
        return counts[high] - (counts[low] if low else 0)


def histograms(family):
    """The histograms of a family, put together of their samples."""
    found = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        each = found.setdefault(tuple(labels.items()), Histogram(labels, [], math.nan, math.nan))
        if sample.name.endswith("_bucket"):
            each.buckets.append((float(bound), sample.value))
            if sample.exemplar:
                lower = each.buckets[-2][0] if len(each.buckets) > 1 else -math.inf
                assert lower < sample.exemplar[1] <= float(bound), sample
        elif sample.name.endswith("_sum"):
            each.sum = sample.value
        else:
            each.count = sample.value
    return list(found.values())


def scrape(http, accept=None, path="/metrics", headers=None):
    """One page of a proxy, read."""
    sent = {**({"Accept": accept} if accept else {}), **(headers or {})}
    response = http.get(path, sent)
    assert response.status == 200, (response.status, response.body[:300])
    return Page(response.body.decode("utf-8"), response.headers["Content-Type"])
