# SPDX-License-Identifier: Apache-2.0
"""The shipped fleet of ten servers on a machine with a real systemd: installed, called through nginx over TLS, stopped."""

import json
import re
import subprocess

import pytest

import installed
import machine
from installed import DOMAIN, NAMES, SECRETS, key
from processes import eventually
from web import INITIALIZE, Client

# Each boots a machine, and much runs on it.
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def host():
    with machine.boot() as booted:
        # What others have in the firewall stays as it is.
        booted.run("nft", "add", "table", "inet", "somebody")
        installed.install_fleet(booted)
        yield booted


def unit(name):
    return f"mcp@{name}.service"


def pids(host):
    return {name: host.show(unit(name), "MainPID") for name in NAMES}


def ready(host):
    return host.run("mcp-proxy", "fleet", "status", check=False).returncode == 0


def test_ten_servers_come_up(host):
    assert len(NAMES) == 10
    for name in NAMES:
        assert host.show(unit(name), "ActiveState") == "active"
        assert host.show(unit(name), "StatusText").startswith("ready; ")
    status = host.run("mcp-proxy", "fleet", "status").stdout.splitlines()
    assert [line.split()[:2] for line in status[1:]] == [[name, "ready"] for name in NAMES]
    assert host.run("systemctl", "is-enabled", *map(unit, NAMES), "mcp.target").stdout.split() == ["enabled"] * 11


def test_putting_it_into_force_again_changes_nothing(host):
    before = pids(host)
    again = host.run("mcp-proxy", "fleet", "render")
    assert re.fullmatch(r"\d+ files, 0 changed, 0 kept\n", again.stdout)
    assert host.run("mcp-proxy", "fleet", "diff").stdout == ""
    host.run("/opt/mcp/fleet/enable.sh", "--no-certificate")
    assert pids(host) == before


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_clients_reach_each_server_by_its_name(host, http):
    for name in NAMES:
        client = Client(host, name, http)
        assert client.initialize()["serverInfo"]["name"] == "fixture-server"
        assert "echo" in [tool["name"] for tool in client.call("tools/list")["tools"]]
        assert f'mcp_proxy_instance_info{{name="{name}",unit="{unit(name)}"}} 1' in metrics(host, name)


def metrics(host, name):
    port = re.search(r"^MCP_PROXY_ADMIN_LISTEN=(\S+)", host.read(f"/opt/mcp/config/{name}.env"), re.MULTILINE)[1]
    return host.run("curl", "-sS", f"http://{port}/metrics").stdout


def test_who_may_call(host):
    stranger = Client(host, "time", with_key=False)
    refused = stranger.request(message=INITIALIZE)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="time"'
    assert stranger.request("/sse").status == 401
    assert stranger.request("/mcp", INITIALIZE, "-H", "Authorization: Bearer ").status == 401
    assert stranger.request("/mcp", INITIALIZE, "-H", f"X-API-Key: {key(host, 'fetch')}").status == 401
    assert stranger.request("/mcp", INITIALIZE, "-H", f"X-API-Key: {key(host, 'time')}").status == 200
    # A browser asks first; the proxy decides which pages may.
    asked = ("-X", "OPTIONS", "-H", "Origin: https://x.example", "-H", "Access-Control-Request-Method: POST")
    assert stranger.request("/mcp", None, *asked).status == 403
    known = Client(host, "time")
    for path in ("/metrics", "/readyz", "/healthz", "/", "/mcp/", "/sse/other"):
        assert known.request(path).status == 404, path


def test_who_names_no_server_gets_none(host):
    elsewhere = Client(host, "time", name="localhost")
    assert elsewhere.request(message=INITIALIZE).curl == 35, "the handshake of TLS fails"
    other = ("-H", "Host: elsewhere.example", "--http1.1")
    assert Client(host, "time").request("/mcp", INITIALIZE, *other).status == 421
    plain = Client(host, "time").request(f"http://time.{DOMAIN}/mcp")
    assert plain.status == 403, "no key is sent in the open and answered"
    host.write("/var/www/mcp-acme/.well-known/acme-challenge/token", "proof")
    assert Client(host, "time").request(f"http://time.{DOMAIN}/.well-known/acme-challenge/token").body == "proof"


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_events_arrive_as_they_are_sent(host, http):
    client = Client(host, "time", http)
    client.initialize()
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    message["params"] = {"name": "progress", "arguments": {"steps": 5, "ms": 500}, "_meta": {"progressToken": 1}}
    times = client.arrivals(message)
    assert len(times) == 6, "five of progress, and the result"
    # In a buffer they would wait for each other; without one, two seconds lie between the first and the last.
    assert times[4] > 0.5


