# SPDX-License-Identifier: Apache-2.0
"""The rules that faults are tested with are the shipped ones, but for durations: all of them, and nothing else."""

import promql_parser as promql
import pytest
import yaml

from fault_scaling import DIRECTORY, FACTOR, milliseconds, scaled_expression, scaled_file, tokens

FILES = sorted([*(DIRECTORY / "alerts").glob("*.yml"), *(DIRECTORY / "recording").glob("*.yml")])


def rules(text):
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def times(expression):
    """All durations of an expression, as the parser finds them."""
    found = []

    def visit(node):
        for name in ("range", "step", "offset"):
            if (value := getattr(node, name, None)) is not None:
                found.append(value.total_seconds())

    promql.walk(promql.parse(expression), visit)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_only_durations_differ(path):
    shipped, used = rules(path.read_text(encoding="utf-8")), rules(scaled_file(path, {}))
    assert len(shipped) == len(used)
    for before, after in zip(shipped, used, strict=True):
        assert times(after["expr"]) == pytest.approx([time / FACTOR for time in times(before["expr"])])
        kept = [[token for token in tokens(rule["expr"]) if token[0] != "duration"] for rule in (before, after)]
        assert kept[0] == kept[1]
        if "for" in before:
            assert milliseconds(after["for"]) == milliseconds(before["for"]) / FACTOR
        assert {**before, "expr": "", "for": ""} == {**after, "expr": "", "for": ""}


def test_what_looks_like_a_duration_and_is_none():
    text = 'x:increase5m{le="5m"} * 5 > 0.5 or rate(y[5m] offset 1h30m) # 5m'
    assert scaled_expression(text) == 'x:increase5m{le="5m"} * 5 > 0.5 or rate(y[10000ms] offset 180000ms) # 5m'


def test_addresses_are_replaced_and_nothing_beside_them():
    path = DIRECTORY / "prometheus.yml"
    shipped, used = path.read_text(encoding="utf-8"), scaled_file(path, {"127.0.0.1:9090": "127.0.0.1:19090"})
    before, after = yaml.safe_load(shipped), yaml.safe_load(used.replace("127.0.0.1:19090", "127.0.0.1:9090"))
    assert used.count("127.0.0.1:19090") == 2
    for tree in (before, after):
        assert tree["global"].pop("scrape_interval") and tree["global"].pop("evaluation_interval")
        assert tree["scrape_configs"][1].pop("scrape_interval")
    assert before == after
