# SPDX-License-Identifier: Apache-2.0
"""The child talks nonsense, or far too much: at most one call fails, and it is counted."""

import pytest

from mcp_http import text
from processes import resident_bytes


@pytest.fixture
def running(proxy):
    return proxy()


@pytest.mark.parametrize(
    "kind",
    [
        "text",
        "empty",
        "utf8",
        "utf8_json",
        "not_jsonrpc",
        "wrong_id",
        "null_id",
        "duplicate",
        "unknown_progress",
        "cr",
        "crlf",
    ],
)
def test_nonsense_on_stdout_costs_nothing(running, kind):
    session = running.session(listen=True)
    assert text(session.tool("garbage", kind=kind)) == f"after {kind}"
    assert text(session.tool("echo", text="alive")) == "alive"
    assert len(running.child_pids) == 1
    if kind not in ("empty", "cr", "crlf"):
        running.event("upstream.protocol_error")


def test_a_batch_from_the_child_is_taken_apart(running):
    assert text(running.session().tool("garbage", kind="batch")) == "after batch"


@pytest.mark.parametrize("kind", ["truncated", "string_id", "utf8_answer", "result_and_error", "no_result", "split"])
def test_nonsense_instead_of_an_answer_costs_at_most_that_call(proxy, kind):
    running = proxy("--request-timeout", "700")
    session = running.session()
    other = session.start_tool("sleep", ms=300)
    answer = session.tool("garbage", kind=kind)
    if "error" in answer:
        assert answer["error"]["data"]["reason"] in ("upstream_answer_invalid", "timeout")
    else:
        assert "after" in text(answer)
    assert text(other.answer()) == "slept 300 ms"
    assert text(session.tool("echo", text="alive")) == "alive"
    running.event("upstream.protocol_error")
    assert len(running.child_pids) == 1


def test_nonsense_before_the_handshake(proxy):
    running = proxy(fixture=("--garbage-on-start",))
    assert text(running.session().tool("echo", text="x")) == "x"


def test_16_megabytes_on_one_line(running):
    answer = running.session().tool("big", bytes=16 << 20)
    assert len(text(answer)) == 16 << 20


@pytest.mark.parametrize("id_last", [False, True])
def test_a_line_over_the_limit_fails_one_call(proxy, id_last):
    running = proxy("--max-line", "1000000")
    session = running.session()
    other = session.start_tool("sleep", ms=500)
    error = session.tool("big", bytes=2_000_000, id_last=id_last)["error"]
    assert error["data"]["reason"] == "upstream_answer_too_large"
    assert "--max-line" in error["message"]
    assert text(other.answer()) == "slept 500 ms"
    assert len(text(session.tool("big", bytes=900_000))) == 900_000
    assert len(running.child_pids) == 1


def test_a_line_over_the_default_limit(running):
    """64 MiB is the default; what is over it is thrown away as it comes, not kept."""
    session = running.session()
    before = resident_bytes(running.pid)
    assert session.tool("big", timeout=60, bytes=65 << 20)["error"]["data"]["reason"] == "upstream_answer_too_large"
    assert resident_bytes(running.pid) - before < 120 << 20
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_flood_on_stderr(running):
    session = running.session()
    assert text(session.tool("flood_stderr", timeout=60, mb=20)) == "flooded"
    assert text(session.tool("echo", text="alive")) == "alive"
    assert len(running.found("upstream.stderr")) < 2000
    running.event("upstream.stderr_suppressed")


def test_stderr_is_logged(running):
    running.session().tool("stderr", text="a line of the child's")
    assert running.event("upstream.stderr")["line"] == "a line of the child's"
