# SPDX-License-Identifier: Apache-2.0
"""The dashboards as files: they are what their source says, and what a dashboard has to be."""

import copy
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import dashboard_checks
from dashboard_checks import CHECKS
from dashboard_queries import panels
from dashboard_source import BOARDS, DASHBOARDS, SOURCE, alert_rules, generate
from proxy_process import ROOT

UIDS = ("mcp-proxy-fleet", "mcp-proxy-server", "mcp-proxy-slo", "mcp-proxy-telemetry")
PROVISIONING = ROOT / "grafana/provisioning"


def test_committed():
    assert sorted(DASHBOARDS) == sorted(BOARDS) == sorted(UIDS)
    assert generate.stale() == [], "run `make dashboards`"


def test_generated_the_same_in_another_process():
    """The order of sets and of modules makes no difference."""
    script = "import generate, sys; sys.stdout.write(''.join(generate.files().values()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=SOURCE, env={"PYTHONHASHSEED": "7"}, capture_output=True)
    assert done.stdout.decode() == "".join(generate.files().values()), done.stderr.decode()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("uid", UIDS)
def test_dashboard(uid, check):
    assert check(DASHBOARDS[uid]) == []


def first(dashboard, kind):
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def misspelt_metric(dashboard):
    target = first(dashboard, "timeseries")["targets"][0]
    target["expr"] = target["expr"].replace("_total", "_totals", 1)


def misspelt_label(dashboard):
    target = first(dashboard, "timeseries")["targets"][0]
    target["expr"] = target["expr"].replace("outcome", "outcom")


def misspelt_value(dashboard):
    for panel in panels(dashboard):
        for target in panel["targets"]:
            target["expr"] = target["expr"].replace("upstream_lost", "upstream_lots")


def wrong_unit(dashboard):
    defaults = first(dashboard, "bargauge")["fieldConfig"]["defaults"]
    defaults["unit"] = "bytes"


def no_such_unit(dashboard):
    first(dashboard, "timeseries")["fieldConfig"]["defaults"]["unit"] = "requests"


