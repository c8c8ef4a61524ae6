# SPDX-License-Identifier: Apache-2.0
"""Host and Origin: what a web page may do, and what an existing reverse proxy needs."""

import pytest

from mcp_http import initialize, text, tool


@pytest.fixture
def running(proxy):
    return proxy()


LOOPBACK = ["127.0.0.1", "127.0.0.1:9999", "localhost", "localhost:3000", "[::1]", "[::1]:80", "LOCALHOST"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_hosts(running, host):
    assert running.http.post(initialize(), {"Host": host}).status == 200
    running.event("request.completed", method="initialize")
    assert running.found("security.unknown_host") == []


def test_an_unknown_host_passes_and_is_warned_about_once(running):
    for _ in range(3):
        assert running.http.post(initialize(), {"Host": "mcp.example.com"}).status == 200
    running.event("security.unknown_host", count=3, host="mcp.example.com")
    warning = running.found("security.unknown_host", level="warn")
    assert len(warning) == 1, "it is said once"
    assert "--allow-host mcp.example.com" in str(warning[0])


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80"]
)
def test_dns_rebinding(running, host):
    """A page whose name was made to point here sends its own name as Host and Origin."""
    response = running.http.post(initialize(), {"Host": host, "Origin": f"http://{host}"})
    assert response.status == 403
    assert response.error["data"]["reason"] in ("host_refused", "origin_refused")
    running.event(("security.host_rejected", "security.origin_rejected"))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "nonsense"])
@pytest.mark.parametrize("path", ["/mcp", "/sse"])
def test_a_foreign_origin(running, origin, path):
    headers = {"Origin": origin, "Accept": "text/event-stream"}
    response = running.http.get(path, headers)
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:6274", "https://localhost"])
def test_local_origins(running, origin):
    response = running.http.post(initialize(), {"Origin": origin})
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == origin


def test_strict_host(proxy):
    running = proxy("--strict-host", "--allow-host", "mcp.example.com")
    assert running.http.post(initialize(), {"Host": "other.example.com"}).status == 403
    assert running.http.post(initialize(), {"Host": "mcp.example.com"}).status == 200
    assert running.http.post(initialize(), {"Host": "localhost"}).status == 200


def test_allowed_host_is_not_warned_about(proxy):
    running = proxy("--allow-host", "mcp.example.com")
    assert running.http.post(initialize(), {"Host": "mcp.example.com"}).status == 200
    running.event("request.completed", method="initialize")
    assert running.found("security.unknown_host") == []


def test_allowed_origin(proxy):
    running = proxy("--allow-origin", "https://app.example.com")
    response = running.http.post(initialize(), {"Origin": "https://app.example.com"})
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Mcp-Session-Id".lower() in response.headers["Access-Control-Expose-Headers"].lower()
    assert "Origin" in response.headers["Vary"]
    assert running.http.post(initialize(), {"Origin": "https://app.example.com.evil.example"}).status == 403
    assert running.http.post(initialize(), {"Origin": "http://app.example.com"}).status == 403


def preflight(running, origin):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, mcp-session-id, mcp-protocol-version, last-event-id",
    }
    return running.http.request("OPTIONS", "/mcp", None, headers)


def test_preflight(proxy):
    running = proxy("--allow-origin", "https://app.example.com")
    response = preflight(running, "https://app.example.com")
    assert response.status in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert {"GET", "POST", "DELETE"} <= {m.strip() for m in response.headers["Access-Control-Allow-Methods"].split(",")}
    allowed = response.headers["Access-Control-Allow-Headers"].lower()
    for name in ("content-type", "mcp-session-id", "mcp-protocol-version", "last-event-id"):
        assert name in allowed


def test_preflight_of_a_foreign_page(running):
    response = preflight(running, "https://evil.example")
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers


def test_any_origin_never_comes_with_credentials(proxy):
    running = proxy("--allow-origin", "*")
    for response in (
        preflight(running, "https://any.example"),
        running.http.post(initialize(), {"Origin": "https://any.example"}),
    ):
        assert response.status in (200, 204)
        allowed = response.headers["Access-Control-Allow-Origin"]
        assert allowed in ("*", "https://any.example")
        assert not (allowed == "*" and response.headers.get("Access-Control-Allow-Credentials"))


def test_no_cors_headers_without_an_origin(running):
    response = running.http.post(initialize())
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_refused_request_reaches_nobody(running):
    session = running.session()
    before = text(session.tool("counter"))
    headers = {"Origin": "https://evil.example", "Mcp-Session-Id": session.id}
    assert running.http.post(tool("counter"), headers).status == 403
    assert int(text(session.tool("counter"))) == int(before) + 1
