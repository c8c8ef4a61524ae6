# SPDX-License-Identifier: Apache-2.0
"""The rules as they are shipped: what promtool says of them, what they name, and whether their own tests would notice a
rule that is a little wrong."""

import collections
import json
import re
import shlex
import subprocess

import promql_parser as promql
import pytest
import yaml

from metrics_catalogue import DIRECTORY as CATALOGUE
from proxy_process import ROOT
from rules_files import DIRECTORY, TESTS, load, promtool, promtools, rules
from rules_lint import problems, series, vocabulary
from rules_mutants import Mutant, mutants, survivors

ALERTS = rules("alerts")
RECORDED = rules("recording")
SIBLINGS = collections.defaultdict(list)
for alert in ALERTS:
    SIBLINGS[alert.name].append(alert)
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url", "journal_query"}
# What becomes of a template in this file, where its words do not matter.
SHOWN = {"$labels.name": "time", 'or $labels.name "*"': "time", "$labels.job": "mcp-proxy", "$labels.instance": "a:1"}
EQUIVALENT = {
    "McpWatchdog-none: 1 -> 0.5": "it fires whatever its value is",
    "McpWatchdog-none: 1 -> 2": "it fires whatever its value is",
    "McpRequestStuck-warning: 0 -> 1": "a request that came in the first second of 1970",
    "McpRequestStuck-warning: 0 -> 1 (2)": "a timeout of a second ends the call before the alert has waited its minute",
    "McpSessionStuck-info: 0 -> 1": "a client that was last heard of in the first second of 1970",
    "McpSessionStuck-info: 0 -> 1 (2)": "a timeout of a second ends the wait before the alert has waited its minute",
}


def by_id(rule):
    return rule.id


def test_promtool_finds_nothing():
    files = sorted((DIRECTORY / "recording").glob("*.yml")) + sorted((DIRECTORY / "alerts").glob("*.yml"))
    status, output = promtool("check", "rules", "--lint=all", "--lint-fatal", *files)
    assert status == 0, output
    assert output.count("SUCCESS") == len(files)


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.yml")), ids=lambda path: path.name.split(".")[0])
def test_rules_do_what_their_tests_say(path, version):
    program = promtools().get(version) or pytest.skip("no Prometheus 3 in .venvs (scripts/test.sh fetches it)")
    status, output = promtool("test", "rules", path, program=program)
    assert status == 0, output


def test_every_alert_is_seen_firing_and_silent():
    fires, silent = set(), set()
    for path in TESTS.glob("*.test.yml"):
        for group in load(path)["tests"]:
            for test in group.get("alert_rule_test", []):
                alerts = test.get("exp_alerts", [])
                fires |= {(test["alertname"], alert["exp_labels"]["severity"]) for alert in alerts}
                for severity in {rule.source["labels"]["severity"] for rule in SIBLINGS[test["alertname"]]}:
                    if severity not in {alert["exp_labels"]["severity"] for alert in alerts}:
                        silent.add((test["alertname"], severity))
                for alert in alerts:
                    assert set(alert["exp_annotations"]) == ANNOTATIONS, test
    all_of_them = {(rule.name, rule.source["labels"]["severity"]) for rule in ALERTS}
    assert fires == all_of_them
    assert silent == all_of_them - {("McpWatchdog", "none")}


@pytest.mark.parametrize("rule", ALERTS + RECORDED, ids=by_id)
def test_names_and_functions(rule):
    assert problems(rule.expression, series()) == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("mcp_proxy_upstream_upp == 0", "there is no"),
        ("mcp_proxy_upstream_exits_total > 5", "is a counter"),
        ("rate(mcp_proxy_queue_length[5m]) > 5", "is a gauge"),
        ("changes(mcp_proxy_upstream_exits_total[5m]) > 5", "has no changes"),
        ("increase(mcp_proxy_upstream_exits_total[20s]) > 5", "too short"),
        ('increase(mcp_proxy_upstream_exits_total{reson="oom"}[5m]) > 5', "no label"),
        ('increase(mcp_proxy_upstream_exits_total{reason=~"oom|ooom"}[5m]) > 5', "never 'ooom'"),
        ('increase(mcp_proxy_overhead_seconds_bucket{le="0.07"}[5m]) > 5', "never '0.07'"),
        ("sum without (raison) (increase(mcp_proxy_upstream_exits_total[5m])) > 5", "has a label raison"),
        ("topk(3, mcp_proxy_queue_length) > 5", "at the top"),
        ("mcp_proxy_queue_length and on (instance) up", "joined on"),
    ],
)
def test_the_checks_complain(expression, complaint):
    assert any(complaint in each for each in problems(expression, series()))


