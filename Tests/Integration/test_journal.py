# SPDX-License-Identifier: Apache-2.0
"""The journal of a real journald holds what happened: every entry as the catalogue declares it, none missing."""

import json
import os
import re
import signal

import pytest

from journal import CATALOG, CATALOGUE, KINDS, NO_LIMIT, OF_CONTAINERS, OF_THE_LOG, journal, journaled, journals  # noqa: F401
from journal import numbers, of_kind, own_fields, problems
from load import Load
from mcp_http import initialize, request, text, tool
from otlp_collector import Collector
from processes import alive, eventually
from proxy_process import FIXTURE

# What comes with every HTTP request, so with the scrape, too.
OF_HTTP = {"http.answered", "connection.closed"}
ASKED = {"sampling": {}, "elicitation": {"form": {}, "url": {}}}


# Where the log goes.


def native(running):
    return of_kind(running.entries(), "proxy.started")


@pytest.mark.parametrize("log", ["auto", "journal", None])
def test_under_journald_the_journal_gets_entries(journal, journaled, log):
    running = journaled(journal, stream=True, log=log)
    assert native(running)[0]["MCP_LOG"] == "journal"
    running.stop()
    assert journal.entries(f"_PID={running.pid}", "_TRANSPORT=stdout") == []


def test_asked_for_the_journal_gets_entries_anywhere(journal, journaled):
    running = journaled(journal, log="journal")
    assert native(running)[0]["MCP_LOG"] == "journal"
    running.stop()
    assert running.stderr() == ""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("log", ["text", "json"])
def test_asked_for_stderr_the_journal_gets_no_entries(journal, journaled, log, stream):
    running = journaled(journal, stream=stream, log=log)
    assert running.stop() == []
    lines = journal.read("_TRANSPORT=stdout", output="cat") if stream else running.stderr()
    first = lines.splitlines()[0]
    if log == "json":
        assert json.loads(first)["event"] == "proxy.started"
        assert json.loads(first)["log"] == "stderr"
    else:
        assert first.endswith("log: stderr")


@pytest.mark.parametrize("stale", [False, True])
def test_auto_without_journald_stays_readable(journal, journaled, stale):
    """JOURNAL_STREAM is inherited: what counts is whether this stderr is that stream."""
    connection, stream = journal.stream()
    with connection:
        running = journaled(journal, log="auto", env={"JOURNAL_STREAM": stream} if stale else None)
    assert running.stop() == []
    first = running.stderr().splitlines()[0]
    assert "listen" not in first and first.endswith("log: stderr, not under journald")


def test_the_journal_asked_for_where_there_is_none(journals, journaled):
    running = journaled(journals(running=False), log="journal")
    running.signal()
    assert running.wait() == 0
    assert running.stderr().splitlines()[0].endswith("log: stderr, not under journald")


# Everything that happens, once.


