# SPDX-License-Identifier: Apache-2.0
"""The generator of the dashboards, as a module of the tests."""

import json
import sys

from proxy_process import ROOT

SOURCE = ROOT / "grafana/src"
sys.path.insert(0, str(SOURCE))
# Its modules have short names; nothing else may find them.
try:
    import alert_rules  # noqa: F401
    import draw  # noqa: F401
    import generate
finally:
    sys.path.remove(str(SOURCE))

BOARDS = {board.uid: board for board in generate.boards()}
DASHBOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(generate.DIRECTORY.glob("*.json"))
}
