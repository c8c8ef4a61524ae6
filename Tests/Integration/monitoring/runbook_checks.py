# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with the text of a runbook: every name in it is looked up where it is declared.

`problems(NAME, MARKDOWN)` gives sentences, none for a runbook that is right.
"""

import functools
import itertools
import re
import shlex
import subprocess

import yaml

import metrics_catalogue
import runbook_blocks
from journal import CATALOGUE, KINDS, journal_name
from metrics_catalogue import DIRECTORY
from proxy_process import ROOT, run
from runbook_blocks import parse

SECTIONS = [
    "Meaning", "Impact", "Diagnosis", "Mitigation", "Resolution", "False positives and tuning",
]  # fmt: skip

# What is no metric of the proxy: of Prometheus, of the blackbox exporter, and its module.
FOREIGN_METRICS = {
    "up", "ALERTS", "scrape_duration_seconds", "prometheus_rule_evaluation_failures_total",
    "probe_success", "probe_http_status_code", "probe_ssl_earliest_cert_expiry", "mcp_https",
}  # fmt: skip
TARGET_LABELS = {"job", "instance", "name", "le", "alertname", "alertstate"}
METRIC = re.compile(r"\b(?:instance\w*:\w+(?::\w+)?|(?:mcp|process|http_server|probe)_\w+)")
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\{([^{}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*'([^']*)'")
GROUPING = re.compile(r"\b(?:by|without|on|group_left|ignoring)\s*\(([^)]*)\)")

EVENT = re.compile(
    r"(?<!-)\b(?:proxy|config|upstream|session|stream|request|requests|client|message|http|security|connection|telemetry"
    r"|container|engine|image)"
    r"\.[a-z_]+\b(?!\()"
)
FIELD = re.compile(r"\b(?:MCP_[A-Z_]+|EXIT_[A-Z]+|N_RESTARTS|TRACE_ID|SPAN_ID)\b")
ALERT = re.compile(r"\bMcp[A-Z]\w*")
LINK = re.compile(r"\]\(([^)\s]+)\)")

# Programs, what they are told to do where that matters, and their options. Those the tests can't run (docker, systemctl
# and the like) are held against this alone.
PROGRAMS = {
    "amtool": ("alert silence", "--alertmanager.url --duration --comment"),
    "cat": (None, ""),
    "certbot": ("certificates renew", "--dry-run --deploy-hook"),
    "curl": (None, "-s -sv -m -o -w"),
    "df": (None, "-h"),
    "docker": (
        "events exec images info logs ps pull rm stats system tag",
        "--all --filter --force --format --no-stream --quiet --since --tail --until -f -p",
    ),
    "echo": (None, ""),
    "free": (None, "-m"),
    "grep": (None, "-e -i -n -o"),
    "head": (None, "-n"),
    "install": (None, "-m"),
    "journalctl": (None, "--disk-usage --output-fields --since --vacuum-size -k -n -o -p -u -x"),
    "ls": (None, "-l"),
    "mcp-proxy": (None, "--config --check-config"),
    "nginx": (None, "-t"),
    "promtool": ("query check", ""),
    "sort": (None, "-rn"),
    "ss": (None, "-ltnp -tn"),
    "systemctl": (
        "cat is-active list-timers list-units reload reset-failed restart set-property show start status stop",
        "--all --no-pager --plain --runtime -P -n -p",
    ),
    "tail": (None, "-n"),
    "tr": (None, ""),
    "uniq": (None, "-c"),
    "uptime": (None, ""),
    "wc": (None, "-l"),
}
# Options of `docker run` and Prometheus that the text speaks of.
OF_OTHERS = {"cpus", "init", "rm", "storage.tsdb.retention.time"}
SEPARATORS = {"|", "||", "&&", ";", "&", "{", "}", "()"}

# Which set of values a column of a table holds, by its heading.
COLUMNS = {
    "`MCP_REASON`": ("exitReason",),
    "Reason of its ends": ("exitReason",),
    "State": ("readinessState",),
    "Outcome": ("outcome",),
    "Kind": ("protocolViolation",),
    "Reason in the metric": ("rejectReason",),
    "Reason": ("rejectReason", "exportFailure", "journalLoss"),
}


@functools.cache
def metrics():
    """Labels by name of metric, those of histograms with their suffixes, and recorded series without any."""
    found = {name: set() for name in FOREIGN_METRICS}
    for row in metrics_catalogue.rows().values():
        suffixes = ("", "_bucket", "_sum", "_count") if row.kind == "histogram" else ("",)
        for suffix in suffixes:
            found[row.name + suffix] = set(row.labels)
    for rule in rules("recording"):
        found[rule["record"]] = {"gen_ai_tool_name"} if rule["record"].startswith("instance_tool:") else set()
    return found


@functools.cache
def vocabularies():
    """The closed sets of values by name."""
    rows = metrics_catalogue.rows()
    declared = metrics_catalogue.json.loads((DIRECTORY / "metrics.json").read_text(encoding="utf-8"))["vocabularies"]
    losses = [
        *rows["mcp_proxy_journal_events_dropped_total"].labels["reason"],
        *rows["mcp_proxy_trace_spans_dropped_total"].labels["reason"],
    ]
    return {**declared, "journalLoss": losses}


def rules(kind, name="*"):
    """All rules of prometheus/alerts or prometheus/recording, or those of one file."""
    for path in sorted((ROOT / "prometheus" / kind).glob(f"{name}.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


@functools.cache
def alerts():
    """The rules of each alert by its name."""
    found = {}
    for rule in rules("alerts"):
        found.setdefault(rule["alert"], []).append(rule)
    return found


@functools.cache
def fields(event=None):
    """The names of the journal's fields: of one kind of event with those all entries have, or of all kinds."""
    common = {f["name"] for f in CATALOGUE["journalFields"] if event is None or event in f.get("events", [event])}
    kinds = KINDS.values() if event is None else [KINDS[event]]
    return common | {journal_name(field["name"]) for kind in kinds for field in kind["fields"]}


