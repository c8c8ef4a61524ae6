# SPDX-License-Identifier: Apache-2.0
"""How a value looks: its text by its unit, its colour by thresholds and mappings."""

import math
import re

COLORS = {
    "green": "#3f9c4b",
    "red": "#e0434f",
    "dark-red": "#b01728",
    "orange": "#ee8a2b",
    "yellow": "#e8c527",
    "blue": "#4b86dd",
    "purple": "#a26ac9",
    "text": "#d5d6dc",
    "transparent": None,
}
# For series nobody gave a colour.
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#b877d9", "#5ec4c4", "#c8a06a", "#9aa0a8", "#e58fb0")
DURATIONS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
SHORT = ((1e9, " G"), (1e6, " M"), (1e3, " K"), (1, ""))
BYTES = ((2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B"))


def color(name):
    return COLORS.get(name, name)


def digits(value):
    """Three digits that count, without zeros at the end."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scaled(value, sizes):
    size, name = next(((size, name) for size, name in sizes if abs(value) >= size), sizes[-1])
    return digits(value / size) + name


def text(value, unit, decimals=None):
    """The value as Grafana writes it, nearly."""
    if value is None:
        return "–"
    if unit == "percentunit":
        return f"{value * 100:.{decimals}f} %" if decimals is not None else f"{digits(value * 100)} %"
    if value == 0:
        return "0"
    if unit == "s":
        return scaled(value, [(size, " " + name) for size, name in DURATIONS])
    if unit == "bytes":
        return scaled(value, BYTES)
    if unit in ("reqps", "cps"):
        return f"{digits(value)} {'req/s' if unit == 'reqps' else 'c/s'}"
    return scaled(value, SHORT) if abs(value) >= 1000 else digits(value)


class Look:
    """What the configuration of a field makes of a value."""

    def __init__(self, defaults, properties=()):
        given = {each["id"]: each["value"] for each in properties}
        self.unit = given.get("unit", defaults.get("unit", "none"))
        self.decimals = defaults.get("decimals")
        self.mappings = {}
        for mapping in given.get("mappings", defaults.get("mappings", [])):
            self.mappings.update(mapping["options"])
        thresholds = given.get("thresholds", defaults.get("thresholds") or {})
        self.steps = thresholds.get("steps", [])
        self.is_colored = "custom.cellOptions" in given
        self.has_link = "links" in given
        self.width = given.get("custom.width")
        self.is_hidden = given.get("custom.hidden", False)

    def text(self, value):
        mapped = self.mappings.get(str(round(value))) if isinstance(value, float) else None
        if mapped:
            return mapped["text"]
        return value if isinstance(value, str) else text(value, self.unit, self.decimals)

    def color(self, value):
        if value is None or isinstance(value, str):
            return None
        if mapped := self.mappings.get(str(round(value))):
            return color(mapped["color"])
        reached = [step["color"] for step in self.steps if step.get("value") is None or value >= step["value"]]
        return color(reached[-1]) if reached else None


def fixed_color(panel, legend):
    """The colour an override gives to a series."""
    for override in panel["fieldConfig"].get("overrides", []):
        matcher = override["matcher"]
        if matcher["id"] == "byRegexp" and re.fullmatch(matcher["options"], legend):
            for each in override["properties"]:
                if each["id"] == "color":
                    return color(each["value"]["fixedColor"])
    return None