@pytest.mark.parametrize("rule", ALERTS, ids=by_id)
def test_alerts_are_complete(rule):
    labels, annotations = rule.source["labels"], rule.source["annotations"]
    assert re.fullmatch(r"Mcp([A-Z][a-z]+)+", rule.name)
    assert set(labels) == {"severity"} and labels["severity"] in ("critical", "warning", "info", "none")
    assert set(annotations) == ANNOTATIONS
    assert "{{" not in annotations["summary"], "a summary stays the same while an alert fires"
    assert not annotations["summary"].endswith(".") and annotations["description"].endswith(".")
    if "absent" in str(rule.expression):
        assert promql.parse_duration(rule.source["for"]).total_seconds() >= 300
    assert annotations["runbook_url"] == "{{ $externalLabels.runbooks_url }}/" + rule.name + ".md"
    assert (ROOT / "runbooks" / f"{rule.name}.md").exists()
    link = re.fullmatch(
        r"{{ \$externalLabels\.grafana_url }}/d/([a-z-]+)"
        r"(\?var-job={{ \$labels\.job }}&var-instance={{ \$labels\.instance }})?",
        annotations["dashboard_url"],
    )
    assert link, annotations["dashboard_url"]
    dashboards = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "grafana/dashboards").glob("*.json")]
    (dashboard,) = [each for each in dashboards if each["uid"] == link[1]]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert not link[2] or {"job", "instance"} <= variables


@pytest.mark.parametrize("rule", ALERTS, ids=by_id)
def test_the_journal_query_can_be_pasted(rule):
    query = rule.source["annotations"]["journal_query"]
    templates = set(re.findall(r"{{ (.*?) }}", query))
    # A name that a client or a server chose could be a command.
    assert templates <= {"$labels.name", 'or $labels.name "*"'}
    line = re.sub(r"{{ (.*?) }}", lambda match: SHOWN[match[1]], query)
    subprocess.run(["bash", "-n", "-c", line], check=True, timeout=10)
    words = shlex.split(line)
    assert words[0] == "journalctl"
    events, fields = vocabulary(json.loads((CATALOGUE / "events.json").read_text(encoding="utf-8")))
    for field, _, value in (word.partition("=") for word in words[1:] if not word.startswith("-") and "=" in word):
        assert field in fields, f"no entry has {field}"
        assert field != "MCP_EVENT" or value in events, f"there is no event {value}"
        assert field != "MCP_SERVER" or value == "time"


def test_sources_name_alerts_that_exist():
    """The catalogue of events names the runbook of an event, and Alertmanager's inhibitions name alerts."""
    names = set(SIBLINGS)
    events = json.loads((CATALOGUE / "events.json").read_text(encoding="utf-8"))["events"]
    assert {event["runbook"] for event in events if "runbook" in event} <= names
    text = (DIRECTORY / "alertmanager.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\bMcp[A-Z]\w+", text)) <= names


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", sorted({rule.file for rule in ALERTS}))
def test_no_mutant_passes_the_tests(file, tmp_path):
    """Each comparison turned, each number, window and wait halved and doubled, each arm left out."""
    mine = [rule for rule in ALERTS if rule.file == file]
    same = [Mutant(each, "unchanged", {**each.source, "expr": str(promql.parse(each.expression))}) for each in mine]
    (tmp_path / "unchanged").mkdir()
    assert survivors(same, SIBLINGS, tmp_path / "unchanged") == [each.id for each in same]
    changed = [each for rule in mine for each in mutants(rule)]
    assert len({each.id for each in changed}) == len(changed) > 5 * len(mine)
    left = survivors(changed, SIBLINGS, tmp_path)
    expected = [each.id for each in changed if each.id in EQUIVALENT]
    assert left == expected
    assert all(any(name.startswith(f"{rule.id}: ") for rule in ALERTS) for name in EQUIVALENT)


def test_files_are_yaml_for_others_too():
    """promtool reads an anchor that is there twice; most others do not."""
    for path in DIRECTORY.rglob("*.yml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")) is not None, path
