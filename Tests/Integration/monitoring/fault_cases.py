# SPDX-License-Identifier: Apache-2.0
"""The faults that are injected, by what they do to a proxy or to the MCP server behind it."""

import contextlib
import os
import signal
import socket
import time

from control_group import control_group
from fake_engine import FakeEngine
from fault_proxy import repeated, unit_group
from fault_scene import fault
from journal import NO_LIMIT
from processes import descriptors, eventually
from proxy_process import FIXTURE

# The server ends, or can't be started.


@fault("McpServerCrashed", "warning", r"killed by SIGKILL", r'reason="signal"} => 1\.')
def killed(scene):
    proxy = scene.proxy("killed")
    yield proxy
    proxy.kill_child()
    yield


def exits(scene, status):
    proxy = scene.proxy(f"exit-{status}")
    session = proxy.session()
    yield proxy
    session.tool("exit_after_ms", ms=0, status=status)
    yield


@fault("McpServerCrashed", "warning", r"exit status 0 after", r"EXIT_STATUS=0$")
def exit_0(scene):
    return exits(scene, 0)


@fault("McpServerCrashed", "warning", r"exit status 1 after", r"EXIT_STATUS=1$")
def exit_1(scene):
    return exits(scene, 1)


@fault("McpServerCrashed", "warning", r"exit status 3 after", r"EXIT_STATUS=3$")
def exit_3(scene):
    return exits(scene, 3)


@fault("McpServerOomKilled", "warning", r"killed by the kernel for want of memory", r'reason="oom"} => 1\.')
def out_of_memory(scene):
    group = scene.enter(control_group(256))
    proxy = scene.proxy("out-of-memory", prefix=group.command)
    session = proxy.session()
    yield proxy
    session.tool("allocate", mb=2048)
    yield


@fault("McpServerCrashLooping", "critical", r"killed by SIGSEGV", r'reason="signal"} => ')
def crash_loop(scene):
    """A client that tries again and again what kills the server."""
    proxy = scene.proxy("crash-loop")
    session = proxy.session()
    yield proxy
    with repeated(lambda: session.tool("crash", signal=11), 0.1):
        yield


def broken_by_file(scene, name, broken, *flags):
    """A server that is started by a script, which does something else while a file exists."""
    marker = scene.directory / name
    script = f"if [ -e {marker} ]; then {broken}; fi; exec {FIXTURE}"
    proxy = scene.proxy(name, *flags, child=["/bin/sh", "-c", script])
    yield proxy
    marker.touch()
    proxy.kill_child()
    yield
    marker.unlink()


@fault("McpServerStartFailing", "critical", r"no such key", r'INSTANCE.*reason="exit"} => ')
def start_fails(scene):
    return broken_by_file(scene, "start-fails", "echo no such key >&2; exit 1")


@fault("McpServerStartFailing", "critical", r"/program' does not exist", r'INSTANCE.*reason="spawn_failed"} => ')
def program_missing(scene):
    program = scene.directory / "program"
    program.symlink_to(FIXTURE)
    proxy = scene.proxy("program-missing", child=[program])
    yield proxy
    program.unlink()
    proxy.kill_child()
    yield
    program.symlink_to(FIXTURE)


# It is told after 3 minutes that the server is not ready, and after three starts that it can't be started.
@fault(
    "McpServerStartFailing",
    "critical",
    r"no answer to initialize within 2 s",
    r'INSTANCE.*reason="handshake_failed"} => ',
)
def handshake_unanswered(scene):
    return broken_by_file(
        scene, "handshake-unanswered", f"exec {FIXTURE} --no-initialize", "--connection-timeout", "2s"
    )


@fault(
    "McpEngineUnavailable",
    "critical",
    r"the container engine does not answer: the engine of docker can't be reached",
    r"can't be reached",
)
def engine_away(scene):
    engine = FakeEngine(scene.directory / "engine-away")
    proxy = scene.proxy("engine-away", child=engine.command)
    yield proxy
    engine.away.touch()
    proxy.kill_child()
    yield
    engine.away.unlink()


@fault("McpOrphanContainers", "warning", r"1 container could not be removed", r"mcp_proxy_orphan_containers.*} => 1 ")
def container_stuck(scene):
    engine = FakeEngine(scene.directory / "container-stuck")
    proxy = scene.proxy("container-stuck", child=engine.command)
    yield proxy
    engine.stuck.touch()
    proxy.kill_child()
    yield
    engine.stuck.unlink()


@fault("McpServerUnresponsive", "warning", r"not even an answer to a ping", r"the server did not answer a ping$")
def hangs(scene):
    proxy = scene.proxy("hangs", "--request-timeout", "2s")
    session = proxy.session()
    yield proxy
    session.tool("hang")
    eventually(lambda: proxy.metric("mcp_proxy_upstream_unresponsive_total"), 30, "the verdict")
    yield


