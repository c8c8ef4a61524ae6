# SPDX-License-Identifier: Apache-2.0
"""A proxy whose child runs in containers of a real engine: what it starts, what it says of each end, what it leaves."""

import os
import shutil
import signal
import time

import pytest

from engines import image_tar
from mcp_http import text
from processes import eventually
from scrape import scrape

# One engine for all of them, and starts that are measured.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]


@pytest.fixture
def start(proxy):
    """Starts a proxy with a container: `start(engine, *flags of run, words=[…])`."""

    def start(engine, *flags, words=(), options=(), **settings):
        command = settings.pop("child", None) or engine.command(*flags, words=words)
        return proxy("--name", "tests", *options, child=command, env=engine.env, **settings)

    return start


def none_left(engine):
    eventually(lambda: engine.containers() == [], 20, "the end of all containers")


def metric(running, name, **labels):
    return scrape(running.http).value(name, **labels)


# What runs.


def test_the_container_is_named_labelled_and_run_as_a_child_should_be(start, engine):
    running = start(engine)
    started = running.event("container.started")
    assert engine.containers("tests") == [started["container"]]
    assert started["container"].startswith("mcp-tests-")
    described = engine.inspect(started["container"])
    assert described["HostConfig"]["LogConfig"]["Type"] == "none"
    assert described["HostConfig"]["AutoRemove"] is True
    # The process that reaps and passes signals on is the first, the server is its child.
    assert text(running.session().tool("pid")) != "1"
    image = engine.run("image", "inspect", "--format", "{{.Id}}", "mcp/fixture").removeprefix("sha256:")
    assert started["image_id"] == f"sha256:{image}"
    info = scrape(running.http).families["mcp_proxy_container_info"].samples[0]
    assert dict(info.labels)["image"] == "mcp/fixture"
    assert dict(info.labels)["image_id"] == f"sha256:{image}"
    assert metric(running, "mcp_proxy_engine_up") == 1
    running.stop()
    none_left(engine)


def test_what_the_user_says_is_kept(start, docker):
    running = start(docker, "--name", "mine", "--init=false", "--log-driver=json-file")
    assert docker.containers("tests") == ["mine"]
    assert docker.inspect("mine")["HostConfig"]["LogConfig"]["Type"] == "json-file"
    assert text(running.session().tool("pid")) == "1"
    # The name is free again before the next start.
    running.session().tool("crash")
    running.event("upstream.ready", count=2)
    assert running.found("upstream.engine_failed") == []


def test_a_server_without_manners_is_gone_after_the_stop(start, engine):
    """It reads no end of input, and has no handler for SIGTERM."""
    running = start(engine, words=["--ignore-eof"])
    running.stop()
    assert running.exited()["event"] == "upstream.stopped"
    assert engine.containers() == []


def test_a_server_that_ignores_everything_is_killed(start, engine):
    running = start(engine, words=["--ignore-eof", "--ignore-term"])
    running.stop()
    assert running.exited()["event"] == "upstream.stopped"
    assert engine.containers() == []


# What is left.


def test_what_a_killed_proxy_left_is_removed_by_the_next(start, engine):
    running = start(engine, words=["--ignore-eof"])
    running.process.kill()
    running.process.wait()
    left = engine.containers("tests")
    assert len(left) == 1
    # One that was never started, as a client killed early leaves it; and one of a proxy that lives.
    label = engine.inspect(left[0])["Config"]["Labels"]["mcp-proxy.owner"]
    host, boot, namespace, _, _ = label.split("/")
    labels = ("--label", "mcp-proxy.instance=tests", "--label")
    engine.run("create", "--name", "never-started", *labels, f"mcp-proxy.owner={label}", "mcp/fixture")
    ticks = open(f"/proc/{os.getpid()}/stat", encoding="ascii").read().rpartition(")")[2].split()[19]
    living = f"mcp-proxy.owner={host}/{boot}/{namespace}/{os.getpid()}/{ticks}"
    engine.run("create", "--name", "of-another", *labels, living, "mcp/fixture")

    again = start(engine)
    removed = again.event("container.leftovers_removed")
    assert (removed["count"], removed["left"]) == (2, 0)
    assert sorted(engine.containers("tests")) == sorted(["of-another", again.event("container.started")["container"]])
    assert metric(again, "mcp_proxy_containers_removed_total") == 2
    assert metric(again, "mcp_proxy_orphan_containers") == 0


