# SPDX-License-Identifier: Apache-2.0
"""A week in which nothing breaks wakes nobody, and the same week with one fault does.

A whole week in steps of 15 s takes a quarter of an hour to evaluate. So the 40 minutes around each incident are looked
at as Prometheus would look at them, every 15 s with all rules. The week as a whole is looked at every 5 minutes, over
samples of every minute, with the rules that look back for days: those of the objectives. Left out of both are the
windows of 30 days: promtool refuses to look at so many samples at once, and no alert uses them.
"""

import json
import re

import pytest

import quiet_week
from quiet_week import DAY, MINUTE, Week
from rules_files import DIRECTORY, load, promtool

EVERYTHING = sorted(DIRECTORY.glob("recording/*.yml")) + sorted(DIRECTORY.glob("alerts/*.yml"))
OBJECTIVES = ("recording/names.yml", "recording/objectives.yml", "alerts/objectives.yml")
LOOKING_BACK = [DIRECTORY / name for name in OBJECTIVES]
# How long calls took is looked at for two of the servers: that is what takes longest.
COUNTERS = r'up\{|mcp_proxy_instance_info|mcp_proxy_requests_total|mcp_server_operation.*:946[45]"'
ORDER = ["names", "objectives", "objectives-long", "tools", "availability", "saturation", "performance", "telemetry"]
FIRING = """
    count by (alertname, severity, instance) (count_over_time(ALERTS{{alertstate="firing", severity!="none"}}[{}s]))
"""
# When each begins, and the warnings it is worth: (name, how many servers).
INCIDENTS = {
    "deployment-1": (quiet_week.DEPLOYMENTS[0], set()),
    "deployment-2": (quiet_week.DEPLOYMENTS[1], set()),
    "deployment-3": (quiet_week.DEPLOYMENTS[2], set()),
    "reboot": (quiet_week.REBOOT, set()),
    "engine-update": (quiet_week.ENGINE_UPDATE, {("McpServerCrashed", "warning", name) for name in quiet_week.NAMES}),
    "renewal": (quiet_week.RENEWAL, set()),
}


def fired(directory, week, begin, end, step, interval, files, only=""):
    """The alerts that fire at any time in between: name, severity and server of each."""
    rules = []
    for path in files:
        document = load(path)
        for group in document["groups"]:
            group["rules"] = [rule for rule in group["rules"] if not rule.get("record", "").endswith("increase30d")]
        rules.append(str(directory / f"{path.parent.name}-{path.stem}.json"))
        (directory / rules[-1]).write_text(json.dumps(document), encoding="utf-8")
    # What is asked has no right answer here: promtool tells what it found instead.
    wrong = [{"labels": "{}", "value": 0}]
    asked = {"expr": FIRING.format(end - begin + 1), "eval_time": f"{end - begin}s", "exp_samples": wrong}
    series = [each for each in week.input(begin, end, step) if re.match(only, each["series"])]
    document = {
        "rule_files": rules,
        "group_eval_order": [f"mcp-proxy-{name}" for name in ORDER],
        "evaluation_interval": f"{interval}s",
        "tests": [{"interval": f"{step}s", "input_series": series, "promql_expr_test": [asked]}],
    }
    path = directory / "week.test.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    _, output = promtool("test", "rules", path, timeout=580)
    got = re.search(r"got: (nil|\{.*)", output)
    assert got and "err:" not in output, output[-3000:]
    ports = {server.instance: server.name for server in week.servers}
    labels = [dict(re.findall(r'(\w+)="(.*?)"', each)) for each in re.findall(r"\{.*?\}", got[1])]
    return {(each["alertname"], each["severity"], ports[each["instance"]]) for each in labels}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_wakes_nobody(incident, tmp_path):
    begin, expected = INCIDENTS[incident]
    found = fired(tmp_path, Week(), begin - 10 * MINUTE, begin + 30 * MINUTE, 15, 15, EVERYTHING)
    assert found == expected


@pytest.mark.timeout(600)
def test_a_week_of_sparse_calls_is_within_the_objectives(tmp_path):
    assert fired(tmp_path, Week(), 0, 7 * DAY, MINUTE, 5 * MINUTE, LOOKING_BACK, COUNTERS) == set()


@pytest.mark.timeout(600)
def test_three_calls_of_thirty_are_too_many_to_lose(tmp_path):
    """Else the week would be within its objectives whatever happened."""
    week = Week()
    for minute in range(3):
        week.servers[1].call(2.5 * DAY + minute * MINUTE, "timeout")
    found = fired(tmp_path, week, 0, int(2.8 * DAY), MINUTE, 5 * MINUTE, LOOKING_BACK, COUNTERS)
    assert ("McpErrorBudgetBurn", "warning", quiet_week.NAMES[1]) in found
    assert {name for _, _, name in found} == {quiet_week.NAMES[1]}


@pytest.mark.timeout(600)
def test_one_real_fault_wakes_somebody(tmp_path):
    begin = quiet_week.FAULT
    found = fired(tmp_path, Week(fault=True), begin - 10 * MINUTE, begin + 30 * MINUTE, 15, 15, EVERYTHING)
    broken = quiet_week.NAMES[1]
    assert found == {
        ("McpServerCrashed", "warning", broken),
        ("McpServerStartFailing", "critical", broken),
    }
