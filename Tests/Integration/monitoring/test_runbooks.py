# SPDX-License-Identifier: Apache-2.0
"""Every alert has a runbook, what runbooks name exists, and their commands do what they say.

Commands that ask Prometheus, the journal or the proxy run as written, against real ones in which the faults they look
for have happened. What a test cannot have, such as Docker, is parsed, and held against a list of known flags.
"""

import dataclasses
import re
import signal

import pytest

import runbook_blocks
import runbook_checks
from control_group import control_group
from fake_engine import FakeEngine
from journal import CATALOGUE, NO_LIMIT, journal, journaled, journals  # noqa: F401
from mcp_http import tool
from processes import eventually
from prometheus import Prometheus, binary
from proxy_process import FIXTURE, ROOT
from runbook_blocks import blocks, runbooks

ALERTS = runbook_checks.alerts()
# What TOOL stands for: a tool that was called with success and without.
VARIABLES = {"NAME": "time", "TOOL": "env", "URL": "https://time.example.com/mcp"}


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    assert runbooks() == sorted(ALERTS)


def test_events_lead_to_runbooks_that_are_there():
    named = {kind["runbook"] for kind in CATALOGUE["events"] if kind.get("runbook")}
    assert named and named <= set(runbooks())


@pytest.mark.parametrize("name", ["README", *runbooks()])
def test_what_it_says_is_so(name):
    assert runbook_checks.problems(name, runbook_blocks.text(name)) == []


def test_the_index_lists_all_by_file_with_their_severities():
    """In a table for each file of alerts."""
    sections = re.split(r"^## (.*)\n", runbook_blocks.text("README"), flags=re.M)
    for path in (ROOT / "prometheus/alerts").glob("*.yml"):
        text = sections[sections.index(path.stem.capitalize()) + 1]
        listed = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([\w, ]+) \|", text, re.M))
        expected = {}
        for rule in runbook_checks.rules("alerts", path.stem):
            expected.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])
        assert {name: set(severities.split(", ")) for name, severities in listed.items()} == expected


# The checks themselves.

RIGHT = runbook_blocks.text("McpServerCrashed")


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("## Impact", "## Effects", "headings"),
        ("in 5 minutes", "in 6 minutes", "Meaning lacks '5 minutes'"),
        ("mcp_proxy_upstream_up{", "mcp_proxy_upstream_us{", "no metric: mcp_proxy_upstream_us"),
        ("sum by (reason)", "sum by (raeson)", "no label: raeson"),
        ("up{instance=", "up{reason=", "has no label reason"),
        ("MCP_EVENT=upstream.crashed", "MCP_EVENT=upstream.crushed", "no event: upstream.crushed"),
        ("`MCP_REASON`", "`MCP_RAESON`", "no field of the journal: MCP_RAESON"),
        ("MCP_STDERR_TAIL\n", "MCP_PROBLEM\n", "entries of upstream.crashed have no MCP_PROBLEM"),
        ("McpServerOomKilled.md", "McpServerOom.md", "a link leads nowhere"),
        ("[McpServerOomKilled]", "[McpServerOom]", "no alert: McpServerOom"),
        ("`stdout_closed`", "`stdout_shut`", "a table has an unknown"),
        ("docker ps", "docker pss", "docker is told an unexpected pss"),
        ("--filter event=oom", "--filters event=oom", "docker has an unexpected --filters"),
        ("journalctl MCP_SERVER", "jurnalctl MCP_SERVER", "a program that is not expected"),
        ("-n 50\n", "-n 50 | (\n", "syntax error"),
        ("NAME=time", "NMAE=time", "an unknown variable: NMAE"),
        ("Good:", "Fine:", "does not say what is good"),
    ],
)
def test_a_mistake_is_found(right, wrong, problem):
    assert right in RIGHT
    found = runbook_checks.problems("McpServerCrashed", RIGHT.replace(right, wrong))
    assert any(problem in each for each in found), found


