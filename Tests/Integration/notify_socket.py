# SPDX-License-Identifier: Apache-2.0
"""The socket of sd_notify(3), as systemd has it: what a service says of itself, when, and from which process."""

import errno
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Notice:
    """One datagram: its assignments, the process that sent it, and when it was there, by both clocks."""

    assignments: dict
    pid: int
    monotonic: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)

    def __getitem__(self, name):
        return self.assignments[name]

    def says(self, **expected):
        """Whether it has these assignments; a pattern must match, and `...` stands for any value."""
        for name, value in expected.items():
            said = self.assignments.get(name)
            if said is None:
                return False
            if isinstance(value, re.Pattern):
                if not value.search(said):
                    return False
            elif value is not ... and said != value:
                return False
        return True


class NotifySocket:
    """`address` is the value for NOTIFY_SOCKET: a path, or the name of an abstract socket behind an `@`."""

    def __init__(self, address):
        self.address = str(address)
        self.notices = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(name(self.address))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(12))
            except OSError:
                return
            # Empty once the socket is shut down; nobody sends an empty notice.
            if not data:
                return
            pid = next(struct.unpack("3i", value)[0] for _, kind, value in ancillary if kind == socket.SCM_CREDENTIALS)
            lines = data.decode().split("\n")
            with self._changed:
                self.notices.append(Notice(dict(line.split("=", 1) for line in lines), pid))
                self._changed.notify_all()

    def found(self, **expected):
        """The notices with these assignments."""
        with self._changed:
            return [notice for notice in self.notices if notice.says(**expected)]

    def wait(self, timeout=15.0, count=1, **expected):
        """Waits until that many of these notices have come and returns the last of them."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := self.found(**expected)) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"no {expected} (x{count}) within {timeout} s; heard: {self.log()}"
                self._changed.wait(left)
        return found[count - 1]

    def heard_within(self, seconds, **expected):
        """How many more of these come in that time: for what must not come."""
        before = len(self.found(**expected))
        deadline = time.monotonic() + seconds
        with self._changed:
            while (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        return len(self.found(**expected)) - before

    def log(self):
        return [notice.assignments for notice in self.notices]

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


class FullSocket:
    """A socket nobody reads, with as many datagrams in it as the kernel lets wait."""

    def __init__(self, path):
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                while True:
                    sender.sendto(b"X=1", self.address)
            except OSError as error:
                assert error.errno in (errno.EAGAIN, errno.ENOBUFS), error

    def drain(self):
        """Takes everything out that waits, and returns what was said."""
        said = []
        self._socket.setblocking(False)
        try:
            while True:
                said.append(self._socket.recv(65536).decode())
        except BlockingIOError:
            return said

    def close(self):
        self._socket.close()


def name(address):
    """The address for `bind` and `sendto`."""
    return "\0" + address[1:] if address.startswith("@") else address
