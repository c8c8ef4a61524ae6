# SPDX-License-Identifier: Apache-2.0
"""Official clients of the revision without sessions, through the proxy, to a server that needs a handshake."""

import http.client
import json

import pytest

from child_trace import Trace
from processes import eventually
from sdk_client import STATELESS_KINDS, SDKError

ALL = pytest.mark.parametrize("kind", STATELESS_KINDS)
SDK = pytest.mark.parametrize("kind", ["sdk2-auto", "sdk2-pinned"])


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@ALL
def test_tools_resources_and_prompts(proxy, sdk, kind):
    running = proxy()
    client = sdk(kind, running)
    assert "echo" in {tool["name"] for tool in client.do("list_tools")["tools"]}
    assert client.text("echo", text="hello") == "hello"
    assert client.do("read_resource", uri="test://static/1")["contents"][0]["text"] == "content of test://static/1"
    assert {"greeting", "plain"} <= {prompt["name"] for prompt in client.do("list_prompts")["prompts"]}
    message = client.do("get_prompt", name="greeting", arguments={"name": "Ada"})["messages"][0]
    assert message["content"]["text"] == "Greet Ada in a friendly way."
    assert running.found("session.opened") == [], "it has no sessions"
    assert {event["protocol_version"] for event in running.found("request.completed")} == {"2026-07-28"}


@SDK
def test_completion_and_progress(proxy, sdk, kind):
    client = sdk(kind, proxy())
    completed = client.do("complete", prompt="greeting", argument={"name": "name", "value": "ad"})
    assert completed["completion"]["values"] == ["ada", "adele"]
    tag = client.start_tool("progress", steps=5, ms=20)
    assert not client.finish(tag).get("isError")
    assert [event["progress"] for event in client.events("progress", tag=tag)] == [1, 2, 3, 4, 5]


@SDK
def test_cancellation(proxy, sdk, trace, kind):
    client = sdk(kind, proxy(fixture=trace.flags))
    tag = client.start_tool("sleep", ms=60_000)
    asked = eventually(lambda: [m for m in trace.of("tools/call") if m["params"]["name"] == "sleep"], what="the call")
    client.do("cancel", target=tag)
    assert trace.wait("notifications/cancelled")["params"]["requestId"] == asked[0]["id"]
    assert client.text("echo", text="still here") == "still here"


@SDK
def test_what_a_tool_asks(proxy, sdk, kind):
    client = sdk(kind, proxy(), elicitation={"answer": "blue"}, sampling="forty-two")
    assert "blue" in client.text("elicit", message="favourite colour?")
    assert client.event("elicitation")["params"]["message"] == "favourite colour?"
    assert "forty-two" in client.text("sample", prompt="the question")
    assert json.loads(client.text("sample_twice", prompt="p")) == ["forty-two", "forty-two"]
    assert json.loads(client.text("sample_parallel", prompt="p")) == ["forty-two", "forty-two"]
    assert "blue" in client.text("nested", prompt="p")


@SDK
def test_declined_and_by_url(proxy, sdk, kind):
    declining = sdk(kind, proxy(), elicitation="decline")
    assert "decline" in declining.text("elicit", message="m")
    client = sdk(kind, proxy(), elicitation={})
    tag = client.start_tool("elicit_url", message="please sign in")
    assert client.event("elicitation")["params"]["mode"] == "url"
    assert "accept" in str(client.finish(tag))


@SDK
def test_two_clients_answer_in_the_opposite_order(proxy, sdk, kind):
    """Once the server was seen to ask, calls of different clients take turns; nobody sees what is another's."""
    running = proxy()
    first = sdk(kind, running, elicitation={"answer": "first"}, hold=True)
    second = sdk(kind, running, elicitation={"answer": "second"})
    slow = first.start_tool("elicit", message="for the first")
    assert first.event("elicitation")["params"]["message"] == "for the first"
    early = second.finish(second.start_tool("elicit", message="too early"))
    assert "several clients" in str(early), "nobody can tell whose question this is"
    fast = second.start_tool("elicit", message="for the second")
    first.do("release")
    assert "first" in str(first.finish(slow))
    assert second.event("elicitation")["params"]["message"] == "for the second"
    assert "second" in str(second.finish(fast))
    assert first.events("elicitation") == []


@SDK
def test_logging_by_request(proxy, sdk, kind):
    client = sdk(kind, proxy(), log_level="warning")
    client.tool("log", level="info", text="too quiet")
    client.tool("log", level="error", text="loud enough")
    assert client.event("log")["params"]["level"] == "error"
    assert client.events("log") == []


@SDK
def test_listening(proxy, sdk, trace, kind):
    client = sdk(kind, proxy(fixture=trace.flags))
    tag = client.start("listen", tools_list_changed=True, resource_subscriptions=["test://static/1"])
    honoured = client.event("listening", tag=tag)["honoured"]
    assert honoured["toolsListChanged"] is True and honoured["resourceSubscriptions"] == ["test://static/1"]
    client.tool("touch", uri="test://static/2")
    client.tool("touch", uri="test://static/1")
    assert client.event("change", tag=tag)["uri"] == "test://static/1"
    client.tool("list_change", kind="tool")
    client.event("change", tag=tag)
    client.do("cancel", target=tag)
    trace.wait("resources/unsubscribe")


@SDK
def test_errors_and_a_crash(proxy, sdk, kind):
    client = sdk(kind, proxy())
    with pytest.raises(SDKError) as raised:
        client.do("read_resource", uri="nowhere://1")
    assert (raised.value.code, raised.value.data) == (-32602, {"uri": "nowhere://1"})
    with pytest.raises(SDKError) as raised:
        client.tool("crash", status=7)
    assert raised.value.data["reason"] == "upstream_exited"
    assert client.text("echo", text="as if nothing had happened") == "as if nothing had happened"


def test_with_a_child_per_session_clients_fall_back(proxy, sdk):
    running = proxy("--isolation", "session")
    client = sdk("sdk2-auto", running)
    assert client.initialized["protocolVersion"] == "2025-11-25"
    assert client.text("echo", text="x") == "x"


def test_get_and_delete_are_not_part_of_it(proxy):
    running = proxy()
    for method in ("GET", "DELETE"):
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request(method, "/mcp", headers={"MCP-Protocol-Version": "2026-07-28", "Accept": "text/event-stream"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
