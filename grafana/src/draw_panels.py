# SPDX-License-Identifier: Apache-2.0
"""Draws the panels: each from its JSON and the series that its queries gave."""

from datetime import datetime, timezone

import numpy
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.patches import FancyBboxPatch, Rectangle

from draw_values import PALETTE, Look, fixed_color, text

BACK, PANEL, LINE, INK, DIM = "#111217", "#1b1d22", "#33363d", "#d8d9df", "#8e9099"
LEGEND_LINE = 17
HEAT = LinearSegmentedColormap.from_list("heat", ("#26375c", "#2f7f9e", "#5bc07a", "#f0d13c", "#e0434f"))


class Area:
    """A rectangle of the picture, in pixels from the top left corner."""

    def __init__(self, picture, x, y, width, height):
        self.picture = picture
        self.x, self.y, self.width, self.height = x, y, width, height

    def inside(self, left=0, top=0, right=0, bottom=0):
        width, height = self.width - left - right, self.height - top - bottom
        return Area(self.picture, self.x + left, self.y + top, width, height)

    def box(self, color, radius=3, edge="none"):
        style = f"round,pad=0,rounding_size={radius}"
        patch = FancyBboxPatch(
            (self.x, self.y), self.width, self.height, style, facecolor=color, edgecolor=edge, lw=0.8
        )
        self.picture.canvas.add_patch(patch)

    def write(self, words, x=0.0, y=0.5, size=9, color=INK, align="left", weight="normal", limit=None):
        """Text at a share of the width and height, cut to `limit` pixels."""
        words = str(words)
        if limit:
            letters = max(1, int(limit / (size * 0.70)))
            words = words if len(words) <= letters else words[: letters - 1] + "…"
        place = (self.x + x * self.width, self.y + y * self.height)
        style = {"fontsize": size, "color": color, "ha": align, "va": "center", "fontweight": weight}
        self.picture.canvas.text(*place, words, **style)

    def axes(self):
        """Axes of their own, for a graph."""
        picture = self.picture
        place = (
            self.x / picture.width,
            1 - (self.y + self.height) / picture.height,
            self.width / picture.width,
            self.height / picture.height,
        )
        axes = picture.figure.add_axes(place, facecolor="none")
        axes.tick_params(colors=DIM, labelsize=7.5, length=0, pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.grid(color=LINE, lw=0.5)
        axes.set_axisbelow(True)
        return axes


def named_series(panel, found, legend):
    """All series of a panel with their names."""
    return [
        (legend(target.get("legendFormat", ""), labels).strip(), labels, values)
        for target in panel["targets"]
        for labels, values in found[target["refId"]]
    ]


def stat(panel, found, area, picture):
    look = Look(panel["fieldConfig"]["defaults"])
    solid = panel["options"]["colorMode"] == "background_solid"
    series = named_series(panel, found, picture.legend) or [("", {}, [])]
    each = area.width / len(series)
    for index, (name, _, values) in enumerate(series):
        value = values[-1][1] if values else None
        part = Area(area.picture, area.x + index * each, area.y, each, area.height)
        color = look.color(value) or INK
        plain = color == INK or color == "#d5d6dc"
        if solid and not plain:
            part.box(color)
        words = look.text(value) if value is not None else panel["fieldConfig"]["defaults"].get("noValue", "–")
        size = min(27, area.height * 0.3, each / max(len(words), 2) * 0.85)
        part.write(words, 0.5, 0.52, size, "white" if solid and not plain else color, "center", "bold")
        if len(series) > 1:
            part.write(name, 0.5, 0.88, 8, INK, "center")


def line_colors(panel, names):
    """A colour for each series, those of overrides first."""
    palette = iter(PALETTE * (len(names) // len(PALETTE) + 1))
    return [fixed_color(panel, name) or next(palette) for name in names]


def time_axis(axes, picture):
    axes.set_xlim(picture.view.start, picture.view.end)
    step = 600 if picture.view.range <= 3600 else picture.view.range / 6
    ticks = numpy.arange(numpy.ceil(picture.view.start / step) * step, picture.view.end, step)
    axes.set_xticks(ticks, [datetime.fromtimestamp(tick, timezone.utc).strftime("%H:%M") for tick in ticks])


def thresholds(panel, axes, unit):
    style = panel["fieldConfig"]["defaults"].get("custom", {}).get("thresholdsStyle", {})
    if style.get("mode") != "dashed":
        return []
    look = Look(panel["fieldConfig"]["defaults"])
    lines = [(step["value"], look.color(step["value"])) for step in look.steps if step.get("value") is not None]
    for value, color in lines:
        axes.axhline(value, color=color, lw=1.2, ls=(0, (5, 3)))
    return [value for value, _ in lines]


def timeseries(panel, found, area, picture):
    defaults = panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    series = [each for each in named_series(panel, found, picture.legend) if each[2]]
    if not series:
        return area.write(defaults.get("noValue", "No data"), 0.5, 0.5, 10, DIM, "center")
    step = picture.step(panel)
    start, end = (int(when // step * step) for when in (picture.view.start, picture.view.end))
    grid = numpy.arange(start, end + 1, step)
    matrix = numpy.full((len(series), len(grid)), numpy.nan)
    for index, (_, _, values) in enumerate(series):
        for when, value in values:
            matrix[index, int((when - start) // step)] = value
    colors = line_colors(panel, [name for name, _, _ in series])
    rows = min(len(series), 4 if len(series) != 5 else 5)
    legend_height = LEGEND_LINE * (rows + 1) + 4
    axes = area.inside(left=58, right=12, top=4, bottom=22 + legend_height).axes()
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    base = numpy.zeros(len(grid))
    for index, color in enumerate(colors):
        values = matrix[index]
        if stacked:
            top = base + numpy.nan_to_num(values)
            if custom["drawStyle"] == "bars":
                axes.bar(grid, top - base, step, bottom=base, color=color, lw=0, antialiased=False)
            else:
                axes.fill_between(grid, base, top, color=color, alpha=0.55, lw=0, step=None)
                axes.plot(grid, top, color=color, lw=1)
            base = top
        else:
            axes.plot(grid, values, color=color, lw=1.6)
            lonely = ~numpy.isnan(values) & numpy.isnan(numpy.roll(values, 1)) & numpy.isnan(numpy.roll(values, -1))
            axes.plot(grid[lonely], values[lonely], ".", color=color, ms=4)
    highest = numpy.nanmax(base if stacked else matrix)
    lines = thresholds(panel, axes, unit)
    # Grafana does not make room for a threshold far above.
    top = defaults.get("max") or max([highest, *[line for line in lines if line < 2 * highest]]) * 1.12
    axes.set_ylim(defaults.get("min", 0), top if top > 0 else 1)
    marks(axes, picture)
    time_axis(axes, picture)
    axes.yaxis.set_major_locator(picture.ticks(4))
    axes.yaxis.set_major_formatter(lambda value, _: text(value, unit))
    legend(panel, area, series, matrix, colors, rows)


def marks(axes, picture):
    """Annotations: crashes, restarts, reloads."""
    for when, color in picture.marks:
        axes.axvline(when, color=color, lw=0.9, ls=(0, (2, 2)), alpha=0.9)


def legend(panel, area, series, matrix, colors, rows):
    calcs = panel["options"]["legend"]["calcs"]
    functions = {"mean": numpy.nanmean, "max": numpy.nanmax, "lastNotNull": lambda v: v[~numpy.isnan(v)][-1]}
    titles = {"mean": "Mean", "max": "Max", "lastNotNull": "Last"}
    unit = panel["fieldConfig"]["defaults"]["unit"]
    order = numpy.argsort([-numpy.nanmax(values) for values in matrix], kind="stable")
    top = area.height - LEGEND_LINE * (rows + 1) - 2
    for number, calc in enumerate(reversed(calcs)):
        area.write(titles[calc], 1 - (12 + 82 * number) / area.width, (top + 6) / area.height, 7.5, "#6ea6ff", "right")
    if len(series) > rows:
        area.write(f"{rows} of {len(series)}", 12 / area.width, (top + 6) / area.height, 7.5, DIM)
    for row, index in enumerate(order[:rows]):
        y = (top + LEGEND_LINE * (row + 1) + 6) / area.height
        mark = Rectangle((area.x + 12, area.y + y * area.height - 2), 14, 4, facecolor=colors[index])
        area.picture.canvas.add_patch(mark)
        limit = area.width - 40 - 82 * len(calcs)
        area.write(series[index][0], 32 / area.width, y, 8, INK, limit=limit)
        for number, calc in enumerate(reversed(calcs)):
            shown = text(float(functions[calc](matrix[index])), unit)
            area.write(shown, 1 - (12 + 82 * number) / area.width, y, 8, INK, "right")


def stretches(values, step):
    """From when to when a series had which value."""
    found = []
    for when, value in values:
        if found and found[-1][2] == value and when - found[-1][1] <= step:
            found[-1][1] = when
        else:
            found.append([when, when, value])
    return found


def state_timeline(panel, found, area, picture):
    look = Look(panel["fieldConfig"]["defaults"])
    series = sorted(named_series(panel, found, picture.legend))
    if not series:
        return area.write("No data", 0.5, 0.5, 10, DIM, "center")
    left = max(78, 12 + 7 * max(len(name) for name, _, _ in series))
    axes = area.inside(left=left, right=12, top=2, bottom=40).axes()
    axes.grid(False)
    step = picture.step(panel)
    for row, (_, _, values) in enumerate(series):
        for begin, end, value in stretches(values, step):
            axes.broken_barh([(begin - step, end - begin + step)], (row - 0.4, 0.8), facecolor=look.color(value), lw=0)
    axes.set_yticks(range(len(series)), [name for name, _, _ in series], color=INK, fontsize=8.5)
    axes.set_ylim(len(series) - 0.5, -0.5)
    marks(axes, picture)
    time_axis(axes, picture)
    x = 78
    seen = {str(round(value)) for _, _, values in series for _, value in values}
    for key, mapped in look.mappings.items():
        if key in seen:
            y = area.y + area.height - 10
            area.picture.canvas.add_patch(Rectangle((area.x + x, y - 4), 9, 9, facecolor=look.color(float(key))))
            area.write(mapped["text"], (x + 14) / area.width, (area.height - 9) / area.height, 8)
            x += 34 + 7 * len(mapped["text"])


def heatmap(panel, found, area, picture):
    series = [each for values in found.values() for each in values]
    bounds = sorted({float(labels["le"]) for labels, _ in series})
    if not bounds:
        return area.write("No data", 0.5, 0.5, 10, DIM, "center")
    step = picture.step(panel)
    start, end = (int(when // step * step) for when in (picture.view.start, picture.view.end))
    counts = numpy.zeros((len(bounds), (end - start) // step + 1))
    for labels, values in series:
        for when, value in values:
            counts[bounds.index(float(labels["le"])), int((when - start) // step)] = value
    cells = numpy.diff(counts, axis=0, prepend=0)
    axes = area.inside(left=58, right=12, top=4, bottom=24).axes()
    axes.grid(False)
    edges = numpy.arange(start - step, end + step, step)
    shown = numpy.ma.masked_less(cells, 1e-9)
    axes.pcolormesh(edges, range(len(bounds) + 1), shown, cmap=HEAT, norm=LogNorm(max(shown.min(), 1e-3), shown.max()))
    labels = ["more" if bound == numpy.inf else text(bound, "s") for bound in bounds]
    axes.set_yticks(numpy.arange(1, len(bounds) + 1)[::2], labels[::2])
    used = numpy.flatnonzero(cells.sum(axis=1) > 1e-9)
    axes.set_ylim(max(0, used[0] - 1), min(len(bounds), used[-1] + 2))
    marks(axes, picture)
    time_axis(axes, picture)


def bargauge(panel, found, area, picture):
    defaults = panel["fieldConfig"]["defaults"]
    look = Look(defaults)
    series = [(name, values[-1][1]) for name, _, values in named_series(panel, found, picture.legend)]
    if not series:
        return area.write(defaults.get("noValue", "No data"), 0.5, 0.5, 10, DIM, "center")
    low = defaults.get("min", 0)
    high = defaults.get("max") or max(value for _, value in series) or 1
    height = min(34, (area.height - 8) / len(series))
    names = min(190, area.width * 0.3)
    for row, (name, value) in enumerate(series):
        line = Area(area.picture, area.x + 10, area.y + 4 + row * height, area.width - 20, height - 6)
        line.write(name, 0, 0.5, 9, limit=names)
        full = Area(area.picture, line.x + names, line.y, line.width - names - 76, line.height)
        full.box("#2a2d34")
        share = min(max((value - low) / (high - low), 0.004), 1)
        Area(area.picture, full.x, full.y, full.width * share, full.height).box(look.color(value))
        line.write(look.text(value), 1, 0.5, 9.5, look.color(value), "right", "bold")


def merged(panel, found):
    """The rows of a table: the queries' results, joined by the labels they have in common."""
    letters = [target["refId"] for target in panel["targets"]]
    labels = [set(series) for letter in letters for series, _ in found[letter]]
    common = set.intersection(*labels) - {"__name__"} if labels else set()
    rows = {}
    for letter in letters:
        for series, values in found[letter]:
            keys = common if len(letters) > 1 else set(series)
            row = rows.setdefault(tuple(sorted((key, series[key]) for key in keys)), {})
            row.update(series)
            row[f"Value #{letter}" if len(letters) > 1 else "Value"] = values[-1][1]
    return list(rows.values())


def table(panel, found, area, picture):
    organized = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    overrides = {each["matcher"]["options"]: each["properties"] for each in panel["fieldConfig"]["overrides"]}
    columns = []
    for field in sorted(organized["indexByName"], key=organized["indexByName"].get):
        title = organized["renameByName"].get(field, field)
        look = Look(panel["fieldConfig"]["defaults"], overrides.get(title, ()))
        if not look.is_hidden:
            columns.append((field, title, look))
    rows = merged(panel, found)
    if not rows:
        return area.write(panel["fieldConfig"]["defaults"]["noValue"], 0.5, 0.5, 10, DIM, "center")
    sort = panel["options"]["sortBy"][0]
    by = next(field for field, title, _ in columns if title == sort["displayName"])
    rows.sort(key=lambda row: -row.get(by, -1))
    given = sum(look.width or 0 for _, _, look in columns)
    free = (area.width - 16 - given) / max(1, sum(not look.width for _, _, look in columns))
    x = 8
    height = 27
    for field, title, look in columns:
        width = look.width or free
        head = Area(area.picture, area.x + x, area.y, width, 24)
        is_text = all(isinstance(row.get(field), (str, type(None))) for row in rows)
        align, place = ("left", 6 / width) if is_text or look.mappings else ("right", 1 - 8 / width)
        head.write(title, place, 0.5, 8.5, "#6ea6ff", align, "bold", limit=width)
        for number, row in enumerate(rows):
            if (number + 1) * height + 22 > area.height:
                break
            cell = Area(area.picture, area.x + x, area.y + 24 + number * height, width, height)
            value = row.get(field)
            color = look.color(value)
            filled = look.is_colored and color
            if filled:
                cell.inside(1, 1, 1, 1).box(color, 2)
            words = "" if value is None and is_text else look.text(value)
            ink = "white" if filled else "#7fb2ff" if look.has_link else INK
            cell.write(words, place, 0.5, 9, ink, align, limit=width - 8)
        x += width
    for number in range(min(len(rows), int((area.height - 24) / height))):
        y = area.y + 24 + number * height
        area.picture.canvas.plot([area.x + 8, area.x + area.width - 8], [y, y], color=LINE, lw=0.6)


KINDS = {
    "stat": stat,
    "timeseries": timeseries,
    "state-timeline": state_timeline,
    "heatmap": heatmap,
    "bargauge": bargauge,
    "table": table,
}
