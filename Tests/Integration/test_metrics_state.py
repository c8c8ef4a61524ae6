# SPDX-License-Identifier: Apache-2.0
"""Gauges: what is, at the moment of the scrape; and the facts about proxy, build and server."""

import json
import re
import time

import pytest

from mcp_http import ACCEPT, Call, initialize, text, tool
from processes import eventually
from proxy_process import run
from scrape import OPENMETRICS, scrape

STATES = ("crash_loop", "pulling", "ready", "restarting", "starting", "stopping")


def now(running):
    return scrape(running.http, OPENMETRICS)


def state(page):
    """The one state that is true."""
    true = [dict(s.labels)["mcp_proxy_upstream_state"] for s in page.find("mcp_proxy_upstream_state") if s.value == 1]
    assert len(page.find("mcp_proxy_upstream_state")) == len(STATES)
    assert len(true) == 1, true
    return true[0]


def info(page, name):
    found = page.find(name)
    assert len(found) == 1 and found[0].value == 1, found
    return dict(found[0].labels)


def test_the_instance(proxy):
    page = now(proxy("--name", 'time "server" \\ 1'))
    labels = info(page, "mcp_proxy_instance_info")
    assert labels.pop("name") == 'time "server" \\ 1'
    # Outside a unit there is no label: to Prometheus an empty one is the same.
    assert re.fullmatch(r"|.+\.(service|scope)", labels.pop("unit", ""))
    assert labels == {}


def test_the_instance_has_a_name_of_its_own(proxy):
    assert info(now(proxy()), "mcp_proxy_instance_info")["name"] == "fixture-server"


def test_the_build(proxy):
    labels = info(now(proxy()), "mcp_proxy_build_info")
    assert labels["version"] in run("--version").stdout
    assert labels["os"] == "linux"
    assert labels["arch"] in ("x86_64", "arm64")
    assert re.match(r"6\.[0-9]", labels["swift_version"])
    assert list(labels) == ["version", "swift_version", "os", "arch"]


def test_the_server_as_it_names_itself(proxy):
    running = proxy(fixture=("--slow-start", "400"), ready=False)
    assert now(running).find("mcp_proxy_upstream_info") == []
    running.wait_ready()
    assert info(now(running), "mcp_proxy_upstream_info") == {
        "server_name": "fixture-server",
        "server_version": "1.0.0",
        "protocol_version": "2025-11-25",
    }


def test_limits_and_timeouts(proxy):
    page = now(
        proxy(
            "--max-in-flight", "7", "--queue", "8", "--max-sessions", "9", "--max-connections", "10",
            "--max-buffered", "1MiB", "--request-timeout", "1500ms", "--max-request-time", "2m",
            "--client-request-timeout", "3m", "--connection-timeout", "20s", "--session-idle-timeout", "0",
        )  # fmt: skip
    )
    for name, limit in (("requests_inflight", 7), ("queue", 8), ("sessions", 9), ("connections", 10)):
        assert page.value(f"mcp_proxy_{name}_limit") == limit
    assert page.value("mcp_proxy_buffered_limit_bytes") == 1 << 20
    timeouts = {dict(s.labels)["name"]: s.value for s in page.find("mcp_proxy_timeout_seconds")}
    assert timeouts == {
        "request": 1.5,
        "max_request": 120,
        "client_request": 180,
        "connection": 20,
        "session_idle": 0,
    }


# The life of the server.


def test_while_it_starts(proxy):
    running = proxy(fixture=("--slow-start", "1500"), ready=False)
    page = now(running)
    assert state(page) == "starting"
    assert page.value("mcp_proxy_upstream_up") == 0
    assert page.value("mcp_proxy_upstream_desired") == 1
    assert page.value("mcp_proxy_upstream_last_exit_timestamp_seconds") == 0
    assert page.value("mcp_proxy_upstream_probe_success") == 1
    running.wait_ready()
    page = now(running)
    assert state(page) == "ready"
    assert page.value("mcp_proxy_upstream_up") == page.value("mcp_proxy_upstream_processes") == 1
    assert page.value("mcp_proxy_upstream_start_time_seconds") == pytest.approx(time.time(), abs=10)
    assert page.histogram("mcp_proxy_upstream_start_duration_seconds").within(1, 5) == 1


