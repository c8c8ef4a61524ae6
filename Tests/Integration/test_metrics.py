# SPDX-License-Identifier: Apache-2.0
"""The page of metrics: to whom it is shown, in what form, and that it is what the catalogue declares."""

import gzip
import http.client
import os
import re
import resource
import socket
import subprocess
import threading
import time

import pytest

import metrics_catalogue
from mcp_http import Http, text
from processes import descriptors, eventually, resident_bytes
from proxy_process import FIXTURE, PROXY, clean_environment
from scrape import OPENMETRICS, TEXT, Page, scrape

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
# As they are sent by Prometheus 2.42, without and with native histograms, and by Prometheus 3.
V2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
V2_NATIVE = f"{PROTOBUF},{V2}"
V3 = (
    "application/openmetrics-text;version=1.0.0;escaping={0};q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping={0};q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
V3_NATIVE = f"{PROTOBUF};escaping={{0}};q=0.7,{V3}"
OM_ANSWER = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_ANSWER = "text/plain; version=0.0.4; charset=utf-8"
PROTOBUF_ANSWER = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

# Without a journal, there is nothing to say about whether it is up; the rest of its metrics stay at 0.
NEED_A_JOURNAL = {"mcp_proxy_journal_up"}
# Likewise without a container.
NEED_A_CONTAINER = {"mcp_proxy_container_info", "mcp_proxy_engine_up", "mcp_proxy_orphan_containers"}
# What goes on by itself, between two pages and because of them.
TICKING = (
    "http_",
    "mcp_proxy_connections",
    "mcp_proxy_event_loop_",
    "mcp_proxy_events_total",
    "mcp_proxy_scrape",
    "process_",
)


@pytest.fixture(scope="module")
def catalogue():
    return metrics_catalogue.rows()


# Negotiation.


@pytest.mark.parametrize(
    ("accept", "mode", "expected"),
    [
        (None, "both", TEXT_ANSWER),
        ("*/*", "both", TEXT_ANSWER),
        ("text/html,application/xhtml+xml", "both", TEXT_ANSWER),
        (";;q=,,=", "both", TEXT_ANSWER),
        (V2, "classic", OM_ANSWER),
        (V2, "both", OM_ANSWER),
        (V2_NATIVE, "classic", OM_ANSWER),
        (V2_NATIVE, "native", PROTOBUF_ANSWER),
        (V2_NATIVE, "both", PROTOBUF_ANSWER),
        (V3.format("allow-utf-8"), "both", OM_ANSWER + "; escaping=allow-utf-8"),
        (V3.format("underscores"), "both", OM_ANSWER + "; escaping=underscores"),
        (V3.format("values"), "both", OM_ANSWER + "; escaping=values"),
        # Dots would double the underscores of our names, so the answer says that it didn't.
        (V3.format("dots"), "both", OM_ANSWER + "; escaping=underscores"),
        (V3_NATIVE.format("allow-utf-8"), "both", PROTOBUF_ANSWER + "; escaping=allow-utf-8"),
        (V3_NATIVE.format("allow-utf-8"), "classic", OM_ANSWER + "; escaping=allow-utf-8"),
        ("text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.9", "both", TEXT_ANSWER),
        ("text/plain;q=0.1,application/openmetrics-text;version=1.0.0;q=0.2", "both", OM_ANSWER),
        ("application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", "both", TEXT_ANSWER),
    ],
)
def test_the_accept_header_chooses(proxy, accept, mode, expected):
    running = proxy("--histograms", mode, ready=False)
    response = running.http.get("/metrics", {"Accept": accept})
    assert response.status == 200
    assert response.headers["Content-Type"] == expected
    if "protobuf" not in expected:
        Page(response.body.decode(), expected)


@pytest.mark.parametrize(
    ("asked", "compressed"),
    [
        (None, False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("br", False),
    ],
)
def test_gzip_for_those_who_ask(proxy, asked, compressed):
    response = proxy().http.get("/metrics", {"Accept-Encoding": asked})
    assert (response.headers["Content-Encoding"] == "gzip") == compressed
    body = gzip.decompress(response.body) if compressed else response.body
    assert "mcp_proxy_upstream_up" in Page(body.decode()).families
    assert {"accept", "accept-encoding"} <= set(response.headers["Vary"].lower().replace(" ", "").split(","))
    if compressed:
        assert len(response.body) < len(body) / 5


def test_head(proxy):
    running = proxy()
    response = running.http.request("HEAD", "/metrics", None, {"Accept": OPENMETRICS})
    assert (response.status, response.body) == (200, b"")
    assert response.headers["Content-Type"] == OM_ANSWER
    assert int(response.headers["Content-Length"]) > 10_000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods(proxy, method):
    response = proxy().http.request(method, "/metrics", b"")
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"


def test_only_what_is_named(proxy):
    http_ = proxy().http
    one = scrape(http_, path="/metrics?name[]=mcp_proxy_upstream_state")
    assert list(one.families) == ["mcp_proxy_upstream_state"]
    two = scrape(http_, path="/metrics?name%5B%5D=mcp_proxy_upstream_up&name[]=process_threads&x=1")
    assert list(two.families) == ["mcp_proxy_upstream_up", "process_threads"]
    # By the name of a family or of a sample, in each format.
    for accept, family in ((TEXT, "mcp_proxy_upstream_starts_total"), (OPENMETRICS, "mcp_proxy_upstream_starts")):
        for name in ("mcp_proxy_upstream_starts_total", "mcp_proxy_upstream_starts"):
            assert list(scrape(http_, accept, f"/metrics?name[]={name}").families) == [family]
    assert list(scrape(http_, path="/metrics?name[]=no_such_metric", accept=OPENMETRICS).families) == []


# To whom.


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "mcp.example.com"},
        {"Host": "203.0.113.7"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"X-Real-IP": "203.0.113.7"},
        {"Via": "1.1 nginx"},
    ],
)
def test_not_for_the_public(proxy, headers):
    response = proxy("--allow-host", "mcp.example.com").http.get("/metrics", headers)
    assert response.status == 404
    assert b"mcp_proxy_" not in response.body


