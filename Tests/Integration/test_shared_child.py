# SPDX-License-Identifier: Apache-2.0
"""One child, many sessions: what belongs to whom."""

import json

import pytest

from child_trace import Trace
from mcp_http import request, text
from processes import eventually

ASKED = {"sampling": {}, "elicitation": {"form": {}, "url": {}}}


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@pytest.fixture
def running(proxy, trace):
    return proxy(fixture=trace.flags)


def pending(session):
    """A round trip, after which everything sent before has been handled."""
    return session.request("ping")


def test_the_child_is_started_before_the_first_client(running):
    assert running.found("session.opened") == []
    assert len(running.child_pids) == 1
    info = json.loads(text(running.session().tool("client_info")))
    assert info["revision"] == "2025-11-25"
    declared = info["initialize"]["capabilities"]
    assert "roots" not in declared and "tasks" not in declared
    assert declared["sampling"] == {} and set(declared["elicitation"]) == {"form", "url"}
    assert info["initialize"]["clientInfo"]["name"] == "mcp-proxy"


def test_declared_capabilities_can_be_chosen(proxy):
    running = proxy("--client-capabilities", '{"sampling":{}}')
    info = json.loads(text(running.session().tool("client_info")))
    assert info["initialize"]["capabilities"] == {"sampling": {}}


def test_all_sessions_share_one_child(running, trace):
    sessions = [running.session() for _ in range(5)]
    assert {text(s.tool("pid")) for s in sessions} == {str(running.child_pid)}
    assert [text(s.tool("counter")) for s in sessions] == ["1", "2", "3", "4", "5"]
    assert len(trace.of("initialize")) == len(trace.of("notifications/initialized")) == 1
    sessions[0].delete()
    assert text(sessions[1].tool("counter")) == "6"


def test_a_child_for_each_session(proxy):
    running = proxy("--isolation", "session")
    one, two = running.session(client="one"), running.session(client="two")
    assert text(one.tool("pid")) != text(two.tool("pid"))
    assert [text(one.tool("counter")), text(two.tool("counter"))] == ["1", "1"]
    info = json.loads(text(two.tool("client_info")))
    assert info["initialize"]["clientInfo"]["name"] == "two"
    pid = int(text(one.tool("pid")))
    one.delete()
    eventually(lambda: pid not in {p.pid for p in running.survivors()}, what="the end of its child")
    assert text(two.tool("counter")) == "2"


def test_roots_are_refused_by_a_shared_child(running):
    session = running.session(capabilities={"roots": {"listChanged": True}})
    answer = session.tool("roots")
    assert answer["result"]["isError"] is True
    assert "client error -32601" in text(answer)
    running.event("upstream.request_finished", outcome="undeclared")


def test_a_roots_change_is_not_told_to_a_shared_child(running, trace):
    session = running.session(capabilities={"roots": {"listChanged": True}})
    session.notify("notifications/roots/list_changed")
    session.notify("notifications/x-after")
    trace.wait("notifications/x-after")
    assert trace.of("notifications/roots/list_changed") == []


@pytest.mark.parametrize("name, arguments", [("sample", {"prompt": "p"}), ("elicit", {"message": "m"})])
def test_what_the_client_did_not_declare_is_refused(running, name, arguments):
    answer = running.session(capabilities={}).tool(name, **arguments)
    assert answer["result"]["isError"] is True
    assert "client error" in text(answer)
    running.event("upstream.request_finished", outcome="undeclared")


def test_the_child_pings(running):
    assert text(running.session().tool("ping_client")) == "{}"


@pytest.mark.parametrize("flags", [(), ("--string-ids",)])
def test_ids_of_the_child_come_back_as_they_were(proxy, trace, flags):
    session = proxy(fixture=(*trace.flags, *flags)).session(capabilities=ASKED)
    call = session.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    session.answer(asked, {"role": "assistant", "model": "m", "content": {"type": "text", "text": "fine"}})
    assert text(call.answer()) == "fine"


def test_an_error_of_the_client_reaches_the_child(running):
    session = running.session(capabilities=ASKED)
    call = session.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    session.post({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "user said no"}})
    assert text(call.answer()) == "client error -1: user said no"


def test_an_answer_counts_once_and_only_from_its_session(running, trace):
    session, stranger = running.session(capabilities=ASKED), running.session(capabilities=ASKED)
    call = session.start_tool("sample", prompt="p")
    asked = call.method("sampling/createMessage")
    forged = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "forged"}}
    stranger.answer(asked, forged)
    session.answer(asked, {**forged, "content": {"type": "text", "text": "real"}})
    session.answer(asked, forged)
    assert text(call.answer()) == "real"
    assert "forged" not in " ".join(trace.lines)


def test_progress_of_a_stranger_is_not_passed(running):
    mine, other = running.session(listen=True), running.session(listen=True)
    mine.start_tool("progress", progress_token=1, steps=3, ms=20).answer()
    other.stream.event()  # the priming event
    other.stream.silent(0.3)


