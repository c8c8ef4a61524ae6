# SPDX-License-Identifier: Apache-2.0
"""Whether all that a client was sent is what the revision it speaks allows: what `tap.py` kept, by `wire_schema.py`.

A message by itself is the matter of the schema. Here it is about what belongs together: an answer and its request, a
notification and the request or subscription it is for, a question and what the client has declared.
"""

import json
import subprocess
import threading
from pathlib import Path

NEWEST = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
# What 2026-07-28 sends to a subscription, and to nobody else.
CHANGES = (
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/subscriptions/acknowledged",
)


class Schema:
    """A process that knows the schemas. It takes a second to start, so there is one for many tests."""

    def __init__(self, venvs):
        script = Path(__file__).parent / "wire_schema.py"
        python = str(venvs / "sdk2/bin/python")
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()

    def wrong(self, revision, message, asked=None):
        """What is wrong with a message to a client; `asked`: the request it answers, or initialize, for a request."""
        with self._lock:
            self._process.stdin.write(json.dumps({"revision": revision, "message": message, "asked": asked}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class _Client:
    """What is known of the client whose exchanges these are."""

    def __init__(self, exchanges):
        self.requests = {}
        self.tokens = set()
        self.initialize = self.revision = None
        for message in (message for exchange in exchanges for message in exchange.asked):
            if "method" in message and "id" in message:
                self.requests[key(message)] = message
                self.tokens.add(json.dumps(token(message)))
        # Of two requests for a handshake the one that was answered counts, and there are no two of those.
        for exchange in exchanges:
            for answer in exchange.answered:
                if "protocolVersion" in answer.get("result", {}):
                    self.initialize = next(m for m in self.requests.values() if m["method"] == "initialize")
                    self.revision = answer["result"]["protocolVersion"]


def key(message):
    """An id as it stands: 7 is not "7"."""
    return json.dumps(message.get("id"))


def meta(message, name):
    return ((message.get("params") or {}).get("_meta") or {}).get(f"{PREFIX}{name}")


def token(message):
    return ((message.get("params") or {}).get("_meta") or {}).get("progressToken")


def check(schema, exchanges):
    """All that is wrong with what the client was sent, each with its message; and how many messages there were."""
    client, problems, count = _Client(exchanges), [], 0
    for exchange in exchanges:
        stateless = exchange.headers.get("MCP-Protocol-Version") == NEWEST
        answered = exchange.answered
        count += len(answered)
        found = _stateless(schema, exchange, answered) if stateless else _session(schema, client, exchange, answered)
        for message, problem in found:
            asked = [(message.get("method"), message.get("id")) for message in exchange.asked]
            problems.append(f"{problem}\n  in {json.dumps(message)}\n  for {exchange.method} {asked}")
    return problems, count


def _stateless(schema, exchange, answered):
    """One exchange of 2026-07-28: a request, and all that belongs to it and nothing else."""
    if exchange.answer_headers is not None and exchange.answer_headers.get("Mcp-Session-Id"):
        yield {}, "there are no sessions"
    if any(event.id is not None for event in exchange.events):
        yield {}, "events have no ids"
    request = exchange.asked[0]
    if "id" not in request:
        if answered:
            yield answered[0], "nothing answers a notification"
        return
    for index, message in enumerate(answered):
        for problem in schema.wrong(NEWEST, message, request):
            yield message, problem
        method = message.get("method")
        if method is None:
            if key(message) != key(request):
                yield message, "the id is not that of the request"
            if index != len(answered) - 1:
                yield message, "the answer is not the last of it"
        if method in CHANGES and request["method"] != "subscriptions/listen":
            yield message, "only a subscription hears of changes"
        elif method in CHANGES or (request["method"] == "subscriptions/listen" and "result" in message):
            named = (message["params"] if method else message["result"]).get("_meta", {}).get(f"{PREFIX}subscriptionId")
            if json.dumps(named) != key(request):
                yield message, f"it names the subscription {named!r}"
            if method and (index == 0) != (method == "notifications/subscriptions/acknowledged"):
                yield message, "a subscription begins by being acknowledged, once"
        if method == "notifications/message" and meta(request, "logLevel") is None:
            yield message, "the request asked for no messages"
        if method == "notifications/progress" and message["params"]["progressToken"] != token(request):
            yield message, "the progress of something else"
        if method == "notifications/cancelled":
            yield message, "over HTTP nothing is cancelled by a notification"


def _session(schema, client, exchange, answered):
    """One exchange of a revision with sessions. An answer may come by another stream than that of its request."""
    mine = {key(message): message for message in exchange.asked if "method" in message and "id" in message}
    for message in answered:
        method, asked = message.get("method"), None
        if method is None:
            asked = mine.get(key(message)) or client.requests.get(key(message))
            if asked is None and "result" in message:
                yield message, "nothing was asked with this id"
                continue
        elif "id" in message:
            asked = client.initialize
        # What refuses a handshake, or comes before it, has no revision yet.
        for problem in schema.wrong(client.revision or "2025-11-25", message, asked):
            yield message, problem
        if method == "notifications/progress" and json.dumps(message["params"]["progressToken"]) not in client.tokens:
            yield message, "the progress of something that was never asked"
