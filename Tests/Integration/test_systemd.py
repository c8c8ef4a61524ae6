# SPDX-License-Identifier: Apache-2.0
"""What systemd is told, and when: READY, STATUS, WATCHDOG, RELOADING and STOPPING (sd_notify(3))."""

import ctypes
import datetime
import os
import re
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_http import text
from notify_socket import FullSocket, NotifySocket
from processes import alive, eventually
from proxy_process import FIXTURE
from service_process import OWN_PID, service  # pylint: disable=unused-import

SECOND = 1_000_000


@pytest.fixture
def notify(tmp_path):
    listening = NotifySocket(tmp_path / "notify")
    yield listening
    listening.close()


def to(notify, **more):
    return {"NOTIFY_SOCKET": notify.address, **more}


def gated(gate):
    """A child that does nothing before the file is there."""
    return ["/bin/sh", "-c", f"while [ ! -e '{gate}' ]; do sleep 0.02; done; exec '{FIXTURE}'"]


def logged_at(event):
    """When an event was, by the wall clock."""
    return datetime.datetime.fromisoformat(event["time"]).timestamp()


# READY.


def test_ready_when_the_child_has_answered(proxy, notify, tmp_path):
    gate = tmp_path / "gate"
    running = proxy(child=gated(gate), env=to(notify), ready=False)
    assert running.http.get("/metrics").status == 200, "there are metrics before anything else"
    assert running.ready().status == 503
    notify.wait(EXTEND_TIMEOUT_USEC=...)
    assert notify.found(READY="1") == []
    gate.touch()
    ready = notify.wait(READY="1")
    assert ready.wall >= logged_at(running.event("upstream.ready"))
    assert re.fullmatch(r"ready; 0 sessions, 0 in flight, 0 restarts", ready["STATUS"])
    assert running.ready().status == 200
    assert {notice.pid for notice in notify.notices} == {running.pid}, "systemd believes the main process only"


BROKEN = [("--crash-on-start",), ("--no-initialize",), ("--initialize-error",)]


@pytest.mark.parametrize("fixture", BROKEN)
def test_ready_when_the_first_start_has_failed(proxy, notify, fixture):
    """What is broken must be visible: an instrument that dies of it shows nothing."""
    running = proxy("--connection-timeout", "700ms", fixture=fixture, env=to(notify), ready=False)
    assert running.http.get("/metrics").status == 200
    ready = notify.wait(READY="1")
    failed = running.exited()
    assert ready.wall >= logged_at(failed)
    assert re.fullmatch(r"\w+; 0 sessions, 0 in flight, 1 restart", ready["STATUS"])
    assert running.ready().status == 503
    exits = r'mcp_proxy_upstream_(start_failures|exits)_total\{reason="\w+"\} [1-9]'
    assert re.search(exits, running.http.get("/metrics").body.decode())
    running.exited(count=2)
    assert running.process.poll() is None
    assert len(notify.found(READY="1")) == 1


def test_ready_after_twenty_seconds_at_the_latest(proxy, notify):
    running = proxy("--connection-timeout", "5m", fixture=("--no-initialize",), env=to(notify), ready=False)
    began = notify.wait(EXTEND_TIMEOUT_USEC=...).monotonic
    assert running.http.get("/metrics").status == 200
    ready = notify.wait(timeout=25, READY="1")
    assert 19.5 < ready.monotonic - began < 22
    assert ready["STATUS"].startswith("starting;")
    # Meanwhile systemd was kept from giving up: each word came before the time of the one before it was over.
    patient_until = began
    for notice in notify.found(EXTEND_TIMEOUT_USEC=...):
        assert notice.monotonic <= patient_until + 0.1
        patient_until = notice.monotonic + int(notice["EXTEND_TIMEOUT_USEC"]) / SECOND
    assert ready.monotonic < patient_until


# STATUS.


def test_the_status_follows(proxy, notify):
    running = proxy(env=to(notify))
    first, _ = running.session(), running.session()
    call = first.start_tool("sleep", ms=60_000)
    notify.wait(STATUS="ready; 2 sessions, 1 in flight, 0 restarts")
    running.kill_child()
    assert "error" in call.answer()
    assert first.delete().status in (200, 204)
    notify.wait(STATUS="ready; 1 session, 0 in flight, 1 restart")
    assert all("\n" not in notice["STATUS"] for notice in notify.found(STATUS=...))