class FullRun:
    """One run in which everything happens that can happen to a proxy."""

    def __init__(self, journaled, journal, folder):
        self.config = folder / "proxy.yaml"
        self.config.write_text("allow-host: [known.example]\n", encoding="utf-8")
        # The child is a script, so that it can be made impossible to start.
        self.script = folder / "server"
        self.script.write_text(f'#!/bin/sh\nexec "{FIXTURE}" "$@"\n', encoding="utf-8")
        self.script.chmod(0o755)
        limits = ("--request-timeout", "700", "--max-sessions", "30", "--max-body-size", "100K", "--max-line", "300K")
        flags = ("--debug", *NO_LIMIT, *limits, "--log-payloads", "4000", "--config", self.config)
        self.proxy = journaled(journal, *flags, child=[self.script])
        self.http = self.proxy.http

    def recover(self):
        eventually(lambda: self.proxy.ready().status == 200, 60, "recovery")

    def calls(self):
        """Every outcome of a request."""
        session = self.proxy.session(client="full run")
        session.request("tools/list")
        assert text(session.tool("echo", text="hello")) == "hello"
        assert session.tool("env", name="NO_SUCH_VARIABLE")["result"]["isError"]
        assert "error" in session.tool("no_such_tool")
        assert "error" in session.request("x/unknown")
        session.request("prompts/get", {"name": "greeting", "arguments": {"name": "A"}})
        assert session.tool("garbage", kind="result_and_error", timeout=20)["error"]
        assert session.tool("big", bytes=400_000, timeout=20)["error"]
        for kind in ("text", "utf8", "not_jsonrpc", "wrong_id", "duplicate", "unknown_progress"):
            session.tool("garbage", kind=kind)
        assert session.tool("hang_call")["error"]["data"]["reason"] == "timeout"
        self.proxy.event("upstream.probed", MCP_ANSWERED=1)
        call = session.start(tool("sleep", "to be cancelled", ms=400))
        session.request("ping")
        session.cancel("to be cancelled")
        call.drained()
        self.proxy.event("request.cancelled", MCP_INITIATOR="client")
        call = session.start_tool("progress", progress_token="p", steps=3, ms=1)
        call.answer()
        session.answer({"id": "never asked"}, {})
        # A call that was never answered might still ask: with another process nothing is left of it.
        self.proxy.kill_child()
        self.proxy.event("upstream.ready", count=2)

    def streams(self):
        """Streams that end, are resumed, and what is dropped when there is none."""
        session = self.proxy.session(listen=True)
        session.tool("list_change", kind="tool")
        session.stream.method("notifications/tools/list_changed")
        last = session.stream.last_id
        session.stream.close()
        self.proxy.event("stream.closed", MCP_STREAM_KIND="get")
        session.listen(last).close()
        self.proxy.event("stream.resumed")
        legacy = self.proxy.sse_session()
        assert text(legacy.tool("echo", text="over SSE")) == "over SSE"
        legacy.close()
        self.proxy.event("session.closed", MCP_REASON="stream_closed")
        session.request("resources/subscribe", {"uri": "test://static/1"})
        for _ in range(260):
            session.tool("touch", uri="test://static/1")
        self.proxy.event("session.messages_dropped")
        session.delete()
        self.proxy.event("session.closed", MCP_REASON="client_delete")

    def questions(self):
        """What the child asks, and that it asks while two clients could be meant."""
        one, two = (self.proxy.session(capabilities=ASKED) for _ in range(2))
        call = one.start_tool("sample", prompt="whose?")
        asked = call.method("sampling/createMessage")
        one.answer(asked, {"role": "assistant", "model": "m", "content": {"type": "text", "text": "mine"}})
        assert text(call.answer()) == "mine"
        slow = two.start_tool("sleep", ms=400)
        two.request("ping")
        one.tool("log", level="error", text="to whom?")
        assert one.tool("sample", ms=50, prompt="whose?")["result"]["isError"]
        slow.answer()
        self.proxy.event("upstream.takes_turns")

    def refusals(self):
        """What is refused, for each reason that can be had at once."""
        http = self.http
        for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
            assert http.post(initialize(), {"Origin": origin}).status == 403
        assert http.post(initialize(), {"Host": "evil.example", "Origin": "http://evil.example"}).status == 403
        for _ in range(2):
            assert http.post(initialize(), {"Host": "unknown.example"}).status == 200
        assert http.get("/no/such/path").status == 404
        assert http.post("{not json").status == 400
        assert http.post('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}').status == 400
        assert http.post(request("ping"), {"Mcp-Session-Id": "0" * 32}).status == 404
        assert http.post(b"[" + b" " * 200_000 + b"]").status == 413
        assert http.post(request("ping"), {"Content-Type": "text/plain"}).status == 415
        while http.post(initialize()).status == 200:
            pass
        self.proxy.event("request.rejected", MCP_REASON="session_limit")

    def reload(self):
        """A new configuration, a wrong one, and sessions that are idle by the new one."""
        self.config.write_text(
            "allow-host: [known.example]\nport: 9\nstrict-host: true\nsession-idle-timeout: 200ms\n", encoding="utf-8"
        )
        self.proxy.signal(signal.SIGHUP)
        reloaded = self.proxy.event("config.reloaded")
        assert "strict-host" in reloaded["MCP_CHANGED"]
        assert "strict-host" not in reloaded.get("MCP_NEEDS_RESTART", "")
        assert self.http.post(initialize(), {"Host": "stranger.example"}).status == 403
        self.proxy.event("security.host_rejected")
        self.proxy.event("session.expired")
        eventually(lambda: self.proxy.metric("mcp_proxy_sessions") == 0, 20, "the end of idle sessions")
        self.config.write_text("no-such-option: 1\n", encoding="utf-8")
        self.proxy.signal(signal.SIGHUP)
        assert "no-such-option" in self.proxy.event("config.invalid")["MCP_PROBLEM"]
        self.config.write_text("session-idle-timeout: 30m\n", encoding="utf-8")
        self.proxy.signal(signal.SIGHUP)
        self.proxy.event("config.reloaded", count=2)

    def crashes(self):
        """By exit and by signal, with stderr before; then a child that cannot be started, to the crash loop."""
        session = self.proxy.session()
        for n in range(40):
            session.tool("stderr", text=f"line {n} before the crash")
        session.tool("stderr", text="x" * 5000 + " is long")
        self.proxy.event("upstream.stderr", MCP_TRUNCATED=1)
        session.tool("stderr", text="last words")
        self.proxy.event("upstream.stderr", MCP_LINE="last words")
        assert session.tool("crash", status=9)["error"]["data"]["reason"] == "upstream_exited"
        self.recover()
        assert session.tool("crash", signal=9)["error"]["data"]["reason"] == "upstream_exited"
        self.recover()
        session.tool("flood_stderr", mb=1)
        self.proxy.event("upstream.stderr_suppressed")
        self.script.chmod(0o644)
        self.proxy.kill_child()
        self.proxy.event("upstream.start_failed", MCP_REASON="spawn_failed")
        self.proxy.event("upstream.backoff", 60)
        assert session.tool("echo", text="x")["error"]["data"]["reason"] == "upstream_unavailable"
        self.script.chmod(0o755)
        self.recover()

    def hang(self):
        """A child that shows no sign of life, not even to a ping."""
        session = self.proxy.session()
        assert session.tool("hang")["error"]["data"]["reason"] == "timeout"
        self.proxy.event("upstream.unresponsive")
        self.proxy.event("upstream.crashed", MCP_REASON="unresponsive")
        self.recover()
        assert text(session.tool("echo", text="alive")) == "alive"

    def all(self):
        """Returns all entries, the samples of the last scrape, and the number of its entry."""
        self.streams()
        self.calls()
        self.questions()
        self.refusals()
        self.reload()
        self.crashes()
        self.hang()
        answered = len(self.proxy.found("http.answered", MCP_ROUTE="metrics"))
        samples = self.proxy.scrape()
        scraped = int(self.proxy.event("http.answered", count=answered + 1, MCP_ROUTE="metrics")["MCP_SEQ"])
        return self.proxy.stop(), samples, scraped


