# SPDX-License-Identifier: Apache-2.0
"""A throw-away Debian machine with a real systemd as its first process, for tests of units.

    with machine.boot() as host:
        host.run("systemctl", "start", "mcp@time")

It is a container of systemd-nspawn over an overlay, so that the tree made by scripts/machine.sh stays clean, with a
network of its own: nothing but loopback, and every port free. Whether the machine it runs on is run by systemd does not
matter.
"""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from processes import children, eventually
from proxy_process import FIXTURE, PROXY, ROOT, VENVS

BASE = Path(os.environ.get("MACHINE", VENVS / "machine"))
# The overlay is written here: on a file system that is no overlay itself.
SPACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_numbers = itertools.count(1)


class Machine:
    """A booted machine. `root` is its file system, seen from here."""

    def __init__(self, directory, binds):
        self.name = f"mcp-{os.getpid()}-{next(_numbers)}"
        self.directory = directory
        self.root = directory / "root"
        self._groups = []
        for name in ("upper", "work", "root"):
            (directory / name).mkdir()
        options = f"lowerdir={BASE},upperdir={directory}/upper,workdir={directory}/work"
        subprocess.run(["mount", "-t", "overlay", self.name, "-o", options, str(self.root)], check=True)
        self.write("/etc/machine-id", uuid.uuid4().hex + "\n")
        self.write("/etc/hostname", self.name + "\n")
        self._log = (directory / "console.log").open("wb")
        command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.name}"]
        command += ["--register=no", "--console=pipe", "--kill-signal=SIGRTMIN+4", "--link-journal=no"]
        command += ["--resolv-conf=off", "--timezone=off", "--private-network"]
        command += [f"--bind-ro={source}:{target}" for source, target in binds]
        prefix = []
        if not os.path.isdir("/run/systemd/system"):
            command.append("--keep-unit")
            prefix = self._own_groups()
        self._process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._leader = None

    def _own_groups(self):
        """Without a systemd to do so, each machine is put into control groups of its own: the command for it."""
        script = []
        for hierarchy in Path("/sys/fs/cgroup").iterdir():
            if hierarchy.is_symlink() or not (hierarchy / "cgroup.procs").exists():
                continue
            group = hierarchy / self.name
            group.mkdir()
            self._groups.append(group)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (hierarchy / name).exists():
                    (group / name).write_text((hierarchy / name).read_text(encoding="ascii"), encoding="ascii")
            script.append(f"echo $$ >{group}/cgroup.procs")
        return ["/bin/sh", "-c", "; ".join([*script, 'exec "$@"']), "sh"]

    def wait_booted(self):
        eventually(self._find_leader, 60, "the first process of the machine")
        eventually(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() == "running"
                   or self._stuck(), 120, "the end of the boot")

    def _find_leader(self):
        """The first process of the machine: the child of nspawn that has the number 1 in a namespace of its own."""
        if self._process.poll() is not None:
            pytest.skip(f"this machine can't boot another: {self.console()[-600:]}")
        for child in children(self._process.pid):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
                if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                    self._leader = child.pid
                    return True
        return False

    def _stuck(self):
        if self.run("systemctl", "is-system-running", check=False).stdout.strip() != "degraded":
            return False
        raise AssertionError(self.run("systemctl", "--failed", "--no-legend").stdout)

    def console(self):
        return (self.directory / "console.log").read_text(encoding="utf-8", errors="replace")

    def command(self, *words):
        """The command that runs another inside of the machine."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["env", "-i", f"PATH={path}", "HOME=/root", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8"]
        return ["nsenter", f"--target={self._leader}", "--all", *inside, *map(str, words)]

    def run(self, *words, check=True, stdin="", timeout=120):
        """Runs a command inside and returns the finished process (text output)."""
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def shell(self, script, check=True, **more):
        return self.run("bash", "-euo", "pipefail", "-c", script, check=check, **more)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def path(self, path):
        return self.root / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def read(self, path):
        return self.path(path).read_text(encoding="utf-8")

    def down(self):
        """Shuts it down and removes all of it."""
        try:
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(20)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
        finally:
            self._log.close()
            subprocess.run(["umount", str(self.root)], check=False)
            for group in self._groups:
                for path, _, _ in os.walk(group, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(path)
            shutil.rmtree(self.directory, ignore_errors=True)


def libraries():
    """Where the proxy finds the libraries of Swift, when it is not linked with them."""
    found = subprocess.run(["ldd", PROXY], capture_output=True, text=True, check=True).stdout
    paths = {os.path.dirname(path) for path in re.findall(r"=> (/\S+)", found)}
    return sorted(path for path in paths if not path.startswith(("/lib", "/usr/lib")))


@contextlib.contextmanager
def boot():
    """Boots a machine with the proxy and the fixture server in /usr/local/bin."""
    if os.geteuid() != 0:
        pytest.skip("a machine can only be booted by root")
    if not shutil.which("systemd-nspawn"):
        pytest.skip("systemd-nspawn is missing: run scripts/machine.sh")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let its root mount anything")
    if not (BASE / "usr/sbin/init").exists() and not (BASE / "sbin/init").exists():
        pytest.skip(f"{BASE} is missing: run scripts/machine.sh")
    binds = [(PROXY, "/usr/local/bin/mcp-proxy"), (FIXTURE, "/usr/local/bin/fixture-server")]
    binds += [(path, path) for path in libraries()] + [(ROOT / "deploy", "/opt/deploy")]
    directory = Path(tempfile.mkdtemp(prefix="mcp-machine-", dir=SPACE))
    host = Machine(directory, binds)
    try:
        host.wait_booted()
        yield host
    finally:
        host.down()
