# SPDX-License-Identifier: Apache-2.0
"""The kernel kills the child for want of memory, in a control group that has little of it."""

import pytest

from control_group import control_group
from mcp_http import text
from proxy_process import FIXTURE
from scrape import scrape

# Much more than a proxy and a child need, much less than the child is told to take.
LIMIT = 256
APPETITE = 2048


@pytest.fixture
def group():
    with control_group(LIMIT) as made:
        yield made


@pytest.fixture
def running(group, proxy):
    """A proxy in that group."""
    return proxy(prefix=group.command)


def exits(running, reason):
    return scrape(running.http).value("mcp_proxy_upstream_exits_total", reason=reason)


def test_what_is_said_of_it(running, group):
    session = running.session()
    error = session.tool("allocate", mb=APPETITE)["error"]
    assert group.kills == 1
    assert error["code"] == -32000
    assert error["message"].startswith("the MCP server was killed by the kernel for want of memory")
    assert error["data"]["exit_reason"] == "oom"
    assert error["data"]["signal"] == 9
    exited = running.exited()
    assert (exited["event"], exited["reason"], exited["signal"]) == ("upstream.crashed", "oom", 9)
    assert exited["message"].startswith("was killed by the kernel for want of memory after ")
    assert text(session.tool("echo", text="alive")) == "alive"
    assert (exits(running, "oom"), exits(running, "signal")) == (1, 0)


def test_another_kill_is_not_blamed_on_the_memory(running, group):
    session = running.session()
    session.tool("allocate", mb=APPETITE)
    running.event("upstream.ready", count=2)
    running.kill_child()
    assert running.exited(count=2)["reason"] == "signal"
    running.event("upstream.ready", count=3)
    session.tool("allocate", mb=APPETITE)
    assert running.exited(count=3)["reason"] == "oom"
    assert group.kills == 2
    assert (exits(running, "oom"), exits(running, "signal")) == (2, 1)


def test_a_wrapper_passes_the_kill_on(group, proxy):
    """The kernel kills the server, and the shell around it ends with the status that says so."""
    running = proxy(child=["/bin/sh", "-c", f"{FIXTURE}; exit $?"], prefix=group.command)
    data = running.session().tool("allocate", mb=APPETITE)["error"]["data"]
    assert (data["exit_reason"], data["exit_status"]) == ("oom", 137)
