# SPDX-License-Identifier: Apache-2.0
"""Traces: context in from clients and out to the child, and spans as a collector gets them."""

import json
import re
import time

import pytest

from child_trace import Trace
from mcp_http import initialize, request, text, tool
from otlp_collector import Collector, answering, attributes
from processes import eventually
from proxy_process import FINISHED

SERVER, CLIENT = 2, 3
ERROR = 2
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = PARENT[:-2] + "00"
META = '"traceparent":"' + PARENT + '"'


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace")


@pytest.fixture
def traced(proxy, collector, trace):
    """Starts a proxy that sends its spans to the collector, at once: `traced("--queue", "3", OTEL_…=…)`."""

    def start(*flags, **env):
        always = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        return proxy(*flags, fixture=trace.flags, env={**always, **env})

    return start


def meta_of(message):
    return message["params"]["_meta"]


def received(trace, session, body, method="tools/list", headers=None):
    """Sends a message as it is and returns the line that the child got."""
    before = len(trace.of(method))
    assert session.post(body, headers).status == 200
    trace.wait(method, before + 1)
    return [line for line in trace.lines if json.loads(line).get("method") == method][before]


def without_id(line):
    """Between proxy and child, ids are the proxy's."""
    return re.sub(r'"id": *("[^"]*"|\d+)', '"id":_', line)


# Off.


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_SERVICE_NAME": "x"},
    ],
)
def test_off_by_default(proxy, trace, env):
    running = proxy(fixture=trace.flags, env=env)
    session = running.session()
    for body in (
        '{"jsonrpc":"2.0", "id":1, "method":"tools/list"}',
        '{ "jsonrpc" : "2.0","id":1,"params" : {"_meta":{ ' + META + ' , "tracestate":"a=1"}},"method":"tools/list" }',
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x":1.0e2,"y":"\\u00e9"}}}',
    ):
        line = received(trace, session, body, headers={"traceparent": PARENT, "tracestate": "a=1"})
        assert without_id(line) == without_id(body)
    event = running.event("request.completed", method="tools/list")
    assert "trace_id" not in event and "span_id" not in event
    assert TRACE_ID not in metrics(running)


# Context in, and out to the child.


def metrics(running):
    return running.http.get("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"}).body.decode()


def value(running, series):
    return int(re.search(rf"^{re.escape(series)} (\d+)$", metrics(running), re.MULTILINE).group(1))


@pytest.mark.parametrize("place", ["message", "header", "both", "bad message"])
def test_the_client_is_the_parent(traced, collector, trace, place):
    running = traced()
    session = running.session()
    meta = {"message": {"traceparent": PARENT, "tracestate": "a=1,b=2"}, "both": {"traceparent": PARENT}}.get(place)
    if place == "bad message":
        meta = {"traceparent": "00-nonsense"}
    headers = {"header": {"traceparent": PARENT, "tracestate": "a=1,b=2"}, "both": {"traceparent": OTHER}}.get(place)
    if place == "bad message":
        headers = {"traceparent": PARENT}
    params = {"name": "echo", "arguments": {"text": "x"}, **({"_meta": meta} if meta else {})}
    assert session.post(request("tools/call", params), headers).status == 200
    server = collector.wait("tools/call", SERVER)
    client = collector.wait("tools/call", CLIENT)
    assert server.trace_id.hex() == client.trace_id.hex() == TRACE_ID
    assert server.parent_span_id.hex() == PARENT[36:52]
    assert client.parent_span_id == server.span_id
    passed_on = meta_of(trace.wait("tools/call"))
    assert passed_on["traceparent"] == f"00-{TRACE_ID}-{client.span_id.hex()}-01"
    # What came in headers is not lost when the message names another parent.
    linked = [link.trace_id.hex() for link in server.links]
    assert linked == ([OTHER[3:35]] if place == "both" else []) and not client.links
    if place in ("message", "header"):
        assert server.trace_state == "a=1,b=2" == passed_on["tracestate"]


