# SPDX-License-Identifier: Apache-2.0
"""Every configuration that is shipped, loaded by the program it is for, doing what it is there for."""

import subprocess
import time

import promql_parser as promql
import pytest

import metrics_catalogue
from processes import eventually
from prometheus import binary
from rules_files import DIRECTORY, promtool, promtools, rules
from rules_programs import Alertmanager, Blackbox, Certificates, Front, PrometheusAsShipped, program_of
from webhook import Webhook

WITHOUT_3 = "no Prometheus 3 in .venvs (scripts/test.sh fetches it)"
SETUPS = [("prometheus.yml", "2"), ("prometheus.yml", "3"), ("prometheus-native.yml", "3")]


@pytest.fixture
def started(tmp_path):
    """Starts programs, each in a directory of its own: `started(PrometheusAsShipped, ...)`."""
    running = []

    def start(kind, *arguments, **options):
        directory = tmp_path / f"{kind.__name__}-{len(running)}"
        directory.mkdir()
        running.append(kind(directory, *arguments, **options))
        return running[-1]

    yield start
    for each in reversed(running):
        each.stop()


@pytest.fixture
def webhook():
    receiver = Webhook()
    yield receiver
    receiver.stop()


@pytest.mark.parametrize(("config", "version"), SETUPS, ids=["2", "3", "3-native"])
def test_prometheus_runs_all_rules(proxy, started, config, version):
    tool = promtools().get(version) or pytest.skip(WITHOUT_3)
    program_of(version) or pytest.skip(WITHOUT_3)
    status, output = promtool("check", "config", DIRECTORY / config, program=tool)
    assert status == 0, output
    running = proxy("--histograms", "both")
    running.session().tool("echo", text="x")
    server = started(PrometheusAsShipped, config, version, [f"127.0.0.1:{running.port}"])
    expected = len(rules("alerts")) + len(rules("recording"))

    def evaluated():
        found = server.rules()
        assert len(found) == expected
        return found if all(rule["health"] != "unknown" for rule in found) else None

    # Each group has its moment within the 15 seconds.
    found = eventually(evaluated, 40, "the evaluation of all rules")
    assert [(rule["name"], rule["lastError"]) for rule in found if rule["health"] != "ok"] == []
    eventually(lambda: server.query('up{job="mcp-proxy"} == 1'), 40, "a scrape of the proxy")
    jobs = {target["labels"]["job"] for target in server.get("/api/v1/targets")["data"]["activeTargets"]}
    assert jobs == {"mcp-proxy", "prometheus"}
    # The bounds are written as the rules write them.
    for bucket in ('mcp_server_operation_duration_seconds_bucket{le="5.0"}',
                   'mcp_client_operation_duration_seconds_bucket{le="10.0"}'):
        assert server.query(bucket) != []


@pytest.fixture
def exercised(proxy):
    """Starts a proxy with these histograms and a way to exercise it: three calls that take 11 s, and ten quick ones."""

    def start(histograms):
        running = proxy("--histograms", histograms, "--name", histograms, "--max-in-flight", "16")
        session = running.session()
        session.request("tools/list")
        for tool in ("sleep", "echo"):
            session.tool(tool, text="x", ms=1)

        def exercise():
            slow = [session.start_tool("sleep", ms=11_000) for _ in range(3)]
            for _ in range(10):
                session.tool("echo", text="x")
            return slow

        return running, exercise

    return start


def arms_of(name):
    """A recorded rule's expressions for classic and for native histograms."""
    (rule,) = [each for each in rules("recording") if each.name == name]
    tree = promql.parse(rule.expression)
    assert str(tree).removeprefix(str(tree.lhs)).split()[0] == "or"
    return str(tree.lhs), str(tree.rhs)


