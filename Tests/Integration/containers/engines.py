# SPDX-License-Identifier: Apache-2.0
"""Real container engines, Docker's and Podman, run for the tests alone: everything they keep lies in one directory.

The programs come from PATH or from where scripts/test.sh unpacks Debian's packages; nothing is installed or changed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from processes import eventually
from proxy_process import FIXTURE, ROOT

UNPACKED = ROOT / ".venvs/debian"
PATH = os.pathsep.join(
    [os.environ["PATH"], *(str(UNPACKED / part) for part in ("usr/bin", "usr/sbin", "sbin")), "/usr/sbin", "/sbin"]
)
IMAGE = "mcp/fixture"
LABEL = "mcp-proxy.instance"


def program(name, *others):
    """The path of a program; the test is skipped without it, and without root."""
    if os.geteuid() != 0:
        pytest.skip("an engine of the test's own needs root")
    found = [path for each in (name, *others) if (path := shutil.which(each, path=PATH))]
    return found[0] if found else pytest.skip(f"{name} is not installed (scripts/test.sh fetches it)")


def libraries(binary):
    """The files that the loader needs to run a program."""
    listed = subprocess.run(["ldd", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [word for word in listed.split() if word.startswith("/")]


def image_tar(path, mark="fixture"):
    """The root directory of an image, with the fixture server, a shell and some tools; `mark` makes it another one."""
    programs = {"/bin/fixture-server": FIXTURE}
    programs |= {f"/bin/{name}": shutil.which(name) for name in ("sh", "sleep", "cat", "tail")}
    files = dict(programs)
    for binary in programs.values():
        files |= {library: library for library in libraries(binary)}
    directories = {str(parent) for name in files for parent in Path(name).parents} | {"/tmp", "/etc"}
    with tarfile.open(path, "w") as tar:
        for name in sorted(directories - {"/"}):
            info = tarfile.TarInfo("." + name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, source in files.items():
            tar.add(os.path.realpath(source), "." + name)
        tar.addfile(tarfile.TarInfo(f"./etc/{mark}"))


class Engine:
    """What both have: `cli` is the client, `env` what it and a proxy must be given."""

    kind: str

    def __init__(self):
        # A data root must not lie on an overlay, nor a socket far down.
        self.directory = Path(tempfile.mkdtemp(prefix=f"mcp-{self.kind}-", dir="/var/tmp"))
        self.env = {}

    def run(self, *words, check=True, timeout=60, stdin=subprocess.DEVNULL):
        """Runs the client and returns what it printed."""
        done = subprocess.run(
            [self.cli, *map(str, words)],
            env={**os.environ, **self.env},
            cwd=self.directory,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def load(self, tar, image=IMAGE):
        with open(tar, "rb") as file:
            self.run("import", "--change", 'ENTRYPOINT ["/bin/fixture-server"]', "-", image, stdin=file)

    def command(self, *flags, image=IMAGE, words=()):
        """The command of a proxy's child."""
        return [self.cli, "run", "-i", "--rm", *flags, image, *words]

    def containers(self, instance=None, all=True):
        """The names of the containers there are, running or not."""
        filters = ["--filter", f"label={LABEL}" + (f"={instance}" if instance else "")]
        return self.run("ps", *(["--all"] if all else []), *filters, "--format", "{{.Names}}").split()

    def inspect(self, name):
        return json.loads(self.run("inspect", name))[0]

    def remove_all(self):
        names = self.run("ps", "--all", "--quiet").split()
        if names:
            self.run("rm", "--force", *names, check=False)


class Docker(Engine):
    """A Docker daemon without network, with its own containerd."""

    kind = "docker"

    def __init__(self):
        self.daemon = program("dockerd")
        self.cli = program("docker")
        for name in ("containerd", "runc"):
            program(name)
        self.init = program("tini-static", "docker-init", "tini")
        super().__init__()
        (self.directory / "config").mkdir()
        self.env = {
            "DOCKER_HOST": f"unix://{self.directory}/docker.sock",
            "DOCKER_CONFIG": f"{self.directory}/config",
            "DOCKER_CLI_HINTS": "0",
        }
        self.group = f"/mcp-proxy-test-{os.getpid()}"
        self.process = None
        self.start()

    def start(self):
        # One that was killed leaves them, and takes whoever has such a number by now for its own.
        for file in ("dockerd.pid", "exec/containerd/containerd.pid"):
            (self.directory / file).unlink(missing_ok=True)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    self.daemon,
                    *("--data-root", self.directory / "data", "--exec-root", self.directory / "exec"),
                    *("--pidfile", self.directory / "dockerd.pid", "--host", self.env["DOCKER_HOST"]),
                    *("--iptables=false", "--ip6tables=false", "--bridge=none", "--shutdown-timeout=2"),
                    *("--cgroup-parent", self.group, "--init-path", self.init),
                ],
                env={**os.environ, "PATH": PATH},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, 60, "the Docker daemon")

    def _answers(self):
        if self.process.poll() is not None:
            pytest.skip(f"this machine runs no Docker daemon: {self.log()}")
        return self.run("version", "--format", "server {{.Server.Version}}", check=False).startswith("server ")

    def log(self):
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")[-600:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self):
        """As a crash does it: containers and containerd live on."""
        self.process.kill()
        self.process.wait(30)

    def discard(self):
        if self.process.poll() is not None:
            self.start()
        self.remove_all()
        self.stop()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for point in sorted((m for m in mounts if m.startswith(str(self.directory))), reverse=True):
            subprocess.run(["umount", point], check=False)
        for hierarchy in Path("/sys/fs/cgroup").glob("*"):
            for path, _, _ in os.walk(f"{hierarchy}{self.group}", topdown=False):
                # What ended a moment ago may still be counted among its processes; an empty group harms nobody.
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        shutil.rmtree(self.directory, ignore_errors=True)


class Podman(Engine):
    """Podman with a storage of its own. It has no daemon, so there is nothing to start."""

    kind = "podman"

    def __init__(self):
        podman = program("podman")
        settings = {
            "runtime": program("runc"),
            "conmon": program("conmon"),
            "init": program("tini-static", "catatonit", "tini"),
        }
        super().__init__()
        home = self.directory / "home"
        (home / ".config/containers").mkdir(parents=True)
        (home / ".config/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        (home / ".config/containers/registries.conf").write_text("unqualified-search-registries = []\n")
        (self.directory / "containers.conf").write_text(
            # What a machine without CAP_SYS_RESOURCE, and one with both kinds of control groups, can do.
            "[containers]\n"
            'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            f'netns = "none"\ninit_path = "{settings["init"]}"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n'
            f'conmon_path = ["{settings["conmon"]}"]\n'
            f'[engine.runtimes]\nrunc = ["{settings["runtime"]}"]\n'
        )
        # The storage as flags: with a variable the end of a container is noticed 20 s late.
        self.cli = str(self.directory / "podman")
        Path(self.cli).write_text(
            f'#!/bin/sh\nexec {podman} --root {self.directory}/storage --runroot {self.directory}/run "$@"\n'
        )
        os.chmod(self.cli, 0o755)
        self.env = {"HOME": str(home), "CONTAINERS_CONF": str(self.directory / "containers.conf")}

    def discard(self):
        self.remove_all()
        self.run("rmi", "--all", "--force", check=False)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for point in sorted((m for m in mounts if m.startswith(str(self.directory))), reverse=True):
            subprocess.run(["umount", point], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
