# SPDX-License-Identifier: Apache-2.0
"""Real proxies in front of the fixture server, each with what a dashboard must show: one scenario, one instance.

A scenario is told which step of the run it is and does what belongs there; between steps all of them are scraped.
"""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import journal
from fake_engine import FakeEngine
from otlp_collector import Collector
from processes import eventually
from proxy_process import FIXTURE, Proxy

# Steps of a run, and what one of them stands for in seconds: together one hour.
STEPS = 180
STEP = 20
# Nobody listens there.
NO_COLLECTOR = "http://127.0.0.1:9"


class Scenario:
    """One instance. `name` is what it is called in the dashboards, `label` the scenario it shows."""

    label = name = None
    flags = ()
    fixture = ()
    is_container = False
    env = {}

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="scenario-"))
        self.calls = []
        self.proxy = None

    def start(self):
        child = FakeEngine(self.directory / "engine").command if self.is_container else [FIXTURE, *self.fixture]
        self.proxy = Proxy(["--name", self.name, *self.flags], child, self.env, debug=False)
        self.session = self.proxy.session()
        self.session.request("tools/list")

    def act(self, step):
        raise NotImplementedError

    def begin(self, tool, **arguments):
        """A call whose answer nobody waits for yet."""
        self.calls.append(self.session.start_tool(tool, **arguments))
        return self.calls[-1]

    def close(self):
        if self.proxy:
            self.proxy.discard()
        shutil.rmtree(self.directory)


class Healthy(Scenario):
    """Every feature in use, nothing wrong; a reload, and spans that arrive."""

    label, name = "healthy", "time"
    is_container = True

    def start(self):
        self.collector = Collector()
        self.env = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        config = self.directory / "config.yaml"
        config.write_text("queue: 512\n", encoding="utf-8")
        self.flags = ("--config", config)
        super().start()
        self.asking = self.proxy.session(capabilities={"sampling": {}}, listen=True)
        self.legacy = self.proxy.sse_session()

    def act(self, step):
        self.session.tool("echo", text="x" * (step % 50))
        if step % 2:
            self.session.tool("add", a=step, b=1)
            self.legacy.tool("echo", text="legacy")
        if step % 5 == 0:
            self.session.tool("sleep", ms=5 + step % 30)
        if step % 10 == 0:
            self.session.request("prompts/get", {"name": "plain"})
            self.session.request("resources/read", {"uri": "test://static/1"})
            self.session.tool("stderr", text="looked up a zone")
            self.session.tool("log", level="info", text="zone is known")
        if step % 30 == 15:
            passing = self.proxy.session("2025-06-18", listen=True)
            passing.tool("echo", text="hello")
            passing.stream.close()
            passing.delete()
            call = self.asking.start_tool("sample", prompt="which zone?")
            asked = call.method("sampling/createMessage")
            self.asking.answer(asked, {"role": "assistant", "model": "m", "content": {"type": "text", "text": "UTC"}})
            call.answer()
        if step == 90:
            self.proxy.signal(signal.SIGHUP)
            self.proxy.event("config.reloaded")

    def close(self):
        super().close()
        self.collector.close()


class Crash(Scenario):
    """Three crashes, nonsense on stdout, and at last a server that can't be started any more."""

    label, name = "crash", "git"

    def start(self):
        self.file = self.directory / "broken"
        self.fixture = ("--crash-file", self.file)
        super().start()

    def act(self, step):
        crashes = {40: {"status": 3}, 75: {"signal": 11}, 100: {"status": 0}}
        if self.proxy.ready().status == 200:
            self.session.tool("echo", text="x")
            if 50 <= step < 110 and step % 2:
                self.session.tool("garbage", kind="text")
            if step % 10 == 9:
                self.session.tool("env", name="NO_SUCH_VARIABLE")
        if step in crashes:
            eventually(lambda: self.proxy.ready().status == 200, 20, "a server that can crash")
            self.begin("echo", text="in flight")
            self.session.tool("crash", **crashes[step])
        if step == 125:
            self.file.touch()
            self.proxy.kill_child()
        if step > 125 and step % 8 == 0:
            self.begin("echo", text="is anybody there?")
        if step == STEPS - 25:
            self.proxy.event("upstream.backoff", count=3, was_ready=False)


class Overload(Scenario):
    """More calls than the server can take and the queue can hold."""

    label, name = "overload", "browser"
    flags = ("--max-in-flight", "2", "--queue", "5", "--max-sessions", "40")

    def act(self, step):
        self.session.tool("echo", text="x") if not 60 <= step < 140 else None
        if 60 <= step < 140:
            for _ in range(3):
                self.begin("sleep", ms=300)
        if step == 140:
            for call in self.calls:
                call.answer()
        if step == 30:
            self.idle = [self.proxy.session() for _ in range(30)]


class Slow(Scenario):
    """Tools that take longer than anybody wants to wait, and one that never answers."""

    label, name = "slow", "search"
    flags = ("--request-timeout", "13s")

    def act(self, step):
        if step == 0:
            # What never answers a call answers pings all the same.
            self.begin("hang_call")
        if step in (0, 2, 4, 6):
            self.begin("sleep", ms=10_500 + 100 * step)
        if step % 3 == 0:
            self.session.tool("sleep", ms=20 + step % 60)
        if step % 20 == 10:
            self.begin("sleep", ms=1200)
        if step == 140:
            for call in self.calls:
                call.answer()


class JournalDown(Scenario):
    """Neither journald nor the collector of traces is there any more."""

    label, name = "journal-down", "memory"

    def start(self):
        self.journal = journal.Journal()
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": NO_COLLECTOR, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        self.proxy = journal.JournaledProxy(self.journal, ["--name", self.name, "--journal-burst", "60"], env=env)
        self.proxy.wait_ready()
        self.session = self.proxy.session()
        self.session.request("tools/list")

    def act(self, step):
        self.session.tool("echo", text="x")
        if step % 4 == 0:
            self.session.tool("add", a=1, b=1)
        if step == 80:
            self.journal.kill()
        if step in (110, 140):
            # More than is kept while nobody takes it.
            self.session.tool("flood_stderr", mb=4)
        # What comes and goes is told in the journal, each in an entry.
        self.proxy.session().delete()

    def close(self):
        super().close()
        self.journal.close()


class Sparse(Scenario):
    """Ten calls in a day: nine before the hour in which the others run, each with the page after it, and one in it."""

    label, name = "sparse", "weather"
    before = 9

    def history(self, scrape):
        """The pages of the day before: one at its start, then one after each call."""
        pages = [(time.time(), scrape())]
        for number in range(self.before):
            self.session.tool("echo", text=f"call {number}")
            pages.append((time.time(), scrape()))
        return pages

    def act(self, step):
        if step == 100:
            self.session.tool("echo", text="the last call of the day")


class Down(Scenario):
    """A proxy that is started anew once, and later is gone for good."""

    label, name = "down", "files"
    restarts, ends = 60, 140

    def act(self, step):
        if step < self.ends:
            if step == self.restarts:
                self.proxy.discard()
                self.start()
            self.session.tool("echo", text="x")
        elif step == self.ends:
            self.proxy.discard()


def scenarios():
    """Those that can run here."""
    kinds = [Healthy, Crash, Overload, Slow, Sparse, Down]
    if os.geteuid() == 0 and not journal.reason_to_skip():
        kinds.append(JournalDown)
    return [kind() for kind in kinds]
