# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the configuration file is read again, and nobody who is connected notices."""

import os
import re
import signal

import pytest

from mcp_http import initialize, text, tool
from processes import eventually
from proxy_process import FIXTURE, run
from service_process import service  # pylint: disable=unused-import


class Config:
    """The file of `--config`, and the proxy that reads it."""

    def __init__(self, path):
        self.path = path
        self.proxy = None

    def write(self, **settings):
        lines = [f"{name.replace('_', '-')}: {value}\n" for name, value in settings.items()]
        self.path.write_text("".join(lines), encoding="utf-8")

    def reload(self, kind="config.reloaded", **settings):
        """Writes the file, if there is something to write, sends SIGHUP and returns the event that comes of it."""
        if settings:
            self.write(**settings)
        before = len(self.proxy.found(kind))
        self.proxy.signal(signal.SIGHUP)
        return self.proxy.event(kind, count=before + 1)

    def metric(self, series):
        return metric(self.proxy, series)


def metric(proxy, series):
    """The value of one series, as text."""
    page = proxy.http.get("/metrics").body.decode()
    return re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE).group(1)


@pytest.fixture
def config(proxy, tmp_path):
    """Starts a proxy with a configuration file: `config(queue=3)`."""
    made = Config(tmp_path / "config.yaml")

    def start(*flags, options=None, **settings):
        made.write(**settings)
        made.proxy = proxy("--config", made.path, *flags, **(options or {}))
        return made

    return start


def echo(session):
    return text(session.tool("echo", text="still here")) == "still here"


# What takes effect at once.


@pytest.mark.parametrize(
    "name, value, series, shown",
    [
        ("max-sessions", "7", "mcp_proxy_sessions_limit", "7"),
        ("queue", "7", "mcp_proxy_queue_limit", "7"),
        ("max-in-flight", "7", "mcp_proxy_requests_inflight_limit", "7"),
        ("max-connections", "70", "mcp_proxy_connections_limit", "70"),
        ("max-buffered", "1MiB", "mcp_proxy_buffered_limit_bytes", "1048576"),
        ("request-timeout", "7s", 'mcp_proxy_timeout_seconds{name="request"}', "7"),
        ("max-request-time", "2h", 'mcp_proxy_timeout_seconds{name="max_request"}', "7200"),
        ("client-request-timeout", "1500ms", 'mcp_proxy_timeout_seconds{name="client_request"}', "1.5"),
        ("connection-timeout", "7s", 'mcp_proxy_timeout_seconds{name="connection"}', "7"),
        ("session-idle-timeout", "0", 'mcp_proxy_timeout_seconds{name="session_idle"}', "0"),
    ],
)
def test_limits_in_metrics_follow(config, name, value, series, shown):
    started = config()
    assert started.metric(series) != shown
    assert started.reload(**{name: value})["changed"] == name
    assert started.metric(series) == shown
    started.path.write_text("", encoding="utf-8")
    assert started.reload()["changed"] == name, "what is not in the file any more has its default again"
    assert started.metric(series) != shown


def test_max_sessions(config):
    started = config(max_sessions=1)
    session = started.proxy.session()
    assert started.proxy.http.post(initialize()).status == 503
    started.reload(max_sessions=2)
    other = started.proxy.session()
    started.reload(max_sessions=1)
    assert echo(session) and echo(other), "those that are there stay"
    assert started.proxy.http.post(initialize()).status == 503


def test_queue_and_in_flight(config):
    started = config(max_in_flight=1, queue=0)
    session = started.proxy.session()
    first = session.start_tool("sleep", ms=800)
    eventually(lambda: started.metric("mcp_proxy_requests_inflight") == "1")
    assert "error" in session.tool("echo", text="x")
    started.reload(max_in_flight=1, queue=5)
    waiting = session.start_tool("echo", text="waited")
    eventually(lambda: started.metric("mcp_proxy_queue_length") == "1")
    started.reload(max_in_flight=5, queue=5)
    assert text(waiting.answer()) == "waited"
    assert first.response is None or first.status == 200
    assert "result" in first.answer()


def test_request_timeout(config):
    started = config(request_timeout="60s")
    session = started.proxy.session()
    under_way = session.start_tool("sleep", ms=1200)
    eventually(lambda: started.metric("mcp_proxy_requests_inflight") == "1")
    started.reload(request_timeout="300ms")
    assert "error" in session.tool("hang_call")
    started.proxy.event("request.timeout")
    assert "result" in under_way.answer(), "what was asked under the old limit keeps it"


def test_session_idle_timeout(config):
    started = config()
    session = started.proxy.session()
    started.reload(session_idle_timeout="300ms")
    started.proxy.event("session.expired", reason="idle_timeout")
    assert session.post(tool("echo", text="x")).status == 404
    started.reload(session_idle_timeout="10m")
    assert echo(started.proxy.session())


def test_max_body_size(config):
    started = config(max_body_size="1KiB")
    session = started.proxy.session()
    assert session.post(tool("echo", text="x" * 2000)).status == 413
    started.reload(max_body_size="10KiB")
    assert session.post(tool("echo", text="x" * 2000)).status == 200


