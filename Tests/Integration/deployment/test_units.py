# SPDX-License-Identifier: Apache-2.0
"""The units of deploy/systemd one by one, on a machine with a real systemd."""

import re

import pytest

import installed
import machine
from installed import DOMAIN
from processes import eventually
from web import INITIALIZE, Client

OWN = "/etc/systemd/system"

# Each boots a machine, and much runs on it.
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def host():
    with machine.boot() as booted:
        installed.install_units(booted)
        yield booted


def start(host, name, env, check=True):
    """Starts an instance with this env file."""
    host.write(f"/opt/mcp/config/{name}.env", env, 0o640)
    return host.run("systemctl", "start", f"mcp@{name}", check=check)


def drop_in(host, unit, name, text):
    host.write(f"{OWN}/{unit}.d/{name}.conf", text)
    host.run("systemctl", "daemon-reload")


def client(host, port, name="plain"):
    """Without nginx."""
    direct = Client(host, name, with_key=False)
    direct.url = f"http://127.0.0.1:{port}"
    return direct


def told(host, text, *journal):
    """Waits for a text in the journal, which takes what it is sent in its own time."""
    eventually(lambda: text in host.run("journalctl", "-o", "cat", *journal, check=False).stdout, 30, text)


def exposure(host, unit):
    said = host.run("systemd-analyze", "security", "--no-pager", unit).stdout
    return float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])


def test_systemd_finds_no_fault(host):
    units = ["mcp@time.service", "mcp@time.socket", "mcp.target", "mcp-firewall.service"]
    verified = host.run("systemd-analyze", "verify", "--man=no", *units)
    assert verified.stdout + verified.stderr == ""
    engine = ["mcp-engine.service", "mcp-engine.socket"]
    for name in engine:
        host.write(f"{OWN}/{name}", host.run("cat", f"/opt/deploy/systemd/{name}").stdout)
    # Of a package that the units of the engine alone need.
    host.write("/usr/bin/podman", "#!/bin/sh\n", 0o755)
    verified = host.run("systemd-analyze", "verify", "--man=no", *engine)
    assert verified.stdout + verified.stderr == ""


def test_how_much_is_closed(host):
    assert exposure(host, "mcp@time.service") <= 1.5
    drop_in(host, "mcp@tight.service", "rootless", host.run("cat", "/opt/deploy/systemd/rootless.conf").stdout)
    assert exposure(host, "mcp@tight.service") <= 1.0
    drop_in(host, "mcp@tight.service", "journal", host.run("cat", "/opt/deploy/systemd/journal-namespace.conf").stdout)
    start(host, "tight", "PORT=4001\nCMD=docker\nARGS=run -i --rm mcp/time\n")
    assert client(host, 4001).initialize()["serverInfo"]["name"] == "fixture-server"
    # What it logs lies in the namespace, and what systemd says of it in the main journal.
    told(host, "is ready", "--namespace=mcp", "-u", "mcp@tight", "MCP_EVENT=upstream.ready")
    assert "is ready" not in host.run("journalctl", "-u", "mcp@tight", "-o", "cat").stdout
    host.run("systemctl", "stop", "mcp@tight")


def test_a_unit_that_was_there_before(host):
    """Only the binary changes: the unit and its env file are those people have."""
    host.write(
        f"{OWN}/old@.service",
        "[Service]\nEnvironmentFile=/opt/mcp/config/%i.env\n"
        "ExecStart=/usr/local/bin/mcp-proxy --port ${PORT} -- ${CMD} ${ARGS}\nRestart=always\n",
    )
    host.write("/opt/mcp/.env", "TOKEN=geheim-in-the-env-file\n", 0o600)
    host.write(
        "/opt/mcp/config/work.env",
        "PORT=4002\nCMD=docker\nARGS=run -i --rm -e TOKEN=${TOKEN} -e 'GREETING=hello you' mcp/github\n",
    )
    host.run("systemctl", "start", "old@work")
    old = client(host, 4002)
    eventually(lambda: old.request(message=INITIALIZE).status == 200, 30, "the server")
    old.initialize()
    assert old.tool("env", name="TOKEN") == "geheim-in-the-env-file"
    assert old.tool("env", name="GREETING") == "hello you"
    assert "geheim" not in host.run("ps", "axww", "-o", "args").stdout
    assert "geheim" not in host.run("journalctl", "-o", "export").stdout
    host.run("systemctl", "stop", "old@work")
    host.path("/opt/mcp/.env").unlink()


def test_credentials(host):
    """For a command, and encrypted for a container; other users of the machine see neither."""
    host.write("/opt/mcp/secrets/plain/TOKEN", "geheim-plain\n", 0o600)
    drop_in(host, "mcp@plain.service", "secrets", "[Service]\nLoadCredential=TOKEN:/opt/mcp/secrets/plain/TOKEN\n")
    start(host, "plain", "PORT=4003\nCMD=fixture-server\nARGS=\n")
    direct = client(host, 4003)
    direct.initialize()
    assert direct.tool("env", name="TOKEN") == "geheim-plain"
    sealed = "systemd-creds encrypt --with-key=host --name=TOKEN - /opt/mcp/secrets/sealed/TOKEN"
    host.shell(f"install -d -m 700 /opt/mcp/secrets/sealed; printf geheim-sealed | {sealed}")
    assert "geheim" not in host.read("/opt/mcp/secrets/sealed/TOKEN")
    text = "[Service]\nLoadCredentialEncrypted=TOKEN:/opt/mcp/secrets/sealed/TOKEN\n"
    drop_in(host, "mcp@sealed.service", "secrets", text)
    start(host, "sealed", "PORT=4004\nCMD=docker\nARGS=run -i --rm -e KEY=${TOKEN} mcp/time\n")
    direct = client(host, 4004)
    direct.initialize()
    assert direct.tool("env", name="KEY") == "geheim-sealed"
    shown = host.run("systemctl", "show", "mcp@plain", "mcp@sealed").stdout
    assert "geheim" not in shown + host.run("ps", "axww", "-o", "args").stdout
    host.run("systemctl", "stop", "mcp@plain", "mcp@sealed")


