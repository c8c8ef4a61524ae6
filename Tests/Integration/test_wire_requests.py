# SPDX-License-Identifier: Apache-2.0
"""HTTP requests that are wrong: each gets its status, a body that says why, and hurts nobody else."""

import json
import socket
import time

import pytest

from mcp_http import ACCEPT, initialize, notification, refused, request, tool

# What a client without sessions says of itself in every request.
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
}


def raw(port, data, seconds=15.0):
    """Sends bytes and returns all that comes back until the proxy closes, or b"" when it closes without a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire:
        try:
            wire.sendall(data)
        except OSError:
            pass  # refused while still being sent: the answer may be there nevertheless
        received = b""
        try:
            while chunk := wire.recv(65536):
                received += chunk
        except OSError:
            pass
        return received


def status(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split()[1])


@pytest.fixture
def running(proxy):
    return proxy()


@pytest.fixture
def session(running):
    return running.session()


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"nonsense", b'{"jsonrpc":"2.0","id":1,"method":"ping"', b'{"a":1}{"b":2}', b"\xff\xfe", b'"\xc3\x28"'],
)
def test_bad_json(session, body):
    response = session.post(body)
    refused(response, 400, "parse_error", -32700)
    assert response.json["id"] is None


@pytest.mark.parametrize(
    "body",
    [
        "1",
        '"text"',
        "null",
        "{}",
        '{"id":1,"method":"ping"}',
        '{"jsonrpc":"1.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":null,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        '{"jsonrpc":"2.0","id":[1],"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":7}',
        '{"jsonrpc":"2.0","id":1}',
    ],
)
def test_json_that_is_no_message(session, body):
    refused(session.post(body), 400, "invalid_request")


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
def test_batch_where_none_is_allowed(running, revision):
    session = running.session(revision)
    refused(session.post([request("ping")]), 400, "batch_not_allowed")


def test_batch_from_a_client_of_2025_03_26(running):
    session = running.session("2025-03-26")
    batch = [tool("echo", 1, text="one"), notification("notifications/x"), tool("echo", "two", text="two")]
    response = session.post(batch, {"Accept": "application/json"})
    assert response.status == 200
    answers = response.json if "json" in response.headers["Content-Type"] else [e.message for e in response.events]
    texts = {json.dumps(answer["id"]): answer["result"]["content"][0]["text"] for answer in answers}
    assert texts == {"1": "one", '"two"': "two"}


def test_batch_of_notifications_is_accepted(running):
    session = running.session("2025-03-26")
    assert session.post([notification("notifications/x"), notification("notifications/y")]).status == 202


def test_batch_with_an_id_twice(running):
    session = running.session("2025-03-26")
    response = session.post([tool("echo", 1, text="a"), tool("echo", 1, text="b")], {"Accept": "application/json"})
    answers = response.json if isinstance(response.json, list) else [response.json]
    assert -32600 in [answer.get("error", {}).get("code") for answer in answers]


def test_initialize_inside_a_batch(running):
    assert running.http.post([initialize("2025-03-26")]).status == 400
    assert running.session("2025-03-26").post([initialize("2025-03-26")]).status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", None])
def test_wrong_content_type(session, content_type):
    refused(session.post(request("ping"), {"Content-Type": content_type}), 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_accepted_content_types(session, content_type):
    assert session.post(request("ping"), {"Content-Type": content_type}).status == 200


@pytest.mark.parametrize("accept", ["text/html", "image/*"])
def test_wrong_accept(session, accept):
    refused(session.post(request("ping"), {"Accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/json", ACCEPT, "application/*, text/event-stream;q=0.5", None])
def test_accepted_accepts(session, accept):
    assert session.post(request("ping"), {"Accept": accept}).status == 200


def test_get_that_does_not_accept_a_stream(session):
    headers = {"Mcp-Session-Id": session.id, "Accept": "application/json"}
    assert session.http.get("/mcp", headers).status == 406


def test_oversize_body(proxy):
    running = proxy("--max-body-size", "10000")
    session = running.session()
    refused(session.post(tool("echo", text="x" * 20000)), 413, "body_too_large")
    assert session.tool("echo", text="x" * 5000)["result"]
    running.event("request.rejected", reason="body_too_large")


def test_oversize_body_in_chunks(proxy):
    running = proxy("--max-body-size", "10000")
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(8))
    assert status(raw(running.port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)) == 413


def test_slow_body(proxy):
    running = proxy("--read-timeout", "500")
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    started = time.monotonic()
    assert status(raw(running.port, head)) == 408
    assert 0.3 < time.monotonic() - started < 5


def test_slow_head(proxy):
    running = proxy("--read-timeout", "500")
    started = time.monotonic()
    answer = raw(running.port, b"POST /mcp HTTP/1.1\r\nHost: lo")
    assert answer == b"" or status(answer) == 408
    assert 0.3 < time.monotonic() - started < 5


def test_header_flood(running):
    flood = b"".join(b"X-Flood-%d: %s\r\n" % (n, b"x" * 1000) for n in range(200))
    assert status(raw(running.port, b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n" + flood + b"\r\n")) == 431


def test_one_endless_header(running):
    assert status(raw(running.port, b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000)) == 431


@pytest.mark.parametrize(
    "line",
    [
        b"GET mcp HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"GET  HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET /mcp",
        b"GET /mcp HTTP/9.9",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE",
    ],
)
def test_malformed_request_line(running, line):
    assert status(raw(running.port, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")) in (400, 404, 405)
    assert running.session().tool("echo", text="alive")["result"]


def test_two_lengths(running):
    """A request that a proxy in front may read differently is refused (request smuggling)."""
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert status(raw(running.port, head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")) == 400
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status(raw(running.port, head + both)) == 400


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD"])
def test_unknown_method(running, method):
    response = running.http.request(method, "/mcp")
    assert response.status == 405
    allowed = {name.strip() for name in response.headers["Allow"].split(",")}
    assert {"GET", "POST", "DELETE"} <= allowed


@pytest.mark.parametrize("path", ["/", "/mcp/x", "/MCP", "/metricsx", "/favicon.ico", "/mcp/../x"])
def test_unknown_path(running, path):
    assert running.http.get(path).status == 404
    assert running.http.post(request("ping"), path=path).status == 404


def test_a_query_does_not_change_the_path(session):
    assert session.http.request("POST", "/mcp?x=1", request("ping"), session.headers).status == 200


def test_several_requests_on_one_connection(running, session):
    """Keep-alive, and a refusal in between that leaves the connection usable."""
    good = json.dumps(request("ping")).encode()

    def post(body, extra=b""):
        head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\n"
        head += b"Mcp-Session-Id: %s\r\nContent-Length: %d\r\n" % (session.id.encode(), len(body))
        return head + extra + b"\r\n" + body

    answer = raw(running.port, post(good) + post(b"{") + post(good, b"Connection: close\r\n"))
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"HTTP/1.1 400") == 1
    assert answer.index(b"HTTP/1.1 400") > answer.index(b"HTTP/1.1 200")


def test_expect_100_continue(running, session):
    body = json.dumps(request("ping")).encode()
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    head += b"Mcp-Session-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (session.id.encode(), len(body))
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as wire:
        wire.sendall(head)
        time.sleep(0.05)
        wire.sendall(body)
        answer = b""
        while chunk := wire.recv(65536):
            answer += chunk
    assert b"HTTP/1.1 200" in answer


def test_a_client_without_sessions_is_sent_back_to_initialize(proxy):
    """With a child per session its probe fails fast, with a code it takes as "speak the older protocol"."""
    running = proxy("--isolation", "session")
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
    started = time.monotonic()
    response = running.http.post(request("server/discover", {"_meta": META}, "probe-1"), headers)
    assert time.monotonic() - started < 1
    assert response.status == 400
    assert response.error["code"] == -32600
    assert response.json["id"] == "probe-1"
    assert "Mcp-Session-Id" not in response.headers


def test_a_probe_while_the_child_is_starting(proxy):
    running = proxy(fixture=("--slow-start", "3000"), ready=False)
    started = time.monotonic()
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
    response = running.http.post(request("server/discover", {"_meta": META}, 1), headers)
    assert response.json["result"]["supportedVersions"] == ["2026-07-28"]
    assert time.monotonic() - started > 1, "it waits for the server"
