# SPDX-License-Identifier: Apache-2.0
"""Two callers of the newest revision, each with a call that waits for an answer of its own: whatever happens to one,
nobody sees the question, the answer, the result or the state of the other.
"""

import json
import os
import signal

import pytest

from child_trace import Trace
from mcp_http import ACCEPT, Call, tool
from processes import eventually
from proxy_process import FIXTURE, SERVERS, VENVS
from scrape import scrape
from wire_check import NEWEST, PREFIX

# Where both can be asked at the same time: two processes of an older server, or one of the newest revision.
BOTH = pytest.mark.parametrize("server", ["pool", "newest"])
# An older server, whose calls wait in the proxy.
OLDER = pytest.mark.parametrize("server", ["pool", "shared"])
# All, with an older server that is shared: there one has to wait for the other's turn to end.
ALL = pytest.mark.parametrize("server", ["pool", "newest", "shared"])


class Caller:
    """A client with an `Authorization` of its own. All that it is sent is what its revision allows."""

    def __init__(self, name, proxy, schema):
        self.name, self.proxy, self.schema = name, proxy, schema
        self.ids = iter(range(1, 1000))

    def begin(self, name, answer=None, state=None, **arguments):
        """A call that goes on in the background."""
        request = tool(name, next(self.ids), **arguments)
        params = request["params"]
        params["_meta"] = {
            f"{PREFIX}protocolVersion": NEWEST,
            f"{PREFIX}clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}},
        }
        if answer is not None:
            params["inputResponses"] = answer
        if state is not None:
            params["requestState"] = state
        headers = {"Content-Type": "application/json", "Accept": ACCEPT, "MCP-Protocol-Version": NEWEST}
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": name, "Authorization": f"Bearer {self.name}"}
        call = Call(self.proxy.http, json.dumps(request).encode(), headers, 60)
        call.request = request
        return call

    def end(self, call):
        """What a call is answered with: its result, or its error."""
        message = call.answer()
        assert self.schema.wrong(NEWEST, message, call.request) == []
        assert message["id"] == call.request["id"]
        return message.get("result") or message["error"]

    def call(self, name, answer=None, state=None, **arguments):
        return self.end(self.begin(name, answer, state, **arguments))

    def ask(self):
        """Begins a call whose question names its caller."""
        return self.begin("elicit", message=f"for {self.name}")

    def asked(self, call):
        """What the call waits for: its state and the key of the question, which is this caller's own."""
        result = self.end(call)
        assert result["resultType"] == "input_required", result
        ((key, request),) = result["inputRequests"].items()
        assert request["params"]["message"] == f"for {self.name}"
        return result["requestState"], key

    def answer(self, waiting, text=None, message=None):
        """Comes back with the answer, which names this caller, too."""
        state, key = waiting
        answer = {key: {"action": "accept", "content": {"answer": text or f"of {self.name}"}}}
        return self.call("elicit", answer, state, message=message or f"for {self.name}")

    def served(self, result):
        """Whether it was the caller's own answer that the tool got."""
        assert result.get("resultType") == "complete", result
        return f"of {self.name}" in result["content"][0]["text"] and not result.get("isError")


def refused(result, *others, reason="request_state_invalid"):
    """An error about the state, which gives away nothing."""
    assert result["code"] == -32602 and result["data"] == {"reason": reason}, result
    for other in others:
        assert other.name not in json.dumps(result), result


@pytest.fixture
def started(proxy, tmp_path):
    """Starts a proxy in front of the server of that name."""
    commands = {
        "pool": ([FIXTURE, *Trace(tmp_path / "trace").flags], ("--isolation", "pool=2")),
        "shared": ([FIXTURE, *Trace(tmp_path / "trace").flags], ()),
        "newest": ([VENVS / "sdk2/bin/python", SERVERS / "sdk2.py", tmp_path / "trace"], ()),
    }

    def start(server, *flags):
        child, isolation = commands[server]
        running = proxy(*isolation, *flags, child=child)
        if server == "shared":
            # Once nobody could tell whose its question was, it serves one caller at a time.
            first, second = running.session(), running.session(capabilities={"elicitation": {}})
            busy = first.start_tool("sleep", ms=60_000)
            eventually(lambda: scrape(running.http).value("mcp_proxy_requests_inflight") == 1, what="the first call")
            assert second.tool("elicit", message="of nobody")["result"]["isError"]
            running.event("upstream.takes_turns")
            for session in (first, second):
                session.delete()
            busy.drained()
        return running

    return start


@pytest.fixture
def callers(started, schema):
    def make(server, *flags):
        running = started(server, *flags)
        return running, Caller("alpha", running, schema), Caller("bravo", running, schema)

    return make


@BOTH
def test_the_opposite_order(callers, server):
    _, alpha, bravo = callers(server)
    first, second = alpha.asked(alpha.ask()), bravo.asked(bravo.ask())
    assert first[0] != second[0]
    assert bravo.served(bravo.answer(second))
    assert alpha.served(alpha.answer(first))


def test_one_after_the_other(callers):
    """With one process of an older server the second is not asked before the first is done."""
    running, alpha, bravo = callers("shared")
    first = alpha.asked(alpha.ask())
    later = bravo.ask()
    eventually(lambda: scrape(running.http).value("mcp_proxy_queue_length"), what="the waiting of the second call")
    assert later.response is None
    assert alpha.served(alpha.answer(first))
    assert bravo.served(bravo.answer(bravo.asked(later)))


