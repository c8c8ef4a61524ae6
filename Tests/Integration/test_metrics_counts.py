# SPDX-License-Identifier: Apache-2.0
"""After a run whose outcome is known every counter is exact: what should move has moved, and nothing else. Here: the
server, messages both ways, sessions, streams and the front door.

`Counted.changes` has the series that moved, as `name{value,value}`.
"""

import json
import socket
from collections import Counter

import pytest

from counted import Counted, and_also, asked, consistent, failed
from mcp_http import notification, text, tool
from processes import eventually
from scrape import OPENMETRICS, scrape


@pytest.fixture
def running(proxy):
    return proxy()


# The server.


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        ({"status": 3}, "exit", 3),
        ({"status": 0}, "exit", 0),
        ({"status": 2}, "exit", 2),
        ({"status": 125}, "exit", 125),
        ({"status": 126}, "exit", 126),
        ({"status": 127}, "exit", 127),
        ({"signal": 9}, "signal", 137),
        ({"signal": 11}, "signal", 139),
    ],
)
def test_a_crash(running, arguments, reason, code):
    session = running.session()
    counted = Counted(running)
    assert session.tool("crash", **arguments)["error"]["data"]["reason"] == "upstream_exited"
    running.event("upstream.ready", count=2)
    counted.becomes(
        failed("tools/call", "upstream_lost")
        + Counter({f"upstream_exits{{{reason}}}": 1})
        + and_also(upstream_starts=1)
    )
    page = consistent(scrape(running.http))
    assert page.value("mcp_proxy_upstream_last_exit_code") == code
    assert page.value("mcp_proxy_upstream_start_duration_seconds_count") == 2


def test_a_closed_stdout(running):
    session = running.session()
    counted = Counted(running)
    session.tool("close_stdout")
    running.event("upstream.ready", count=2)
    counted.becomes(
        failed("tools/call", "upstream_lost")
        + Counter({"upstream_exits{stdout_closed}": 1})
        + and_also(upstream_starts=1)
    )


@pytest.mark.parametrize(("flag", "reason"), [("--crash-on-start", "exit"), ("--initialize-error", "handshake_failed")])
def test_failed_starts(proxy, flag, reason):
    running = proxy(fixture=(flag,), ready=False)
    running.exited(count=3)
    page = scrape(running.http)
    starts = page.value("mcp_proxy_upstream_starts_total")
    failures = page.value("mcp_proxy_upstream_start_failures_total", reason=reason)
    assert starts >= failures >= 3
    assert starts - failures <= 1, "a start that is under way"
    assert page.value("mcp_proxy_upstream_exits_total", reason=reason) == failures
    assert page.total("mcp_proxy_upstream_exits_total") == page.total("mcp_proxy_upstream_start_failures_total")
    assert page.value("mcp_proxy_upstream_start_duration_seconds_count") == 0


def test_lines_on_stderr(running):
    session = running.session()
    counted = Counted(running)
    for line in ("one", "two words", "drei Wörter: ä"):
        session.tool("stderr", text=line)
    running.event("upstream.stderr", count=3)
    counted.becomes(asked("tools/call", "ok", 3) + and_also(upstream_stderr_lines=3, upstream_stderr_bytes=28))


def test_a_flood_on_stderr(running):
    """What is logged and what is left out are all there was."""
    session = running.session()
    counted = Counted(running)
    session.tool("flood_stderr", mb=1, timeout=60)

    def lines():
        changes = counted.changes()
        dropped = changes.get("upstream_stderr_dropped", 0)
        return dropped and (changes["upstream_stderr_lines"], dropped)

    eventually(lines, what="lines that are left out")
    running.event("upstream.stderr_suppressed")
    eventually(lambda: sum(lines()) == 1024, what="all lines of a kilobyte")
    logged, dropped = lines()
    assert logged == len(running.found("upstream.stderr"))
    assert dropped == sum(event["lines"] for event in running.found("upstream.stderr_suppressed"))


