# SPDX-License-Identifier: Apache-2.0
"""After a run whose outcome is known every counter is exact: what should move has moved, and nothing else. Here: calls,
refusals and times.

`Counted.changes` has the series that moved, as `name{value,value}`.
"""

import socket
from collections import Counter

import pytest

from counted import Counted, and_also, asked, consistent, failed
from mcp_http import initialize, request, tool
from processes import eventually
from scrape import OPENMETRICS, scrape


@pytest.fixture
def running(proxy):
    return proxy()


def test_calls_by_outcome(running):
    session = running.session()
    counted = Counted(running)
    session.request("tools/list")
    for _ in range(5):
        session.tool("echo", text="x")
    for _ in range(2):
        assert session.tool("env", name="NO_SUCH_VARIABLE")["result"]["isError"]
    for _ in range(3):
        assert session.tool("no_such_tool")["error"]["code"] == -32602
    assert session.tool("elicit_url_required", message="m")["error"]["code"] == -32042
    assert session.request("no/such/method")["error"]["code"] == -32601
    session.request("resources/read", {"uri": "test://static/1"})
    session.request("prompts/get", {"name": "plain"})
    session.request("ping")
    assert counted.changes() == (
        asked("tools/list", "ok")
        + asked("tools/call", "ok", 5)
        + asked("tools/call", "tool_error", 2)
        + failed("tools/call", "client_error", 3)
        + failed("tools/call", "server_error")
        + failed("_OTHER", "client_error")
        + asked("resources/read", "ok")
        + asked("prompts/get", "ok")
        + asked("ping", "ok")
    )
    page = consistent(scrape(running.http, OPENMETRICS))
    duration = "mcp_server_operation_duration_seconds"
    for labels, count in (
        ({"gen_ai_tool_name": "echo"}, 5),
        ({"gen_ai_tool_name": "env", "error_type": "tool_error"}, 2),
        ({"gen_ai_tool_name": "_OTHER", "error_type": "-32602"}, 3),
        ({"gen_ai_tool_name": "elicit_url_required", "error_type": "-32042"}, 1),
        # The list of prompts was never asked for.
        ({"gen_ai_prompt_name": "_OTHER"}, 1),
        ({"mcp_method_name": "_OTHER", "error_type": "-32601"}, 1),
    ):
        assert page.value(f"{duration}_count", **labels) == count, labels
        assert page.value(f"{duration.replace('server', 'client')}_count", **labels) == count, labels


def test_names_are_learned_from_lists_only(running):
    session = running.session()
    session.tool("echo", text="x")
    session.request("prompts/get", {"name": "plain"})
    session.request("tools/list")
    session.request("prompts/list")
    session.tool("echo", text="x")
    session.request("prompts/get", {"name": "plain"})
    page = scrape(running.http)
    for label, name in (("gen_ai_tool_name", "echo"), ("gen_ai_prompt_name", "plain")):
        for value in (name, "_OTHER"):
            assert page.value("mcp_server_operation_duration_seconds_count", **{label: value}) == 1


def test_timeouts(proxy):
    running = proxy("--request-timeout", "300")
    session = running.session()
    counted = Counted(running)
    for _ in range(2):
        assert session.tool("hang_call")["error"]["code"] == -32001
    # The second timeout asks for none when the answer to the first came meanwhile.
    running.event("upstream.probed")
    counted.becomes(failed("tools/call", "timeout", 2) + Counter({"cancellations{proxy}": 2}))
    page = consistent(scrape(running.http))
    assert page.value("mcp_proxy_upstream_probe_success") == 1
    assert 0 < page.value("mcp_proxy_upstream_probe_duration_seconds") < 10
    assert page.value("mcp_proxy_queue_wait_seconds_count") == 2
    assert page.value("mcp_proxy_overhead_seconds_count") == 0


def test_a_server_that_does_not_answer_its_ping(proxy):
    running = proxy("--request-timeout", "300")
    session = running.session()
    counted = Counted(running)
    session.tool("hang")
    running.exited(30)
    running.event("upstream.ready", count=2)
    counted.becomes(
        failed("tools/call", "timeout")
        + Counter({"cancellations{proxy}": 1, "upstream_exits{unresponsive}": 1})
        + and_also(upstream_unresponsive=1, upstream_starts=1)
    )
    assert scrape(running.http).value("mcp_proxy_upstream_probe_success") == 0


def test_cancellations(running):
    session = running.session()
    counted = Counted(running)
    for id in (901, 902):
        call = session.start(tool("sleep", id, ms=60_000))
        session.request("ping")
        session.cancel(id)
        call.answer()
    # The server answers them nevertheless, to nobody.
    running.event("upstream.answer_dropped", count=2)
    assert counted.changes() == (
        failed("tools/call", "cancelled", 2)
        + asked("ping", "ok", 2)
        + Counter({"messages{from_client,notification}": 2, "cancellations{client}": 2})
        + and_also(answers_dropped=2)
    )
    consistent(scrape(running.http))


def test_an_answer_nobody_waits_for(running):
    session = running.session()
    counted = Counted(running)
    session.start_tool("sleep", ms=300).drop()
    running.event("upstream.answer_dropped")
    assert counted.changes() == asked("tools/call", "ok") + and_also(answers_dropped=1)


# Refusals.