# The server works, but badly.


@fault("McpServerProtocolViolations", "warning", r"is not JSON", r'kind="invalid_json"} => ')
def garbage(scene):
    proxy = scene.proxy("garbage")
    session = proxy.session()
    yield proxy
    with repeated(lambda: session.tool("garbage", kind="text"), 1):
        yield


@fault(
    "McpToolSlow",
    "warning",
    r'"sleep" .* answered in 11 s',
    r'mcp_tool_calls_slow.*"sleep".* => [45]\.',
    resolves=False,
    labels={"TOOL": "sleep"},
)
def tool_slow(scene):
    """Slow is what takes longer than 10 s, however fast the clock of the rules runs."""
    proxy = scene.proxy("tool-slow")
    session = proxy.learned_session()
    session.tool("sleep", ms=0)
    yield proxy
    calls = [session.start_tool("sleep", ms=11_000) for _ in range(5)]
    for call in calls:
        call.answer(30)
    yield time.monotonic()


@fault(
    "McpToolFailing",
    "info",
    r'"env" .* the tool reports a failure',
    r'error_type="tool_error", gen_ai_tool_name="env"} => 6 ',
    resolves=False,
    labels={"TOOL": "env"},
)
def tool_fails(scene):
    proxy = scene.proxy("tool-fails")
    session = proxy.learned_session()
    session.tool("env", name="PATH")
    session.tool("env", name="NOT_SET")
    yield proxy
    for _ in range(5):
        session.tool("env", name="NOT_SET")
    yield


@fault("McpRequestsFailing", "warning", r"timed out after 1 s", r'outcome="timeout"} => 5\.', resolves=False)
def requests_fail(scene):
    """Of the few calls there are."""
    proxy = scene.proxy("requests-fail", "--request-timeout", "1s")
    session = proxy.session()
    yield proxy
    calls = [session.start_tool("hang_call") for _ in range(5)]
    for call in calls:
        call.answer(30)
    yield time.monotonic()


@fault("McpErrorBudgetBurn", "critical", r"timed out after 1 s", r'outcome="timeout"} => ')
def budget_burns(scene):
    proxy = scene.proxy("budget-burns", "--request-timeout", "1s")
    session = proxy.session()
    yield proxy
    with repeated(lambda: session.tool("hang_call"), 0.1, threads=10):
        yield


@fault("McpRequestStuck", "warning", r"waiting for the lock", r'INSTANCE", job="mcp-proxy"} => 1\d\.')
def call_stuck(scene):
    """Stuck is what takes longer than half its timeout, which is 10 s here."""
    proxy = scene.proxy("call-stuck", "--request-timeout", "20s")
    session = proxy.session()
    yield proxy
    session.tool("stderr", text="waiting for the lock")
    call = session.start_tool("hang_call")
    yield time.monotonic() + 10
    call.answer(30)


# Limits are reached.


def queueing(scene, name, *flags):
    """A server that takes one call at a time, and a short queue in front of it."""
    proxy = scene.proxy(name, "--max-in-flight", 1, *flags)
    return proxy, proxy.learned_session()


@fault("McpQueueSaturated", "warning", r"answered in \d\.\d+ s", r"queue_length.* => (9|10) ")
def queue_full(scene):
    """As many clients as there is room for, who ask again as soon as they are answered."""
    proxy, session = queueing(scene, "queue-full", "--queue", 10)
    yield proxy
    with repeated(lambda: session.tool("sleep", ms=500), 0, threads=11):
        yield


@fault("McpRequestsRejected", "critical", r"calls already wait", r'reason="queue_full"} => ')
def turned_away(scene):
    """So few ask that no objective can be judged by them."""
    proxy, session = queueing(scene, "turned-away", "--queue", 1)
    yield proxy
    calls = [session.start_tool("sleep", ms=25_000), session.start_tool("echo", text="at last")]
    with repeated(lambda: session.tool("echo", text="no"), 1.5):
        yield
    for call in calls:
        call.answer(60)


# More is turned away than the objective allows: that is told, and not twice.
@fault(
    "McpErrorBudgetBurn",
    "critical",
    r"refused by the proxy",
    r'outcome="rejected"} => ',
    muted=("McpRequestsRejected",),
)
def overloaded(scene):
    proxy, session = queueing(scene, "overloaded", "--queue", 2)
    yield proxy
    with repeated(lambda: session.tool("sleep", ms=300), 0.2, threads=8):
        yield


@fault("McpSessionsNearLimit", "warning", r'opened by "test"', r'state="idle"} => 10 ')
def sessions_leak(scene):
    proxy = scene.proxy("sessions-leak", "--max-sessions", 10)
    yield proxy
    sessions = [proxy.session() for _ in range(10)]
    yield
    for session in sessions:
        session.delete()


