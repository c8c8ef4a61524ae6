# SPDX-License-Identifier: Apache-2.0
"""Clients on a booted machine that come through nginx: over TLS, by host name, with curl."""

import json
import subprocess
import time
from dataclasses import dataclass

from installed import DOMAIN, key

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "curl", "version": "1"}},
}


@dataclass
class Answer:
    """`status` is 0 and `curl` the exit status of curl where there was no answer at all."""

    status: int
    headers: dict
    body: str
    curl: int = 0

    @property
    def json(self):
        """The message of a plain body, or the last of an event stream."""
        if "text/event-stream" in self.headers.get("content-type", ""):
            return json.loads([line[5:] for line in self.body.splitlines() if line.startswith("data:")][-1])
        return json.loads(self.body)


class Client:
    """Calls one server. `http` is the version of HTTP: 1.1 or 2."""

    def __init__(self, host, server, http="2", with_key=True, name=None):
        self.host = host
        self.server = server
        self.url = f"https://{name or f'{server}.{DOMAIN}'}"
        self.flags = ["--http2" if http == "2" else "--http1.1"]
        if with_key:
            # In a file: command lines are looked through for keys.
            path = f"/root/header-{server}"
            host.write(path, f"Authorization: Bearer {key(host, server)}\n", 0o600)
            self.flags += ["-H", f"@{path}"]
        self.session = None

    def _command(self, path, message, *flags):
        words = ["curl", "-sS", "--max-time", "30", *self.flags, *flags]
        if message is not None:
            words += ["-H", "Content-Type: application/json", "-H", "Accept: application/json, text/event-stream"]
            words += ["--data", json.dumps(message)]
        if self.session:
            words += ["-H", f"Mcp-Session-Id: {self.session}"]
        return [*words, f"{self.url}{path}" if path.startswith("/") else path]

    def request(self, path="/mcp", message=None, *flags):
        done = self.host.run(*self._command(path, message, "-D", "-", *flags), check=False)
        if done.returncode:
            return Answer(0, {}, done.stderr, done.returncode)
        head, _, body = done.stdout.partition("\n\n" if "\r\n\r\n" not in done.stdout else "\r\n\r\n")
        first, *lines = head.splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]), headers, body)

    def initialize(self):
        answer = self.request(message=INITIALIZE)
        assert answer.status == 200, answer
        self.session = answer.headers["mcp-session-id"]
        accepted = self.request(message={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert accepted.status == 202, accepted
        return answer.json["result"]

    def call(self, method, /, **params):
        answer = self.request(message={"jsonrpc": "2.0", "id": 2, "method": method, "params": params})
        assert answer.status == 200, answer
        return answer.json["result"]

    def tool(self, tool, /, **arguments):
        return self.call("tools/call", name=tool, arguments=arguments)["content"][0]["text"]

    def arrivals(self, message):
        """When the events of the answer arrive, in seconds from the first of them."""
        command = self.host.command(*self._command("/mcp", message, "-N"))
        times = []
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
            for line in running.stdout:
                if line.startswith(b"data:") and line.strip() != b"data:":
                    times.append(time.monotonic())
        return [moment - times[0] for moment in times]
