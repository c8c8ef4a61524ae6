# SPDX-License-Identifier: Apache-2.0
"""Proxies that log to a journal and keep their ports when they are started again, to do things to."""

import contextlib
import http.client
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

import processes
from alerting_stack import free_port
from control_group import ControlGroup
from journal import JournaledProxy
from mcp_http import Http
from proxy_process import FIXTURE, PROXY, clean_environment
from scrape import scrape


class FaultProxy(JournaledProxy):
    """`prefix`: a command that runs the rest of its arguments in its own process."""

    def __init__(self, journal, name, flags=(), child=None, env=None, prefix=()):
        self.journal, self.name = journal, name
        self.child = [str(part) for part in child or [FIXTURE]]
        self.port, self.admin_port = free_port(), free_port()
        self.instance = f"127.0.0.1:{self.admin_port}"
        self.http = Http(self.port)
        self.admin = Http(self.admin_port)
        self._stderr = journal.directory / f"stderr-{name}"
        self._command = journal.inside(
            *(*prefix, PROXY, "--name", name, "--log", "journal"),
            *("--port", self.port, "--admin-listen", self.instance, "--graceful-shutdown-timeout", "1s"),
            *(*flags, "--", *self.child),
        )
        self._environment = clean_environment({"JOURNAL_STREAM": "", **(env or {})})
        self.process = None

    def start(self):
        """Starts it, again if it has ended, and waits until it is ready."""
        with open(self._stderr, "ab") as output:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self.process.pid
        self.wait_ready()

    def ready(self):
        return self.admin.get("/readyz")

    def wait_ready(self, timeout=30.0):
        def answers():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.stderr()}"
            with contextlib.suppress(OSError):
                return self.ready().status == 200

        processes.eventually(answers, timeout, f"readiness of {self.name}")

    def restart(self):
        """Ends it as systemd does and starts it again."""
        self.signal(signal.SIGTERM)
        self.wait()
        self.start()

    def metric(self, name):
        """The sum of a metric over all its labels."""
        return scrape(self.admin).total(name)

    def discard(self):
        if self.process:
            super().discard()

    def learned_session(self):
        """A session whose client has asked for the tools, so that metrics know their names."""
        session = self.session()
        session.request("tools/list")
        return session


@contextlib.contextmanager
def repeated(action, pace, threads=1):
    """Does something again and again, with a pause between, on threads of their own; that it fails is all right."""
    done = threading.Event()

    def run():
        while not done.is_set():
            with contextlib.suppress(AssertionError, OSError, http.client.HTTPException):
                action()
            done.wait(pace)

    running = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in running:
            thread.join(60)


@contextlib.contextmanager
def unit_group(name):
    """A control group as systemd makes one for a unit: what runs in it is of that unit to journald."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    roots = [Path(line.split()[1]) for line in mounts if line.split()[2] == "cgroup2"]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("no control group of version 2 can be made")
    slice_ = roots[0] / f"mcp_proxy_test_{os.getpid()}.slice"
    group = slice_ / f"{name}.service"
    group.mkdir(parents=True)
    try:
        yield ControlGroup(group, 2)
    finally:
        for path in (group, slice_):
            processes.eventually(lambda path=path: removed(path), what="the end of the unit's control group")


def removed(path):
    try:
        path.rmdir()
    except OSError:
        return False
    return True