@functools.cache
def options():
    """The options of the proxy: `--queue`."""
    return set(re.findall(r"--(?:\[no-\])?([a-z-]+)", run("--help").stdout))


def problems(name, markdown):
    """What is wrong with this runbook."""
    found = [*names(markdown), *links(name, markdown), *tables(markdown)]
    for block in parse(name, markdown):
        if block.is_command or block.kind == "set":
            found += commands(block)
    if name != "README":
        found += structure(name, markdown)
    return found


def structure(name, markdown):
    headings = [line for line in re.sub(r"```.*?```", "", markdown, flags=re.S).splitlines() if line.startswith("#")]
    if headings != [f"# {name}", *(f"## {section}" for section in SECTIONS)]:
        yield f"headings: {headings}"
        return
    section = dict(zip(SECTIONS, re.split(r"^## .*\n", markdown, flags=re.M)[1:]))
    steps = re.split(r"^\d+\. ", section["Diagnosis"], flags=re.M)
    numbers = re.findall(r"^(\d+)\. ", section["Diagnosis"], re.M)
    if numbers != [str(number) for number in range(1, len(steps))] or len(steps) < 4:
        yield f"steps of Diagnosis: {numbers}"
    for number, step in enumerate(steps[1:], 1):
        if "```sh" not in step:
            yield f"step {number} has no command"
        if "Good:" not in step or "Bad:" not in step:
            yield f"step {number} does not say what is good and what is bad"
    kinds = {block.kind for block in parse(name, markdown) if block.section == "Diagnosis"}
    if not {"promql", "journal"} <= kinds:
        yield f"Diagnosis lacks a promql or a journal block: {kinds}"
    if "docker" not in section["Diagnosis"]:
        yield "Diagnosis has no docker command"
    if " -x\n" not in section["Diagnosis"]:
        yield "Diagnosis has no journalctl -x"
    if name in alerts():
        yield from (f"Meaning lacks {text!r}" for text in durations(name) if text not in section["Meaning"])


def durations(name):
    """The rule's numbers that the Meaning must repeat: how long it waits, and the window it looks at, as words."""
    units = {"m": "minute", "h": "hour", "d": "day"}
    for rule in alerts()[name]:
        windows = re.findall(r"\[(\d+[mhd])\]", rule["expr"])
        for text in [rule.get("for"), *windows[:1]]:
            if text and text != "0m":
                number, unit = int(text[:-1]), units[text[-1]]
                yield f"{number} {unit}" + ("s" if number > 1 else "")


def names(markdown):
    """Names of metrics, events, fields, alerts and options that are declared nowhere."""
    text = expanded(markdown)
    labels = set().union(*metrics().values()) | TARGET_LABELS
    for metric in METRIC.findall(text):
        if metric not in metrics() and metric not in labels:
            yield f"no metric: {metric}"
    for event in EVENT.findall(text):
        if event not in KINDS and not event.endswith((".yml", ".service")):
            yield f"no event: {event}"
    for field in FIELD.findall(text):
        if field not in fields():
            yield f"no field of the journal: {field}"
    for alert in ALERT.findall(text):
        if alert not in alerts():
            yield f"no alert: {alert}"
    prose = re.sub(r"^ *```.*?^ *```", "", markdown, flags=re.S | re.M)
    known = options() | OF_OTHERS | {flag.lstrip("-") for _, flags in PROGRAMS.values() for flag in flags.split()}
    for option in re.findall(r"(?<![\w-])--([a-z][a-z.-]*)", prose):
        if option not in known:
            yield f"no option: --{option}"
    for key in re.findall(r"`([a-z-]+): [^`]+`", prose):
        if key not in options() and key != "for":
            yield f"no key of the configuration file: {key}"


def expanded(text):
    """The same with `mcp_proxy_(a|b)` written out."""
    return re.sub(
        r"(\w+_)\(([\w|]+)\)", lambda match: " ".join(match[1] + part for part in match[2].split("|")), text
    )


