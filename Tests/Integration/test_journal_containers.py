# SPDX-License-Identifier: Apache-2.0
"""What the journal is told of containers, images, engines and replacements."""

import os
import signal

from fake_engine import FakeEngine
from journal import KINDS, NO_LIMIT, OF_CONTAINERS, journal, journaled, journals, problems  # noqa: F401


def test_a_run_with_containers(journal, journaled, tmp_path):  # noqa: F811
    engine = FakeEngine(tmp_path)
    engine.leave_a_container()
    engine.absent.touch()
    engine.nowhere.touch()
    running = journaled(journal, "--debug", *NO_LIMIT, child=engine.command, ready=False)
    running.event("container.leftovers_removed", MCP_COUNT="1", MCP_LEFT="0")
    running.event("image.pull_failed")
    running.event("upstream.engine_failed", MCP_REASON="engine")
    engine.nowhere.unlink()
    running.event("image.pulled")
    running.event("upstream.ready")
    running.event("container.started", MCP_IMAGE="mcp/time", MCP_IMAGE_DIGEST="sha256:fedcba9876543210")
    os.kill(running.pid, signal.SIGUSR2)
    running.event("upstream.replaced", MCP_LINK="1", MCP_PREDECESSOR="0")
    running.event("upstream.stopped")
    engine.away.touch()
    os.kill(running.pid, signal.SIGUSR2)
    running.event("engine.unreachable")
    running.event("upstream.replacement_failed")
    engine.away.unlink()
    os.kill(running.pid, signal.SIGUSR2)
    running.event("engine.reachable")
    running.event("upstream.replaced", MCP_LINK="3")
    entries = running.stop()
    assert OF_CONTAINERS <= {entry["MCP_EVENT"] for entry in entries}
    assert OF_CONTAINERS <= KINDS.keys()
    assert {f"{entry['MCP_EVENT']}: {problem}" for entry in entries for problem in problems(entry)} == set()
