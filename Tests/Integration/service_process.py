# SPDX-License-Identifier: Apache-2.0
"""The proxy started as systemd starts it: knowing its own process id, and with open sockets from descriptor 3 on."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from mcp_http import Http
from proxy_process import FIXTURE, PROXY, Proxy, clean_environment

# What a value of the environment becomes in the new process: its id.
OWN_PID = "%own pid%"

# Runs where systemd has its code between fork and exec. The sockets are first moved out of each other's way.
LAUNCHER = f"""
import fcntl, os, sys
end = sys.argv.index("--")
high = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1:end]]
for number in sys.argv[1:end]: os.close(int(number))
for index, number in enumerate(high):
    os.dup2(number, 3 + index)
    os.close(number)
for name, value in os.environ.items():
    if value == {OWN_PID!r}: os.environ[name] = str(os.getpid())
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
"""


def launch(arguments, env, sockets, popen=subprocess.Popen, **options):
    """Starts the proxy with `sockets` (anything with a descriptor) as descriptors 3 and up."""
    numbers = [each.fileno() for each in sockets]
    return popen(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, numbers), "--", PROXY, *map(str, arguments)],
        env=clean_environment(env),
        pass_fds=numbers,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def activation(*names, **changed):
    """The variables of socket activation; one given as None is left out."""
    variables = {"LISTEN_FDS": str(len(names)), "LISTEN_PID": OWN_PID, "LISTEN_FDNAMES": ":".join(names), **changed}
    return {name: value for name, value in variables.items() if value is not None}


class Service(Proxy):
    """A running proxy with the whole command line in the hands of the test."""

    def __init__(self, *arguments, env=None, sockets=()):
        self.events = []
        self.stray = []
        self._changed = threading.Condition()
        self.started = time.monotonic()
        self.process = launch(("--log-format", "json", "--debug", *arguments), env, sockets)
        self.pid = self.process.pid
        for pipe in (self.process.stderr, self.process.stdout):
            threading.Thread(target=self._read, args=(pipe,), daemon=True).start()
        started = self.event("proxy.started")
        self.http = at(started["listen"])
        self.admin = at(started["admin_listen"]) if "admin_listen" in started else None


def at(address):
    """HTTP to where the proxy says that it listens."""
    path = address.removeprefix("unix:")
    return UnixHttp(path) if path.startswith("/") else Http(int(address.rpartition(":")[2]))


class UnixHttp(Http):
    """HTTP over a Unix socket."""

    def __init__(self, socket_path, path="/mcp"):
        super().__init__(0, path=path)
        self.socket_path = str(socket_path)

    def send(self, method, path, body=None, headers=None, timeout=30.0):
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = connection.wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(timeout)
        connection.sock.connect(self.socket_path)
        connection.request(method, path, json.dumps(body) if isinstance(body, (dict, list)) else body, headers or {})
        return connection


@pytest.fixture
def service(request):
    """Starts services, like `proxy`: `service("--port", "0", "--", FIXTURE, env={...}, sockets=[...])`."""
    running = []

    def start(*arguments, **options):
        running.append(Service(*(arguments or ("--port", "0", "--", FIXTURE)), **options))
        return running[-1]

    yield start
    try:
        for each in running:
            if getattr(request.node, "failed", False):
                print(f"\nthe log of the proxy:\n{each.log()}")
            else:
                each.stop()
    finally:
        for each in running:
            each.discard()
