# SPDX-License-Identifier: Apache-2.0
"""How the proxy finds out what its server speaks, with servers of every kind."""

import json
import time

import pytest

from processes import eventually
from proxy_process import SERVERS, VENVS


@pytest.fixture
def probed(proxy, tmp_path):
    """Starts a proxy in front of `servers/probed.py`; gives it and a function that tells the methods of what was sent."""
    trace = tmp_path / "trace"

    def start(kind, *flags, **options):
        running = proxy(*flags, child=[VENVS / "sdk1/bin/python", SERVERS / "probed.py", kind, trace], **options)
        return running, lambda: [json.loads(line)["method"] for line in trace.read_text().splitlines()]

    return start


def ready(running, count=1):
    return eventually(lambda: len(found := running.found("upstream.ready")) >= count and found, what="the server")


def crash(running, sdk):
    with pytest.raises(Exception):
        sdk("sdk1", running).tool("crash")


def test_a_server_on_the_new_sdk(proxy, sdk):
    running = proxy(child=[VENVS / "sdk2/bin/python", SERVERS / "sdk2.py"])
    assert running.event("upstream.ready")["revision"] == "2026-07-28"
    assert b'protocol_version="2026-07-28"' in running.http.get("/metrics").body
    assert sdk("sdk2-pinned", running).text("echo", text="x") == "x"


def test_a_server_on_the_old_sdk(proxy, sdk):
    running = proxy(child=[VENVS / "sdk1/bin/python", SERVERS / "sdk1.py"])
    assert running.event("upstream.ready")["revision"] == "2025-11-25"
    assert sdk("sdk2-pinned", running).text("echo", text="x") == "x"
    assert sdk("sdk1", running).text("echo", text="x") == "x"


def test_the_new_sdk_with_a_handshake(proxy, sdk):
    running = proxy("--upstream-protocol", "legacy", child=[VENVS / "sdk2/bin/python", SERVERS / "sdk2.py"])
    assert running.event("upstream.ready")["revision"] == "2025-11-25"
    assert sdk("sdk1", running).text("echo", text="x") == "x"


def test_a_server_that_refuses_is_asked_once(probed, sdk):
    running, methods = probed("polite")
    asked = ["server/discover", "initialize", "notifications/initialized"]
    eventually(lambda: methods()[:3] == asked, what="the handshake")
    crash(running, sdk)
    ready(running, 2)
    assert methods().count("server/discover") == 1


def test_a_server_that_exits(probed, sdk):
    running, methods = probed("exit")
    assert methods()[:2] == ["server/discover", "initialize"]
    crash(running, sdk)
    ready(running, 2)
    assert methods().count("server/discover") == 1


def test_a_server_that_never_answers(probed, sdk):
    running, methods = probed("silent")
    assert methods()[:2] == ["server/discover", "initialize"]
    assert running.event("upstream.ready")["revision"] == "2025-11-25"
    crash(running, sdk)
    began = time.monotonic()
    ready(running, 2)
    assert time.monotonic() - began < 2.5, "what is known is not asked again"


def test_a_server_that_starts_slowly(probed):
    running, methods = probed("slow")
    assert methods()[:2] == ["server/discover", "initialize"]
    assert running.found("protocol.violation") == []


def test_a_server_without_any_handshake(probed, sdk):
    running, methods = probed("modern")
    assert methods() == ["server/discover"]
    for kind in ("sdk1", "sdk2", "sdk2-pinned"):
        assert sdk(kind, running).text("anything") == "called"


def test_pinned(probed):
    _, methods = probed("polite", "--upstream-protocol", "legacy")
    assert methods()[0] == "initialize"
    running, _ = probed("polite", "--upstream-protocol", "modern", ready=False)
    eventually(lambda: "server/discover" in running.log(), what="the reason why it fails")
    assert running.found("upstream.ready") == []