def test_on_a_listener_of_its_own_and_only_there(proxy):
    running = proxy("--admin-listen", "127.0.0.1:0", ready=False)
    address = running.event("proxy.started")["admin_listen"]
    admin = Http(int(address.rpartition(":")[2]))
    assert scrape(admin, OPENMETRICS).value("mcp_proxy_upstream_desired") == 1
    # Who reaches this listener was let there, under whatever name.
    assert scrape(admin, headers={"Host": "metrics.example.com", "X-Forwarded-For": "203.0.113.7"})
    assert running.http.get("/metrics").status == 404


def test_over_a_unix_socket(proxy, tmp_path):
    path = tmp_path / "admin.sock"
    running = proxy("--admin-listen", f"unix:{path}", ready=False)
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(path))
    for _ in range(2):
        connection.request("GET", "/metrics", headers={"Accept": OPENMETRICS})
        response = connection.getresponse()
        assert response.status == 200
        Page(response.read().decode(), response.headers["Content-Type"])
    connection.close()
    assert running.http.get("/metrics").status == 404


# While others ask, too, or go away.


def settled(lines):
    return [line for line in lines if not line.startswith(TICKING)]


def test_scrapes_at_once_agree(proxy):
    running = proxy()
    running.session().tool("echo", text="x")
    scrape(running.http)  # its own series is there from now on
    pages, failures = [], []
    begin = threading.Barrier(16)

    def ask(accept):
        try:
            begin.wait(10)
            for _ in range(5):
                pages.append(scrape(running.http, accept))
        except Exception as failure:  # shown by the test
            failures.append(failure)

    threads = [threading.Thread(target=ask, args=(accept,)) for accept in [TEXT, OPENMETRICS] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(pages) == 80
    texts = {tuple(settled(page.text.split("\n"))) for page in pages if not page.is_openmetrics}
    assert len(texts) == 1, "what did not change differs"
    samples = {tuple(s for s in page.samples if not s.name.startswith(TICKING)) for page in pages}
    assert len(samples) == 1, "the formats disagree"


def test_the_order_stays(proxy):
    running = proxy()
    session = running.session()
    session.request("tools/list")
    for name in ("echo", "pid", "counter"):
        session.tool(name, text="x")
    scrape(running.http)  # its own series is there from now on
    for accept in (TEXT, OPENMETRICS):
        assert scrape(running.http, accept).lines == scrape(running.http, accept).lines
    families = list(scrape(running.http).families)
    assert families == sorted(families)


def test_buckets_add_up_under_load(proxy):
    """Page checks that +Inf is _count; here it also must be so while calls come in, and nothing goes back."""
    running = proxy(debug=False)
    done = threading.Event()

    def load():
        session = running.session()
        while not done.is_set():
            session.tool("echo", text="x")

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        before = scrape(running.http, OPENMETRICS)
        for _ in range(30):
            page = scrape(running.http, OPENMETRICS)
            assert all(change > 0 for change in (page - before).values())
            before = page
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    assert page.value("mcp_proxy_requests_total", mcp_method_name="tools/call", outcome="ok") > 30


def test_scrapers_that_read_slowly_or_go_away(proxy):
    running = proxy()
    session = running.session()
    slow = []
    for _ in range(10):
        wire = socket.socket()
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect(("127.0.0.1", running.port))
        wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        slow.append(wire)
    for number in range(20):
        with socket.create_connection(("127.0.0.1", running.port)) as wire:
            wire.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if number % 2:
                wire.recv(100)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    started = time.monotonic()
    assert text(session.tool("echo", text="alive")) == "alive"
    assert scrape(running.http).value("mcp_proxy_upstream_up") == 1
    assert time.monotonic() - started < 5
    for wire in slow:
        wire.close()
    eventually(lambda: scrape(running.http).value("mcp_proxy_connections") == 1, what="the end of the others")


# What is on the page.


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_counters_are_there_before_anything_happens(proxy, catalogue, accept):
    """The first page of a proxy whose server has not even started shows all that can be counted, at 0."""
    running = proxy(fixture=("--slow-start", "20000"), ready=False)
    page = scrape(running.http, accept)
    expected = {}
    for row in catalogue.values():
        if row.kind in ("counter", "histogram") and row.is_closed and not row.starts_empty:
            name = row.name if row.kind == "counter" else f"{row.name}_count"
            expected.update({(name, labels): 0 for labels in row.combinations()})
    assert len(expected) > 200
    counted = {"mcp_proxy_upstream_starts_total", "process_cpu_seconds_total", "mcp_proxy_events_total"}
    counted.add("mcp_proxy_event_loop_tick_duration_seconds_count")
    shown = {(s.name, s.labels): s.value for s in page.samples}
    missing = [series for series in expected if series not in shown]
    assert missing == []
    moved = {series: shown[series] for series in expected if shown[series] and series[0] not in counted}
    assert moved == {}
    assert page.value("mcp_proxy_upstream_starts_total") == 1


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def test_all_of_the_catalogue_and_nothing_else(proxy, catalogue, accept):
    running = proxy()
    # Absent without a limit, so there has to be one.
    resource.prlimit(running.pid, resource.RLIMIT_AS, (1 << 46, resource.RLIM_INFINITY))
    session = running.session(listen=True)
    session.request("tools/list")
    session.request("prompts/list")
    session.tool("echo", text="x")
    session.tool("env", name="NO_SUCH_VARIABLE")
    session.tool("no_such_tool")
    session.tool("elicit_url_required", message="m")
    session.request("prompts/get", {"name": "plain"})
    session.request("x-fixture/echo", {})
    session.tool("crash", status=1)
    running.http.get("/nothing")
    running.http.request("PROPFIND", "/mcp", b"")
    running.event("upstream.ready", count=2)
    page = scrape(running.http, accept)
    metrics_catalogue.check(page, catalogue)
    observed = {metrics_catalogue.row_of(f, page, catalogue).name for f in page.families.values() if f.samples}
    # The one row that can have no sample but by overflow has a test of its own.
    assert set(catalogue) - observed <= NEED_A_JOURNAL | NEED_A_CONTAINER
    assert page.value("process_virtual_memory_max_bytes") == 1 << 46
    assert "mcp_proxy_journal_up" not in {sample.name for sample in page.samples}


def test_fifty_tools_stay_in_the_budget(proxy):
    """The budget for a proxy whose clients use fifty tools: 3000 series, 2000 of them the histograms of the tools."""
    running = proxy()
    session = running.session()
    for _ in range(50):
        session.tool("list_change", kind="tool")
    tools, cursor = [], None
    while True:
        result = session.request("tools/list", {"cursor": cursor} if cursor else {})["result"]
        tools += [tool["name"] for tool in result["tools"]]
        if not (cursor := result.get("nextCursor")):
            break
    extra = [name for name in tools if name.startswith("extra_tool_")]
    for name in extra:
        assert "error" not in session.tool(name)
    page = scrape(running.http)
    called = {dict(s.labels).get("gen_ai_tool_name") for s in page.samples} - {None, "_OTHER"}
    assert len(called) == 50
    assert len(page.samples) <= 3000
    assert page.value("mcp_proxy_metric_series") <= 3000


def test_the_number_of_series(proxy):
    running = proxy()
    scrape(running.http)
    page = scrape(running.http)
    assert page.value("mcp_proxy_metric_series") == len(page.samples)
    assert page.value("mcp_proxy_scrapes_total") >= 1
    before = len(page.text)
    size = scrape(running.http).value("mcp_proxy_scrape_size_bytes")
    assert size == before


def test_the_process(proxy):
    running = proxy()
    page = scrape(running.http)
    with open(f"/proc/{running.pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert page.value("process_open_fds") == pytest.approx(len(descriptors(running.pid)), abs=2)
    assert page.value("process_threads") == pytest.approx(int(status["Threads"]), abs=1)
    assert page.value("process_resident_memory_bytes") == pytest.approx(resident_bytes(running.pid), rel=0.1)
    assert page.value("process_virtual_memory_bytes") == pytest.approx(int(status["VmSize"].split()[0]) * 1024, rel=0.1)
    soft, _ = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    assert page.value("process_max_fds") == soft
    page.absent("process_virtual_memory_max_bytes")
    assert time.time() - page.value("process_start_time_seconds") == pytest.approx(
        time.monotonic() - running.started, abs=1.5
    )
    ticks = os.sysconf("SC_CLK_TCK")

    def cpu():
        with open(f"/proc/{running.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    low = cpu()
    shown = scrape(running.http).value("process_cpu_seconds_total")
    assert low - 1 / ticks <= shown <= cpu() + 2 / ticks


def test_lines_that_nobody_can_read_are_counted():
    """With stderr gone there is no log, but a number that says so."""
    reader, writer = os.pipe()
    command = [PROXY, "--debug", "--log", "text", "--port", "0", "--", FIXTURE]
    with subprocess.Popen(command, env=clean_environment(), stdin=subprocess.DEVNULL, stderr=writer) as process:
        os.close(writer)
        try:
            log = b""
            while not (found := re.search(rb"127\.0\.0\.1:(\d+)", log)):
                log += os.read(reader, 4096)
            os.close(reader)
            http = Http(int(found[1]))
            eventually(lambda: scrape(http).value("mcp_proxy_log_lines_dropped_total") > 3, what="lost lines")
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_a_name_that_cannot_be_decoded_names_nothing(proxy):
    assert proxy().http.get("/metrics?name[]=%ff").body == b""
