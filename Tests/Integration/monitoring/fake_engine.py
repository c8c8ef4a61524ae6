# SPDX-License-Identifier: Apache-2.0
"""A client of a container engine that runs the fixture server instead, and fails as it is told to: for what is shown of
engines and containers. What real engines do is tested in containers/."""

from proxy_process import FIXTURE

SCRIPT = """#!/bin/sh
if [ -e {away} ]; then
    echo 'Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?' >&2
    [ "$1" = run ] && exit 125
    exit 1
fi
case "$1" in
run) exec {fixture} ;;
image) echo 'sha256:0123456789abcdef []' ;;
rm) if [ -e {stuck} ]; then echo 'Error response from daemon: device or resource busy' >&2; exit 1; fi ;;
esac
"""


class FakeEngine:
    """`command` is what a proxy is to run. While the file `away` exists the engine does not answer, while `stuck` does it
    removes nothing."""

    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        self.away, self.stuck = directory / "away", directory / "stuck"
        client = directory / "docker"
        client.write_text(SCRIPT.format(away=self.away, stuck=self.stuck, fixture=FIXTURE), encoding="utf-8")
        client.chmod(0o755)
        self.command = [client, "run", "-i", "mcp/time"]
