# SPDX-License-Identifier: Apache-2.0
"""A client that can also be wrong on purpose: MCP over HTTP with nothing between the test and the wire."""

import http.client
import itertools
import json
import queue
import threading
from dataclasses import dataclass

import sse

NEWEST = "2026-07-28"
ACCEPT = "application/json, text/event-stream"
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


@dataclass
class Response:
    """A complete HTTP response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        return sse.parse(self.body)

    @property
    def error(self):
        """The JSON-RPC error object of the body."""
        return self.json["error"]


class Http:
    """HTTP to one port, one connection per request."""

    def __init__(self, port, host="127.0.0.1", path="/mcp"):
        self.host = host
        self.port = port
        self.path = path

    def send(self, method, path, body=None, headers=None, timeout=30.0):
        """Sends a request and returns its connection; `wire` is the socket, for a test that wants to cut it."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        elif isinstance(body, str):
            body = body.encode()
        sent = dict(headers or {})
        connection.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
        if body is not None and "Content-Length" not in sent:
            sent["Content-Length"] = str(len(body))
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        connection.wire = connection.sock
        return connection

    def open(self, method, path, body=None, headers=None, timeout=30.0):
        """Sends a request and returns its connection and the response, head read, body not."""
        connection = self.send(method, path, body, headers, timeout)
        return connection, connection.getresponse()

    def request(self, method, path, body=None, headers=None, timeout=30.0):
        connection, response = self.open(method, path, body, headers, timeout)
        try:
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, headers=None, timeout=30.0):
        return self.request("GET", path, None, headers, timeout)

    def post(self, body, headers=None, path=None, timeout=30.0):
        """POSTs a message with the headers a client has to send; a header given as None is left out."""
        sent = {"Content-Type": "application/json", "Accept": ACCEPT, **(headers or {})}
        return self.request("POST", path or self.path, body, sent, timeout)

    def session(self, revision="2025-11-25", capabilities=None, client="test", listen=False):
        """Opens a session: initialize, initialized, and the GET stream when asked for."""
        return Session(self, revision, capabilities or {}, client, listen)


def request(method, params=None, id=1):
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


