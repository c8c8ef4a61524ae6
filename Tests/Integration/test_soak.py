# SPDX-License-Identifier: Apache-2.0
"""Sixty-four clients that use the same ids, a hundred thousand calls, and a child that is killed every second; and what
is left of many crashes.
"""

import os
import re
import signal
import threading
import time
from collections import Counter

import pytest

from load import Load
from mcp_http import text
from processes import descriptors, eventually, resident_bytes, zombies
from scrape import scrape

CLIENTS = 64
CALLS = int(os.environ.get("SOAK_CALLS", "100000"))
# What a call may wait: for a child that was just killed, and for its turn behind 63 others.
CALL_TIMEOUT = 30


class Killer(threading.Thread):
    """Kills the newest child every second until it is told to stop."""

    def __init__(self, proxy):
        super().__init__(daemon=True)
        self.proxy = proxy
        self.kills = 0
        self.zombies = []
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(1.0):
            try:
                os.kill(self.proxy.child_pid, signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass
            time.sleep(0.2)
            self.zombies += zombies(self.proxy.pid)


class Footprint:
    """What a proxy holds: open descriptors by kind, series of metrics, memory."""

    def __init__(self, running):
        self.descriptors = Counter(re.sub(r"[0-9]+", "", target) for target in descriptors(running.pid).values())
        scrape(running.http)  # its own series is there from now on
        self.series = {(sample.name, sample.labels) for sample in scrape(running.http).samples}
        self.bytes = resident_bytes(running.pid)


def footprint_is(running, before, most_bytes):
    """Waits until no more is open than before, and checks that the rest has not grown either."""
    eventually(lambda: Footprint(running).descriptors <= before.descriptors, 20, f"{before.descriptors} again")
    after = Footprint(running)
    assert after.series - before.series == set()
    assert after.bytes - before.bytes < most_bytes, f"{before.bytes >> 10} KiB became {after.bytes >> 10} KiB"


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_hundred_thousand_calls_while_the_child_is_killed_every_second(proxy, record_property):
    running = proxy(debug=False)
    sessions = [running.session() for _ in range(CLIENTS)]

    def soak(calls):
        load, killer = Load(running.port, sessions), Killer(running)
        started = time.monotonic()
        killer.start()
        load.run(calls, CALL_TIMEOUT)
        killer.done.set()
        killer.join()
        took = time.monotonic() - started
        time.sleep(0.5)
        load.close()
        return load, killer, took

    # Until everything has happened once.
    while not soak(CALLS // 10)[0].outcomes["upstream_exited"]:
        pass
    before = Footprint(running)
    load, killer, took = soak(CALLS)
    print(
        f"{CALLS} calls in {took:.1f} s ({CALLS / took:.0f}/s), {killer.kills} kills, {dict(load.outcomes)}, "
        f"slowest {load.slowest:.2f} s, {resident_bytes(running.pid) >> 20} MiB resident"
    )

    assert load.wrong == []
    assert load.outcomes.total() == CALLS
    assert set(load.outcomes) <= {"result", "upstream_exited"}
    # Only what was in flight is lost: at most one call per client and kill.
    assert load.outcomes["upstream_exited"] <= killer.kills * CLIENTS
    assert killer.kills >= 5
    assert killer.zombies == []
    for session in sessions:
        assert text(session.tool("echo", text="the session lives")) == "the session lives"
    assert running.found("session.closed") == running.found("session.expired") == []
    footprint_is(running, before, 32 << 20)


def test_many_crashes_leave_nothing_behind(proxy):
    """A hundred crashes, of children that belong to a session each."""
    running = proxy("--isolation", "session", debug=False)
    sessions = [running.session() for _ in range(10)]

    def crash_all():
        time.sleep(0.6)  # a child that has lived for half a second comes back at once
        for call in [session.start_tool("crash", status=1) for session in sessions]:
            assert call.answer()["error"]["data"]["reason"] == "upstream_exited"
        for session in sessions:
            assert text(session.tool("echo", text="alive")) == "alive"

    for _ in range(2):
        crash_all()
    before = Footprint(running)
    for _ in range(10):
        crash_all()
    exits = scrape(running.http).value("mcp_proxy_upstream_exits_total", reason="exit")
    assert exits == 120
    footprint_is(running, before, 8 << 20)
    assert zombies(running.pid) == []
