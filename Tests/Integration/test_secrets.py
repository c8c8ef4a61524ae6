# SPDX-License-Identifier: Apache-2.0
"""Secrets pass through the proxy wherever they can, and are found in nothing it writes or answers of its own."""

import gzip
import json
import re
import secrets
import signal

import pytest

from journal import NO_LIMIT, journal, journaled, journals, of_kind, own_fields, problems  # noqa: F401
from mcp_http import initialize, notification, request, text, tool
from notify_socket import NotifySocket
from otlp_collector import Collector
from processes import eventually
from proxy_process import FIXTURE, run

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Planted:
    """Secrets by the place they are planted in: `planted("cookie")` is always the same, and like no other text."""

    def __init__(self):
        self.values = {}

    def __call__(self, place):
        return self.values.setdefault(place, f"Zq{secrets.token_hex(12)}")

    def leaks(self, emitted):
        """The places of those that stand in a text or bytes."""
        if isinstance(emitted, bytes):
            emitted = emitted.decode("utf-8", "replace")
        return sorted(place for place, value in self.values.items() if value in emitted)


@pytest.fixture
def planted():
    return Planted()


class Scenario:
    """All the proxy does, with a secret in every place there is.

    `answers` holds the bodies and heads of what it answered by itself, which are not the child's.
    """

    def __init__(self, journaled, journal, planted, folder, log, env=None):
        self.planted = planted
        self.answers = []
        env_file = folder / "secrets.env"
        env_file.write_text(
            f"FILE_VARIABLE={planted('env file')}\nFROM_FILE={planted('argv from the env file')}\n", encoding="utf-8"
        )
        self.config = folder / "proxy.yaml"
        self.config.write_text(f"env: ['LISTED_TOKEN={planted('config file')}']\n", encoding="utf-8")
        # A shell between, so that the child's arguments may be anything.
        self.script = folder / "server"
        self.script.write_text(f'#!/bin/sh\nexec "{FIXTURE}"\n', encoding="utf-8")
        self.script.chmod(0o755)
        self.child = [self.script, "--api-key", planted("argv"), "positional", "--password=${FROM_FILE}"]
        self.child += ["-e", f"CONTAINER_VARIABLE={planted('argv of docker run -e')}"]
        self.child += [f"https://user:{planted('argv URL')}@registry.example/?token={planted('argv query')}"]
        self.flags = ["-e", f"PLAIN_NAME={planted('-e')}", "--env-file", env_file, "--config", self.config]
        self.environment = {"INHERITED_VARIABLE": planted("inherited environment"), **(env or {})}
        limits = ("--request-timeout", "500", "--max-sessions", "8", "--max-body-size", "100K")
        flags = ("--debug", *NO_LIMIT, *limits, *self.flags)
        self.proxy = journaled(journal, *flags, child=self.child, env=self.environment, log=log)
        self.http = self.proxy.http
        self.sessions = []

    def headers(self, place="header"):
        """Headers of every kind that hold secrets."""
        planted = self.planted
        return {
            "Authorization": f"Bearer {planted(f'Authorization of {place}')}",
            "Cookie": f"sid={planted(f'Cookie of {place}')}; other=1",
            "X-Api-Key": planted(f"X-Api-Key of {place}"),
            "Referer": f"https://page.example/?key={planted(f'Referer of {place}')}",
            "User-Agent": planted(f"User-Agent of {place}"),
            "traceparent": "nonsense-" + planted(f"traceparent of {place}"),
        }

    def keep(self, response, status):
        """Keeps what the proxy answered by itself."""
        assert response.status == status, (response.status, response.body)
        self.answers.append(str(response.headers).encode() + response.body)

    def open(self):
        session = self.http.session(capabilities={})
        self.sessions.append(session)
        self.planted.values[f"session id {len(self.sessions)}"] = session.id
        return session

    def calls(self):
        """Calls that go well, and those the child refuses."""
        planted, session = self.planted, self.open()
        headers = self.headers("a call")
        for name, variable, place in (
            ("env", "PLAIN_NAME", "-e"),
            ("env", "FILE_VARIABLE", "env file"),
            ("env", "INHERITED_VARIABLE", "inherited environment"),
        ):
            assert text(session.post(tool(name, name=variable), headers).json) == planted(place), "it is planted"
        secret = planted("argument and result")
        assert text(session.post(tool("echo", text=secret), headers).json) == secret
        session.post(tool("echo", "an id", progress_token=planted("progress token"), text="x"))
        session.post(request("resources/read", {"uri": f"test://item/{planted('resource URI')}"}))
        session.post(request("resources/read", {"uri": f"https://x.example/?sig={planted('unknown URI')}"}))
        session.post(request("resources/subscribe", {"uri": f"test://item/{planted('subscribed URI')}"}))
        session.post(request("prompts/get", {"name": "greeting", "arguments": {"name": planted("prompt argument")}}))
        session.post(tool(planted("name of no tool"), text="x"))
        session.post(request(planted("name of no method")))
        session.post(notification(planted("notification"), {"x": planted("notification params")}))
        session.post(tool("echo", text="x") | {"_extra": planted("extra member")})
        session.post(tool("notify_custom", method=planted("server notification"), params={"x": planted("its params")}))
        session.post(tool("log", level="error", text=planted("log message")))
        session.post({"jsonrpc": "2.0", "id": planted("id of an answer"), "result": {"x": planted("answer")}})
        legacy = self.proxy.sse_session()
        self.planted.values["session id of SSE"] = re.search(r"[=/]([^=/&?]{16,})$", legacy.endpoint)[1]
        legacy.tool("echo", text=planted("argument over SSE"))
        legacy.close()

    def failures(self):
        """Calls that fail for each reason the proxy knows."""
        planted, session = self.planted, self.open()
        kinds = ("text", "not_jsonrpc", "wrong_id", "result_and_error")
        for kind in kinds:
            session.post(tool("garbage", kind=kind, password=planted("argument of garbage")))
        for name in ("hang_call", "crash"):
            self.keep(session.post(tool(name, token=planted(f"argument of {name}")), self.headers(name)), 200)
            eventually(lambda: self.proxy.ready().status == 200, 30, "recovery")

    def refusals(self):
        """Requests the proxy refuses, secrets all over."""
        planted, http, headers = self.planted, self.http, self.headers("a refusal")
        message = tool("echo", text=planted("refused argument"))
        origin = f"https://user:{planted('Origin')}@evil.example"
        self.keep(http.post(message, {**headers, "Origin": origin}), 403)
        self.keep(http.post(message, {**headers, "Origin": f"https://evil.example/?token={planted('Origin query')}"}), 403)
        self.keep(http.post(message, {**headers, "Mcp-Session-Id": planted("unknown session id")}), 404)
        self.keep(http.post(message, headers), 400)
        self.keep(http.post(message, headers, f"/nowhere/{planted('path')}?token={planted('query of no path')}"), 404)
        self.keep(http.post(b'{"token": "' + planted("broken JSON").encode(), headers), 400)
        self.keep(http.post({"password": planted("no message")}, headers), 400)
        self.keep(http.post(message, {**headers, "Content-Type": f"text/{planted('Content-Type')}"}), 415)
        self.keep(http.post(message, {**headers, "Accept": f"x/{planted('Accept')}"}), 406)
        self.keep(http.post('"' + planted("large body") * 9000 + '"', headers), 413)
        version = {"MCP-Protocol-Version": planted("version"), "Mcp-Session-Id": self.sessions[0].id}
        self.keep(http.post(message, {**headers, **version}), 400)
        last = {"Accept": "text/event-stream", "Last-Event-ID": planted("Last-Event-ID")}
        self.sessions[0].http.get("/mcp", {**self.sessions[0].headers, **last})
        self.keep(http.get(f"/healthz?token={planted('query of health')}", headers), 200)
        response = http.post(initialize(), headers, f"/mcp?access_token={planted('query')}")
        assert response.status == 200
        self.planted.values["session id with a query"] = response.headers["Mcp-Session-Id"]
        for _ in range(20):
            response = http.post(initialize(), headers)
            if response.status != 200:
                break
            self.planted.values[f"session id {response.headers['Mcp-Session-Id'][:6]}"] = response.headers["Mcp-Session-Id"]
        self.keep(response, 503)

    def reload(self):
        """A configuration that is wrong right where its secret is."""
        for number, broken in enumerate(("env: ['TOKEN={}'\n", "env: ['{}']\n", "env: {TOKEN: '{}', 1}\n")):
            self.config.write_text(broken.replace("{}", self.planted(f"broken config {number}")), encoding="utf-8")
            self.proxy.signal(signal.SIGHUP)
            eventually(lambda n=number: self.reloads() > n, 20, "the reload")

    def reloads(self):
        samples = self.proxy.scrape()
        return sum(samples[("mcp_proxy_events_total", kind)] for kind in ("config.invalid", "config.reloaded"))

    def scrapes(self):
        for accept in ("text/plain", OPENMETRICS, PROTOBUF):
            headers = {**self.headers("a scrape"), "Accept": accept, "Accept-Encoding": "identity"}
            self.keep(self.http.get(f"/metrics?token={self.planted('query of metrics')}", headers), 200)
        self.keep(self.http.get("/readyz", self.headers("readiness")), 200)

    def start_failure(self):
        """The child can't be started: what the proxy says of that, to the log and to clients."""
        self.script.chmod(0o644)
        self.proxy.kill_child()
        eventually(lambda: self.proxy.ready().status == 503, 30, "the failure")
        self.keep(self.proxy.ready(), 503)
        self.keep(self.sessions[0].post(tool("echo", text=self.planted("argument without a child"))), 200)
        self.script.chmod(0o755)
        eventually(lambda: self.proxy.ready().status == 200, 60, "recovery")

    def run(self):
        self.calls()
        self.failures()
        self.refusals()
        self.reload()
        self.start_failure()
        self.scrapes()
        return self.proxy.stop()


