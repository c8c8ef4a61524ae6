# SPDX-License-Identifier: Apache-2.0
"""A relay that keeps what it forwards: the HTTP exchanges of a client with the proxy, as they were on the wire."""

import http.client
import io
import json
import threading
from dataclasses import dataclass, field

import sse
from relay import Relay


@dataclass
class Exchange:
    """A request and what has come back of its response so far."""

    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes
    status: int | None = None
    answer_headers: http.client.HTTPMessage | None = None
    answer: bytes = b""
    events: list = field(default_factory=list)

    @property
    def asked(self):
        """The messages of the request."""
        return _messages(self.body)

    @property
    def answered(self):
        """The messages of the response: its JSON body, or its events up to the last whole one."""
        if self.events or not self.is_json:
            return [event.message for event in self.events if event.name == "message" and event.message is not None]
        return _messages(self.answer)

    @property
    def is_json(self):
        return self.answer_headers is not None and "json" in self.answer_headers.get("Content-Type", "")


def _messages(body):
    found = json.loads(body) if body else []
    return found if isinstance(found, list) else [found]


class _Bytes:
    """What `http.client` takes for a socket."""

    def __init__(self, kept):
        self._file = io.BytesIO(kept)

    def makefile(self, *_):
        return self._file


class Tap(Relay):
    """A relay that remembers each connection's bytes in both directions."""

    def __init__(self, port):
        self._kept = []
        self._keeping = threading.Lock()
        super().__init__(port)

    def watch(self):
        sent, received = bytearray(), bytearray()
        with self._keeping:
            self._kept.append((sent, received))
        return sent.extend, received.extend

    @property
    def exchanges(self):
        """Everything so far. What is cut off in the middle is what has arrived."""
        with self._keeping:
            kept = [(bytes(sent), bytes(received)) for sent, received in self._kept]
        return [exchange for sent, received in kept for exchange in _exchanges(sent, received)]


def _exchanges(sent, received):
    requests, responses = io.BytesIO(sent), _Bytes(received)
    while line := requests.readline():
        method, path, _ = line.decode("ascii").split()
        headers = http.client.parse_headers(requests)
        body = requests.read(int(headers.get("Content-Length", 0)))
        exchange = Exchange(method, path, headers, body)
        _answer(exchange, responses)
        yield exchange


def _answer(exchange, responses):
    response = http.client.HTTPResponse(responses, method=exchange.method)
    # It closes its file at the end of each response; the next one is in the same.
    response.close = response._close_conn = lambda: None
    try:
        response.begin()
    except http.client.HTTPException:
        return
    exchange.status, exchange.answer_headers = response.status, response.headers
    streams = "event-stream" in response.headers.get("Content-Type", "")
    try:
        exchange.answer = response.read()
    except http.client.IncompleteRead as failure:
        exchange.answer = failure.partial if streams else b""
    if streams:
        exchange.events = sse.parse(exchange.answer)
