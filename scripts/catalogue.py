#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes everything that follows from the two catalogues, metrics.json and events.json in Sources/Telemetry/Catalogue:
the Swift beside them, the tables in docs/, and the message catalog of journald.

    scripts/catalogue.py            writes what is out of date
    scripts/catalogue.py --check    names it instead, and fails

In docs/ only what stands behind the line MARK is written; what stands before it is written by hand.
"""

import json
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "Sources/Telemetry/Catalogue"
MARK = "<!-- Written by scripts/catalogue.py from here on: edit the catalogue, not this. -->"
RUNBOOKS = "file:///usr/share/mcp-proxy/runbooks"
WIDTH = 120

PRIORITIES = {2: "crit", 3: "err", 4: "warning", 5: "notice", 6: "info", 7: "debug"}
LANES = ("reserved", "ordinary", "request", "failure", "security")


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    metrics, events = (json.loads((CATALOGUE / name).read_text()) for name in ("metrics.json", "events.json"))
    problems = problems_of_events(events) + problems_of_metrics(metrics)
    if problems:
        sys.exit("\n".join(f"catalogue.py: {problem}" for problem in problems))
    files = {
        CATALOGUE / "EventKind.swift": swift_events(events["events"]),
        CATALOGUE / "MetricDescription+Catalogue.swift": swift_metrics(metrics),
        ROOT / "deploy/journald/mcp-proxy.catalog": journald_catalog(events["events"]),
        ROOT / "docs/events.md": behind_mark(ROOT / "docs/events.md", markdown_events(events)),
        ROOT / "docs/metrics.md": behind_mark(ROOT / "docs/metrics.md", markdown_metrics(metrics, events["events"])),
    }
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        name = path.relative_to(ROOT)
        if arguments:
            print(f"catalogue.py: {name} is out of date: run scripts/catalogue.py", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
            print(f"wrote {name}")
    return 1 if arguments and stale else 0


# What a catalogue must hold to.


def repeated(what, values):
    values = list(values)
    return [f"{what} {value} is there twice" for value in sorted({v for v in values if values.count(v) > 1})]


def problems_of_text(where, text, line=False):
    if not text or not text.isprintable() or text != text.strip() or (line and len(text) > 100):
        return [f"{where}: {text!r} is not a text of printable characters{' in one short line' if line else ''}"]
    return []


def problems_of_metrics(catalogue):
    metrics, buckets, vocabularies = catalogue["metrics"], catalogue["buckets"], catalogue["vocabularies"]
    problems = repeated("metric id", (m["id"] for m in metrics)) + repeated("metric", (m["name"] for m in metrics))
    for name, bounds in buckets.items():
        if bounds != sorted(set(bounds)):
            problems.append(f"buckets {name} do not ascend")
    for name, values in vocabularies.items():
        problems += repeated(f"vocabulary {name}: value", values)
    for metric in metrics:
        name, kind, unit = metric["name"], metric["kind"], metric.get("unit")
        labels = [label["name"] for label in metric.get("labels", [])]
        wants = {
            "is of no known kind": kind in ("counter", "gauge", "histogram", "info", "stateSet"),
            "has a key nobody reads": not set(metric)
            - {"id", "name", "kind", "unit", "scale", "help", "labels", "buckets", "startsEmpty"},
            "has an illegal id": re.fullmatch(r"[a-z][A-Za-z0-9]*", metric["id"]),
            "has an illegal name": re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name),
            "ends in _total, or should": name.endswith("_total") == (kind == "counter"),
            "ends in _info, or should": name.endswith("_info") == (kind == "info"),
            "ends in a suffix that histograms add": not re.search(r"_(bucket|sum|count|created)$", name),
            "does not end in its unit": not unit or name.removesuffix("_total").endswith(f"_{unit}"),
            "should say its unit": unit or not re.search(r"_(seconds|bytes)(_total)?$", name),
            "has an unknown scale": metric.get("scale", "one") in ("one", "nanoseconds"),
            "counts nanoseconds, but is not in seconds": metric.get("scale") != "nanoseconds" or unit == "seconds",
            "needs buckets, or is no histogram": (metric.get("buckets") in buckets) == (kind == "histogram"),
            "is a state set, whose one label is called as it is": kind != "stateSet" or labels == [name],
            "has an illegal label": all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in labels)
            and not {"le", "quantile", "job", "instance"} & set(labels),
            "has a label twice": len(labels) == len(set(labels)),
            "has a label with an unknown vocabulary": all(
                not isinstance(label.get("values"), str) or label["values"] in {*vocabularies, "event"}
                for label in metric.get("labels", [])
            ),
            "does not end its help with a full stop": metric["help"].endswith("."),
        }
        problems += [f"{name} {problem}" for problem, holds in wants.items() if not holds]
        problems += problems_of_text(name, metric["help"])
    order = [metric["id"] for metric in metrics]
    starts = [order.index(group["from"]) if group["from"] in order else -1 for group in catalogue["groups"]]
    if starts != sorted(set(starts)) or starts[0] != 0:
        problems.append("the groups of metrics are not in the order of the metrics")
    return problems


def problems_of_events(catalogue):
    events, always = catalogue["events"], {field["name"] for field in catalogue["journalFields"] if "events" not in field}
    problems = []
    for key in ("id", "name", "messageId"):
        problems += repeated(f"event {key}", (event[key] for event in events))
    for event in events:
        name, fields = event["name"], event["fields"]
        names = [journal_name(field["name"]) for field in fields]
        certain = always | {n for n, field in zip(names, fields) if not field.get("optional")}
        texts = [event["subject"], *event["explanation"]]
        wants = {
            "has a key nobody reads": not set(event)
            - {"id", "name", "messageId", "lane", "priorities", "fields", "subject", "explanation", "runbook"},
            "has an illegal name": re.fullmatch(r"[a-z]+\.[a-z_]+", name),
            "has an id that is not its name": event["id"] == camel(name),
            "has an illegal message id": re.fullmatch(r"[0-9a-f]{32}", event["messageId"]),
            "has an unknown lane": event["lane"] in LANES,
            "has no priorities, or not in order": event["priorities"]
            and event["priorities"] == sorted(set(event["priorities"]) & set(PRIORITIES)),
            "has an illegal field": all(re.fullmatch(r"[a-z][a-z_]*", field["name"]) for field in fields)
            and all(len(n) <= 64 for n in names),
            "has a field of an unknown type": all(field["type"] in ("text", "integer", "boolean") for field in fields),
            "has a field twice, or one that every entry has": len({*names} - always) == len(names),
            "has no explanation": event["explanation"],
            "shows a field it may not have": {f for t in texts for f in re.findall(r"@([A-Z_]+)@", t)} <= certain,
        }
        problems += [f"{name} {problem}" for problem, holds in wants.items() if not holds]
        problems += problems_of_text(name, event["subject"], line=True)
        for text in event["explanation"] + [field["help"] for field in fields]:
            problems += problems_of_text(name, text)
    for field in catalogue["journalFields"]:
        problems += [f"{field['name']}: no event {e}" for e in field.get("events", []) if e not in
                     {event["name"] for event in events}]
    return problems


def camel(name):
    first, *rest = re.split(r"[._]", name)
    return first + "".join(word.capitalize() for word in rest)


def journal_name(field):
    """The journal's name of a field; `EventKind.journalName(ofField:)` says the same."""
    if field in ("trace_id", "span_id"):
        return field.upper()
    if field == "session":
        return "MCP_SESSION_ID"
    return "MCP_" + re.sub(r"_MS$", "_MSEC", re.sub(r"_US$", "_USEC", field.upper()))