@BOTH
def test_the_state_of_another(callers, server):
    """It is of no use, and that somebody tried takes nothing away from its owner."""
    _, alpha, bravo = callers(server)
    first, second = alpha.asked(alpha.ask()), bravo.asked(bravo.ask())
    refused(bravo.answer(first, message="for alpha"), alpha)
    refused(bravo.answer(first), alpha)
    refused(Caller("", alpha.proxy, alpha.schema).answer(first, message="for alpha"), alpha)
    assert alpha.served(alpha.answer(first))
    assert bravo.served(bravo.answer(second))


@ALL
def test_a_state_that_was_changed(callers, server):
    _, alpha, _ = callers(server)
    state, key = alpha.asked(alpha.ask())
    for place in range(0, len(state), max(1, len(state) // 12)):
        other = "A" if state[place] != "A" else "B"
        refused(alpha.answer((state[:place] + other + state[place + 1 :], key)))
    for other in (state[:-4], state + "AAAA", "", "x", state * 2):
        refused(alpha.answer((other, key)))
    assert alpha.served(alpha.answer((state, key)))


@OLDER
def test_a_state_for_something_else(callers, server):
    """It is good for the call it was given for: the same tool, the same arguments. (That of a server of the newest
    revision is for that to judge.)
    """
    _, alpha, _ = callers(server)
    waiting = alpha.asked(alpha.ask())
    refused(alpha.answer(waiting, message="something else"))
    refused(alpha.call("echo", {}, waiting[0], text="x"))
    assert alpha.served(alpha.answer(waiting))


@OLDER
def test_a_state_used_twice(callers, server):
    """A call in the server goes on once. (A server of the newest revision keeps none, and may allow more.)"""
    _, alpha, bravo = callers(server)
    first = alpha.asked(alpha.ask())
    assert alpha.served(alpha.answer(first))
    refused(alpha.answer(first, text="another one"))
    second = bravo.asked(bravo.ask())
    refused(alpha.answer(first, text="a third"), bravo)
    assert bravo.served(bravo.answer(second))


@OLDER
def test_nobody_comes_back(callers, server):
    """What waits for too long is given up, and its turn goes to who waits for it."""
    running, alpha, bravo = callers(server, "--client-request-timeout", "2s")
    first = alpha.asked(alpha.ask())
    waiting = bravo.ask()
    if server == "pool":
        assert bravo.served(bravo.answer(bravo.asked(waiting)))
        eventually(lambda: scrape(running.http).value("mcp_proxy_parked_calls") == 0, what="the end of the first")
        waiting = bravo.ask()
    second = bravo.asked(waiting)
    refused(alpha.answer(first), bravo)
    assert bravo.served(bravo.answer(second))


@BOTH
def test_who_leaves(callers, server):
    """One comes back and goes away before the result: the other has its own question still, and gets its own answer."""
    _, alpha, bravo = callers(server)
    first, second = alpha.asked(alpha.ask()), bravo.asked(bravo.ask())
    state, key = first
    answer = {key: {"action": "accept", "content": {"answer": "of alpha"}}}
    gone = alpha.begin("elicit", answer, state, message="for alpha")
    gone.drop()
    assert bravo.served(bravo.answer(second))
    assert alpha.served(alpha.answer(alpha.asked(alpha.ask())))


def test_a_question_after_its_caller_has_left(proxy, schema, tmp_path):
    """The server asks in spite of the cancellation. Only the caller that is gone can be meant, so nobody is asked."""
    told = tmp_path / "told"
    running = proxy(child=[VENVS / "pytest/bin/python", SERVERS / "stubborn.py", told])
    alpha, bravo = Caller("alpha", running, schema), Caller("bravo", running, schema)
    gone = alpha.begin("ask", ms=700, prompt="for alpha")
    eventually(lambda: scrape(running.http).value("mcp_proxy_requests_inflight") == 1, what="the call")
    gone.drop()
    running.event("request.completed", outcome="cancelled")
    result = bravo.call("sleep", ms=1000)
    assert result["resultType"] == "complete", result
    told = eventually(lambda: told.exists() and told.read_text(), what="the answer to the question")
    assert "for alpha" in told and "error" in told


@BOTH
def test_the_server_crashes(callers, server):
    running, alpha, bravo = callers(server)
    first, second = alpha.asked(alpha.ask()), bravo.asked(bravo.ask())
    children = running.child_pids
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    running.exited(count=len(children))
    running.event("upstream.ready", count=2 * len(children))
    # That of the newest revision is the server's own, whose next process does not know it, and says so.
    reason = "invalid_request_state" if server == "newest" else "request_state_invalid"
    refused(bravo.answer(second), alpha, reason=reason)
    refused(alpha.answer(first), bravo, reason=reason)
    assert bravo.served(bravo.answer(bravo.asked(bravo.ask())))


@ALL
def test_the_proxy_is_restarted(callers, started, server):
    running, alpha, _ = callers(server)
    before = alpha.asked(alpha.ask())
    running.stop()
    alpha.proxy = started(server)
    bravo = Caller("bravo", alpha.proxy, alpha.schema)
    waiting = bravo.asked(bravo.ask())
    refused(alpha.answer(before), bravo)
    assert bravo.served(bravo.answer(waiting))
    assert alpha.served(alpha.answer(alpha.asked(alpha.ask())))