BODIES = [
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', None),
    ('{"method" : "tools/list" ,"id":1 , "jsonrpc":"2.0"}', None),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', None),
    ('{"params":{ "a" : 1e30 } ,"jsonrpc":"2.0","id":1,"method":"tools/list"}', None),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{}, "b":"\\u00e9\\/"}}', None),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x": 1.50,"z":{"traceparent":1}}}}', None),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x":1, ' + META + ' ,"y":2}}}', PARENT),
    ('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"traceparent":"bad"}}}', None),
]


def pairs(line):
    """The message with the order of its members and its numbers as they were written."""
    return json.loads(line, object_pairs_hook=lambda members: members, parse_float=str, parse_int=str)


def stripped(node, top=True):
    """Without what the proxy puts in: the trace's parent, and `_meta` and `params` that hold nothing else."""
    kept = []
    for name, member in node:
        if name == "id":
            continue
        if name == "params":
            member = [(n, [m for m in v if m[0] != "traceparent"] if n == "_meta" else v) for n, v in member]
            member = [(n, v) for n, v in member if n != "_meta" or v]
            if not member:
                continue
        kept.append((name, member))
    return kept


@pytest.mark.parametrize("body, parent", BODIES)
def test_nothing_else_of_a_message_changes(traced, collector, trace, body, parent):
    session = traced().session()
    line = received(trace, session, body)
    assert stripped(pairs(line)) == stripped(pairs(body))
    injected = meta_of(json.loads(line))["traceparent"]
    client = collector.wait("tools/list", CLIENT)
    assert injected == f"00-{client.trace_id.hex()}-{client.span_id.hex()}-01"
    assert (client.trace_id.hex() == TRACE_ID) == (parent is not None)
    assert line.count('"_meta"') == 1 and line.count('"params"') == 1


@pytest.mark.parametrize(
    "bad",
    [
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-0000000000000000-01",
        f"ff-{TRACE_ID}-b7ad6b7169203331-01",
        PARENT.upper(),
        PARENT + "-more",
        PARENT[:-3],
        "",
    ],
)
@pytest.mark.parametrize("place", ["message", "header"])
def test_an_invalid_parent_restarts_the_trace(traced, collector, bad, place):
    session = traced().session()
    params = {"_meta": {"traceparent": bad, "tracestate": "a=1"}} if place == "message" else {}
    headers = {"traceparent": bad, "tracestate": "a=1"} if place == "header" else None
    assert session.post(request("tools/list", params), headers).status == 200
    server = collector.wait("tools/list", SERVER)
    assert server.trace_id.hex() not in (TRACE_ID, "0" * 32)
    assert not server.parent_span_id and not server.trace_state


def test_over_the_older_transport(traced, collector, trace):
    session = traced().sse_session()
    assert session.post(request("tools/list", None, "x"), {"traceparent": PARENT}).status == 202
    server = collector.wait("tools/list", SERVER)
    assert server.trace_id.hex() == TRACE_ID
    assert meta_of(trace.wait("tools/list"))["traceparent"].startswith(f"00-{TRACE_ID}-")


def test_each_message_of_a_batch(traced, collector):
    session = traced().session("2025-03-26")
    batch = [request("tools/list", {"_meta": {"traceparent": each}}, n) for n, each in enumerate((PARENT, OTHER), 1)]
    assert session.post(json.dumps(batch)).status == 200
    collector.wait("tools/list", SERVER, count=2)
    assert {span.trace_id.hex() for span in collector.named("tools/list")} == {TRACE_ID, OTHER[3:35]}


# Sampling.


def test_a_parent_that_is_not_sampled(traced, collector, trace):
    running = traced()
    session = running.session()
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{ "traceparent" : "' + UNSAMPLED + '"}}}'
    assert without_id(received(trace, session, body)) == without_id(body), "as it was, to the byte"
    line = received(trace, session, request("tools/list"), headers={"traceparent": UNSAMPLED, "tracestate": "a=1"})
    # What is not recorded is passed on all the same.
    assert meta_of(json.loads(line)) == {"traceparent": UNSAMPLED, "tracestate": "a=1"}
    assert session.post(request("tools/list"), {"traceparent": OTHER}).status == 200
    collector.wait("tools/list", SERVER)
    running.stop()
    assert TRACE_ID not in {span.trace_id.hex() for span in collector.spans}