# WATCHDOG.


@pytest.mark.parametrize("pid", [None, OWN_PID])
def test_the_watchdog_is_fed_at_half_its_time(service, notify, pid):
    env = to(notify, WATCHDOG_USEC=str(SECOND), **({"WATCHDOG_PID": pid} if pid else {}))
    running = service(env=env)
    notify.wait(count=5, WATCHDOG="1")
    fed = notify.found(WATCHDOG="1")[:5]
    gaps = [after.monotonic - before.monotonic for before, after in zip(fed, fed[1:])]
    assert max(gaps) < 0.9 and min(gaps) > 0.3, gaps
    assert 1.8 < sum(gaps) < 3, gaps
    assert {notice.pid for notice in fed} == {running.pid}


@pytest.mark.parametrize("env", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}])
def test_no_watchdog_for_others(proxy, notify, env):
    fixture = ("--slow-start", "500")
    running = proxy(fixture=fixture, env=to(notify, **{"WATCHDOG_USEC": "20000", **env}), ready=False)
    notify.wait(READY="1")
    running.stop()
    assert notify.found(WATCHDOG=...) == [], "although fifty would have been due"


def test_a_stopped_process_feeds_no_watchdog(proxy, notify):
    """The signs of life are the process's own: nothing outside keeps them up."""
    running = proxy(env=to(notify, WATCHDOG_USEC="100000"))
    notify.wait(count=3, WATCHDOG="1")
    running.signal(signal.SIGSTOP)
    try:
        eventually(lambda: state(running.pid) == "T", what="the stop")
        notify.heard_within(0.1)
        assert notify.heard_within(1, WATCHDOG="1") == 0
    finally:
        running.signal(signal.SIGCONT)
    notify.wait(count=len(notify.found(WATCHDOG="1")) + 3, WATCHDOG="1")


