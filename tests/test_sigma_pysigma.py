"""Every rule of SigmaHQ means to us what pySigma, Sigma's own parser, reads in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sigma.conditions import ConditionAND
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma_cases import TRUTH

from analysis.sigma import RulePack, tree
from analysis.sigma.reading.detection import Reading, read_keyword, read_selection
from analysis.sigma.reading.documents import RuleProblem, read
from analysis.sigma.reading.from_pysigma import read_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RULES = sorted((TRUTH / "sigmahq").rglob("*.yml"))


class Anything(dict[str, "Sequence[str]"]):
    """A value for every placeholder."""

    def __missing__(self, name: str) -> Sequence[str]:
        return (f"one of {name}", f"other * of {name}")

    def get(self, name: str, _default: object = None) -> Sequence[str]:  # type: ignore[override]  # never without
        return self[name]


READING = Reading(lambda name: tree.Field(name, (name,)), Anything())


def theirs(detection: SigmaDetection, name: str) -> tree.Node:
    """What pySigma read, in our words."""
    nodes: list[tree.Node] = []
    for one in detection.detection_items:
        if isinstance(one, SigmaDetection):
            nodes.append(theirs(one, name))
            continue
        assert isinstance(one, SigmaDetectionItem)
        values = tuple(read_value(value, READING) for value in one.value)
        field = None if one.field is None else READING.field_of(one.field)
        values = values if field else tuple(read_keyword(value) for value in values)
        nodes.append(tree.Item(name, field, values, one.value_linking is ConditionAND, one.negated))
    if len(nodes) == 1:
        return nodes[0]
    return tree.And(tuple(nodes)) if detection.item_linking is ConditionAND else tree.Or(tuple(nodes))


def told(node: tree.Node) -> object:
    """What a node asks, whatever the order of the forms of a value."""
    match node:
        case tree.Item(name, field, values, every, negated):
            return name, field, [sorted(map(repr, forms(value))) for value in values], every, negated
        case tree.Not(child):
            return "not", told(child)
        case tree.And(children) | tree.Or(children):
            return type(node).__name__, [told(child) for child in children]


def forms(value: tree.Value) -> list[tree.Value]:
    if isinstance(value, tree.AnyOf):
        return [one for inner in value.values for one in forms(inner)]
    return [value]


def read_both(path: Path) -> list[tuple[str, object, object]]:
    document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)  # YAML 1.1, as pySigma reads it
    ((own,), errors) = read(path)
    assert errors == []
    found: list[tuple[str, object, object]] = []
    for name, body in document["detection"].items():
        if name == "condition":
            continue
        mine: Any = own.value["detection"][name]
        try:
            theirs_read = told(theirs(SigmaDetection.from_definition(body), name))
        except (SigmaError, RuleProblem):
            continue
        found.append((name, told(read_selection(name, mine, READING, ())), theirs_read))
    return found


@pytest.mark.skipif(not RULES, reason=f"{TRUTH / 'sigmahq'} is not here")
def test_selections_mean_what_pysigma_reads() -> None:
    compared = 0
    for path in RULES:
        for name, ours, other in read_both(path):
            assert ours == other, f"{path}: {name}"
            compared += 1
    assert compared > 2 * len(RULES)


@pytest.mark.skipif(not RULES, reason=f"{TRUTH / 'sigmahq'} is not here")
def test_rules_with_placeholders_load_once_the_site_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLEHUNT_CACHE", "")
    folder = TRUTH / "sigmahq" / "rules-placeholder"
    named: dict[str, list[str]] = {}
    for _ in range(5):  # a rule tells of one at a time
        errors = RulePack.load([folder], placeholders=named).errors
        asked = [re.search("placeholder %(.+?)% has no value", error.message) for error in errors]
        assert None not in asked
        named |= {found[1]: ["10.0.0.1", "other*"] for found in asked if found}
    assert len(named) > 20
    assert RulePack.load([folder], placeholders=named).errors == []