def test_hosts_and_origins(config):
    started = config(strict_host="true")

    def status(**headers):
        return started.proxy.http.post(initialize(), headers).status

    assert status(Host="mcp.example.com") == 403
    assert status(Origin="https://app.example.com") == 403
    allowed = {"allow_host": "[mcp.example.com]", "allow_origin": "['https://app.example.com']"}
    changed = started.reload(strict_host="true", **allowed)
    assert set(changed["changed"].split(", ")) == {"allow-host", "allow-origin"}
    assert status(Host="mcp.example.com") == 200
    assert status(Origin="https://app.example.com") == 200
    assert status(Host="other.example.com") == 403
    started.reload(strict_host="false")
    assert status(Host="other.example.com") == 200
    assert status(Origin="https://app.example.com") == 403


def test_debug_and_payloads(config):
    started = config(options={"debug": False}, debug="false")
    running = started.proxy
    session = running.session()
    assert echo(session) and running.found("http.answered") == [] == running.found("message.payload")
    started.reload(debug="true", log_payloads="1KiB")
    assert echo(session)
    running.event("http.answered")
    assert any("still here" in event["payload"] for event in running.found("message.payload"))
    started.reload(debug="false", log_payloads="0")
    before = len(running.found("message.payload")), len(running.found("http.answered"))
    assert echo(session)
    running.stop()
    # Of the debug log, only what was under way when it was turned off may follow.
    assert len(running.found("message.payload")) == before[0]
    assert len(running.found("http.answered")) <= before[1] + 1


def test_nobody_notices(config):
    started = config(queue=3)
    running = started.proxy
    session = running.session(listen=True)
    calls = [session.start_tool("sleep", ms=600) for _ in range(5)]
    asking = running.session(capabilities={"roots": {}}).start_tool("progress", "token", steps=3, ms=100)
    pid = running.child_pid
    started.reload(queue=4, request_timeout="1m", keep_alive_interval="5s")
    assert all("result" in call.answer() for call in calls)
    assert "result" in asking.answer()
    session.tool("list_change", kind="tool")
    session.stream.message(10, lambda message: message.get("method") == "notifications/tools/list_changed")
    assert running.child_pid == pid
    assert running.found("session.closed") == []


# What has to wait for a restart.


@pytest.mark.parametrize(
    "name, value",
    [
        ("host", "0.0.0.0"),
        ("stream-endpoint", "/other"),
        ("sse-endpoint", "/other"),
        ("server", "sse"),
        ("health-endpoint", "[/up]"),
        ("env", "[A=b]"),
        ("pass-environment", "false"),
        ("cwd", "/"),
        ("isolation", "session"),
        ("client-capabilities", "{roots: {}}"),
        ("stateless", "true"),
        ("event-store", "false"),
        ("max-line", "1MiB"),
        ("name", "other"),
        ("admin-listen", "127.0.0.1:1"),
        ("histograms", "both"),
        ("journal-rate", "7"),
    ],
)
def test_what_needs_a_restart(config, name, value):
    started = config(queue=3)
    session = started.proxy.session()
    told = started.reload(**{"queue": 4, name: value})
    assert told["needs_restart"] == name
    assert told["changed"] == "queue"
    assert name in told["message"]
    assert echo(session) and echo(started.proxy.session())
    assert started.metric("mcp_proxy_config_last_reload_successful") == "1"
    assert started.metric("mcp_proxy_queue_limit") == "4"
    # It is not forgotten: the next reload says it again.
    assert started.reload()["needs_restart"] == name


def test_port_and_command_need_a_restart(service, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"port: 0\ncommand: [{FIXTURE}]\n", encoding="utf-8")
    running = service("--config", file)
    running.wait_ready()
    file.write_text("port: 1\ncommand: [cat, /dev/null]\n", encoding="utf-8")
    running.signal(signal.SIGHUP)
    told = running.event("config.reloaded")
    assert set(told["needs_restart"].split(", ")) == {"port", "command"}
    assert "changed" not in told
    pid = running.kill_child()
    running.event("upstream.ready", count=2)
    assert running.child_pid != pid
    assert echo(running.session()), "the old command is started again"


def test_another_content_of_the_env_file_needs_a_restart(proxy, tmp_path):
    file = tmp_path / "secrets.env"
    file.write_text("KEY=hunter2\n", encoding="utf-8")
    running = proxy("--env-file", file)
    file.write_text("KEY=hunter3\n", encoding="utf-8")
    running.signal(signal.SIGHUP)
    told = running.event("config.reloaded")
    assert told["needs_restart"] == "env-file" and "changed" not in told
    running.kill_child()
    running.event("upstream.ready", count=2)
    assert text(running.session().tool("env", name="KEY")) == "hunter2", "what it was started with"
    assert "hunter" not in running.log()


def test_flags_go_before_the_file(config):
    started = config("--queue", "9", queue=3)
    told = started.reload(queue=4)
    assert "changed" not in told and "needs_restart" not in told
    assert started.metric("mcp_proxy_queue_limit") == "9"


# A file that is wrong.

