# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: parsing them, and reading a stream in the background."""

import json
import queue
import threading
from dataclasses import dataclass, field


@dataclass
class Event:
    """One server-sent event as it stood on the wire; a field that was not sent is None."""

    id: str | None = None
    name: str | None = None
    data: str | None = None
    retry: int | None = None

    @property
    def message(self):
        """The JSON-RPC message it carries, or None when it carries none."""
        return json.loads(self.data) if self.data else None


@dataclass
class Parser:
    """Takes lines, gives events. Comments are counted, not returned."""

    comments: int = 0
    _event: Event = field(default_factory=Event)
    _started: bool = False

    def line(self, raw):
        text = raw.decode("utf-8").rstrip("\r\n")
        if text == "":
            event, self._event = self._event, Event()
            started, self._started = self._started, False
            return event if started else None
        if text.startswith(":"):
            self.comments += 1
            return None
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        self._started = True
        if name == "data":
            self._event.data = value if self._event.data is None else f"{self._event.data}\n{value}"
        elif name == "event":
            self._event.name = value
        elif name == "id":
            self._event.id = value
        elif name == "retry":
            self._event.retry = int(value)
        return None


def parse(body):
    """All events of a finished stream."""
    parser = Parser()
    return [event for line in body.splitlines(keepends=True) if (event := parser.line(line))]


class Stream:
    """An open event stream, read by a thread so that a test can wait for events with a deadline."""

    def __init__(self, connection, response):
        self.status = response.status
        self.headers = response.headers
        self.last_id = None
        self._connection = connection
        self._response = response
        self._socket = connection.wire
        self._parser = Parser()
        self._events = queue.Queue()
        self._set_aside = []
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def comments(self):
        return self._parser.comments

    def _read(self):
        try:
            while line := self._response.readline():
                if event := self._parser.line(line):
                    self._events.put(event)
        except (OSError, ValueError, AttributeError):
            pass  # cut off, or closed by the test
        finally:
            self._events.put(None)
            self.ended.set()

    def event(self, timeout=10.0):
        """The next event; an AssertionError when none comes in time or the stream has ended."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no event within {timeout} s") from None
        if event is None:
            self._events.put(None)
            raise AssertionError("the stream has ended")
        if event.id:
            self.last_id = event.id
        return event

    def message(self, timeout=10.0, where=lambda message: True):
        """The next message that satisfies `where`; the ones before it are kept for a later call."""
        for index, message in enumerate(self._set_aside):
            if where(message):
                return self._set_aside.pop(index)
        while True:
            message = self.event(timeout).message
            if message is None:
                continue
            if where(message):
                return message
            self._set_aside.append(message)

    def method(self, name, timeout=10.0):
        """The next request or notification of that method."""
        return self.message(timeout, lambda message: message.get("method") == name)

    def silent(self, seconds):
        """Asserts that no event arrives for a while."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return
        assert event is None, f"unexpected event {event}"
        self._events.put(None)

    def rest(self, timeout=10.0):
        """All messages up to the end of the stream, which must come in time."""
        messages, self._set_aside = self._set_aside, []
        while True:
            event = self._events.get(timeout=timeout)
            if event is None:
                self._events.put(None)
                return messages
            if event.id:
                self.last_id = event.id
            if event.message is not None:
                messages.append(event.message)

    def close(self):
        """Drops the connection as a client that is gone does."""
        try:
            self._socket.shutdown(2)
        except OSError:
            pass
        self.ended.wait(5)
        self._connection.close()