def raw(running, data):
    """Sends bytes and reads until the proxy closes."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as wire:
        wire.sendall(data)
        while wire.recv(65536):
            pass


REFUSALS = {
    "bad_message: no JSON": ("bad_message", lambda r, s: s.post(b"{")),
    "bad_message: no JSON-RPC": ("bad_message", lambda r, s: s.post(b"{}")),
    "unknown_session": ("unknown_session", lambda r, s: r.http.post(request("ping"), {"Mcp-Session-Id": "none"})),
    "unknown_session: none": ("unknown_session", lambda r, s: r.http.post(request("ping"))),
    "unsupported_version": (
        "unsupported_version",
        lambda r, s: s.post(request("ping"), {"MCP-Protocol-Version": "1999-01-01"}),
    ),
    "bad_origin": ("bad_origin", lambda r, s: s.post(request("ping"), {"Origin": "https://evil.example"})),
    "bad_host": ("bad_host", lambda r, s: s.post(request("ping"), {"Host": "evil.example"})),
    "body_too_large": ("body_too_large", lambda r, s: s.post(request("ping", {"x": "x" * 20_000}))),
    "not_found": ("not_found", lambda r, s: r.http.get("/nothing")),
    "bad_header": ("bad_header", lambda r, s: s.post(request("ping"), {"Content-Type": "text/plain"})),
    "bad_message: no HTTP": (
        "bad_message",
        lambda r, s: raw(r, b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n"),
    ),
    "slow_request": ("slow_request", lambda r, s: raw(r, b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le")),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_the_front_door(proxy, case):
    """It is counted once, under its reason, and it is no request of the protocol."""
    running = proxy("--strict-host", "--max-body-size", "10000", "--read-timeout", "500")
    session = running.session()
    reason, act = REFUSALS[case]
    counted = Counted(running)
    act(running, session)
    assert counted.changes() == {f"requests_rejected{{{reason}}}": 1}


def test_a_session_too_many(proxy):
    running = proxy("--max-sessions", "2")
    for _ in range(2):
        running.session()
    counted = Counted(running)
    for _ in range(3):
        assert running.http.post(initialize()).status == 503
    assert counted.changes() == {"requests_rejected{session_limit}": 3}
    page = scrape(running.http)
    assert page.value("mcp_proxy_sessions_limit") == 2
    assert page.total("mcp_proxy_sessions") == 2


def test_a_connection_too_many(proxy):
    running = proxy("--max-connections", "4", "--admin-listen", "127.0.0.1:0", ready=False)
    admin = type(running.http)(int(running.event("proxy.started")["admin_listen"].rpartition(":")[2]))
    eventually(lambda: admin.get("/readyz").status == 200, what="readiness")
    before = scrape(admin)
    held = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(4)]
    eventually(lambda: scrape(admin).value("mcp_proxy_connections") >= 4, what="four connections")
    assert running.http.get("/mcp").status == 503
    eventually(lambda: (scrape(admin) - before).get("requests_rejected{connection_limit}") == 1, what="the refusal")
    assert scrape(admin).value("mcp_proxy_connections_limit") == 4
    for wire in held:
        wire.close()


def test_a_full_queue(proxy):
    running = proxy("--max-in-flight", "1", "--queue", "1")
    session = running.session()
    counted = Counted(running)
    slow = session.start_tool("sleep", ms=60_000)
    eventually(lambda: scrape(running.http).value("mcp_proxy_requests_inflight") == 1, what="a call in flight")
    waiting = session.start(tool("echo", 77, text="x"))
    eventually(lambda: scrape(running.http).value("mcp_proxy_queue_length") == 1, what="a call in the queue")
    for _ in range(3):
        assert session.tool("echo", text="x")["error"]["data"]["reason"] == "queue_full"
    assert counted.changes() == failed("tools/call", "rejected", 3) + Counter({"requests_rejected{queue_full}": 3})
    session.cancel(1)
    slow.answer()
    waiting.answer()


def test_a_task_of_somebody_else(running):
    session = running.session()
    counted = Counted(running)
    assert "error" in session.request("tasks/get", {"taskId": "not-mine"})
    assert counted.changes() == failed("tasks/get", "rejected") + Counter({"requests_rejected{forbidden_task}": 1})


def test_hosts_that_are_let_through(running):
    session = running.session()
    counted = Counted(running)
    for _ in range(2):
        session.post(request("ping"), {"Host": "unknown.example"})
    assert counted.changes() == asked("ping", "ok", 2) + and_also(unknown_hosts=2)


# Time.


def test_a_known_time_is_in_its_bucket(running):
    session = running.session()
    session.request("tools/list")
    for _ in range(4):
        session.tool("sleep", ms=250)
    page = consistent(scrape(running.http, OPENMETRICS))
    for side in ("server", "client"):
        name = f"mcp_{side}_operation_duration_seconds"
        histogram = page.histogram(name, gen_ai_tool_name="sleep")
        assert histogram.count == 4
        assert histogram.within(0.2, 0.5) == 4, histogram.buckets
        assert 1.0 <= histogram.sum < 2.0


def test_waiting_in_the_queue(proxy):
    """One at a time: the second call waits for as long as the first takes, and each second is counted once."""
    running = proxy("--max-in-flight", "1")
    session = running.session()
    calls = [session.start_tool("sleep", ms=600) for _ in range(2)]
    for call in calls:
        call.answer()
    page = consistent(scrape(running.http, OPENMETRICS))
    queue = page.histogram("mcp_proxy_queue_wait_seconds")
    assert queue.count == 2
    assert queue.within(0.5, 1) == 1, queue.buckets
    server = page.histogram("mcp_server_operation_duration_seconds", mcp_method_name="tools/call")
    client = page.histogram("mcp_client_operation_duration_seconds", mcp_method_name="tools/call")
    overhead = page.histogram("mcp_proxy_overhead_seconds")
    assert client.within(0.5, 1) == 2
    assert server.within(1, 2) == 1 and server.within(0.5, 1) == 1
    assert server.sum >= client.sum + queue.sum
    assert server.sum == pytest.approx(client.sum + queue.sum + overhead.sum, abs=1e-6)
