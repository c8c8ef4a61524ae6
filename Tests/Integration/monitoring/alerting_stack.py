# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus and Alertmanager with the shipped configuration and rules, sped up, and a receiver behind them.

Addresses are those of the test, durations are divided by one factor (fault_scaling), and that is all that differs.
"""

import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

from fault_scaling import DIRECTORY, scaled, scaled_file
from processes import eventually
from prometheus import binary
from proxy_process import ROOT
from webhook import Webhook

# What these two do when nobody tells them otherwise is scaled as well.
PROMETHEUS_DEFAULTS = {
    "query.lookback-delta": "5m",
    "rules.alert.resend-delay": "1m",
    "rules.alert.for-outage-tolerance": "1h",
    "rules.alert.for-grace-period": "10m",
}


def free_port():
    """A port on loopback for somebody who can't take any: below those the kernel hands out by itself."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def with_templates(name):
    """The command of a program; Debian's Alertmanager needs the templates of its package below /usr/share.

    Where the package is unpacked and not installed, it sees them there, in a mount namespace of its own.
    """
    program = Path(binary(name))
    if name != "prometheus-alertmanager" or Path("/usr/share/prometheus/alertmanager/default.tmpl").exists():
        return [str(program)]
    script = 'mount -t tmpfs tmpfs /usr/share && cp -r "$0" /usr/share/prometheus && exec "$@"'
    share = program.parents[1] / "share/prometheus"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, str(share), str(program)]


class Stack:
    """`recording`: whether the recording rules are loaded; `targets` hands in what is scraped."""

    def __init__(self, directory, recording=True):
        self._directory = directory
        self._processes = []
        self.webhook = Webhook()
        self.port, self._alertmanager = free_port(), free_port()
        self._addresses = {
            "127.0.0.1:9090": f"127.0.0.1:{self.port}",
            "127.0.0.1:9093": f"127.0.0.1:{self._alertmanager}",
            "127.0.0.1:9099": f"127.0.0.1:{self.webhook.port}",
        }
        for name in ("prometheus.yml", "alertmanager.yml", "targets/public.yml"):
            self._install(name)
        for folder in ("alerts", "recording") if recording else ("alerts",):
            self._install_folder(folder)
        self.targets([])
        (directory / "assets").mkdir()
        (directory / "assets/runbooks").symlink_to(ROOT / "runbooks")
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _install(self, name):
        path = self._directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(scaled_file(DIRECTORY / name, self._addresses), encoding="utf-8")

    def _install_folder(self, name):
        for path in sorted((DIRECTORY / name).glob("*.yml")):
            self._install(f"{name}/{path.name}")

    def load(self, folder):
        """Adds a folder of rules while Prometheus runs."""
        self._install_folder(folder)
        self._processes[-1].send_signal(signal.SIGHUP)

    def _start(self):
        self._run(
            "prometheus-alertmanager",
            self._alertmanager,
            "--config.file=alertmanager.yml",
            "--storage.path=alertmanager",
            "--cluster.listen-address=",
        )
        self._run(
            "prometheus",
            self.port,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.user-assets=assets",
            *(f"--{name}={scaled(default)}" for name, default in PROMETHEUS_DEFAULTS.items()),
        )

    def _run(self, name, port, *arguments):
        command = [*with_templates(name), f"--web.listen-address=127.0.0.1:{port}", *arguments]
        log = self._directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._directory
            )
        self._processes.append(process)

        def ready():
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{log.read_text()}"
            return fetch(port, "/-/ready") is not None

        eventually(ready, 60, f"{name} on port {port}")

    def targets(self, addresses):
        """Makes these what Prometheus scrapes: it watches the file."""
        path = self._directory / "targets/servers.yml"
        new = path.with_suffix(".new")
        new.write_text(json.dumps([{"targets": addresses}]), encoding="utf-8")
        os.replace(new, path)

    # Asking.

    def query(self, expression):
        """The result of an instant query: labels and value of each series."""
        answer = fetch(self.port, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        return [(series["metric"], float(series["value"][1])) for series in json.loads(answer)["data"]["result"]]

    @staticmethod
    def wait(condition, timeout, what):
        """As `eventually`, but so seldom that asking is no load."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not come true within {timeout:.0f} s"
            time.sleep(0.2)
        return found

    def alerts(self, **labels):
        """The alerts Alertmanager knows, muted ones included."""
        found = json.loads(fetch(self._alertmanager, "/api/v2/alerts"))
        return [a for a in found if all(a["labels"].get(name) == value for name, value in labels.items())]

    def diagnosis(self):
        """All there is to say when an alert is missing, or one too many."""
        rules = json.loads(fetch(self.port, "/api/v1/alerts"))["data"]["alerts"]
        lines = ["alerts of Prometheus:"]
        lines += [f"  {a['state']:8} {a['labels']} {a['value']}" for a in rules]
        lines += ["alerts of Alertmanager:"]
        lines += [f"  {a['status']['state']:10} {a['labels']} {a['status']['inhibitedBy']}" for a in self.alerts()]
        return "\n".join([*lines, "notifications:", self.webhook.log()])

    def close(self):
        for process in reversed(self._processes):
            process.terminate()
            process.wait(30)
        self.webhook.stop()


def fetch(port, path):
    """What is answered, or None when nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.read()
    except OSError:
        return None


def needs():
    """Skips the test where the programs are missing."""
    for program in ("prometheus", "promtool", "prometheus-alertmanager"):
        binary(program)
