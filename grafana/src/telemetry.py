# SPDX-License-Identifier: Apache-2.0
"""The instrument itself: whether metrics, journal and traces are complete, and what they cost."""

from grafana_foundation_sdk.models import units

import alert_rules
from board import board
from panels import BAD, GOOD, OFF, WARN, bars, graph, now, number, query, steps, timeline
from queries import increase, known, named, quantile, select, total

SCRAPE = "scrape_duration_seconds"
EVENTS_DROPPED, SPANS_DROPPED = "mcp_proxy_journal_events_dropped_total", "mcp_proxy_trace_spans_dropped_total"
PRIORITIES = {"2": "critical", "3": "error", "4": "warning", "5": "notice", "6": "info", "7": "debug"}
UP = {1: ("takes entries", GOOD), 0: ("does not", BAD)}
APPLIED = {1: ("applied", GOOD), 0: ("refused", BAD)}


def recent(metric, *matchers, by=()):
    return increase(metric, *matchers, by=by, window="$__rate_interval")


def lost(title, text, expression, shows, *runbooks, unit=units.NoUnit):
    return number(
        title, text, unit, now(expression, title.lower()), shows=shows, colors=steps((1, WARN)), runbooks=runbooks
    )


def summary():
    up = f"{select('up')}[$__range]"
    missed = f"count_over_time({up}) - sum_over_time({up})"
    return [
        lost(
            "Journals down",
            "Proxies whose journal takes no entries.",
            f"sum({select('mcp_proxy_journal_up')} == bool 0) or vector(0)",
            "journal-down",
            "McpJournalUnavailable",
        ),
        lost(
            "Entries lost",
            "Entries of the log that did not reach the journal, or stderr, in the chosen time.",
            f"sum({increase(EVENTS_DROPPED)} + {increase('mcp_proxy_log_lines_dropped_total')})",
            "journal-down",
            "McpJournalDroppingEvents",
        ),
        lost(
            "Scrapes missed",
            "Scrapes of the chosen time that failed, in all.",
            f"round(sum({known(missed)}))",
            "down",
            "McpProxyDown",
        ),
        lost(
            "Spans lost",
            "Spans of traces that were dropped in the chosen time.",
            f"sum({increase(SPANS_DROPPED)})",
            "journal-down",
            "McpTraceExportFailing",
        ),
        lost(
            "Label overflow",
            "Label sets of the chosen time that count as _OTHER because there are too many.",
            f"sum({increase('mcp_proxy_metric_label_overflow_total')}) or vector(0)",
            "healthy",
            "McpMetricLabelOverflow",
        ),
        lost(
            "Refused configurations",
            "Proxies that did not take their last configuration.",
            f"sum({select('mcp_proxy_config_last_reload_successful')} == bool 0)",
            "healthy",
            "McpConfigReloadFailed",
        ),
    ]


def journal():
    priorities = recent("mcp_proxy_journal_events_total", by=("priority",))
    for number_, word in PRIORITIES.items():
        priorities = f'label_replace({priorities}, "level", "{word}", "priority", "{number_}")'
    return [
        timeline(
            "Journal",
            "Whether journald takes the entries of each proxy.",
            query(named(select("mcp_proxy_journal_up"))),
            mapping=UP,
            shows="journal-down",
            height=5,
            runbooks=("McpJournalUnavailable",),
        ),
        graph(
            "Entries by priority",
            "Entries for the journal, by their priority.",
            units.Short,
            query(f"sum by (level) ({priorities}) > 0", "{{level}}"),
            shows="journal-down",
            width=8,
            stacked=True,
            bars=True,
            colors={
                "critical": "dark-red",
                "error": BAD,
                "warning": WARN,
                "notice": "yellow",
                "info": "blue",
                "debug": OFF,
            },
        ),
        graph(
            "Entries dropped",
            "Entries that did not reach the journal, by reason.",
            units.Short,
            query(named(f"{recent(EVENTS_DROPPED, by=('reason',))} > 0"), "{{name}} {{reason}}"),
            shows="journal-down",
            width=8,
            stacked=True,
            bars=True,
            runbooks=("McpJournalDroppingEvents", "McpJournalUnavailable"),
        ),
        graph(
            "Events left out",
            "Events the rate limit left out of the journal; metrics count them all the same.",
            units.Short,
            query(named(recent("mcp_proxy_journal_events_suppressed_total"))),
            shows="journal-down",
            width=8,
        ),
        graph(
            "Waiting for journald",
            "Bytes of entries that wait; they are kept while journald is away.",
            units.BytesIEC,
            query(named(select("mcp_proxy_journal_queue_bytes"))),
            shows="journal-down",
            width=8,
            runbooks=("McpJournalUnavailable",),
        ),
        graph(
            "Time to send an entry",
            "p99 of how long journald takes for an entry, on the thread that does nothing else.",
            units.Seconds,
            query(named(quantile(0.99, "mcp_proxy_journal_send_duration_seconds"))),
            shows="journal-down",
            width=8,
        ),
        graph(
            "Lines of stderr dropped",
            "Lines of the log on stderr that were dropped because it is read too slowly.",
            units.Short,
            query(named(recent("mcp_proxy_log_lines_dropped_total"))),
            shows="healthy",
            width=8,
            runbooks=("McpJournalDroppingEvents",),
        ),
    ]


