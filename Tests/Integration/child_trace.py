# SPDX-License-Identifier: Apache-2.0
"""What the child really received: the fixture server writes it to the file of its flag --trace."""

import json

from processes import eventually


class Trace:
    def __init__(self, path):
        self.path = path

    @property
    def flags(self):
        """The flags to start the fixture server with."""
        return ("--trace", str(self.path))

    @property
    def lines(self):
        """The complete lines so far, as text."""
        if not self.path.exists():
            return []
        text = self.path.read_bytes().decode("utf-8", errors="replace")
        return [line for line in text[: text.rfind("\n") + 1].split("\n") if line]

    @property
    def messages(self):
        found = []
        for line in self.lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
        return found

    def of(self, method):
        """The requests and notifications of a method."""
        return [message for message in self.messages if message.get("method") == method]

    def wait(self, method, count=1, timeout=10.0):
        """Waits for that many messages of a method and returns the last of them."""
        return eventually(
            lambda: len(found := self.of(method)) >= count and found[count - 1], timeout, f"{count} x {method}"
        )
