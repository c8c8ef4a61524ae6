# SPDX-License-Identifier: Apache-2.0
"""The rendered certificate.sh with the real certbot against a real authority (pebble) on a booted machine."""

import json
import re

import pytest

import installed
import machine
from processes import eventually

# Each boots a machine, and much runs on it.
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]
DIRECTORY = "https://localhost:14000/dir"
FLEET = """
domain: mcp.example.com
email: admin@example.com
servers:
  - { name: time, command: fixture-server, port: 3001, public: true }
  - { name: fetch, command: fixture-server, port: 3002, public: true }
"""
PEBBLE = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/root/pebble/fullchain.pem",
    "privateKey": "/root/pebble/privkey.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "ocspResponderURL": "",
    "externalAccountBindingRequired": False,
}
SERVER = ["systemd-run", "--quiet", "--collect"]


def served(host):
    """Issuer, serial number and names of the certificate that nginx has."""
    shown = host.shell(
        "openssl s_client -connect 127.0.0.1:443 -servername time.mcp.example.com </dev/null 2>/dev/null"
        " | openssl x509 -noout -issuer -serial -ext subjectAltName"
    ).stdout
    return shown


def test_a_certificate_is_got_and_renewed():
    with machine.boot() as host:
        installed.install_units(host)
        installed.install_certificate(host, "/root/pebble", "DNS:localhost")
        host.write("/root/pebble/config.json", json.dumps({"pebble": PEBBLE}))
        names = [*SERVER, "pebble-challtestsrv", "-defaultIPv6", "", "-dns01", "127.0.0.1:18053"]
        host.run(*names, "-management", "127.0.0.1:18055", "-http01", "", "-https01", "", "-tlsalpn01", "")
        authority = [*SERVER, "--setenv=PEBBLE_VA_NOSLEEP=1", "--setenv=PEBBLE_WFE_NONCEREJECT=0", "pebble"]
        host.run(*authority, "-config", "/root/pebble/config.json", "-dnsserver", "127.0.0.1:18053")
        eventually(lambda: host.run("curl", "-sS", DIRECTORY, check=False).returncode == 0, 60, "the authority")
        host.write("/opt/mcp/fleet.yaml", FLEET)
        host.run("mcp-proxy", "fleet", "render")
        installed.enable(host)
        assert "CN = placeholder" in served(host)
        bundle = "REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"
        host.run("env", bundle, "/opt/mcp/fleet/certificate.sh", "--server", DIRECTORY, timeout=300)
        eventually(lambda: "Pebble" in served(host), 30, "the certificate")
        first = served(host)
        assert set(re.findall(r"DNS:([\w.]+)", first)) == {"time.mcp.example.com", "fetch.mcp.example.com"}
        # As the timer of the package does, but at once.
        renew = ["certbot", "renew", "--quiet", "--force-renewal", "--no-random-sleep-on-renew"]
        host.run("env", bundle, *renew, timeout=300)
        eventually(lambda: served(host) != first, 30, "the renewed certificate")
        assert "Pebble" in served(host)
