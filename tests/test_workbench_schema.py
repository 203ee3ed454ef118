"""The JSON schema of rules: what it takes and refuses, and that it knows the words that rules know."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hunted import run
from sigma_cases import TRUTH

from analysis.anomaly import language
from analysis.anomaly.measures import MEASURES
from analysis.finding import CATEGORIES, Level
from analysis.sigma import bundled_rules
from analysis.sigma.correlations import correlation
from analysis.sigma.reading import modifiers
from analysis.sigma.reading.documents import read, rule_files
from analysis.workbench.check.lint import OURS, TACTICS

if TYPE_CHECKING:
    from pathlib import Path

SIGMAHQ = TRUTH / "sigmahq"

RULE = """
title: Evil
id: 33333333-3333-4333-8333-333333333333
date: 2026-01-05
level: high
tags: [attack.t1219.002, molehunt.access]
logsource: {category: process}
detection: {s: {process.name|endswith: [evil.exe, 7, null]}, k: [a, 5], m: [{a: b}, {c: d}], condition: s}
"""
CORRELATION = """
title: Again
correlation: {type: value_count, rules: [a], group-by: [b], timespan: 5m, condition: {field: c, gte: 2.5}}
"""
ANOMALY = """
title: Much
id: 33333333-3333-4333-8333-333333333333
level: low
tags: [molehunt.access]
anomaly: {rules: [a], measure: sum, field: b, baseline: {of: self}, condition: {robust_z: {gt: 4}}}
"""
FILTER = """
title: Scanner
owner: ann
reason: a scanner
expires: 2026-12-31
logsource: {category: process}
filter: {rules: any, s: {host.name: scan01}, condition: not s}
"""


@cache
def schema() -> dict[str, Any]:
    return dict(json.loads(run("rules", "schema").stdout))


def wrong(document: object) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(schema()).iter_errors(document)]


def value_of(text: str, folder: Path) -> dict[str, Any]:
    (folder / "rule.yml").write_text(text)
    ((document,), _) = read(folder / "rule.yml")
    return document.value


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def test_our_rules_fit() -> None:
    documents = [document for path in rule_files(bundled_rules()) for document in read(path)[0]]
    assert len(documents) > 100
    assert [f"{one.path}: {said}" for one in documents for said in wrong(one.value)] == []


@pytest.mark.skipif(not SIGMAHQ.is_dir(), reason=f"{SIGMAHQ} is not here")
def test_rules_of_others_fit() -> None:
    paths = list(rule_files(SIGMAHQ))[::40]
    assert [f"{path}: {said}" for path in paths for one in read(path)[0] for said in wrong(one.value)] == []


@pytest.mark.parametrize("text", [RULE, CORRELATION, ANOMALY, FILTER])
def test_each_kind_fits(text: str, tmp_path: Path) -> None:
    assert wrong(value_of(text, tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (RULE, "title: Evil", "name: evil"),
        (RULE, "33333333-", ""),
        (RULE, "id: 33333333-3333-4333-8333-333333333333", ""),
        (RULE, "2026-01-05", "yesterday"),
        (RULE, "high", "higher"),
        (RULE, "attack.t1219.002", "attack.T1219"),
        (RULE, "attack.t1219.002", "attack.evil"),
        (RULE, "molehunt.access", "molehunt.acces"),
        (RULE, "molehunt.access", "molehunt.durable"),
        (RULE, "{category: process}", "{}"),
        (RULE, "{category: process}", "{definition: process}"),
        (RULE, "category: process", "categories: process"),
        (RULE, "logsource: {category: process}", ""),
        (RULE, ", condition: s", ""),
        (RULE, "condition: s", "condition: 7"),
        (RULE, "endswith", "endwith"),
        (RULE, "[evil.exe, 7, null]", "[]"),
        (RULE, "[evil.exe, 7, null]", "{a: b}"),
        (RULE, "s: {process", "t: {}, s: {process"),
        (RULE, "level", "falsepositives: [nobody: nothing]\nlevel"),
        (RULE, "level", "confidence: 2\nlevel"),
        (CORRELATION, "value_count", "count"),
        (CORRELATION, "rules: [a], ", ""),
        (CORRELATION, "rules:", "rule:"),
        (CORRELATION, "5m", "5 minutes"),
        (CORRELATION, "timespan: 5m, ", ""),
        (CORRELATION, "field: c, ", ""),
        (CORRELATION, "gte: 2.5", "gte: many"),
        (CORRELATION, "gte", "atleast"),
        (ANOMALY, "id: 33333333-3333-4333-8333-333333333333", ""),
        (ANOMALY, "molehunt.access", "molehunt.durable"),
        (ANOMALY, "sum", "total"),
        (ANOMALY, "field: b, ", ""),
        (ANOMALY, "robust_z", "speed_kmh"),
        (ANOMALY, "gt: 4", "above: 4"),
        (ANOMALY, "of: self", "of: nobody"),
        (ANOMALY, "of: self", "off: self"),
        (ANOMALY, "measure", "at-most: 5, measure"),
        (FILTER, "owner: ann", ""),
        (FILTER, "2026-12-31", "soon"),
        (FILTER, "rules: any, ", ""),
        (FILTER, "not s", "7"),
    ],
)  # fmt: skip
def test_what_is_wrong_does_not_fit(text: str, before: str, after: str, tmp_path: Path) -> None:
    assert before in text
    assert wrong(value_of(text.replace(before, after, 1), tmp_path))


def test_it_knows_the_words_that_the_readers_know() -> None:
    words, parts = schema()["properties"], schema()["definitions"]
    pattern = parts["items"]["propertyNames"]["pattern"]
    assert set(re.findall(r"[a-z0-9]+", pattern)) == set(modifiers.MODIFIERS)
    assert words["level"]["enum"] == [level.name.lower() for level in sorted(Level)]
    assert parts["category"]["enum"] == [f"molehunt.{name.replace('_', '-')}" for name in CATEGORIES]
    tags = {word for choice in parts["tag"]["anyOf"] for word in choice.get("enum", ())}
    tags |= set(parts["category"]["enum"])
    assert tags == {f"attack.{name}" for name in TACTICS} | {f"molehunt.{name}" for name in OURS}
    counted = parts["correlation"]["properties"]
    assert counted["type"]["enum"] == list(correlation.TYPES)
    assert set(counted) == set(correlation._KEYS)
    assert set(counted["condition"]["oneOf"][1]["properties"]) == {
        *correlation.COMPARED,
        "field",
        "percentile",
    }


def test_it_knows_the_measures() -> None:
    learned = schema()["definitions"]["anomaly"]
    assert learned["properties"]["measure"]["enum"] == list(MEASURES)
    assert learned["properties"]["baseline"]["properties"]["of"]["oneOf"][0]["enum"] == list(
        language.BASELINES
    )
    for branch in learned["allOf"]:
        measure = MEASURES[branch["if"]["properties"]["measure"]["const"]]
        then = branch["then"]
        assert set(then["propertyNames"]["enum"]) == language._KEYS | set(measure.options)
        quantities = set(then["properties"]["condition"]["propertyNames"]["enum"])
        assert quantities == measure.quantities | language.ROSTER_QUANTITIES
        assert ("field" in then.get("required", ())) == measure.field
        for name, option in measure.options.items():
            if option.choices:
                said = then["properties"].get(name) or learned["properties"][name]
                choices = said["enum"] if "enum" in said else said["oneOf"][0]["enum"]
                assert choices == list(option.choices)
