# SPDX-License-Identifier: Apache-2.0
"""The rules that are shipped, and the tests of `promtool test rules` beside them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

import prometheus
from proxy_process import ROOT, VENVS

DIRECTORY = ROOT / "prometheus"
TESTS = DIRECTORY / "tests"
# Prometheus 3, which scripts/test.sh fetches from a newer Debian.
NEWER = VENVS / "debian-forky/usr/bin"


@dataclass
class Rule:
    """One rule: `name` is that of the alert or of the recorded series."""

    file: str
    group: str
    name: str
    is_alert: bool
    expression: str
    source: dict

    @property
    def id(self):
        """Alerts may share a name: their severities differ."""
        return f"{self.name}-{self.source['labels']['severity']}" if self.is_alert else self.name


def load(path):
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def rules(kind):
    """All rules of a folder, `alerts` or `recording`."""
    found = []
    for path in sorted((DIRECTORY / kind).glob("*.yml")):
        for group in load(path)["groups"]:
            for each in group["rules"]:
                name = each.get("alert") or each["record"]
                found.append(Rule(path.stem, group["name"], name, "alert" in each, str(each["expr"]), each))
    return found


def promtools():
    """Debian's promtool and, where it was fetched, that of Prometheus 3."""
    newer = NEWER / "promtool"
    return {"2": prometheus.binary("promtool"), **({"3": str(newer)} if newer.exists() else {})}


def promtool(*arguments, program=None, timeout=110):
    """Exit status and output."""
    done = subprocess.run(
        [program or prometheus.binary("promtool"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout
