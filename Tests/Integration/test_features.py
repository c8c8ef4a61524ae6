# SPDX-License-Identifier: Apache-2.0
"""Every feature of the protocol, used by a real client through the proxy."""

import pytest

from child_trace import Trace
from processes import eventually
from relay import Relay
from sdk_client import SDKError

BOTH = pytest.mark.parametrize("kind", ["sdk1", "sdk2"])
TRANSPORTS = pytest.mark.parametrize("transport", ["http", "sse"])


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@BOTH
@TRANSPORTS
def test_progress(proxy, sdk, kind, transport):
    client = sdk(kind, proxy(), transport)
    tag = client.start_tool("progress", steps=5, ms=20)
    assert not client.finish(tag).get("isError")
    assert [event["progress"] for event in client.events("progress", tag=tag)] == [1, 2, 3, 4, 5]


@BOTH
def test_progress_of_two_calls_stays_apart(proxy, sdk, kind):
    client = sdk(kind, proxy())
    first, second = client.start_tool("progress", steps=3, ms=30), client.start_tool("progress", steps=6, ms=20)
    client.finish(first), client.finish(second)
    assert len(client.events("progress", tag=first)) == 3
    assert len(client.events("progress", tag=second)) == 6


@BOTH
@TRANSPORTS
def test_cancellation(proxy, sdk, trace, kind, transport):
    client = sdk(kind, proxy(fixture=trace.flags), transport)
    tag = client.start_tool("sleep", ms=60_000)
    asked = eventually(lambda: [m for m in trace.of("tools/call") if m["params"]["name"] == "sleep"], what="the call")
    client.do("cancel", target=tag)
    cancelled = trace.wait("notifications/cancelled")
    assert cancelled["params"]["requestId"] == asked[0]["id"], "the child was told of another id than it knows"
    with pytest.raises(SDKError):
        client.finish(tag, 10)
    assert client.text("echo", text="still here") == "still here"


@BOTH
@TRANSPORTS
def test_sampling(proxy, sdk, kind, transport):
    client = sdk(kind, proxy(), transport, sampling="forty-two")
    assert "forty-two" in client.text("sample", prompt="the question")
    params = client.event("sampling")["params"]
    assert "the question" in str(params["messages"])


def test_fastmcp_sampling(proxy, sdk):
    client = sdk("fastmcp", proxy(), sampling="forty-two")
    assert "forty-two" in client.text("sample", prompt="the question")


def test_sampling_handler_that_calls_a_tool(proxy, sdk):
    """The child's question is answered by a client that first asks the same child something."""
    client = sdk("sdk2", proxy(), sampling="after the call", sampling_tool="echo", sampling_arguments={"text": "x"})
    assert "after the call" in client.text("sample", prompt="p")


@BOTH
def test_elicitation(proxy, sdk, kind):
    client = sdk(kind, proxy(), elicitation={"answer": "blue"})
    assert "blue" in client.text("elicit", message="favourite colour?")
    assert client.event("elicitation")["params"]["message"] == "favourite colour?"


@BOTH
def test_declined_elicitation(proxy, sdk, kind):
    client = sdk(kind, proxy(), elicitation="decline")
    assert "decline" in client.text("elicit", message="favourite colour?")


@BOTH
def test_url_elicitation(proxy, sdk, kind):
    client = sdk(kind, proxy(), elicitation={})
    tag = client.start_tool("elicit_url", message="please sign in")
    assert client.event("elicitation")["params"]["mode"] == "url"
    assert "accept" in str(client.finish(tag))


@BOTH
def test_roots_with_a_child_of_its_own(proxy, sdk, kind):
    running = proxy("--isolation", "session")
    one = sdk(kind, running, roots=["file:///srv/one"])
    two = sdk(kind, running, roots=["file:///srv/two"])
    assert "file:///srv/one" in one.text("roots")
    assert "file:///srv/two" in two.text("roots")
    assert one.text("pid") != two.text("pid")


@BOTH
@TRANSPORTS
def test_logging(proxy, sdk, kind, transport):
    client = sdk(kind, proxy(), transport)
    client.do("set_level", level="warning")
    client.tool("log", level="info", text="too quiet")
    client.tool("log", level="error", text="loud enough")
    assert client.event("log")["params"]["level"] == "error"
    assert client.events("log") == []


@BOTH
@TRANSPORTS
def test_resources_and_subscriptions(proxy, sdk, kind, transport):
    client = sdk(kind, proxy(), transport)
    assert client.do("read_resource", uri="test://static/1")["contents"][0]["text"] == "content of test://static/1"
    client.do("subscribe", uri="test://static/1")
    client.tool("touch", uri="test://static/2")
    client.tool("touch", uri="test://static/1")
    updated = client.event("notification", method="notifications/resources/updated")
    assert updated["params"]["uri"] == "test://static/1"
    client.do("unsubscribe", uri="test://static/1")
    client.tool("touch", uri="test://static/1")
    client.tool("echo", text="a round trip, so that a wrong notification would have arrived")
    assert client.events("notification", method="notifications/resources/updated") == []


@BOTH
@TRANSPORTS
@pytest.mark.parametrize("kind_of_list", ["tool", "prompt", "resource"])
def test_list_changed(proxy, sdk, kind, transport, kind_of_list):
    client = sdk(kind, proxy(), transport)
    client.tool("list_change", kind=kind_of_list)
    client.event("notification", method=f"notifications/{kind_of_list}s/list_changed")


@BOTH
def test_prompts_and_completion(proxy, sdk, kind):
    client = sdk(kind, proxy())
    assert {"greeting", "plain"} <= {prompt["name"] for prompt in client.do("list_prompts")["prompts"]}
    message = client.do("get_prompt", name="greeting", arguments={"name": "Ada"})["messages"][0]
    assert message["content"]["text"] == "Greet Ada in a friendly way."
    completed = client.do("complete", prompt="greeting", argument={"name": "name", "value": "ad"})
    assert completed["completion"]["values"] == ["ada", "adele"]


@BOTH
def test_an_error_of_the_child_arrives_as_it_was(proxy, sdk, kind):
    client = sdk(kind, proxy())
    with pytest.raises(SDKError) as raised:
        client.do("read_resource", uri="nowhere://1")
    assert raised.value.code == -32002
    assert raised.value.data == {"uri": "nowhere://1"}


@BOTH
def test_a_client_survives_a_broken_connection(proxy, sdk, kind):
    """The stream of a call is cut; the SDK comes back with Last-Event-ID and gets what it missed."""
    running = proxy()
    relay = Relay(running.port)
    try:
        client = sdk(kind, running, url=f"http://127.0.0.1:{relay.port}/mcp")
        arguments = {"resumable": True} if kind == "sdk2" else {}
        tag = client.start("call_tool", name="progress", arguments={"steps": 30, "ms": 100}, **arguments)
        client.event("progress", tag=tag, progress=2)
        relay.cut()
        result = client.finish(tag, 30)
        assert not result.get("isError"), result
        seen = [event["progress"] for event in client.events("progress", tag=tag)]
        assert seen == sorted(set(seen)), "progress came twice or out of order"
        assert seen[-1] == 30
    finally:
        relay.close()
    running.event("stream.resumed")


@BOTH
def test_a_crash_is_an_error_and_the_next_call_works(proxy, sdk, kind):
    client = sdk(kind, proxy())
    with pytest.raises(SDKError) as raised:
        client.tool("crash", status=7)
    assert raised.value.code == -32000
    assert raised.value.data["reason"] == "upstream_exited"
    assert client.text("echo", text="as if nothing had happened") == "as if nothing had happened"
