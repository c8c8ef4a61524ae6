# SPDX-License-Identifier: Apache-2.0
"""After a run whose outcome is known every counter is exact: what should move has moved, and nothing else.

`Counted.changes` has the series that moved as `name{value,value}`; the histograms and what the front door counts of
its own are left to tests of their own.
"""

import json
import socket
from collections import Counter

import pytest

from mcp_http import initialize, notification, request, text, tool
from processes import eventually
from scrape import OPENMETRICS, scrape

APART = (
    "connections_closed{",
    "event_loop_",
    "events{",
    "http_server_request_",
    "mcp_client_operation_",
    "mcp_server_operation_",
    "mcp_server_session_",
    "message_size_",
    "overhead_",
    "process_",
    "queue_wait_",
    "scrape",
    "stream_duration_",
    "upstream_start_duration_",
)


class Counted:
    """Takes a page when it is made, and says what was counted since."""

    def __init__(self, running):
        self.http = running.http
        self.before = scrape(self.http, OPENMETRICS)

    def all(self):
        return scrape(self.http, OPENMETRICS) - self.before

    def changes(self):
        return {series: count for series, count in self.all().items() if not series.startswith(APART)}

    def becomes(self, expected):
        """Waits for what happens by itself, then asserts that nothing else did."""
        eventually(lambda: expected.items() <= self.changes().items(), what=f"{expected} in {self.changes()}")
        assert self.changes() == expected


def asked(method, outcome, count=1, answer="response"):
    """What requests that are answered with a message count; what answers with an error counts an error."""
    return Counter(
        {
            f"requests{{{method},{outcome}}}": count,
            "messages{from_client,request}": count,
            f"messages{{from_server,{answer}}}": count,
        }
    )


def failed(method, outcome, count=1):
    return asked(method, outcome, count, "error")


def and_also(**counts):
    """Counters without labels."""
    return Counter(counts)


def consistent(page):
    """What must hold between series, whatever happened."""

    def by(metric, *names):
        sums = Counter()
        for sample in page.find(metric):
            labels = dict(sample.labels)
            if sample.value:
                sums[tuple(labels.get(name, "") for name in names)] += sample.value
        return sums

    server, client = "mcp_server_operation_duration_seconds", "mcp_client_operation_duration_seconds"
    requests = by("mcp_proxy_requests_total", "mcp_method_name")
    assert by(f"{server}_count", "mcp_method_name") == requests
    assert not by(f"{client}_count", "mcp_method_name") - requests
    errors = {"ok": "", "client_error": "-32", "server_error": "-32"}
    outcomes = Counter()
    for (error,), count in by(f"{server}_count", "error_type").items():
        outcomes["error" if error.startswith("-32") or error == "_OTHER" else error or "ok"] += count
    expected = Counter()
    for (outcome,), count in by("mcp_proxy_requests_total", "outcome").items():
        expected["error" if outcome in errors and outcome != "ok" else outcome] += count
    assert outcomes == expected
    answered = page.total(f"{client}_count")
    assert page.value("mcp_proxy_overhead_seconds_count") == answered
    assert page.value("mcp_proxy_queue_wait_seconds_count") >= answered
    for direction in ("from_client", "from_server"):
        messages = page.total("mcp_proxy_messages_total", direction=direction)
        assert page.value("mcp_proxy_message_size_bytes_count", direction=direction) == messages
    # All of a request's time is the queue's, the server's or the proxy's.
    whole, theirs = page.total(f"{server}_sum"), page.total(f"{client}_sum")
    assert whole >= theirs
    assert page.total("mcp_proxy_streams_opened_total") >= page.total("mcp_proxy_streams_closed_total")
    assert page.total("mcp_proxy_stream_duration_seconds_count") == page.total("mcp_proxy_streams_closed_total")
    assert page.value("mcp_server_session_duration_seconds_count") == page.total("mcp_proxy_sessions_closed_total")
    return page


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
    running.event("upstream.probed", count=2)
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


# The server.


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [({"status": 3}, "exit", 3), ({"status": 0}, "exit", 0), ({"signal": 9}, "signal", 137), ({"signal": 11}, "signal", 139)],
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
    eventually(lambda: counted.changes().get("server_requests{sampling/createMessage,session_ended}") == 1, what="the end")
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