def wrong_unit_of_column(dashboard):
    for override in first(dashboard, "table")["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            if each["value"] == "s":
                each["value"] = "bytes"


def unknown_field(dashboard):
    first(dashboard, "stat")["fieldConfig"]["defaults"]["unitt"] = "s"


def bare_counter(dashboard):
    first(dashboard, "stat")["targets"][0]["expr"] = 'mcp_proxy_requests_total{job=~"$job", instance=~"$instance"}'


def fixed_window(dashboard):
    target = first(dashboard, "timeseries")["targets"][0]
    target["expr"] = target["expr"].replace("$__rate_interval", "5m")


def no_instance(dashboard):
    target = first(dashboard, "timeseries")["targets"][0]
    target["expr"] = target["expr"].replace(', instance=~"$instance"', "")


def no_runbook(dashboard):
    panel = next(panel for panel in panels(dashboard) if panel.get("links"))
    panel["links"][0]["url"] = "${runbooks}/McpNoSuchAlert.md"


def broken_promql(dashboard):
    first(dashboard, "stat")["targets"][0]["expr"] += ")"


def other_source(dashboard):
    first(dashboard, "stat")["targets"][0]["datasource"]["uid"] = "mine"


def overlap(dashboard):
    dashboard["panels"][1]["gridPos"] = dict(dashboard["panels"][0]["gridPos"])


def no_description(dashboard):
    del first(dashboard, "stat")["description"]


def editable(dashboard):
    dashboard["editable"] = True


def single_instance(dashboard):
    next(v for v in dashboard["templating"]["list"] if v["name"] == "instance")["multi"] = False


MISTAKES = {
    misspelt_metric: "names",
    misspelt_label: "names",
    misspelt_value: "names",
    wrong_unit: "fitting_units",
    no_such_unit: "fitting_units",
    wrong_unit_of_column: "fitting_units",
    unknown_field: "lossless",
    bare_counter: "counters",
    fixed_window: "intervals",
    no_instance: "selectors",
    no_runbook: "runbook_links",
    broken_promql: "promql",
    other_source: "sources",
    overlap: "grid",
    no_description: "texts",
    editable: "conventions",
    single_instance: "variables",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_mistake_is_found(mistake):
    dashboard = copy.deepcopy(DASHBOARDS["mcp-proxy-fleet"])
    mistake(dashboard)
    assert getattr(dashboard_checks, MISTAKES[mistake])(dashboard) != []


def test_every_check_has_a_mistake():
    assert {check.__name__ for check in CHECKS} == set(MISTAKES.values())


# Numbers of the alerts.


def drawn(board):
    """All values of thresholds a dashboard draws, and those in its queries."""
    text = str(generate.files()[generate.DIRECTORY / f"{board}.json"])
    return {float(number) for number in re.findall(r'"value": (-?[0-9.e-]+)', text)}, text


@pytest.fixture
def changed_rules(tmp_path, monkeypatch):
    """Generates from rules with other numbers: `changed_rules("> 0.8", "> 0.7")`."""
    shutil.copytree(ROOT / "prometheus", tmp_path / "prometheus")
    monkeypatch.setattr(alert_rules, "PROMETHEUS", tmp_path / "prometheus")

    def change(path, before, after):
        file = tmp_path / "prometheus" / path
        text = file.read_text(encoding="utf-8")
        assert before in text
        file.write_text(text.replace(before, after), encoding="utf-8")
        alert_rules.rules.cache_clear()

    yield change
    alert_rules.rules.cache_clear()


def test_thresholds_are_those_of_the_alerts(changed_rules):
    assert 9.5 not in drawn("mcp-proxy-slo")[0]
    changed_rules("alerts/objectives.yml", "14.4 *", "9.5 *")
    assert 9.5 in drawn("mcp-proxy-slo")[0]
    assert "0.73 * mcp_proxy_queue_limit" not in drawn("mcp-proxy-server")[1]
    changed_rules("alerts/saturation.yml", "> 0.8", "> 0.73")
    assert "0.73 * mcp_proxy_queue_limit" in drawn("mcp-proxy-server")[1]
    assert 20 not in drawn("mcp-proxy-fleet")[0]
    changed_rules("recording/tools.yml", 'le="10.0"', 'le="20.0"')
    assert 20 in drawn("mcp-proxy-fleet")[0]


# Provisioning.


def provisioned(path):
    return yaml.safe_load((PROVISIONING / path).read_text(encoding="utf-8"))


def test_provisioning():
    source = provisioned("datasources/prometheus.yml")["datasources"][0]
    assert (source["type"], source["uid"]) == ("prometheus", "mcp-prometheus")
    assert source["jsonData"]["timeInterval"] == alert_rules.configuration()["scrape_interval"]
    provider = provisioned("dashboards/mcp-proxy.yml")["providers"][0]
    mounted = yaml.safe_load((ROOT / "prometheus/compose.yml").read_text(encoding="utf-8"))
    volumes = [volume.split(":")[:2] for volume in mounted["services"]["grafana"]["volumes"]]
    assert ["../grafana/dashboards", provider["options"]["path"]] in volumes
    readme = (ROOT / "grafana/README.md").read_text(encoding="utf-8")
    assert f"grafana/dashboards:{provider['options']['path']}:ro" in readme


def test_links_of_alerts_lead_to_dashboards():
    """Every dashboard an alert names is there, and has the variables that are put into its address."""
    for rule, _ in alert_rules.rules("alerts"):
        uid, _, query = rule["annotations"]["dashboard_url"].rpartition("/d/")[2].partition("?")
        variables = {variable["name"] for variable in DASHBOARDS[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", query)) <= variables, rule["alert"]


def test_firing_alerts_lead_to_their_runbooks():
    """The link of the table is made of the name of the alert, so that it is right for all of them."""
    table = next(panel for panel in panels(DASHBOARDS["mcp-proxy-fleet"]) if panel["title"] == "Firing alerts")
    properties = [each for override in table["fieldConfig"]["overrides"] for each in override["properties"]]
    links = [link["url"] for each in properties if each["id"] == "links" for link in each["value"]]
    assert "${runbooks}/${__data.fields.Alert}.md" in links
    for rule, _ in alert_rules.rules("alerts"):
        assert (ROOT / "runbooks" / f"{rule['alert']}.md").is_file(), rule["alert"]
