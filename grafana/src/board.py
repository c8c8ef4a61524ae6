# SPDX-License-Identifier: Apache-2.0
"""What all dashboards share: variables, annotations, links, and where panels go on the grid."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

import alert_rules
import queries
from panels import SEVERITIES, SOURCE, Column, row_of, table

TAG = "mcp-proxy"
COLUMNS = 24
# Grafana's word for all values of a variable.
ALL = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
SERVER_LINK = (
    "/d/mcp-proxy-server?var-job=${__data.fields.job}&var-instance=${__data.fields.instance}&${__url_time_range}"
)
RUNBOOK_LINK = "${runbooks}/${__data.fields.Alert}.md"
# The worst first.
RANKS = {"critical": 3, "warning": 2, "info": 1}


@dataclass
class Board:
    """A dashboard: the model that becomes JSON, and the tiles it is made of, by the id of their panel."""

    model: dashboard.Dashboard
    tiles: dict

    @property
    def uid(self):
        return self.model.uid


def board(uid, title, text, rows, last="now-1h", instance="Instances, by the names of their servers."):
    """`rows`: pairs of a title (or None) and tiles, which fill the grid from left to right."""
    builder = (
        builders.Dashboard(title)
        .uid(uid)
        .description(text)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .time(last, "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .variables(variables(instance))
        .annotations(annotations())
        .link(
            builders.DashboardLink("MCP dashboards")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    tiles, y, number = {}, 0, 0
    for heading, row in rows:
        if heading:
            number += 1
            builder.with_row(builders.Row(heading).id(number).grid_pos(dashboard.GridPos(h=1, w=COLUMNS, x=0, y=y)))
            y += 1
        x = height = 0
        for tile in row:
            if x + tile.width > COLUMNS:
                x, y, height = 0, y + height, 0
            number += 1
            tiles[number] = tile
            place = dashboard.GridPos(h=tile.height, w=tile.width, x=x, y=y)
            builder.with_panel(tile.builder.id(number).grid_pos(place))
            x += tile.width
            height = max(height, tile.height)
        y += height
    return Board(builder.build(), tiles)


def firing(*matchers):
    """Alerts of this project that fire, with the rank of their severity for a value."""
    selector = 'ALERTS{{alertstate="firing", alertname=~"Mcp.+", {}}}'
    ranked = (
        f"{rank} * " + selector.format(", ".join((f'severity="{name}"', *matchers))) for name, rank in RANKS.items()
    )
    return "\nor ".join(ranked)


def alerts_table(shows, *matchers, width=24, height=8):
    """What fires, the worst first."""
    return table(
        "Firing alerts",
        "Alerts of this project that fire now. The name of an alert leads to its runbook, that of a server to its "
        "dashboard.",
        row_of(firing(*matchers)),
        columns=[
            Column("A", "Severity", mapping=SEVERITIES, width=90),
            Column("alertname", "Alert", link=("Runbook", RUNBOOK_LINK)),
            Column("gen_ai_tool_name", "Tool", width=90),
            Column("name", "Server", link=("Dashboard of ${__value.text}", SERVER_LINK), width=100),
        ],
        hidden=("job", "instance"),
        dropped=("alertstate", "severity"),
        sort="Severity",
        shows=shows,
        width=width,
        height=height,
        empty="no alert fires",
    )


def variables(instance):
    names = queries.select("instance_name:mcp_proxy_instance:info").replace(', instance=~"$instance"', "")
    source = builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
    job = chosen("job", "Job", "label_values(mcp_proxy_build_info, job)", "Scrape jobs that have proxies.")
    # The proxies themselves, and no other target, when nothing is chosen.
    job.current(dashboard.VariableOption(selected=True, text=["mcp-proxy"], value=["mcp-proxy"]))
    instances = chosen("instance", "Instance", f"query_result({names})", instance)
    instances.regex('/instance="(?<value>[^"]+)".*name="(?<text>[^"]+)"/')
    instances.current(ALL)
    url = alert_rules.runbooks_url()
    runbooks = (
        builders.TextBoxVariable("runbooks")
        .label("Runbooks")
        .description("Where links of panels find the runbooks.")
        .default_value(url)
        .current(dashboard.VariableOption(selected=True, text=url, value=url))
    )
    return [source, job, instances, runbooks]


def chosen(name, label, query, text):
    """A variable of which any number of values can be chosen."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .description(text)
        .query({"query": query, "refId": f"variable-{name}"})
        .definition(query)
        .datasource(SOURCE)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
    )


def annotations():
    """What changes a server, as lines through all graphs."""
    crashed = queries.total(
        f"""increase({queries.select("mcp_proxy_upstream_exits_total", 'reason!="stopped"')}[$__rate_interval])""",
        ("reason",),
    )
    started = f"changes({queries.select('process_start_time_seconds')}[$__rate_interval]) > 0"
    reloaded = (
        f"changes({queries.select('mcp_proxy_config_last_reload_success_timestamp_seconds')}[$__rate_interval]) > 0\n"
        f"unless on (job, instance) {started}"
    )
    return [
        annotation("Crashes", "red", f"{crashed} > 0", "{{name}} ended: {{reason}}"),
        annotation("Restarts of the proxy", "purple", started, "the proxy of {{name}} was started"),
        annotation("Reloads", "blue", reloaded, "{{name}} has a new configuration"),
    ]


def annotation(name, color, expression, title):
    expression = queries.known(expression)
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .hide(False)
        .icon_color(color)
        .expr(expression)
        .step("30s")
        .title_format(title)
        .text_format("{{instance}}")
    )
