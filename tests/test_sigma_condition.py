"""Conditions: held to Python's own reading of them, and to pySigma's over all rules of SigmaHQ."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma import conditions as theirs
from sigma.exceptions import SigmaError
from sigma_cases import TRUTH

from analysis.sigma import tree
from analysis.sigma.reading.condition import read_condition
from analysis.sigma.reading.documents import RuleProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("sel", "sel_1", "sel-2", "sél", "notepad", "_hidden", "and1", "filter.x", "1of")


def item(name: str) -> tree.Item:
    return tree.Item(name, tree.Field(name, (name,)), (tree.Null(),))


SELECTIONS: dict[str, tree.Node] = {name: item(name) for name in NAMES}


def true_of(node: tree.Node, known: Mapping[str, bool]) -> bool:
    match node:
        case tree.Item(selection):
            return known[selection]
        case tree.Not(child):
            return not true_of(child, known)
        case tree.And(children):
            return all(true_of(child, known) for child in children)
        case tree.Or(children):
            return any(true_of(child, known) for child in children)


def some(quantifier: str, pattern: str) -> tuple[str, str]:
    like = "|".join(
        re.escape(name)
        for name in NAMES
        if (name[0] != "_" or pattern[0] == "_")
        and re.fullmatch(re.escape("*" if pattern == "them" else pattern).replace(r"\*", ".*"), name)
    )
    link = "all" if quantifier == "all" else "any"
    return (
        f"{quantifier} of {pattern}",
        f"{link}(known[name] for name in {like.replace(chr(92), '').split('|')!r})",
    )


patterns = st.sampled_from(["them", "sel*", "sel_*", "*", "*e*", "_*", "s*l", "sel-2", "*1"])
leaves = st.sampled_from(NAMES).map(lambda name: (name, f"known[{name!r}]")) | st.builds(
    some, st.sampled_from(["1", "any", "all"]), patterns
)
Pair = tuple[str, str]


def linked(pair: tuple[Pair, Pair], word: str, written: str) -> Pair:
    return f"{pair[0][0]} {written} {pair[1][0]}", f"{pair[0][1]} {word} {pair[1][1]}"


def grown(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    both = st.tuples(inner, inner)
    return st.one_of(
        st.builds(linked, both, st.just("and"), st.sampled_from(["and", "AND", " and\n"])),
        st.builds(linked, both, st.just("or"), st.sampled_from(["or", "Or"])),
        inner.map(lambda one: (f"not {one[0]}", f"not {one[1]}")),
        inner.map(lambda one: (f"({one[0]})", f"({one[1]})")),
        inner.map(lambda one: (f"not ( {one[0]} )", f"not ({one[1]})")),
    )


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(leaves, grown, max_leaves=7),
    st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)),
)
def test_conditions_bind_as_python_binds_them(condition: Pair, truths: list[bool]) -> None:
    known = dict(zip(NAMES, truths, strict=True))
    node = read_condition(condition[0], SELECTIONS)
    assert true_of(node, known) == eval(condition[1], {"known": known, "any": any, "all": all})  # noqa: S307 - built above


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "at the end"),
        ("sel and", "at the end"),
        ("and sel", "before 'and'"),
        ("sel or or sel_1", "before 'or'"),
        ("(sel", "closing bracket"),
        ("sel)", "')' stands where"),
        ("sel sel_1", "'sel_1' stands where"),
        ("selection", "names 'selection'; there is only sel, sel_1"),
        ("1 of nothing*", "no selection is named like 'nothing*'"),
        ("1 of", "needs `them`"),
        ("2 of them", "no `2 of`"),
        ("sel | count() > 5", "correlation rule"),
        ("sel near sel_1", "'near' stands where"),
        ("not", "at the end"),
        ("(" * 5000 + "sel", "inside one another"),
        ("1 of " + "*a" * 5000, "no selection is named like"),
    ],
)
def test_what_cannot_be_parsed_is_told(text: str, told: str) -> None:
    with pytest.raises(RuleProblem, match=re.escape(told)):
        read_condition(text, SELECTIONS)


def test_long_conditions_are_read() -> None:
    node = read_condition(" and ".join(["not " * 101 + "sel"] * 500), SELECTIONS)
    assert true_of(node, dict.fromkeys(NAMES, False))


RULES = sorted((TRUTH / "sigmahq").rglob("*.yml"))


def their_node(parsed: Any, selections: Mapping[str, tree.Node]) -> tree.Node:  # noqa: ANN401 - pySigma's
    match parsed:
        case theirs.ConditionIdentifier():
            return selections[parsed.identifier]
        case theirs.ConditionNOT():
            return tree.Not(their_node(parsed.args[0], selections))
        case theirs.ConditionSelector():
            pattern = re.compile(".*" if parsed.pattern == "them" else parsed.pattern.replace("*", ".*"))
            named = tuple(
                node
                for name, node in selections.items()
                if pattern.fullmatch(name) and (parsed.pattern.startswith("_") or not name.startswith("_"))
            )
            return tree.And(named) if parsed.cond_class is theirs.ConditionAND else tree.Or(named)
    children = tuple(their_node(child, selections) for child in parsed.args)
    return tree.And(children) if isinstance(parsed, theirs.ConditionAND) else tree.Or(children)


@pytest.mark.skipif(not RULES, reason=f"{TRUTH / 'sigmahq'} is not here")
def test_conditions_of_sigmahq_mean_what_pysigma_reads() -> None:
    seen = set()
    for path in RULES:
        detection = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["detection"]
        names = tuple(name for name in detection if name != "condition")
        seen.add((detection["condition"], names))
    compared = 0
    chance = Random(7)  # noqa: S311 - which truths are tried is no secret
    for text, names in seen:
        selections = {name: item(name) for name in names}
        try:
            parsed = theirs.SigmaCondition(text, None).parse(postprocess=False)  # type: ignore[arg-type]  # names are resolved here
        except SigmaError:
            continue
        ours, other = read_condition(text, selections), their_node(parsed, selections)
        for _ in range(40):
            known = {name: chance.random() < bias for name in names for bias in [chance.random()]}
            assert true_of(ours, known) == true_of(other, known), text
        compared += 1
    assert compared > len(seen) * 0.99
