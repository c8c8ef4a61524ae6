# SPDX-License-Identifier: Apache-2.0
"""What the kernel knows of processes: read from /proc, so that a test believes nobody's word."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    state: str
    parent: int
    group: int
    session: int


def processes():
    """All processes there are."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := read(int(entry))):
            found.append(process)
    return found


def read(pid):
    """One process, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            stat = file.read()
    except OSError:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    return Process(pid, name, fields[0], int(fields[1]), int(fields[2]), int(fields[3]))


def children(pid):
    return [process for process in processes() if process.parent == pid]


def zombies(pid):
    return [process for process in children(pid) if process.state == "Z"]


def alive(pid):
    process = read(pid)
    return process is not None and process.state not in "ZX"


def members(groups):
    """The living processes of these process groups or sessions."""
    return [p for p in processes() if p.state not in "ZX" and (p.group in groups or p.session in groups)]


def descriptors(pid):
    """What the open descriptors of a process point to."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            pass
    return found


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def eventually(condition, timeout=10.0, what="the condition"):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout} s"
        time.sleep(0.01)