def stateless(message, capabilities=None):
    """A request as a client of 2026-07-28 sends it, and the headers that repeat what it says."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities or {},
    }
    params = message.get("params", {})
    headers = {"MCP-Protocol-Version": NEWEST, "Mcp-Method": message["method"]}
    if named := params.get("name") or params.get("uri"):
        headers["Mcp-Name"] = named
    return message | {"params": params | {"_meta": params.get("_meta", {}) | meta}}, headers


def notification(method, params=None):
    message = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def initialize(revision="2025-11-25", capabilities=None, client="test", id=0):
    params = {"capabilities": capabilities or {}, "clientInfo": {"name": client, "version": "1"}}
    if revision is not None:
        params["protocolVersion"] = revision
    return request("initialize", params, id)


def tool(name, /, id=1, progress_token=None, **arguments):
    params = {"name": name, "arguments": arguments}
    if progress_token is not None:
        params["_meta"] = {"progressToken": progress_token}
    return request("tools/call", params, id)


def text(message):
    """The text of a tools/call answer."""
    assert "result" in message, message
    return "".join(block.get("text", "") for block in message["result"]["content"])


def refused(response, code, reason, error_code=-32600):
    """Asserts the shape of a refusal."""
    assert response.status == code, (response.status, response.body)
    error = response.error
    assert error["code"] == error_code, error
    assert error["message"]
    assert error["data"]["reason"] == reason


class Call:
    """A POST whose answer is read in the background, be it JSON or a stream."""

    def __init__(self, http_, body, headers, timeout):
        self._messages = queue.Queue()
        self._set_aside = []
        self.events = []
        self.response = None
        self.opened = threading.Event()
        self.failure = None
        # Sent here and now, so that what the test does next comes after it.
        self.connection = http_.send("POST", http_.path, body, headers, timeout)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            self.response = self.connection.getresponse()
            self.opened.set()
            if "text/event-stream" in self.response.headers.get("Content-Type", ""):
                parser = sse.Parser()
                while line := self.response.readline():
                    if event := parser.line(line):
                        self.events.append(event)
                        if event.message is not None:
                            self._messages.put(event.message)
            elif body := self.response.read():
                parsed = json.loads(body)
                for message in parsed if isinstance(parsed, list) else [parsed]:
                    self._messages.put(message)
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as failure:
            self.failure = failure
        finally:
            self.connection.close()
            self._messages.put(None)
            self.opened.set()

    def message(self, timeout=15.0, where=lambda message: True):
        """The next message that satisfies `where`; the ones before it are kept."""
        for index, message in enumerate(self._set_aside):
            if where(message):
                return self._set_aside.pop(index)
        while True:
            try:
                message = self._messages.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"no message within {timeout} s") from None
            if message is None:
                self._messages.put(None)
                raise AssertionError(f"the answer ended without it (status {self.status}, {self.failure!r})")
            if where(message):
                return message
            self._set_aside.append(message)

    def method(self, name, timeout=15.0):
        return self.message(timeout, lambda message: message.get("method") == name)

    def answer(self, timeout=15.0):
        """The response to the request."""
        return self.message(timeout, lambda message: "result" in message or "error" in message)

    def drained(self, timeout=15.0):
        """All messages that are left once the answer has ended."""
        left, self._set_aside = self._set_aside, []
        while (message := self._messages.get(timeout=timeout)) is not None:
            left.append(message)
        self._messages.put(None)
        return left

    @property
    def status(self):
        return self.response.status if self.response else None

    @property
    def content_type(self):
        assert self.opened.wait(15)
        return self.response.headers.get("Content-Type", "")

    def drop(self):
        """Closes the connection before the answer, as a client that is gone does."""
        self.connection.wire.shutdown(2)


class Session:
    """One MCP session over Streamable HTTP."""

    def __init__(self, http_, revision, capabilities, client, listen):
        self.http = http_
        self._ids = itertools.count(1)
        response = http_.post(initialize(revision, capabilities, client))
        assert response.status == 200, (response.status, response.body)
        self.id = response.headers["Mcp-Session-Id"]
        message = response.json if "json" in response.headers["Content-Type"] else response.events[-1].message
        self.initialized = message["result"]
        self.revision = self.initialized["protocolVersion"]
        self.notify("notifications/initialized")
        self.stream = self.listen() if listen else None

    @property
    def headers(self):
        headers = {"Content-Type": "application/json", "Accept": ACCEPT, "Mcp-Session-Id": self.id}
        if self.revision >= "2025-06-18":
            headers["MCP-Protocol-Version"] = self.revision
        return headers

    def post(self, message, headers=None, timeout=30.0):
        """POSTs one message (or raw bytes) in the session."""
        return self.http.request("POST", self.http.path, message, {**self.headers, **(headers or {})}, timeout)

    def start(self, message, headers=None, timeout=60.0):
        """POSTs a request and reads its answer in the background."""
        if isinstance(message, dict):
            message = json.dumps(message).encode()
        return Call(self.http, message, {**self.headers, **(headers or {})}, timeout)

    def request(self, method, params=None, timeout=30.0):
        """Sends a request with an id of its own and returns the response message."""
        return self.start(request(method, params, next(self._ids)), timeout=timeout).answer(timeout)

    def tool(self, name, /, timeout=30.0, **arguments):
        return self.request("tools/call", {"name": name, "arguments": arguments}, timeout)

    def start_tool(self, name, /, progress_token=None, **arguments):
        return self.start(tool(name, next(self._ids), progress_token, **arguments))

    def notify(self, method, params=None):
        response = self.post(notification(method, params))
        assert response.status == 202, (response.status, response.body)

    def answer(self, asked, result):
        """Answers a request of the server's."""
        response = self.post({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        assert response.status == 202, (response.status, response.body)

    def cancel(self, id, reason="test"):
        self.notify("notifications/cancelled", {"requestId": id, "reason": reason})

    def listen(self, last_event_id=None):
        """Opens the session's GET stream."""
        headers = {**self.headers, "Accept": "text/event-stream"}
        del headers["Content-Type"]
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        connection, response = self.http.open("GET", self.http.path, None, headers, timeout=120)
        if response.status != 200:
            body = response.read()
            connection.close()
            raise AssertionError(f"GET: {response.status} {body!r}")
        return sse.Stream(connection, response)

    def delete(self):
        return self.http.request("DELETE", self.http.path, None, self.headers)


class LegacySession:
    """One session over the HTTP+SSE transport of 2024-11-05."""

    def __init__(self, http_, revision="2024-11-05", capabilities=None, path="/sse"):
        self.http = http_
        self._ids = itertools.count(1)
        connection, response = http_.open("GET", path, None, {"Accept": "text/event-stream"}, timeout=120)
        assert response.status == 200, response.status
        self.stream = sse.Stream(connection, response)
        endpoint = self.stream.event()
        assert endpoint.name == "endpoint", endpoint
        self.endpoint = endpoint.data
        self.initialized = self.request("initialize", initialize(revision, capabilities)["params"])["result"]
        self.notify("notifications/initialized")

    def post(self, message, headers=None):
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self.http.request("POST", self.endpoint, message, sent)

    def request(self, method, params=None, timeout=15.0):
        message = request(method, params, f"sse-{next(self._ids)}")
        response = self.post(message)
        assert response.status == 202, (response.status, response.body)
        return self.stream.message(timeout, lambda answer: answer.get("id") == message["id"] and "method" not in answer)

    def tool(self, name, /, timeout=15.0, **arguments):
        return self.request("tools/call", {"name": name, "arguments": arguments}, timeout)

    def notify(self, method, params=None):
        response = self.post(notification(method, params))
        assert response.status == 202, (response.status, response.body)

    def answer(self, asked, result):
        response = self.post({"jsonrpc": "2.0", "id": asked["id"], "result": result})
        assert response.status == 202, (response.status, response.body)

    def close(self):
        self.stream.close()