BAD = [
    ("queue: 3\nmax-sessions: [\n", 2, None),
    ("queue: 3\nprot: 1\n", 2, "prot"),
    ("queue: 3\n\nrequest-timeout: soon\n", 3, "soon"),
    ("queue: -1\n", 1, "-1"),
    ("queue: 3\nqueue: 4\n", 2, "queue"),
    ("queue:\n", 1, "queue"),
    ("- queue\n", 1, None),
    ("isolation: none\n", 1, "none"),
]


@pytest.mark.parametrize("content, line, said", BAD)
def test_a_bad_file_changes_nothing(config, content, line, said):
    started = config(queue=5, max_sessions=50)
    running = started.proxy
    session = running.session()
    read_at = started.metric("mcp_proxy_config_last_reload_success_timestamp_seconds")
    started.path.write_text(content, encoding="utf-8")
    told = started.reload("config.invalid")
    assert f"{started.path}:{line}:" in told["problem"]
    assert said is None or said in told["problem"]
    assert told["problem"] in told["message"]
    assert started.metric("mcp_proxy_config_last_reload_successful") == "0"
    assert started.metric("mcp_proxy_config_last_reload_success_timestamp_seconds") == read_at
    assert started.metric("mcp_proxy_queue_limit") == "5"
    assert started.metric("mcp_proxy_sessions_limit") == "50"
    assert echo(session)
    checked = run("--config", str(started.path), "--check-config", "--", FIXTURE)
    assert checked.returncode == 78
    assert told["problem"] in checked.stderr, "the check without a reload says the same"

    assert started.reload(queue=6, max_sessions=50)["changed"] == "queue"
    assert started.metric("mcp_proxy_config_last_reload_successful") == "1"
    assert float(started.metric("mcp_proxy_config_last_reload_success_timestamp_seconds")) > float(read_at)
    assert started.metric("mcp_proxy_queue_limit") == "6"
    checked = run("--config", str(started.path), "--check-config", "--", FIXTURE)
    assert checked.returncode == 0 and re.search(r"^queue +6 ", checked.stdout, re.MULTILINE)


@pytest.mark.parametrize("kind", ["missing", "a directory", "not text"])
def test_a_file_that_cannot_be_read(config, kind):
    started = config(queue=5)
    started.path.unlink()
    if kind == "a directory":
        started.path.mkdir()
    elif kind == "not text":
        started.path.write_bytes(b"queue: \xff\xfe\n")
    told = started.reload("config.invalid")
    assert str(started.path) in told["problem"]
    assert started.metric("mcp_proxy_config_last_reload_successful") == "0"
    assert started.metric("mcp_proxy_queue_limit") == "5"
    assert echo(started.proxy.session())


def test_a_secret_in_a_bad_file_is_not_told(config):
    started = config(queue=5)
    started.path.write_text("queue: many\nenv: [TOKEN=hunter2]\n", encoding="utf-8")
    started.reload("config.invalid")
    assert "hunter2" not in started.proxy.log()


# Signals.


def test_several_signals_in_a_row(config):
    started = config(queue=1)
    running = started.proxy
    session = running.session()
    call = session.start_tool("sleep", ms=500)
    for number in range(2, 40):
        started.write(queue=number)
        running.signal(signal.SIGHUP)
    # The last one may have been merged with one before it, but not with one before the last writing.
    eventually(lambda: started.metric("mcp_proxy_queue_limit") == "39", what="the last configuration")
    assert "result" in call.answer()
    assert echo(session)


def test_without_a_file(proxy):
    running = proxy()
    session = running.session()
    running.signal(signal.SIGHUP)
    told = running.event("config.reloaded")
    assert "changed" not in told and "needs_restart" not in told
    assert echo(session)


def test_a_signal_right_after_the_start(proxy):
    """Nobody has to wait before a reload: the proxy serves already, and systemd waits for the end of each."""
    for _ in range(5):
        running = proxy(ready=False)
        running.signal(signal.SIGHUP)
        running.wait_ready()
        running.event("config.reloaded", timeout=5)


def test_a_signal_while_it_stops(config):
    started = config("--graceful-shutdown-timeout", "10s", queue=1)
    running = started.proxy
    call = running.session().start_tool("sleep", ms=700)
    eventually(lambda: started.metric("mcp_proxy_requests_inflight") == "1")
    running.signal()
    running.event("proxy.stopping")
    running.signal(signal.SIGHUP)
    assert "result" in call.answer()
    assert running.wait() == 0
    assert running.event("proxy.stopped")["drained"] is True


def test_a_file_that_cannot_be_read_to_its_end(config):
    """A file on a disk that hangs: nothing else waits for it, and it is given up."""
    started = config(queue=1)
    running = started.proxy
    started.path.unlink()
    os.mkfifo(started.path)
    running.signal(signal.SIGHUP)
    for _ in range(3):
        assert started.metric("mcp_proxy_queue_limit") == "1"
    assert "within 10 s" in running.event("config.invalid")["problem"]
    running.signal(signal.SIGHUP)
    assert echo(running.session())
    # And the end comes although the second reading still hangs: see the fixture.