@pytest.mark.timeout(240)
def test_native_histograms_say_the_same(exercised, started):
    program_of("3") or pytest.skip(WITHOUT_3)
    proxies = {kind: exercised(kind) for kind in ("native", "both")}
    targets = [f"127.0.0.1:{running.port}" for running, _ in proxies.values()]
    server = started(PrometheusAsShipped, "prometheus-native.yml", "3", targets, faster="1s")
    scraped = 'count(count_over_time(up{job="mcp-proxy"}[1m]) > 2)'
    eventually(lambda: server.query(scraped) == [({}, 2)], 30, "some scrapes before the calls")
    slow = [call for _, exercise in proxies.values() for call in exercise()]
    for call in slow:
        call.answer(30)
    native, both = (f"127.0.0.1:{running.port}" for running, _ in proxies.values())

    def one(expression, **labels):
        found = [value for its, value in server.query(expression) if all(its.get(k) == v for k, v in labels.items())]
        return found[0] if len(found) == 1 else None

    def recorded(name, **labels):
        return one(name, instance=native, **labels)

    # 3 and 10, and what Prometheus guesses for the time that the window is longer than the samples in it.
    eventually(lambda: 12.5 < (recorded("instance:mcp_proxy_requests_timed:increase5m") or 0) < 15, 30, "13 timed")
    assert server.query(f'mcp_server_operation_duration_seconds_count{{instance="{native}"}}') == [], "only native ones"
    calls = "instance_tool:mcp_tool_calls"
    # Each group of rules has its own moment: none is right because another is.
    for name, least, most, labels in (
        ("instance:mcp_proxy_requests_slow:increase5m", 2.5, 3.6, {}),
        (f"{calls}:increase1h", 9.5, 11.5, {"gen_ai_tool_name": "echo"}),
        (f"{calls}:increase1h", 2.5, 3.6, {"gen_ai_tool_name": "sleep"}),
        (f"{calls}_slow:increase1h", 2.5, 3.6, {"gen_ai_tool_name": "sleep"}),
    ):
        eventually(lambda: least < (recorded(name, **labels) or 0) < most, 30, f"{name} {labels}")
    assert recorded(f"{calls}_slow:increase1h", gen_ai_tool_name="echo") == pytest.approx(0, abs=0.01)

    # One proxy that exposes both kinds: one question for both, since a scrape may come between two.
    def of_both(name, **labels):
        arms = zip(("classic", "natively"), arms_of(name), strict=True)
        asked = " or ".join(f'label_replace({arm}, "kind", "{kind}", "", "")' for kind, arm in arms)
        return tuple(one(asked, instance=both, kind=kind, **labels) for kind in ("classic", "natively"))

    def alike(name, **labels):
        classic, natively = of_both(name, **labels)
        return classic is not None and natively == pytest.approx(classic, rel=0.1, abs=0.05)

    for name in ("instance:mcp_proxy_requests_timed:increase5m", "instance:mcp_proxy_requests_slow:increase5m"):
        eventually(lambda: alike(name), 30, f"{name} alike")
    for name in (f"{calls}:increase1h", f"{calls}_slow:increase1h"):
        for tool in ("echo", "sleep"):
            eventually(lambda: alike(name, gen_ai_tool_name=tool), 30, f"{name} of {tool} alike")
    classic, natively = of_both("instance:mcp_proxy_overhead_seconds:p99_15m")
    bounds = [0, *metrics_catalogue.rows()["mcp_proxy_overhead_seconds"].bounds, float("inf")]
    bucket = next(index for index, bound in enumerate(bounds) if classic <= bound)
    assert bounds[bucket - 1] * 0.9 <= natively <= bounds[bucket] * 1.1, "in the same classic bucket"
    assert recorded("instance:mcp_proxy_overhead_seconds:p99_15m") > 0


