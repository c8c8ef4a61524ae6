# SPDX-License-Identifier: Apache-2.0
"""Health: what is asked by whoever watches the proxy, and by nobody else."""

import http.client
import os
import socket
import stat

import pytest

from mcp_http import Http
from processes import eventually


def over_socket(path, target, method="GET"):
    """One request over a Unix socket; gives status and body."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(path))
    connection.request(method, target)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_healthy_and_ready(proxy):
    running = proxy()
    assert running.http.get("/healthz").status == 200
    response = running.ready()
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.json


def test_not_ready_while_the_child_starts(proxy):
    running = proxy(fixture=("--slow-start", "1500"), ready=False)
    assert running.http.get("/healthz").status == 200
    response = running.ready()
    assert response.status == 503
    assert response.json["status"] == "starting"
    assert response.json["reason"]
    running.wait_ready()


def test_not_ready_while_the_child_is_down(proxy, tmp_path):
    crash = tmp_path / "crash"
    running = proxy(fixture=("--crash-file", str(crash)))
    crash.touch()
    running.kill_child()
    running.exited(count=2)
    response = running.ready()
    assert response.status == 503
    assert response.json["status"] in ("restarting", "crash_loop")
    assert running.http.get("/healthz").status == 200
    crash.unlink()
    running.wait_ready()


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Server"],
)
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_not_for_those_who_come_through_a_reverse_proxy(proxy, header, path):
    value = {"Forwarded": "for=203.0.113.7", "Via": "1.1 nginx"}.get(header, "203.0.113.7")
    assert proxy().http.get(path, {header: value}).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_not_for_those_who_ask_for_another_host(proxy, path):
    assert proxy().http.get(path, {"Host": "mcp.example.com"}).status == 404


def test_a_listener_of_its_own(proxy):
    running = proxy("--admin-listen", "127.0.0.1:0", ready=False)
    address = running.event("proxy.started")["admin_listen"]
    admin = Http(int(address.rpartition(":")[2]))
    eventually(lambda: admin.get("/readyz").status == 200, what="readiness")
    assert admin.get("/healthz").status == 200
    assert admin.get("/mcp", {"Accept": "text/event-stream"}).status == 404
    assert running.http.get("/healthz").status == 404
    assert running.http.get("/readyz").status == 404


def test_a_unix_socket(proxy, tmp_path):
    path = tmp_path / "admin.sock"
    running = proxy("--admin-listen", f"unix:{path}", ready=False)
    eventually(lambda: over_socket(path, "/readyz")[0] == 200, what="readiness")
    assert over_socket(path, "/healthz")[0] == 200
    assert running.http.get("/healthz").status == 404
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o002 == 0, "everybody may connect"
    running.stop()
    assert not path.exists(), "the socket was left behind"


def test_a_unix_socket_left_behind_by_a_crash(proxy, tmp_path):
    path = tmp_path / "admin.sock"
    first = proxy("--admin-listen", f"unix:{path}", ready=False)
    eventually(lambda: over_socket(path, "/readyz")[0] == 200, what="readiness")
    first.discard()
    assert path.exists()
    proxy("--admin-listen", f"unix:{path}", ready=False)
    eventually(lambda: over_socket(path, "/readyz")[0] == 200, what="readiness of the second")


def test_an_endpoint_of_ones_own(proxy):
    running = proxy("--health-endpoint", "/ping")
    assert running.http.get("/ping").status == 200
    assert running.http.get("/ping", {"X-Forwarded-For": "203.0.113.7"}).status == 404


def test_methods(proxy):
    running = proxy()
    assert running.http.request("HEAD", "/healthz").status == 200
    response = running.http.request("POST", "/healthz", b"")
    assert response.status == 405
    assert "GET" in response.headers["Allow"]
