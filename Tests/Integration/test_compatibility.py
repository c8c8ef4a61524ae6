# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/compatibility.md, cell by cell, with official clients and servers: each verdict is the truth. And
everything that a client is sent on the way is what its revision allows.
"""

import re

import pytest

from compatibility import (
    CLIENTS,
    COMMANDS,
    DIFFERENT,
    FLAGS,
    ISOLATED,
    ISOLATIONS,
    PAGE,
    PAIRS,
    SHARED,
    VERDICTS,
    column,
    combinations,
    verdict,
)
from features import ANSWERS, CHECKS, Setup, truth
from sdk_client import SDKError
from tap import Tap
from wire_check import check


@pytest.fixture
def setup(proxy, sdk, tmp_path):
    """Makes a `Setup` of the names of the page; its client is connected through a tap, `setup.tap`."""
    taps = []

    def make(isolation, server, client, **config):
        trace = tmp_path / "trace"
        running = proxy(*FLAGS[isolation], child=COMMANDS[server](trace, isolation))
        kind, transport = CLIENTS[client]
        taps.append(Tap(running.port))
        path = {"http": "mcp", "sse": "sse"}[transport]
        url = f"http://127.0.0.1:{taps[-1].port}/{path}"
        made = Setup(running, sdk(kind, running, transport, url=url, **config), trace)
        made.tap = taps[-1]
        return made

    yield make
    for tap in taps:
        tap.close()


def cases():
    for names in combinations():
        yield pytest.param(*names, id="-".join(re.sub(r"\W+", "_", name) for name in names))


@pytest.mark.parametrize(("isolation", "server", "client"), [*cases()])
def test_every_feature(setup, schema, isolation, server, client):
    """One client and one server for all of them: starting either costs more than all that they do."""
    made = setup(isolation, server, client, log_level="warning", **ANSWERS)
    differences = []
    for feature in CHECKS:
        found, why = truth(made, feature)
        promised = verdict(feature, made.pair, isolation, client, server)
        if found != promised:
            differences.append(f"{feature}: {promised} says the page of {made.pair}, but it is {found}: {why}")
    made.client.close()
    problems, count = check(schema, made.tap.exchanges)
    assert differences == [] and problems == [], "\n".join(differences + problems)
    assert count > 30, "that is less than such a client is sent"


@pytest.mark.parametrize("server", ISOLATIONS["session"])
def test_a_child_for_each_session(setup, schema, server):
    """Who knows nothing but the newest revision is told what to do, by an error of that revision."""
    made = setup("session", server, "SDK 2.x, pinned")
    for op in ("list_tools", "list_prompts", "list_resources"):
        with pytest.raises(SDKError) as raised:
            made.client.do(op)
        assert raised.value.data["reason"] == "stateless_revision"
        assert "send initialize" in raised.value.error["message"]
    problems, count = check(schema, made.tap.exchanges)
    assert (problems, count) == ([], 3)


def test_the_page():
    """Its tables name what is tried, and nothing else; and every loss is explained."""
    assert set(column(SHARED, 0)) == set(CHECKS)
    assert {cell for row in SHARED[1:] for cell in row[1:]} == set(VERDICTS)
    assert set(column(ISOLATED, 0)) <= {f"`{isolation}`" for isolation in ISOLATIONS}
    assert set(column(ISOLATED, 1)) <= {*PAIRS}
    for rows, index in ((ISOLATED, 2), (DIFFERENT, 1)):
        assert set(column(rows, index)) <= set(CHECKS)
        assert set(column(rows, index + 1)) <= set(VERDICTS)
    for who in column(DIFFERENT, 0):
        side, _, name = who.partition(" ")
        known = CLIENTS if side == "client" else COMMANDS
        assert any(each.startswith(name.partition(", with a handshake")[0]) for each in known), who
    for name in [*CLIENTS, *COMMANDS]:
        assert name in PAGE.split("## What is tried")[1], f"nothing says that {name} is tried"
    losses = PAGE.split("## What is lost, and why")[1]
    for row in SHARED[1:]:
        assert set(row[1:]) == {"yes"} or f"* **{row[0]}**" in losses, f"nothing explains what is lost of {row[0]}"


NEWEST_SERVER = pytest.mark.parametrize("client", ["SDK 1.x", "SDK 2.x, legacy", "SDK 2.x, pinned"])


@NEWEST_SERVER
def test_many_rounds(setup, client):
    made = setup("shared", "SDK 2.x", client, elicitation={"answer": "x"})
    assert made.client.text("rounds", count=5) == "5 rounds"
    asked = [event["params"]["message"] for event in made.client.events("elicitation")]
    assert asked == [f"round {n}" for n in range(5)]


@NEWEST_SERVER
def test_two_clients_are_asked_at_the_same_time(setup, sdk, client):
    """Nobody has to wait for another's answer, and nobody sees another's question."""
    made = setup("shared", "SDK 2.x", client, elicitation={"answer": "first"}, hold=True)
    first, second = made.client, sdk(made.client.kind, made.proxy, elicitation={"answer": "second"})
    slow = first.start_tool("elicit", message="for the first")
    assert first.event("elicitation")["params"]["message"] == "for the first"
    assert "second" in second.text("elicit", message="for the second")
    first.do("release")
    assert "first" in str(first.finish(slow))
    assert first.events("elicitation") == []


@NEWEST_SERVER
def test_a_crash(setup, client):
    made = setup("shared", "SDK 2.x", client)
    with pytest.raises(SDKError) as raised:
        made.client.tool("crash", status=7)
    assert raised.value.data["reason"] == "upstream_exited"
    assert made.client.text("echo", text="as if nothing had happened") == "as if nothing had happened"
