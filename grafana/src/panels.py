# SPDX-License-Identifier: Apache-2.0
"""Panels of one look: each has a title, a description, a unit, and links to the runbooks it helps with."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import (
    bargauge,
    common as common_builders,
    dashboard as dashboard_builders,
    heatmap as heatmap_builders,
    prometheus,
    stat as stat_builders,
    statetimeline,
    table as table_builders,
    timeseries as timeseries_builders,
)
from grafana_foundation_sdk.models import common, dashboard, units
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

import queries

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
GOOD, BAD, WARN, NOTE, PLAIN, CLEAR, OFF = "green", "red", "orange", "blue", "text", "transparent", "#6e7077"
STATES = {
    queries.DOWN: ("Proxy down", "dark-red"),
    1: ("Ready", GOOD),
    2: ("Starting", NOTE),
    3: ("Restarting", WARN),
    4: ("Crash loop", BAD),
    5: ("Stopping", OFF),
    6: ("Pulling image", NOTE),
}
# As board.RANKS has them.
SEVERITIES = {3: ("critical", BAD), 2: ("warning", WARN), 1: ("info", NOTE), 0: ("none", "transparent")}
OUTCOMES = {
    "ok": "green",
    "tool_error": "yellow",
    "input_required": "#96d98d",
    "client_error": "blue",
    "cancelled": OFF,
    "server_error": "red",
    "timeout": "purple",
    "upstream_lost": "dark-red",
    "rejected": "orange",
}


@dataclass
class Tile:
    """A panel, its size, and the scenarios of the recorded run in which it has to show something."""

    builder: object
    width: int
    height: int
    shows: tuple


def query(expression, legend="{{name}}", instant=False, form=PromQueryFormat.TIME_SERIES, exemplars=False):
    """What a panel asks. `exemplars`: points in the graph that lead to a trace."""
    asked = prometheus.Dataquery().expr(expression).legend_format(legend).format(form).datasource(SOURCE)
    asked = asked.instant() if instant else asked.range()
    return asked.exemplar(True) if exemplars else asked


def now(expression, legend="{{name}}"):
    return query(expression, legend, instant=True)


def row_of(expression):
    return query(expression, "", instant=True, form=PromQueryFormat.TABLE)


def steps(*pairs, base=GOOD):
    """Colours from a value on: `steps((1, BAD))`."""
    found = [dashboard.Threshold(value=None, color=base)]
    found += [dashboard.Threshold(value=float(value), color=color) for value, color in pairs]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(found)


def words(mapping):
    """Shows words for values: `{1: ("Ready", GOOD)}`."""
    results = {
        str(value): dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(mapping.items())
    }
    return [dashboard.ValueMap(options=results)]


def fixed(color):
    return [dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]


def tile(builder, title, text, asked, width, height, shows, runbooks):
    """What all panels have."""
    for number, each in enumerate(asked):
        builder.with_target(each.ref_id(chr(ord("A") + number)))
    links = [
        dashboard_builders.DashboardLink(f"Runbook {name}")
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{name}.md")
        .target_blank(True)
        for name in runbooks
    ]
    builder.title(title).description(text).datasource(SOURCE).links(links).span(width).height(height)
    shows = (shows,) if isinstance(shows, str) else tuple(shows)
    return Tile(builder, width, height, shows)


def graph(
    title,
    text,
    unit,
    *asked,
    shows,
    width=12,
    height=8,
    runbooks=(),
    lines=(),
    stacked=False,
    bars=False,
    colors=None,
    top=None,
    calcs=("mean", "max"),
):
    """A graph over time. `lines`: values and colours of thresholds; `colors`: by patterns of legends."""
    builder = (
        timeseries_builders.Panel()
        .unit(unit)
        .min(0)
        .line_width(1 if stacked else 2)
        .fill_opacity(80 if bars else 45 if stacked else 8)
        .gradient_mode(common.GraphGradientMode.NONE)
        .show_points(common.VisibilityMode.NEVER)
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(list(calcs))
        )
        .no_value("nothing happened")
    )
    if stacked:
        builder.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if lines:
        builder.thresholds(steps(*lines, base=CLEAR))
        builder.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    if top is not None:
        builder.max(top)
    for pattern, color in (colors or {}).items():
        builder.override_by_regexp(pattern, fixed(color))
    return tile(builder, title, text, asked, width, height, shows, runbooks)


def number(
    title,
    text,
    unit,
    *asked,
    shows,
    width=4,
    height=4,
    runbooks=(),
    colors=None,
    mapping=None,
    background=True,
    empty="–",
    decimals=None,
):
    """Big numbers. `colors`: from which value on which."""
    builder = (
        stat_builders.Panel()
        .unit(unit)
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID if background else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME if len(asked) > 1 else common.BigValueTextMode.VALUE)
        .orientation(common.VizOrientation.AUTO)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(colors or steps(base=PLAIN))
        .no_value(empty)
    )
    if mapping:
        builder.mappings(words(mapping))
    if decimals is not None:
        builder.decimals(decimals)
    return tile(builder, title, text, asked, width, height, shows, runbooks)


def bars(title, text, unit, *asked, shows, width=12, height=8, runbooks=(), colors=None, top=None, bottom=0, empty="–"):
    """Horizontal bars, one for each series."""
    builder = (
        bargauge.Panel()
        .unit(unit)
        .min(bottom)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.COLOR)
        .show_unfilled(True)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(colors or steps(base=NOTE))
        .no_value(empty)
    )
    if top is not None:
        builder.max(top)
    return tile(builder, title, text, asked, width, height, shows, runbooks)


def timeline(title, text, *asked, mapping, shows, width=24, height=7, runbooks=(), empty="nothing is known"):
    """What each server was, over time, in words and colours."""
    builder = (
        statetimeline.Panel()
        .unit(units.NoUnit)
        .mappings(words(mapping))
        .color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .no_value(empty)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .merge_values(True)
        .fill_opacity(85)
        .line_width(0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    return tile(builder, title, text, asked, width, height, shows, runbooks)


def heat(title, text, unit, *asked, shows, width=12, height=8, runbooks=()):
    """A histogram over time."""
    builder = (
        heatmap_builders.Panel()
        .calculate(False)
        .unit("short")
        .color(
            heatmap_builders.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Turbo")
            .steps(32)
        )
        .y_axis(heatmap_builders.YAxisConfig().unit(unit))
        .filter_values(heatmap_builders.FilterValueRange().le(1e-9))
        .cell_gap(1)
        .exemplars_color("rgba(255,0,255,0.8)")
        .show_legend()
    )
    return tile(builder, title, text, asked, width, height, shows, runbooks)


@dataclass
class Column:
    """One column of a table: `field` is a label, or the letter of a query whose value it shows."""

    field: str
    title: str
    unit: str = units.NoUnit
    colors: object = None
    mapping: dict = None
    # Its title and address.
    link: tuple = None
    width: int = None

    def properties(self):
        found = [dashboard.DynamicConfigValue("unit", self.unit)]
        if self.mapping:
            found.append(dashboard.DynamicConfigValue("mappings", words(self.mapping)))
        if self.colors:
            found.append(dashboard.DynamicConfigValue("thresholds", self.colors.build()))
        if self.mapping or self.colors:
            found.append(
                dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"})
            )
        if self.link:
            link = {"title": self.link[0], "url": self.link[1], "targetBlank": False}
            found.append(dashboard.DynamicConfigValue("links", [link]))
        if self.width:
            found.append(dashboard.DynamicConfigValue("custom.width", self.width))
        return found


def table(title, text, *asked, columns, sort, shows, hidden=(), dropped=(), width=24, height=8, runbooks=(), empty="–"):
    """One row for each set of labels. `columns` in their order; `sort`: the title of the column it goes by, downwards.

    `hidden`: labels that only links need; `dropped`: labels and values that nobody does.
    """
    builder = table_builders.Panel().show_header(True).cell_height(common.TableCellHeight.SM).no_value(empty)
    builder.unit(units.NoUnit)

    def source(name):
        """How Grafana calls the field of a label, or of the value of a query."""
        if len(name) > 1:
            return name
        return f"Value #{name}" if len(asked) > 1 else "Value"

    order = [source(column.field) for column in columns] + list(hidden)
    organized = {
        "excludeByName": {name: True for name in ("Time", *map(source, dropped))},
        "includeByName": {},
        "indexByName": {name: index for index, name in enumerate(order)},
        "renameByName": {source(column.field): column.title for column in columns},
    }
    builder.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    builder.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=organized))
    for column in columns:
        builder.override_by_name(column.title, column.properties())
    for name in hidden:
        builder.override_by_name(name, [dashboard.DynamicConfigValue("custom.hidden", True)])
    builder.sort_by([common_builders.TableSortByFieldState().display_name(sort).desc(True)])
    return tile(builder, title, text, asked, width, height, shows, runbooks)


def small(*arguments, **options):
    """A graph of which three stand in a row."""
    return graph(*arguments, **{"width": 8, "height": 7, **options})


def gauge(metric, *matchers):
    return query(queries.named(queries.select(metric, *matchers)))


def level(title, text, unit, metric, limit, what, shows, runbook=None, alert_share=None, more=None):
    """A gauge and its limit; the line of the alert is a share of it."""
    asked = [
        query(queries.named(queries.total(queries.select(metric), ())), "{{name}} " + what),
        query(queries.named(queries.select(limit)), "{{name}} limit"),
    ]
    if alert_share:
        asked.append(query(queries.named(f"{alert_share} * {queries.select(limit)}"), "{{name}} alert"))
    if more:
        asked.append(more)
    colors = {".* limit": BAD, ".* alert": WARN}
    runbooks = (runbook,) if runbook else ()
    return small(title, text, unit, *asked, shows=shows, colors=colors, runbooks=runbooks, calcs=("lastNotNull", "max"))
