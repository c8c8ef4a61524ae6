# SPDX-License-Identifier: Apache-2.0
"""The metrics as others read them: Debian's Prometheus, promtool and the parsers of prometheus_client."""

import json
import sys

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from mcp_http import text, tool
from prometheus import AcceptRelay, Prometheus, check_metrics
from proxy_process import SERVERS
from scrape import OPENMETRICS, TEXT, scrape

MODES = ("classic", "native", "both")
FEATURES = ("", "native-histograms,exemplar-storage")
DURATION = "mcp_server_operation_duration_seconds"
PROTOBUF = "application/vnd.google.protobuf"
# As it is sent by Prometheus 3 without native histograms.
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

FORGED = 'a"} 1\nup_fake{x="1'
# Hostile in what they say, but a person can see what they are: these become labels.
SHOWN = ('a"} 1 up_fake{x="1', "back\\slash", "\\n", "\\", '"', "# EOF", "{}", "le", "__name__", "📏", "x" * 128)
# What is too long or can't be seen counts as _OTHER.
HIDDEN = (FORGED, "m" * 1_000_000, "nul\0", "\u202egnp.exe", "zero\u200bwidth", "\ufeffbom", "\x1b[2J", "\r", "x" * 129)


@pytest.fixture
def prometheus(tmp_path):
    """Starts Prometheus: `prometheus({"job": port}, features="")`."""
    running = []

    def start(targets, features="", interval="500ms"):
        directory = tmp_path / f"prometheus-{len(running)}"
        directory.mkdir()
        running.append(Prometheus(directory, targets, features, interval))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def hostile(proxy, tmp_path):
    """A proxy before the hostile server: `hostile(names, *flags)`."""

    def start(names, *flags):
        path = tmp_path / "names.json"
        path.write_text(json.dumps(names), encoding="utf-8")
        return proxy(*flags, child=[sys.executable, SERVERS / "hostile.py", path, FORGED])

    return start


@pytest.fixture
def relay():
    running = []

    def start(*arguments):
        running.append(AcceptRelay(*arguments))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def call_some(running):
    """Three quick calls, a slow one, one that fails, and a stream."""
    session = running.session()
    session.request("tools/list")
    for _ in range(3):
        assert text(session.tool("echo", text="x")) == "x"
    session.tool("sleep", ms=60)
    assert session.tool("env", name="NO_SUCH_VARIABLE")["result"]["isError"]
    call = session.start_tool("progress", progress_token=1, steps=2)
    call.answer()
    call.drained()


def call_all(running, names, batch=200):
    """Calls tools in batches, which the revision of March 2025 has."""
    session = running.session("2025-03-26")
    session.request("tools/list", timeout=60)
    for start in range(0, len(names), batch):
        calls = [tool(name, f"call-{start + n}") for n, name in enumerate(names[start : start + batch])]
        answers = session.post(calls, timeout=60)
        assert answers.status == 200
        assert len(answers.json) == len(calls)
    return session


@pytest.mark.parametrize("features", FEATURES, ids=["plain", "native"])
def test_scraped_in_every_format(proxy, prometheus, relay, features):
    """All formats and kinds of histograms at once, with the flags that change what Prometheus asks for and keeps."""
    targets, relays = {}, {}
    for mode in MODES:
        running = proxy("--histograms", mode)
        call_some(running)
        relays[mode] = relay(running.port, {"/text": TEXT, "/openmetrics": OPENMETRICS, "/prometheus3": PROMETHEUS_3})
        targets[mode] = running.port
        for path in ("text", "openmetrics", "prometheus3"):
            targets[f"{mode}-{path}"] = (relays[mode].port, f"/{path}")
    server = prometheus(targets, features)
    server.all_up()
    for each in relays.values():
        types = {path: answer[0].split(";")[0] for path, answer in each.answers.items()}
        om = "application/openmetrics-text"
        assert types == {"/text": "text/plain", "/openmetrics": om, "/prometheus3": om}
        assert {answer[1] for answer in each.answers.values()} == {"gzip"}
    for job in targets:
        where = f'{{job="{job}"}}'
        assert server.number(f'mcp_proxy_requests_total{{job="{job}",mcp_method_name="tools/call",outcome="ok"}}') == 5
        assert server.number(f"mcp_proxy_upstream_up{where}") == 1
        assert server.number(f"sum(mcp_proxy_upstream_state{where})") == 1
        assert server.query(f'{{__name__=~".*_created",job="{job}"}}') == []
        keeps_native = bool(features) and job in ("native", "both")
        check_histograms(server, job, keeps_native)


