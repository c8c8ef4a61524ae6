# SPDX-License-Identifier: Apache-2.0
"""A real journald of the test's own, the proxy that logs to it, and what the catalogue says its entries are."""

import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import processes
from mcp_http import Http
from proxy_process import FIXTURE, PROXY, ROOT, Proxy, clean_environment

HERE = Path(__file__).parent / "journald"
CATALOGUE = json.loads((ROOT / "Sources/Telemetry/Catalogue/events.json").read_text(encoding="utf-8"))
KINDS = {kind["name"]: kind for kind in CATALOGUE["events"]}
CATALOG = ROOT / "deploy/journald/mcp-proxy.catalog"
# Made by the log itself: they tell of other entries, and are no events.
OF_THE_LOG = ("requests.summary", "telemetry.dropped")
# Those that have a test of their own: there is no container in most.
OF_CONTAINERS = {
    "container.leftovers_removed", "container.started", "engine.reachable", "engine.unreachable", "image.pull_failed",
    "image.pulled", "image.pulling", "upstream.engine_failed", "upstream.replaced", "upstream.replacement_failed",
}  # fmt: skip
# So much that nothing is left out.
NO_LIMIT = ("--journal-rate", "1000000", "--journal-burst", "1000000")


@functools.cache
def reason_to_skip():
    """Why no journald can be started here, or None."""
    if os.geteuid() != 0:
        return "needs root, for a mount namespace"
    if not journald() or not shutil.which("journalctl"):
        return "needs systemd-journald and journalctl (package systemd)"
    if not shutil.which("nsenter") or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        return "needs to make mount namespaces (unshare --mount)"
    return None


def journald():
    candidates = ("/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald")
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


