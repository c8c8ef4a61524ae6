# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/containers.md, run as written with a proxy called time."""

import os
import re
import subprocess

import pytest

from engines import IMAGE
from proxy_process import ROOT

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

TEXT = (ROOT / "docs/containers.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run with docker: expect (?P<expected>.*?) -->\n```sh\n(?P<command>.*?)^```", re.S | re.M)


def test_every_command_is_run():
    assert len(MARKED.findall(TEXT)) == TEXT.count("```sh")


def test_the_commands(proxy, docker):
    docker.run("tag", IMAGE, "mcp/time")
    running = proxy("--name", "time", child=docker.command(image="mcp/time"), env=docker.env)
    # There is no registry to pull from, and no systemd.
    stand_ins = f"""
        docker() {{ [ "$1" = pull ] || {docker.cli} "$@"; }}
        systemctl() {{ kill -USR2 {running.pid}; }}
        """
    for match in MARKED.finditer(TEXT):
        done = subprocess.run(
            ["bash", "-euc", stand_ins + match["command"]],
            env={**os.environ, **docker.env},
            stdout=subprocess.PIPE,
            text=True,
            timeout=30,
            check=True,
        )
        if match["expected"] not in done.stdout:
            assert match["expected"] in running.event("upstream.replaced")["message"]
    docker.run("rmi", "mcp/time", check=False)