def test_a_killed_client_leaves_no_container(start, engine):
    """docker run is killed, which the container does not notice."""
    running = start(engine, words=["--ignore-eof"])
    session = running.session()
    first = running.event("container.started")["container"]
    running.kill_child()
    exited = running.exited()
    assert (exited["reason"], exited["signal"]) == ("signal", 9)
    assert "the client itself" in exited["detail"]
    second = running.event("container.started", count=2)["container"]
    assert second != first
    eventually(lambda: engine.containers() == [second], 10, "the end of the first container")
    assert text(session.tool("echo", text="alive")) == "alive"


def test_sessions_with_containers_of_their_own(start, docker):
    running = start(docker, options=["--isolation", "session"])
    one, two = running.session(), running.session()
    assert text(one.tool("counter")) == text(two.tool("counter")) == "1"
    # Two sessions, and the spare for the next.
    names = eventually(lambda: len(found := docker.containers()) == 3 and found, 20, "three containers")
    assert len(set(names)) == 3
    one.delete()
    eventually(lambda: len(docker.containers()) == 2, 20, "the end of one container")
    running.stop()
    none_left(docker)


# How it ends.


def test_killed_from_outside(start, engine):
    running = start(engine)
    session = running.session()
    engine.run("kill", running.event("container.started")["container"])
    exited = running.exited()
    assert (exited["event"], exited["reason"], exited["signal"]) == ("upstream.crashed", "signal", 9)
    assert exited["status"] == 137
    assert f"{engine.kind} kill" in exited["detail"]
    assert text(session.tool("echo", text="alive")) == "alive"


def test_stopped_from_outside(start, docker):
    running = start(docker, words=["--ignore-eof"])
    docker.run("stop", running.event("container.started")["container"])
    exited = running.exited()
    assert (exited["reason"], exited["signal"]) == ("signal", 15)
    assert "docker stop" in exited["detail"]


def test_out_of_memory(start, docker):
    running = start(docker, "--memory", "64m", "--memory-swap", "64m")
    error = running.session().tool("allocate", mb=512)["error"]
    assert error["data"]["exit_reason"] == "oom"
    exited = running.exited()
    assert (exited["event"], exited["reason"], exited["status"]) == ("upstream.crashed", "oom", 137)
    assert "--memory" in exited["detail"]
    running.event("upstream.ready", count=2)
    docker.run("kill", running.event("container.started", count=2)["container"])
    assert running.exited(count=2)["reason"] == "signal"
    assert metric(running, "mcp_proxy_upstream_exits_total", reason="oom") == 1
    assert metric(running, "mcp_proxy_upstream_exits_total", reason="signal") == 1


def test_the_servers_own_end(start, engine):
    running = start(engine)
    session = running.session()
    data = session.tool("crash", status=3)["error"]["data"]
    assert (data["exit_reason"], data["exit_status"]) == ("exit", 3)
    running.event("upstream.ready", count=2)
    session.tool("crash", signal=11)
    exited = running.exited(count=2)
    assert (exited["reason"], exited["signal"]) == ("signal", 11)
    third = running.event("container.started", count=3)["container"]
    eventually(lambda: engine.containers() == [third], 10, "the third container alone")