# Swift, as `swift format` wants it.


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def filled(indent, items, first=""):
    """Items behind commas, as many on a line as fit."""
    lines = [indent + first]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > WIDTH and lines[-1].strip():
            lines.append(indent)
        lines[-1] += ("" if lines[-1] in (indent, indent + first) else " ") + item + ","
    return lines


def swift_array(head, items, indent="    "):
    """An array literal behind `head`, on one line if it fits."""
    line = f"{indent}{head}[{', '.join(items)}]"
    if len(line) < WIDTH:
        return [line]
    return [f"{indent}{head}[", *filled(indent + "    ", items), f"{indent}]"]


def swift_head(source):
    return ["// SPDX-License-Identifier: Apache-2.0", f"// Written by scripts/catalogue.py from {source}: edit that, not this.", ""]


def swift_metrics(catalogue):
    lines = swift_head("metrics.json") + ["internal import Prometheus", "", "extension MetricDescription {"]
    for metric in catalogue["metrics"]:
        lines += swift_metric(metric)
    lines += ["", "    /// All of them, in the order of the documentation."]
    lines += swift_array("static let catalogue: [MetricDescription] = ", [metric["id"] for metric in catalogue["metrics"]])
    lines += ["}", "", "/// The closed sets of label values.", "private enum Vocabulary {"]
    lines.append("    static let event = EventKind.allCases.map(\\.rawValue)")
    for name, values in catalogue["vocabularies"].items():
        lines += swift_array(f"static let {name} = ", [quoted(value) for value in values])
    lines += ["}", "", "/// Upper bounds of histograms, in the unit of the metric.", "private enum Buckets {"]
    for name, bounds in catalogue["buckets"].items():
        lines += swift_array(f"static let {name}: [Double] = ", [decimal(bound) for bound in bounds])
    return "\n".join(lines + ["}", ""])


