# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics, and what a page must look like to be true to it."""

import itertools
import json
from dataclasses import dataclass

from proxy_process import ROOT

DIRECTORY = ROOT / "Sources/Telemetry/Catalogue"


@dataclass
class Row:
    id: str
    name: str
    kind: str
    help: str
    unit: str | None
    # In the order declared: name, and the values there can be, or None when they are learned.
    labels: dict
    bounds: list
    starts_empty: bool

    @property
    def is_closed(self):
        return None not in self.labels.values()

    def combinations(self):
        """All sets of labels a closed row can have; an empty value is as good as no label."""
        names = list(self.labels)
        for values in itertools.product(*self.labels.values()):
            yield tuple((name, value) for name, value in zip(names, values) if value)


def rows():
    """All rows by the name of their metric."""
    catalogue = json.loads((DIRECTORY / "metrics.json").read_text(encoding="utf-8"))
    events = json.loads((DIRECTORY / "events.json").read_text(encoding="utf-8"))["events"]
    vocabularies = {**catalogue["vocabularies"], "event": [event["name"] for event in events]}
    found = {}
    for each in catalogue["metrics"]:
        labels = {}
        for label in each.get("labels", []):
            values = label.get("values")
            labels[label["name"]] = vocabularies[values] if isinstance(values, str) else values
        found[each["name"]] = Row(
            each["id"],
            each["name"],
            each["kind"],
            each["help"],
            each.get("unit"),
            labels,
            catalogue["buckets"].get(each.get("buckets"), []),
            each.get("startsEmpty", False),
        )
    return found


def row_of(family, page, catalogue):
    """The row a family of a page stands for: OpenMetrics takes suffixes off the names of families."""
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "") if page.is_openmetrics else ""
    return catalogue[family.name + suffix]


def check(page, catalogue):
    """Asserts that everything on a page is declared, and as it was declared."""
    for family in page.families.values():
        row = row_of(family, page, catalogue)
        plain = {"info": "gauge", "stateSet": "gauge"} if not page.is_openmetrics else {"stateSet": "stateset"}
        assert family.type == plain.get(row.kind, row.kind), family.name
        assert family.help == row.help, family.name
        if page.is_openmetrics:
            assert family.unit == row.unit or row.name.removesuffix("_total").endswith("_seconds"), family.name
        for sample in family.samples:
            check_labels(sample, row)
            if row.kind == "histogram" and sample.name.endswith("_bucket"):
                assert float(dict(sample.labels)["le"]) in (*row.bounds, float("inf")), sample


def check_labels(sample, row):
    labels = dict(sample.labels)
    if row.kind == "histogram":
        labels.pop("le", None)
    declared = [name for name in row.labels if name in labels]
    assert list(labels) == declared, f"labels of {sample}, declared: {list(row.labels)}"
    for name, value in labels.items():
        assert value != "", f"an empty label: {sample}"
        assert row.labels[name] is None or value in row.labels[name], f"{name}={value!r} of {row.name} is not declared"