def links(name, markdown):
    for target in LINK.findall(markdown):
        path, _, anchor = target.partition("#")
        file = runbook_blocks.DIRECTORY / (path or f"{name}.md")
        if not file.exists():
            yield f"a link leads nowhere: {target}"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"a link leads to no heading: {target}"


def anchors(markdown):
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", markdown, re.M)}


def tables(markdown):
    """Values in tables that are in no set of the catalogue."""
    headings = []
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.strip().startswith("|") else []
        if not cells or set(line) <= set("|- "):
            headings = headings if cells else []
            continue
        if not headings:
            headings = cells
            continue
        for heading, cell in zip(headings, cells):
            allowed = set(itertools.chain(*(vocabularies()[each] for each in COLUMNS.get(heading, ()))))
            for value in re.findall(r"`([a-z_]+)`", cell) if allowed else []:
                if value not in allowed and value not in metrics():
                    yield f"a table has an unknown {heading}: {value}"


def commands(block):
    """What is wrong with a block of commands."""
    syntax = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    if syntax.returncode:
        yield f"{block}: {syntax.stderr.strip()}"
        return
    if block.kind == "set":
        unknown = block.variables.keys() - {"NAME", "INSTANCE", "TOOL", "URL", "IMAGE", "CONTAINER"}
        yield from (f"{block}: an unknown variable: {variable}" for variable in unknown)
        return
    for words in simple_commands(block.text):
        yield from (f"{block}: {problem}" for problem in command(block, words))


def simple_commands(script):
    """The words of each command of a script."""
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for is_end, words in itertools.groupby(lexer, lambda word: word in SEPARATORS):
            if not is_end:
                yield list(words)


def command(block, words):
    program, *arguments = words
    if program not in PROGRAMS:
        yield f"a program that is not expected: {program}"
        return
    if block.kind == "promql" and words[:2] != ["promtool", "query"]:
        yield f"a block of queries runs {' '.join(words[:2])}, too"
    if block.kind == "journal" and program not in ("journalctl", "sort", "uniq", "head"):
        yield f"a block of journalctl runs {program}, too"
    if words[:2] == ["promtool", "query"]:
        if block.kind != "promql":
            yield "a query in a block of another kind"
        yield from query(arguments[-1])
    if program == "journalctl" and any("=" in a and FIELD.match(a) for a in arguments):
        if block.kind != "journal":
            yield "journalctl for entries of the proxy in a block of another kind"
        yield from matches(arguments)
    verbs, flags = PROGRAMS[program]
    if verbs and arguments and not arguments[0].startswith("-") and arguments[0] not in verbs.split():
        yield f"{program} is told an unexpected {arguments[0]}"
    for flag in itertools.takewhile(lambda argument: argument != "--", arguments):
        if re.match(r"-\w|--\w", flag) and flag.partition("=")[0] not in flags.split():
            yield f"{program} has an unexpected {flag}"


def query(expression):
    """Labels and values in a query that its metrics do not have."""
    everything = set().union(*metrics().values()) | TARGET_LABELS
    for metric, inner in SELECTOR.findall(expression):
        selected = [metric] if metric else [m for m in METRIC.findall(expanded(inner)) if m in metrics()]
        for label, operator, value in MATCHER.findall(inner):
            if label == "__name__":
                continue
            has = set().union(*(metrics().get(each, set()) for each in selected)) | TARGET_LABELS
            if label not in has:
                yield f"{metric or inner} has no label {label}"
                continue
            allowed = values(selected, label)
            for part in value.split("|") if "~" in operator else [value]:
                if allowed and part and not part.startswith("$") and part not in allowed:
                    yield f"{label} of {metric} is never {part}"
    for group in GROUPING.findall(expression):
        for label in filter(None, map(str.strip, group.split(","))):
            if label not in everything and label not in ("event", "state"):
                yield f"no label: {label}"


def values(selected, label):
    """The closed set of a label's values, or None."""
    for metric in selected:
        row = metrics_catalogue.rows().get(re.sub(r"_(bucket|sum|count)$", "", metric))
        if row and row.labels.get(label):
            return row.labels[label]
    return None


def matches(arguments):
    """Fields of a journalctl command that entries of the kinds it asks for do not have, and values they never have."""
    kinds = [a.removeprefix("MCP_EVENT=") for a in arguments if a.startswith("MCP_EVENT=")]
    if any(kind not in KINDS for kind in kinds):
        return  # said already
    has = set().union(*(fields(kind) for kind in kinds)) if kinds else fields()
    asked = [a.partition("=")[0] for a in arguments if FIELD.match(a) and "=" in a]
    shown = [f for a in arguments if a.startswith("--output-fields=") for f in a.partition("=")[2].split(",")]
    for field in [*asked, *shown]:
        if field not in has | {"MESSAGE"}:
            yield f"entries of {', '.join(kinds)} have no {field}"
    closed = {"MCP_REASON": "exitReason", "MCP_KIND": "protocolViolation"}
    for argument in arguments:
        field, _, value = argument.partition("=")
        if field in closed and value not in vocabularies()[closed[field]]:
            yield f"{field} is never {value}"