def swift_metric(metric):
    arguments = [[f"name: {quoted(metric['name'])}"], [f"kind: .{metric['kind']}"]]
    if "unit" in metric:
        arguments.append([f"unit: {quoted(metric['unit'])}"])
    arguments.append(swift_text("help: ", metric["help"]))
    labels = [swift_label(label) for label in metric.get("labels", [])]
    if labels:
        one = f"labels: [{', '.join(labels)}]"
        comma = "," if len(labels) > 1 else ""
        several = ["labels: [", *(f"    {label}{comma}" for label in labels), "]"]
        arguments.append([one] if len(one) + 9 <= WIDTH else several)
    if "buckets" in metric:
        arguments.append([f"buckets: Buckets.{metric['buckets']}"])
    if "scale" in metric:
        arguments.append([f"scale: .{metric['scale']}"])
    if metric.get("startsEmpty"):
        arguments.append(["startsEmpty: true"])
    for argument in arguments[:-1]:
        argument[-1] += ","
    lines = [f"        {line}" for argument in arguments for line in argument]
    return [f"    static let {metric['id']} = MetricDescription(", *lines, "    )"]


def swift_label(label):
    values = label.get("values")
    if isinstance(values, str):
        values = f"Vocabulary.{values}"
    elif values is not None:
        values = f"[{', '.join(quoted(value) for value in values)}]"
    return f".init(name: {quoted(label['name'])}, values: {values or 'nil'})"


def swift_text(head, text):
    """A text behind `head`, in as many pieces as it takes; `head` stands eight columns in."""
    if len(head) + len(quoted(text)) + 9 <= WIDTH:
        return [head + quoted(text)]
    pieces = textwrap.wrap(text, WIDTH - 20 - text.count('"') - len(head), drop_whitespace=False, break_on_hyphens=False)
    return [head + quoted(pieces[0])] + [f"    + {quoted(piece)}" for piece in pieces[1:]]


def decimal(number):
    return f"{number:.5f}".rstrip("0").rstrip(".")