@pytest.mark.parametrize("log", ["journal", "text", "json"])
def test_a_full_run(journal, journaled, planted, tmp_path, log):
    scenario = Scenario(journaled, journal, planted, tmp_path, log)
    entries = scenario.run()
    emitted = scenario.proxy.stderr()
    if log == "journal":
        # What journald adds is what it sees of the process, its command line above all.
        emitted += "".join(json.dumps(own_fields(entry), ensure_ascii=False) for entry in entries)
        assert emitted.count("MCP_EVENT") > 100
    else:
        assert entries == []
        assert len(emitted.splitlines()) > 100
    assert planted.leaks(emitted) == []
    # A refusal may repeat to its client what made it one, and that alone.
    told = {place for answer in scenario.answers for place in planted.leaks(answer)}
    assert told <= {"path", "Content-Type", "Accept", "version"}
    assert len(planted.values) > 60


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def notify():
    socket = NotifySocket(f"@secrets-{secrets.token_hex(8)}")
    yield socket
    socket.close()


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf"])
def test_a_full_run_seen_by_a_collector_and_systemd(journal, journaled, planted, tmp_path, collector, notify, protocol):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={planted('header for the collector')}",
        "NOTIFY_SOCKET": notify.address,
    }
    scenario = Scenario(journaled, journal, planted, tmp_path, "journal", env)
    entries = scenario.run()
    bodies = [
        gzip.decompress(export.body) if export.headers.get("Content-Encoding") == "gzip" else export.body
        for export in collector.exports
    ]
    assert len(collector.spans) > 30
    assert [place for body in bodies for place in planted.leaks(body)] == []
    paths = "".join(export.path for export in collector.exports)
    headers = {place for export in collector.exports for place in planted.leaks(str(export.headers))}
    assert headers == {"header for the collector"} and planted.leaks(paths) == []
    said = notify.log()
    assert any("restart" in notice.get("STATUS", "") for notice in said)
    assert planted.leaks(json.dumps(said)) == []
    emitted = scenario.proxy.stderr() + "".join(json.dumps(own_fields(entry)) for entry in entries)
    assert "TRACE_ID" in emitted and planted.leaks(emitted) == []


