# SPDX-License-Identifier: Apache-2.0
"""What a real client makes of each failure: an error that names the cause, soon, and never a hang."""

import time

import pytest

from processes import eventually
from sdk_client import SDKError

BOTH = pytest.mark.parametrize("kind", ["sdk1", "sdk2"])
TRANSPORTS = pytest.mark.parametrize("transport", ["http", "sse"])


def failure(reason, code, act, within=5.0):
    """Asserts that `act` raises the JSON-RPC error of that reason in time."""
    started = time.monotonic()
    with pytest.raises(SDKError) as raised:
        act()
    assert time.monotonic() - started < within
    assert raised.value.code == code, raised.value.error
    assert raised.value.data["reason"] == reason
    assert raised.value.error["message"]
    return raised.value


def alive(client):
    assert client.text("echo", text="alive") == "alive"


@BOTH
@TRANSPORTS
def test_upstream_exited(proxy, sdk, kind, transport):
    client = sdk(kind, proxy(), transport)
    error = failure("upstream_exited", -32000, lambda: client.tool("crash", status=9))
    assert error.data["exit_status"] == 9
    assert error.data["restarting"] is True
    alive(client)


@BOTH
@TRANSPORTS
def test_timeout(proxy, sdk, kind, transport):
    client = sdk(kind, proxy("--request-timeout", "500"), transport)
    failure("timeout", -32001, lambda: client.tool("hang_call"))
    alive(client)


@BOTH
@TRANSPORTS
def test_queue_full(proxy, sdk, kind, transport):
    client = sdk(kind, proxy("--max-in-flight", "1", "--queue", "0"), transport)
    first = client.start_tool("sleep", ms=1000)
    second = client.start_tool("sleep", ms=1000)
    outcomes = []
    for tag in (first, second):
        try:
            outcomes.append(client.finish(tag)["content"][0]["text"])
        except SDKError as error:
            outcomes.append(error.data["reason"])
    assert sorted(outcomes) == ["queue_full", "slept 1000 ms"]
    alive(client)


@BOTH
@TRANSPORTS
def test_answer_too_large(proxy, sdk, kind, transport):
    client = sdk(kind, proxy("--max-line", "100000"), transport)
    failure("upstream_answer_too_large", -32000, lambda: client.tool("big", bytes=200_000))
    alive(client)


@BOTH
@TRANSPORTS
def test_answer_invalid(proxy, sdk, kind, transport):
    client = sdk(kind, proxy("--request-timeout", "2s"), transport)
    with pytest.raises(SDKError) as raised:
        client.tool("garbage", kind="result_and_error")
    assert raised.value.data["reason"] in ("upstream_answer_invalid", "timeout")
    alive(client)


@BOTH
@TRANSPORTS
def test_upstream_unavailable(proxy, sdk, tmp_path, kind, transport):
    crash = tmp_path / "crash"
    running = proxy(fixture=("--crash-file", str(crash)))
    client = sdk(kind, running, transport)
    crash.touch()
    running.kill_child()
    eventually(lambda: running.ready().json["status"] == "crash_loop", 30, "the crash loop")
    failure("upstream_unavailable", -32000, lambda: client.tool("echo", text="x"))
    crash.unlink()
    eventually(lambda: running.ready().status == 200, 60, "recovery")
    alive(client)


@BOTH
@TRANSPORTS
def test_a_server_that_cannot_be_started(proxy, sdk, kind, transport):
    """Connecting fails with a reason; it neither hangs nor looks like a missing server."""
    running = proxy("--connection-timeout", "1s", fixture=("--initialize-error",), ready=False)
    running.exited()
    started = time.monotonic()
    with pytest.raises(AssertionError, match="refused on purpose|initialize|not running|keeps failing"):
        sdk(kind, running, transport)
    assert time.monotonic() - started < 20


@BOTH
def test_too_many_sessions(proxy, sdk, kind):
    running = proxy("--max-sessions", "1")
    first = sdk(kind, running)
    with pytest.raises(AssertionError, match="fatal"):
        sdk(kind, running)
    alive(first)


@BOTH
def test_a_session_that_is_gone(proxy, sdk, tmp_path, kind):
    """The child came back with less, so the session was ended: the next call fails, it does not hang."""
    shrink = tmp_path / "shrink"
    running = proxy(fixture=("--capabilities-shrink-file", str(shrink)))
    client = sdk(kind, running)
    shrink.touch()
    running.kill_child()
    running.event("session.closed", reason="upstream_changed")
    started = time.monotonic()
    with pytest.raises(SDKError):
        client.tool("echo", text="x")
    assert time.monotonic() - started < 5
    # A new connection works.
    assert sdk(kind, running).text("echo", text="again") == "again"


@BOTH
def test_a_proxy_that_is_gone(proxy, sdk, kind):
    running = proxy()
    client = sdk(kind, running)
    running.stop()
    started = time.monotonic()
    with pytest.raises(SDKError):
        client.tool("echo", text="x")
    assert time.monotonic() - started < 15


@BOTH
def test_refused_by_the_childs_own_error(proxy, sdk, kind):
    client = sdk(kind, proxy())
    with pytest.raises(SDKError) as raised:
        client.tool("no_such_tool")
    assert raised.value.code == -32602
    assert raised.value.data is None
    alive(client)


@BOTH
def test_a_refused_question_is_the_tools_to_handle(proxy, sdk, kind):
    """A client that declared nothing is not asked; the tool hears why."""
    client = sdk(kind, proxy())
    result = client.tool("sample", prompt="p")
    assert result["isError"] is True
    assert "client error -32601" in result["content"][0]["text"]