@pytest.mark.parametrize(
    ("flags", "words", "kind", "reason", "part"),
    [
        (["--entrypoint", "/etc"], [], "upstream.start_failed", "spawn_failed", "not executable"),
        (["--entrypoint", "/no/such"], [], "upstream.start_failed", "spawn_failed", "no such program"),
        (["--no-such-flag"], [], "upstream.engine_failed", "engine", "does not know a flag"),
    ],
)
def test_a_command_that_can_not_work(start, engine, flags, words, kind, reason, part):
    running = start(engine, *flags, words=words, ready=False)
    exited = running.event(kind)
    assert exited["reason"] == reason
    assert part in exited["detail"]
    ready = running.ready()
    assert ready.status == 503
    assert part in ready.body.decode()
    eventually(lambda: engine.containers() == [], 10, "the end of all containers")


def test_a_terminal_is_asked_for(start, docker):
    running = start(docker, "-t", ready=False)
    assert "-t needs a terminal" in running.exited()["detail"]


def test_no_stdin(start, docker):
    command = [docker.cli, "run", "--rm", "mcp/fixture"]
    running = start(docker, child=command, ready=False)
    assert "add -i" in running.exited()["detail"]


def test_an_image_that_is_nowhere(start, docker, registry):
    image = registry.image.replace("pulled:1", "absent:1")
    running = start(docker, child=docker.command(image=image), ready=False)
    failed = running.event("image.pull_failed")
    assert f"'{image}' was not found" in failed["problem"]
    exited = running.event("upstream.engine_failed")
    assert exited["detail"] == failed["problem"]
    assert metric(running, "mcp_proxy_image_pulls_total", outcome="failed") >= 1
    assert metric(running, "mcp_proxy_upstream_exits_total", reason="exit") == 0


# The image.


def test_a_slow_pull_is_no_slow_start(start, docker, registry):
    registry.gate.clear()
    running = start(
        docker, child=docker.command(image=registry.image), ready=False, options=["--connection-timeout", "5s"]
    )
    pulling = running.event("image.pulling")
    assert pulling["image"] == registry.image
    assert registry.asked.wait(20)
    ready = running.ready()
    assert ready.status == 503
    assert f"the image {registry.image} is being pulled" in ready.body.decode()
    assert metric(running, "mcp_proxy_upstream_state", mcp_proxy_upstream_state="pulling") == 1
    # Longer than a start may take.
    asked = time.monotonic()
    eventually(lambda: time.monotonic() > asked + 6)
    registry.gate.set()
    pulled = running.event("image.pulled", timeout=60)
    running.wait_ready()
    started = running.event("container.started")
    assert started["image_digest"] == registry.digest
    assert running.found("upstream.start_failed") == []
    assert pulled["duration_ms"] > 5000
    # The cold start is that of the container alone.
    assert running.event("upstream.ready")["start_ms"] < pulled["duration_ms"]
    assert metric(running, "mcp_proxy_image_pulls_total", outcome="ok") == 1
    running.stop()
    docker.run("rmi", registry.image)


def test_a_pull_is_given_up_when_the_proxy_stops(start, docker, registry):
    registry.gate.clear()
    running = start(docker, child=docker.command(image=registry.image), ready=False)
    assert registry.asked.wait(20)
    running.stop(timeout=15)
    assert running.exited()["event"] == "upstream.stopped"
    none_left(docker)


# The engine.


def test_the_engine_is_not_there(start, docker):
    running = start(
        docker, child=[docker.cli, "--host", "unix:///no/such.sock", "run", "-i", "--rm", "mcp/fixture"], ready=False
    )
    exited = running.event("upstream.engine_failed")
    assert "can't be reached" in exited["detail"]
    assert running.event("engine.unreachable")["problem"] == exited["detail"]
    assert metric(running, "mcp_proxy_engine_up") == 0
    assert "can't be reached" in running.ready().body.decode()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_engine_goes_and_comes_back(start, docker, end):
    running = start(docker, words=["--ignore-eof"])
    session = running.session()
    getattr(docker, end)()
    running.event("upstream.engine_failed", timeout=30)
    running.event("engine.unreachable")
    docker.start()
    running.event("engine.reachable", timeout=60)
    running.wait_ready(60)
    assert text(session.tool("echo", text="alive")) == "alive"
    newest = running.found("container.started")[-1]["container"]
    eventually(lambda: docker.containers() == [newest], 30, "the end of the old container")
    assert metric(running, "mcp_proxy_engine_up") == 1
    eventually(lambda: metric(running, "mcp_proxy_orphan_containers") == 0, 60, "no orphans")


