# SPDX-License-Identifier: Apache-2.0
"""Writes grafana/dashboards/*.json. `--check` writes nothing, and fails where a file is not what its source says."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from fleet import fleet
from server import server
from slo import slo
from telemetry import telemetry

DIRECTORY = Path(__file__).resolve().parents[1] / "dashboards"
BOARDS = (fleet, server, slo, telemetry)


def boards():
    return [make() for make in BOARDS]


def files():
    """What each file has to be, by its path."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {DIRECTORY / f"{board.uid}.json": encoder.encode(board.model) + "\n" for board in boards()}


def stale():
    """The files that are not what their source says."""
    wanted = files()
    other = [path for path in DIRECTORY.glob("*.json") if path not in wanted]
    return other + [p for p, text in wanted.items() if not p.exists() or p.read_text(encoding="utf-8") != text]


def main(check):
    if check:
        for path in (different := stale()):
            print(f"{path} is not what its source says: run `make dashboards`", file=sys.stderr)
        return 1 if different else 0
    DIRECTORY.mkdir(exist_ok=True)
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