def swift_events(events):
    lines = swift_head("events.json") + [
        "/// What an entry of the log can be about; the raw value is its name there. `docs/events.md` tells of each.",
        "package enum EventKind: String, CaseIterable, Sendable {",
        *(f"    case {event['id']} = {quoted(event['name'])}" for event in events),
        "",
        "    /// Which limit a kind meets on its way into the journal.",
        "    package enum Lane: Sendable {",
        "        /// None, and the queue keeps room for it alone.",
        "        case reserved",
        "        /// None: such events are rare by nature, or limited where they arise.",
        "        case ordinary",
        "        /// The token bucket of that name.",
        "        case request, failure, security",
        "    }",
        "",
        "    package var lane: Lane {",
        "        switch self {",
        *swift_cases([(event["id"], f".{event['lane']}") for event in events]),
        "        }",
        "    }",
        "",
        "    /// The journal's `MESSAGE_ID`: 32 hexadecimal digits that never change.",
        "    package var messageID: String {",
        "        switch self {",
        *(f"        case .{event['id']}: {quoted(event['messageId'])}" for event in events),
        "        }",
        "    }",
        "",
        "    /// A field that entries of a kind have.",
        "    package struct DeclaredField: Sendable, Equatable {",
        "        package enum FieldType: Sendable { case text, integer, boolean }",
        "",
        "        /// As in `EventField`.",
        "        package let name: String",
        "        package let type: FieldType",
        "        /// Whether an entry may lack it.",
        "        package let isOptional: Bool",
        "",
        "        fileprivate init(_ name: String, _ type: FieldType, isOptional: Bool = false) {",
        "            self.name = name",
        "            self.type = type",
        "            self.isOptional = isOptional",
        "        }",
        "    }",
        "",
        "    /// The fields of its entries, in their order there.",
        "    package var declaredFields: [DeclaredField] {",
        "        switch self {",
        *swift_cases([(event["id"], tuple(swift_field(field) for field in event["fields"])) for event in events]),
        "        }",
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


def swift_field(field):
    return f"DeclaredField({quoted(field['name'])}, .{field['type']}{', isOptional: true' if field.get('optional') else ''})"


def swift_cases(pairs):
    """The cases of a switch over the kinds, those with the same value in one."""
    lines = []
    for value in dict.fromkeys(value for _, value in pairs):
        kinds = filled("            ", [f".{kind}" for kind, other in pairs if other == value])
        kinds[0] = "        case " + kinds[0].strip()
        kinds[-1] = kinds[-1].removesuffix(",") + ":"
        if isinstance(value, str):
            fits = len(kinds) == 1 and len(kinds[0]) + 1 + len(value) <= WIDTH
            lines += [f"{kinds[0]} {value}"] if fits else [*kinds, f"            {value}"]
        else:
            lines += kinds + swift_array("", value, indent="            ")
    return lines


# journald's message catalog: the text behind an entry in `journalctl -x`.


def journald_catalog(events):
    blocks = ["# SPDX-License-Identifier: Apache-2.0\n# Written by scripts/catalogue.py from events.json: edit that, not this."]
    for event in events:
        head = [f"-- {event['messageId']}", f"Subject: {event['subject']}", "Defined-By: mcp-proxy"]
        if "runbook" in event:
            head.append(f"Documentation: {RUNBOOKS}/{event['runbook']}.md")
        paragraphs = []
        for text in event["explanation"]:
            wrapped = [f"    {text[2:]}"] if is_command(text) else textwrap.wrap(text, 78, break_on_hyphens=False)
            paragraphs.append("\n".join(wrapped))
        blocks.append("\n".join(head) + "\n\n" + "\n\n".join(paragraphs))
    return "\n\n".join(blocks) + "\n"


def is_command(text):
    return text.startswith("$ ")


# Tables for docs/.


def behind_mark(path, text):
    before, mark, _ = (path.read_text() if path.exists() else "").partition(MARK)
    if not mark:
        sys.exit(f"catalogue.py: {path.relative_to(ROOT)} needs a line {MARK}")
    return f"{before}{MARK}\n\n{text}"


def table(*rows):
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body, ""]


def code(text):
    return f"`{text}`"


