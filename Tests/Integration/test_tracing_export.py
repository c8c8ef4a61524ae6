# SPDX-License-Identifier: Apache-2.0
"""Collectors that are slow, broken or not there, and settings that can't be met."""

import re
import socket
import time

import pytest

from mcp_http import text
from otlp_collector import Collector, answering, closing, never
from processes import eventually
from proxy_process import FIXTURE, run

SERVER = 2


def metric(running, series):
    page = running.http.get("/metrics").body.decode()
    return int(re.search(rf"^{re.escape(series)} (\d+)$", page, re.MULTILINE).group(1))


def failures(running, reason):
    return metric(running, f'mcp_proxy_trace_export_failures_total{{reason="{reason}"}}')


def exported(running):
    return metric(running, "mcp_proxy_trace_spans_exported_total")


def dropped(running, reason):
    return metric(running, f'mcp_proxy_trace_spans_dropped_total{{reason="{reason}"}}')


@pytest.fixture
def traced(proxy):
    def start(url, *flags, **env):
        always = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        return proxy(*flags, env={**always, **env})

    return start


@pytest.fixture
def collector():
    """Starts collectors: `collector(answering(503), answering(200))`."""
    running = []

    def start(*script, port=0):
        running.append(Collector(*script, port=port))
        return running[-1]

    yield start
    for each in running:
        each.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def call(session, count=30):
    """Calls as fast as one client can, and returns how long the longest took."""
    longest = 0.0
    for _ in range(count):
        began = time.monotonic()
        assert text(session.tool("echo", text="x")) == "x"
        longest = max(longest, time.monotonic() - began)
    return longest


# Two spans for each call, and one for `initialize`, which the proxy answers itself.
CALLS = 30
SPANS = 2 * CALLS + 1


@pytest.mark.parametrize(
    "step, fate",
    [
        (None, "queue_full"),
        (never, "queue_full"),
        (closing, "queue_full"),
        (answering(503, Retry_After="60"), "queue_full"),
        (answering(400), "rejected"),
    ],
)
def test_calls_do_not_wait_for_a_collector(traced, collector, step, fate):
    """`step` None: nobody listens."""
    url = collector(step).url if step else f"http://127.0.0.1:{free_port()}"
    running = traced(url, OTEL_BSP_MAX_QUEUE_SIZE="8", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4")
    # Each of these waits would be noticed: none is under a second.
    assert call(running.session(), CALLS) < 0.9
    # But for a queue, and a batch that is still to be got rid of.
    eventually(lambda: dropped(running, "queue_full") + dropped(running, "rejected") >= SPANS - 8 - 4)
    assert dropped(running, fate) > 0
    assert exported(running) == 0
    assert running.ready().status == 200
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 4, "the last attempt has its limit too"


def test_retry_after(traced, collector):
    broken = collector(answering(503, Retry_After="1"), answering(200))
    running = traced(broken.url)
    running.session()
    began = time.monotonic()
    eventually(lambda: exported(running) == 1)
    assert time.monotonic() - began > 0.8
    first, second = broken.exports
    assert first.body == second.body, "it is the same batch"
    assert all(dropped(running, reason) == 0 for reason in ("queue_full", "rejected", "send_failed"))


@pytest.mark.parametrize(
    "step, reason",
    [
        (closing, "connection_closed"),
        (answering(429), "throttled"),
        (answering(502), "unavailable"),
        (answering(504), "unavailable"),
    ],
)
def test_what_may_pass_is_tried_again(traced, collector, step, reason):
    running = traced(collector(step, answering(200)).url)
    running.session()
    eventually(lambda: exported(running) == 1)
    assert failures(running, reason) == 1
    assert dropped(running, "rejected") == 0


def test_a_slow_collector(traced, collector):
    running = traced(collector(never, answering(200)).url, OTEL_EXPORTER_OTLP_TIMEOUT="200")
    session = running.session()
    assert call(session, CALLS) < 0.9
    eventually(lambda: exported(running) == SPANS)
    assert failures(running, "timeout") == 1
    assert dropped(running, "queue_full") == 0


@pytest.mark.parametrize(
    "status, reason", [(400, "refused"), (401, "unauthorized"), (404, "not_found"), (500, "refused")]
)
def test_what_is_refused_is_counted_and_not_repeated(traced, collector, status, reason):
    refusing = collector(answering(status), answering(200))
    running = traced(refusing.url)
    session = running.session()
    eventually(lambda: dropped(running, "rejected") == 1)
    assert failures(running, reason) == 1
    assert call(session, 1) < 1
    eventually(lambda: exported(running) == 2)
    assert len({each.body for each in refusing.exports}) == len(refusing.exports)


def test_a_collector_that_comes_later(traced, collector):
    port = free_port()
    running = traced(f"http://127.0.0.1:{port}")
    assert call(running.session(), CALLS) < 0.9
    assert exported(running) == 0
    eventually(lambda: failures(running, "unreachable") > 0)
    assert metric(running, "mcp_proxy_trace_queue_spans") > 0
    later = collector(port=port)
    eventually(lambda: exported(running) == SPANS)
    assert len(later.spans) == SPANS
    assert metric(running, "mcp_proxy_trace_queue_spans") == 0


def test_exports_add_up(traced, collector):
    running = traced(collector().url)
    call(running.session(), CALLS)
    eventually(lambda: exported(running) == SPANS)
    assert all(dropped(running, reason) == 0 for reason in ("queue_full", "rejected", "send_failed"))
    # Exports are no calls: they neither trace nor log themselves.
    assert "v1/traces" not in running.log()


def test_the_end_waits_for_no_collector(traced, collector):
    running = traced(collector(never).url)
    call(running.session(), CALLS)
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 4


# Settings that can't be met.

SECRET = "hunter2"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    "variable, setting, said",
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "nonsense", "'nonsense'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318", "http://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "'collector:4318'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318", "http://HOST:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:99999", "http://HOST:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unix:/run/x", "'unix:/run/x'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:{SECRET}@h:1", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://h:1/?key={SECRET}", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET},{SECRET}", "number 2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET}%0A", "'api-key'"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={SECRET}%zz", "number 1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"api key={SECRET}", "number 1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"Host={SECRET}", "'Host'"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "'zstd'"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "'soon'"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "'0'"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s", "'5s'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "'-1'"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999", "'99999'"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin'"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "'sometimes'"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "number 1"),
    ],
)
def test_a_setting_that_cannot_be_met(variable, setting, said):
    line = one_line(run("--port", "0", "--", FIXTURE, env={**ENDPOINT, variable: setting}))
    assert variable in line and said in line
    assert SECRET not in line


@pytest.mark.parametrize("ratio", ["2", "-0.1", "half", "nan"])
def test_a_ratio_that_is_none(ratio):
    env = {**ENDPOINT, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio}
    assert f"'{ratio}'" in one_line(run("--port", "0", "--", FIXTURE, env=env))


def one_line(finished):
    assert finished.returncode == 78, finished
    lines = finished.stderr.splitlines()
    assert len(lines) == 1 and finished.stdout == "", finished
    return lines[0]


def test_keys_for_the_collector_are_shown_nowhere(traced, collector):
    listening = collector(answering(401))
    running = traced(listening.url, OTEL_EXPORTER_OTLP_HEADERS=f"api-key={SECRET}")
    running.session()
    eventually(lambda: dropped(running, "rejected") == 1)
    assert listening.exports[0].headers["api-key"] == SECRET
    assert SECRET not in running.http.get("/metrics").body.decode()
    running.stop()
    assert SECRET not in str(running.events) + "".join(running.stray)
