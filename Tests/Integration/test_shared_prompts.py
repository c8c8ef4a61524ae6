# SPDX-License-Identifier: Apache-2.0
"""A shared child asks its clients something. Nothing in the question says whose call it belongs to, so the proxy
must know, and where it can't know, refuse: one client's question must never be shown to another."""

import json
import random
import sys
import threading

import pytest

from child_trace import Trace
from mcp_http import request, text
from processes import eventually
from proxy_process import SERVERS

ASKED = {"sampling": {}, "elicitation": {"form": {}, "url": {}}}


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@pytest.fixture
def running(proxy, trace):
    return proxy(fixture=trace.flags)


def sampled(words):
    return {"role": "assistant", "model": "m", "content": {"type": "text", "text": words}}


def prompt(asked):
    return asked["params"]["messages"][0]["content"]["text"]


def provoke_turns(running):
    """Makes the child ask while calls of two sessions run: from then on they take turns."""
    one, two = running.session(capabilities=ASKED), running.session(capabilities=ASKED)
    slow = two.start_tool("sleep", ms=400)
    two.request("ping")
    refused = one.tool("sample", ms=50, prompt="whose?")
    assert refused["result"]["isError"] is True
    assert "client error -32000" in text(refused)
    slow.answer()
    running.event("upstream.takes_turns")
    return one, two


def test_the_first_ambiguous_question_is_refused_then_calls_take_turns(running, trace):
    one, two = provoke_turns(running)
    running.event("upstream.request_finished", outcome="ambiguous")

    first = one.start_tool("sample", prompt="question of one")
    asked = first.method("sampling/createMessage")
    assert prompt(asked) == "question of one"
    second = two.start_tool("sample", prompt="question of two")
    two.request("ping")
    assert "question of two" not in " ".join(trace.lines), "it has to wait for its turn"
    one.answer(asked, sampled("answer of one"))
    assert text(first.answer()) == "answer of one"

    asked = second.method("sampling/createMessage")
    assert prompt(asked) == "question of two"
    two.answer(asked, sampled("answer of two"))
    assert text(second.answer()) == "answer of two"


def test_listing_does_not_wait_for_a_turn(running):
    one, two = provoke_turns(running)
    call = one.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    assert two.request("tools/list")["result"]["tools"]
    one.answer(asked, sampled("a"))
    call.answer()


def test_turns_are_remembered_across_restarts(running, trace):
    one, two = provoke_turns(running)
    running.kill_child()
    running.event("upstream.ready", count=2)
    slow = two.start_tool("sleep", ms=300)
    eventually(lambda: [m for m in trace.of("tools/call") if m["params"]["arguments"].get("ms") == 300])
    call = one.start_tool("sample", prompt="mine")
    asked = call.method("sampling/createMessage")
    assert prompt(asked) == "mine"
    one.answer(asked, sampled("fine"))
    assert text(call.answer()) == "fine"
    slow.answer()


@pytest.mark.parametrize("turns", [False, True])
def test_a_call_made_to_find_the_answer_does_not_deadlock(running, turns):
    one = provoke_turns(running)[0] if turns else running.session(capabilities=ASKED)
    call = one.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    found = text(one.tool("echo", timeout=5, text="found by a call"))
    one.answer(asked, sampled(found))
    assert text(call.answer()) == "found by a call"


def test_a_call_made_to_find_the_answer_overtakes_those_who_wait(running):
    one, two = provoke_turns(running)
    call = one.start_tool("nested", prompt="p")
    asked = call.method("sampling/createMessage")
    waiting = two.start_tool("echo", text="waits")
    two.request("ping")
    assert text(one.tool("echo", timeout=5, text="passes")) == "passes"
    one.answer(asked, sampled("half way"))
    form = call.method("elicitation/create")
    assert form["params"]["message"] == "half way"
    one.answer(form, {"action": "accept", "content": {"answer": "yes"}})
    assert "yes" in text(call.answer())
    assert text(waiting.answer()) == "waits"


def test_two_questions_at_once(running):
    session = running.session(capabilities=ASKED)
    call = session.start_tool("sample_parallel", prompt="p")
    first, second = call.method("sampling/createMessage"), call.method("sampling/createMessage")
    assert first["id"] != second["id"]
    session.answer(second, sampled(f"to {prompt(second)}"))
    session.answer(first, sampled(f"to {prompt(first)}"))
    assert json.loads(text(call.answer())) == ["to p 1", "to p 2"]


def test_cancelling_the_call_withdraws_the_question(running):
    session = running.session(capabilities=ASKED, listen=True)
    call = session.start(request("tools/call", {"name": "sample", "arguments": {"prompt": "p"}}, "c"))
    asked = call.method("sampling/createMessage")
    session.cancel("c")
    withdrawn = None
    for source in (call, session.stream):
        try:
            withdrawn = withdrawn or source.message(2, lambda m: m.get("method") == "notifications/cancelled")
        except AssertionError:
            pass
    assert withdrawn["params"]["requestId"] == asked["id"]
    session.answer(asked, sampled("too late"))
    assert text(session.tool("echo", text="alive")) == "alive"