def test_a_full_run(journal, journaled, tmp_path, subtests):
    entries, samples, scraped = FullRun(journaled, journal, tmp_path).all()
    kinds = {entry["MCP_EVENT"] for entry in entries}

    with subtests.test("every kind of event is among them, but for those of a log that loses or leaves out"):
        assert KINDS.keys() - kinds == set(OF_THE_LOG) | OF_CONTAINERS
    with subtests.test("every entry is as the catalogue declares it"):
        wrong = {f"{entry['MCP_EVENT']}: {problem}" for entry in entries for problem in problems(entry)}
        assert wrong == set()
    with subtests.test("one instance, whose numbers have no gap"):
        assert len({entry["MCP_INSTANCE"] for entry in entries}) == 1
        assert {entry["MCP_SERVER"] for entry in entries} == {"server"}
        assert numbers(entries) == list(range(1, len(entries) + 1))
    with subtests.test("entries are as many as the metrics count"):
        check_balance(entries, samples, scraped)
    with subtests.test("requests have every outcome"):
        finished = {entry.get("MCP_OUTCOME") for entry in entries if entry["MCP_EVENT"].startswith("request.")}
        outcomes = {"ok", "tool_error", "client_error", "server_error", "timeout", "upstream_lost", "cancelled"}
        assert finished >= outcomes | {"rejected"}
    with subtests.test("the child's stderr, and how it ended"):
        check_child(entries)
    with subtests.test("sessions have one public name each, in all their entries"):
        opened = [entry["MCP_SESSION_ID"] for entry in of_kind(entries, "session.opened")]
        assert len(set(opened)) == len(opened)
        assert {entry["MCP_SESSION_ID"] for entry in entries if "MCP_SESSION_ID" in entry} == set(opened)
    with subtests.test("journalctl -x explains every kind"):
        check_explanations(journal, entries)


