# SPDX-License-Identifier: Apache-2.0
"""The dashboards over data: real proxies in trouble, recorded, and all that dashboards ask Prometheus about them.

Each panel says in which scenarios it has to show something; in the others it may be empty, but never wrong.
"""

import copy
import math
import re

import pytest

import recorded_run
from dashboard_checks import unit_of
from dashboard_queries import ALL, View, ask, interpolated, legend, panels, results, values_of
from dashboard_scenarios import Sparse
from dashboard_source import BOARDS, DASHBOARDS, draw
from recorded_run import DAY, END, HOUR, JOB, STEP, Clock

# Seven proxies at once, for half a minute.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]
SCENARIOS = ("healthy", "crash", "overload", "slow", "journal-down", "sparse", "down", "public")
NEEDS = {"journal-down": "root, for a journald of its own", "public": "openssl and the blackbox exporter"}
# Shares that may be more than everything: of several cores, and of a budget.
BEYOND_ONE = ("CPU of the proxy",)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The Prometheus that has the run, and what was recorded."""
    server, recording = recorded_run.recorded(tmp_path_factory.mktemp("recorded"))
    yield server, recording
    server.stop()


@pytest.fixture
def look(run):
    """What somebody looks at who has chosen a scenario's instance: the last hour, or the day of the sparse one."""

    def view(scenario):
        if scenario is not None and scenario not in run[1].scenarios:
            pytest.skip(f"the scenario {scenario} needs {NEEDS[scenario]}")
        chosen = run[1].instances.get(scenario, ALL)
        return View(END - (DAY if scenario == "sparse" else HOUR), END, {"job": [JOB], "instance": [chosen]})

    return view


@pytest.fixture
def server(run):
    return run[0]


def declared():
    """Each panel with each scenario in which it has to show something."""
    for uid, board in BOARDS.items():
        for panel in panels(DASHBOARDS[uid]):
            for scenario in board.tiles[panel["id"]].shows:
                yield pytest.param(panel, scenario, id=f"{uid}-{panel['title']}-{scenario}")


def panel(uid, title):
    return next(each for each in panels(DASHBOARDS[uid]) if each["title"] == title)


def number(server, view, uid, title, letter="A"):
    """The one value a panel shows."""
    found = results(server, panel(uid, title), view)[letter]
    assert len(found) == 1, found
    return found[0][1][-1][1]


def problems(panel, found):
    """What is wrong with the series a panel got."""
    wrong = []
    for target in panel["targets"]:
        for labels, values in found[target["refId"]]:
            shown = legend(target.get("legendFormat", ""), labels) or labels
            missing = [
                name
                for name in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
                if not labels.get(name) and name != "gen_ai_tool_name"
            ]
            wrong += [f"{shown}: its legend has no {name}" for name in missing]
            wrong += [f"{shown}: {value}" for _, value in values if not math.isfinite(value)]
            highest, lowest = max(value for _, value in values), min(value for _, value in values)
            if unit_of(panel, target) == "percentunit" and not (-1 <= lowest and highest <= 1.001):
                wrong += [f"{shown} is {highest:.0%}"] if panel["title"] not in BEYOND_ONE else []
            if unit_of(panel, target) == "s" and highest > 30 * DAY:
                wrong.append(f"{shown} is {highest} s")
    return wrong


# Panels.


@pytest.mark.parametrize(("panel", "scenario"), list(declared()))
def test_shows(server, look, panel, scenario):
    found = results(server, panel, look(scenario))
    assert any(found.values()), "nothing to see"


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_nothing_is_wrong(server, look, uid, scenario):
    """No query fails, no value is NaN, no legend lacks a name, no share is more than everything."""
    wrong = {each["title"]: problems(each, results(server, each, look(scenario))) for each in panels(DASHBOARDS[uid])}
    assert {title: found for title, found in wrong.items() if found} == {}


def test_all_scenarios_are_declared():
    """A scenario in which no panel has to show anything would prove nothing."""
    shown = {scenario for board in BOARDS.values() for tile in board.tiles.values() for scenario in tile.shows}
    assert shown == set(SCENARIOS)
    assert all(tile.shows for board in BOARDS.values() for tile in board.tiles.values())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mcp_proxy_requests_total", "mcp_proxy_request_total"),
        ('job=~"$job"', 'jobs=~"$job"'),
        ("by (job, instance, outcome)", "by (job, instance, outcomes)"),
    ],
    ids=["metric", "label", "grouping"],
)
def test_mistake_is_found(server, look, before, after):
    """A query that asks for what there is not shows nothing, or has no name for what it shows."""
    mistaken = copy.deepcopy(panel("mcp-proxy-server", "Requests by outcome"))
    mistaken["targets"][0]["expr"] = mistaken["targets"][0]["expr"].replace(before, after)
    found = results(server, mistaken, look("healthy"))
    assert not any(found.values()) or problems(mistaken, found)


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_variables(run, look, uid):
    server, recording = run
    for variable in DASHBOARDS[uid]["templating"]["list"]:
        if variable["type"] == "query":
            values = values_of(server, variable, look(None))
            wanted = recording.instances.values() if variable["name"] == "instance" else [JOB]
            assert sorted(value for _, value in values) == sorted(wanted), variable["name"]
            if variable["name"] == "instance":
                assert ("files", recording.instances["down"]) in values, "a proxy that is down has lost its name"


def test_several_instances_at_once(server, look, run):
    both = [run[1].instances[name] for name in ("healthy", "crash")]
    view = look(None)
    view.values["instance"] = both
    found = results(server, panel("mcp-proxy-fleet", "Requests in the chosen time"), view)["A"]
    assert {labels["instance"] for labels, _ in found} == set(both)


