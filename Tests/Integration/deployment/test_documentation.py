# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of docs/deployment.md in their order on a bare machine, as a newcomer would.

A block of commands is run when `<!-- machine -->` stands above it, or `<!-- machine: expect TEXT -->`, which its output must
then contain. Only what comes from elsewhere is put in: packages, the authority of the certificate, and images.
"""

import re

import pytest

import installed
import machine
from proxy_process import ROOT

# Each boots a machine, and much runs on it.
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]
PAGE = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- machine(?:: expect (.*?))? -->\n```sh\n(.*?)^```", PAGE, re.S | re.M)
STUBS = {
    "sudo": 'exec "$@"',
    "apt-get": 'printf "%s\\n" "$@" >/root/packages',
    "certbot": 'printf "%s\\n" "$@" >/root/certbot',
}


def test_from_a_bare_machine_to_ten_servers():
    assert len(BLOCKS) >= 10
    with machine.boot() as host:
        for name, script in STUBS.items():
            host.write(f"/usr/local/bin/{name}", f"#!/bin/bash\n{script}\n", 0o755)
        host.write("/usr/local/bin/docker", installed.DOCKER, 0o755)
        installed.prepare(host)
        host.path("/opt/mcp/secrets/notion/NOTION_TOKEN").unlink()
        # The shell of one person, from the first command to the last.
        session = ["cd /opt"]
        for expected, text in BLOCKS:
            done = host.shell("\n".join([*session, text]), stdin="geheim-notion\n", check=False, timeout=300)
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            assert expected in done.stdout, f"{text}\n{done.stdout}{done.stderr}"
            session += [line for line in text.splitlines() if line.startswith("export ")]
        assert "nginx" in host.read("/root/packages").split()
        assert "time.mcp.example.com" in host.read("/root/certbot").split()


def test_the_keys_of_the_file_are_all_explained():
    """Every key that the reader knows stands in the tables."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "Sources/Fleet").glob("FleetReader*.swift"))
    keys = set(re.findall(r'take\("([a-z-]+)"\)', source))
    assert {"domain", "volumes"} <= keys
    missing = [key for key in keys if f"`{key}" not in PAGE]
    assert missing == []