def test_alertmanager_routes_by_severity():
    config = DIRECTORY / "alertmanager.yml"
    subprocess.run([binary("amtool"), "check-config", config], check=True, timeout=20, stdout=subprocess.DEVNULL)
    receivers = {"critical": "page", "warning": "ticket", "info": "nobody", "none": "heartbeat"}
    for rule in rules("alerts"):
        severity = rule.source["labels"]["severity"]
        command = [binary("amtool"), "config", "routes", "test", f"--config.file={config}"]
        done = subprocess.run(
            [*command, f"--verify.receivers={receivers[severity]}", f"alertname={rule.name}", f"severity={severity}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, f"{rule.id}: {done.stdout}"


# Cause, consequence, and whether the consequence is told beside it.
INHIBITED = [
    ("McpProxyDown", "McpServerNotReady", True),
    ("McpProxyDown", "McpErrorBudgetBurn", True),
    ("McpServerNotReady", "McpProxyDown", False),
    ("McpServerStartFailing", "McpServerNotReady", True),
    ("McpServerStartFailing", "McpServerCrashLooping", True),
    ("McpServerNotReady", "McpServerStartFailing", False),
    ("McpServerCrashLooping", "McpServerCrashed", True),
    ("McpServerCrashLooping", "McpServerNotReady", True),
    ("McpServerNotReady", "McpServerCrashed", True),
    ("McpServerNotReady", "McpErrorBudgetBurn", True),
    ("McpServerStartFailing", "McpServerOomKilled", True),
    ("McpServerNotReady", "McpRequestsFailing", True),
    ("McpServerNotReady", "McpRequestsRejected", False),
    ("McpErrorBudgetBurn", "McpRequestsFailing", True),
    ("McpErrorBudgetBurn", "McpToolSlow", False),
    ("McpJournalUnavailable", "McpJournalDroppingEvents", True),
    ("McpServerCrashed", "McpErrorBudgetBurn", False),
]


def test_causes_inhibit_their_consequences(started, webhook):
    severities = {rule.name: rule.source["labels"]["severity"] for rule in reversed(rules("alerts"))}
    manager = started(Alertmanager, webhook.port)
    posted, expected = [], {}
    for number, (cause, consequence, inhibited) in enumerate(INHIBITED):
        labels = {"job": "mcp-proxy", "instance": f"127.0.0.1:{number}", "name": f"server-{number}"}
        for name in (cause, consequence):
            posted.append({"alertname": name, "severity": severities[name], **labels})
        # The same consequence on a host that has nothing to do with it.
        posted.append({**posted[-1], "instance": f"10.0.0.1:{number}", "name": f"other-{number}"})
        expected[consequence, labels["instance"]] = inhibited
        expected[consequence, f"10.0.0.1:{number}"] = False
    # A public address has the name of the proxy behind it in common with it, or none.
    public = {"alertname": "McpPublicEndpointDown", "severity": "critical", "job": "mcp-proxy-public"}
    posted += [{**public, "instance": "https://0", "name": "server-0"}, {**public, "instance": "https://1"}]
    posted += [{**public, "instance": "https://9", "name": "server-9"}]
    address = ("McpPublicEndpointDown",)
    expected |= {(*address, "https://0"): True, (*address, "https://1"): False, (*address, "https://9"): False}
    # The same alert at two severities.
    twice = {"alertname": "McpServerUnresponsive", "job": "mcp-proxy", "instance": "twice", "name": "twice"}
    posted += [{**twice, "severity": "critical"}, {**twice, "severity": "warning"}]
    manager.post(posted)
    eventually(lambda: len(manager.alerts()) == len(posted), 20, "all alerts")

    def muted():
        """What is muted, which Alertmanager learns a moment after the alerts themselves."""
        found = {(a["labels"]["alertname"], a["labels"]["instance"]): a for a in manager.alerts()}
        return {which: found[which]["status"]["inhibitedBy"] != [] for which in expected}

    def states():
        twice = [a for a in manager.alerts() if a["labels"]["instance"] == "twice"]
        return {a["labels"]["severity"]: a["status"]["state"] for a in twice}

    eventually(lambda: muted() == expected, 20, "what is muted")
    eventually(lambda: states() == {"critical": "active", "warning": "suppressed"}, 20, "the warning's silence")


def test_one_fault_on_ten_instances_is_one_notification(started, webhook):
    manager = started(Alertmanager, webhook.port)
    manager.post(
        {"alertname": "McpServerNotReady", "severity": "critical", "job": "mcp-proxy", "instance": f"127.0.0.1:{port}"}
        for port in range(9464, 9474)
    )
    manager.post([{"alertname": "McpWatchdog", "severity": "none"}])
    manager.post([{"alertname": "McpScrapeExpensive", "severity": "info", "job": "mcp-proxy", "instance": "a"}])
    manager.post([{"alertname": "McpToolSlow", "severity": "warning", "job": "mcp-proxy", "instance": "a"}])
    ticket = webhook.wait("firing", time.monotonic() + 20, alertname="McpToolSlow")
    page = webhook.wait("firing", time.monotonic() + 20, alertname="McpServerNotReady")
    heartbeat = webhook.wait("firing", time.monotonic() + 20, alertname="McpWatchdog")
    assert (ticket[0].receiver, page[0].receiver, heartbeat[0].receiver) == ("ticket", "page", "heartbeat")
    assert len(page[0].alerts) == 10
    # All that was to come has come: the next is due in 5 minutes.
    assert len(webhook.notifications) == 3
    assert webhook.told("firing", alertname="McpScrapeExpensive") == []


def test_public_addresses_are_probed(proxy, started, tmp_path):
    config = DIRECTORY / "blackbox.yml"
    command = [binary("prometheus-blackbox-exporter"), f"--config.file={config}", "--config.check"]
    subprocess.run(command, check=True, timeout=20, capture_output=True)
    certificates = Certificates(tmp_path)
    running = proxy()
    front = Front(certificates, running.port)
    try:
        blackbox = started(Blackbox, certificates.authority)
        address = f"https://localhost:{front.port}/mcp"
        found = blackbox.probe(address)
        assert found["probe_success"] == 1, found
        assert found["probe_ssl_earliest_cert_expiry"] == certificates.expires()
        # It costs nothing: no session, and nothing for the server to do.
        assert running.found("session.opened") == []
        assert running.found(("request.completed", "request.failed")) == []
        # As without TLS, and with a certificate of nobody one trusts.
        assert blackbox.probe(f"http://127.0.0.1:{running.port}/mcp")["probe_success"] == 0
        (tmp_path / "elsewhere").mkdir()
        stranger = started(Blackbox, Certificates(tmp_path / "elsewhere").authority)
        assert stranger.probe(address)["probe_success"] == 0
        running.stop()
        found = blackbox.probe(address)
        assert (found["probe_success"], found["probe_http_status_code"]) == (0, 502)
    finally:
        front.stop()
