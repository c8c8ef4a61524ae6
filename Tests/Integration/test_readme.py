# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of the documentation, so that what a reader pastes works.

A block of shell commands is run when a comment stands right above it:

    <!-- run -->                      it must succeed
    <!-- run: expect TEXT -->         and its output must contain TEXT
    <!-- run: serve COMMAND -->       COMMAND is started instead of the block, and the next blocks of the file meet it

The commands run in an empty directory, with `mcp-proxy` on the PATH, and with a free port wherever they say 8080.
"""

import os
import re
import socket
import subprocess
from dataclasses import dataclass

import pytest

from mcp_http import Http
from processes import eventually
from proxy_process import PROXY, ROOT, clean_environment

MARKED = re.compile(r"<!-- run(?:: (?P<how>.*?))? -->\s*\n```(?:sh|shell|bash|console)\n(?P<text>.*?)^```", re.S | re.M)


@dataclass
class Block:
    how: str
    text: str


def documents():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(path):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [Block(match["how"] or "", match["text"]) for match in MARKED.finditer(text)]


@pytest.fixture
def shell(tmp_path):
    """Runs blocks; a server that one of them started is ended at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = clean_environment({"PATH": f"{os.path.dirname(PROXY)}:{os.environ['PATH']}"})
    servers = []

    def with_port(text):
        return re.sub(r"\b8080\b", str(port), text)

    def run(block):
        if block.how.startswith("serve "):
            command = with_port(block.how.removeprefix("serve "))
            log = (tmp_path / "server.log").open("wb")
            servers.append(
                subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=tmp_path, env=environment, stderr=log)
            )
            eventually(lambda: answers(servers[-1], log.name), 30, "the server")
            return
        finished = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", with_port(block.text)],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        output = finished.stdout + finished.stderr
        assert finished.returncode == 0, f"{block.text}\n{output}"
        if block.how.startswith("expect "):
            assert block.how.removeprefix("expect ") in output, f"{block.text}\n{output}"

    def answers(server, log):
        assert server.poll() is None, open(log, encoding="utf-8", errors="replace").read()
        try:
            return Http(port).get("/readyz").status == 200
        except OSError:
            return False

    yield run
    for server in servers:
        server.terminate()
        assert server.wait(20) == 0


def test_the_readme_can_be_tried():
    assert blocks(ROOT / "README.md"), "no block of README.md is marked with <!-- run -->"


@pytest.mark.parametrize("path", [path for path in documents() if blocks(path)], ids=lambda path: path.name)
def test_commands(shell, path):
    for block in blocks(path):
        shell(block)
