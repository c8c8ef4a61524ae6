# SPDX-License-Identifier: Apache-2.0
"""Sockets that systemd opened for the proxy (sd_listen_fds(3)): `mcp` for clients, `admin` for metrics and health."""

import os
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcp_http import initialize, text
from processes import descriptors
from proxy_process import FIXTURE
from service_process import activation, launch, service  # pylint: disable=unused-import

ANY_PORT = ("--port", "0", "--", FIXTURE)


@pytest.fixture
def sockets(tmp_path):
    """Opens listening sockets: `sockets("tcp", "unix")`; they live until the end of the test."""
    with ExitStack() as stack:

        def listen(*kinds):
            return [stack.enter_context(listener(kind, tmp_path / f"{kind}.sock")) for kind in kinds]

        yield listen


def listener(kind, path):
    if kind == "tcp":
        return socket.create_server(("127.0.0.1", 0))
    if kind == "tcp6":
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    opened.listen(16)
    return opened


def client(opened):
    """A connection to a listening socket."""
    connection = socket.socket(opened.family)
    connection.settimeout(10)
    connection.connect(opened.getsockname())
    return connection


def answer(connection, target="/mcp", body=b""):
    """Sends one request, and returns a function that reads its answer to the end."""
    method = "POST" if body else "GET"
    connection.sendall(
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )

    def read():
        received = b""
        while part := connection.recv(65536):
            received += part
        return received

    return read


INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"test","version":"1"}}}'
)


@pytest.mark.parametrize("kinds", [("tcp", "unix"), ("unix", "tcp"), ("tcp6", "tcp")])
def test_each_socket_has_its_service(service, sockets, kinds):
    opened = sockets(*kinds)
    running = service(*ANY_PORT, env=activation("mcp", "admin"), sockets=opened)
    names = [str(each.getsockname() if kind == "unix" else each.getsockname()[1]) for kind, each in zip(kinds, opened)]
    started = running.event("proxy.started")
    assert started["listen"].endswith(names[0]) and started["admin_listen"].endswith(names[1])
    assert answer(client(opened[0]), body=INITIALIZE)().startswith(b"HTTP/1.1 200 ")
    for path in ("/metrics", "/healthz", "/readyz"):
        assert answer(client(opened[0]), path)().startswith(b"HTTP/1.1 404 "), path
    assert answer(client(opened[1]), body=INITIALIZE)().startswith(b"HTTP/1.1 404 ")
    assert answer(client(opened[1]), "/healthz")().startswith(b"HTTP/1.1 200 ")
    assert b"\nmcp_proxy_build_info{" in answer(client(opened[1]), "/metrics")()


def test_a_whole_session(service, sockets):
    running = service(*ANY_PORT, env=activation("mcp", "admin"), sockets=sockets("unix", "tcp"))
    session = running.session(listen=True)
    assert text(session.tool("echo", text="x")) == "x"
    assert text(session.tool("progress", steps=2))
    assert "mcp_proxy_sessions_limit" in running.admin.get("/metrics").body.decode()


def test_by_name_not_by_order(service, sockets):
    opened = sockets("unix", "tcp")
    running = service(*ANY_PORT, env=activation("admin", "mcp"), sockets=opened)
    assert running.http.port == opened[1].getsockname()[1]
    assert running.admin.get("/healthz").status == 200


def test_one_socket(service, sockets):
    """Without a second one, the loopback port serves metrics and health too, as always."""
    (opened,) = sockets("tcp")
    running = service(*ANY_PORT, env=activation("mcp"), sockets=[opened])
    assert running.http.port == opened.getsockname()[1]
    assert running.http.get("/metrics").status == 200


def test_connections_made_before_the_start(service, sockets):
    main, admin = sockets("tcp", "unix")
    asked = answer(client(main), body=INITIALIZE)
    watched = answer(client(admin), "/healthz")
    silent = client(main)
    service(*ANY_PORT, env=activation("mcp", "admin"), sockets=[main, admin])
    assert asked().startswith(b"HTTP/1.1 200 ")
    assert watched().startswith(b"HTTP/1.1 200 ")
    assert answer(silent, body=INITIALIZE)().startswith(b"HTTP/1.1 200 ")


def test_a_restart_refuses_nobody(service, sockets):
    """The sockets stay open between two runs, and so do their files."""
    opened = sockets("unix", "tcp")
    path = Path(opened[0].getsockname())
    running = service(*ANY_PORT, env=activation("mcp", "admin"), sockets=opened)
    assert text(running.session().tool("echo", text="x")) == "x"
    running.stop()
    assert path.is_socket()
    waiting = answer(client(opened[0]), body=INITIALIZE)
    service(*ANY_PORT, env=activation("mcp", "admin"), sockets=opened)
    assert waiting().startswith(b"HTTP/1.1 200 ")


