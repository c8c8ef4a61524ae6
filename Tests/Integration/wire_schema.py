# SPDX-License-Identifier: Apache-2.0
"""Holds messages against the schema of a revision. Runs in the environment `sdk2`, and takes and gives lines of JSON.

-> {"revision": "2025-11-25", "message": {...}, "asked": {...}}
<- [] or ["what is wrong", ...]

`message` is what a client was sent. If that answers a request, `asked` is this request.

What it covers: the wire types of the package mcp_types, which its authors generate from the schemas of the protocol.
They say which methods a revision has in which direction, what a message must have, of which type, and which values
constants can take. For the revisions before 2026-07-28 they know one schema, that of 2025-11-25, with the methods of
each. What they are silent about is checked here:

* They ignore members that the schema does not name, as a client has to. The servers of these tests send none, so one
  that arrives was let through by the proxy, in the wrong revision: it is reported. Not within what the schema leaves
  open: `_meta`, `structuredContent`, the schemas of tools, `capabilities.experimental`, the `data` of errors.
* They convert ("1" is good for a number) and tell unions apart by trying: not here, numbers and booleans are strict.
* Tasks of 2025-11-25 have types but no place in the tables of methods.
* `resultType` may be any string there; `requestState` or `inputRequests` may both be missing.
* What 2026-07-28 asks of `_meta` and of error codes: serverInfo in each result, the codes it took back.
"""

import json
import sys

from mcp_types import _v2025_11_25 as v2025
from mcp_types import _v2026_07_28 as v2026
from mcp_types import methods
from pydantic import TypeAdapter, ValidationError

NEWEST = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
TASK_RESULTS = {
    ("tasks/get", "2025-11-25"): v2025.GetTaskResult,
    ("tasks/list", "2025-11-25"): v2025.ListTasksResult,
    ("tasks/cancel", "2025-11-25"): v2025.CancelTaskResult,
    ("tasks/result", "2025-11-25"): v2025.CallToolResult,
}
RESULTS = {**methods.SERVER_RESULTS, **TASK_RESULTS}
NOTIFICATIONS = {
    **methods.SERVER_NOTIFICATIONS,
    ("notifications/tasks/status", "2025-11-25"): v2025.TaskStatusNotification,
}
# The errors of 2026-07-28 that have a schema of their own, and the one of 2025-11-25.
ERRORS = {
    (NEWEST, -32020): v2026.HeaderMismatchError,
    (NEWEST, -32021): v2026.MissingRequiredClientCapabilityError,
    (NEWEST, -32022): v2026.UnsupportedProtocolVersionError,
    ("2025-11-25", -32042): v2025.URLElicitationRequiredError,
}
# What revisions before 2026-07-28 used -32002 and -32042 for has become something else.
RETIRED = (-32002, -32042)


class Wrong(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Wrong(what)


def held_against(kind, found):
    """Validates and reports the members that the schema does not know."""
    adapter = TypeAdapter(kind)
    try:
        # As JSON, and strictly: in Python's mode a number would be good for a string.
        model = adapter.validate_json(json.dumps(found), strict=True, by_name=False)
    except ValidationError as failure:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in failure.errors(include_url=False)]
        raise Wrong("; ".join(lines)) from None
    extra = sorted(unknown(found, adapter.dump_python(model, by_alias=True, mode="json", exclude_unset=True)))
    need(not extra, f"the schema has no {', '.join(extra)}")


def unknown(found, known, path=""):
    if isinstance(found, dict) and isinstance(known, dict):
        for name, value in found.items():
            if name not in known:
                yield f"{path}{name}"
            else:
                yield from unknown(value, known[name], f"{path}{name}.")
    elif isinstance(found, list) and isinstance(known, list):
        for index, (one, other) in enumerate(zip(found, known, strict=True)):
            yield from unknown(one, other, f"{path}{index}.")


def result(revision, message, asked):
    found, method, params = message["result"], asked["method"], asked.get("params") or {}
    need((method, revision) in RESULTS, f"{revision} has no {method}")
    held_against(v2026.JSONRPCResultResponse if revision == NEWEST else v2025.JSONRPCResultResponse, message)
    if revision == NEWEST:
        newest_result(found, method, params)
        return
    kind = RESULTS[method, revision]
    if method == "tools/call" and "task" in params:
        kind = v2025.CreateTaskResult
    held_against(kind, found)
    if kind is v2025.EmptyResult:
        need(not found.keys() - {"_meta"}, f"nothing but _meta belongs into {found}")
    modern = [key for key in (found.get("_meta") or {}) if key == f"{PREFIX}serverInfo"]
    need(not modern, f"{revision} has no {modern} in _meta")


def newest_result(found, method, params):
    kind = found.get("resultType")
    need(kind in ("complete", "input_required"), f"resultType is {kind!r}")
    info = (found.get("_meta") or {}).get(f"{PREFIX}serverInfo")
    need(info is not None, "no serverInfo in _meta")
    held_against(v2026.Implementation, info)
    if kind == "input_required":
        need(method in methods.INPUT_REQUIRED_METHODS, f"{method} may not ask for input")
        held_against(v2026.InputRequiredResult, found)
        need("inputRequests" in found or "requestState" in found, "it says neither what is asked nor a state")
        declared = params["_meta"][f"{PREFIX}clientCapabilities"]
        for request in found.get("inputRequests", {}).values():
            need(can(declared, request), f"the client did not declare what {request['method']} needs")
        return
    arms = getattr(RESULTS[method, NEWEST], "__args__", (RESULTS[method, NEWEST],))
    held_against(next(arm for arm in arms if arm is not v2026.InputRequiredResult), found)
    if method == "subscriptions/listen":
        return
    need(f"{PREFIX}subscriptionId" not in found["_meta"], "only what ends a subscription names one")


def can(declared, request):
    """Whether a client with these capabilities may be asked that."""
    match request["method"]:
        case "elicitation/create":
            modes = declared.get("elicitation")
            mode = request["params"].get("mode", "form")
            return modes is not None and (mode in modes or (mode == "form" and not modes))
        case "sampling/createMessage":
            return "sampling" in declared
        case "roots/list":
            return "roots" in declared
        case method:
            return method == "ping"


def error(revision, message, asked):
    held_against(v2026.JSONRPCErrorResponse if revision == NEWEST else v2025.JSONRPCErrorResponse, message)
    code = message["error"]["code"]
    need(revision != NEWEST or message.get("id", "") is not None, "an id that could not be read is left out, not null")
    need(revision != NEWEST or code not in RETIRED, f"{revision} has no error {code}")
    if kind := ERRORS.get((revision, code)):
        held_against(kind, message)


def request(revision, message, asked):
    kind = methods.SERVER_REQUESTS.get((message["method"], revision))
    need(kind, f"in {revision} no server asks {message['method']}")
    held_against(kind, message)
    declared = asked["params"]["capabilities"]
    need(can(declared, message), f"the client did not declare what {message['method']} needs")


def notification(revision, message, asked):
    kind = NOTIFICATIONS.get((message["method"], revision))
    need(kind, f"{revision} has no {message['method']} to a client")
    held_against(kind, message)


def wrong(revision, message, asked=None):
    try:
        if "method" in message:
            (request if "id" in message else notification)(revision, message, asked)
        else:
            need("result" in message or "error" in message, "it is no message of JSON-RPC")
            (result if "result" in message else error)(revision, message, asked)
    except Wrong as failure:
        return [str(failure)]
    return []


for line in sys.stdin:
    sys.stdout.write(json.dumps(wrong(**json.loads(line))) + "\n")
    sys.stdout.flush()
