# SPDX-License-Identifier: Apache-2.0
"""Real clients talk to real servers through the proxy, over both transports."""

import http.server
import threading

import pytest

from sdk_client import KINDS

TRANSPORTS = ("http", "sse")


@pytest.fixture
def connect(proxy, sdk, server, repository):
    """Starts a proxy in front of a server by name, and a client of a kind; gives both."""
    children = {
        "time": lambda: server("time"),
        "git": lambda: server("git", "--repository", str(repository)),
        "fixture": lambda: None,
    }

    def start(kind, transport, name):
        running = proxy(child=children[name](), fixture=("--page-size", "10"))
        return running, sdk(kind, running, transport)

    return start


def tools(client):
    return {tool["name"] for tool in client.do("list_tools")["tools"]}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_time(connect, kind, transport):
    _, client = connect(kind, transport, "time")
    assert tools(client) == {"get_current_time", "convert_time"}
    arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    assert "21:00" in client.text("convert_time", **arguments)
    client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_git(connect, repository, kind, transport):
    _, client = connect(kind, transport, "git")
    assert "git_log" in tools(client)
    assert "the only commit" in client.text("git_log", repo_path=str(repository))
    client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_fixture(connect, kind, transport):
    running, client = connect(kind, transport, "fixture")
    assert {"echo", "progress", "sample"} <= tools(client)
    assert client.text("echo", text="häuser & 家") == "häuser & 家"
    assert len(client.do("list_resources")["resources"]) >= 5
    client.close()
    opened = running.event("session.opened")
    assert opened["transport"] == {"http": "streamable_http", "sse": "sse"}[transport]
    # A client that leaves in an orderly way leaves no session behind.
    running.event("session.closed")


class Page(http.server.BaseHTTPRequestHandler):
    """A web page with one word to look for, and no robots.txt."""

    def do_GET(self):
        body = b"<html><body><h1>Page</h1><p>marmalade</p></body></html>"
        found = self.path == "/page"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def page():
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}/page"
    site.shutdown()
    site.server_close()


@pytest.mark.parametrize("kind", ["sdk1", "sdk2"])
def test_fetch(proxy, sdk, server, page, kind):
    client = sdk(kind, proxy(child=server("fetch", "--allow-private-ips")))
    assert tools(client) == {"fetch"}
    assert "marmalade" in client.text("fetch", url=page, raw=True)
    client.close()


def test_clients_of_all_kinds_share_one_server(connect, sdk):
    running, first = connect("sdk1", "http", "fixture")
    clients = [first, sdk("sdk2", running, "http"), sdk("fastmcp", running, "sse")]
    pids = {client.text("pid") for client in clients}
    assert len(pids) == 1
    # All of them count their requests from the same number: the answers must not be exchanged.
    calls = [(c, n, c.start_tool("echo", text=f"{c.kind} {n}")) for n in range(20) for c in clients]
    for client, n, tag in calls:
        assert client.finish(tag)["content"][0]["text"] == f"{client.kind} {n}"
    for client in clients:
        client.close()
