# SPDX-License-Identifier: Apache-2.0
"""Sixty-four clients that use the same ids, a hundred thousand calls, and a child that is killed every second."""

import os
import signal
import threading
import time

import pytest

from load import Load
from mcp_http import text
from processes import resident_bytes, zombies

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


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_hundred_thousand_calls_while_the_child_is_killed_every_second(proxy, record_property):
    running = proxy(debug=False)
    sessions = [running.session() for _ in range(CLIENTS)]
    load, killer = Load(running.port, sessions), Killer(running)
    started = time.monotonic()
    killer.start()
    load.run(CALLS, CALL_TIMEOUT)
    killer.done.set()
    killer.join()
    took = time.monotonic() - started
    time.sleep(0.5)
    load.close()
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
