# SPDX-License-Identifier: Apache-2.0
"""HTTP+SSE, the transport of 2024-11-05, on the wire."""

import json

import pytest

from mcp_http import REVISIONS, refused, request, text, tool


@pytest.fixture
def running(proxy):
    return proxy()


def test_the_endpoint_event_comes_first(running):
    session = running.sse_session()
    path, _, query = session.endpoint.partition("?")
    assert path == "/sse/messages"
    assert query.startswith(("sessionId=", "session_id="))
    assert len(query.partition("=")[2]) >= 22


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_over_sse(running, revision):
    session = running.sse_session(revision)
    assert session.initialized["protocolVersion"] == revision
    assert text(session.tool("echo", text="x")) == "x"


def test_events_are_named_message(running):
    session = running.sse_session()
    session.post(request("ping", id="p"))
    event = session.stream.event()
    assert event.name == "message"
    assert event.message == {"jsonrpc": "2.0", "id": "p", "result": {}}


def test_the_short_messages_path_works_too(running):
    session = running.sse_session()
    session.endpoint = session.endpoint.replace("/sse/messages", "/messages")
    assert text(session.tool("echo", text="x")) == "x"


def test_both_spellings_of_the_parameter(running):
    session = running.sse_session()
    id = session.endpoint.partition("=")[2]
    for name in ("sessionId", "session_id"):
        session.endpoint = f"/sse/messages?{name}={id}"
        assert text(session.tool("echo", text=name)) == name


def test_missing_and_unknown_session(running):
    refused(running.http.post(request("ping"), path="/sse/messages"), 400, "missing_session")
    response = running.http.post(request("ping"), path="/sse/messages?sessionId=nonsense")
    refused(response, 404, "unknown_session", -32001)


def test_a_session_of_one_transport_is_none_of_the_other(running):
    legacy, session = running.sse_session(), running.session()
    legacy_id = legacy.endpoint.partition("=")[2]
    assert running.http.post(request("ping"), {"Mcp-Session-Id": legacy_id}).status == 404
    assert running.http.post(request("ping"), path=f"/sse/messages?sessionId={session.id}").status == 404


def test_bad_messages(running):
    session = running.sse_session()
    assert session.post(b"{").status == 400
    assert session.post(request("ping"), {"Content-Type": "text/plain"}).status == 415
    assert text(session.tool("echo", text="alive")) == "alive"


def test_the_session_ends_with_its_stream(running):
    session = running.sse_session()
    session.stream.close()
    running.event("session.closed", reason="stream_closed")
    assert session.post(request("ping")).status == 404


def test_everything_comes_on_the_stream(running):
    session = running.sse_session(capabilities={"sampling": {}})
    session.post(tool("progress", "p", 7, steps=2, ms=10))
    progress = [session.stream.method("notifications/progress")["params"]["progress"] for _ in range(2)]
    assert progress == [1, 2]
    assert session.stream.message(where=lambda m: m.get("id") == "p")["result"]

    session.post(tool("sample", "s", prompt="q"))
    asked = session.stream.method("sampling/createMessage")
    content = {"type": "text", "text": "over sse"}
    session.answer(asked, {"role": "assistant", "model": "m", "content": content})
    assert text(session.stream.message(where=lambda m: m.get("id") == "s")) == "over sse"


def test_a_crash_is_reported_on_the_stream(running):
    session = running.sse_session()
    error = session.tool("crash", status=5)["error"]
    assert error["data"]["reason"] == "upstream_exited"
    assert error["data"]["exit_status"] == 5
    assert text(session.tool("echo", text="alive")) == "alive"


def test_other_methods(running):
    assert running.http.request("DELETE", "/sse").status == 405
    assert running.http.get("/sse/messages").status == 405
    # Clients that look for the newer transport POST here first, and fall back on this answer.
    assert running.http.post(request("initialize"), path="/sse").status in (404, 405)


def test_message_with_line_breaks(running):
    session = running.sse_session()
    session.post(json.dumps(tool("echo", "n", text="x"), indent=2))
    assert text(session.stream.message(where=lambda m: m.get("id") == "n")) == "x"