def test_session_ids_are_told_by_a_hash(journal, journaled):
    """One name in all entries of a session, which is no part of the id, so that nobody can take it over."""
    running = journaled(journal, "--debug", *NO_LIMIT, "--log-payloads", "4000")
    sessions = [running.session() for _ in range(5)]
    for session in sessions:
        session.tool("echo", text="x")
        session.listen().close()
        session.delete()
    running.event("stream.closed", count=5)
    entries = running.stop()
    names = {}
    for entry in entries:
        for session in sessions:
            assert session.id not in json.dumps(entry)
        if "MCP_SESSION_ID" in entry:
            names.setdefault(entry["MCP_SESSION_ID"], set()).add(entry["MCP_EVENT"])
    assert len(names) == 5
    for name, kinds in names.items():
        assert kinds >= {
            "session.opened", "session.closed", "request.completed", "message.payload", "stream.opened", "stream.closed"
        }  # fmt: skip
        assert re.fullmatch("[0-9a-f]{16}", name)
        for session in sessions:
            whole = session.id.lower().replace("-", "")
            assert name not in whole and not any(name[:8] == whole[at : at + 8] for at in range(len(whole)))


# Without a run: what is printed.


def test_check_config(planted, tmp_path):
    env_file = tmp_path / "secrets.env"
    env_file.write_text(f"PW={planted('env file')}\n", encoding="utf-8")
    config = tmp_path / "proxy.yaml"
    config.write_text(f"env: ['A={planted('config file')}']\n", encoding="utf-8")
    child = ["docker", "run", "-e", f"A={planted('docker -e')}", f"-eB={planted('docker -eB')}", f"--env=C={planted('docker --env')}"]
    child += ["--api-key", planted("--api-key"), f"--token={planted('--token')}", "--password", "${PW}"]
    child += ["-H", f"Authorization: Bearer {planted('header')}", f"postgres://u:{planted('URL')}@db/x?apikey={planted('query')}"]
    flags = ["--env-file", env_file, "--config", config, "-e", f"D={planted('-e')}"]
    environment = {"MCP_PROXY_ENV": f"E={planted('variable')}", "OTHER": planted("other variable")}
    finished = run("--check-config", *map(str, flags), "--", *child, env=environment)
    assert finished.returncode == 0, finished.stderr
    assert "docker run" in finished.stdout and "***" in finished.stdout
    assert planted.leaks(finished.stdout + finished.stderr) == []


