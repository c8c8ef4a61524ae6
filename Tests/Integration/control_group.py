# SPDX-License-Identifier: Apache-2.0
"""Control groups with a limit on their memory, of version 1 or 2: for tests in which the kernel kills a process."""

import contextlib
import itertools
import os
import re
from pathlib import Path

import pytest

from processes import eventually

_numbers = itertools.count(1)


class ControlGroup:
    """One control group. `command` is what makes the rest of a command line run inside of it, under the same pid."""

    def __init__(self, path, version):
        self.path = path
        self.version = version
        self.command = ("/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(path / "cgroup.procs"))

    @property
    def kills(self):
        """How many of its processes the kernel killed for want of memory."""
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        return int(re.search(r"^oom_kill (\d+)", (self.path / file).read_text(encoding="ascii"), re.MULTILINE)[1])


@contextlib.contextmanager
def control_group(mebibytes):
    """Makes a group that may use so much memory and removes it in the end; skips the test where that can't be done.

    Its processes have to be gone by then.
    """
    try:
        group = _make(mebibytes << 20)
    except (OSError, StopIteration) as error:
        pytest.skip(f"no control group can be made (are you root?): {error!r}")
    try:
        yield group
    finally:
        # What has just ended may still be counted among its processes.
        eventually(lambda: _removed(group.path), what="the end of the control group")


def _removed(path):
    try:
        path.rmdir()
    except OSError:
        return False
    return True


def _make(limit):
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    kinds = [(mount[4], mount[mount.index("-") + 1], mount[-1].split(",")) for mount in mounts]
    name = f"mcp-proxy-test-{os.getpid()}-{next(_numbers)}"
    if memory := [point for point, kind, options in kinds if kind == "cgroup" and "memory" in options]:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        own = next(path for _, controllers, path in (line.split(":", 2) for line in lines) if controllers == "memory")
        # Below the test's own group, whose limits hold as well.
        group = ControlGroup(Path(memory[0] + own) / name, 1)
        settings = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
    else:
        # A group with processes of its own, as is that of the test, can't hand on its memory; the root can.
        root = next(point for point, kind, _ in kinds if kind == "cgroup2")
        group = ControlGroup(Path(root) / name, 2)
        settings = {"memory.max": limit, "memory.swap.max": 0}
    group.path.mkdir()
    try:
        for file, value in settings.items():
            # The limits on swap are missing where there is no swap; then there is nothing to limit.
            if "sw" not in file or (group.path / file).exists():
                (group.path / file).write_text(str(value), encoding="ascii")
    except OSError:
        group.path.rmdir()
        raise
    return group