def markdown_metrics(catalogue, events):
    vocabularies = {**catalogue["vocabularies"], "event": [event["name"] for event in events]}
    starts = {group["from"]: group for group in catalogue["groups"]}
    lines, rows = [], None
    for metric in catalogue["metrics"]:
        if metric["id"] in starts:
            group = starts[metric["id"]]
            lines += table(*rows) if rows else []
            lines += [f"## {group['title']}", "", *textwrap.wrap(group["text"], WIDTH), ""]
            rows = [("Metric", "Type", "Labels", "Meaning")]
        rows.append(metric_row(metric, vocabularies))
    lines += table(*rows) + ["## Values of labels", ""]
    named = ((name, ", ".join(code(value) if value else "empty" for value in v)) for name, v in vocabularies.items())
    lines += table(("Set", "Values"), *((f'<a id="set-{name}"></a>{name}', values) for name, values in named))
    lines += ["## Buckets", ""]
    bounds = ((name, ", ".join(decimal(bound) for bound in b)) for name, b in catalogue["buckets"].items())
    lines += table(("Set", "Upper bounds"), *((f'<a id="buckets-{name}"></a>{name}', text) for name, text in bounds))
    return "\n".join(lines).rstrip() + "\n"


def metric_row(metric, vocabularies):
    kind = {"stateSet": "state set"}.get(metric["kind"], metric["kind"])
    if "unit" in metric:
        kind += f", {metric['unit']}"
    if "buckets" in metric:
        kind += f"; buckets: [{metric['buckets']}](#buckets-{metric['buckets']})"
    labels = []
    for label in metric.get("labels", []):
        values = label.get("values")
        if isinstance(values, str) and len(vocabularies[values]) > 4:
            labels.append(f"{code(label['name'])}: [{values}](#set-{values})")
        elif values is not None:
            values = vocabularies[values] if isinstance(values, str) else values
            labels.append(f"{code(label['name'])}: {', '.join(map(code, values))}")
        else:
            labels.append(code(label["name"]))
    return code(metric["name"]), kind, "<br>".join(labels), metric["help"]


def markdown_events(catalogue):
    events = catalogue["events"]
    everywhere = [field for field in catalogue["journalFields"] if "events" not in field]
    lines = ["## In every entry", ""]
    lines += table(("Journal field", "What it holds"), *((code(field["name"]), field["help"]) for field in everywhere))
    lines += ["## All events", ""]
    rows = ((f"[{code(e['name'])}](#{anchor(e)})", priorities(e), e["lane"], placeholders(e["subject"])) for e in events)
    lines += table(("Event", "Priority", "Lane", "What it says"), *rows)
    described = {}
    for event in events:
        lines += [f"### {event['name']}", ""]
        facts = [f"Priority {priorities(event)}", f"lane {event['lane']}", f"`MESSAGE_ID={event['messageId']}`"]
        if "runbook" in event:
            facts.append(f"runbook {event['runbook']}")
        lines += [" · ".join(facts), ""]
        for text in map(placeholders, event["explanation"]):
            if is_command(text):
                lines += ["```sh", text[2:], "```", ""]
            else:
                lines += [*textwrap.wrap(text, WIDTH, break_on_hyphens=False), ""]
        rows = field_rows(event, catalogue["journalFields"])
        same = described.setdefault(tuple(rows), event)
        lines += table(("Journal field", "In JSON", "Type", "What it holds"), *rows) if same is event else [
            f"Fields: those of [{code(same['name'])}](#{anchor(same)}).", ""]
    return "\n".join(lines).rstrip() + "\n"


def field_rows(event, journal_fields):
    rows = [
        (code(journal_name(field["name"])), code(field["name"]),
         field["type"] + (", optional" if field.get("optional") else ""), field["help"])
        for field in event["fields"]
    ]
    rows += [(code(f["name"]), "", "", f["help"]) for f in journal_fields if event["name"] in f.get("events", [])]
    return rows


def anchor(event):
    return event["name"].replace(".", "")


def priorities(event):
    return ", ".join(f"{number} {PRIORITIES[number]}" for number in event["priorities"])


def placeholders(text):
    """What the journal puts in for a field has no place here: NAME stands for the instance, else the field's name."""
    return re.sub(r"@([A-Z_]+)@", lambda match: "NAME" if match[1] == "MCP_SERVER" else match[1], text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
