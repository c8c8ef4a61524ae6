# SPDX-License-Identifier: Apache-2.0
"""journald is stopped, killed, or gone: callers notice nothing, and the journal tells afterwards what it misses."""

import http.client
import json
import signal
import threading
import time

import pytest

from journal import NO_LIMIT, check_losses, journal, journaled, journals, numbers, of_kind, problems  # noqa: F401
from mcp_http import text, tool
from processes import eventually

# Each makes an entry of about 700 bytes, and the queue takes less than 1 MiB.
CALLS = 2000


class Caller:
    """Calls one after the other, and how long each took."""

    def __init__(self, running):
        self.session = running.session()
        self.wire = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        self.count = 0

    def calls(self, number):
        """The time in seconds that 99 % of so many calls stayed below. Each must succeed."""
        took = []
        for _ in range(number):
            self.count += 1
            started = time.monotonic()
            self.wire.request("POST", "/mcp", json.dumps(tool("echo", self.count, text="x")), self.session.headers)
            response = self.wire.getresponse()
            answer = json.loads(response.read())
            took.append(time.monotonic() - started)
            assert (response.status, answer["id"], text(answer)) == (200, self.count, "x")
        return sorted(took)[number * 99 // 100]


def unhurried(disturbed, undisturbed):
    """Generous, since the machine does other things, too: a caller that waits for journald would wait for seconds."""
    assert disturbed < 3 * undisturbed + 0.005, f"p99 {disturbed * 1000:.2f} ms beside {undisturbed * 1000:.2f} ms"


def dropped(running):
    """Lost entries by reason, by the metrics."""
    name = "mcp_proxy_journal_events_dropped_total"
    return {labels[0]: value for (sample, *labels), value in running.scrape().items() if sample == name}


def check_accounts(running, calls):
    """Ends the run: what is in the journal and what is reported as lost is all there was. Returns all entries."""
    samples = running.scrape()
    entries = running.stop()
    missing = check_losses(entries)
    lost = sum(value for (name, *_), value in samples.items() if name == "mcp_proxy_journal_events_dropped_total")
    assert lost == len(missing)
    assert sum(problems(entry) != [] for entry in entries) == 0
    completed = len(of_kind(entries, "request.completed"))
    # The calls and initialize; some of the lost may have been others.
    assert completed <= calls + 1 <= completed + len(missing)
    assert samples[("mcp_proxy_events_total", "request.completed")] == calls + 1
    numbered = sum(value for (name, *_), value in samples.items() if name == "mcp_proxy_journal_events_total")
    events_after = [entry for entry in entries if int(entry.get("MCP_SEQ", 0)) > numbered]
    assert {entry["MCP_EVENT"] for entry in events_after} <= {
        "proxy.stopping", "session.closed", "upstream.stopped", "proxy.stopped"
    }  # fmt: skip
    return entries


@pytest.mark.alone
def test_stopped(journal, journaled):
    """It blocks whoever sends to it. The queue overflows, but for what matters most: there is room left for crashes."""
    running = journaled(journal, *NO_LIMIT)
    caller = Caller(running)
    undisturbed = caller.calls(CALLS)
    running.wait_journal(1)
    journal.signal(signal.SIGSTOP)
    unhurried(caller.calls(CALLS), undisturbed)
    running.wait_journal(0)
    while not dropped(running)["buffer_full"]:
        caller.calls(200)
    full = len(numbers(running.entries()))
    session = running.session()
    assert session.tool("crash", status=7)["error"]["data"]["reason"] == "upstream_exited"
    eventually(lambda: running.ready().status == 200, 30, "recovery")
    caller.calls(100)
    assert len(numbers(running.entries())) == full, "journald reads nothing"
    journal.signal(signal.SIGCONT)
    running.wait_journal(1)
    caller.calls(10)
    crashed = running.event("upstream.crashed", EXIT_STATUS=7)
    report = running.event("telemetry.dropped", MCP_REASON="buffer_full")
    assert report["PRIORITY"] == "4"
    assert dropped(running).keys() == {"buffer_full", "send_error", "no_journald", "oversize"}
    assert sum(dropped(running).values()) == dropped(running)["buffer_full"] > 100
    entries = check_accounts_with_crash(running, caller.count)
    before, after = int(crashed["MCP_SEQ"]) - 1, int(crashed["MCP_SEQ"]) + 1
    assert not {before, after} <= set(numbers(entries)), "the crash came when there was no room for others"


def check_accounts_with_crash(running, calls):
    """The other session's initialize is one more request."""
    return check_accounts(running, calls + 1)


@pytest.mark.alone
@pytest.mark.parametrize("held", [False, True], ids=["refusing", "held"])
def test_killed(journals, journaled, held):
    """Nobody listens any more; or systemd holds the socket, so that entries pile up in it: nothing is lost by that.

    Nothing is under way at that moment: what a process had taken from its socket dies with it.
    """
    journal = journals(held=held)
    running = journaled(journal, *NO_LIMIT)
    caller = Caller(running)
    undisturbed = caller.calls(CALLS)
    running.wait_journal(1)
    journal.kill()
    unhurried(caller.calls(CALLS), undisturbed)
    running.wait_journal(0)
    while not (reasons := {reason for reason, count in dropped(running).items() if count}):
        caller.calls(200)
    assert reasons == {"buffer_full" if held else "no_journald"}
    journal.start()
    running.wait_journal(1)
    caller.calls(10)
    entries = check_accounts(running, caller.count)
    assert {entry["MCP_REASON"] for entry in of_kind(entries, "telemetry.dropped")} == reasons


@pytest.mark.alone
def test_without_its_socket(journal, journaled):
    """The system's library discards in silence then; the proxy does not."""
    running = journaled(journal, *NO_LIMIT)
    caller = Caller(running)
    undisturbed = caller.calls(CALLS)
    running.wait_journal(1)
    away = journal.socket.with_name("away")
    journal.socket.rename(away)
    unhurried(caller.calls(CALLS), undisturbed)
    running.wait_journal(0)
    while not dropped(running)["no_journald"]:
        caller.calls(200)
    assert sum(dropped(running).values()) == dropped(running)["no_journald"]
    away.rename(journal.socket)
    running.wait_journal(1)
    # Announced by itself, before anything else happens.
    report = running.event("telemetry.dropped")
    assert report["MCP_REASON"] == "no_journald"
    assert int(report["MCP_LOST"]) == int(report["MCP_LAST_SEQ"]) - int(report["MCP_FIRST_SEQ"]) + 1
    caller.calls(10)
    check_accounts(running, caller.count)


@pytest.mark.parametrize("failure", ["killed", "without its socket"])
def test_a_short_absence_loses_nothing(journal, journaled, failure):
    """What waits is sent, oldest first, when journald is back; nobody has to be told anything."""
    running = journaled(journal, *NO_LIMIT)
    caller = Caller(running)
    away = journal.socket.with_name("away")
    for _ in range(3):
        caller.calls(20)
        running.wait_journal(1)
        if failure == "killed":
            journal.kill()
        else:
            journal.socket.rename(away)
        caller.calls(100)
        running.wait_journal(0)
        if failure == "killed":
            journal.start()
        else:
            away.rename(journal.socket)
        running.wait_journal(1)
    entries = check_accounts(running, caller.count)
    assert of_kind(entries, "telemetry.dropped") == []
    assert numbers(entries) == list(range(1, len(entries) + 1))
    assert len(of_kind(entries, "request.completed")) == caller.count + 1


def test_restarts_under_load(journals, journaled):
    """As systemctl restart systemd-journald does it: with the socket held, and journald told to end."""
    journal = journals(held=True)
    running = journaled(journal, *NO_LIMIT)
    caller = Caller(running)
    done = threading.Event()
    failed = []

    def load():
        try:
            while not done.is_set():
                caller.calls(50)
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            failed.append(failure)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(3):
            seen = len(numbers(running.entries()))
            eventually(lambda seen=seen: len(numbers(running.entries())) > seen + 100, 30, "calls")
            journal.terminate()
            journal.start()
    finally:
        done.set()
        thread.join(30)
    assert failed == []
    running.wait_journal(1)
    entries = check_accounts(running, caller.count)
    assert of_kind(entries, "telemetry.dropped") == []
    assert len(of_kind(entries, "request.completed")) == caller.count + 1


@pytest.mark.parametrize("failure", ["stopped", "killed", "without its socket"])
def test_the_end_does_not_wait_for_journald(journal, journaled, failure):
    """A proxy that is stopped then exits as it always does."""
    running = journaled(journal, *NO_LIMIT)
    Caller(running).calls(10)
    running.wait_journal(1)
    if failure == "stopped":
        journal.signal(signal.SIGSTOP)
    elif failure == "killed":
        journal.kill()
    else:
        journal.socket.unlink()
    # More than the socket takes.
    Caller(running).calls(700)
    started = time.monotonic()
    running.signal()
    assert running.wait() == 0
    assert time.monotonic() - started < 5
    if failure == "stopped":
        journal.signal(signal.SIGCONT)
        journal.sync()
        assert of_kind(running.entries(), "request.completed")


def test_started_without_journald(journals, journaled):
    """stderr is connected to a journald that has died: entries wait for the next one."""
    journal = journals()
    stream = journal.stream()
    journal.kill()
    running = journaled(journal, *NO_LIMIT, log="auto", stream=stream, ready=False)
    journal.start()
    running.wait_ready()
    assert running.event("proxy.started")["MCP_SEQ"] == "1"
    entries = running.stop()
    assert numbers(entries) == list(range(1, len(entries) + 1))
