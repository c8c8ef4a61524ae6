# SPDX-License-Identifier: Apache-2.0
"""Holds the journal's socket as systemd does, so that it outlives journald, and starts a journald with it for each
line on stdin; prints the process id of each. Run in the room; ends with its stdin, and ends journald with it."""

import os
import signal
import socket
import sys

held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
held.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
held.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
pid = None
for _ in sys.stdin:
    if pid:
        os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        # The first descriptor handed over (sd_listen_fds(3)) is 3.
        os.dup2(held.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], [sys.argv[1]])
    print(pid, flush=True)
if pid:
    os.kill(pid, signal.SIGKILL)