def test_through_a_crash_loop_and_back(proxy, tmp_path):
    crash = tmp_path / "crash"
    running = proxy(fixture=("--crash-file", str(crash)))
    started = now(running).value("mcp_proxy_upstream_start_time_seconds")
    crash.touch()
    running.kill_child()
    running.exited(count=2)
    page = now(running)
    assert state(page) in ("restarting", "crash_loop")
    assert page.value("mcp_proxy_upstream_up") == 0
    page = eventually(lambda: (p := now(running)) and state(p) == "crash_loop" and p, 60, "the crash loop")
    assert page.value("mcp_proxy_upstream_up") == 0
    assert page.value("mcp_proxy_upstream_desired") == 1
    # Between two attempts it is being waited; one that is under way has a process.
    page = eventually(
        lambda: (p := now(running)).value("mcp_proxy_upstream_restart_backoff_seconds") > 0 and p, 60, "waiting"
    )
    delay = running.found(("upstream.crashed", "upstream.backoff", "upstream.start_failed"))[-1]["delay_ms"] / 1000
    assert page.value("mcp_proxy_upstream_restart_backoff_seconds") <= delay or delay == 0
    assert page.value("mcp_proxy_upstream_processes") == 0
    assert page.value("mcp_proxy_upstream_last_exit_code") == 1
    assert page.value("mcp_proxy_upstream_last_exit_timestamp_seconds") == pytest.approx(time.time(), abs=60)
    assert page.value("mcp_proxy_upstream_start_failures_total", reason="exit") >= 4
    assert page.value("mcp_proxy_upstream_exits_total", reason="signal") == 1
    assert running.ready().status == 503
    crash.unlink()
    page = eventually(lambda: (p := now(running)).value("mcp_proxy_upstream_up") == 1 and p, 90, "recovery")
    assert state(page) == "ready"
    assert page.value("mcp_proxy_upstream_restart_backoff_seconds") == 0
    assert page.value("mcp_proxy_upstream_processes") == 1
    assert page.value("mcp_proxy_upstream_start_time_seconds") > started


def test_calls_refused_in_a_crash_loop(proxy, tmp_path):
    crash = tmp_path / "crash"
    running = proxy(fixture=("--crash-file", str(crash)))
    session = running.session()
    crash.touch()
    running.kill_child()
    eventually(lambda: state(now(running)) == "crash_loop", 60, "the crash loop")
    before = now(running)
    session.tool("echo", text="x")
    changes = now(running) - before
    assert changes["requests_rejected{upstream_down}"] == 1
    assert changes["requests{tools/call,rejected}"] == 1


def test_while_it_stops(proxy):
    """A scraper that is connected reads to the end that the proxy stops, as it was told."""
    running = proxy("--graceful-shutdown-timeout", "20s")
    session = running.session()
    call = session.start_tool("sleep", ms=1500)
    eventually(lambda: now(running).value("mcp_proxy_requests_inflight") == 1, what="a call in flight")
    running.signal()
    running.event("proxy.stopping")
    page = now(running)
    assert state(page) == "stopping"
    assert page.value("mcp_proxy_upstream_desired") == 0
    assert page.value("mcp_proxy_upstream_up") == 0
    assert text(call.answer()) == "slept 1500 ms"
    assert running.wait() == 0


# Calls.


