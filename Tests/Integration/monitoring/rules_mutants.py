# SPDX-License-Identifier: Apache-2.0
"""Makes each rule a little wrong in each way there is, and lets the tests of its file find out."""

import concurrent.futures
import json
import re
from dataclasses import dataclass

import promql_parser as promql
import yaml

from rules_files import DIRECTORY, TESTS, promtool

# What a comparison becomes. Where a rule asks for equality, it is with the 0 or 1 of a flag, so that >= and <= are the
# same for one of the two.
FLIPS = {
    ">": ("<", ">=", "==", "!="),
    ">=": (">", "<", "==", "!="),
    "<": (">", "<=", "==", "!="),
    "==": ("!=", ">", "<"),
}
BATCH = 20
WORKERS = 2


@dataclass
class Mutant:
    rule: object
    what: str
    source: dict

    @property
    def id(self):
        return f"{self.rule.id}: {self.what}"


def mutants(rule):
    """All there are of one alert."""
    for what, expression in expressions(rule.expression):
        yield Mutant(rule, what, {**rule.source, "expr": expression})
    if "for" in rule.source:
        for factor in (0.5, 2):
            seconds = round(promql.parse_duration(rule.source["for"]).total_seconds() * factor)
            yield Mutant(rule, f"for: {seconds}s", {**rule.source, "for": f"{seconds}s"})


def expressions(text):
    """Pairs of a word on what was changed, and the changed expression. Equal words are numbered."""
    tree = promql.parse(text)
    nodes = []
    promql.walk(tree, lambda node: nodes.append(node))
    seen = {}
    for index, node in enumerate(nodes):
        for what, replacement in changes(node):
            seen[what] = seen.get(what, 0) + 1
            number = f" ({seen[what]})" if seen[what] > 1 else ""
            yield what + number, str(replaced(tree, index, replacement))


def replaced(tree, index, replacement):
    """The tree with another node at the place that the walk comes to as `index`."""
    places = iter(range(index + 1))

    def visit(_):
        return replacement if next(places, None) == index else None

    return promql.transform(tree, visit)


def changes(node):
    if isinstance(node, promql.BinaryExpr):
        left, right = str(node.lhs), str(node.rhs)
        operator, rest = str(node).removeprefix(left + " ").split(" ", 1)
        for other in FLIPS.get(operator, ()):
            if other == "!=" and right == "0" and operator == ">":
                continue  # nothing that is compared with 0 is ever less
            yield f"{operator} {short(rest)} -> {other}", promql.parse(f"{left} {other} {rest}")
        if operator in ("and", "or", "unless"):
            yield f"without {operator} {short(rest)}", promql.parse(f"({left})")
        if operator in ("and", "or"):
            yield f"only {short(right)} of {operator}", promql.parse(f"({right})")
    if isinstance(node, promql.NumberLiteral):
        for value in (node.val * 0.5, node.val * 2) if node.val else (1,):
            yield f"{node} -> {value:g}", promql.parse(repr(value))
    if isinstance(node, promql.MatrixSelector):
        for factor in (0.5, 2):
            window = f"[{round(node.range.total_seconds() * factor)}s]"
            changed = re.sub(r"\[[^\]]*\]$", window, str(node))
            yield f"{node.vector_selector.name}{window}", promql.parse(changed)


def short(text):
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 60 else text[:57] + "..."


def tests_of(rule):
    """For each test file that has some, the tests of this alert, as a new test file without the alert itself."""
    found = []
    for path in sorted(TESTS.glob("*.test.yml")):
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CBaseLoader)
        if f"../alerts/{rule.file}.yml" not in document["rule_files"]:
            continue
        groups = []
        for group in document["tests"]:
            about = [test for test in group.get("alert_rule_test", []) if test["alertname"] == rule.name]
            if about:
                groups.append({**group, "alert_rule_test": about})
        others = [str((TESTS / each).resolve()) for each in document["rule_files"] if "alerts" not in each]
        if groups:
            found.append({**document, "tests": groups, "rule_files": others})
    return found


def survivors(all_mutants, siblings, directory):
    """Those of them that the tests do not notice. `siblings`: by the name of an alert, all rules that bear it."""
    tests, files = {}, {}
    for number, mutant in enumerate(all_mutants):
        rule = mutant.rule
        same_name = [mutant.source if each is rule else each.source for each in siblings[rule.name]]
        path = directory / f"{number}.rules.json"
        path.write_text(json.dumps({"groups": [{"name": rule.group, "rules": same_name}]}), encoding="utf-8")
        if rule.id not in tests:
            tests[rule.id] = tests_of(rule)
        for part, document in enumerate(tests[rule.id]):
            file = directory / f"{number}-{part}.test.json"
            file.write_text(json.dumps({**document, "rule_files": [*document["rule_files"], str(path)]}), "utf-8")
            files[str(file)] = mutant.id
    names = list(files)
    # Neighbours take equally long, so each batch gets some of all.
    step = -(-len(names) // BATCH)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        caught = pool.map(failed, [names[start::step] for start in range(step)])
    noticed = {files[name] for batch in caught for name in batch}
    return [mutant.id for mutant in all_mutants if mutant.id not in noticed]


def failed(paths):
    """Those of the test files that promtool finds fault with."""
    _, output = promtool("test", "rules", *paths)
    verdicts = re.findall(r"Unit Testing:  (\S+)\n\s*(SUCCESS|FAILED)", output)
    assert [path for path, _ in verdicts] == paths, output[-3000:]
    return [path for path, verdict in verdicts if verdict == "FAILED"]
