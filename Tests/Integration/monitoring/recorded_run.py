# SPDX-License-Identifier: Apache-2.0
"""A recorded run of real proxies in a real Prometheus, as if it had taken a day.

What the proxies showed is scraped step by step, and each step is given a time further from the one before than it
was: half a minute of the test becomes an hour of samples. Points in time that metrics tell are moved with them. Then
Prometheus evaluates the project's rules over all of it.
"""

import bisect
import http.client
import json
import math
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import promql_parser
import yaml

from dashboard_scenarios import STEP, STEPS, Sparse, scenarios
from mcp_http import Http
from processes import eventually
from prometheus import binary, listening_port
from proxy_process import ROOT

JOB = "mcp-proxy"
# When the run ends; any time would do, and one that stays makes pictures that stay.
END = 1_750_000_020
HOUR, DAY = 3600, 86_400
# How often the server with a day of history was scraped before the last hour.
HISTORY_STEP = 60
# Values that are points in time.
POINT_IN_TIME = re.compile(r"(?:_timestamp|_start_time)_seconds$|_cert_expiry$")
# Blocks of Prometheus begin and end at multiples of that.
BLOCK = 7200


class Recording:
    """The samples of all instances: by series its times and values.

    `scenarios` has the labels of those that ran, `instances` the address of the proxy by the label.
    """

    def __init__(self):
        self.series = {}
        self.scenarios = set()
        self.instances = {}

    def add(self, series, when, value):
        self.series.setdefault(series, []).append((when, value))

    def add_page(self, target, when, page, clock):
        """`target`: its labels, as text."""
        for name, labels, value in page:
            if POINT_IN_TIME.search(name) and value != "0":
                value = repr(clock.moved(float(value)))
            self.add(f"{name}{{{target}{labels}}}", when, value)

    def add_target(self, target, when, up, seconds, samples):
        self.add(f"up{{{target}}}", when, str(int(up)))
        self.add(f"scrape_duration_seconds{{{target}}}", when, repr(seconds))
        self.add(f"scrape_samples_scraped{{{target}}}", when, str(samples))


class Clock:
    """Which moment of the test became which of the run: points, and straight lines between them."""

    def __init__(self, points):
        self.real = [real for real, _ in points]
        self.points = points

    def moved(self, real):
        if real <= self.real[0]:
            return self.points[0][1] - (self.real[0] - real)
        if real >= self.real[-1]:
            return self.points[-1][1] + (real - self.real[-1])
        at = bisect.bisect_right(self.real, real)
        (before, start), (after, end) = self.points[at - 1], self.points[at]
        return start + (end - start) * (real - before) / (after - before)


def scrape(scenario):
    """The page as names, other labels and values, and how long it took; None when nobody answers."""
    began = time.monotonic()
    try:
        answer = Http(scenario.port).get(scenario.path, scenario.headers, timeout=10)
    except (OSError, http.client.HTTPException):
        return None, time.monotonic() - began
    samples = []
    for line in answer.body.decode().split("\n"):
        if line and line[0] != "#":
            sample, _, value = line.partition(" # ")[0].rpartition(" ")
            name, _, labels = sample.partition("{")
            samples.append((name, "," + labels[:-1] if labels else "", value))
    return samples, time.monotonic() - began


def record():
    """Runs all scenarios at once and gives what they showed."""
    recording = Recording()
    running = scenarios()
    taken = {each: [] for each in running}
    histories = {}
    try:
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(lambda each: each.start(), running))
            for each in running:
                if isinstance(each, Sparse):
                    histories[each] = each.history(lambda each=each: scrape(each)[0])

            def step(each, number):
                each.act(number)
                taken[each].append((time.time(), *scrape(each)))

            for number in range(STEPS):
                list(pool.map(step, running, [number] * len(running)))
    finally:
        for each in running:
            each.close()
    for index, each in enumerate(running):
        recording.scenarios.add(each.label)
        if each.job == JOB:
            instance = recording.instances[each.label] = f"127.0.0.1:{9461 + index}"
            target = f'instance="{instance}",job="{JOB}"'
        else:
            target = f'instance="{each.instance}",job="{each.job}",name="{each.name}"'
        add(recording, target, taken[each], histories.get(each, []))
    return recording


def add(recording, target, steps, history):
    """Adds what one target showed: in the last hour, and the day before when it has a history."""
    start = END - STEP * (STEPS - 1)
    first = END - DAY
    spread = (start - first) / max(len(history), 1)
    shown = [(real, first + spread * number) for number, (real, _) in enumerate(history)]
    clock = Clock(shown + [(real, start + STEP * number) for number, (real, _, _) in enumerate(steps)])
    # Between two calls a page stays as it is.
    for when in range(first, start, HISTORY_STEP) if history else ():
        page = history[min(int((when - first) / spread), len(history) - 1)][1]
        recording.add_page(target, when, page, clock)
        recording.add_target(target, when, True, 0.01, len(page))
    for number, (_, page, seconds) in enumerate(steps):
        when = start + STEP * number
        recording.add_target(target, when, page is not None, seconds, len(page or ()))
        recording.add_page(target, when, page or (), clock)