def test_calls_in_flight_and_waiting(proxy):
    running = proxy("--max-in-flight", "2")
    session = running.session()
    idle = now(running)
    for name in ("requests_inflight", "queue_length", "oldest_inflight_request_timestamp_seconds"):
        assert idle.value(f"mcp_proxy_{name}") == 0, name
    assert idle.value("mcp_proxy_oldest_unanswered_session_timestamp_seconds") == 0
    begun = time.time()
    calls = [session.start(tool("sleep", 900 + n, ms=60_000)) for n in range(5)]
    page = eventually(
        lambda: (p := now(running)).value("mcp_proxy_queue_length") == 3 and p, what="three calls in the queue"
    )
    assert page.value("mcp_proxy_requests_inflight") == 2
    oldest = page.value("mcp_proxy_oldest_inflight_request_timestamp_seconds")
    assert begun - 0.1 <= oldest <= begun + 5
    later = now(running).value("mcp_proxy_oldest_inflight_request_timestamp_seconds")
    assert later == pytest.approx(oldest, abs=0.02), "a moment stays the same moment"
    unanswered = page.value("mcp_proxy_oldest_unanswered_session_timestamp_seconds")
    assert begun - 0.1 <= unanswered <= time.time() + 0.1
    for n in range(5):
        session.cancel(900 + n)
    for call in calls:
        call.answer()
    page = eventually(lambda: (p := now(running)).value("mcp_proxy_requests_inflight") == 0 and p, what="no calls")
    assert page.value("mcp_proxy_queue_length") == 0
    assert page.value("mcp_proxy_oldest_inflight_request_timestamp_seconds") == 0
    assert page.value("mcp_proxy_oldest_unanswered_session_timestamp_seconds") == 0


def test_a_server_that_does_not_read(proxy):
    """What waits for it is counted, and the time it waits; a server that reads has nothing waiting."""
    running = proxy()
    session = running.session()
    for _ in range(10):
        session.tool("echo", text="x" * 1000)
    page = now(running)
    blocked = page.value("mcp_proxy_upstream_stdin_blocked_seconds_total")
    assert page.value("mcp_proxy_upstream_stdin_buffered_bytes") == 0
    session.tool("stop_reading")
    # The pipe holds a megabyte.
    for _ in range(12):
        session.start_tool("echo", text="x" * 400_000)
    eventually(lambda: now(running).value("mcp_proxy_upstream_stdin_buffered_bytes") > 0, what="bytes that wait")
    eventually(lambda: now(running).value("mcp_proxy_queue_length") > 0, what="calls that wait")
    name = "mcp_proxy_upstream_stdin_blocked_seconds_total"
    started = time.monotonic()
    first = eventually(lambda: (v := now(running).value(name)) > blocked and v, what="blocked time")
    second = eventually(lambda: (v := now(running).value(name)) > first + 0.3 and v, what="more of it")
    assert second - first <= time.monotonic() - started + 0.1, "not faster than the clock"
    # After a new process has taken over, the time stands still.
    running.kill_child()
    running.event("upstream.ready", count=2)
    assert text(session.tool("echo", text="alive")) == "alive"
    settled = now(running)
    assert settled.value("mcp_proxy_upstream_stdin_buffered_bytes") == 0
    assert now(running).value(name) == settled.value(name) >= second


def test_a_server_that_leaves_little_unread(proxy):
    """What waits is shown, too, when it is too little for calls to be held back."""
    running = proxy()
    session = running.session()
    session.tool("stop_reading")
    for count in range(1, 100):
        session.start_tool("echo", text="x" * 50_000)
        page = eventually(
            lambda count=count: (p := now(running)).value("mcp_proxy_requests_inflight") == count and p, what="the call"
        )
        if page.value("mcp_proxy_upstream_stdin_buffered_bytes") > 0:
            break
    assert page.value("mcp_proxy_upstream_stdin_buffered_bytes") > 0


# Sessions and streams.