def metrics():
    limit = alert_rules.threshold("McpScrapeExpensive")
    return [
        graph(
            "Time to scrape",
            "How long Prometheus takes for each proxy.",
            units.Seconds,
            query(named(select(SCRAPE))),
            shows="healthy",
            width=8,
            lines=((limit, WARN),),
            runbooks=("McpScrapeExpensive",),
        ),
        graph(
            "Time to make a page",
            "p99 of the time a proxy takes to answer a scrape.",
            units.Seconds,
            query(named(quantile(0.99, "mcp_proxy_scrape_duration_seconds"))),
            shows="healthy",
            width=8,
            runbooks=("McpScrapeExpensive",),
        ),
        graph(
            "Size of a page",
            "Bytes of the last page before compression.",
            units.BytesIEC,
            query(named(select("mcp_proxy_scrape_size_bytes"))),
            shows="healthy",
            width=8,
            runbooks=("McpScrapeExpensive",),
        ),
        graph(
            "Series",
            "Time series that each proxy shows.",
            units.Short,
            query(named(select("mcp_proxy_metric_series"))),
            shows="healthy",
            width=8,
            runbooks=("McpMetricLabelOverflow", "McpScrapeExpensive"),
        ),
        graph(
            "Label overflow by metric",
            "Label sets that became _OTHER because their metric has too many series.",
            units.Short,
            query(
                named(
                    total(f"increase({select('mcp_proxy_metric_label_overflow_total')}[$__rate_interval])", ("metric",))
                ),
                "{{name}} {{metric}}",
            ),
            shows="healthy",
            width=8,
            runbooks=("McpMetricLabelOverflow",),
        ),
        bars(
            "Most frequent events",
            "The ten kinds of events that came most often in the chosen time.",
            units.Short,
            now(
                f"topk(10, round(sum by (event) (increase({select('mcp_proxy_events_total')}[$__range]))) > 0)",
                "{{event}}",
            ),
            shows="healthy",
            width=8,
        ),
    ]


def traces():
    return [
        graph(
            "Spans",
            "Spans that a collector accepted, and those that were dropped.",
            units.Short,
            query(named(recent("mcp_proxy_trace_spans_exported_total")), "{{name}} exported"),
            query(named(f"{recent(SPANS_DROPPED, by=('reason',))} > 0"), "{{name}} {{reason}}"),
            shows="healthy",
            width=8,
            runbooks=("McpTraceExportFailing",),
        ),
        graph(
            "Failed exports",
            "Attempts to send spans that did not go as they should, by reason.",
            units.Short,
            query(
                named(f"{recent('mcp_proxy_trace_export_failures_total', by=('reason',))} > 0"), "{{name}} {{reason}}"
            ),
            shows="journal-down",
            width=8,
            stacked=True,
            bars=True,
            runbooks=("McpTraceExportFailing",),
        ),
        graph(
            "Waiting spans",
            "Spans that wait to be sent to the collector.",
            units.Short,
            query(named(select("mcp_proxy_trace_queue_spans"))),
            shows=("healthy", "journal-down"),
            width=8,
            runbooks=("McpTraceExportFailing",),
        ),
    ]


def configuration():
    return [
        timeline(
            "Configuration",
            "Whether the last reload of each proxy was applied.",
            query(named(select("mcp_proxy_config_last_reload_successful"))),
            mapping=APPLIED,
            shows="healthy",
            height=5,
            runbooks=("McpConfigReloadFailed",),
        ),
    ]


def telemetry():
    return board(
        "mcp-proxy-telemetry",
        "MCP servers: telemetry health",
        "Whether what metrics, journal and traces say is the whole truth, and what it costs.",
        [
            (None, summary()),
            ("Journal", journal()),
            ("Metrics", metrics()),
            ("Traces", traces()),
            ("Configuration", configuration()),
        ],
    )
