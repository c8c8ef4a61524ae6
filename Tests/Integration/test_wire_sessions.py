# SPDX-License-Identifier: Apache-2.0
"""Sessions on the wire: how they begin, what names them, and how they end."""

import time

import pytest

from mcp_http import REVISIONS, LegacySession, initialize, refused, request, text, tool


@pytest.fixture
def running(proxy):
    return proxy()


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_is_negotiated(running, revision):
    session = running.session(revision)
    assert session.revision == revision
    assert text(session.tool("echo", text="x")) == "x"


@pytest.mark.parametrize(
    "asked, given", [(None, "2025-03-26"), ("2026-07-28", "2025-11-25"), ("1999-01-01", "2025-11-25")]
)
def test_other_versions(running, asked, given):
    response = running.http.post(initialize(asked))
    assert response.json["result"]["protocolVersion"] == given


def test_the_older_of_client_and_child_counts(proxy):
    running = proxy(fixture=("--revision", "2025-03-26"))
    assert running.session("2025-11-25").revision == "2025-03-26"
    assert running.session("2024-11-05").revision == "2024-11-05"


def test_session_ids_are_long_visible_and_different(running):
    ids = {running.session().id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(id) >= 22 and all(0x21 <= ord(c) <= 0x7E for c in id) for id in ids)


def test_what_initialize_says_of_the_server(running):
    answer = running.session().initialized
    assert answer["serverInfo"]["name"] == "fixture-server"
    assert answer["instructions"].startswith("Does what it is told")
    assert answer["capabilities"]["resources"]["subscribe"] is True


def test_missing_session(running):
    refused(running.http.post(request("tools/list")), 400, "missing_session")
    assert running.http.get("/mcp", {"Accept": "text/event-stream"}).status == 400
    assert running.http.request("DELETE", "/mcp").status == 400


@pytest.mark.parametrize("id", ["0" * 32, "nonsense", "x" * 500])
def test_unknown_session(running, id):
    headers = {"Mcp-Session-Id": id}
    refused(running.http.post(request("tools/list"), headers), 404, "unknown_session", -32001)
    assert running.http.get("/mcp", {**headers, "Accept": "text/event-stream"}).status == 404
    assert running.http.request("DELETE", "/mcp", None, headers).status == 404


def test_delete_twice(running):
    session = running.session()
    assert session.delete().status == 200
    assert session.delete().status == 404
    refused(session.post(request("ping")), 404, "unknown_session", -32001)
    running.event("session.closed", reason="client_delete")


def test_delete_ends_the_streams_of_the_session(running):
    session, other = running.session(listen=True), running.session(listen=True)
    session.delete()
    assert session.stream.ended.wait(5)
    assert not other.stream.ended.wait(0.2)


def test_delete_ends_a_call(running):
    session = running.session()
    call = session.start_tool("sleep", ms=60_000)
    running.session()  # a round trip, so that the call has arrived
    session.delete()
    assert call.answer(5)["error"]["code"] == -32800


@pytest.mark.parametrize("version", ["1999-01-01", "nonsense"])
def test_wrong_version_header(running, version):
    session = running.session()
    response = session.post(request("ping"), {"MCP-Protocol-Version": version})
    assert response.status == 400
    assert response.error["code"] == -32600


@pytest.mark.parametrize("version", ["2025-03-26", "2025-11-25", None])
def test_accepted_version_headers(running, version):
    assert running.session("2025-11-25").post(request("ping"), {"MCP-Protocol-Version": version}).status == 200


def test_second_initialize(running):
    session = running.session()
    response = session.post(initialize(id=99))
    refused(response, 400, "already_initialized")
    assert response.json["id"] == 99


def test_more_sessions_than_allowed(proxy):
    running = proxy("--max-sessions", "2")
    first, _ = running.session(), running.session()
    response = running.http.post(initialize())
    refused(response, 503, "session_limit", -32000)
    assert int(response.headers["Retry-After"]) >= 1
    first.delete()
    assert running.session().tool("echo", text="room again")["result"]


def test_idle_sessions_end(proxy):
    running = proxy("--session-idle-timeout", "300ms")
    session = running.session()
    running.event("session.expired", reason="idle_timeout")
    assert session.post(request("ping")).status == 404


def test_a_session_with_a_call_or_a_stream_is_not_idle(proxy):
    running = proxy("--session-idle-timeout", "300ms")
    calling, listening = running.session(), running.session(listen=True)
    assert text(calling.tool("sleep", ms=1000)) == "slept 1000 ms"
    assert listening.post(request("ping")).status == 200


def test_stateless(proxy):
    running = proxy("--stateless")
    response = running.http.post(initialize())
    assert response.status == 200
    assert "Mcp-Session-Id" not in response.headers
    assert running.http.post(tool("echo", text="no session")).json["result"]["content"][0]["text"] == "no session"
    assert running.http.get("/mcp", {"Accept": "text/event-stream"}).status == 405


def test_ping_is_answered_by_the_proxy(proxy):
    running = proxy("--request-timeout", "60s")
    session = running.session()
    session.start_tool("hang")
    started = time.monotonic()
    assert session.request("ping")["result"] == {}
    assert time.monotonic() - started < 1


def test_a_call_before_initialized_is_no_harm(running):
    """Some clients send their first request before the notification is accepted."""
    id = running.http.post(initialize()).headers["Mcp-Session-Id"]
    response = running.http.post(tool("echo", text="early"), {"Mcp-Session-Id": id})
    assert response.json["result"]["content"][0]["text"] == "early"


@pytest.mark.parametrize("served, missing", [("sse", "/mcp"), ("stream", "/sse")])
def test_one_transport_only(proxy, served, missing):
    running = proxy("--server", served)
    assert running.http.get(missing, {"Accept": "text/event-stream"}).status == 404
    if served == "sse":
        assert text(running.sse_session().tool("echo", text="x")) == "x"
    else:
        assert text(running.session().tool("echo", text="x")) == "x"


def test_other_endpoints(proxy):
    running = proxy("--stream-endpoint", "/a/mcp", "--sse-endpoint", "/b/events")
    running.http.path = "/a/mcp"
    assert text(running.session().tool("echo", text="x")) == "x"
    assert running.http.get("/mcp", {"Accept": "text/event-stream"}).status == 404
    session = LegacySession(running.http, path="/b/events")
    assert session.endpoint.startswith("/b/events/messages?")
    assert text(session.tool("echo", text="x")) == "x"