def test_the_socket_is_forbidden(start, docker, tmp_path):
    """The client alone is another user's, which may not be able to read where the proxy lies."""
    os.chmod(docker.directory, 0o755)
    shutil.copy(docker.cli, docker.directory / "client")
    client = tmp_path / "docker"
    user = "--reuid=65534 --regid=65534 --clear-groups"
    client.write_text(f'#!/bin/sh\nexec setpriv {user} {docker.directory}/client "$@"\n', encoding="utf-8")
    client.chmod(0o755)
    running = start(docker, child=[client, "run", "-i", "--rm", "mcp/fixture"], ready=False)
    exited = running.event("upstream.engine_failed")
    assert "group docker" in exited["detail"]
    assert metric(running, "mcp_proxy_engine_up") == 0


# Updates.


def test_an_updated_image_is_swapped_in_without_losing_a_call(start, docker, rootfs, tmp_path):
    image = "mcp/updated"
    docker.load(rootfs, image)
    running = start(docker, child=docker.command(image=image))
    session = running.session()
    session.tool("counter")
    old = running.event("container.started")
    image_tar(tmp_path / "new.tar", mark="new")
    docker.load(tmp_path / "new.tar", image)

    slow = session.start_tool("sleep", ms=8000)
    eventually(lambda: metric(running, "mcp_proxy_requests_inflight") == 1)
    running.signal(signal.SIGUSR2)
    running.event("upstream.replaced")
    new = running.event("container.started", count=2)
    assert new["image_id"] != old["image_id"]
    assert new["image_id"] == "sha256:" + docker.run("image", "inspect", "--format", "{{.Id}}", image).removeprefix(
        "sha256:"
    )
    # The new one answers while the old one still works.
    assert text(session.tool("counter")) == "1"
    assert sorted(docker.containers()) == sorted([old["container"], new["container"]])
    assert "result" in slow.answer()
    stopped = running.event("upstream.stopped")
    assert stopped["reason"] == "stopped"
    eventually(lambda: docker.containers() == [new["container"]], 20, "the end of the old container")
    page = scrape(running.http)
    assert page.value("mcp_proxy_upstream_replacements_total", outcome="ok") == 1
    assert dict(page.families["mcp_proxy_container_info"].samples[0].labels)["image_id"] == new["image_id"]
    assert [r for r in ("exit", "signal", "engine", "oom") if page.value("mcp_proxy_upstream_exits_total", reason=r)] == []
    assert running.ready().status == 200
    docker.run("rmi", "--force", image, check=False)


def test_a_name_that_is_somebody_elses(start, docker):
    docker.run("create", "--name", "foreign", "mcp/fixture")
    running = start(docker, "--name", "foreign", ready=False)
    assert "the container name 'foreign' is taken" in running.event("upstream.engine_failed")["detail"]
    running.event("upstream.starting", count=3)
    running.stop()
    assert docker.run("ps", "--all", "--format", "{{.Names}}") == "foreign"


def test_a_replacement_that_fails_changes_nothing(start, docker):
    """Two containers can't have one name."""
    running = start(docker, "--name", "only")
    session = running.session()
    running.signal(signal.SIGUSR2)
    failed = running.event("upstream.replacement_failed")
    assert "leave --name out" in failed["problem"]
    assert text(session.tool("echo", text="alive")) == "alive"
    assert docker.containers() == ["only"]
    assert scrape(running.http).value("mcp_proxy_upstream_replacements_total", outcome="failed") == 1
