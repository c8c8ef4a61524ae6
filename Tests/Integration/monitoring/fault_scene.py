# SPDX-License-Identifier: Apache-2.0
"""Injects faults into real proxies, all at once, and keeps account of what became of each.

A fault is a generator. It starts a proxy and yields it, injects what it is named after and yields when that was (or
nothing, when it was at once), and in the end mends it. Between two steps the scene waits for what must come of it.
"""

import contextlib
import os
import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

import runbook_blocks
from alerting_stack import Stack
from fault_proxy import FaultProxy, repeated
from fault_scaling import Shipped, seconds
from journal import Journal

# How many scrapes of every proxy there are before anything happens to it.
HISTORY = 6
# How long is waited beyond what is allowed, in seconds: to say how late it was.
PATIENCE = 15


@dataclass(frozen=True)
class Fault:
    """What is done to a proxy, and what must come of it.

    `cause` is what the alert's journal query must show (None where there is no entry that could tell, or only systemd
    makes it), `runbook` what the commands of its runbook must show: regular expressions. `muted` names alerts that must
    not be told of, though they fire. `resolves`: whether it is over in time for a test. `labels`: what a runbook asks for
    besides the name and the instance.
    """

    script: object
    alert: str
    severity: str
    cause: str | None
    runbook: str | None
    muted: tuple = ()
    resolves: bool = True
    labels: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.script.__name__.replace("_", "-")


FAULTS = []


def fault(alert, severity, cause, runbook, **more):
    """Makes the generator below it a fault."""

    def declare(script):
        FAULTS.append(Fault(script, alert, severity, cause, runbook, **more))
        return script

    return declare


class Scene:
    """The stack, a journal all proxies share, and the proxies."""

    def __init__(self, directory, stack):
        self.directory = directory
        self.stack = stack
        self._cleanup = contextlib.ExitStack()
        self._proxies = []
        self.journal = self.new_journal()

    def enter(self, manager):
        """Enters a context that is left when all proxies are gone."""
        return self._cleanup.enter_context(manager)

    def new_journal(self, **options):
        return self.enter(contextlib.closing(Journal(**options)))

    def proxy(self, name, *flags, journal=None, **options):
        proxy = FaultProxy(journal or self.journal, name, flags, **options)
        self._proxies.append(proxy)
        proxy.start()
        return proxy

    def watch(self, proxies):
        """Has these scraped, and waits until there is enough to compare with."""
        self.stack.targets([proxy.instance for proxy in proxies])
        scraped = f'sum_over_time(up{{job="mcp-proxy"}}[1m]) >= {HISTORY}'
        named = f"{scraped} and on (instance) instance_name:mcp_proxy_instance:info"
        self.stack.wait(lambda: len(self.stack.query(named)) == len(proxies), 60, "scrapes of all proxies")

    def close(self):
        for proxy in self._proxies:
            proxy.discard()
        self._cleanup.close()


