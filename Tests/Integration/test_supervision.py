# SPDX-License-Identifier: Apache-2.0
"""The child crashes: it costs the calls in flight, and nothing else."""

import http.client
import json
import signal
import statistics
import time

import pytest

from child_trace import Trace
from mcp_http import text, tool
from processes import alive, eventually, zombies
from proxy_process import EXITED
from scrape import scrape


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@pytest.fixture
def running(proxy, trace):
    return proxy(fixture=trace.flags)


def lost(answer):
    """Asserts that a call failed because the child went away, and returns the error's data."""
    error = answer["error"]
    assert error["code"] == -32000
    assert error["message"]
    assert error["data"]["reason"] == "upstream_exited"
    assert error["data"]["restarting"] is True
    return error["data"]


# 2 is a wrong command line; 125 to 127 are an engine or a shell that could not run what it was to run.
@pytest.mark.parametrize("status", [0, 1, 2, 7, 125, 126, 127, 255])
def test_an_exit_in_mid_call(running, status):
    session = running.session()
    started = time.monotonic()
    call = session.start_tool("crash", status=status)
    assert lost(call.answer())["exit_status"] == status
    assert time.monotonic() - started < 1
    assert call.status == 200
    exited = running.exited()
    assert (exited["reason"], exited["status"], exited["in_flight"]) == ("exit", status, 1)
    assert text(session.tool("echo", text="no initialize needed")) == "no initialize needed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_signal_in_mid_call(running, number):
    session = running.session()
    data = lost(session.tool("crash", signal=int(number)))
    assert data["signal"] in (number.name, int(number))
    assert text(session.tool("echo", text="alive")) == "alive"


def test_exit_0_is_a_crash(running):
    session = running.session()
    assert lost(session.tool("exit0"))["exit_status"] == 0
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_crash_in_mid_line(running):
    session = running.session()
    lost(session.tool("crash", status=3, partial=True))
    assert text(session.tool("echo", text="alive")) == "alive"


def test_all_calls_in_flight_fail_at_once_and_once(running):
    sessions = [running.session() for _ in range(4)]
    calls = [s.start_tool("sleep", ms=60_000) for s in sessions for _ in range(5)]
    for session in sessions:
        session.request("tools/list")
    started = time.monotonic()
    running.kill_child()
    for call in calls:
        lost(call.answer())
        assert call.drained() == []
    assert time.monotonic() - started < 2


@pytest.mark.alone
def test_after_sigkill_the_next_call_is_quick(running):
    """The median of several tries counts: the machine that runs the tests does other things, too."""
    session = running.session()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    took = []
    for n in range(1, 6):
        time.sleep(0.7)  # a child that has lived for half a second comes back at once
        started = time.monotonic()
        running.kill_child()
        # A call that is written in the instant before the proxy knows is one of those in flight.
        running.exited(count=n)
        connection.request("POST", "/mcp", json.dumps(tool("echo", n, text="x")), session.headers)
        answer = json.loads(connection.getresponse().read())
        took.append(time.monotonic() - started)
        assert text(answer) == "x"
        running.event("upstream.ready", count=n + 1)
    assert statistics.median(took) < 0.25, took


def test_a_call_that_meets_a_dead_pipe_is_not_lost(running):
    """The child is dead, the proxy doesn't know yet: the call's line was read by nobody, so it waits for the next."""
    session = running.session()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    for n in range(1, 7):
        time.sleep(0.6)  # a child that has lived for half a second comes back at once
        pid = running.kill_child()
        while alive(pid):
            pass
        connection.request("POST", "/mcp", json.dumps(tool("echo", n, text="x")), session.headers)
        assert text(json.loads(connection.getresponse().read())) == "x"


def test_what_a_call_meets_while_the_child_restarts(running):
    """A call that comes between two children waits, and is answered by the second."""
    session = running.session()
    for _ in range(3):
        before = int(text(session.tool("pid")))
        running.kill_child()
        answer = session.tool("pid")
        if "error" in answer:
            lost(answer)  # it was on its way to the dying one
            answer = session.tool("pid")
        assert int(text(answer)) != before


def test_standing_state_is_replayed(running, trace):
    one, two = running.session(listen=True), running.session(listen=True)
    one.request("logging/setLevel", {"level": "debug"})
    one.request("resources/subscribe", {"uri": "test://static/1"})
    two.request("resources/subscribe", {"uri": "test://static/1"})
    two.request("resources/subscribe", {"uri": "test://static/2"})
    running.kill_child()
    running.event("upstream.ready", count=2)
    assert json.loads(text(one.tool("subscriptions"))) == ["test://static/1", "test://static/2"]
    assert [m["params"]["level"] for m in trace.of("logging/setLevel")] == ["debug", "debug"]
    # What may have changed meanwhile is said.
    for session, uris in ((one, {"test://static/1"}), (two, {"test://static/1", "test://static/2"})):
        changed = {
            session.stream.method(f"notifications/{kind}/list_changed")["method"]
            for kind in ("tools", "prompts", "resources")
        }
        assert len(changed) == 3
        updated = {session.stream.method("notifications/resources/updated")["params"]["uri"] for _ in uris}
        assert updated == uris
    one.tool("touch", uri="test://static/2")
    assert two.stream.method("notifications/resources/updated")["params"]["uri"] == "test://static/2"


