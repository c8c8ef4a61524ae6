# SPDX-License-Identifier: Apache-2.0
"""Messages on their way through: what must change does, and nothing else."""

import json
import sys
import threading

import pytest

from child_trace import Trace
from mcp_http import notification, refused, request, text, tool
from proxy_process import SERVERS


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@pytest.fixture
def running(proxy, trace):
    return proxy(fixture=trace.flags)


@pytest.fixture
def session(running):
    return running.session()


@pytest.mark.parametrize(
    "id", ["7", '"7"', '"\\u0061 \\"b\\" \\u20ac"', "0", "-3", "9007199254740993", '"' + "i" * 200 + '"']
)
def test_ids_come_back_as_they_were_sent(session, id):
    response = session.post('{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"pid"}}' % id)
    assert response.status == 200
    assert f'"id":{id}'.encode() in response.body.replace(b'"id": ', b'"id":'), response.body


def test_the_child_sees_ids_of_the_proxy(session, trace):
    session.post(tool("echo", "mine", text="x"))
    assert trace.of("tools/call")[0]["id"] != "mine"


@pytest.mark.parametrize("id", [5, "five"])
def test_an_id_already_in_flight(session, id):
    session.start(tool("sleep", id, ms=60_000))
    session.request("ping")
    refused(session.post(tool("echo", id, text="x")), 400, "id_in_use")


def test_numbers_and_strings_are_different_ids(session):
    slow = session.start(tool("sleep", 5, ms=500))
    assert session.post(tool("echo", "5", text="x")).json["id"] == "5"
    assert slow.answer()["id"] == 5


def test_an_id_may_be_used_again_afterwards(session):
    for _ in range(3):
        assert session.post(tool("echo", 1, text="x")).json["result"]


def test_the_payload_is_not_touched(session, trace):
    """Key order, spaces, numbers no parser keeps, escapes, and a member the protocol does not have."""
    params = '{"z":1,"a":[1.0,1e400,123456789012345678901234567890,-0.0],"\\u0062":"\\u00e4\\ud83d\\ude00/\\/","":null}'
    response = session.post('{"extra":{"id":9},"jsonrpc":"2.0","method":"x-fixture/raw","params":%s,"id":"r"}' % params)
    assert params.encode() in response.body
    line = [line for line in trace.lines if "x-fixture/raw" in line][0]
    assert params in line
    assert '"extra":{"id":9}' in line


def test_pretty_printed_json(session, trace):
    message = json.dumps(tool("echo", "pretty", text="a b"), indent=4).replace("\n", "\r\n")
    assert text(session.post(message).json) == "a b"
    assert [m["params"]["arguments"] for m in trace.of("tools/call")] == [{"text": "a b"}]
    assert all(json.loads(line) for line in trace.lines), "a message arrived in more than one line"


def test_a_line_break_inside_a_string_is_refused(session, trace):
    refused(session.post(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"x\ny"}}'), 400, "parse_error", -32700)


def test_injection_by_line_break(session, trace):
    """A message with a second one behind a line break reaches the child as one line or not at all."""
    inner = json.dumps(tool("crash", 1))
    response = session.post(json.dumps(request("ping")) + "\n" + inner)
    assert response.status == 400
    assert session.tool("echo", text="alive")["result"]
    assert "crash" not in " ".join(trace.lines)


def test_escaped_keys_of_the_envelope(proxy):
    """`"\\u006dethod"` is `"method"`: what is checked is what the child understands."""
    session = proxy(child=[sys.executable, SERVERS / "stubborn.py", "/dev/null"]).session()
    params = '{"name":"echo","arguments":{"text":"found"}}'
    escaped = '{"jsonrpc":"2.0","\\u0069d":"e","\\u006dethod":"tools/c\\u0061ll","params":%s}' % params
    answer = session.post(escaped).json
    assert answer["id"] == "e"
    assert text(answer) == "found"


def test_an_escaped_initialize_is_still_one(session):
    params = json.dumps(
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    )
    message = '{"jsonrpc":"2.0","id":1,"method":"initi\\u0061lize","params":%s}' % params
    refused(session.post(message), 400, "already_initialized")


@pytest.mark.parametrize(
    "message",
    [
        '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","\\u006dethod":"tools/list"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pid"},"params":{"name":"crash"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pid","name":"crash"}}',
    ],
)
def test_duplicate_members(session, trace, message):
    refused(session.post(message), 400, "invalid_request")
    assert trace.of("tools/list") == [] and trace.of("tools/call") == []


def test_unknown_methods_and_notifications_pass(session, trace):
    assert session.request("x-fixture/echo", {"deep": [1, {"x": None}]})["result"] == {"deep": [1, {"x": None}]}
    session.notify("notifications/x-custom", {"n": 1})
    assert trace.wait("notifications/x-custom")["params"] == {"n": 1}


