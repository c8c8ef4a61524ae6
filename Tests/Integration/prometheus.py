# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus, run for one test on a port and a directory of its own, and asked over its API."""

import http.client
import http.server
import json
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

import processes
from processes import eventually


def binary(name):
    """The path of `prometheus` or `promtool`; the test is skipped without it."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")


def check_metrics(text):
    """What `promtool check metrics` says of a page in the text format: exit status and output."""
    done = subprocess.run(
        [binary("promtool"), "check", "metrics"],
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.decode()


class Prometheus:
    """A running server that scrapes `targets`: by name of the job its port, or its port and path."""

    def __init__(self, directory, targets, features="", interval="500ms"):
        self._jobs = list(targets)
        config = directory / "prometheus.yml"
        config.write_text(json.dumps(self._config(targets, interval)), encoding="utf-8")
        command = [
            binary("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
        ]
        if features:
            command.append(f"--enable-feature={features}")
        self._log_path = directory / "prometheus.log"
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
        self.port = None

    def _config(self, targets, interval):
        jobs = []
        for job, target in targets.items():
            port, path = target if isinstance(target, tuple) else (target, "/metrics")
            target = {"targets": [f"127.0.0.1:{port}"]}
            jobs.append({"job_name": job, "metrics_path": path, "static_configs": [target]})
        return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": jobs}

    def log(self):
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def _listens(self):
        """Finds the port it took: it asked for any, and doesn't say which."""
        assert self._process.poll() is None, f"prometheus ended with {self._process.returncode}:\n{self.log()}"
        self.port = listening_port(self._process.pid)
        return self.port

    def api(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def _scraped(self):
        try:
            targets = self.api("targets")["activeTargets"]
        except OSError:
            return None  # not yet
        known = [target for target in targets if target["health"] != "unknown"]
        return {target["labels"]["job"]: target for target in known} if len(known) == len(self._jobs) else None

    def scraped(self, timeout=60.0):
        """Waits until each target has been scraped, and gives them by job: `health`, `lastError`."""
        eventually(self._listens, timeout, "a port of Prometheus")
        return eventually(self._scraped, timeout, "the first scrapes")

    def all_up(self, timeout=60.0):
        """Waits for the first scrapes, which must all succeed."""
        found = {job: (t["health"], t["lastError"]) for job, t in self.scraped(timeout).items()}
        assert found == dict.fromkeys(self._jobs, ("up", "")), found
        # The health is told a moment before the samples can be asked for.
        eventually(lambda: len(self.query("up")) == len(self._jobs), timeout, "samples")

    def query(self, expression):
        """The result of an instant query: labels and value of each series."""
        result = self.api("query", query=expression)["result"]
        return [(series["metric"], series.get("value", series.get("histogram"))[1]) for series in result]

    def number(self, expression):
        """The one number an expression gives."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression}: {found[:10]}"
        return float(found[0][1])

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def listening_port(pid):
    """The port on 127.0.0.1 on which a process listens, from the tables of the kernel, or None."""
    sockets = {t[8:-1] for t in processes.descriptors(pid).values() if t.startswith("socket:[")}
    with open("/proc/net/tcp", encoding="ascii") as table:
        for fields in map(str.split, table):
            if fields[3] == "0A" and fields[9] in sockets:
                return int(fields[1].partition(":")[2], 16)
    return None


class AcceptRelay:
    """Stands between Prometheus and a proxy and asks in other words: Prometheus 2.42 can't be told what to accept.

    `paths` has the Accept header to send for each path; `answers` the Content-Type and Content-Encoding that came.
    """

    def __init__(self, port, paths):
        relay = self
        self.answers = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", "/metrics", headers={**relay.sent(self.headers), "Accept": paths[self.path]})
                response = connection.getresponse()
                body = response.read()
                connection.close()
                relay.answers[self.path] = (response.headers["Content-Type"], response.headers["Content-Encoding"])
                self.send_response(response.status)
                for name in ("Content-Type", "Content-Encoding"):
                    if response.headers[name]:
                        self.send_header(name, response.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # Prometheus was stopped while it scraped

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def sent(headers):
        return {"Accept-Encoding": headers["Accept-Encoding"]} if headers["Accept-Encoding"] else {}

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