# Command lines that are refused, with the text of the --config file and of the --env-file, by what is wrong with them.
REFUSED = {
    "no program": ("--port 0 -e TOKEN=SECRET", "", ""),
    "-e without a name": ("-e =SECRET", "", ""),
    "-e with a bad name": ("-e -SECRET", "", ""),
    "unknown variable": ("--name x", "", "A=SECRET\n"),
    "env file": ("--name x", "", "A=1\nSECRET\n"),
    "env file, quotes": ("--name x", "", 'A="SECRET\n'),
    "config, syntax": ("--name x", "env: ['TOKEN=SECRET'\n", ""),
    "config, list": ("--name x", "env: ['SECRET']\n", ""),
    "config, key": ("--name x", "env:\n  TOKEN: SECRET\n", ""),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("log", ["text", "json"])
def test_what_is_refused_at_the_start(planted, tmp_path, name, log):
    flags, config_text, env_text = (part.replace("SECRET", planted("secret")) for part in REFUSED[name])
    config, env_file = tmp_path / "proxy.yaml", tmp_path / "secrets.env"
    config.write_text(config_text, encoding="utf-8")
    env_file.write_text(env_text, encoding="utf-8")
    arguments = ["--log", log, "--config", str(config), "--env-file", str(env_file), *flags.split()]
    child = ["/no/such/program", "--api-key", planted("argv"), *(["${MISSING}"] if name == "unknown variable" else [])]
    finished = run(*arguments, "--", *child)
    assert finished.returncode in (64, 78, 127), finished
    assert finished.stderr
    assert planted.leaks(finished.stdout + finished.stderr) == []


def test_a_variable_that_is_refused(planted):
    finished = run("--", "/bin/cat", env={"MCP_PROXY_ENV": planted("variable"), "MCP_PROXY_PORT": "0"})
    assert finished.returncode in (64, 78), finished
    assert planted.leaks(finished.stdout + finished.stderr) == []


# Payloads, for whoever asks for them.


def test_payloads(journal, journaled, planted):
    """What clients and the child say is told then, cut, and without what is named like a secret."""
    running = journaled(journal, "--log-payloads", "4000", *NO_LIMIT)
    session = running.session()
    named = ("password", "token", "api_key", "authorization", "userPassword", "X-API-KEY", "client_secret", "Cookie", "accessToken")
    arguments = {name: planted(name) for name in named}
    arguments["nested"] = [{"deep": {"Authorization": f"Bearer {planted('nested')}", "harmless": "kept as it is"}}]
    arguments["token_list"] = [planted("list"), {"x": planted("object in a list")}]
    arguments["private_key"] = {"pem": planted("object"), "bits": [1, 2]}
    session.post(request("x-fixture/echo", arguments))
    session.post('{"jsonrpc":"2.0","id":9,"method":"x-fixture/echo","params":{"pass\\u0077ord" : "%s"}}' % planted("escaped"))
    for position in range(3800, 4000, 37):
        session.post(tool("echo", text="y" * position, password=planted(f"at {position}")))
    entries = running.stop()
    payloads = of_kind(entries, "message.payload")
    assert {entry["MCP_PEER"] for entry in payloads} == {"from_client", "from_server"}
    assert planted.leaks(json.dumps([own_fields(entry) for entry in entries])) == []
    assert session.id not in json.dumps([own_fields(entry) for entry in entries])
    told = next(e["MCP_PAYLOAD"] for e in payloads if "x-fixture/echo" in e["MCP_PAYLOAD"] and "nested" in e["MCP_PAYLOAD"])
    assert told.count("***") >= len(named) + 3
    assert "kept as it is" in told
    answered = next(e["MCP_PAYLOAD"] for e in payloads if e["MCP_PEER"] == "from_server" and "nested" in e["MCP_PAYLOAD"])
    assert answered.count("***") >= len(named) + 3
    for entry in payloads:
        assert problems(entry) == []
        assert len(entry["MCP_PAYLOAD"].encode()) <= 4000
    assert max(int(entry["MCP_BYTES"]) for entry in payloads) > 4000


def test_without_the_option_there_are_no_payloads(journal, journaled, planted):
    running = journaled(journal, "--debug", *NO_LIMIT)
    running.session().tool("echo", text=planted("argument"))
    entries = running.stop()
    assert of_kind(entries, "message.payload") == []
    assert planted.leaks(json.dumps(entries)) == []
