# SPDX-License-Identifier: Apache-2.0
"""The real binary, run with a child on a port of its own, and observed through its event log."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import processes
from mcp_http import Http, LegacySession

ROOT = Path(__file__).resolve().parents[2]
PROXY = os.environ.get("MCP_PROXY_BIN", str(ROOT / ".build/debug/mcp-proxy"))
FIXTURE = os.environ.get("FIXTURE_BIN", str(ROOT / ".build/debug/fixture-server"))
# Servers in Python, for what the fixture server does not do.
SERVERS = Path(__file__).parent / "servers"
# What an ended process of the child can be called in the log, and an answered request.
EXITED = ("upstream.crashed", "upstream.backoff", "upstream.start_failed", "upstream.stopped")
FINISHED = ("request.completed", "request.failed", "request.timeout", "request.upstream_lost")
VENVS = Path(os.environ.get("VENVS", ROOT / ".venvs"))


def clean_environment(extra=None):
    """The environment of this process without settings that would configure the proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MCP_PROXY_")}
    kept.pop("INVOCATION_ID", None)
    return {**kept, **(extra or {})}


def run(*arguments, env=None, timeout=20, stdin=subprocess.DEVNULL):
    """Runs the proxy to its end and returns the finished process (text output)."""
    return subprocess.run(
        [PROXY, *arguments],
        env=clean_environment(env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
    )


class Proxy:
    """A running proxy. `events` are its log entries, in order, as dictionaries.

    `prefix`: a command that runs the rest of its arguments in its own process.
    """

    def __init__(self, flags, child, env=None, cwd=None, ready=True, debug=True, prefix=()):
        self.child = [str(part) for part in child]
        arguments = [PROXY, "--port", "0", "--log-format", "json", *map(str, flags), "--", *self.child]
        if debug:
            arguments.insert(1, "--debug")
        if not any(str(flag).startswith("--graceful-shutdown-timeout") for flag in flags):
            # Tests end with calls in flight; only those about draining wait for them.
            arguments[1:1] = ["--graceful-shutdown-timeout", "1s"]
        self.events = []
        self.stray = []
        self._changed = threading.Condition()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, *arguments],
            env=clean_environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self.process.pid
        for pipe in (self.process.stderr, self.process.stdout):
            threading.Thread(target=self._read, args=(pipe,), daemon=True).start()
        listen = self.event("proxy.started")["listen"]
        self.port = int(listen.rpartition(":")[2])
        self.http = Http(self.port)
        if ready:
            self.wait_ready()

    # Observing.

    def _read(self, pipe):
        for line in pipe:
            try:
                event = json.loads(line)
                kind = event["event"]
            except (ValueError, KeyError, TypeError):
                event = kind = None
            with self._changed:
                if kind is None:
                    self.stray.append(line.decode(errors="replace"))
                else:
                    self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def found(self, kind, **fields):
        """The events of that kind (or those kinds) whose fields have these values."""
        kinds = (kind,) if isinstance(kind, str) else kind
        with self._changed:
            events = list(self.events)
        return [e for e in events if e["event"] in kinds and all(e.get(k) == v for k, v in fields.items())]

    def event(self, kind, timeout=20.0, count=1, **fields):
        """Waits until that many such events have been logged and returns the last of them."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := self.found(kind, **fields)) < count:
                left = deadline - time.monotonic()
                ended = self.process.poll() is not None and left < timeout - 1
                if left <= 0 or ended:
                    raise AssertionError(f"no {kind} {fields} (x{count}) in time; the log:\n{self.log()}")
                self._changed.wait(min(left, 0.2))
        return found[count - 1]

    def exited(self, timeout=20.0, count=1, **fields):
        """Waits for that many ends of a process of the child and returns the last of them."""
        return self.event(EXITED, timeout, count, **fields)

    def log(self):
        return "\n".join([json.dumps(event) for event in self.events[-60:]] + self.stray[-20:])

    def ready(self):
        """The answer of /readyz."""
        return self.http.get("/readyz")

    def wait_ready(self, timeout=30.0):
        def answered():
            assert self.process.poll() is None, f"the proxy ended with {self.process.returncode}:\n{self.log()}"
            return self.ready().status == 200

        processes.eventually(answered, timeout, "readiness")

    @property
    def child_pids(self):
        """The process ids of all children ever started; each leads a group of that number."""
        return [event["pid"] for event in self.found("upstream.started")]

    @property
    def child_pid(self):
        """The process id of the newest child (the log may be a moment behind what the proxy answers)."""
        self.event("upstream.started")
        return self.child_pids[-1]

    def survivors(self):
        """What is left of the groups of all its children."""
        return processes.members(set(self.child_pids))

    # Acting.

    def session(self, revision="2025-11-25", capabilities=None, client="test", listen=False):
        return self.http.session(revision, capabilities, client, listen)

    def sse_session(self, revision="2024-11-05", capabilities=None):
        return LegacySession(self.http, revision, capabilities)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def sse_url(self):
        return f"http://127.0.0.1:{self.port}/sse"

    def kill_child(self, number=signal.SIGKILL):
        """Sends the newest child a signal and returns its process id."""
        pid = self.child_pid
        os.kill(pid, number)
        return pid

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout=20.0):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the proxy still runs after {timeout} s; the log:\n{self.log()}") from None

    def stop(self, timeout=20.0):
        """Ends it as systemd does and checks that it leaves nothing behind."""
        if self.process.poll() is None:
            # One that has just ended is a zombie for a moment.
            processes.eventually(lambda: processes.zombies(self.pid) == [], 5, "reaping of every child")
            self.signal()
            status = self.wait(timeout)
            assert status == 0, f"exit status {status}; the log:\n{self.log()}"
        left = self.survivors()
        assert left == [], f"processes survived the proxy: {left}"

    def discard(self):
        """Ends everything by force: for a test that is over already, whatever it showed."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in self.survivors():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except OSError:
                pass