@pytest.mark.parametrize(
    ("name", "right", "wrong", "problem"),
    [
        ("McpRequestsRejected", "`--max-in-flight`", "`--max-inflight`", "no option: --max-inflight"),
        ("McpRequestsRejected", "`queue: 2048`", "`queu: 2048`", "no key of the configuration file: queu"),
        ("McpRequestsRejected", "(queue_length|queue_limit", "(queue_lenght|queue_limit", "mcp_proxy_queue_lenght"),
        ("McpRequestsFailing", "outcome!='ok'", "outcome!='okay'", "outcome of mcp_proxy_requests_total is never okay"),
        ("McpServerOomKilled", "MCP_REASON=oom", "MCP_REASON=killed", "MCP_REASON is never killed"),
        ("McpServerNotReady", "| `starting` |", "| `begining` |", "a table has an unknown State: begining"),
    ],
)
def test_a_mistake_elsewhere_is_found(name, right, wrong, problem):
    text = runbook_blocks.text(name)
    assert right in text
    found = runbook_checks.problems(name, text.replace(right, wrong))
    assert any(problem in each for each in found), found


# The commands, run.


def lines(*kinds, containing=""):
    """Each command of these kinds of block, alone, and once: the blocks have one on a line."""
    found = {}
    for name in ["README", *runbooks()]:
        for block in blocks(name, *kinds):
            for number, line in enumerate(block.text.splitlines(), block.line + 1):
                if containing in line:
                    found.setdefault(line, dataclasses.replace(block, text=line, line=number))
    return list(found.values())


class PrometheusWithRules(Prometheus):
    def _config(self, targets, interval):
        config = super()._config(targets, interval)
        config["global"]["evaluation_interval"] = interval
        return {**config, "rule_files": [str(ROOT / "prometheus" / kind / "*.yml") for kind in ("recording", "alerts")]}


def test_the_queries_run(proxy, tmp_path):
    """In a Prometheus that scrapes a proxy and evaluates the rules."""
    binary("promtool")
    running = proxy(
        "--name",
        VARIABLES["NAME"],
        child=FakeEngine(tmp_path / "engine").command,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    )
    session = running.session()
    session.request("tools/list")
    session.tool("env", name="NO_SUCH_VARIABLE")
    prometheus = PrometheusWithRules(tmp_path, {"mcp-proxy": running.port})
    try:
        prometheus.all_up()
        known = {**VARIABLES, "INSTANCE": f"127.0.0.1:{running.port}"}
        recorded = {rule["record"] for rule in runbook_checks.rules("recording")}
        eventually(lambda: prometheus.query("instance_tool:mcp_tool_calls_failed:increase1h"), 30, "recorded series")
        there = set(prometheus.api("label/__name__/values"))
        wrong = []
        for block in lines("promql"):
            done = runbook_blocks.run(block, known, prometheus.port)
            if done.returncode or done.stderr:
                wrong.append(f"{block}: {done.stdout}{done.stderr}")
            for metric in runbook_checks.METRIC.findall(runbook_checks.expanded(block.text)):
                is_series = metric in runbook_checks.metrics() and metric not in runbook_checks.FOREIGN_METRICS
                # Those of the journal are there only when that takes the log.
                if is_series and metric not in there | recorded and "journal" not in metric:
                    wrong.append(f"{block}: Prometheus has no {metric}")
        assert wrong == []
        assert len(lines("promql")) > 50
    finally:
        prometheus.stop()


def test_the_proxy_answers(proxy):
    """What is asked by curl, that is."""
    running = proxy("--name", VARIABLES["NAME"])
    known = {**VARIABLES, "INSTANCE": f"127.0.0.1:{running.port}"}
    asked = lines("shell", containing="$INSTANCE/")
    assert asked
    for block in asked:
        done = runbook_blocks.run(block, known)
        assert done.returncode == 0, f"{block}: {done.stderr}"
        assert re.search(r'"status":"ready"|\b200\b', done.stdout), f"{block}: {done.stdout}"