def test_no_secret_is_seen(host):
    for name in NAMES:
        Client(host, name).initialize()
    for (server, name), value in SECRETS.items():
        client = Client(host, server)
        client.initialize()
        assert client.tool("env", name=name) == value, "the server has it"
    hidden = [*SECRETS.values(), *(key(host, name) for name in NAMES)]
    seen = {
        "ps": host.run("ps", "axww", "-o", "args").stdout,
        "systemctl show": host.run("systemctl", "show", *map(unit, NAMES)).stdout,
        "systemctl status": host.run("systemctl", "status", *map(unit, NAMES)).stdout,
        "the journal": host.run("journalctl", "-o", "export").stdout,
        "metrics": "".join(metrics(host, name) for name in NAMES),
        "what render wrote": host.shell("cat /opt/mcp/config/* /opt/mcp/fleet/*.* /opt/mcp/fleet/clients/*").stdout,
        "fleet": "".join(host.run("mcp-proxy", "fleet", verb).stdout for verb in ("check", "render", "diff", "status")),
        "nginx": host.read("/var/log/nginx/mcp.log") + host.read("/var/log/nginx/error.log"),
    }
    for where, text in seen.items():
        assert text
        assert [value for value in hidden if value in text] == [], where
    # Who is neither root nor the server reads neither.
    for path in (*(f"/opt/mcp/keys/{name}" for name in NAMES), "/etc/nginx/mcp-keys/time.map"):
        assert host.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "cat", path, check=False).returncode != 0
        assert host.path(path).stat().st_mode & 0o077 in (0, 0o040)


def test_sessions_are_not_in_the_log_of_nginx(host):
    client = Client(host, "fetch", "1.1")
    opened = host.run(*client._command("/sse", None, "-N", "--max-time", "5"), check=False).stdout
    endpoint = re.search(r"^data: (\S+)", opened, re.MULTILINE)[1]
    assert "?" in endpoint
    client.request(endpoint, INITIALIZE)
    logged = host.read("/var/log/nginx/mcp.log")
    assert f'"POST {endpoint.partition("?")[0]} ' in logged
    assert "?" not in logged
    assert endpoint.partition("?")[2] not in host.run("cat", "/var/log/nginx/mcp-error.log").stdout


def test_stop_and_start(host):
    main, child = host.show(unit("notion"), "MainPID"), host.run("pgrep", "-P", host.show(unit("notion"), "MainPID"))
    host.run("systemctl", "stop", unit("notion"))
    assert host.show(unit("notion"), "ActiveState") == "inactive"
    assert host.show(unit("notion"), "Result") == "success"
    for pid in (main, *child.stdout.split()):
        assert not host.path(f"/proc/{pid}").exists() and host.run("kill", "-0", pid, check=False).returncode != 0
    assert Client(host, "notion").request(message=INITIALIZE).status == 502
    assert [line.split()[1] for line in status_lines(host) if line.startswith("notion ")] == ["down"]
    host.run("systemctl", "start", unit("notion"))
    Client(host, "notion").initialize()


def status_lines(host):
    return host.run("mcp-proxy", "fleet", "status", check=False).stdout.splitlines()


def test_it_comes_back_when_it_is_killed(host):
    before = host.show(unit("fetch"), "MainPID")
    host.run("systemctl", "kill", "--signal=KILL", unit("fetch"))
    eventually(lambda: host.show(unit("fetch"), "MainPID") not in ("0", before), 30, "the restart")
    eventually(lambda: host.show(unit("fetch"), "ActiveState") == "active", 30, "the start")
    Client(host, "fetch").initialize()
    assert host.show(unit("fetch"), "NRestarts") == "1"


