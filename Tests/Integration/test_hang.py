# SPDX-License-Identifier: Apache-2.0
"""The child hangs: calls end in time, and a child that shows no sign of life is replaced."""

import time

import pytest

from child_trace import Trace
from mcp_http import text
from processes import alive, eventually


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


def test_a_hang_is_ended(proxy):
    """The call fails in time; the ping that follows has ten seconds to be answered."""
    running = proxy("--request-timeout", "500")
    session = running.session()
    before = running.child_pid
    error = session.tool("hang", timeout=10)["error"]
    assert error["code"] == -32001
    assert error["data"]["reason"] == "timeout"
    running.event("upstream.unresponsive")
    assert running.exited()["reason"] == "unresponsive"
    eventually(lambda: not alive(before), what="its end")
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_slow_call_is_not_a_hang(proxy, trace):
    """The child answers the ping, so only the call that took too long fails."""
    running = proxy("--request-timeout", "500", fixture=trace.flags)
    session = running.session()
    pid = text(session.tool("pid"))
    assert session.tool("hang_call")["error"]["data"]["reason"] == "timeout"
    trace.wait("notifications/cancelled")
    time.sleep(11)  # longer than a ping may take
    assert running.found("upstream.unresponsive") == []
    assert text(session.tool("pid")) == pid


def test_progress_extends_the_timeout(proxy):
    running = proxy("--request-timeout", "600")
    call = running.session().start_tool("progress", progress_token=1, steps=8, ms=200)
    assert text(call.answer()) == "done 8 steps"


def test_a_hard_maximum_ends_what_progress_extends(proxy):
    running = proxy("--request-timeout", "600", "--max-request-time", "1200")
    call = running.session().start_tool("progress", progress_token=1, steps=100, ms=100)
    assert call.answer()["error"]["data"]["reason"] == "timeout"


def test_a_child_that_stops_reading(proxy):
    """The queue fills, then calls are refused; HTTP is answered all the time."""
    running = proxy("--queue", "3", "--max-in-flight", "5", "--request-timeout", "1500")
    session = running.session()
    session.tool("stop_reading")
    calls = [session.start_tool("echo", text="x" * 50_000) for _ in range(20)]
    reasons = [call.answer(20)["error"]["data"]["reason"] for call in calls]
    assert set(reasons) <= {"queue_full", "timeout", "upstream_exited"}
    assert "queue_full" in reasons
    assert session.request("ping")["result"] == {}
    running.exited(30)
    assert text(session.tool("echo", text="alive")) == "alive"
