# SPDX-License-Identifier: Apache-2.0
"""What a run counted: which series moved between two pages, and what must hold between series whatever happened."""

from collections import Counter

from processes import eventually
from scrape import OPENMETRICS, scrape

# What moves by itself or because of the scrape, or is checked by `consistent`.
APART = (
    "connections_closed{",
    "event_loop_",
    "events{",
    "http_server_request_",
    "mcp_client_operation_",
    "mcp_server_operation_",
    "mcp_server_session_",
    "message_size_",
    "overhead_",
    "process_",
    "queue_wait_",
    "requests_by_revision{",
    "scrape",
    "stream_duration_",
    "upstream_start_duration_",
)


class Counted:
    """Takes a page when it is made, and says what was counted since."""

    def __init__(self, running):
        self.http = running.http
        self.before = scrape(self.http, OPENMETRICS)

    def all(self):
        return scrape(self.http, OPENMETRICS) - self.before

    def changes(self):
        return {series: count for series, count in self.all().items() if not series.startswith(APART)}

    def becomes(self, expected):
        """Waits for what happens by itself, then asserts that nothing else did."""
        eventually(lambda: expected.items() <= self.changes().items(), what=f"{expected} in {self.changes()}")
        assert self.changes() == expected


def asked(method, outcome, count=1, answer="response"):
    """What requests that are answered with a message count; what answers with an error counts an error."""
    return Counter(
        {
            f"requests{{{method},{outcome}}}": count,
            "messages{from_client,request}": count,
            f"messages{{from_server,{answer}}}": count,
        }
    )


def failed(method, outcome, count=1):
    return asked(method, outcome, count, "error")


def and_also(**counts):
    """Counters without labels."""
    return Counter(counts)


def consistent(page):
    """What must hold between series, whatever happened."""

    def by(metric, *names):
        sums = Counter()
        for sample in page.find(metric):
            labels = dict(sample.labels)
            if sample.value:
                sums[tuple(labels.get(name, "") for name in names)] += sample.value
        return sums

    server, client = "mcp_server_operation_duration_seconds", "mcp_client_operation_duration_seconds"
    requests = by("mcp_proxy_requests_total", "mcp_method_name")
    assert by(f"{server}_count", "mcp_method_name") == requests
    assert page.total("mcp_proxy_requests_by_revision_total") == requests.total()
    assert not by(f"{client}_count", "mcp_method_name") - requests
    errors = {"ok": "", "client_error": "-32", "server_error": "-32"}
    outcomes = Counter()
    for (error,), count in by(f"{server}_count", "error_type").items():
        outcomes["error" if error.startswith("-32") or error == "_OTHER" else error or "ok"] += count
    expected = Counter()
    for (outcome,), count in by("mcp_proxy_requests_total", "outcome").items():
        expected["error" if outcome in errors and outcome != "ok" else outcome] += count
    assert outcomes == expected
    answered = page.total(f"{client}_count")
    assert page.value("mcp_proxy_overhead_seconds_count") == answered
    assert page.value("mcp_proxy_queue_wait_seconds_count") >= answered
    for direction in ("from_client", "from_server"):
        messages = page.total("mcp_proxy_messages_total", direction=direction)
        assert page.value("mcp_proxy_message_size_bytes_count", direction=direction) == messages
    # All of a request's time is the queue's, the server's or the proxy's.
    whole, theirs = page.total(f"{server}_sum"), page.total(f"{client}_sum")
    assert whole >= theirs
    assert page.total("mcp_proxy_streams_opened_total") >= page.total("mcp_proxy_streams_closed_total")
    assert page.total("mcp_proxy_stream_duration_seconds_count") == page.total("mcp_proxy_streams_closed_total")
    assert page.value("mcp_server_session_duration_seconds_count") == page.total("mcp_proxy_sessions_closed_total")
    return page
