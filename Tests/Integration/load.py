# SPDX-License-Identifier: Apache-2.0
"""Many clients in one thread, each with a keep-alive connection of its own and one call at a time: written for
speed, with the bytes of HTTP made and read by hand, because the load must outrun the proxy and not the client."""

import json
import selectors
import socket
import time
from collections import Counter


class Connection:
    """One client: sends the call `id` when the one before has been answered, and checks every answer."""

    def __init__(self, load, number, session):
        self.load = load
        self.number = number
        self.id = 0
        self.buffer = b""
        self.sent_at = 0.0
        self.wire = socket.create_connection(("127.0.0.1", load.port))
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire.setblocking(False)
        self.head = (
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
            f"Mcp-Session-Id: {session.id}\r\nContent-Length: "
        ).encode()

    def send(self):
        self.id += 1
        self.text = f"{self.number}/{self.id}"
        body = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"%s"}}}' % (
            self.id,
            self.text.encode(),
        )
        self.sent_at = time.monotonic()
        data = self.head + b"%d\r\n\r\n" % len(body) + body
        assert self.wire.send(data) == len(data)

    def readable(self):
        """Reads what is there; true when that completed the answer."""
        data = self.wire.recv(65536)
        if not data:
            self.load.wrong.append(f"{self.text}: the connection was closed")
            return True
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0 or not head.startswith(b"http/1.1 200"):
            self.load.wrong.append(f"{self.text}: {self.buffer[:300]!r}")
            return True
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return False
        body, rest = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
        self.buffer = b""
        if rest:
            self.load.wrong.append(f"{self.text}: more than one answer: {rest[:300]!r}")
        self.check(body)
        return True

    def check(self, body):
        took = time.monotonic() - self.sent_at
        self.load.slowest = max(self.load.slowest, took)
        message = json.loads(body)
        if message.get("id") != self.id:
            self.load.wrong.append(f"{self.text}: answer to {message.get('id')!r}")
        elif "result" in message:
            if message["result"]["content"][0]["text"] != self.text:
                self.load.wrong.append(f"{self.text}: {body[:300]!r}")
            self.load.outcomes["result"] += 1
        else:
            reason = message["error"].get("data", {}).get("reason")
            self.load.outcomes[reason] += 1


class Load:
    """Runs `calls` calls over one connection per session. `outcomes` counts results and the reasons of errors,
    `wrong` holds what should not have happened, `slowest` is the longest wait in seconds."""

    def __init__(self, port, sessions):
        self.port = port
        self.outcomes = Counter()
        self.wrong = []
        self.slowest = 0.0
        self.connections = [Connection(self, number, session) for number, session in enumerate(sessions)]

    def run(self, calls, call_timeout):
        """Returns when every call has been answered, or one has waited longer than `call_timeout` seconds."""
        selector = selectors.DefaultSelector()
        begun = 0
        for connection in self.connections:
            selector.register(connection.wire, selectors.EVENT_READ, connection)
            connection.send()
            begun += 1
        open_calls = begun
        while open_calls and len(self.wrong) < 10:
            ready = selector.select(1.0)
            for key, _ in ready:
                connection = key.data
                if not connection.readable():
                    continue
                if begun < calls:
                    connection.send()
                    begun += 1
                else:
                    open_calls -= 1
                    connection.sent_at = None
                    selector.unregister(connection.wire)
            now = time.monotonic()
            late = [c for c in self.connections if c.sent_at is not None and now - c.sent_at > call_timeout]
            if late:
                self.wrong += [f"{c.text}: no answer within {call_timeout} s" for c in late]
                return

    def close(self):
        """Ends the connections; an answer that came late or twice is still found here."""
        for connection in self.connections:
            try:
                if rest := connection.wire.recv(65536):
                    self.wrong.append(f"{connection.text}: something came after the last answer: {rest[:300]!r}")
            except BlockingIOError:
                pass
            connection.wire.close()