@pytest.mark.parametrize(
    ("garbage", "kind", "count"),
    [
        ("text", "invalid_json", 1),
        ("utf8", "invalid_json", 1),
        # An object, a batch of nothing, a number, a string, and null.
        ("not_jsonrpc", "not_jsonrpc", 5),
        ("wrong_id", "unmatched_id", 1),
        ("null_id", "not_jsonrpc", 1),
        ("duplicate", "late_answer", 1),
        ("unknown_progress", "unknown_progress_token", 1),
    ],
)
def test_noise_on_stdout(running, garbage, kind, count):
    session = running.session()
    counted = Counted(running)
    session.tool("garbage", kind=garbage)
    if garbage == "duplicate":
        running.event("upstream.protocol_error")
    changes = counted.changes()
    # What can't be read is no message.
    assert changes.pop("messages{from_server,notification}", 0) == (1 if garbage == "unknown_progress" else 0)
    assert changes == asked("tools/call", "ok") + Counter({f"protocol_errors{{from_server,{kind}}}": count})


def test_a_line_that_is_too_long(proxy):
    running = proxy("--max-line", "100000")
    session = running.session()
    counted = Counted(running)
    assert session.tool("big", bytes=200_000)["error"]["data"]["reason"] == "upstream_answer_too_large"
    changes = counted.changes()
    assert changes.pop("protocol_errors{from_server,oversize}") == 1
    assert changes == failed("tools/call", "server_error")


def test_an_answer_to_nothing(running):
    session = running.session()
    counted = Counted(running)
    session.post({"jsonrpc": "2.0", "id": 4711, "result": {}})
    assert counted.changes() == {"protocol_errors{from_client,unmatched_id}": 1}


# Notifications, and requests of the server.


def test_notifications_both_ways(running):
    session = running.session(listen=True)
    counted = Counted(running)
    for _ in range(3):
        session.notify("notifications/x-custom")
    call = session.start_tool("progress", progress_token=1, steps=4)
    call.answer()
    call.drained()
    session.tool("list_change", kind="tool")
    assert counted.changes() == (
        asked("tools/call", "ok", 2)
        + Counter({"messages{from_client,notification}": 3, "messages{from_server,notification}": 5})
        + Counter({"streams_opened{post}": 1, "streams_closed{post,finished}": 1, "stream_events{post}": 5})
    )
    consistent(scrape(running.http))


def test_log_messages_that_belong_to_nobody(running):
    """Of two clients, either could be meant."""
    session, _ = running.session(), running.session()
    counted = Counted(running)
    for level in ("warning", "warning", "critical"):
        session.tool("log", level=level, text="x")
    session.tool("log", level="error", text="x")
    changes = counted.changes()
    assert {series: count for series, count in changes.items() if series.startswith("upstream_log")} == {
        "upstream_log_messages{warning}": 2,
        "upstream_log_messages{critical}": 1,
        "upstream_log_messages{error}": 1,
    }
    assert changes["messages{from_server,notification}"] == 4


def test_sampling(running):
    session = running.session(capabilities={"sampling": {}})
    counted = Counted(running)
    for answer in ("one", "two"):
        call = session.start_tool("sample", prompt="p")
        question = call.method("sampling/createMessage")
        assert scrape(running.http).value("mcp_proxy_server_requests_open") == 1
        content = {"role": "assistant", "model": "m", "content": {"type": "text", "text": answer}}
        session.answer(question, content)
        assert text(call.answer()) == answer
        call.drained()
    assert counted.changes() == (
        asked("tools/call", "ok", 2)
        + Counter(
            {
                "server_requests{sampling/createMessage,answered}": 2,
                "messages{from_server,request}": 2,
                "messages{from_client,response}": 2,
                "streams_opened{post}": 2,
                "streams_closed{post,finished}": 2,
                "stream_events{post}": 4,
            }
        )
    )
    assert consistent(scrape(running.http)).value("mcp_proxy_server_requests_open") == 0


