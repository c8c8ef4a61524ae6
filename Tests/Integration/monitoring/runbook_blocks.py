# SPDX-License-Identifier: Apache-2.0
"""The command blocks of a runbook, as a person would paste them, and what runs them in a test.

    for block in runbook_blocks.blocks("McpServerCrashed"):
        print(block.step, block.kind, block.text)
        done = runbook_blocks.run(block, {"NAME": "time", "INSTANCE": "127.0.0.1:9464"}, prometheus_port=9090)

A runbook marks commands as `sh` and what they print as `text`. The first block of its Diagnosis sets variables, with
an example as the value: `NAME=time INSTANCE=127.0.0.1:9464`. All other blocks work as they are once those are set, so
that a person fills them in once, and a test hands in its own.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass

from proxy_process import ROOT

DIRECTORY = ROOT / "runbooks"
PROMETHEUS = "http://127.0.0.1:9090"
HEADING = re.compile(r"^(#+) (.*)$")
STEP = re.compile(r"^(\d+)\. ")
FENCE = re.compile(r"^ *```(\w*)$")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S+")
# The kind of a block is what its first command runs.
KINDS = {"promtool query": "promql", "journalctl": "journal", "docker": "docker", "systemctl": "systemctl"}


@dataclass(frozen=True)
class Block:
    """One block between fences.

    `kind` is set (the variables), promql, journal, docker, systemctl or shell (all other commands), or, for what is no
    command, the word behind the fence: text, yaml, ini. `section` is the heading above it, `step` its number in the
    section or None, `line` where it begins in the file.
    """

    runbook: str
    section: str
    step: int | None
    kind: str
    text: str
    line: int

    def __str__(self):
        return f"{self.runbook}.md:{self.line} ({self.kind})"

    @property
    def is_command(self):
        return self.kind in ("promql", "journal", "docker", "systemctl", "shell")

    @property
    def variables(self):
        """What a block of the kind `set` sets: name and example."""
        assert self.kind == "set", self
        return dict(word.split("=", 1) for word in shlex.split(self.text, comments=True))


def runbooks():
    """The names of all runbooks: those of alerts."""
    return sorted(path.stem for path in DIRECTORY.glob("*.md") if path.stem != "README")


def text(runbook):
    return (DIRECTORY / f"{runbook}.md").read_text(encoding="utf-8")


def blocks(runbook, *kinds, section=None):
    """The blocks of a runbook in their order; of these kinds and of this section only, when some are named."""
    found = parse(runbook, text(runbook))
    return [b for b in found if (not kinds or b.kind in kinds) and section in (None, b.section)]


def parse(runbook, markdown):
    """All blocks of the text of a runbook."""
    found, section, step, opened = [], "", None, None
    for number, line in enumerate(markdown.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is not None:
            if fence:
                language, start, lines = opened
                body = "".join(f"{each}\n" for each in dedent(lines))
                found.append(Block(runbook, section, step, kind(language, body), body, start))
                opened = None
            else:
                opened[2].append(line)
        elif fence:
            opened = (fence[1], number, [])
        elif heading := HEADING.match(line):
            section, step = heading[2], None
        elif numbered := STEP.match(line):
            step = int(numbered[1])
    assert opened is None, f"{runbook}: the block of line {opened[1]} has no end"
    return found


def dedent(lines):
    """Without the spaces a block has in front because it belongs to a step."""
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[width:] for line in lines]


def kind(language, body):
    if language != "sh":
        return language or "text"
    words = shlex.split(body, comments=True)
    if words and all(ASSIGNMENT.fullmatch(word) for word in words):
        return "set"
    return KINDS.get(words[0], KINDS.get(" ".join(words[:2]), "shell"))


def run(block, variables, prometheus_port=None, prefix=(), timeout=30):
    """Runs a command block as written in bash, which stops at the first failure, and returns the finished process.

    Only the address of Prometheus is another: that on `prometheus_port`. `prefix` is a command that runs the rest of
    its arguments elsewhere, such as `journal.inside()`. The variables are set as if the first block had set them.
    """
    assert block.is_command, block
    script = block.text
    if prometheus_port:
        script = script.replace(PROMETHEUS, f"http://127.0.0.1:{prometheus_port}")
    return subprocess.run(
        [*prefix, "bash", "-euo", "pipefail", "-c", script],
        # Nobody sits there to page through it.
        env={**os.environ, **variables, "SYSTEMD_PAGER": "cat", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
    )
