# SPDX-License-Identifier: Apache-2.0
"""The disk of the journal is full: journald takes what it is sent and throws it away, which no sender can notice.

No alert of a proxy can tell of it, so watch the disk of the host as well. Calls go on, metrics count on, and afterwards
the numbers of the entries show what is missing.
"""

import base64
import os
import socket

import pytest

from fault_proxy import FaultProxy
from journal import NO_LIMIT, journals  # noqa: F401
from processes import eventually

MIB = 1 << 20
# Room for two files of journald, which have 8 MiB each.
DISK = 18 * MIB


@pytest.fixture
def journal(journals):
    """A journal on a small disk."""
    journal = journals(running=False)
    journal.run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", "/run/log/journal")
    journal.start()
    return journal


@pytest.fixture
def running(journal):
    proxy = FaultProxy(journal, "full", NO_LIMIT)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.discard()


def entries(journal):
    """The numbers of the entries of the proxy, as people in the room see them."""
    printed = journal.run("journalctl", "--quiet", "MCP_SERVER=full", "--output=cat", "--output-fields=MCP_SEQ")
    return [int(line) for line in printed.split()]


def fill(journal):
    """Takes what is left of the disk, and then of the file that journald has."""
    journal.run("sh", "-c", "cat /dev/zero >/run/log/journal/filler 2>/dev/null || true")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for _ in range(12 * MIB // (96 * 1024)):
            noise = base64.b64encode(os.urandom(72 * 1024))
            sender.sendto(b"SYSLOG_IDENTIFIER=noise\nMESSAGE=" + noise + b"\n", str(journal.socket))
    journal.sync()


def test_entries_vanish_and_their_numbers_tell(journal, running):
    session = running.session()
    session.tool("echo", text="before")
    journal.sync()
    before = entries(journal)
    fill(journal)
    for _ in range(20):
        assert "result" in session.tool("echo", text="lost")
    journal.sync()
    assert entries(journal) == before
    # To the proxy all is well.
    assert running.metric("mcp_proxy_journal_up") == 1
    assert running.metric("mcp_proxy_journal_queue_bytes") == 0
    assert running.metric("mcp_proxy_journal_events_dropped_total") == 0
    assert running.metric("mcp_proxy_journal_events_total") == len(before) + 20
    journal.run("rm", "/run/log/journal/filler")

    def heard():
        session.tool("echo", text="after")
        journal.sync()
        return [number for number in entries(journal) if number > before[-1]]

    after = eventually(heard, 20, "an entry after the disk has room again")
    assert after[0] > before[-1] + 20
