# SPDX-License-Identifier: Apache-2.0
"""A client of a container engine that runs the fixture server instead, and fails as it is told to: for what is told and
shown of engines and containers. What real engines do is tested in containers/."""

import os
import re
from pathlib import Path

from proxy_process import FIXTURE

SCRIPT = """#!/bin/sh
cd {directory}
if [ -e away ]; then
    echo 'Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?' >&2
    [ "$1" = run ] && exit 125
    exit 1
fi
case "$1" in
run) exec {fixture} ;;
image)
    if [ -e absent ]; then echo 'Error response from daemon: No such image: mcp/time:latest' >&2; exit 1; fi
    echo 'sha256:0123456789abcdef ["mcp/time@sha256:fedcba9876543210"]' ;;
pull)
    if [ -e nowhere ]; then echo 'Error response from daemon: manifest unknown' >&2; exit 1; fi
    rm absent ;;
ps) if [ -e left ]; then cat left; fi ;;
rm) if [ -e stuck ]; then echo 'Error response from daemon: device or resource busy' >&2; exit 1; fi ;;
esac
"""


class FakeEngine:
    """`command` is what a proxy is to run. What is the case depends on files: while `away` exists the engine does not
    answer, while `stuck` does it removes nothing, `absent` says that it has no image, `nowhere` that the registry has none
    either, and `left` lists containers."""

    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        self.away, self.stuck = directory / "away", directory / "stuck"
        self.absent, self.nowhere, self.left = directory / "absent", directory / "nowhere", directory / "left"
        client = directory / "docker"
        client.write_text(SCRIPT.format(directory=directory, fixture=FIXTURE), encoding="utf-8")
        client.chmod(0o755)
        self.command = [client, "run", "-i", "mcp/time"]

    def leave_a_container(self):
        """One of a proxy that has ended."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
        self.left.write_text(f"0123\t{os.uname().nodename}/{boot}/{namespace}/1/never\tmcp-time-0-0-1\n")