@pytest.mark.parametrize(
    ("name", "scenario", "times"),
    [("Crashes", "crash", 3), ("Restarts of the proxy", "down", 1), ("Reloads", "healthy", 1)],
)
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_annotations(server, look, uid, name, scenario, times):
    annotation = next(each for each in DASHBOARDS[uid]["annotations"]["list"] if each["name"] == name)
    found = ask(server, annotation, look(scenario), {"gridPos": {"w": 6}})
    marks = [mark for _, values in found for mark in draw.starts(values)]
    assert len(marks) >= times
    assert all(labels["name"] for labels, _ in found)
    others = ask(server, annotation, look("sparse"), {"gridPos": {"w": 6}})
    assert others == [], "nothing of that kind happened there"


# What a person has to see.


def test_ten_calls_a_day_are_counted(server, look):
    """All ten, the first included, whose series was not there before; and the handshake."""
    view = look("sparse")
    calls = results(server, panel("mcp-proxy-server", "Tools"), view)
    assert [values[-1][1] for labels, values in calls["A"]] == [Sparse.before + 1]
    assert [values[-1][1] for labels, values in calls["B"]] == [0], "a tool that never failed has failed 0 times"
    assert number(server, view, "mcp-proxy-server", "Requests") == Sparse.before + 1
    assert number(server, view, "mcp-proxy-server", "Failing") == 0
    assert number(server, view, "mcp-proxy-slo", "Objectives") == Sparse.before + 1


def test_fleet_says_what_is_wrong_and_where(server, look, run):
    view, uid = look(None), "mcp-proxy-fleet"
    assert number(server, view, uid, "Proxies down") == 1
    assert number(server, view, uid, "Proxies up") == len(run[1].instances) - 1
    assert number(server, view, uid, "Servers not ready") == 1
    assert number(server, view, uid, "Crashes in 24 h") >= 3
    assert number(server, view, uid, "Critical alerts") >= 2
    firing = {
        (labels["alertname"], labels.get("name"))
        for labels, _ in results(server, panel(uid, "Firing alerts"), view)["A"]
    }
    assert {("McpProxyDown", "files"), ("McpServerStartFailing", "git"), ("McpToolSlow", "search")} <= firing
    table = results(server, panel(uid, "Servers"), view)
    worst, states = ({labels["name"]: values[-1][1] for labels, values in table[letter]} for letter in "AB")
    assert (worst["files"], worst["git"], worst["search"], worst["time"]) == (3, 3, 2, 0)
    assert (states["files"], states["time"]) == (0, 1)
    # Restarting, starting, or waiting longer and longer.
    assert states["git"] in (2, 3, 4)


def test_public_address_is_no_proxy(server, look):
    """Other scrape jobs do not count, even when all are chosen."""
    view = look("public")
    before = number(server, view, "mcp-proxy-fleet", "Proxies up")
    view.values["job"] = [ALL]
    assert number(server, view, "mcp-proxy-fleet", "Proxies up") == before


def test_public_address_went_down(server, look):
    ((labels, values),) = results(server, panel("mcp-proxy-fleet", "Public addresses"), look("public"))["A"]
    assert labels["name"] == "time"
    assert [values[0][1], values[-1][1]] == [1, 0]


def test_healthy_server_is_all_green(server, look):
    view = look("healthy")
    for title in ("Proxies down", "Servers not ready", "Crashes in 24 h", "Failing requests"):
        assert number(server, view, "mcp-proxy-fleet", title) == 0, title
    assert results(server, panel("mcp-proxy-server", "Firing alerts"), view) == {"A": []}


def test_blame_names_the_queue_and_the_server(server, look):
    """Overloaded, calls wait longer than they take; slow, it is the server."""

    def longest(scenario):
        found = results(server, panel("mcp-proxy-server", "Where the time goes: the average call"), look(scenario))
        return [max(value for _, values in found[letter] for _, value in values) for letter in "ABC"]

    queue, own, proxy = longest("overload")
    assert queue > own > proxy
    queue, own, proxy = longest("slow")
    assert own > 5 and own > 10 * (queue + proxy)


def test_pictures(server, run, tmp_path, monkeypatch):
    """The tool that draws them knows every kind of panel there is."""
    monkeypatch.setattr(draw, "PICTURES", tmp_path)
    draw.draw_all(server, run[1])
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (recorded_run.ROOT / "docs/img").glob("dashboard-*.png"))


# The tools of these tests.


def test_interpolation():
    """As Grafana does it: intervals rounded, never shorter than scrapes; several values make a regular expression."""
    view = View(0, HOUR, {"job": ["a.b", "c"], "instance": [ALL]})
    assert view.interval(800) == 15
    assert View(0, DAY).interval(800) == 120
    expression = 'x{job=~"$job", i=~"${instance}"}[$__rate_interval] + $__range_s + y[$__range] "$1"'
    wanted = r'x{job=~"(a\\.b|c)", i=~".+"}[60s] + 3600 + y[3600s] "$1"'
    assert interpolated(expression, view, 15) == wanted


def test_clock():
    clock = Clock([(10.0, 1000), (20.0, 2000)])
    assert [clock.moved(real) for real in (5, 10, 15, 20, 30)] == [995, 1000, 1500, 2000, 2010]


def test_steps_are_those_of_the_scrapes():
    assert HOUR % STEP == 0 and STEP * recorded_run.STEPS == HOUR
