# SPDX-License-Identifier: Apache-2.0
"""What docs/compatibility.md promises, and who is tried: its tables, as the test reads them."""

import sys

from proxy_process import FIXTURE, ROOT, SERVERS, VENVS

PAGE = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
VERDICTS = ("yes", "lossy", "no")

# The clients by the names of the page: who drives them, and by which transport.
CLIENTS = {
    "SDK 1.x": ("sdk1", "http"),
    "SDK 1.x over HTTP+SSE": ("sdk1", "sse"),
    "SDK 2.x, legacy": ("sdk2", "http"),
    "SDK 2.x, auto": ("sdk2-auto", "http"),
    "SDK 2.x, pinned": ("sdk2-pinned", "http"),
    "fastmcp 4, legacy": ("fastmcp", "http"),
    "fastmcp 4, auto": ("fastmcp-auto", "http"),
}
# The servers by the names of the page: their commands, given the file that they write to and the isolation.
COMMANDS = {
    "SDK 1.x": lambda trace, _: [VENVS / "sdk1/bin/python", SERVERS / "sdk1.py", trace],
    "SDK 2.x": lambda trace, isolation: [
        VENVS / "sdk2/bin/python", SERVERS / "sdk2.py", trace, *(["newest"] if isolation != "session" else []),
    ],
    "fixture": lambda trace, _: [FIXTURE, "--trace", trace],
    "exits when asked": lambda trace, _: [FIXTURE, "--trace", trace, "--exit-on-discover"],
    "never answers": lambda trace, _: [sys.executable, SERVERS / "deaf.py", FIXTURE, "--trace", trace],
}
# Where not all of the servers are tried, one of each kind is.
ISOLATIONS = {"shared": [*COMMANDS], "session": ["fixture", "SDK 2.x"], "pool": ["fixture", "SDK 2.x"]}
FLAGS = {"shared": (), "session": ("--isolation", "session"), "pool": ("--isolation", "pool=2")}


def tables():
    """The tables of the page: their rows, the first being the names of the columns."""
    found, rows = [], []
    for line in [*PAGE.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append([rows[0], *rows[2:]])
            rows = []
    return found


def column(rows, index):
    return [row[index] for row in rows[1:]]


SHARED, ISOLATED, DIFFERENT = tables()
PAIRS = SHARED[0][1:]


def verdict(feature, pair, isolation, client, server):
    """What the page says of a cell."""
    found = next(row for row in SHARED[1:] if row[0] == feature)[1 + PAIRS.index(pair)]
    for where, who, what, other in ISOLATED[1:]:
        if (where, what) == (f"`{isolation}`", feature) and who == pair:
            found = other
    # What one side can't do, the other does not make good.
    less = [found]
    for who, what, other, _ in DIFFERENT[1:]:
        if what == feature and concerns(who, isolation, client, server):
            less.append(other)
    return max(less, key=VERDICTS.index)


def concerns(who, isolation, client, server):
    """Whether a row of the last table is about this client or server."""
    side, _, name = who.partition(" ")
    name, _, condition = name.partition(", with a handshake")
    if side == "client":
        return client.startswith(name)
    return server == name and isolation == "session"


def combinations():
    """All that are tried: isolation, server, client."""
    for isolation, servers in ISOLATIONS.items():
        for server in servers:
            for client, (kind, _) in CLIENTS.items():
                # This one has nothing to fall back to, and is sent away.
                if isolation != "session" or kind != "sdk2-pinned":
                    yield isolation, server, client


