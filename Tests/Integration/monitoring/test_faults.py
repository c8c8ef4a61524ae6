# SPDX-License-Identifier: Apache-2.0
"""Real faults of real proxies become the right alerts, in time, and what alerts tell to run shows the cause."""

import re

import pytest

import alerting_stack
import fault_cases  # noqa: F401
from fault_scaling import FACTOR
from fault_scene import FAULTS, Scenery, check_commands
from journal import reason_to_skip
from proxy_process import ROOT

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]
HEALTHY = 2
# How often it is played at most, on a machine that others keep so busy that it proves nothing.
ATTEMPTS = 3


@pytest.fixture(scope="module")
def scenery(tmp_path_factory):
    """All faults, injected at once."""
    alerting_stack.needs()
    if reason := reason_to_skip():
        pytest.skip(reason)
    for attempt in range(1, ATTEMPTS + 1):
        scenery = Scenery(tmp_path_factory.mktemp("faults"), FAULTS, HEALTHY)
        print("\n" + table(scenery))
        if attempt == ATTEMPTS or not scenery.is_starved():
            break
        print("healthy proxies could not be scraped; once more")
        scenery.close()
    yield scenery
    scenery.close()


def table(scenery):
    lines = [f"times in seconds, at {FACTOR} times the speed", f"{'fault':22} {'alert':34} {'took':>6} {'at most':>8}"]
    for run in scenery.runs.values():
        took = f"{run.took:6.2f} {run.limit:8.2f}" if run.arrived else "  none"
        lines.append(f"{run.fault.name:22} {run.fault.alert:34} {took}{' (joined a group)' if run.joined else ''}")
    return "\n".join(lines)


@pytest.fixture(params=FAULTS, ids=lambda fault: fault.name)
def run(request, scenery):
    run = scenery.runs[request.param.name]
    if run.skipped:
        pytest.skip(run.skipped)
    return run


def passed(run, *stages):
    for stage in stages:
        if stage in run.failures:
            raise AssertionError(f"{run.failures[stage]!r}\n{run.scene.stack.diagnosis()}\n{run.proxy.log()}")


def test_it_is_told_in_time(run):
    passed(run, "inject")
    assert run.took <= run.limit, f"{run.took:.2f} s\n{run.scene.stack.diagnosis()}"
    assert run.alert["labels"]["job"] == "mcp-proxy"
    assert run.alert["labels"]["name"] == run.proxy.name


def test_nothing_else_is_critical(run):
    assert run.critical() == set(), run.scene.stack.diagnosis()
    for alert in run.fault.muted:
        assert run.webhook.told("firing", alertname=alert, instance=run.proxy.instance) == []


def test_its_links_lead_somewhere(run):
    passed(run, "inject")
    annotations = run.alert["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url", "journal_query"}
    assert run.proxy.name in annotations["description"]
    page = alerting_stack.fetch(run.scene.stack.port, re.sub(r"^http://[^/]+", "", annotations["runbook_url"]))
    assert page == (ROOT / f"runbooks/{run.fault.alert}.md").read_bytes()
    dashboard = r"http://127\.0\.0\.1:3000/d/mcp-proxy-(server|slo|telemetry)"
    assert re.fullmatch(
        rf"{dashboard}\?var-job=mcp-proxy&var-instance={re.escape(run.proxy.instance)}", annotations["dashboard_url"]
    )


def test_its_journal_query_shows_the_cause(run):
    passed(run, "inject", "look")
    if run.fault.cause:
        assert run.shows(run.fault.cause, run.journal_output), run.journal_output


def test_its_runbook_shows_the_cause(run):
    passed(run, "inject", "look")
    shown = check_commands(run.diagnosis)
    assert run.shows(run.fault.runbook, shown), shown


def test_it_is_over_when_it_is_mended(run):
    passed(run, "inject", "look", "mend")
    if run.fault.resolves:
        assert run.resolved > run.arrived


def test_healthy_instances_have_no_alert(scenery):
    for proxy in scenery.healthy:
        fired = scenery.stack.query(f'count_over_time(ALERTS{{instance="{proxy.instance}",alertstate="firing"}}[1h])')
        assert fired == []
        assert scenery.stack.alerts(instance=proxy.instance) == []
        assert proxy.metric("mcp_proxy_requests_total") > 100
