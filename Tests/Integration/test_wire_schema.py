# SPDX-License-Identifier: Apache-2.0
"""That the check of all that a client is sent would see what is wrong: each message here is right but for one thing."""

import copy
import http.client
import json

import pytest

import sse
from mcp_http import Http, tool
from tap import Exchange, Tap
from wire_check import check

OLDER, NEWEST = "2025-11-25", "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
INFO = {f"{PREFIX}serverInfo": {"name": "s", "version": "1"}}
TEXT = {"content": [{"type": "text", "text": "x"}]}
COMPLETE = {"resultType": "complete", "_meta": INFO}
CACHE = {"ttlMs": 0, "cacheScope": "private"}
TOOL = {"name": "t", "inputSchema": {"type": "object"}}
FORM = {"mode": "form", "message": "m", "requestedSchema": {"type": "object", "properties": {}}}
STATED = {"requestState": "s", "resultType": "input_required", "_meta": INFO}


def request(method, id=1, **params):
    meta = {
        f"{PREFIX}protocolVersion": NEWEST,
        f"{PREFIX}clientCapabilities": {"elicitation": {"form": {}}},
        "progressToken": 5,
    }
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, "_meta": meta}}


def result(id=1, **members):
    return {"jsonrpc": "2.0", "id": id, "result": members}


def error(code, id=1, **members):
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "m", **members}}


def told(method, **params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


def asking(method="elicitation/create", params=FORM, **members):
    return result(inputRequests={"k": {"method": method, "params": params}}, **(STATED | members))


INITIALIZE = {
    **request("initialize", 0),
    "params": {
        "protocolVersion": OLDER,
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "c", "version": "1"},
    },
}
INITIALIZED = result(0, protocolVersion=OLDER, capabilities={}, serverInfo={"name": "s", "version": "1"})
CALL, LIST = request("tools/call", name="t"), request("tools/list")
WITH_TASK = {**CALL, "params": {**CALL["params"], "task": {"ttl": 1}}}
TASK = {"taskId": "t", "status": "working", "ttl": None, "createdAt": "2026-01-01T00:00:00Z",
        "lastUpdatedAt": "2026-01-01T00:00:00Z"}
