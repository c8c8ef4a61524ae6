# SPDX-License-Identifier: Apache-2.0
"""Draws the dashboards as pictures, from a recorded run of real proxies: what is in docs/img/dashboard-*.png.

This is not Grafana: it places panels as their JSON says, asks what they ask, and draws what comes.
"""

import json
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

import alert_rules  # noqa: E402

TESTS = alert_rules.ROOT / "Tests/Integration"
sys.path[:0] = [str(TESTS), str(TESTS / "monitoring")]

import dashboard_queries  # noqa: E402
import recorded_run  # noqa: E402
from draw_panels import BACK, DIM, INK, KINDS, PANEL, Area  # noqa: E402
from draw_values import color  # noqa: E402
from generate import DIRECTORY, boards  # noqa: E402

PICTURES = alert_rules.ROOT / "docs/img"
WIDTH, UNIT, GAP, TOP = 1600, 38, 8, 64
DPI = 100
# Of which instance the dashboard for one server is drawn.
SHOWN = "crash"


class Picture:
    """One dashboard, being drawn. All lengths are in pixels."""

    def __init__(self, dashboard, server, view):
        self.dashboard, self.server, self.view = dashboard, server, view
        units = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
        self.width, self.height = WIDTH, TOP + units * UNIT + 26
        self.figure = Figure(figsize=(WIDTH / DPI, self.height / DPI), dpi=DPI, facecolor=BACK)
        self.canvas = self.figure.add_axes((0, 0, 1, 1))
        self.canvas.set_xlim(0, self.width)
        self.canvas.set_ylim(self.height, 0)
        self.canvas.axis("off")
        self.marks = self._marks()

    legend = staticmethod(dashboard_queries.legend)
    ticks = staticmethod(MaxNLocator)

    def step(self, panel):
        return self.view.interval(dashboard_queries.points(panel))

    def _marks(self):
        found = []
        for each in self.dashboard["annotations"]["list"]:
            target = {"expr": each["expr"]}
            for _, values in dashboard_queries.ask(self.server, target, self.view, {"gridPos": {"w": 6}}):
                found += [(when, color(each["iconColor"])) for when, _ in starts(values)]
        return found

    def draw(self, chosen):
        head = Area(self, GAP * 2, 8, WIDTH - 4 * GAP, 44)
        head.write(self.dashboard["title"], 0, 0.4, 15, INK, weight="bold")
        head.write(self.dashboard["description"], 0, 0.95, 9.5, DIM)
        head.write(chosen, 1, 0.4, 9.5, INK, "right")
        head.write("drawn by the project's own tool from recorded data, not by Grafana", 1, 0.95, 8.5, DIM, "right")
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            column = (WIDTH - 2 * GAP) / dashboard_queries.GRID
            x, y = GAP + place["x"] * column, TOP + place["y"] * UNIT
            area = Area(self, x + GAP / 2, y + GAP / 2, place["w"] * column - GAP, place["h"] * UNIT - GAP)
            if panel["type"] == "row":
                area.write("▾  " + panel["title"], 0.004, 0.5, 11.5, INK, weight="bold")
            else:
                self._panel(panel, area)

    def _panel(self, panel, area):
        area.box(PANEL, 4, "#26282e")
        area.inside(left=10, right=10).write(
            panel["title"], 0, 16 / area.height, 9.5, INK, weight="bold", limit=area.width * 1.05
        )
        found = dashboard_queries.results(self.server, panel, self.view)
        KINDS[panel["type"]](panel, found, area.inside(top=30, bottom=4, left=3, right=3), self)

    def save(self, path):
        self.figure.savefig(path, dpi=DPI, facecolor=BACK, metadata={"Software": None})


def starts(values):
    """Of values one after the other, the first of each run: Grafana draws the rest as a region."""
    last = None
    for when, value in values:
        if last is None or when - last > 60:
            yield when, value
        last = when


def draw_all(server, recording):

    for board in boards():
        dashboard = json.loads((DIRECTORY / f"{board.uid}.json").read_text(encoding="utf-8"))
        one = board.uid == "mcp-proxy-server"
        instances = [recording.instances[SHOWN]] if one else [dashboard_queries.ALL]
        values = {"job": [recorded_run.JOB], "instance": instances}
        view = dashboard_queries.View(recorded_run.END - recorded_run.HOUR, recorded_run.END, values)
        picture = Picture(dashboard, server, view)
        picture.draw(f"Instance: {instances[0] if one else 'All'}   ·   Last 1 hour")
        picture.save(PICTURES / f"dashboard-{board.uid.removeprefix('mcp-proxy-')}.png")


def main():
    with tempfile.TemporaryDirectory(prefix="pictures-") as directory:
        server, recording = recorded_run.recorded(Path(directory))
        try:
            draw_all(server, recording)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