def check_balance(entries, samples, scraped):
    """The scrape counted what was before it; its own HTTP answer came after it."""
    before = [entry for entry in entries if int(entry["MCP_SEQ"]) < scraped]
    for kind in KINDS.keys() - set(OF_THE_LOG):
        told = len(of_kind(before, kind))
        left_out = samples[("mcp_proxy_journal_events_suppressed_total", kind)]
        counted = samples[("mcp_proxy_events_total", kind)]
        if kind in OF_HTTP:
            assert told + left_out - 5 <= counted <= told + left_out, kind
        else:
            assert told + left_out == counted, kind
    dropped = [value for (name, *_), value in samples.items() if name == "mcp_proxy_journal_events_dropped_total"]
    assert dropped and set(dropped) == {0}
    assert samples[("mcp_proxy_journal_up",)] == 1


def check_child(entries):
    lines = of_kind(entries, "upstream.stderr")
    assert {(line["PRIORITY"], line["MCP_STREAM"]) for line in lines} == {("6", "stderr")}
    assert len([line for line in lines if re.fullmatch(r"line \d+ before the crash", line["MCP_LINE"])]) == 40
    cut = next(line for line in lines if line["MCP_TRUNCATED"] == "1")
    assert cut["MCP_LINE"].startswith("xxx") and 3900 <= len(cut["MCP_LINE"].encode()) <= 4000
    assert all(line["MCP_TRUNCATED"] == "0" for line in lines if "crash" in line["MCP_LINE"])

    crashes = of_kind(entries, "upstream.crashed")
    exited = next(crash for crash in crashes if crash["EXIT_CODE"] == "exited")
    killed = crashes[crashes.index(exited) + 1]
    assert exited["MCP_STDERR_TAIL"].endswith("last words")
    assert len(exited["MCP_STDERR_TAIL"].encode()) <= 2048
    assert "last words" not in killed.get("MCP_STDERR_TAIL", ""), "those were another process's"
    assert (exited["EXIT_CODE"], exited["EXIT_STATUS"], exited["MCP_REASON"]) == ("exited", "9", "exit")
    assert (killed["EXIT_CODE"], killed["EXIT_STATUS"], killed["MCP_REASON"]) == ("killed", "9", "signal")
    assert exited["MCP_IN_FLIGHT"] == killed["MCP_IN_FLIGHT"] == "1"
    priorities = {kind: {entry["PRIORITY"] for entry in of_kind(entries, kind)} for kind in KINDS}
    assert priorities["upstream.crashed"] == {"3"}
    assert priorities["upstream.backoff"] == {"2"}
    assert priorities["upstream.start_failed"] == {"3"}
    for entry in of_kind(entries, "upstream.start_failed"):
        assert "EXIT_STATUS" not in entry, "it never ran"
    for kind in ("upstream.crashed", "upstream.backoff", "upstream.start_failed"):
        assert all(entry["N_RESTARTS"] == entry["MCP_ATTEMPT"] for entry in of_kind(entries, kind))


