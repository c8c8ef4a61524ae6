# SPDX-License-Identifier: Apache-2.0
"""Event streams on the wire: priming, resumption, and clients that are gone."""

import socket
import time

import pytest

from mcp_http import request, text, tool
from processes import descriptors, eventually
from proxy_process import FINISHED


@pytest.fixture
def running(proxy):
    return proxy()


def event_id(call, progress):
    """Waits for a progress notification and returns the id of its event."""
    call.message(where=lambda m: m.get("params", {}).get("progress") == progress)
    return next(e.id for e in call.events if e.message and e.message.get("params", {}).get("progress") == progress)


def test_headers_of_a_stream(running):
    stream = running.session(listen=True).stream
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert "no-cache" in stream.headers["Cache-Control"]
    assert stream.headers["X-Accel-Buffering"] == "no"


def test_priming_event_for_2025_11_25(running):
    stream = running.session("2025-11-25", listen=True).stream
    first = stream.event()
    assert first.id and not first.data
    assert first.retry is not None and first.retry > 0


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18"])
def test_no_priming_event_before(running, revision):
    """Older SDKs take an event without data for a broken message."""
    session = running.session(revision, listen=True)
    session.tool("list_change", kind="tool")
    first = session.stream.event()
    assert first.message["method"] == "notifications/tools/list_changed"


def test_priming_event_of_a_post(running):
    session = running.session()
    call = session.start_tool("progress", progress_token=1, steps=1)
    call.answer()
    assert call.events[0].id and not call.events[0].data
    assert all(event.id for event in call.events)


def test_event_ids_are_unique_in_the_session(running):
    session = running.session()
    ids = []
    for _ in range(3):
        call = session.start_tool("progress", progress_token=1, steps=3)
        call.answer()
        ids += [event.id for event in call.events]
    assert len(ids) == len(set(ids)) == 15


def test_the_answer_comes_last_and_the_stream_ends(running):
    call = running.session().start_tool("progress", progress_token=1, steps=2)
    call.answer()
    assert call.drained(5) is not None
    assert "result" in call.events[-1].message


def test_resumption_of_a_call(running):
    """The connection breaks in the middle of a call; a GET with the last id gives the rest, answer included."""
    session = running.session()
    call = session.start_tool("progress", progress_token=1, steps=10, ms=100)
    last = event_id(call, 2)
    call.drop()
    rest = session.listen(last).rest(15)
    assert [m["params"]["progress"] for m in rest if "method" in m] == list(range(3, 11))
    assert text(rest[-1]) == "done 10 steps"


def test_resumption_after_the_answer(running):
    """What was sent into a dead connection is not lost."""
    session = running.session()
    call = session.start_tool("progress", progress_token=1, steps=3, ms=50)
    last = event_id(call, 1)
    call.drop()
    running.event(FINISHED, method="tools/call")
    rest = session.listen(last).rest(10)
    assert [m["params"]["progress"] for m in rest if "method" in m] == [2, 3]
    assert text(rest[-1]) == "done 3 steps"


def test_resumption_of_the_get_stream(running):
    session = running.session(listen=True)
    session.tool("list_change", kind="tool")
    session.stream.method("notifications/tools/list_changed")
    last = session.stream.last_id
    session.stream.close()
    session.tool("list_change", kind="prompt")
    again = session.listen(last)
    assert again.method("notifications/prompts/list_changed")
    running.event("stream.resumed")


def test_resumption_gives_only_that_stream(running):
    session = running.session(listen=True)
    session.stream.event()
    call = session.start_tool("progress", progress_token=1, steps=5, ms=50)
    last = event_id(call, 1)
    call.drop()
    session.tool("list_change", kind="tool")
    rest = session.listen(last).rest(10)
    assert {m.get("method", "answer") for m in rest} == {"notifications/progress", "answer"}


def test_last_event_id_of_another_session(running):
    mine, other = running.session(listen=True), running.session(listen=True)
    other.tool("list_change", kind="tool")
    other.stream.method("notifications/tools/list_changed")
    headers = {**mine.headers, "Accept": "text/event-stream", "Last-Event-ID": other.stream.last_id}
    response = running.http.get("/mcp", headers)
    assert response.status == 400
    assert response.error["data"]["reason"] == "unknown_event_id"


@pytest.mark.parametrize("id", ["nonsense", "0", "999999999-1", "\u00e4"])
def test_last_event_id_never_given(running, id):
    session = running.session()
    headers = {**session.headers, "Accept": "text/event-stream", "Last-Event-ID": id}
    assert running.http.get("/mcp", headers).status == 400


def test_no_event_store(proxy):
    running = proxy("--no-event-store")
    call = running.session().start_tool("progress", progress_token=1, steps=2)
    call.answer()
    assert [event.id for event in call.events] == [None] * 3