def test_children_do_not_get_them(service, sockets):
    opened = sockets("tcp", "unix")
    running = service(*ANY_PORT, env=activation("mcp", "admin"), sockets=opened)
    running.event("upstream.ready")
    inodes = {f"socket:[{os.fstat(each.fileno()).st_ino}]" for each in opened}
    assert inodes <= set(descriptors(running.pid).values()), "the test looks for the right thing"
    assert inodes.isdisjoint(descriptors(running.child_pid).values())


def test_they_outlive_a_reload(service, sockets, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("max-sessions: 5\n", encoding="utf-8")
    opened = sockets("tcp", "unix")
    running = service("--config", config, *ANY_PORT, env=activation("mcp", "admin"), sockets=opened)
    running.event("upstream.ready")
    config.write_text("max-sessions: 6\n", encoding="utf-8")
    running.signal(signal.SIGHUP)
    running.event("config.reloaded", changed="max-sessions")
    assert text(running.session().tool("echo", text="x")) == "x"
    assert "mcp_proxy_sessions_limit 6\n" in running.admin.get("/metrics").body.decode()
    assert running.http.get("/metrics").status == 404


@pytest.mark.parametrize("pid", ["1", None])
def test_sockets_of_another_process_are_ignored(service, sockets, pid):
    opened = sockets("tcp", "unix")
    running = service(*ANY_PORT, env=activation("mcp", "nonsense", LISTEN_PID=pid), sockets=opened)
    assert running.http.port != opened[0].getsockname()[1]
    assert running.admin is None
    assert running.http.post(initialize()).status == 200


# What is wrong is said in one line, and nothing starts.


def refusal(sockets, env):
    with launch(("--log-format", "json", *ANY_PORT), env, sockets, text=True) as process:
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"it runs, with {env}: {process.communicate()[1]}")
    assert process.returncode == 78, (process.returncode, err)
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.parametrize(
    "names, said",
    [
        (("mcp", "metrics"), "'metrics'"),
        (("mcp", "mcp"), "'mcp'"),
        (("admin", "admin"), "'admin'"),
        (("mcp", ""), "''"),
        (("MCP", "admin"), "'MCP'"),
    ],
)
def test_a_wrong_name(sockets, names, said):
    line = refusal(sockets("tcp", "unix"), activation(*names))
    assert said in line and "FileDescriptorName=" in line


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"LISTEN_FDNAMES": "mcp"}, "LISTEN_FDNAMES"),
        ({"LISTEN_FDNAMES": "mcp:admin:mcp"}, "LISTEN_FDNAMES"),
        ({"LISTEN_FDNAMES": None}, "unknown"),
        ({"LISTEN_FDS": "two"}, 'LISTEN_FDS is "two"'),
        ({"LISTEN_FDS": "-1"}, 'LISTEN_FDS is "-1"'),
        ({"LISTEN_FDS": ""}, 'LISTEN_FDS is ""'),
        ({"LISTEN_FDS": "99999999999"}, "LISTEN_FDS"),
        ({"LISTEN_PID": "me"}, 'LISTEN_PID is "me"'),
        ({"LISTEN_PID": "0"}, 'LISTEN_PID is "0"'),
    ],
)
def test_a_malformed_variable(sockets, changed, said):
    assert said in refusal(sockets("tcp", "unix"), activation("mcp", "admin", **changed))


def test_a_descriptor_that_is_not_open(sockets):
    line = refusal(sockets("tcp"), activation("mcp", "admin"))
    assert "descriptor 4" in line and "admin" in line


@pytest.mark.parametrize("kind", ["file", "datagram", "not listening", "connected"])
def test_a_descriptor_that_does_not_listen(sockets, kind):
    (main,) = sockets("tcp")
    with ExitStack() as stack:
        if kind == "file":
            other = stack.enter_context(tempfile.TemporaryFile())
        elif kind == "datagram":
            other = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            other.bind(("127.0.0.1", 0))
        elif kind == "not listening":
            other = stack.enter_context(socket.socket())
            other.bind(("127.0.0.1", 0))
        else:
            other = stack.enter_context(client(main))
        line = refusal([main, other], activation("mcp", "admin"))
    assert "descriptor 4" in line and "admin" in line
    assert "ListenStream=" in line