def test_sessions_by_state(proxy):
    running = proxy()

    def sessions():
        return {dict(s.labels)["state"]: s.value for s in now(running).find("mcp_proxy_sessions")}

    assert sessions() == {"initializing": 0, "active": 0, "idle": 0}
    idle = running.session()
    assert sessions() == {"initializing": 0, "active": 0, "idle": 1}
    listening = running.session(listen=True)
    assert sessions() == {"initializing": 0, "active": 1, "idle": 1}
    call = idle.start(tool("sleep", 900, ms=60_000))
    eventually(lambda: sessions() == {"initializing": 0, "active": 2, "idle": 0}, what="two active sessions")
    idle.cancel(900)
    call.answer()
    listening.stream.close()
    eventually(lambda: sessions() == {"initializing": 0, "active": 0, "idle": 2}, what="two idle sessions")
    idle.delete()
    listening.delete()
    assert sessions() == {"initializing": 0, "active": 0, "idle": 0}


def test_a_session_whose_server_starts(proxy):
    running = proxy("--isolation", "session", fixture=("--slow-start", "1500"), ready=False)
    headers = {"Content-Type": "application/json", "Accept": ACCEPT}
    call = Call(running.http, json.dumps(initialize()).encode(), headers, 30)
    eventually(lambda: now(running).value("mcp_proxy_sessions", state="initializing") == 1, what="the session")
    call.answer()
    page = now(running)
    assert page.value("mcp_proxy_sessions", state="initializing") == 0
    assert page.value("mcp_proxy_upstream_processes") >= 1


def test_streams_by_kind(proxy):
    running = proxy()

    def streams():
        return {dict(s.labels)["kind"]: s.value for s in now(running).find("mcp_proxy_streams")}

    none = {"get": 0, "post": 0, "sse": 0, "listen": 0}
    assert streams() == none
    session, legacy = running.session(listen=True), running.sse_session()
    call = session.start(tool("progress", 900, progress_token=1, steps=1000, ms=50))
    call.message()
    assert streams() == none | {"get": 1, "post": 1, "sse": 1}
    session.cancel(900)
    call.answer()
    call.drained()
    session.stream.close()
    legacy.close()
    eventually(lambda: streams() == none, what="the end of all streams")


def test_connections(proxy):
    running = proxy()
    eventually(lambda: now(running).value("mcp_proxy_connections") == 1, what="only the scrape's own")
    sessions = [running.session(listen=True) for _ in range(3)]
    eventually(lambda: now(running).value("mcp_proxy_connections") == 4, what="three streams and the scrape")
    for session in sessions:
        session.stream.close()
    eventually(lambda: now(running).value("mcp_proxy_connections") == 1, what="only the scrape's own again")


def test_what_is_kept_for_clients(proxy):
    running = proxy()
    session = running.session()
    before = now(running).value("mcp_proxy_buffered_bytes")
    session.tool("list_change", kind="tool")
    kept = now(running).value("mcp_proxy_buffered_bytes")
    assert 0 <= before < kept < before + 10_000
    session.delete()
    assert now(running).value("mcp_proxy_buffered_bytes") == 0


def test_clients_that_take_turns(proxy):
    running = proxy()
    assert now(running).value("mcp_proxy_upstream_takes_turns") == 0
    sessions = [running.session(capabilities={"sampling": {}}) for _ in range(2)]
    calls = [session.start_tool("sample", prompt="p", ms=300) for session in sessions]
    running.event("upstream.takes_turns")
    page = now(running)
    assert page.value("mcp_proxy_upstream_takes_turns") == 1
    method = "sampling/createMessage"
    assert page.value("mcp_proxy_server_requests_total", outcome="ambiguous", mcp_method_name=method) >= 1
    assert page.value("mcp_proxy_protocol_errors_total", direction="from_server", kind="ambiguous_request") >= 1
    for session, call in zip(sessions, calls, strict=True):
        session.delete()
        call.answer()


def test_the_configuration(proxy):
    started = time.time()
    page = now(proxy())
    assert page.value("mcp_proxy_config_last_reload_successful") == 1
    assert page.value("mcp_proxy_config_last_reload_success_timestamp_seconds") == pytest.approx(started, abs=5)
