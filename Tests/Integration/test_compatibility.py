# SPDX-License-Identifier: Apache-2.0
"""The table of docs/compatibility.md, cell by cell, with official clients: what it promises works, what it denies does
not."""

import re

import pytest

from child_trace import Trace
from processes import eventually
from proxy_process import FIXTURE, ROOT, SERVERS, VENVS
from scrape import scrape
from sdk_client import SDKError

PAGE = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
CLIENTS = {"older": ("sdk1", "sdk2"), "newest": ("sdk2-pinned", "sdk2-auto")}


def table():
    """The verdicts of the page by feature and pair."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    pairs = rows[0][1:]
    return {(row[0], pair): verdict for row in rows[2:] for pair, verdict in zip(pairs, row[1:], strict=True)}


VERDICTS = table()


class Pair:
    """A client in front of a proxy in front of a server."""

    def __init__(self, pair, kind, proxy, sdk, tmp_path):
        self.client_era, self.server_era = re.fullmatch(r"(\w+) client, (\w+) server", pair).groups()
        self.kind, self.sdk, self.path = kind, sdk, tmp_path / "trace"
        if self.server_era == "older":
            child = [FIXTURE, *Trace(self.path).flags]
        else:
            child = [VENVS / "sdk2/bin/python", SERVERS / "sdk2.py", self.path]
        self.proxy = proxy(child=child)

    def client(self, **config):
        return self.sdk(self.kind, self.proxy, **config)


def tools(pair):
    client = pair.client()
    assert "echo" in {tool["name"] for tool in client.do("list_tools")["tools"]}
    assert client.text("echo", text="häuser & 家") == "häuser & 家"


def structured_content(pair):
    client = pair.client()
    name, arguments = ("add", {"a": 1, "b": 2}) if pair.server_era == "older" else ("numbers", {"count": 2})
    schema = next(tool for tool in client.do("list_tools")["tools"] if tool["name"] == name)["outputSchema"]
    assert schema["type"] == "object"
    assert isinstance(client.tool(name, **arguments)["structuredContent"], dict)


def resources(pair):
    client = pair.client()
    assert client.do("list_resources")["resources"]
    assert client.do("read_resource", uri="test://static/1")["contents"][0]["text"] == "content of test://static/1"
    with pytest.raises(SDKError) as raised:
        client.do("read_resource", uri="nowhere://1")
    assert raised.value.code == (-32602 if pair.client_era == "newest" else -32002)


def prompts(pair):
    client = pair.client()
    assert "greeting" in {prompt["name"] for prompt in client.do("list_prompts")["prompts"]}
    message = client.do("get_prompt", name="greeting", arguments={"name": "Ada"})["messages"][0]
    assert message["content"]["text"] == "Greet Ada in a friendly way."


def completion(pair):
    completed = pair.client().do("complete", prompt="greeting", argument={"name": "name", "value": "ad"})
    assert completed["completion"]["values"] == ["ada", "adele"]


def progress(pair):
    client = pair.client()
    tags = [client.start_tool("progress", steps=steps, ms=20) for steps in (3, 5)]
    for tag, steps in zip(tags, (3, 5), strict=True):
        assert not client.finish(tag).get("isError")
        assert [event["progress"] for event in client.events("progress", tag=tag)] == list(range(1, steps + 1))


def cancellation(pair):
    client = pair.client()
    tag = client.start_tool("sleep", ms=60_000)
    eventually(lambda: scrape(pair.proxy.http).value("mcp_proxy_requests_inflight") == 1, what="the call")
    client.do("cancel", target=tag)
    eventually(lambda: pair.path.exists() and "cancelled" in pair.path.read_text(), what="the server's knowing of it")
    assert client.text("echo", text="still here") == "still here"


def logging(pair):
    client = pair.client(**({"log_level": "warning"} if pair.client_era == "newest" else {}))
    if pair.client_era == "older":
        client.do("set_level", level="warning")
    client.tool("log", level="info", text="too quiet")
    client.tool("log", level="error", text="loud enough")
    assert client.event("log")["params"]["level"] == "error"
    assert client.events("log") == []


def elicitation_by_form(pair):
    client = pair.client(elicitation={"answer": "blue"})
    assert "blue" in client.text("elicit", message="favourite colour?")
    assert client.event("elicitation")["params"]["message"] == "favourite colour?"
    assert "decline" in pair.client(elicitation="decline").text("elicit", message="m")


def elicitation_by_url(pair):
    client = pair.client(elicitation={})
    tag = client.start_tool("elicit_url", message="please sign in")
    assert client.event("elicitation")["params"]["mode"] == "url"
    assert "accept" in str(client.finish(tag))


def sampling(pair):
    assert "forty-two" in pair.client(sampling="forty-two").text("sample", prompt="the question")


def roots(pair):
    assert "file:///srv/one" in pair.client(roots=["file:///srv/one"]).text("roots")


def resource_subscriptions(pair):
    client = pair.client()
    if pair.client_era == "newest":
        tag = client.start("listen", resource_subscriptions=["test://static/1"])
        assert client.event("listening", tag=tag)["honoured"]["resourceSubscriptions"] == ["test://static/1"]
    else:
        client.do("subscribe", uri="test://static/1")
    client.tool("touch", uri="test://static/2")
    client.tool("touch", uri="test://static/1")
    if pair.client_era == "newest":
        assert client.event("change", tag=tag)["uri"] == "test://static/1"
        return
    told = client.event("notification", method="notifications/resources/updated")
    assert told["params"]["uri"] == "test://static/1"
    client.do("unsubscribe", uri="test://static/1")


def list_changes(pair):
    client = pair.client()
    if pair.client_era == "newest":
        tag = client.start("listen", tools_list_changed=True)
        assert client.event("listening", tag=tag)["honoured"]["toolsListChanged"] is True
        client.tool("list_change", kind="tool")
        client.event("change", tag=tag)
    else:
        client.tool("list_change", kind="tool")
        client.event("notification", method="notifications/tools/list_changed")


def tasks(pair):
    capabilities = pair.client().initialized["capabilities"]
    assert "tasks" in capabilities or "io.modelcontextprotocol/tasks" in capabilities.get("extensions", {})


CHECKS = {
    check.__name__.replace("_", " ").replace("url", "URL"): check
    for check in (
        tools, structured_content, resources, prompts, completion, progress, cancellation, logging, elicitation_by_form,
        elicitation_by_url, sampling, roots, resource_subscriptions, list_changes, tasks,
    )
}


def cases():
    for (feature, pair), verdict in VERDICTS.items():
        for kind in CLIENTS[pair.split()[0]]:
            yield pytest.param(feature, pair, kind, verdict, id=f"{feature}-{pair}-{kind}".replace(" ", "_"))


@pytest.mark.parametrize(("feature", "pair", "kind", "verdict"), cases())
def test_cell(proxy, sdk, tmp_path, feature, pair, kind, verdict):
    made = Pair(pair, kind, proxy, sdk, tmp_path)
    if verdict == "no":
        with pytest.raises(AssertionError):
            CHECKS[feature](made)
    else:
        CHECKS[feature](made)


def test_every_feature_is_checked_and_every_loss_explained():
    assert {feature for feature, _ in VERDICTS} == set(CHECKS)
    assert set(VERDICTS.values()) == {"yes", "lossy", "no"}
    losses = PAGE.split("## What is lost, and why")[1]
    for (feature, _), verdict in VERDICTS.items():
        assert verdict == "yes" or f"* **{feature}**" in losses, f"nothing explains what is lost of {feature}"


@pytest.mark.parametrize("kind", ["sdk1", "sdk2", "sdk2-pinned"])
def test_many_rounds(proxy, sdk, tmp_path, kind):
    era = "newest" if kind == "sdk2-pinned" else "older"
    made = Pair(f"{era} client, newest server", kind, proxy, sdk, tmp_path)
    client = made.client(elicitation={"answer": "x"})
    assert client.text("rounds", count=5) == "5 rounds"
    assert [event["params"]["message"] for event in client.events("elicitation")] == [f"round {n}" for n in range(5)]


@pytest.mark.parametrize("kind", ["sdk1", "sdk2", "sdk2-pinned"])
def test_two_clients_are_asked_at_the_same_time(proxy, sdk, tmp_path, kind):
    """Nobody has to wait for another's answer, and nobody sees another's question."""
    era = "newest" if kind == "sdk2-pinned" else "older"
    made = Pair(f"{era} client, newest server", kind, proxy, sdk, tmp_path)
    first = made.client(elicitation={"answer": "first"}, hold=True)
    second = made.client(elicitation={"answer": "second"})
    slow = first.start_tool("elicit", message="for the first")
    assert first.event("elicitation")["params"]["message"] == "for the first"
    assert "second" in second.text("elicit", message="for the second")
    first.do("release")
    assert "first" in str(first.finish(slow))
    assert first.events("elicitation") == []


@pytest.mark.parametrize("kind", ["sdk1", "sdk2", "sdk2-pinned"])
def test_a_crash(proxy, sdk, tmp_path, kind):
    era = "newest" if kind == "sdk2-pinned" else "older"
    client = Pair(f"{era} client, newest server", kind, proxy, sdk, tmp_path).client()
    with pytest.raises(SDKError) as raised:
        client.tool("crash", status=7)
    assert raised.value.data["reason"] == "upstream_exited"
    assert client.text("echo", text="as if nothing had happened") == "as if nothing had happened"
