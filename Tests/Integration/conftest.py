# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the proxy with a child behind it, and the official clients, each in the environment made for it."""

import os
import subprocess
from pathlib import Path

import pytest

from proxy_process import FIXTURE, PROXY, VENVS, Proxy
from sdk_client import SDKClient
from wire_check import Schema


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With CI=true a skipped test is a failed one: there, everything a test can need is there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure with CI=true: {report.longrepr}"
    return report


def pytest_sessionstart(session):
    for binary in (PROXY, FIXTURE):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"{binary} is missing: run `swift build` first, or set MCP_PROXY_BIN and FIXTURE_BIN", 2)


@pytest.fixture
def proxy(request):
    """Starts proxies: `proxy(*flags, child=[...])`; without `child` the fixture server, with `fixture` its flags.

    When the test has passed, each is ended with SIGTERM and must exit with 0 and leave no process behind.
    """
    running = []

    def start(*flags, child=None, fixture=(), env=None, cwd=None, ready=True, debug=True, prefix=()):
        running.append(Proxy(flags, child or [FIXTURE, *fixture], env, cwd, ready, debug, prefix))
        return running[-1]

    yield start
    failed = getattr(request.node, "failed", False)
    try:
        for each in running:
            if failed:
                print(f"\nthe log of the proxy:\n{each.log()}")
            else:
                each.stop()
    finally:
        for each in running:
            each.discard()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    item.failed = True
    result = yield
    item.failed = False
    return result


@pytest.fixture
def sdk():
    """Starts official clients: `sdk("sdk1", proxy, transport="http")`."""
    running = []

    def start(kind, proxy, transport="http", **config):
        url = config.pop("url", None) or (proxy.url if transport == "http" else proxy.sse_url)
        running.append(SDKClient(kind, VENVS, url, transport, **config))
        return running[-1]

    yield start
    for client in running:
        client.discard()


@pytest.fixture(scope="session")
def schema():
    """What knows the schemas of the protocol's revisions: `schema.wrong(revision, message)`."""
    schema = Schema(VENVS)
    yield schema
    schema.close()


@pytest.fixture
def server():
    """The command of a real server by name: `server("time")`."""

    def command(name, *arguments):
        return [str(VENVS / f"server-{name}" / "bin" / f"mcp-server-{name}"), *arguments]

    return command


@pytest.fixture
def repository(tmp_path):
    """A small git repository with one commit."""
    path = tmp_path / "repository"
    path.mkdir()

    def git(*arguments):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *identity, *arguments], cwd=path, check=True, capture_output=True)

    git("init")
    Path(path, "file.txt").write_text("first line\n", encoding="utf-8")
    git("add", "file.txt")
    git("commit", "-m", "the only commit")
    return path