def test_metrics_are_apart_where_nobody_says_so(host):
    start(host, "apart", "PORT=4005\nCMD=fixture-server\nARGS=\n")
    socket = "/run/mcp/apart.sock"
    assert host.run("curl", "-sS", "--unix-socket", socket, "http://localhost/readyz").stdout == '{"status":"ready"}'
    assert client(host, 4005).request("/metrics").status == 404
    host.run("systemctl", "stop", "mcp@apart")


def test_what_cannot_work_stays_down(host):
    """An alert needs a target that stays down."""
    assert start(host, "wrong", "PORT=0x1\nCMD=fixture-server\nARGS=\n", check=False).returncode != 0
    eventually(lambda: host.show("mcp@wrong", "ActiveState") == "failed", 30, "the end")
    assert (host.show("mcp@wrong", "ExecMainStatus"), host.show("mcp@wrong", "NRestarts")) == ("64", "0")
    # Of one that has ended already, the journal may not know the unit.
    told(host, "--port cannot be '0x1'; give a whole number", "-t", "mcp-proxy")
    # Whatever else fails is tried ten times.
    drop_in(host, "mcp@loop.service", "loop", "[Service]\nRestartSec=20ms\nExecStart=\nExecStart=false\n")
    start(host, "loop", "", check=False)
    eventually(lambda: host.show("mcp@loop", "SubState") == "failed", 60, "the limit")
    assert host.show("mcp@loop", "NRestarts") == "10"
    told(host, "Start request repeated too quickly", "-u", "mcp@loop")


def test_the_watchdog(host):
    drop_in(host, "mcp@hung.service", "watchdog", "[Service]\nWatchdogSec=3\nRestartSec=20ms\n")
    start(host, "hung", "PORT=4006\nCMD=fixture-server\nARGS=\n")
    before = host.show("mcp@hung", "MainPID")
    host.run("kill", "-STOP", before)
    eventually(lambda: host.show("mcp@hung", "MainPID") not in ("0", before), 60, "the restart")
    eventually(lambda: host.show("mcp@hung", "ActiveState") == "active", 60, "the start")
    told(host, "Watchdog timeout", "-u", "mcp@hung")
    host.run("systemctl", "stop", "mcp@hung")


def test_reload(host):
    start(host, "again", "PORT=4007\nCMD=fixture-server\nARGS=\n")
    before = host.show("mcp@again", "MainPID")
    host.run("systemctl", "reload", "mcp@again")
    entry = ("journalctl", "-u", "mcp@again", "MCP_EVENT=config.reloaded", "-o", "cat")
    eventually(lambda: host.run(*entry, check=False).stdout.strip(), 30, "the entry")
    assert host.show("mcp@again", "MainPID") == before
    host.run("systemctl", "stop", "mcp@again")


def test_a_socket_keeps_callers_waiting(host):
    drop_in(host, "mcp@lazy.socket", "listen", "[Socket]\nListenStream=\nListenStream=127.0.0.1:4008\n")
    host.write("/opt/mcp/config/lazy.env", "PORT=4008\nCMD=fixture-server\nARGS=\n", 0o640)
    host.run("systemctl", "start", "mcp@lazy.socket")
    assert host.show("mcp@lazy.service", "ActiveState") == "inactive"
    assert client(host, 4008).initialize()["serverInfo"]["name"] == "fixture-server"
    assert host.show("mcp@lazy.service", "ActiveState") == "active"
    host.run("systemctl", "stop", "mcp@lazy.socket", "mcp@lazy.service")


def test_a_renewed_certificate_is_put_into_use(host):
    """The hook that certbot runs, and the command that asks for the certificate, with a certbot that notes its arguments."""
    host.write("/opt/mcp/fleet.yaml", "servers:\n  - { name: time, command: fixture-server, port: 4009, host: time.mcp.example.com, public: true }\n")
    host.write("/etc/hosts", f"127.0.0.1 localhost time.{DOMAIN}\n")
    host.write("/usr/local/bin/certbot", '#!/bin/sh\nprintf "%s\\n" "$@" >/root/certbot\n', 0o755)
    host.run("mcp-proxy", "fleet", "render")
    host.run("/opt/mcp/fleet/enable.sh")
    asked = host.read("/root/certbot").split("\n")
    assert asked[0] == "certonly" and asked[-3:-1] == ["-d", f"time.{DOMAIN}"]
    hook = asked[asked.index("--deploy-hook") + 1]
    served = f"openssl s_client -connect 127.0.0.1:443 -servername time.{DOMAIN} </dev/null 2>/dev/null"
    subject = f"{served} | openssl x509 -noout -subject"
    assert host.shell(subject).stdout == "subject=CN = placeholder\n"
    host.shell(
        """
        install -d /etc/letsencrypt/live/mcp && cd /etc/letsencrypt/live/mcp
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=renewed -keyout privkey.pem -out fullchain.pem 2>/dev/null
        """
    )
    host.shell(f"RENEWED_LINEAGE=/etc/letsencrypt/live/other {hook}")
    assert host.shell(subject).stdout == "subject=CN = placeholder\n"
    host.shell(f"RENEWED_LINEAGE=/etc/letsencrypt/live/mcp {hook}")
    eventually(lambda: host.shell(subject).stdout == "subject=CN = renewed\n", 30, "the new certificate")