def test_the_store_is_bounded(proxy):
    """Of a stream that outgrew the store, what is left is replayed, or the resumption is refused: never a hole."""
    running = proxy("--event-store-max-events", "5")
    session = running.session()
    call = session.start_tool("progress", progress_token=1, steps=50, ms=10)
    last = event_id(call, 1)
    call.drop()
    running.event(FINISHED, method="tools/call")
    headers = {**session.headers, "Accept": "text/event-stream", "Last-Event-ID": last}
    response = running.http.get("/mcp", headers)
    if response.status == 200:
        seen = [e.message["params"]["progress"] for e in response.events if e.message and "method" in e.message]
        assert seen == [] or seen == list(range(seen[0], 51))
        assert "result" in response.events[-1].message
    else:
        assert response.status == 400


def test_second_get_stream_takes_over(running):
    session = running.session(listen=True)
    second = session.listen()
    assert session.stream.ended.wait(5)
    session.tool("list_change", kind="tool")
    assert second.method("notifications/tools/list_changed")
    running.event("stream.closed", stream_kind="get", end="replaced")


def test_notifications_wait_for_the_first_get_stream(running):
    """Between initialize and the GET of a client there is a moment in which the list may change."""
    session = running.session()
    session.tool("list_change", kind="tool")
    assert session.listen().method("notifications/tools/list_changed")


def test_keep_alive_comments(proxy):
    running = proxy("--keep-alive-interval", "100")
    session, legacy = running.session(listen=True), running.sse_session()
    eventually(lambda: session.stream.comments >= 3, what="comments on the GET stream")
    eventually(lambda: legacy.stream.comments >= 3, what="comments on the SSE stream")
    call = session.start_tool("progress", progress_token=1, steps=1, ms=1000)
    assert text(call.answer()) == "done 1 steps"


def test_a_client_that_is_gone_does_not_cancel(running):
    """Disconnecting is not cancelling before 2026-07-28: the call runs on, its answer is dropped and counted."""
    session = running.session()
    call = session.start_tool("sleep", ms=500)
    call.drop()
    running.event("upstream.answer_dropped")
    assert text(session.tool("echo", text="alive")) == "alive"


def test_many_clients_gone_in_mid_stream(running):
    session = running.session()
    calls = [session.start_tool("progress", progress_token=n, steps=50, ms=10) for n in range(20)]
    for call in calls:
        call.message()
        call.drop()
    assert text(session.tool("echo", text="alive")) == "alive"
    eventually(lambda: open_connections(running) <= 1, what="closed connections")


def open_connections(running):
    return sum(target.startswith("socket:") for target in descriptors(running.pid).values()) - 1


def test_half_open_connections(proxy):
    """Connections that never say anything cost a descriptor for a while, and nothing else."""
    running = proxy("--read-timeout", "1000")
    idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
    halves = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    started = time.monotonic()
    assert text(running.session().tool("echo", text="alive")) == "alive"
    assert time.monotonic() - started < 2
    eventually(lambda: open_connections(running) < 60, 15, "the end of half requests")
    for each in idle + halves:
        each.close()


def test_a_shut_down_sending_side(running):
    """A client may close its sending side and still wants the answer."""
    session = running.session()
    body = b'{"jsonrpc":"2.0","id":"half","method":"tools/call","params":{"name":"sleep","arguments":{"ms":300}}}'
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
    head += b"Mcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n" % (session.id.encode(), len(body))
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as wire:
        wire.sendall(head + body)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := wire.recv(65536):
            answer += chunk
    assert answer == b"" or b"slept 300 ms" in answer
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_slow_reader_stalls_nobody(running):
    """One client stops reading a stream of many megabytes; the others don't notice."""
    slow, other = running.session(), running.session()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"big","arguments":{"bytes":30000000}}}'
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\n"
    head += b"Mcp-Session-Id: %s\r\nContent-Length: %d\r\n\r\n" % (slow.id.encode(), len(body))
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as wire:
        wire.sendall(head + body)
        for _ in range(20):
            started = time.monotonic()
            assert text(other.tool("echo", text="quick")) == "quick"
            assert time.monotonic() - started < 3


def test_idle_connections_are_closed(proxy):
    running = proxy("--keep-alive-timeout", "300")
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        assert wire.recv(65536) == b""
        assert time.monotonic() - started < 5


def test_a_get_is_not_idle(proxy):
    running = proxy("--keep-alive-timeout", "300")
    stream = running.session(listen=True).stream
    assert not stream.ended.wait(1.5)


def test_a_long_call_becomes_a_stream(proxy):
    """A proxy in between cuts silent connections, so a call that takes long gets one that is not silent."""
    running = proxy("--stream-after", "300")
    session = running.session()
    call = session.start(tool("sleep", 1, ms=1000))
    assert text(call.answer()) == "slept 1000 ms"
    assert call.content_type.startswith("text/event-stream")
    assert session.post(request("ping")).headers["Content-Type"].startswith("application/json")
