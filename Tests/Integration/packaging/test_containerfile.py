# SPDX-License-Identifier: Apache-2.0
"""The Containerfile, without the images it starts from: what it copies is there, and what it runs works."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import engines
import machine
from processes import eventually
from proxy_process import ROOT
from web import INITIALIZE

pytestmark = pytest.mark.machine


def instructions():
    """The instructions of both stages, as pairs of a word and the rest of the line."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    stages = []
    for line in filter(None, lines.split("\n")):
        word, rest = line.split(None, 1)
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


BUILD, FINAL = instructions()


def only(name):
    """What stands behind the one instruction of that name in the last stage."""
    (rest,) = [rest for word, rest in FINAL if word == name]
    return rest


def test_what_is_copied_is_there_and_enough(tmp_path):
    """SwiftPM reads the package from what is copied alone, and finds every target."""
    for sources in [shlex.split(rest) for word, rest in BUILD if word == "COPY"]:
        *sources, into = sources
        for source in sources:
            target = tmp_path / into / ("" if (ROOT / source).is_dir() else Path(source).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            ignored = shutil.ignore_patterns("__pycache__")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, target)
    described = subprocess.run(
        ["swift", "package", "--disable-sandbox", "describe", "--type", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert described.returncode == 0, described.stderr
    assert "mcp-proxy" in [product["name"] for product in json.loads(described.stdout)["products"]]
    for script in [word for _, rest in BUILD for word in shlex.split(rest) if word.startswith("scripts/") and "." in word]:
        assert (tmp_path / script).exists()


def test_what_is_copied_is_not_ignored():
    """The ignore file leaves out everything but what is copied."""
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M)
    copied = [word for name, rest in BUILD if name == "COPY" for word in shlex.split(rest)[:-1]]
    assert sorted(kept) == sorted(copied)


def test_it_starts_answers_and_is_found_healthy():
    """What the image runs, as the user and with the variables it has, in a machine of its own."""
    tini = engines.program("tini-static", "docker-init", "tini")
    start = json.loads(only("ENTRYPOINT")) + json.loads(only("CMD"))
    check = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    user = only("RUN").rpartition("&&")[2]
    environment = shlex.split(only("ENV"))
    with machine.boot() as host:
        host.path("/usr/local/bin/tini").write_bytes(Path(tini).read_bytes())
        host.path("/usr/local/bin/tini").chmod(0o755)
        host.shell(user)
        assert host.run("id", "-u", only("USER")).stdout.strip() == "10001"
        settings = [f"--setenv={variable}" for variable in environment]
        described = [f"--uid={only('USER')}", f"--working-directory={only('WORKDIR')}", *settings]
        host.run("systemd-run", "--unit=image", "--property=Type=exec", *described, *start)
        eventually(lambda: host.run(*check, check=False).returncode == 0, 20, "its health")
        admin, = re.findall(r"MCP_PROXY_ADMIN_LISTEN=\S+:(\d+)", only("ENV"))
        assert set(only("EXPOSE").split()) == {"8080", admin}
        ask = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}")
        eventually(lambda: host.run(*ask, f"http://127.0.0.1:{admin}/readyz").stdout == "200", 20, "readiness")
        # As from elsewhere, under another name.
        headers = ("Host: mcp.example.com", "Content-Type: application/json", "Accept: application/json, text/event-stream")
        call = [*ask, *(word for header in headers for word in ("-H", header)), "-d", json.dumps(INITIALIZE)]
        assert host.run(*call, "http://127.0.0.1:8080/mcp").stdout == "200"
        # A proxy that hangs or is gone is not healthy.
        host.run("systemctl", "kill", "--signal=STOP", "image")
        assert host.run(*check, check=False).returncode != 0
        host.run("systemctl", "kill", "--signal=CONT", "image")
        eventually(lambda: host.run(*check, check=False).returncode == 0, 20, "its health")
        host.run("systemctl", "stop", "image")
        assert host.show("image", "Result") == "success"
        assert host.run(*check, check=False).returncode != 0