class Run:
    """One fault from its beginning to its end. What went wrong is kept by stage, for the test of that stage."""

    def __init__(self, fault, scene, shipped):
        self.fault = fault
        self.scene = scene
        self.proxy = None
        self.skipped = None
        self.failures = {}
        self.alert = None
        self.injected = self.arrived = self.resolved = None
        self.journal_output = ""
        self.diagnosis = []
        self.bound = shipped.bound(fault.alert, fault.severity)
        self.group_interval = seconds(shipped.route["group_interval"])
        self.joined = False

    @property
    def webhook(self):
        return self.scene.stack.webhook

    @property
    def is_sent(self):
        """An alert of severity info is shown by Alertmanager and sent to nobody."""
        return self.fault.severity != "info"

    @property
    def labels(self):
        return {"alertname": self.fault.alert, "severity": self.fault.severity, "instance": self.proxy.instance}

    def prepare(self):
        self._script = self.fault.script(self.scene)
        try:
            self.proxy = next(self._script)
        except pytest.skip.Exception as skipped:
            self.skipped = str(skipped)

    def play(self):
        """All that happens to it; to be run on a thread of its own."""
        for stage in (self._inject, self._look, self._mend):
            try:
                stage()
            except Exception as failure:
                self.failures[stage.__name__.strip("_")] = failure
                # What is injected must not go on, whatever was missed.
                self._script.close()
                return

    def _inject(self):
        started = time.monotonic()
        self.injected = next(self._script) or started
        deadline = self.injected + self.bound + self.group_interval + PATIENCE
        if self.is_sent:
            found = self.webhook.wait("firing", deadline, **self.labels)
            assert found, f"{self.fault.alert} was not told of"
            notification, self.alert = found
            self.arrived = notification.at
            # Alertmanager tells of one more alert of a group it has told of not before group_interval is over.
            self.joined = any(
                earlier.alertname == self.fault.alert and earlier.at < notification.at
                for earlier in list(self.webhook.notifications)
            )
        else:
            known = self.scene.stack.wait(
                lambda: self.scene.stack.alerts(**self.labels), deadline - time.monotonic(), self.fault.alert
            )
            self.alert, self.arrived = known[0], time.monotonic()

    def _look(self):
        known = {**self.fault.labels, "NAME": self.proxy.name, "INSTANCE": self.proxy.instance}
        self.journal_output, self.diagnosis = follow(self.alert, self.scene.stack, self.proxy.journal, known)

    def _mend(self):
        with contextlib.suppress(StopIteration):
            next(self._script)
        if self.fault.resolves:
            deadline = time.monotonic() + self.bound + 2 * self.group_interval + PATIENCE
            found = self.webhook.wait("resolved", deadline, **self.labels)
            assert found, f"the end of {self.fault.alert} was not told of"
            self.resolved = found[0].at

    # What tests ask.

    @property
    def took(self):
        return self.arrived - self.injected

    @property
    def limit(self):
        return self.bound + (self.group_interval if self.joined else 0)

    def critical(self):
        """The names of all critical alerts that were sent about this instance, but those expected."""
        told = self.webhook.told("firing", instance=self.proxy.instance, severity="critical")
        names = {alert["labels"]["alertname"] for _, alert in told}
        return names - {self.fault.alert}

    def shows(self, pattern, text):
        """Whether a text has what a fault says it must have; INSTANCE stands for that of the proxy."""
        return re.search(pattern.replace("INSTANCE", re.escape(self.proxy.instance)), text, re.MULTILINE)


class Scenery:
    """A finished run of all faults beside healthy proxies."""

    def __init__(self, directory, faults, healthy):
        self.stack = Stack(directory)
        shipped = Shipped()
        self.scene = Scene(directory, self.stack)
        self.runs = {fault.name: Run(fault, self.scene, shipped) for fault in faults}
        self.healthy = []
        try:
            self._play(healthy)
        except BaseException:
            self.close()
            raise

    def _play(self, healthy):
        # What a thread has started may end with it, so these last as long as all of it.
        with ThreadPoolExecutor(4) as pool, contextlib.ExitStack() as calls:
            list(pool.map(Run.prepare, self.runs.values()))
            self.healthy = [self.scene.proxy(f"healthy-{number}") for number in range(healthy)]
            played = [run for run in self.runs.values() if not run.skipped]
            for proxy in self.healthy:
                session = proxy.learned_session()
                calls.enter_context(repeated(lambda session=session: session.tool("echo", text="well"), 0.5))
            self.scene.watch([*(run.proxy for run in played), *self.healthy])
            threads = [threading.Thread(target=run.play, daemon=True) for run in played]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def is_starved(self):
        """Whether not even healthy proxies could be scraped all the time: then it is the machine that alerts tell of."""
        return any(self.stack.query(f'min_over_time(up{{instance="{each.instance}"}}[1h]) == 0') for each in self.healthy)

    def close(self):
        self.scene.close()
        self.stack.close()


def follow(alert, stack, journal, variables):
    """Runs what an alert and its runbook tell to run: what the journal query prints, and each block as it ended."""
    done = subprocess.run(
        journal.inside("bash", "-euc", alert["annotations"]["journal_query"]),
        env={**os.environ, "SYSTEMD_PAGER": "cat", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    commands = runbook_blocks.blocks(alert["labels"]["alertname"], "promql", "journal", section="Diagnosis")
    return done.stdout, [
        (block, runbook_blocks.run(block, variables, stack.port, journal.inside())) for block in commands
    ]


def check_commands(diagnosis):
    """Asserts that each block of a runbook ran well, and returns all that they printed."""
    assert diagnosis, "the runbook has no command to diagnose with"
    for block, done in diagnosis:
        assert done.returncode == 0, f"{block}:\n{block.text}\n{done.stdout}\n{done.stderr}"
    return "\n".join(done.stdout for _, done in diagnosis)