def test_an_unknown_notification_of_the_child_passes(running):
    call = running.session().start_tool("notify_custom", method="notifications/x-custom", params={"n": 2})
    assert call.method("notifications/x-custom")["params"] == {"n": 2}


def test_an_unknown_request_of_the_child_passes(running):
    session = running.session(capabilities={"experimental": {"x": {}}})
    call = session.start_tool("request_custom", method="x-custom/ask", params={"n": 3})
    asked = call.method("x-custom/ask")
    assert asked["params"] == {"n": 3}
    session.answer(asked, {"fine": True})
    assert json.loads(text(call.answer())) == {"fine": True}


def test_an_error_of_the_child_passes(session):
    error = session.request("no/such/method")["error"]
    assert (error["code"], error["message"]) == (-32601, "Method not found: no/such/method")


def test_json_when_the_answer_comes_first(session):
    response = session.post(tool("echo", text="x"))
    assert response.headers["Content-Type"].startswith("application/json")


def test_a_stream_when_something_comes_before_the_answer(session):
    call = session.start_tool("progress", progress_token="p", steps=2, ms=10)
    call.answer()
    assert call.content_type.startswith("text/event-stream")
    assert [e.message["params"]["progress"] for e in call.events if e.message and "method" in e.message] == [1, 2]


def test_json_for_a_client_that_takes_nothing_else(session):
    response = session.post(tool("progress", steps=2, ms=10), {"Accept": "application/json"})
    assert response.headers["Content-Type"].startswith("application/json")
    assert text(response.json) == "done 2 steps"


@pytest.mark.parametrize("token", [1, "1", "token", 0])
def test_progress_tokens_come_back_as_they_were_sent(session, token):
    call = session.start_tool("progress", progress_token=token, steps=1)
    progress = call.method("notifications/progress")["params"]["progressToken"]
    assert (progress, type(progress)) == (token, type(token))


def test_equal_progress_tokens_of_two_sessions(running):
    sessions = [running.session() for _ in range(2)]
    calls = [s.start_tool("progress", progress_token=1, steps=n, ms=20) for n, s in zip((3, 5), sessions)]
    for steps, call in zip((3, 5), calls):
        call.answer()
        seen = [e.message["params"]["total"] for e in call.events if e.message and "method" in e.message]
        assert seen == [steps] * steps


def test_notifications_and_answers_are_accepted_without_a_body(session):
    for message in (notification("notifications/x"), {"jsonrpc": "2.0", "id": "unasked", "result": {}}):
        response = session.post(message)
        assert (response.status, response.body) == (202, b"")


def test_equal_ids_of_two_sessions_at_once(running):
    """Sixteen sessions send the same ids at the same time; each gets what it asked for."""
    sessions = [running.session() for _ in range(16)]
    wrong = []

    def calls(number, session):
        for id in range(50):
            expected = f"{number}/{id}"
            answer = session.post(tool("echo", id, text=expected)).json
            if answer["id"] != id or text(answer) != expected:
                wrong.append((expected, answer))

    threads = [threading.Thread(target=calls, args=each) for each in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_answers_out_of_order(session):
    slow, fast = session.start(tool("sleep", 1, ms=400)), session.start(tool("sleep", 2, ms=10))
    assert text(fast.answer()) == "slept 10 ms"
    assert text(slow.answer()) == "slept 400 ms"


@pytest.mark.parametrize("size", [1, 65_535, 1_000_000, 9_000_000])
def test_bodies_of_many_sizes(session, size):
    content = "x" * (size - size // 10) + "€" * (size // 60)
    assert text(session.tool("echo", text=content)) == content


# Tasks of 2025-11-25 belong to the session that began them.


def start_task(session, ms=50):
    params = {"name": "sleep", "arguments": {"ms": ms}, "task": {"ttl": 60_000}}
    return session.request("tools/call", params)["result"]["task"]["taskId"]


def test_tasks_with_a_child_of_its_own(proxy):
    session = proxy("--isolation", "session").session()
    task = start_task(session)
    assert session.request("tasks/get", {"taskId": task})["result"]["taskId"] == task
    assert session.request("tasks/result", {"taskId": task})["result"]["content"][0]["text"] == "slept 50 ms"
    assert task in str(session.request("tasks/list")["result"])


def test_tasks_of_a_shared_child(running):
    owner, stranger = running.session(), running.session()
    task = start_task(owner)
    assert owner.request("tasks/get", {"taskId": task})["result"]["taskId"] == task
    assert owner.request("tasks/result", {"taskId": task})["result"]["content"][0]["text"] == "slept 50 ms"
    for method in ("tasks/get", "tasks/result", "tasks/cancel"):
        error = stranger.request(method, {"taskId": task})["error"]
        assert error["code"] == -32602
    assert task not in str(stranger.request("tasks/list"))