def test_what_nobody_subscribes_to_any_more_is_not_replayed(running):
    session = running.session()
    session.request("resources/subscribe", {"uri": "test://static/1"})
    session.request("resources/unsubscribe", {"uri": "test://static/1"})
    running.kill_child()
    running.event("upstream.ready", count=2)
    assert text(session.tool("subscriptions")) == "[]"


def test_a_session_with_its_own_child_survives_a_crash(proxy, trace):
    running = proxy("--isolation", "session", fixture=trace.flags)
    session, other = running.session(client="mine"), running.session(client="other")
    session.request("resources/subscribe", {"uri": "test://static/1"})
    untouched = text(other.tool("pid"))
    lost(session.tool("crash", status=9))
    info = json.loads(text(session.tool("client_info")))
    assert info["initialize"]["clientInfo"]["name"] == "mine"
    assert json.loads(text(session.tool("subscriptions"))) == ["test://static/1"]
    assert text(other.tool("pid")) == untouched


def test_a_child_that_lost_capabilities_ends_the_sessions(proxy, tmp_path):
    shrink = tmp_path / "shrink"
    running = proxy(fixture=("--capabilities-shrink-file", str(shrink)))
    session = running.session()
    shrink.touch()
    running.kill_child()
    running.event("session.closed", reason="upstream_changed")
    assert session.post(tool("echo", text="x")).status == 404
    assert "resources" not in running.session().initialized["capabilities"]


def test_closed_stdout_is_an_exit(running):
    session = running.session()
    before = running.child_pid
    lost(session.tool("close_stdout"))
    assert running.exited()["reason"] == "stdout_closed"
    eventually(lambda: not alive(before), what="its end")
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_crash_loop_is_a_state_of_its_own(proxy, tmp_path):
    crash = tmp_path / "crash"
    running = proxy(fixture=("--crash-file", str(crash)))
    session = running.session()
    crash.touch()
    running.kill_child()
    eventually(
        lambda: running.ready().status == 503 and running.ready().json["status"] == "crash_loop", 60, "crash loop"
    )
    assert running.ready().json["reason"]
    started = time.monotonic()
    error = session.tool("echo", text="x")["error"]
    assert time.monotonic() - started < 1, "callers don't wait for a child that keeps failing"
    assert error["data"]["reason"] == "upstream_unavailable"
    crash.unlink()
    eventually(lambda: running.ready().status == 200, 90, "recovery")
    assert text(session.tool("echo", text="alive")) == "alive"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo 'usage: server --key KEY' >&2; exit 2", 2, "usage: server"),
        ("echo 'docker: invalid reference format.' >&2; exit 125", 125, "invalid reference"),
        ("exec /etc/passwd", 126, "ermission denied"),
        ("exec /no/such/server", 127, "not found"),
    ],
)
def test_a_command_that_ends_at_once(proxy, script, status, said):
    """What such a start left behind is enough to tell why: its status, and what it said."""
    running = proxy(child=["/bin/sh", "-c", script], ready=False)
    exited = running.exited()
    assert (exited["event"], exited["reason"], exited["status"]) == ("upstream.crashed", "exit", status)
    assert exited["was_ready"] is False and said in exited["stderr_tail"]
    reason = running.ready().json["reason"]
    assert f"exited with status {status}" in reason
    page = scrape(running.http)
    assert page.value("mcp_proxy_upstream_last_exit_code") == status
    assert page.value("mcp_proxy_upstream_start_failures_total", reason="exit") >= 1


def test_restarts_back_off(proxy):
    running = proxy(fixture=("--crash-on-start",), ready=False)
    running.exited(30, 5)
    delays = [event["delay_ms"] for event in running.found(EXITED)[:5]]
    assert delays[0] < 300
    assert delays[4] > delays[0]


@pytest.mark.parametrize("flag", ["--no-initialize", "--initialize-error"])
def test_a_child_that_cannot_shake_hands(proxy, flag):
    running = proxy("--connection-timeout", "700", fixture=(flag,), ready=False)
    exited = running.exited(15)
    assert exited["reason"] == "handshake_failed"
    assert exited["detail"]
    assert running.ready().status == 503


def test_a_slow_start_is_waited_for(proxy):
    running = proxy(fixture=("--slow-start", "1000"), ready=False)
    started = time.monotonic()
    assert text(running.session().tool("echo", text="x")) == "x"
    assert time.monotonic() - started > 0.5


def test_no_zombies_and_no_leaks(running):
    session = running.session()
    for _ in range(5):
        time.sleep(0.7)  # so that it is no crash loop
        session.tool("fork_grandchild")
        old = running.child_pid
        lost(session.tool("crash", status=1))
        assert text(session.tool("echo", text="alive")) == "alive"
        eventually(lambda old=old: not alive(old))
        assert zombies(running.pid) == []
    # Of the groups of dead children nobody is left: not even a grandchild that held their stdout.
    current = running.child_pid
    eventually(lambda: {p.group for p in running.survivors()} == {current}, what="the end of dead groups")