ASK = {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create", "params": FORM}
DISCOVERED = {"supportedVersions": [NEWEST], "capabilities": {}}


@pytest.mark.parametrize(
    ("revision", "message", "asked"),
    [
        (OLDER, result(**TEXT), CALL),
        (OLDER, result(tools=[TOOL | {"execution": {"taskSupport": "optional"}}]), LIST),
        (OLDER, result(task=TASK), WITH_TASK),
        (OLDER, result(**TASK), request("tasks/get", taskId="t")),
        (OLDER, result(), request("ping")),
        (OLDER, INITIALIZED, INITIALIZE),
        (OLDER, error(-32002), CALL),
        (OLDER, ASK, INITIALIZE),
        (OLDER, told("notifications/tasks/status", **TASK), None),
        (OLDER, told("notifications/progress", progressToken="a", progress=1), None),
        (OLDER, told("notifications/elicitation/complete", elicitationId="x"), None),
        (NEWEST, result(**TEXT, **COMPLETE), CALL),
        (NEWEST, result(**TEXT, **COMPLETE, structuredContent=[1, 2]), CALL),
        (NEWEST, result(tools=[TOOL], **COMPLETE, **CACHE), LIST),
        (NEWEST, result(**DISCOVERED, **COMPLETE, **CACHE), request("server/discover")),
        (NEWEST, asking(), CALL),
        (NEWEST, result(**STATED), CALL),
        (NEWEST, error(-32602, data={"uri": "x"}), CALL),
        (NEWEST, error(-32022, data={"supported": [NEWEST], "requested": "x"}), CALL),
        (NEWEST, {"jsonrpc": "2.0", "error": {"code": -32700, "message": "m"}}, CALL),
    ],
)
def test_what_is_right(schema, revision, message, asked):
    assert schema.wrong(revision, message, asked) == []


@pytest.mark.parametrize(
    ("revision", "message", "asked", "problem"),
    [
        (OLDER, result(**TEXT, resultType="complete"), CALL, "has no resultType"),
        (OLDER, result(tools=[TOOL], ttlMs=0), LIST, "has no ttlMs"),
        (OLDER, result(tools=[TOOL | {"extra": 1}]), LIST, "tools.0.extra"),
        (OLDER, result(**TEXT, _meta=INFO), CALL, "serverInfo"),
        (OLDER, result(**TEXT, structuredContent=[1]), CALL, "structuredContent"),
        (OLDER, result(content=[{"type": "text"}]), CALL, "text"),
        (OLDER, result(content=[{"type": "text", "text": 1}]), CALL, "text"),
        (OLDER, result(resultType="complete"), request("ping"), "_meta"),
        (OLDER, asking(), CALL, "content"),
        (OLDER, result(**TEXT), WITH_TASK, "task"),
        (OLDER, result(task=TASK), CALL, "content"),
        (OLDER, result(**DISCOVERED), request("server/discover"), "has no server/discover"),
        (OLDER, {"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "m"}}, CALL, "code"),
        (OLDER, {"id": 1, "result": TEXT}, CALL, "jsonrpc"),
        (OLDER, {"jsonrpc": "2.0", "id": 1}, CALL, "no message"),
        (OLDER, {"jsonrpc": "2.0", "id": 1.5, "result": TEXT}, CALL, "id"),
        (OLDER, ASK | {"params": {**FORM, "mode": "url", "url": "https://example.com"}}, INITIALIZE, "elicitationId"),
        (OLDER, ASK | {"method": "roots/list", "params": {}}, INITIALIZE, "did not declare"),
        (OLDER, ASK | {"method": "server/ask"}, INITIALIZE, "no server asks"),
        (OLDER, told("notifications/subscriptions/acknowledged", notifications={}), None, "acknowledged"),
        (OLDER, told("notifications/progress", progressToken="a"), None, "progress"),
        ("2024-11-05", ASK, INITIALIZE, "no server asks"),
        ("2025-06-18", told("notifications/elicitation/complete", elicitationId="x"), None, "elicitation/complete"),
        (NEWEST, result(**TEXT, _meta=INFO), CALL, "resultType"),
        (NEWEST, result(**TEXT, **(COMPLETE | {"resultType": "task"})), CALL, "resultType"),
        (NEWEST, result(**TEXT, resultType="complete"), CALL, "no serverInfo"),
        (NEWEST, result(**TEXT, resultType="complete", _meta={f"{PREFIX}serverInfo": {"name": "s"}}), CALL, "version"),
        (NEWEST, result(tools=[TOOL], **COMPLETE), LIST, "ttlMs"),
        (NEWEST, result(tools=[TOOL], **COMPLETE, ttlMs=0), LIST, "cacheScope"),
        (NEWEST, result(tools=[TOOL], **COMPLETE, **(CACHE | {"cacheScope": "mine"})), LIST, "cacheScope"),
        (NEWEST, result(tools=[TOOL | {"execution": {}}], **COMPLETE, **CACHE), LIST, "tools.0.execution"),
        (NEWEST, result(**(DISCOVERED | {"capabilities": {"tasks": {}}}), **COMPLETE, **CACHE),
         request("server/discover"), "capabilities.tasks"),
        (NEWEST, asking("sampling/createMessage", {"messages": [], "maxTokens": 1}), CALL, "did not declare"),
        (NEWEST, asking(params={"mode": "url", "message": "m", "url": "https://example.com"}), CALL, "did not declare"),
        (NEWEST, asking("ping", {}), CALL, "inputRequests"),
        (NEWEST, asking(), LIST, "may not ask"),
        (NEWEST, asking(jsonrpc="2.0"), CALL, "jsonrpc"),
        (NEWEST, result(resultType="input_required", _meta=INFO), CALL, "neither"),
        (NEWEST, result(), request("ping"), "has no ping"),
        (NEWEST, error(-32002), CALL, "-32002"),
        (NEWEST, error(-32042, data={"elicitations": []}), CALL, "-32042"),
        (NEWEST, error(-32021), CALL, "data"),
        (NEWEST, error(-32602, id=None), CALL, "not null"),
        (NEWEST, ASK, INITIALIZE, "no server asks"),
        (NEWEST, told("notifications/elicitation/complete", elicitationId="x"), None, "elicitation/complete"),
    ],
)
def test_what_is_wrong(schema, revision, message, asked, problem):
    found = schema.wrong(revision, message, asked)
    assert len(found) == 1 and problem in found[0], found


def headers(**fields):
    made = http.client.HTTPMessage()
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    return made


def exchange(asked, *answered, revision=NEWEST, event=None, **answer_headers):
    """One whose response is a stream."""
    sent = headers(MCP_Protocol_Version=revision)
    made = Exchange("POST", "/mcp", sent, json.dumps(asked).encode(), 200, headers(**answer_headers))
    made.events = [sse.Event(name="message", data=json.dumps(message), id=event) for message in answered]
    return made


def named(method, id, **params):
    return told(method, _meta={f"{PREFIX}subscriptionId": id}, **params)


def with_level(message):
    changed = copy.deepcopy(message)
    changed["params"]["_meta"][f"{PREFIX}logLevel"] = "info"
    return changed


LISTEN = request("subscriptions/listen", notifications={"toolsListChanged": True})
ACKNOWLEDGED = named("notifications/subscriptions/acknowledged", 1, notifications={"toolsListChanged": True})
CHANGED = "notifications/tools/list_changed"
DONE = result(**TEXT, **COMPLETE)
ENDED = result(resultType="complete", _meta=INFO | {f"{PREFIX}subscriptionId": 1})
LOG = told("notifications/message", level="info", data="x")
PROGRESS = told("notifications/progress", progressToken=5, progress=1)
HANDSHAKE = exchange(INITIALIZE, INITIALIZED, revision=OLDER)


@pytest.mark.parametrize(
    "exchanges",
    [
        [exchange(LISTEN, ACKNOWLEDGED, named(CHANGED, 1), ENDED)],
        [exchange(CALL, PROGRESS, DONE)],
        [exchange(with_level(CALL), LOG, DONE)],
        [HANDSHAKE, exchange(CALL, ASK, PROGRESS, result(**TEXT), revision=OLDER)],
    ],
)
def test_what_belongs_together(schema, exchanges):
    assert check(schema, exchanges)[0] == []


@pytest.mark.parametrize(
    ("exchanges", "problem"),
    [
        ([exchange(LISTEN, named(CHANGED, 1), ENDED)], "begins by being acknowledged"),
        ([exchange(LISTEN, ACKNOWLEDGED, named(CHANGED, "1"))], "names the subscription '1'"),
        ([exchange(LISTEN, ACKNOWLEDGED, told(CHANGED))], "names the subscription None"),
        ([exchange(CALL, named(CHANGED, 1), DONE)], "only a subscription"),
        ([exchange(CALL, LOG, DONE)], "no messages"),
        ([exchange(CALL, told("notifications/progress", progressToken=6, progress=1), DONE)], "something else"),
        ([exchange(CALL, result("1", **TEXT, **COMPLETE))], "not that of the request"),
        ([exchange(CALL, DONE, PROGRESS)], "not the last"),
        ([exchange(CALL, DONE, event="1")], "no ids"),
        ([exchange(CALL, DONE, Mcp_Session_Id="x")], "no sessions"),
        ([exchange(CALL, told("notifications/cancelled", requestId=1))], "nothing is cancelled"),
        ([HANDSHAKE, exchange(CALL, result(7, **TEXT), revision=OLDER)], "nothing was asked"),
        ([HANDSHAKE, exchange(CALL, told("notifications/progress", progressToken=6, progress=1), revision=OLDER)],
         "never asked"),
        ([HANDSHAKE, exchange(CALL, ASK | {"method": "roots/list", "params": {}}, revision=OLDER)], "did not declare"),
    ],
)
def test_what_does_not(schema, exchanges, problem):
    problems, _ = check(schema, exchanges)
    assert len(problems) == 1 and problem in problems[0], problems


def test_what_a_tap_hears(proxy, schema):
    """Answers in one JSON body, in a batch and on both kinds of stream, and those that are cut off."""
    running = proxy()
    tap = Tap(running.port)
    session = Http(tap.port).session("2025-03-26", {"sampling": {}}, listen=True)
    batch = [tool("echo", id="a", text="x"), tool("echo", id="b", text="y")]
    assert session.post(batch).status == 200
    call = session.start_tool("sample", prompt="p")
    text = {"type": "text", "text": "t"}
    asked = call.method("sampling/createMessage")
    session.answer(asked, {"role": "assistant", "model": "m", "content": text})
    call.answer()
    session.tool("list_change", kind="tool")
    session.stream.method("notifications/tools/list_changed")
    session.start_tool("sleep", ms=60_000).drop()
    exchanges = tap.exchanges
    tap.close()
    assert check(schema, exchanges)[0] == []
    heard = [message for exchange in exchanges for message in exchange.answered]
    methods = [message["method"] for message in heard if "method" in message]
    assert sorted(methods) == ["notifications/tools/list_changed", "sampling/createMessage"]
    assert {message["id"] for message in heard if "result" in message} == {0, 1, 2, "a", "b"}
    (taken,) = [exchange for exchange in exchanges if len(exchange.asked) == 2]
    taken.answer = taken.answer.replace(b'"content"', b'"contents"')
    assert len(check(schema, exchanges)[0]) == 2, "and whatever is wrong with it"