def test_a_log_message_reaches_a_client_that_is_alone(running):
    session = running.session(listen=True)
    call = session.start_tool("log", level="error", text="for you")
    call.answer()
    found = [e.message for e in call.events if e.message] + [m for m in session.stream._set_aside]
    if not any(m.get("method") == "notifications/message" for m in found):
        session.stream.method("notifications/message")


def test_a_log_message_reaches_nobody_of_several(running):
    sessions = [running.session(listen=True) for _ in range(2)]
    call = sessions[0].start_tool("log", level="error", text="for whom?")
    call.answer()
    running.event("upstream.log", log_level="error")
    assert [e.message for e in call.events if e.message and "method" in e.message] == []
    for session in sessions:
        session.stream.event()
        session.stream.silent(0.2)


def test_the_most_verbose_level_counts(running, trace):
    one, two = running.session(), running.session()
    one.request("logging/setLevel", {"level": "error"})
    two.request("logging/setLevel", {"level": "debug"})
    one.request("logging/setLevel", {"level": "critical"})
    assert [m["params"]["level"] for m in trace.of("logging/setLevel")] == ["error", "debug"]


def test_a_bad_level_is_the_childs_to_refuse(running):
    assert running.session().request("logging/setLevel", {"level": "shout"})["error"]["code"] == -32602


def test_subscriptions_are_counted(running, trace):
    one, two = running.session(listen=True), running.session(listen=True)
    uri = {"uri": "test://static/1"}
    for session in (one, one, two):
        assert session.request("resources/subscribe", uri)["result"] == {}
    one.tool("touch", **uri)
    for session in (one, two):
        assert session.stream.method("notifications/resources/updated")["params"] == uri
    assert one.request("resources/unsubscribe", uri)["result"] == {}
    assert trace.of("resources/unsubscribe") == []
    one.tool("touch", **uri)
    assert two.stream.method("notifications/resources/updated")["params"] == uri
    one.stream.silent(0.2)
    two.delete()
    trace.wait("resources/unsubscribe")
    assert len(trace.of("resources/subscribe")) == len(trace.of("resources/unsubscribe")) == 1
    assert text(one.tool("subscriptions")) == "[]"


def test_nobody_ends_the_subscription_of_another(running, trace):
    one, two = running.session(listen=True), running.session()
    one.request("resources/subscribe", {"uri": "test://static/1"})
    two.request("resources/unsubscribe", {"uri": "test://static/1"})
    assert trace.of("resources/unsubscribe") == []
    one.tool("touch", uri="test://static/1")
    one.stream.method("notifications/resources/updated")


def test_a_subscription_that_the_child_refuses_does_not_count(proxy):
    running = proxy(fixture=("--no-capability", "resources"))
    one, two = running.session(), running.session()
    for session in (one, two):
        assert session.request("resources/subscribe", {"uri": "test://static/1"})["error"]["code"] == -32601


def test_list_changes_reach_everybody(running):
    sessions = [running.session(listen=True) for _ in range(3)]
    sessions[0].tool("list_change", kind="prompt")
    for session in sessions:
        session.stream.method("notifications/prompts/list_changed")


def test_only_the_owner_may_cancel(running, trace):
    owner, stranger = running.session(), running.session()
    call = owner.start_tool("sleep", ms=800)
    eventually(lambda: trace.of("tools/call"), what="the call")
    stranger.cancel(1)
    stranger.cancel(trace.of("tools/call")[0]["id"])
    assert text(call.answer()) == "slept 800 ms"
    assert trace.of("notifications/cancelled") == []


def test_cancelling_what_is_over_or_unknown_is_ignored(running, trace):
    session = running.session()
    session.tool("echo", text="x")
    session.cancel(1)
    session.cancel("never")
    pending(session)
    assert trace.of("notifications/cancelled") == []


def test_a_full_queue(proxy):
    running = proxy("--max-in-flight", "2", "--queue", "2")
    session = running.session()
    calls = [session.start_tool("sleep", ms=1500) for _ in range(6)]
    answers = [call.answer() for call in calls]
    refused = [a for a in answers if "error" in a]
    assert len(refused) == 2
    for answer in refused:
        assert answer["error"]["code"] == -32000
        assert answer["error"]["data"]["reason"] == "queue_full"
    assert {call.status for call in calls} == {200}
    running.event("request.rejected", reason="queue_full")
    assert text(session.tool("echo", text="room again")) == "room again"


def test_cancelling_a_call_that_waits_keeps_it_from_the_child(proxy, trace):
    running = proxy("--max-in-flight", "1", fixture=trace.flags)
    session = running.session()
    first = session.start_tool("sleep", ms=700)
    eventually(lambda: trace.of("tools/call"), what="the first call")
    second = session.start(request("tools/call", {"name": "counter"}, "waiting"))
    session.request("ping")
    session.cancel("waiting")
    assert second.answer(5)["error"]["code"] == -32800
    first.answer()
    assert [m["params"]["name"] for m in trace.of("tools/call")] == ["sleep"]