def test_a_ratio_of_zero(traced, collector, trace):
    running = traced(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0")
    session = running.session()
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    assert without_id(received(trace, session, body)) == without_id(body)
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{' + META + "}}}"
    assert without_id(received(trace, session, body)) == without_id(body)
    assert '# {trace_id="' not in metrics(running)
    running.stop()
    assert collector.exports == []


def test_a_ratio_is_kept_about(traced, collector):
    running = traced(OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    session = running.session()
    for _ in range(100):
        session.request("ping")
    session.post(request("tools/list"), {"traceparent": PARENT})
    running.stop()
    # That far off is as likely as winning the lottery.
    assert 20 < len(collector.named("ping", SERVER)) < 80
    assert len(collector.named("tools/list", SERVER)) == 1, "the client's decision stands"


# Ids elsewhere.


def test_ids_in_the_log_and_in_exemplars(traced, collector):
    running = traced()
    session = running.session()
    assert session.post(tool("echo", text="x"), {"traceparent": PARENT}).status == 200
    server = collector.wait("tools/call", SERVER)
    event = running.event("request.completed", method="tools/call")
    assert event["trace_id"] == TRACE_ID and event["span_id"] == server.span_id.hex()
    failed = session.request("nonsense/method")
    assert "error" in failed
    assert running.event(FINISHED, trace_id=collector.wait("_OTHER", SERVER).trace_id.hex())
    exemplar = re.compile(
        r'^mcp_server_operation_duration_seconds_bucket\{mcp_method_name="tools/call".*\} \d+'
        rf' # \{{trace_id="{TRACE_ID}",span_id="{server.span_id.hex()}"\}} [\d.e-]+ [\d.]+$',
        re.MULTILINE,
    )
    assert exemplar.search(metrics(running))
    assert "trace_id" not in running.http.get("/metrics").body.decode(), "the older format has none"


# Spans.


@pytest.fixture(params=["http/json", "http/protobuf", "gzip"])
def encoding(request):
    if request.param == "gzip":
        return {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    return {"OTEL_EXPORTER_OTLP_PROTOCOL": request.param}


def test_spans_of_a_call(traced, collector, encoding):
    began = time.time_ns()
    session = traced(**encoding).session()
    session.request("tools/list")
    assert session.post(tool("sleep", ms=200), {"traceparent": PARENT}).status == 200
    server, client = collector.wait("tools/call sleep", SERVER), collector.wait("tools/call sleep", CLIENT)
    ended = time.time_ns()
    assert server.flags == 0x301 and client.flags == 0x101
    assert client.trace_id == server.trace_id and client.parent_span_id == server.span_id != client.span_id
    common = {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "sleep"}
    common["mcp.protocol.version"] = "2025-11-25"
    shown = attributes(server)
    assert shown == {**shown, **common, "network.transport": "tcp", "network.protocol.name": "http"}
    assert attributes(client) == {**attributes(client), **common, "network.transport": "pipe"}
    for span in (server, client):
        assert span.status.code == 0 and "error.type" not in attributes(span)
        assert "mcp.session.id" not in attributes(span)
        assert span.end_time_unix_nano - span.start_time_unix_nano >= 199_000_000
    times = [began, server.start_time_unix_nano, client.start_time_unix_nano]
    times += [client.end_time_unix_nano, server.end_time_unix_nano, ended]
    assert times == sorted(times), times
    expected = {"http/json": "application/json"}.get(encoding.get("OTEL_EXPORTER_OTLP_PROTOCOL"))
    assert {each.headers["Content-Type"] for each in collector.exports} == {expected or "application/x-protobuf"}
    assert {each.path for each in collector.exports} == {"/v1/traces"}
    assert all(("Content-Encoding" in each.headers) == ("gzip" in encoding.values()) for each in collector.exports)


def test_spans_of_other_requests(traced, collector):
    session = traced().session()
    session.request("prompts/list")
    session.request("prompts/get", {"name": "plain"})
    shown = attributes(collector.wait("prompts/get plain", SERVER))
    assert shown["gen_ai.prompt.name"] == "plain" and "gen_ai.tool.name" not in shown
    assert "gen_ai.operation.name" not in shown
    # The proxy answers for the child it shares: the child had no part in it.
    assert collector.wait("initialize", SERVER)
    assert collector.named("initialize", CLIENT) == []
    session.request("resources/read", {"uri": "test://static/1"})
    assert "test://" not in str(collector.wait("resources/read", SERVER)), "addresses are the users' business"


FAILURES = [
    ("env", {"name": "NO_SUCH_VARIABLE"}, "tool_error"),
    ("hang_call", {}, "timeout"),
    ("crash", {}, "upstream_lost"),
    ("no_such_tool", {}, "-32602"),
]


@pytest.mark.parametrize("name, arguments, error", FAILURES)
def test_spans_of_failures(traced, collector, name, arguments, error, encoding):
    session = traced("--request-timeout", "500ms", **encoding).session()
    session.request("tools/list")
    session.tool(name, **arguments)
    # Names that no server listed could be anything.
    span_name = "tools/call" if name == "no_such_tool" else f"tools/call {name}"
    for kind in (SERVER, CLIENT):
        span = collector.wait(span_name, kind)
        assert span.status.code == ERROR
        assert attributes(span)["error.type"] == error
        if error == "-32602":
            assert attributes(span)["rpc.response.status_code"] == "-32602"


def test_a_cancelled_call(traced, collector):
    session = traced().session()
    session.request("tools/list")
    session.start(tool("sleep", 77, ms=60_000))
    session.cancel(77)
    span = collector.wait("tools/call sleep", SERVER)
    assert span.status.code == ERROR and attributes(span)["error.type"] == "cancelled"


def test_the_resource(traced, collector, encoding):
    session = traced(
        "--name",
        "time",
        OTEL_SERVICE_NAME="tools of ours",
        OTEL_RESOURCE_ATTRIBUTES="service.name=loses,deployment.environment.name=a%2Cb,team = x",
        OTEL_EXPORTER_OTLP_HEADERS="X-Key=hunter2%2C,X-Other=b",
        **encoding,
    ).session()
    session.request("tools/list")
    collector.wait("tools/list", SERVER)
    (resource,) = collector.exports[0].message.resource_spans
    shown = attributes(resource.resource)
    assert shown["service.name"] == "tools of ours"
    assert shown["deployment.environment.name"] == "a,b" and shown["team"] == "x"
    assert shown["mcp.server.name"] == "time" and shown["service.instance.id"] and shown["service.version"]
    assert resource.scope_spans[0].scope.name == "mcp-proxy"
    assert collector.exports[0].headers["X-Key"] == "hunter2,"


def test_the_name_by_default(traced, collector):
    traced(INVOCATION_ID="0123456789abcdef0123456789abcdef").session().request("tools/list")
    collector.wait("tools/list", SERVER)
    shown = attributes(collector.exports[0].message.resource_spans[0].resource)
    assert shown["service.name"] == "mcp-proxy"
    assert shown["service.instance.id"] == "0123456789abcdef0123456789abcdef"


def test_spans_are_sent_before_the_end(traced, collector):
    running = traced("--graceful-shutdown-timeout", "10s", OTEL_BSP_SCHEDULE_DELAY="600000")
    session = running.session()
    session.request("tools/list")
    call = session.start_tool("sleep", ms=500)
    running.event("session.opened")
    eventually(lambda: value(running, "mcp_proxy_requests_inflight") == 1)
    assert collector.exports == []
    running.stop()
    assert text(call.answer()) is not None
    assert len(collector.exports) == 1
    assert len(collector.named("tools/call sleep", SERVER)) == len(collector.named("tools/call sleep", CLIENT)) == 1
    assert len(collector.named("tools/list", SERVER)) == 1
    assert running.process.returncode == 0


def test_partial_success_is_counted(proxy):
    collector = Collector(answering(200, b'{"partialSuccess":{"rejectedSpans":"2"}}'), answering(200))
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_BSP_SCHEDULE_DELAY": "20"}
    try:
        running = proxy(env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/own/path", **env})
        assert running.http.post(initialize()).status == 200
        collector.wait("initialize", SERVER)
        assert collector.exports[0].path == "/own/path"
        dropped = 'mcp_proxy_trace_spans_dropped_total{reason="rejected"}'
        # More than were sent can't have been refused.
        assert eventually(lambda: value(running, dropped)) == 1
    finally:
        collector.close()