def test_elicitation_refused_by_the_client(running):
    session = running.session(capabilities={"elicitation": {}})
    counted = Counted(running)
    call = session.start_tool("elicit", message="m")
    question = call.method("elicitation/create")
    session.post({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "no"}})
    call.answer()
    call.drained()
    changes = counted.changes()
    assert changes["server_requests{elicitation/create,answered}"] == 1
    assert changes["messages{from_client,error}"] == 1
    assert "messages{from_client,response}" not in changes


def test_questions_that_get_no_answer(running):
    """The client can't, is cancelled, or is gone."""
    plain, able = running.session(), running.session(capabilities={"sampling": {}})
    counted = Counted(running)
    assert plain.tool("sample", prompt="p")["result"]["isError"]
    assert counted.changes()["server_requests{sampling/createMessage,undeclared}"] == 1
    assert counted.changes()["protocol_errors{from_server,undeclared_request}"] == 1

    counted = Counted(running)
    call = able.start(tool("sample", 900, prompt="p"))
    call.method("sampling/createMessage")
    able.cancel(900)
    eventually(lambda: counted.changes().get("server_requests{sampling/createMessage,cancelled}") == 1, what="the end")

    counted = Counted(running)
    call = able.start(tool("sample", 901, prompt="p"))
    call.method("sampling/createMessage")
    able.delete()
    ended = "server_requests{sampling/createMessage,session_ended}"
    eventually(lambda: counted.changes().get(ended) == 1, what="the end")
    assert counted.changes()["sessions_closed{client_delete}"] == 1
    assert scrape(running.http).value("mcp_proxy_server_requests_open") == 0


# Sessions and streams.


def opened(session_revision, transport):
    return f"sessions_opened{{{session_revision},{transport}}}"


def test_sessions_by_revision_and_transport(running):
    counted = Counted(running)
    revisions = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
    for count, revision in enumerate(revisions, 1):
        for _ in range(count):
            running.session(revision)
    legacy = running.sse_session()
    changes = counted.changes()
    for count, revision in enumerate(revisions, 1):
        assert changes[opened(revision, "streamable_http")] == count
    assert changes[opened("2024-11-05", "sse")] == 1
    assert changes["requests{initialize,ok}"] == 11
    assert changes["streams_opened{sse}"] == 1
    legacy.close()
    eventually(lambda: counted.changes().get("sessions_closed{stream_closed}") == 1, what="the end of the SSE session")
    assert counted.changes()["streams_closed{sse,client_gone}"] == 1
    consistent(scrape(running.http))


def test_sessions_closed_by_their_client(running):
    sessions = [running.session() for _ in range(3)]
    counted = Counted(running)
    for session in sessions[:2]:
        session.delete()
    assert counted.changes() == {"sessions_closed{client_delete}": 2}
    page = consistent(scrape(running.http))
    assert page.value("mcp_server_session_duration_seconds_count") == 2
    assert page.total("mcp_proxy_sessions") == 1


def test_sessions_closed_for_being_idle(proxy):
    running = proxy("--session-idle-timeout", "300")
    counted = Counted(running)
    for _ in range(2):
        running.session()
    running.event("session.expired", count=2)
    eventually(lambda: counted.changes().get("sessions_closed{idle_timeout}") == 2, what="their end")


def test_sessions_closed_because_the_server_changed(proxy, tmp_path):
    shrink = tmp_path / "shrink"
    running = proxy(fixture=("--capabilities-shrink-file", str(shrink)))
    running.session()
    running.session()
    counted = Counted(running)
    shrink.touch()
    running.kill_child()
    running.event("session.closed", count=2, reason="upstream_changed")
    assert counted.changes()["sessions_closed{upstream_changed}"] == 2


