# SPDX-License-Identifier: Apache-2.0
"""A week of ten servers on one host, as Prometheus would scrape it, written down as input of `promtool test rules`.

Sparse calls, three deployments, a reboot of the host, an update of the container engine, a certificate that is renewed,
clients that come and go. What happens is said in seconds since the week began; `Week.input` looks at any part of it at
any resolution.
"""

import random

MINUTE, HOUR, DAY = 60, 3600, 86400
NAMES = ("time", "git", "fetch", "memory", "files", "search", "mail", "maps", "sql", "browser")
DEPLOYMENTS = (1 * DAY + 10 * HOUR, 3 * DAY + 15 * HOUR, 5 * DAY + 9 * HOUR)
REBOOT = 2 * DAY + 4 * HOUR
ENGINE_UPDATE = 4 * DAY + 6 * HOUR
RENEWAL = 6 * DAY + 3 * HOUR
# In the week of the control: an image that does not start any more.
FAULT = 4 * DAY + 12 * HOUR
FAULT_ENDS = FAULT + 20 * MINUTE

REASONS = ("stopped", "exit", "signal", "oom", "stdout_closed", "unresponsive", "handshake_failed", "spawn_failed")
OUTCOMES = ("ok", "tool_error", "client_error", "server_error", "timeout", "upstream_lost", "rejected", "cancelled")
TOOL = 'mcp_method_name="tools/call", gen_ai_tool_name="run"'
# Their values are points in time, and 0 when there is none.
TIMES = ("process_start_time_seconds", "mcp_proxy_upstream_start_time_seconds", "probe_ssl_earliest_cert_expiry")


def fresh(name, now):
    """What a proxy exposes when it was started just now, its server not being there yet."""
    zero = [
        *(f'mcp_proxy_upstream_exits_total{{reason="{reason}"}}' for reason in REASONS),
        *(f'mcp_proxy_upstream_start_failures_total{{reason="{reason}"}}' for reason in REASONS),
        *(f'mcp_proxy_requests_total{{mcp_method_name="tools/call", outcome="{outcome}"}}' for outcome in OUTCOMES),
        *(f'mcp_proxy_requests_rejected_total{{reason="{reason}"}}' for reason in ("queue_full", "upstream_down")),
        *(f'mcp_proxy_sessions{{state="{state}"}}' for state in ("initializing", "active", "idle")),
        *(f'mcp_proxy_overhead_seconds_bucket{{le="{bound}"}}' for bound in ("0.001", "0.05", "+Inf")),
        'mcp_proxy_journal_events_dropped_total{reason="buffer_full"}',
        'mcp_proxy_messages_total{direction="from_server", kind="notification"}',
        'mcp_proxy_metric_label_overflow_total{metric="mcp_server_operation_duration_seconds"}',
        'mcp_proxy_protocol_errors_total{direction="from_server", kind="invalid_json"}',
        'mcp_proxy_trace_export_failures_total{reason="unreachable"}',
        'mcp_proxy_trace_spans_dropped_total{reason="send_failed"}',
        "mcp_proxy_log_lines_dropped_total",
        "mcp_proxy_oldest_inflight_request_timestamp_seconds",
        "mcp_proxy_oldest_unanswered_session_timestamp_seconds",
        "mcp_proxy_queue_length",
        "mcp_proxy_server_requests_open",
        "mcp_proxy_upstream_stdin_blocked_seconds_total",
        "mcp_proxy_upstream_unresponsive_total",
        "mcp_proxy_upstream_up",
    ]
    return {
        **dict.fromkeys(zero, 0),
        f'mcp_proxy_instance_info{{name="{name}", unit="mcp@{name}.service"}}': 1,
        'mcp_proxy_timeout_seconds{name="client_request"}': 600,
        'mcp_proxy_timeout_seconds{name="request"}': 300,
        'mcp_proxy_upstream_state{mcp_proxy_upstream_state="starting"}': 1,
        "mcp_proxy_config_last_reload_successful": 1,
        "mcp_proxy_journal_up": 1,
        "mcp_proxy_queue_limit": 1024,
        "mcp_proxy_sessions_limit": 1000,
        "mcp_proxy_upstream_desired": 1,
        "mcp_proxy_upstream_start_time_seconds": now,
        "process_max_fds": 65536,
        "process_open_fds": 24,
        "process_resident_memory_bytes": 30_000_000,
        "process_start_time_seconds": now,
        "scrape_duration_seconds": 0.008,
    }


def operation(side, kind, labels):
    return f"mcp_{side}_duration_seconds_{kind}{{{labels}}}"