def test_a_wedged_event_loop_feeds_no_watchdog(proxy, notify):
    """One thread is held, as by an endless loop in it; all others run on, those that send the signs of life too."""
    running = proxy(env=to(notify, WATCHDOG_USEC="100000"))
    notify.wait(count=3, WATCHDOG="1")
    with held(event_loop_thread(running.pid)):
        # One may be on its way.
        notify.heard_within(0.1)
        assert notify.heard_within(1, WATCHDOG="1") == 0
        assert state(running.pid) != "T", "the process itself runs"
    notify.wait(count=len(notify.found(WATCHDOG="1")) + 3, WATCHDOG="1")
    assert text(running.session().tool("echo", text="x")) == "x"


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def event_loop_thread(pid):
    """The id of the thread on which the event loop runs."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = [int(task.name) for task in tasks if "NIO-ELT" in (task / "comm").read_text(encoding="utf-8")]
    assert len(found) == 1
    return found[0]


@contextmanager
def held(thread):
    """Stops a single thread by ptrace(2): a signal would stop all of them."""
    seize, interrupt, detach, wait_for_threads = 0x4206, 0x4207, 17, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request):
        null = ctypes.c_void_p(0)
        result = libc.ptrace(ctypes.c_long(request), ctypes.c_int(thread), null, null)
        assert result == 0, os.strerror(ctypes.get_errno())

    ptrace(seize)
    ptrace(interrupt)
    os.waitpid(thread, wait_for_threads)
    try:
        yield
    finally:
        ptrace(detach)


# RELOADING and STOPPING.


@pytest.mark.parametrize("content", ["queue: 5\n", "queue: [\n"])
def test_reloading(proxy, notify, tmp_path, content):
    """However the reload ends, it ends: systemd waits for the second READY."""
    config = tmp_path / "config.yaml"
    config.write_text("queue: 4\n", encoding="utf-8")
    running = proxy("--config", config, env=to(notify))
    notify.wait(READY="1")
    config.write_text(content, encoding="utf-8")
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * SECOND
    running.signal(signal.SIGHUP)
    reloading = notify.wait(RELOADING="1")
    after = time.clock_gettime(time.CLOCK_MONOTONIC) * SECOND
    assert before - 1 <= int(reloading["MONOTONIC_USEC"]) <= after + 1
    notify.wait(count=2, READY="1")
    order = [next(iter(notice.assignments)) for notice in notify.notices]
    assert [word for word in order if word in ("READY", "RELOADING")] == ["READY", "RELOADING", "READY"]
    assert text(running.session().tool("echo", text="x")) == "x"


def test_stopping(proxy, notify):
    running = proxy("--graceful-shutdown-timeout", "40s", env=to(notify))
    call = running.session().start_tool("sleep", ms=1500)
    eventually(lambda: "mcp_proxy_requests_inflight 1\n" in running.http.get("/metrics").body.decode())
    running.signal()
    stopping = notify.wait(STOPPING="1")
    assert alive(running.pid), "it is told at the beginning, not at the end"
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 40 * SECOND
    assert stopping["STATUS"]
    assert "result" in call.answer()
    assert running.wait() == 0
    assert notify.notices[-1] is stopping, "afterwards there is nothing more to say"


def test_stopping_after_a_longer_time_to_stop_was_configured(service, notify, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("graceful-shutdown-timeout: 1s\n", encoding="utf-8")
    # Without the flag, which would go before the file.
    running = service("--port", "0", "--config", config, "--", FIXTURE, env=to(notify))
    running.wait_ready()
    config.write_text("graceful-shutdown-timeout: 50s\n", encoding="utf-8")
    running.signal(signal.SIGHUP)
    assert running.event("config.reloaded")["changed"] == "graceful-shutdown-timeout"
    running.signal()
    assert int(notify.wait(STOPPING="1")["EXTEND_TIMEOUT_USEC"]) > 50 * SECOND


# The socket itself.


def test_an_abstract_socket(proxy):
    notify = NotifySocket(f"@mcp-proxy-test-{os.getpid()}")
    try:
        running = proxy(env=to(notify))
        notify.wait(READY="1")
        running.stop()
        notify.wait(STOPPING="1")
    finally:
        notify.close()


@pytest.mark.parametrize("address", [None, "", "notify", "vsock:2:1"])
def test_nothing_is_told_where_nobody_asked(proxy, notify, tmp_path, address):
    env = {} if address is None else {"NOTIFY_SOCKET": address}
    running = proxy(env={"WATCHDOG_USEC": "20000", **env}, cwd=tmp_path)
    assert text(running.session().tool("echo", text="x")) == "x"
    running.signal(signal.SIGHUP)
    running.event("config.reloaded")
    running.stop()
    assert notify.notices == [], "the socket is where a relative path would lead"


@pytest.mark.parametrize("kind", ["missing", "full", "no socket"])
def test_a_socket_that_takes_nothing_holds_nothing_up(proxy, tmp_path, kind):
    path = tmp_path / "notify"
    full = FullSocket(path) if kind == "full" else None
    if kind == "no socket":
        path.touch()
    running = proxy(env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000"})
    session = running.session()
    began = time.monotonic()
    for _ in range(50):
        assert text(session.tool("echo", text="x")) == "x"
    assert time.monotonic() - began < 5
    running.signal(signal.SIGHUP)
    running.event("config.reloaded")
    running.stop()
    if full:
        full.close()


# Notices that find no room, or come at the wrong time.


def test_nothing_is_lost_when_the_queue_was_full(proxy, tmp_path):
    """At boot, systemd may be slow to read; who was not heard then would wait for its READY for good."""
    full = FullSocket(tmp_path / "full")
    running = proxy(env={"NOTIFY_SOCKET": full.address})
    heard = full.drain()
    assert not any("READY=1" in said for said in heard)
    eventually(lambda: heard.extend(full.drain()) or any("READY=1" in said for said in heard), what="READY")
    running.signal(signal.SIGTERM)
    running.wait()
    heard += full.drain()
    assert [said for said in heard if said.startswith("STOPPING=1")], heard
    full.close()


def test_a_reload_before_the_proxy_is_ready_says_nothing(proxy, notify, tmp_path):
    gate = tmp_path / "gate"
    running = proxy(child=gated(gate), env=to(notify), ready=False)
    running.signal(signal.SIGHUP)
    running.event("config.reloaded")
    assert notify.found(READY="1") == notify.found(RELOADING="1") == []
    gate.touch()
    notify.wait(READY="1")