class RunningPrometheus:
    """A Prometheus that scrapes nothing and has what is imported into it; `query` and `query_range` as in its API."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.process = None
        (directory / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")

    def start(self):
        """Starts it, so that it sees what has been imported."""
        self.stop()
        with open(self.directory / "prometheus.log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    binary("prometheus"),
                    f"--config.file={self.directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.data}",
                    "--storage.tsdb.retention.time=10y",
                    "--web.listen-address=127.0.0.1:0",
                    # What a scrape marks as gone can't be imported: a series ends a little after its last sample.
                    f"--query.lookback-delta={HISTORY_STEP + 10}s",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.port = eventually(self._listens, 30, "a port of Prometheus")
        eventually(self._is_ready, 30, "Prometheus")

    def _listens(self):
        assert self.process.poll() is None, (self.directory / "prometheus.log").read_text(encoding="utf-8")
        return listening_port(self.process.pid)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def api(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        # Values of labels are for GET alone.
        request = f"{url}?{body.decode()}" if path.startswith("label/") else urllib.request.Request(url, body)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression, when=END):
        return self.api("query", query=expression, time=when)["result"]

    def query_range(self, expression, start, end, step):
        return self.api("query_range", query=expression, start=start, end=end, step=step)["result"]

    def load(self, series):
        """Imports series, as `Recording` has them; each block of time for itself, which is much faster."""
        parts = {}
        for name, samples in series.items():
            last = None
            for when, value in samples:
                if when // BLOCK != last:
                    last = when // BLOCK
                    lines = parts.setdefault(last, [])
                lines.append(f"{name} {value} {when}\n")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._import, parts, parts.values()))

    def _import(self, number, lines):
        path = self.directory / f"{number}.om"
        path.write_text("".join(lines) + "# EOF\n", encoding="utf-8")
        command = [binary("promtool"), "tsdb", "create-blocks-from", "-q", "openmetrics", path, self.data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        path.unlink()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


# Rules.


def rules(folder):
    """All rules of one folder of prometheus/, in order."""
    for path in sorted((ROOT / "prometheus" / folder).glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def metrics_of(expression):
    """The names of the metrics an expression reads."""
    found = set()

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def seconds(duration):
    return promql_parser.parse_duration(duration).total_seconds() if duration else 0


def as_text(name, labels):
    escaped = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(labels.items()))
    return f"{name}{{{','.join(escaped)}}}"


def evaluate_recording(server):
    """Evaluates the recording rules over the whole run, those that need others after them."""
    waiting = list(rules("recording"))
    while waiting:
        names = {rule["record"] for rule in waiting}
        ready = [rule for rule in waiting if not (metrics_of(rule["expr"]) & names) - {rule["record"]}]
        assert ready, f"rules that wait for each other: {names}"
        found = {}
        for rule in ready:
            expression = rule["expr"]
            if rule["record"] in metrics_of(expression):
                # It carries itself on from one evaluation to the next: at once, that is the last there was.
                before = f'last_over_time(mcp_proxy_instance_info[1d]) and on (job, instance) up{{job="{JOB}"}}'
                expression = f"group by (job, instance, name) ({before})"
            for start, end, step in ((END - DAY, END - HOUR, HISTORY_STEP), (END - HOUR + STEP, END, STEP)):
                for series in server.query_range(expression, start, end, step):
                    labels = {**series["metric"], **rule.get("labels", {})}
                    labels.pop("__name__", None)
                    samples = found.setdefault(as_text(rule["record"], labels), [])
                    samples += [(int(when), value) for when, value in series["values"]]
        server.load(found)
        server.start()
        waiting = [rule for rule in waiting if rule not in ready]


def evaluate_alerts(server):
    """Evaluates the alerts over the last hour, and writes ALERTS as Prometheus does."""
    found = {}
    for rule in rules("alerts"):
        wait = seconds(rule.get("for"))
        for series in server.query_range(rule["expr"], END - HOUR + STEP, END, STEP):
            labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
            labels.update(rule["labels"], alertname=rule["alert"])
            since = last = -math.inf
            for when, _ in series["values"]:
                if when - last > STEP:
                    since = when
                last = when
                state = "firing" if when - since >= wait else "pending"
                found.setdefault(as_text("ALERTS", {**labels, "alertstate": state}), {})[int(when)] = "1"
    server.load({name: sorted(samples.items()) for name, samples in found.items()})
    server.start()


def recorded(directory):
    """Records a run and gives the Prometheus that has it, with all rules evaluated, and its recording."""
    recording = record()
    server = RunningPrometheus(directory)
    try:
        server.load(recording.series)
        server.start()
        evaluate_recording(server)
        evaluate_alerts(server)
    except BaseException:
        server.stop()
        raise
    return server, recording
