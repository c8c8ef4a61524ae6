# SPDX-License-Identifier: Apache-2.0
"""An official client in a process and an environment of its own, told by lines of JSON what to do."""

import collections
import itertools
import json
import subprocess
import threading
import time
from pathlib import Path

CLIENTS = Path(__file__).parent / "clients"
# Which script drives a client, which environment it runs in, and how it connects.
KINDS = {
    "sdk1": ("sdk1.py", "sdk1", {}),
    "sdk2": ("sdk2.py", "sdk2", {"mode": "legacy"}),
    "fastmcp": ("fast.py", "fastmcp", {"mode": "legacy"}),
}
# Clients that ask for the revision without sessions first, and one that knows nothing else.
STATELESS_KINDS = {
    "sdk2-auto": ("sdk2.py", "sdk2", {"mode": "auto"}),
    "sdk2-pinned": ("sdk2.py", "sdk2", {"mode": "2026-07-28"}),
    "fastmcp-auto": ("fast.py", "fastmcp", {"mode": "auto"}),
}


class SDKError(Exception):
    """What the SDK raised; `error` holds its type, message and, for a JSON-RPC error, code and data."""

    def __init__(self, error):
        super().__init__(error)
        self.error = error
        self.type = error["type"]
        self.code = error.get("code")
        self.data = error.get("data")


class SDKClient:
    """A connected client. `config` goes to the driver: see `clients/driver.py`."""

    def __init__(self, kind, venvs, url, transport, **config):
        script, venv, connection = (KINDS | STATELESS_KINDS)[kind]
        config |= connection | {"url": url, "transport": transport}
        self.kind = kind
        self._tags = itertools.count(1)
        self._answers = {}
        self._events = collections.deque()
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [str(venvs / venv / "bin" / "python"), str(CLIENTS / script), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stderr = []
        threading.Thread(target=self._read_stdout, daemon=True).start()
        threading.Thread(target=self._read_stderr, daemon=True).start()
        self.initialized = self.event("connected", 40)["result"]

    def _read_stdout(self):
        for line in self.process.stdout:
            found = json.loads(line)
            with self._changed:
                if "event" in found:
                    self._events.append(found)
                else:
                    self._answers[found["tag"]] = found
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_stderr(self):
        for line in self.process.stderr:
            self.stderr.append(line)

    def _failure(self, what):
        return AssertionError(
            f"{self.kind}: {what}; events {list(self._events)}; stderr:\n{''.join(self.stderr[-40:])}"
        )

    def event(self, kind, timeout=20.0, **fields):
        """Takes the next event of that kind whose fields have these values."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self._events:
                    if event["event"] == kind and all(event.get(k) == v for k, v in fields.items()):
                        self._events.remove(event)
                        return event
                fatal = [event for event in self._events if event["event"] == "fatal"]
                left = deadline - time.monotonic()
                if left <= 0 or fatal or self._ended:
                    raise self._failure(f"no event {kind} {fields} within {timeout} s")
                self._changed.wait(left)

    def events(self, kind, **fields):
        """The events of that kind that nobody has taken yet."""
        with self._changed:
            found = list(self._events)
        return [e for e in found if e["event"] == kind and all(e.get(k) == v for k, v in fields.items())]

    def forget(self):
        """Drops the events that nobody has taken."""
        with self._changed:
            self._events.clear()

    def start(self, op, **arguments):
        """Begins an op and returns its tag."""
        tag = next(self._tags)
        self.process.stdin.write(json.dumps({"tag": tag, "op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        return tag

    def finish(self, tag, timeout=30.0):
        """The result of an op; raises SDKError when the SDK raised."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while tag not in self._answers:
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise self._failure(f"op {tag} did not end within {timeout} s")
                self._changed.wait(left)
            answer = self._answers.pop(tag)
        if "error" in answer:
            raise SDKError(answer["error"])
        return answer["result"]

    def do(self, op, timeout=30.0, **arguments):
        return self.finish(self.start(op, **arguments), timeout)

    def tool(self, name, /, timeout=30.0, **arguments):
        return self.do("call_tool", timeout, name=name, arguments=arguments)

    def start_tool(self, name, /, **arguments):
        return self.start("call_tool", name=name, arguments=arguments)

    def text(self, name, /, timeout=30.0, **arguments):
        """Calls a tool and returns the text of its result."""
        result = self.tool(name, timeout, **arguments)
        assert not result.get("isError"), result
        return "".join(block.get("text", "") for block in result["content"])

    def close(self, timeout=20.0):
        """Disconnects in an orderly way, as a program that ends its `async with` does."""
        self.do("close", timeout)
        assert self.process.wait(timeout) == 0, "".join(self.stderr[-40:])

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