class Server:
    """One proxy and its server. Each method writes down something that happens at a time."""

    def __init__(self, name, port):
        self.name = name
        self.instance = f"127.0.0.1:{port}"
        self.marks = []

    def _at(self, time, change):
        self.marks.append((time, len(self.marks), change))

    def _set(self, time, **values):
        self._at(time, lambda state: state.update(values))

    def _count(self, time, *series):
        def change(state):
            for each in series:
                state[each] = state.get(each, 0) + 1

        self._at(time, change)

    def start(self, time, ready_after=4):
        """The proxy is started, and a little later its server is ready."""
        self._at(time, lambda state: (state.clear(), state.update(fresh(self.name, time))))
        self.ready(time + ready_after)

    def stop(self, time):
        """The proxy ends: nothing is exposed any more."""
        self._at(time, lambda state: state.clear())

    def ready(self, time):
        self._at(
            time,
            lambda state: state.update(
                {"mcp_proxy_upstream_up": 1, 'mcp_proxy_upstream_state{mcp_proxy_upstream_state="starting"}': 0}
            ),
        )

    def crash(self, time):
        self._set(time, mcp_proxy_upstream_up=0)
        self._count(time, 'mcp_proxy_upstream_exits_total{reason="exit"}')

    def failing_starts(self, time, until, takes=0.3):
        """Starts that end at once, with the growing pauses of the supervisor between them; then one that succeeds."""
        pause = 0.1
        while time < until:
            self._set(time, mcp_proxy_upstream_start_time_seconds=time)
            ends = 'mcp_proxy_upstream_exits_total{reason="exit"}'
            self._count(time + takes, ends, 'mcp_proxy_upstream_start_failures_total{reason="exit"}')
            time += takes + pause
            pause = min(2 * pause, 30)
        self._set(time, mcp_proxy_upstream_start_time_seconds=time)
        self.ready(time + 2)

    def call(self, time, outcome="ok"):
        """A call of the one tool there is. It is quick, or times out."""
        labels = TOOL + (f', error_type="{outcome}"' if outcome in ("tool_error", "timeout") else "")
        within = labels + ', le="5.0"'
        series = [f'mcp_proxy_requests_total{{mcp_method_name="tools/call", outcome="{outcome}"}}']
        if outcome == "timeout":
            series += [operation("server_operation", "count", labels)]
            self._at(time, lambda state: state.setdefault(operation("server_operation", "bucket", within), 0))
        if outcome in ("ok", "tool_error"):
            for side in ("server_operation", "client_operation"):
                series += [operation(side, "count", labels), operation(side, "bucket", within)]
            series += [operation("client_operation", "bucket", labels + ', le="10.0"')]
            series += [f'mcp_proxy_overhead_seconds_bucket{{le="{bound}"}}' for bound in ("0.001", "0.05", "+Inf")]
        self._count(time, *series)

    def session(self, time, lasts):
        """A client comes and goes."""

        def change(by):
            def apply(state):
                if "process_open_fds" in state:
                    state['mcp_proxy_sessions{state="idle"}'] = max(0, state['mcp_proxy_sessions{state="idle"}'] + by)
                    state["process_open_fds"] += by

            return apply

        self._at(time, change(1))
        self._at(time + lasts, change(-1))


class Week:
    """`fault`: whether one server breaks as well."""

    def __init__(self, fault=False, seed=1):
        chance = random.Random(seed)
        self.servers = [Server(name, 9464 + number) for number, name in enumerate(NAMES)]
        for number, server in enumerate(self.servers):
            server.start(-DAY)
            self._clients(server, chance)
            for deployment in DEPLOYMENTS:
                # One after the other, ten seconds each.
                server.stop(deployment + 20 * number)
                server.start(deployment + 20 * number + 10)
            server.stop(REBOOT)
            server.start(REBOOT + 95 + 3 * number, ready_after=25)
            server.crash(ENGINE_UPDATE + number / 10)
            server.failing_starts(ENGINE_UPDATE + number / 10 + 0.1, ENGINE_UPDATE + chance.uniform(60, 90))
        if fault:
            self.servers[1].crash(FAULT)
            self.servers[1].failing_starts(FAULT + 0.1, FAULT_ENDS)

    @staticmethod
    def _clients(server, chance):
        """About ten calls a day: now and then a tool says that it failed or a client errs; one call times out."""
        for day in range(7):
            for _ in range(10):
                start = day * DAY + chance.uniform(6, 22) * HOUR
                server.session(start - 5, 30 * MINUTE)
                server.call(start, chance.choices(("ok", "tool_error", "client_error"), (90, 7, 3))[0])
        server.call(chance.uniform(0, 7) * DAY, "timeout")

    def input(self, begin, end, step):
        """The series from `begin` to `end`, as a group of `promtool test rules` reads them. `begin` is its zero."""
        times = range(begin, end + 1, step)
        found = []
        for server in self.servers:
            columns = {}
            state = {}
            marks = iter(sorted(server.marks, key=lambda mark: mark[:2]))
            mark = next(marks, None)
            for row, time in enumerate(times):
                while mark and mark[0] <= time:
                    mark[2](state)
                    mark = next(marks, None)
                # The host was away, and Prometheus with it.
                if REBOOT <= time < REBOOT + 60:
                    continue
                for series, value in {**state, "up": 1 if "process_start_time_seconds" in state else 0}.items():
                    columns.setdefault(series, {})[row] = value
            labels = f'job="mcp-proxy", instance="{server.instance}"'
            found += [entry(series, labels, column, begin, len(times)) for series, column in columns.items()]
        found.append(self._probes(begin, times))
        return found

    @staticmethod
    def _probes(begin, times):
        """A certificate for 90 days that is renewed when it has 30 left."""
        expiry = {row: RENEWAL + (30 if time < RENEWAL else 90) * DAY for row, time in enumerate(times)}
        labels = 'job="mcp-proxy-public", instance="https://mcp.example.com/time"'
        return entry("probe_ssl_earliest_cert_expiry", labels, expiry, begin, len(times))


def entry(series, labels, column, begin, rows):
    """One series in the words of promtool: runs of equal values, `stale` where it ends, `_` where it is missing."""
    name, _, own = series.partition("{")
    words, last, length = [], None, 0
    is_time = name in TIMES

    def close():
        if length:
            words.append(f"{last}x{length - 1}" if last != "_" else f"_x{length}")

    for row in range(rows):
        value = column.get(row, "_")
        if is_time and value not in ("_", 0):
            value -= begin
        if value != last:
            close()
            if value == "_" and words:
                words.append("stale")
                last, length = "_", 0
                continue
            last, length = value, 0
        length += 1
    close()
    return {"series": f"{name}{{{labels}{', ' + own if own else '}'}", "values": " ".join(words)}