class Faults:
    """Proxies of one name in one journal, and one fault after the other."""

    def __init__(self, journal, journaled, folder):
        self.journal = journal
        self.folder = folder
        self._start = journaled

    def start(self, *flags, **options):
        return self._start(self.journal, "--name", VARIABLES["NAME"], "--debug", *NO_LIMIT, *flags, **options)

    def inject(self):
        hung = self.hangs()
        self.cannot_start()
        self.crashes()
        self.loses_its_engine()
        self.is_overloaded()
        self.breaks_rules()
        self.waits_for_a_client()
        self.is_misconfigured()
        self.stops()
        hung.event("upstream.unresponsive")
        hung.event("upstream.crashed", MCP_REASON="unresponsive")
        # Last: what comes after it could be lost, too.
        self.loses_entries()

    def hangs(self):
        running = self.start("--request-timeout", "700")
        session = running.session()
        session.request("tools/list")
        session.start_tool("hang")
        return running

    def cannot_start(self):
        self.start(ready=False, child=[FIXTURE, "--initialize-error"]).event("upstream.backoff")

    def crashes(self):
        running = self.start()
        session = running.session()
        session.request("tools/list")
        session.tool("stderr", text="the last words")
        session.tool("crash", status=1)
        running.event("request.upstream_lost")
        with control_group(256) as group:
            running = self.start()
            (group.path / "cgroup.procs").write_text(str(running.pid), encoding="ascii")
            # The next one is born in the group.
            running.kill_child()
            running.event("upstream.ready", count=2)
            running.session().tool("allocate", mb=2048)
            running.event("upstream.crashed", MCP_REASON="oom")
            running.stop()

    def loses_its_engine(self):
        engine = FakeEngine(self.folder / "engine")
        running = self.start(child=engine.command)
        running.event("container.started")
        engine.away.touch()
        running.kill_child()
        running.event("engine.unreachable")
        running.event("upstream.engine_failed")

    def is_overloaded(self):
        running = self.start("--max-in-flight", "1", "--queue", "0", "--session-idle-timeout", "1500", "--strict-host")
        session = running.session()
        session.request("tools/list")
        session.tool("env", name="PATH")
        session.tool("env", name="NO_SUCH_VARIABLE")
        session.start_tool("sleep", ms=300)
        eventually(lambda: "error" in session.tool("echo", text="no room"), 10, "a refused call")
        running.http.post(tool("echo", text="x"), {"Host": "unknown.example"})
        running.event("security.host_rejected")
        running.session(listen=True).stream.close()
        running.event("stream.closed")
        running.event("session.expired")

    def breaks_rules(self):
        running = self.start()
        running.session().tool("garbage", kind="text")
        running.event("upstream.protocol_error")

    def waits_for_a_client(self):
        running = self.start("--client-request-timeout", "300")
        session = running.session(capabilities={"sampling": {}})
        session.tool("sample", prompt="anybody there?")
        session.delete()
        running.event("upstream.request_finished")
        running.event("session.closed")

    def is_misconfigured(self):
        config = self.folder / "time.yaml"
        config.write_text("queue: 5\n", encoding="utf-8")
        running = self.start("--config", config)
        config.write_text("queu: 5\n", encoding="utf-8")
        running.signal(signal.SIGHUP)
        running.event("config.invalid")

    def stops(self):
        self.start().stop()

    def loses_entries(self):
        running = self.start("--log-payloads", "4000")
        session = running.session()
        self.journal.signal(signal.SIGSTOP)
        while not running.metric("mcp_proxy_journal_events_dropped_total"):
            session.tool("echo", text="x" * 4000)
        self.journal.signal(signal.SIGCONT)
        running.event("telemetry.dropped")
        self.journal.sync()


# What these ask for is nothing the faults above cause.
NOT_INJECTED = {"MCP_KIND=stdin_not_read"}


def test_the_journal_shows_what_happened(journal, journaled, tmp_path):
    Faults(journal, journaled, tmp_path).inject()
    wrong, shown = [], 0
    for block in lines("journal"):
        done = runbook_blocks.run(block, VARIABLES, prefix=journal.inside())
        output = done.stdout.strip()
        if done.returncode or done.stderr:
            wrong.append(f"{block}: {block.text}: {done.returncode} {done.stderr}")
        if "MCP_" in block.text and not any(each in block.text for each in NOT_INJECTED):
            shown += 1
            if output in ("", "-- No entries --"):
                wrong.append(f"{block}: {block.text} shows nothing")
    assert wrong == []
    assert shown > 50