class Journal:
    """A mount namespace with a journald in it, which can be stopped, killed and started again.

    `held`: whether the socket is held by another process and handed to journald, as systemd does.
    """

    def __init__(self, held=False, running=True):
        # Not in the folder of the test: paths of sockets must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="journal-"))
        self.socket = self.directory / "run/socket"
        self._spawned = []
        self._pid = None
        self._anchor = self._spawn(
            [HERE / "room.sh", self.directory, CATALOG.parent, "sh", "-c", "echo ready; exec cat"]
        )
        assert self._anchor.stdout.readline() == "ready\n", "the room could not be made"
        holder = self.inside(sys.executable, HERE / "socket_holder.py", journald())
        self._holder = self._spawn(holder) if held else None
        if running:
            self.start()

    def _spawn(self, command):
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._spawned.append(subprocess.Popen([str(part) for part in command], text=True, bufsize=1, **pipe))
        return self._spawned[-1]

    def inside(self, *command):
        """The command that runs a command in the namespace, in the same process."""
        return ["nsenter", f"--mount=/proc/{self._anchor.pid}/ns/mnt", "--", *map(str, command)]

    def run(self, *command):
        return subprocess.run(
            self.inside(*command), check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        ).stdout

    # journald.

    def start(self):
        (self.directory / "run/io.systemd.journal").unlink(missing_ok=True)
        if self._holder:
            self._holder.stdin.write("start\n")
            self._pid = int(self._holder.stdout.readline())
        else:
            # It must not outlive tests that are killed.
            self._pid = self._spawn(self.inside("setpriv", "--pdeathsig", "KILL", journald())).pid
        # Only now does it answer; bound is not enough.
        processes.eventually(self._answers, 20, "journald")

    def _answers(self):
        return subprocess.run(self.inside("journalctl", "--sync"), capture_output=True, timeout=20).returncode == 0

    def signal(self, number):
        os.kill(self._pid, number)
        if number == signal.SIGSTOP:
            processes.eventually(lambda: processes.read(self._pid).state == "T", what="journald's stop")

    def kill(self):
        """Ends it by force, with all it had been sent so far in its files."""
        self.sync()
        self._end(signal.SIGKILL)

    def terminate(self):
        """Ends it as systemd does."""
        self._end(signal.SIGTERM)

    def _end(self, number):
        os.kill(self._pid, number)
        for process in self._spawned:
            if process.pid == self._pid:
                process.wait(20)
        processes.eventually(lambda: not processes.alive(self._pid), what="journald's end")
        self._pid = None

    def sync(self):
        """What has been sent is now in the files."""
        self.run("journalctl", "--sync")

    def stream(self, identifier="stream"):
        """A descriptor that is connected to journald, as stderr of a unit is, and what JOURNAL_STREAM has to be."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.directory / "run/stdout"))
        # identifier, unit, priority, and whether to: parse priorities, forward to syslog, to kmsg, to the console
        connection.sendall(f"{identifier}\n\n6\n1\n0\n0\n0\n".encode())
        status = os.fstat(connection.fileno())
        return connection, f"{status.st_dev}:{status.st_ino}"

    # Reading.

    def read(self, *matches, output="json"):
        """What journalctl prints, running beside journald rather than asking it."""
        command = ["journalctl", "-D", str(self.directory / "log"), "--all", "--no-pager", "--quiet", "-o", output]
        finished = subprocess.run([*command, *matches], capture_output=True, text=True, timeout=60)
        # Without any file yet it fails.
        return finished.stdout

    def entries(self, *matches):
        return [json.loads(line) for line in self.read(*matches).splitlines()]

    def close(self):
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        for process in reversed(self._spawned):
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
        shutil.rmtree(self.directory)


class JournaledProxy(Proxy):
    """The proxy in the room of a journal. Its events are the entries, with their names in the journal.

    `stream`: what its stderr is connected to, from `journal.stream()`, or True for a new one; otherwise it is a file,
    whose text is `stderr()`.
    """

    def __init__(self, journal, flags, child=None, env=None, stream=None, log="journal"):
        self.journal = journal
        self.child = [str(part) for part in child or [FIXTURE]]
        flags = [str(flag) for flag in flags]
        if not any(flag.startswith("--graceful-shutdown-timeout") for flag in flags):
            flags += ["--graceful-shutdown-timeout", "1s"]
        self._stderr = journal.directory / f"stderr-{time.monotonic_ns()}"
        environment = clean_environment({"JOURNAL_STREAM": "", **(env or {})})
        with open(self._stderr, "wb") as file:
            stderr = file
            if stream:
                stderr, environment["JOURNAL_STREAM"] = journal.stream() if stream is True else stream
            self.process = subprocess.Popen(
                journal.inside(PROXY, "--port", "0", *(["--log", log] if log else []), *flags, "--", *self.child),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=stderr,
            )
            if stream:
                stderr.close()
        self.pid = self.process.pid

    def wait_ready(self, timeout=30.0):
        self.port = processes.eventually(self._listening, timeout, "the first line of the log")
        self.http = Http(self.port)
        super().wait_ready(timeout)

    def _listening(self):
        """The port, from an entry of this run or from its log on stderr."""
        assert self.process.poll() is None, f"the proxy ended with {self.process.returncode}: {self.stderr()}"
        for entry in self.found("proxy.started"):
            return int(entry["MCP_LISTEN"].rpartition(":")[2])
        streamed = self.journal.read(f"_PID={self.pid}", output="cat")
        found = re.search(r"127\.0\.0\.1:(\d+)", self.stderr() + streamed)
        return found and int(found[1])

    def stderr(self):
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    def entries(self, *matches):
        """Its entries, in the order of the journal."""
        return self.journal.entries(f"_PID={self.pid}", "_TRANSPORT=journal", *matches)

    def found(self, kind, **fields):
        kinds = (kind,) if isinstance(kind, str) else kind
        entries = self.entries(*(f"MCP_EVENT={each}" for each in kinds))
        return [entry for entry in entries if all(entry.get(k) == str(v) for k, v in fields.items())]

    def event(self, kind, timeout=30.0, count=1, **fields):
        """Waits until that many such entries are in the journal and returns the last of them."""
        deadline = time.monotonic() + timeout
        while len(found := self.found(kind, **fields)) < count:
            assert time.monotonic() < deadline, f"no {kind} {fields} (x{count}) in time; the log:\n{self.log()}"
            time.sleep(0.02)
        return found[count - 1]

    def log(self):
        return self.journal.read(f"_PID={self.pid}", "-n", "60", output="cat") + self.stderr()[-4000:]

    @property
    def child_pids(self):
        """Those that are alive: the journal may not know of all."""
        return [process.pid for process in processes.children(self.pid)]

    @property
    def child_pid(self):
        return self.child_pids[-1]

    def stop(self, timeout=30.0):
        """Ends it as systemd does, checks that it leaves nothing behind, and returns all entries of the run."""
        groups = set(self.child_pids)
        self.signal()
        assert self.wait(timeout) == 0, self.log()
        assert processes.members(groups) == [], "processes survived the proxy"
        self.journal.sync()
        return self.entries()

    def discard(self):
        groups = set(self.child_pids)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for process in processes.members(groups):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # Metrics.

    def scrape(self):
        """All samples: `[name, label value...]` to value."""
        page = self.http.get("/metrics")
        assert page.status == 200
        samples = {}
        for family in text_string_to_metric_families(page.body.decode()):
            for sample in family.samples:
                samples[(sample.name, *sample.labels.values())] = sample.value
        return samples

    def metric(self, name):
        """The sum over all labels, asked for alone; None when there is none."""
        page = self.http.get(f"/metrics?name[]={name}").body.decode()
        values = [s.value for f in text_string_to_metric_families(page) for s in f.samples if s.name == name]
        return sum(values) if values else None

    def wait_journal(self, up, timeout=20.0):
        """Waits until the metric says so; with `up` until nothing waits any more, too."""

        def reached():
            if self.metric("mcp_proxy_journal_up") != up:
                return False
            return not up or self.metric("mcp_proxy_journal_queue_bytes") == 0

        processes.eventually(reached, timeout, f"mcp_proxy_journal_up {up}")


# What the catalogue says.


def journal_name(field):
    """The name of a field of the catalogue in the journal."""
    named = {"session": "MCP_SESSION_ID", "trace_id": "TRACE_ID", "span_id": "SPAN_ID"}
    if field in named:
        return named[field]
    return "MCP_" + re.sub(r"_MS$", "_MSEC", re.sub(r"_US$", "_USEC", field.upper()))


def own_fields(entry):
    """Without those journald and journalctl add."""
    return {name: value for name, value in entry.items() if not name.startswith("_")}


def problems(entry):
    """What is wrong with an entry by its kind in the catalogue, as a list of sentences."""
    found = []
    fields = own_fields(entry)
    kind = KINDS.get(fields.get("MCP_EVENT"))
    if kind is None:
        return [f"no kind of event: {fields.get('MCP_EVENT')!r}"]
    for name, value in fields.items():
        if not isinstance(value, str):
            found.append(f"{name} is {value!r:.60}")
        elif len(f"{name}={value}".encode()) >= 4096:
            found.append(f"{name} has {len(value)} characters")
    if fields.get("MESSAGE_ID") != kind["messageId"]:
        found.append(f"MESSAGE_ID {fields.get('MESSAGE_ID')} is not that of {kind['name']}")
    if fields.get("PRIORITY") not in map(str, kind["priorities"]):
        found.append(f"PRIORITY {fields.get('PRIORITY')}")
    if fields.get("SYSLOG_IDENTIFIER") != "mcp-proxy" or fields.get("MCP_SCHEMA") != "1":
        found.append("not the proxy's identifier and schema")
    declared = {journal_name(field["name"]): field for field in kind["fields"]}
    for name, field in declared.items():
        if name in fields:
            shape = {"integer": r"-?\d+", "boolean": "[01]", "text": ".*"}[field["type"]]
            if not re.fullmatch(shape, str(fields[name])):
                found.append(f"{name} is no {field['type']}: {fields[name]!r}")
        elif not field.get("optional"):
            found.append(f"{name} is missing")
    common = {field["name"]: field.get("events") for field in CATALOGUE["journalFields"]}
    for name, events in common.items():
        # What systemd names too depends on how the process ended.
        if events is None and name not in fields and (name, kind["name"]) != ("MCP_SEQ", "telemetry.dropped"):
            found.append(f"{name} is missing")
    for name in fields.keys() - declared.keys():
        if name not in common or (common[name] is not None and kind["name"] not in common[name]):
            found.append(f"{name} is not declared")
    return found


# Accounts.


def numbers(entries):
    return [int(entry["MCP_SEQ"]) for entry in entries if "MCP_SEQ" in entry]


def of_kind(entries, kind):
    return [entry for entry in entries if entry["MCP_EVENT"] == kind]


def check_losses(entries):
    """Every number to the last is there once and in order, or one of those reported as lost. Returns the lost ones.

    To be asked about a whole run whose last entry got through.
    """
    assert entries[-1]["MCP_EVENT"] in ("proxy.stopped", "telemetry.dropped")
    seen = numbers(entries)
    assert seen == sorted(set(seen)), "out of order, or twice"
    missing = set(range(1, seen[-1] + 1)) - set(seen)
    reports = of_kind(entries, "telemetry.dropped")
    assert sum(int(report["MCP_LOST"]) for report in reports) == len(missing)
    for number in missing:
        assert any(int(report["MCP_FIRST_SEQ"]) <= number <= int(report["MCP_LAST_SEQ"]) for report in reports), number
    return missing


# Fixtures, to be imported by the tests that use them.


@pytest.fixture
def journals():
    """Makes journals: `journals(held=True)`."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    made = []

    def make(**options):
        made.append(Journal(**options))
        return made[-1]

    yield make
    for journal in made:
        journal.close()


@pytest.fixture
def journal(journals):
    return journals()


@pytest.fixture
def journaled(request, journals):
    """Starts proxies in a journal's room: `journaled(journal, *flags, child=[...])`, and waits until they are ready."""
    running = []

    def start(journal, *flags, ready=True, **options):
        running.append(JournaledProxy(journal, flags, **options))
        if ready:
            running[-1].wait_ready()
        return running[-1]

    yield start
    for proxy in running:
        if getattr(request.node, "failed", False):
            print(f"\nthe log of the proxy:\n{proxy.log()}")
        proxy.discard()