def test_streams_end_in_different_ways(running):
    session = running.session(listen=True)
    counted = Counted(running)
    second = session.listen()
    session.stream.ended.wait(10)
    assert counted.changes() == {"streams_opened{get}": 1, "streams_closed{get,replaced}": 1}
    session.tool("list_change", kind="tool")
    second.method("notifications/tools/list_changed")
    second.close()
    running.event("stream.closed", end="client_gone")
    changes = counted.changes()
    assert changes["streams_closed{get,client_gone}"] == 1
    assert changes["stream_events{get}"] == 1
    third = session.listen(second.last_id)
    running.event("stream.resumed")
    assert counted.changes()["stream_resumes"] == 1
    session.delete()
    third.ended.wait(10)
    changes = counted.changes()
    assert changes["streams_closed{get,session_ended}"] == 1
    assert changes["streams_opened{get}"] == 2
    consistent(scrape(running.http))


def test_messages_for_a_client_that_opens_no_stream(running):
    session = running.session()
    counted = Counted(running)
    calls = 0

    def dropped():
        nonlocal calls
        for _ in range(50):
            session.tool("list_change", kind="resource")
            calls += 1
        return counted.changes().get("messages_dropped", 0)

    count = eventually(dropped, 30, "messages that are dropped")
    assert count == sum(event["count"] for event in running.found("session.messages_dropped"))
    assert 0 < count < calls
    assert scrape(running.http).value("mcp_proxy_buffered_bytes") > 0


# The front door, and the log.


def test_http_requests(running):
    session = running.session()
    scrape(running.http)
    counted = Counted(running)
    session.request("ping")
    session.notify("notifications/x")
    session.post(b"{")
    running.http.get("/healthz")
    running.http.request("HEAD", "/readyz")
    running.http.get("/nothing")
    running.http.request("PROPFIND", "/mcp", b"")
    running.http.request("OPTIONS", "/mcp")
    session.post(notification("x"), {"Origin": "https://evil.example"})
    session.delete()
    name = "http_server_request_duration_seconds_count"
    changes = {series: count for series, count in counted.all().items() if series.startswith(name)}
    assert changes == {
        f"{name}{{POST,200,mcp}}": 1,
        f"{name}{{POST,202,mcp}}": 1,
        f"{name}{{POST,400,mcp}}": 1,
        f"{name}{{GET,200,health}}": 1,
        f"{name}{{HEAD,200,ready}}": 1,
        f"{name}{{GET,404,other}}": 1,
        f"{name}{{_OTHER,405,mcp}}": 1,
        f"{name}{{OPTIONS,204,mcp}}": 1,
        f"{name}{{POST,403,mcp}}": 1,
        f"{name}{{DELETE,200,mcp}}": 1,
        f"{name}{{GET,200,metrics}}": 1,
    }


def test_connections_by_their_end(proxy):
    running = proxy("--keep-alive-timeout", "300")
    counted = Counted(running)
    with socket.create_connection(("127.0.0.1", running.port)) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while wire.recv(65536):
            pass
    eventually(lambda: counted.all().get("connections_closed{idle_timeout}") == 1, what="its end")
    eventually(lambda: counted.all().get("connections_closed{client}", 0) >= 2, what="the end of the scrapes")


def test_the_log_tells_the_same(running):
    """Of each kind of event there are as many entries as the counter says."""
    session = running.session(listen=True)
    session.tool("echo", text="x")
    session.tool("stderr", text="line")
    session.tool("garbage", kind="text")
    session.tool("crash", status=1)
    running.event("upstream.ready", count=2)
    session.post(b"{")
    session.delete()
    running.event("stream.closed")
    # The page is of a moment before its own request and connection are.
    own = {"http.answered", "connection.closed"}

    def told():
        counts = Counter(event["event"] for event in running.events)
        return {kind: count for kind, count in counts.items() if kind not in own}

    def counts():
        page = scrape(running.http)
        found = {dict(s.labels)["event"]: s.value for s in page.find("mcp_proxy_events_total") if s.value}
        return {kind: count for kind, count in found.items() if kind not in own}

    eventually(lambda: told() == counts(), what=f"{json.dumps(told())} like {json.dumps(counts())}")