def check_histograms(server, job, keeps_native):
    """The calls of `echo` and `sleep`, from whichever kind of histogram there is."""
    echo = f'{{job="{job}",gen_ai_tool_name="echo"}}'
    sleep = f'{{job="{job}",gen_ai_tool_name="sleep"}}'
    if keeps_native:
        assert server.number(f"histogram_count({DURATION}{echo})") == 3
        median = server.number(f"histogram_quantile(0.5, {DURATION}{sleep})")
        took = server.number(f"histogram_sum({DURATION}{sleep})")
        # A native bucket is 9 % wide.
        assert took / 1.1 < median < took * 1.1
        assert server.query(f"{DURATION}_bucket{echo}") == []
        return
    assert server.number(f"{DURATION}_count{echo}") == 3
    assert server.number(f"{DURATION}_sum{sleep}") >= 0.06
    assert server.number(f"histogram_quantile(0.5, {DURATION}_bucket{sleep})") > 0.05
    assert server.number(f'{DURATION}_bucket{{job="{job}",gen_ai_tool_name="echo",le="+Inf"}}') == 3


@pytest.mark.parametrize("mode", MODES)
def test_promtool_finds_nothing(proxy, mode):
    running = proxy("--histograms", mode)
    call_some(running)
    assert check_metrics(scrape(running.http, TEXT).text) == (0, "")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("accept", "read"), [(TEXT, read_text), (OPENMETRICS, read_openmetrics)], ids=["text", "om"])
def test_other_parsers_read_the_same(proxy, mode, accept, read):
    running = proxy("--histograms", mode)
    call_some(running)
    page = scrape(running.http, accept)
    theirs = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in read(page.text) for s in f.samples}
    ours = {(s.name, tuple(sorted(s.labels))): s.value for s in page.samples}
    assert theirs == ours


def test_hostile_names_are_only_values(hostile, prometheus):
    """Under both sets of features, in all formats."""
    names = [*SHOWN, *HIDDEN]
    running = hostile(names, "--histograms", "both")
    session = call_all(running, names)
    session.request("prompts/list")
    for name in (SHOWN[0], FORGED):
        assert "result" in session.request("prompts/get", {"name": name})
    for accept, read in ((TEXT, read_text), (OPENMETRICS, read_openmetrics)):
        page = scrape(running.http, accept)
        calls = page.find(f"{DURATION}_count", mcp_method_name="tools/call")
        counts = {dict(sample.labels)["gen_ai_tool_name"]: sample.value for sample in calls}
        assert counts == {**dict.fromkeys(SHOWN, 1), "_OTHER": len(HIDDEN)}
        prompts = page.find(f"{DURATION}_count", mcp_method_name="prompts/get")
        assert {dict(s.labels)["gen_ai_prompt_name"] for s in prompts} == {SHOWN[0], "_OTHER"}
        theirs = {s.labels.get("gen_ai_tool_name", "_OTHER") for f in read(page.text) for s in f.samples}
        assert theirs == {*SHOWN, "_OTHER"}
        assert not any(name.startswith("up_fake") for name in page.families)
        shown = dict(page.find("mcp_proxy_upstream_info")[0].labels)["server_name"]
        assert "\n" not in shown and shown.startswith('a"} 1')
        assert page.total("mcp_proxy_metric_label_overflow_total") == 0
    assert check_metrics(scrape(running.http, TEXT).text) == (0, "")
    for features, server in [(each, prometheus({"hostile": running.port}, each)) for each in FEATURES]:
        server.all_up()
        assert server.number("up") == 1
        assert server.query('{__name__=~"up_fake.*"}') == []
        metric = f"histogram_count({DURATION}{{}})" if features else f"{DURATION}_count"
        found = {labels.get("gen_ai_tool_name", "_OTHER") for labels, _ in server.query(metric)}
        assert found == {*SHOWN, "_OTHER"}


def test_ten_thousand_names(hostile, prometheus):
    """A family has at most 1000 label sets; what is over counts under _OTHER."""
    names = [f"tool_{number:05}" for number in range(10_001)]
    running = hostile(names)
    # The last name is one too many to be learned at all.
    called = [*names[:1200], names[1150], names[-1]]
    call_all(running, called)
    server = prometheus({"many": running.port}, interval="10s")
    page = scrape(running.http, OPENMETRICS)
    for family in (DURATION, "mcp_client_operation_duration_seconds"):
        counts = page.find(f"{family}_count")
        named = [sample for sample in counts if "tool_" in dict(sample.labels).get("gen_ai_tool_name", "")]
        assert 900 < len(named) < len(counts) <= 1001, "1000, and the one under _OTHER"
        others = page.value(f"{family}_count", mcp_method_name="tools/call", gen_ai_tool_name="_OTHER")
        assert others == len(called) - len(named)
        assert page.total(f"{family}_count", mcp_method_name="tools/call") == len(called)
        overflow = page.value("mcp_proxy_metric_label_overflow_total", metric=family)
        # Each label set that became _OTHER, once, however often it is counted there; a name that was never learned is
        # none.
        folded = set(called[:-1]) - {dict(sample.labels)["gen_ai_tool_name"] for sample in named}
        assert overflow == len(folded)
    server.all_up()
    assert server.number("up") == 1
    assert server.number(f"count({DURATION}_count)") <= 1001
