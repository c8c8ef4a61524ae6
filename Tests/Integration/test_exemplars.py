# SPDX-License-Identifier: Apache-2.0
"""From a slow bar in a graph to the trace behind it: exemplars, as Prometheus and prometheus_client read them."""

import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from mcp_http import text, tool
from otlp_collector import Collector
from processes import eventually
from prometheus import Prometheus
from scrape import OPENMETRICS, scrape

SERVER = 2
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
BUCKETS = "mcp_server_operation_duration_seconds_bucket"


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def called(proxy, collector):
    """Starts a proxy that traces, makes a call that belongs to a trace, and gives the proxy and the id of its span."""

    def start(*flags):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        running = proxy(*flags, env=env)
        session = running.session()
        session.request("tools/list")
        answer = session.post(tool("echo", text="x"), {"traceparent": PARENT})
        assert text(answer.json) == "x"
        return running, collector.wait("tools/call echo", SERVER).span_id.hex()

    return start


# A Prometheus as old as Debian's keeps no exemplars of native histograms.
@pytest.mark.parametrize(
    ("mode", "features"),
    [
        ("classic", "exemplar-storage"),
        ("both", "exemplar-storage"),
        ("classic", "exemplar-storage,native-histograms"),
    ],
    ids=["openmetrics", "openmetrics-both", "protobuf"],
)
def test_prometheus_keeps_them(called, tmp_path, mode, features):
    running, span_id = called("--histograms", mode)
    began = time.time()
    server = Prometheus(tmp_path, {"traced": running.port}, features)
    try:
        server.all_up()
        query = f'{BUCKETS}{{mcp_method_name="tools/call",gen_ai_tool_name="echo"}}'

        def kept():
            found = server.api("query_exemplars", query=query, start=began - 60, end=time.time() + 60)
            return [exemplar for series in found for exemplar in series["exemplars"]]

        exemplar = eventually(kept, 20, "an exemplar")[0]
        assert exemplar["labels"] == {"trace_id": TRACE_ID, "span_id": span_id}
        assert abs(exemplar["timestamp"] - began) < 30
        assert 0 < float(exemplar["value"]) < 30
    finally:
        server.stop()


def test_prometheus_client_reads_them(called):
    running, span_id = called()
    families = read_openmetrics(scrape(running.http, OPENMETRICS).text)
    exemplars = {
        tuple(sorted(sample.exemplar.labels.items())): sample
        for family in families
        for sample in family.samples
        if sample.exemplar and sample.labels.get("gen_ai_tool_name") == "echo" and sample.name == BUCKETS
    }
    sample = exemplars[("span_id", span_id), ("trace_id", TRACE_ID)]
    assert 0 < sample.exemplar.value <= float(sample.labels["le"])
    assert abs(float(sample.exemplar.timestamp) - time.time()) < 30
