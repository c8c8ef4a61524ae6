# SPDX-License-Identifier: Apache-2.0
"""The features of docs/compatibility.md, each tried with an official client, through the proxy, on some server.

A feature is a function that fails when it does not work at all, and perhaps a second one, of `WHOLE`, that fails when
something of it is lost on the way. So the truth about a feature is one of three: yes, lossy, no.
"""

from dataclasses import dataclass
from pathlib import Path

from mcp_http import tool
from processes import eventually
from scrape import scrape
from sdk_client import SDKError

NEWEST = "2026-07-28"
ANSWERS = {"elicitation": {"answer": "blue"}, "sampling": "forty-two", "roots": ["file:///srv/one"]}
ANOTHER = {
    "io.modelcontextprotocol/protocolVersion": NEWEST,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/logLevel": "debug",
}


@dataclass
class Setup:
    """A client in front of a proxy in front of a server, which writes to `trace` when a call is cancelled."""

    proxy: object
    client: object
    trace: Path
    levels: tuple = ()

    @property
    def newest_client(self):
        return self.client.initialized["protocolVersion"] == NEWEST

    @property
    def newest_server(self):
        return self.proxy.event("upstream.ready")["revision"] == NEWEST

    @property
    def pair(self):
        kinds = ("newest" if newest else "older" for newest in (self.newest_client, self.newest_server))
        return "{} client, {} server".format(*kinds)

    @property
    def capabilities(self):
        return self.client.initialized["capabilities"]

    def busy(self, calls):
        eventually(lambda: scrape(self.proxy.http).value("mcp_proxy_requests_inflight") == calls, what=f"{calls} calls")

    def others(self):
        """Other clients with a call under way each, which want to hear of everything. Returns what takes them away."""
        # Where a server works on many calls at a time, a pool is not large enough for each to have its process.
        count = 2 if self.newest_server else 1
        leave = [self._another() for _ in range(count)]
        self.busy(count)

        def left():
            for each in leave:
                each()
            self.busy(0)

        return left

    def _another(self):
        message = tool("sleep", ms=60_000)
        if self.newest_client:
            message["params"]["_meta"] = ANOTHER
            headers = {"MCP-Protocol-Version": NEWEST, "Mcp-Method": "tools/call", "Mcp-Name": "sleep"}
            headers |= {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
            return self.proxy.http.send("POST", "/mcp", message, headers).close
        session = self.proxy.session()
        session.request("logging/setLevel", {"level": "debug"})
        session.start(message)
        return session.delete


def truth(setup, feature):
    """yes, lossy or no; and why not more."""
    setup.client.forget()
    setup.client.do("configure", **ANSWERS)
    failure, verdict = None, "yes"
    for check, less in ((CHECKS[feature], "no"), (WHOLE.get(feature), "lossy")):
        if check is None:
            continue
        try:
            check(setup)
        except (AssertionError, SDKError) as raised:
            failure, verdict = f"{type(raised).__name__}: {raised}", less
            break
    return verdict, failure


def tools(setup):
    assert "echo" in {tool["name"] for tool in setup.client.do("list_tools")["tools"]}
    assert setup.client.text("echo", text="häuser & 家") == "häuser & 家"


def structured(setup, **tools):
    """The structured content that the first of these tools there is answers with, and its schema."""
    tool = next(tool for tool in setup.client.do("list_tools")["tools"] if tool["name"] in tools)
    return setup.client.tool(tool["name"], **tools[tool["name"]])["structuredContent"], tool["outputSchema"]


def structured_content(setup):
    content, schema = structured(setup, add={"a": 1, "b": 2}, numbers={"count": 2})
    assert schema["type"] == "object"
    assert content in ({"sum": 3}, {"result": [0, 1]})


def structured_content_whole(setup):
    if setup.newest_server:
        content, schema = structured(setup, listing={"count": 2})
        assert (content, schema["type"]) == ([0, 1], "array")


def resources(setup):
    client = setup.client
    assert client.do("list_resources")["resources"]
    assert client.do("read_resource", uri="test://static/1")["contents"][0]["text"] == "content of test://static/1"
    try:
        client.do("read_resource", uri="nowhere://1")
    except SDKError as raised:
        # A server that knows the newest revision as well may use its code in older ones, too.
        codes = [-32602] if setup.newest_client else [-32002] if setup.newest_server else [-32002, -32602]
        assert raised.code in codes and raised.data == {"uri": "nowhere://1"}
    else:
        raise AssertionError("it read what is not there")


def prompts(setup):
    assert "greeting" in {prompt["name"] for prompt in setup.client.do("list_prompts")["prompts"]}
    message = setup.client.do("get_prompt", name="greeting", arguments={"name": "Ada"})["messages"][0]
    assert message["content"]["text"] == "Greet Ada in a friendly way."


def completion(setup):
    completed = setup.client.do("complete", prompt="greeting", argument={"name": "name", "value": "ad"})
    assert completed["completion"]["values"] == ["ada", "adele"]


def progress(setup):
    client = setup.client
    tags = [client.start_tool("progress", steps=steps, ms=5) for steps in (3, 5)]
    for tag, steps in zip(tags, (3, 5), strict=True):
        assert not client.finish(tag).get("isError")
        assert [event["progress"] for event in client.events("progress", tag=tag)] == list(range(1, steps + 1))


def cancellation(setup):
    client = setup.client
    tag = client.start_tool("sleep", ms=60_000)
    setup.busy(1)
    client.do("cancel", target=tag)
    known = "the server's knowing of it"
    eventually(lambda: setup.trace.exists() and "cancelled" in setup.trace.read_text(), what=known)
    assert client.text("echo", text="still here") == "still here"
    setup.busy(0)


def logging(setup):
    client = setup.client
    if not setup.newest_client and (setup.newest_server or "logging" in setup.capabilities):
        client.do("set_level", level="warning")
    client.tool("log", level="info", text="too quiet")
    client.tool("log", level="error", text="loud enough")
    setup.levels = [client.event("log")["params"]["level"]]
    if setup.levels == ["info"]:
        setup.levels.append(client.event("log")["params"]["level"])
    assert setup.levels[-1] == "error"


def logging_whole(setup):
    client, proxy = setup.client, setup.proxy
    # fastmcp asks for all of them in each request.
    wanted = ["info", "error"] if setup.newest_client and client.kind == "fastmcp-auto" else ["error"]
    assert setup.levels == wanted, "the server cannot be told a level"
    leave, lost = setup.others(), len(proxy.found("upstream.log"))
    client.tool("log", level="error", text="beside others")
    eventually(lambda: client.events("log") or len(proxy.found("upstream.log")) > lost, what="what became of it")
    leave()
    assert client.events("log"), "nobody knew whose it was"


def elicitation_by_form(setup):
    client = setup.client
    assert "blue" in client.text("elicit", message="favourite colour?")
    assert client.event("elicitation")["params"]["message"] == "favourite colour?"
    client.do("configure", elicitation="decline")
    assert "decline" in client.text("elicit", message="m")


def elicitation_by_url(setup):
    assert "accept" in setup.client.text("elicit_url", message="please sign in")
    assert setup.client.events("elicitation")[-1]["params"]["mode"] == "url"


def elicitation_by_url_whole(setup):
    """Of older revisions only: the newest neither numbers these nor says that one is done."""
    if not setup.newest_client:
        assert not setup.newest_server, "the server does not say that the user is done"
        asked = setup.client.event("elicitation")["params"]["elicitationId"]
        told = setup.client.event("notification", method="notifications/elicitation/complete")
        assert told["params"]["elicitationId"] == asked


def sampling(setup):
    assert "forty-two" in setup.client.text("sample", prompt="the question")


def roots(setup):
    assert "file:///srv/one" in setup.client.text("roots")


def listening(setup, **wanted):
    """A subscription of the newest revision; also what ends it."""
    tag = setup.client.start("listen", **wanted)
    honoured = setup.client.event("listening", tag=tag)["honoured"]

    def end():
        setup.client.do("cancel", target=tag)
        try:
            setup.client.finish(tag)
        except SDKError as raised:
            assert raised.type == "Cancelled", raised

    return tag, honoured, end


def resource_subscriptions(setup):
    client, uri = setup.client, "test://static/1"
    if setup.newest_client:
        tag, honoured, end = listening(setup, resource_subscriptions=[uri])
    else:
        client.do("subscribe", uri=uri)
    client.tool("touch", uri="test://static/2")
    client.tool("touch", uri=uri)
    if setup.newest_client:
        try:
            assert honoured.get("resourceSubscriptions") == [uri]
            assert client.event("change", tag=tag)["uri"] == uri
        finally:
            end()
    else:
        assert client.event("notification", method="notifications/resources/updated")["params"]["uri"] == uri
        client.do("unsubscribe", uri=uri)


def list_changes(setup):
    client = setup.client
    if setup.newest_client:
        tag, honoured, end = listening(setup, tools_list_changed=True)
        try:
            assert honoured.get("toolsListChanged") is True
            client.tool("list_change", kind="tool")
            client.event("change", tag=tag)
        finally:
            end()
    else:
        assert setup.capabilities["tools"].get("listChanged"), "the server does not say that it tells of changes"
        client.tool("list_change", kind="tool")
        client.event("notification", method="notifications/tools/list_changed")


def tasks(setup):
    assert "tasks" in setup.capabilities
    created = setup.client.do("call_tool_as_task", name="sleep", arguments={"ms": 5})
    result = setup.client.do("task_result", task=created["task"]["taskId"])
    assert result["content"][0]["text"] == "slept 5 ms"


def tasks_whole(setup):
    assert "list" in setup.capabilities["tasks"]
    assert len(setup.client.do("list_tasks")["tasks"]) == 1


# In this order: a call that was cancelled may go on unseen, and the changes of lists change what there is.
CHECKS = {
    check.__name__.replace("_", " ").replace("url", "URL"): check
    for check in (
        tools, structured_content, resources, prompts, completion, progress, logging, elicitation_by_form,
        elicitation_by_url, sampling, roots, resource_subscriptions, cancellation, list_changes, tasks,
    )
}
WHOLE = {
    "structured content": structured_content_whole,
    "logging": logging_whole,
    "elicitation by URL": elicitation_by_url_whole,
    "tasks": tasks_whole,
}
