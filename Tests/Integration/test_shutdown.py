# SPDX-License-Identifier: Apache-2.0
"""How the proxy ends: what is in flight is finished, streams end cleanly, and no process is left."""

import os
import signal
import socket
import time

import pytest

from mcp_http import initialize, request, text
from processes import alive, eventually, members


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_calls_in_flight_are_finished(proxy, number):
    running = proxy("--graceful-shutdown-timeout", "5s")
    session = running.session(listen=True)
    call = session.start_tool("sleep", ms=1000)
    streaming = session.start_tool("progress", progress_token=1, steps=10, ms=100)
    streaming.message()
    started = time.monotonic()
    running.signal(number)
    assert text(call.answer()) == "slept 1000 ms"
    assert text(streaming.answer()) == "done 10 steps"
    assert session.stream.ended.wait(10)
    assert running.wait() == 0
    assert time.monotonic() - started < 4
    assert running.event("proxy.stopped")["drained"] is True


def test_no_new_sessions_while_it_drains(proxy):
    running = proxy("--graceful-shutdown-timeout", "5s")
    session = running.session()
    call = session.start_tool("sleep", ms=1000)
    session.request("ping")
    # A connection that was there before: the listener is closed.
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wire.recv(4096)
        running.signal()
        running.event("proxy.stopping")
        try:
            wire.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = wire.recv(4096)
        except OSError:
            answer = b""
        assert answer == b"" or b" 503 " in answer.split(b"\r\n")[0]
    try:
        assert running.http.post(initialize(), timeout=5).status == 503
    except OSError:
        pass  # nobody listens any more
    assert text(call.answer()) == "slept 1000 ms"
    assert running.wait() == 0


def test_a_call_that_takes_too_long_is_answered_with_an_error(proxy):
    running = proxy("--graceful-shutdown-timeout", "500")
    call = running.session().start_tool("sleep", ms=60_000)
    running.session()
    running.signal()
    error = call.answer(10)["error"]
    assert error["data"]["reason"] in ("shutting_down", "upstream_exited")
    assert running.wait() == 0
    assert running.event("proxy.stopped")["drained"] is False


@pytest.mark.parametrize(
    "flags", [(), ("--ignore-eof",), ("--ignore-term",), ("--ignore-eof", "--ignore-term"), ("--slow-start", "5000")]
)
def test_no_process_survives(proxy, flags):
    running = proxy(fixture=flags, ready=False)
    if "--slow-start" not in flags:
        running.wait_ready()
        running.session().tool("fork_grandchild")
    running.event("upstream.started")
    running.stop(15)


@pytest.mark.parametrize("isolation", ["shared", "session"])
def test_no_process_of_any_session_survives(proxy, isolation):
    running = proxy("--isolation", isolation)
    sessions = [running.session() for _ in range(4)]
    for session in sessions:
        session.tool("fork_grandchild")
    assert len(running.survivors()) >= 5
    running.stop(15)


def test_a_child_that_stopped_reading_is_ended(proxy):
    running = proxy()
    running.session().tool("stop_reading")
    running.stop(15)


def test_a_child_in_stop_is_ended(proxy):
    running = proxy()
    os.kill(running.child_pid, signal.SIGSTOP)
    running.stop(15)


def test_the_proxy_killed_takes_its_child_along(proxy):
    """SIGKILL leaves no time for anything: the child sees the end of its input."""
    running = proxy()
    pid = running.child_pid
    running.process.kill()
    running.process.wait()
    eventually(lambda: not alive(pid), 5, "the end of the child")


def test_during_a_crash_loop(proxy):
    running = proxy(fixture=("--crash-on-start",), ready=False)
    running.exited(count=2)
    started = time.monotonic()
    running.stop()
    assert time.monotonic() - started < 3


def test_while_the_child_starts(proxy):
    running = proxy(fixture=("--no-initialize",), ready=False)
    call = running.http.send("POST", "/mcp", initialize(), {"Content-Type": "application/json"})
    running.event("upstream.started")
    waiting = b'mcp_proxy_sessions{state="initializing"} 1'
    eventually(lambda: waiting in running.http.get("/metrics").body, what="the request")
    running.signal()
    response = call.getresponse()
    assert response.status in (200, 503)
    assert b'"error"' in response.read()
    assert running.wait(15) == 0


def test_the_child_gets_no_descriptor_but_its_three(proxy, tmp_path):
    secret = (tmp_path / "secret").open("w")
    os.set_inheritable(secret.fileno(), True)
    running = proxy()
    pid = running.child_pid
    found = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert set(found) == {0, 1, 2}, found
    assert len(set(found.values())) == 3


def test_the_child_leads_a_group_of_its_own(proxy):
    running = proxy()
    pid = running.child_pid
    assert {p.pid for p in members({pid})} == {pid}
    assert os.getpgid(pid) == pid
    assert os.getpgid(running.pid) != pid


def test_the_child_inherits_no_blocked_or_ignored_signals(proxy):
    """A server that does can't be ended in an orderly way."""
    running = proxy(child=["sleep", "1000"], ready=False)
    pid = running.event("upstream.started")["pid"]
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        lines = dict(line.split(":", 1) for line in status)
    # 1 to 31: the ones above are the C library's own, and real-time signals nobody uses.
    assert int(lines["SigBlk"], 16) & 0x7FFFFFFF == 0
    assert int(lines["SigIgn"], 16) & 0x7FFFFFFF == 0


def test_a_queue_of_waiting_calls_at_the_end(proxy):
    running = proxy("--max-in-flight", "1", "--graceful-shutdown-timeout", "400")
    session = running.session()
    calls = [session.start(request("tools/call", {"name": "sleep", "arguments": {"ms": 5000}}, n)) for n in range(5)]
    session.request("ping")
    running.signal()
    for call in calls:
        assert "error" in call.answer(10)
    assert running.wait() == 0