@fault("McpStdinBackpressure", "warning", r"waiting for the disk", r"stdin_buffered_bytes.* => [1-9]")
def stdin_unread(scene):
    proxy = scene.proxy("stdin-unread")
    session = proxy.session()
    child = proxy.child_pid
    yield proxy
    session.tool("stderr", text="waiting for the disk")
    os.kill(child, signal.SIGSTOP)
    calls = [session.start_tool("echo", text="x" * 900_000) for _ in range(4)]
    yield
    os.kill(child, signal.SIGCONT)
    for call in calls:
        call.answer(30)


@fault("McpProxyFileDescriptorsNearLimit", "warning", None, r"process_open_fds.* => 5\d ")
def descriptors_short(scene):
    proxy = scene.proxy("descriptors-short", prefix=["/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"'])
    yield proxy
    connections = []
    for number in range(len(descriptors(proxy.pid)), 58):
        connections.append(socket.create_connection(("127.0.0.1", proxy.port)))
        eventually(lambda least=number: len(descriptors(proxy.pid)) > least, what="a connection")
    yield time.monotonic()
    for connection in connections:
        connection.close()


# What is told of it gets lost.


@fault("McpJournalUnavailable", "warning", None, r'journal_up{instance="INSTANCE".* => 0 ')
def journal_stopped(scene):
    journal = scene.new_journal()
    proxy = scene.proxy("journal-stopped", *NO_LIMIT, journal=journal)
    session = proxy.session()
    yield proxy
    journal.signal(signal.SIGSTOP)
    with repeated(lambda: session.tool("echo", text="unheard"), 0.2):
        yield
    journal.signal(signal.SIGCONT)


@fault("McpJournalUnavailable", "warning", None, r'journal_up{instance="INSTANCE".* => 0 ')
def journal_killed(scene):
    journal = scene.new_journal()
    proxy = scene.proxy("journal-killed", *NO_LIMIT, journal=journal)
    session = proxy.session()
    yield proxy
    journal.kill()
    with repeated(lambda: session.tool("echo", text="unheard"), 0.2):
        yield
    journal.start()


@fault(
    "McpJournalDroppingEvents", "warning", r"\d+ entries of the journal lost", r"MCP_REASON=(no_journald|buffer_full)"
)
def entries_lost(scene):
    """journald is away for a moment in which more is said than the proxy can keep."""
    journal = scene.new_journal()
    proxy = scene.proxy("entries-lost", *NO_LIMIT, "--log-payloads", "4000", journal=journal)
    session = proxy.session()
    yield proxy
    journal.kill()
    while not proxy.metric("mcp_proxy_journal_events_dropped_total"):
        session.tool("echo", text="x" * 3000)
    journal.start()
    yield


@fault("McpTraceExportFailing", "info", None, r'reason="unreachable"} => ', resolves=False)
def collector_dead(scene):
    """Few spans may wait for the next attempt, which comes as seldom as ever at any speed of the rules."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_MAX_QUEUE_SIZE": "2"}
        proxy = scene.proxy("collector-dead", env=env)
        session = proxy.session()
        yield proxy
        with repeated(lambda: session.tool("echo", text="traced"), 0.2):
            yield


# The proxy itself.


@fault("McpProxyDown", "critical", r'serves "proxy-killed"', r'up{instance="INSTANCE".* => 0 ')
def proxy_killed(scene):
    unit = scene.enter(unit_group("mcp@proxy-killed"))
    proxy = scene.proxy("proxy-killed", prefix=unit.command)
    yield proxy
    proxy.process.kill()
    proxy.process.wait()
    yield
    proxy.start()


@fault("McpProxyRestarting", "warning", r'serves "proxy-restarts"', r'INSTANCE", job="mcp-proxy"} => 3 ')
def proxy_restarts(scene):
    proxy = scene.proxy("proxy-restarts")
    yield proxy
    for _ in range(3):
        scraped = starts(scene, proxy)
        proxy.restart()
        restarted = time.monotonic()
        scene.stack.wait(lambda scraped=scraped: starts(scene, proxy) > scraped, 20, "a scrape")
    yield restarted


def starts(scene, proxy):
    found = scene.stack.query(f'process_start_time_seconds{{instance="{proxy.instance}"}}')
    return max((value for _, value in found), default=0)


@fault("McpConfigReloadFailed", "warning", r"unknown key 'nonsense'", r"MCP_PROBLEM=.*unknown key 'nonsense'")
def config_wrong(scene):
    config = scene.directory / "config-wrong.yml"
    config.write_text("request-timeout: 1m\n", encoding="utf-8")
    proxy = scene.proxy("config-wrong", "--config", config)
    yield proxy
    config.write_text("nonsense: 1m\n", encoding="utf-8")
    proxy.signal(signal.SIGHUP)
    yield
    config.write_text("request-timeout: 2m\n", encoding="utf-8")
    proxy.signal(signal.SIGHUP)