def test_all_at_once(host):
    before = pids(host)
    host.run("systemctl", "restart", "mcp.target")
    eventually(lambda: ready(host), 60, "ten servers")
    assert not set(before.values()) & set(pids(host).values())


def test_the_journal_tells_each_server_apart(host):
    entries = host.run("journalctl", "-u", unit("time"), "-o", "json", "MCP_EVENT=upstream.ready").stdout.splitlines()
    assert json.loads(entries[-1])["MCP_SERVER"] == "time"


def test_the_firewall_has_a_table_of_its_own(host):
    assert host.run("nft", "list", "tables").stdout.split("\n")[:2] == ["table inet somebody", "table inet mcp"]
    rules = host.run("nft", "list", "table", "inet", "mcp").stdout
    assert "3001" in rules and "9010" in rules
    host.run("systemctl", "restart", "mcp-firewall.service")
    assert host.run("nft", "list", "table", "inet", "mcp").stdout == rules
    host.run("systemctl", "stop", "mcp-firewall.service")
    assert host.run("nft", "list", "tables").stdout == "table inet somebody\n"
    host.run("systemctl", "start", "mcp-firewall.service")


def test_an_update_loses_no_call(host):
    update = ("mcp-proxy", "fleet", "update")
    assert set(re.findall(r"^\S+ +(\w+) sha256:\w{12}$", host.run(*update).stdout, re.MULTILINE)) == {"has"}
    before = pids(host)
    client = Client(host, "time")
    client.initialize()
    old = client.tool("pid")
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "sleep", "arguments": {"ms": 4000}}}
    command = host.command(*client._command("/mcp", message))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        in_flight = "mcp_proxy_requests_inflight 1\n"
        eventually(lambda: in_flight in metrics(host, "time"), 30, "the call")
        host.write("/srv/release", "2")
        updated = host.run(*update, timeout=300)
        assert "result" in json.loads(running.communicate(timeout=30)[0])
    lines = {line.split()[0]: line for line in updated.stdout.splitlines()}
    assert re.fullmatch(r"time +sha256:\w{12} -> sha256:\w{12}", lines["time"])
    assert lines["playwright"].endswith(", for new sessions")
    assert client.tool("pid") != old, "the same session, and a new process"
    assert pids(host) == before, "the instances themselves run on"
    assert ready(host)
    assert " has " in host.run(*update).stdout


def test_one_edit_and_two_commands(host):
    """A server more, one less, one changed: the others run on."""
    before = pids(host)
    text = host.read("/opt/mcp/fleet.yaml")
    changed = text.replace("    args: [--local-timezone=Europe/Berlin]\n", "    args: [--local-timezone=UTC]\n")
    changed = re.sub(r"  # What it remembers.*?(?=\n  - name: atlassian)", "", changed, flags=re.S)
    changed += "\n  - name: own\n    command: fixture-server\n    port: 3100\n    host: none\n    env: {GREETING: hello you}\n"
    host.write("/opt/mcp/fleet.yaml", changed)
    try:
        rendered = host.run("mcp-proxy", "fleet", "render").stdout
        assert "update  /opt/mcp/config/time.env\n" in rendered
        assert "create  /opt/mcp/config/own.env\n" in rendered
        assert "remove  /opt/mcp/config/memory.env\n" in rendered
        installed.enable(host)
        after = pids(host)
        assert {name for name in NAMES if after[name] != before[name]} == {"time", "memory"}
        assert host.show(unit("memory"), "ActiveState") == "inactive"
        assert host.run("systemctl", "is-enabled", unit("memory"), check=False).stdout == "disabled\n"
        assert Client(host, "memory").request(message=INITIALIZE).curl == 35
        own = Client(host, "own", with_key=False)
        own.url = "http://127.0.0.1:3100"
        own.initialize()
        assert own.tool("env", name="GREETING") == "hello you"
    finally:
        host.write("/opt/mcp/fleet.yaml", text)
        host.run("mcp-proxy", "fleet", "render")
        installed.enable(host)
    assert ready(host)