def check_explanations(journal, entries):
    known = re.findall(r"^-- ([0-9a-f]{32})$", CATALOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(known) == sorted(kind["messageId"] for kind in CATALOGUE["events"])
    assert len(set(known)) == len(known)
    for kind in {entry["MCP_EVENT"] for entry in entries}:
        command = ("journalctl", "-D", journal.directory / "log", "-x", "-n", "1", f"MCP_EVENT={kind}")
        explained = journal.run(*command)
        entry = of_kind(entries, kind)[-1]
        subject = re.sub("@([A-Z_]+)@", lambda name: own_fields(entry)[name[1]], KINDS[kind]["subject"])
        assert f"Subject: {subject}" in explained
        assert "Defined-By: mcp-proxy" in explained
        assert KINDS[kind]["explanation"][0][:40] in explained
        runbook = KINDS[kind].get("runbook")
        assert ("Documentation:" in explained) == bool(runbook)
        assert not runbook or f"/{runbook}.md" in explained


# As many entries as a disk can take.


def summarised(entries):
    """What the summaries say was left out, by kind."""
    told = {}
    for summary in of_kind(entries, "requests.summary"):
        kinds = dict(part.split("=") for part in summary["MCP_KINDS"].split(", "))
        assert sum(map(int, kinds.values())) == int(summary["MCP_SUPPRESSED"])
        for kind, count in kinds.items():
            told[kind] = told.get(kind, 0) + int(count)
    return told


def run_calls(running, sessions, calls):
    load = Load(running.port, sessions)
    load.run(calls, call_timeout=30)
    load.close()
    assert load.wrong == []
    assert load.outcomes == {"result": calls}


def test_many_calls_are_summarised(journal, journaled):
    """What clients do fills no disk, and hides nothing that breaks."""
    running = journaled(journal)
    sessions = [running.session() for _ in range(4)]
    run_calls(running, sessions, 1000)
    for crash in range(1, 4):
        sessions[0].tool("crash", status=crash)
        eventually(lambda: running.ready().status == 200, 30, "recovery")
    for n in range(60):
        assert sessions[1].tool("env", name=f"NO_{n}")["result"]["isError"]
    run_calls(running, sessions, 1000)
    samples = running.scrape()
    entries = running.stop()

    requests = [entry for entry in entries if KINDS[entry["MCP_EVENT"]]["lane"] == "request"]
    took = (int(entries[-1]["__MONOTONIC_TIMESTAMP"]) - int(entries[0]["__MONOTONIC_TIMESTAMP"])) / 1e6
    assert 500 <= len(requests) <= 500 + 20 * took + 1
    completed = len(of_kind(entries, "request.completed"))
    left_out = samples[("mcp_proxy_journal_events_suppressed_total", "request.completed")]
    assert left_out > 1000
    assert completed + left_out == samples[("mcp_proxy_events_total", "request.completed")]
    told = summarised(entries)
    assert told["request.completed"] == left_out
    assert numbers(entries) == list(range(1, len(entries) + 1))

    assert [entry["EXIT_STATUS"] for entry in of_kind(entries, "upstream.crashed")] == ["1", "2", "3"]
    assert len(of_kind(entries, "upstream.started")) == len(of_kind(entries, "upstream.ready")) == 4
    assert len(of_kind(entries, "request.upstream_lost")) == 3
    assert len(of_kind(entries, "request.failed")) == 60
    assert told.keys() <= {"request.completed", "session.opened", "session.closed"}


def test_an_attack_hides_no_request(journal, journaled):
    running = journaled(journal)
    for _ in range(200):
        assert running.http.post(initialize(), {"Origin": "https://evil.example"}).status == 403
    session = running.session()
    for n in range(50):
        session.tool("echo", text=str(n))
        session.tool("no_such_tool")
    samples = running.scrape()
    entries = running.stop()
    refused = len(of_kind(entries, "security.origin_rejected"))
    left_out = samples[("mcp_proxy_journal_events_suppressed_total", "security.origin_rejected")]
    took = (int(entries[-1]["__MONOTONIC_TIMESTAMP"]) - int(entries[0]["__MONOTONIC_TIMESTAMP"])) / 1e6
    assert 100 <= refused <= 100 + 5 * took + 1
    assert refused + left_out == 200
    assert summarised(entries) == {"security.origin_rejected": left_out}
    # initialize and the calls
    assert len(of_kind(entries, "request.completed")) == 51
    assert len(of_kind(entries, "request.failed")) == 50


def test_failures_hide_no_request(journal, journaled):
    running = journaled(journal)
    session = running.session()
    for n in range(600):
        assert running.http.get("/no/such/path").status == 404
    for n in range(20):
        session.tool("echo", text=str(n))
    running.http.post(initialize(), {"Origin": "https://evil.example"})
    entries = running.stop()
    assert summarised(entries).keys() == {"request.rejected"}
    took = (int(entries[-1]["__MONOTONIC_TIMESTAMP"]) - int(entries[0]["__MONOTONIC_TIMESTAMP"])) / 1e3
    assert 0 < int(of_kind(entries, "requests.summary")[-1]["MCP_WINDOW_MSEC"]) <= took, "at the stop it covers less"
    assert len(of_kind(entries, "request.completed")) == 21
    assert len(of_kind(entries, "security.origin_rejected")) == 1


def test_a_summary_comes_by_itself(journal, journaled):
    """Not only at the end: what was left out is told while it still matters."""
    running = journaled(journal, "--journal-burst", "1", "--journal-rate", "1")
    session = running.session()
    for n in range(20):
        session.tool("echo", text=str(n))
    summary = running.event("requests.summary", 30)
    assert 10_000 <= int(summary["MCP_WINDOW_MSEC"]) < 15_000
    assert summary["PRIORITY"] == "6"
    assert problems(summary) == []
    assert running.stop()[-1]["MCP_EVENT"] == "proxy.stopped"


def test_what_a_request_is_found_by(journal, journaled):
    """By its trace, by the client's own id, by why it failed: each a field that journalctl can be asked for."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    collector = Collector()
    try:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        running = journaled(journal, env=env)
        session = running.session("2025-06-18", client="finder")
        assert session.post(tool("env", "my call", name="NO_SUCH"), {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert "error" in session.post(request("no/such/method", id=4711)).json
        span = collector.wait("tools/call", kind=2)
        running.stop()
    finally:
        collector.close()
    (call,) = journal.entries(f"TRACE_ID={trace}")
    assert call["SPAN_ID"] == span.span_id.hex()
    assert call["MCP_JSONRPC_ID"] == "my call" and call["MCP_ERROR_TYPE"] == "tool_error"
    assert call["MCP_PROTOCOL_VERSION"] == "2025-06-18"
    assert journal.entries(f"SPAN_ID={span.span_id.hex()}") == [call]
    (unknown,) = journal.entries("MCP_JSONRPC_ID=4711")
    assert unknown["MCP_ERROR_TYPE"] == "-32601" == unknown["MCP_ERROR_CODE"]
    (opened,) = journal.entries("MCP_EVENT=session.opened")
    assert (opened["MCP_CLIENT_NAME"], opened["MCP_CLIENT_VERSION"]) == ("finder", "1")
    assert all("MCP_ERROR_TYPE" not in entry for entry in journal.entries("MCP_OUTCOME=ok"))