def test_a_client_that_does_not_answer(proxy):
    running = proxy("--client-request-timeout", "500")
    session = running.session(capabilities=ASKED)
    call = session.start_tool("sample", prompt="p")
    call.method("sampling/createMessage")
    assert "client error -32001" in text(call.answer(10))
    running.event("upstream.request_finished", outcome="timeout")


def test_a_session_that_ends_with_a_question_open(running, trace):
    session = running.session(capabilities=ASKED)
    call = session.start_tool("sample", prompt="p")
    call.method("sampling/createMessage")
    session.delete()
    eventually(
        lambda: [m for m in trace.messages if "error" in m or m.get("method") == "notifications/cancelled"],
        what="word to the child",
    )
    assert text(running.session().tool("echo", text="alive")) == "alive"


def test_a_crash_with_a_question_open(running):
    session = running.session(capabilities=ASKED, listen=True)
    call = session.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    running.kill_child()
    assert call.answer()["error"]["data"]["reason"] == "upstream_exited"
    found = [e.message for e in call.events if e.message and e.message.get("method") == "notifications/cancelled"]
    if not found:
        found = [session.stream.method("notifications/cancelled")]
    assert found[0]["params"]["requestId"] == asked["id"]
    session.answer(asked, sampled("to nobody"))
    assert text(session.tool("echo", text="alive")) == "alive"


# A server that asks although its call was cancelled, timed out or lost its session.


class Outcomes:
    """What the stubborn server got for its questions."""

    def __init__(self, path):
        self.path = path

    def of(self, words):
        def found():
            lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
            return [o["outcome"] for o in map(json.loads, lines) if o["prompt"] == words]

        return eventually(found, what=f"an outcome of {words!r}")[0]


@pytest.fixture
def stubborn(proxy, tmp_path):
    def start(*flags):
        path = tmp_path / "outcomes"
        return proxy(*flags, child=[sys.executable, SERVERS / "stubborn.py", path]), Outcomes(path)

    return start


@pytest.mark.parametrize("how", ["cancel", "timeout", "delete", "disconnect"])
@pytest.mark.parametrize("bystander", ["idle", "calling"])
def test_a_late_question_never_reaches_another_session(stubborn, how, bystander):
    running, outcomes = stubborn(*(("--request-timeout", "300") if how == "timeout" else ()))
    owner = running.session(capabilities=ASKED)
    other = running.session(capabilities=ASKED, listen=True)
    call = owner.start(request("tools/call", {"name": "ask", "arguments": {"ms": 900, "prompt": "secret"}}, "ask"))
    assert owner.request("ping")["result"] == {}
    if how == "cancel":
        owner.cancel("ask")
    elif how == "delete":
        owner.delete()
    elif how == "disconnect":
        call.drop()
    if how in ("timeout", "cancel"):
        assert "error" in call.answer()

    # With a request timeout of 300 ms the bystander calls in short pieces.
    seen = []
    rounds = 10 if bystander == "calling" else 0
    for _ in range(rounds):
        piece = other.start_tool("sleep", ms=150)
        piece.answer()
        seen += [e.message for e in piece.events if e.message]
    if how == "disconnect" and bystander == "idle":
        # The session lives on and may be asked on a stream it opens.
        stream = owner.listen()
        owner.answer(stream.method("sampling/createMessage"), sampled("late but fine"))
        assert outcomes.of("secret") == "late but fine"
    elif bystander == "calling" or how == "delete":
        assert outcomes.of("secret").startswith("error")
    other.request("ping")
    assert "secret" not in json.dumps(seen)
    other.stream.event()  # the priming event
    other.stream.silent(0.3)


def test_many_sessions_ask_at_once(running):
    """Sessions ask, cancel, end and begin again at random; none is ever asked what another is to be asked."""
    dice = random.Random(20250326)
    provoke_turns(running)
    wrong, answered = [], []

    def client(number, seed):
        dice = random.Random(seed)
        for round in range(8):
            session = running.session(capabilities=ASKED)
            mine = f"client {number} round {round}"
            call = session.start(
                request("tools/call", {"name": "sample", "arguments": {"prompt": mine, "ms": dice.randrange(30)}}, "c")
            )
            fate = dice.choice(["answer", "answer", "cancel", "delete", "drop", "cancel after asking"])
            try:
                if fate == "cancel":
                    session.cancel("c")
                elif fate == "delete":
                    session.delete()
                elif fate == "drop":
                    call.drop()
                else:
                    asked = call.method("sampling/createMessage", 60)
                    if prompt(asked) != mine:
                        wrong.append((mine, prompt(asked)))
                    if fate == "answer":
                        session.answer(asked, sampled(f"reply to {mine}"))
                        if text(call.answer(60)) != f"reply to {mine}":
                            wrong.append((mine, "answer"))
                        answered.append(mine)
                    else:
                        session.cancel("c")
            finally:
                for event in call.events:
                    if event.message and event.message.get("method") == "sampling/createMessage":
                        if prompt(event.message) != mine:
                            wrong.append((mine, prompt(event.message)))
                session.delete()

    failures = []

    def guarded(*arguments):
        try:
            client(*arguments)
        except Exception as failure:  # noqa: BLE001 - shown by the assertion below
            failures.append(repr(failure))

    threads = [threading.Thread(target=guarded, args=(n, dice.random())) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
    assert failures == []
    assert wrong == []
    assert len(answered) > 10
