"""Every rule that molehunt brings passes its own check and its own examples, and these show all of it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest

from analysis.finding import CATEGORIES
from analysis.sigma import RulePack, bundled_rules, tree
from analysis.sigma.explain import explain, true_of
from analysis.workbench.check.lint import check
from analysis.workbench.examples import MATCH, NOMATCH, frame_of, read_events
from analysis.workbench.test.outcome import Outcome, run_examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.sigma.reading.rule import Rule

EACH_SIDE: Final = 2
# Names of hosts are asked for twice: the domain itself, and what ends in a dot and the domain.
HOST_NAMES: Final = ("dns.question.name", "tls.client.server_name", "url.domain")


@cache
def bundled() -> RulePack:
    return RulePack.load([bundled_rules()])


@cache
def outcomes() -> dict[str, Outcome]:
    return {
        f"{outcome.path.relative_to(bundled_rules())}: {outcome.title}": outcome
        for outcome in run_examples(bundled())
    }


@cache
def examples(rule: Rule, suffix: str) -> list[dict[str, Any]]:
    """The events beside a rule, as the rule sees them."""
    path = rule.path.with_name(rule.path.stem + suffix)
    events = [event for _, event in read_events(path) if not isinstance(event, str)] if path.exists() else []
    return list(frame_of(events).iter_rows(named=True))


def selections(node: tree.Node, *, denied: bool = False) -> Iterator[tuple[str, tree.Node, bool]]:
    """The selections that a condition reads: name, what it asks, and whether under a `not`."""
    match node:
        case tree.Not(child):
            yield from selections(child, denied=not denied)
        case _ if len(names := {item.selection for item in tree.items(node)}) == 1:
            yield names.pop(), node, denied
        case tree.And(children) | tree.Or(children):
            for child in children:
                yield from selections(child, denied=denied)


def replaced(node: tree.Node, old: tree.Node, new: tree.Node) -> tree.Node:
    """`node` with `new` in every place of `old`."""
    if node is old:
        return new
    match node:
        case tree.Not(child):
            return tree.Not(replaced(child, old, new))
        case tree.And(children):
            return tree.And(tuple(replaced(child, old, new) for child in children))
        case tree.Or(children):
            return tree.Or(tuple(replaced(child, old, new) for child in children))
    return node


def test_every_rule_passes_the_check() -> None:
    assert [str(error) for error in check(bundled(), [bundled_rules()])] == []


@pytest.mark.parametrize("name", outcomes())
def test_the_examples_of_each_rule_are_right(name: str) -> None:
    assert [str(failure) for failure in outcomes()[name].failures] == []


def test_every_rule_has_two_examples_on_either_side() -> None:
    few = {
        name: (outcome.matching, outcome.others)
        for name, outcome in outcomes().items()
        if min(outcome.matching, outcome.others) < EACH_SIDE
    }
    assert few == {}


def test_no_two_examples_of_a_rule_differ_in_nothing_but_time() -> None:
    twice = []
    for rule in bundled().rules:
        shown = [
            str({name: value for name, value in event.items() if name != "@timestamp" and value is not None})
            for suffix in (MATCH, NOMATCH)
            for event in examples(rule, suffix)
        ]
        twice += [f"{rule.name}: {event}" for event, count in Counter(shown).items() if count > 1]
    assert twice == []


def test_every_selection_is_true_of_an_example_that_matches() -> None:
    unshown = [
        f"{rule.name}: {name}"
        for rule in bundled().rules
        for name, selection, denied in selections(rule.condition)
        if not denied and not any(true_of(selection, event) for event in examples(rule, MATCH))
    ]
    assert unshown == []


def test_every_filter_alone_holds_back_an_example() -> None:
    """There is an event that would match, did the condition not deny this selection."""
    nothing = tree.Not(tree.ALWAYS)
    unshown = []
    for rule in bundled().rules:
        for name, selection, denied in selections(rule.condition):
            if not denied:
                continue
            without = replaced(rule.condition, selection, nothing)
            if not any(
                true_of(without, event) and not explain(rule, event).matched
                for event in examples(rule, NOMATCH)
                if rule.source is not None and true_of(rule.source, event)
            ):
                unshown.append(f"{rule.name}: {name}")
    assert unshown == []


def test_every_rule_has_a_near_miss_that_its_logsource_lets_through() -> None:
    """An example that only fails the logsource says nothing of the detection."""
    far = [
        rule.name
        for rule in bundled().rules
        if rule.source is not None
        and sum(true_of(rule.source, event) for event in examples(rule, NOMATCH)) < EACH_SIDE
    ]
    assert far == []


def test_every_domain_is_asked_for_itself_and_for_the_names_below_it() -> None:
    lopsided = []
    for rule in bundled().rules:
        asked: dict[bool, set[str]] = {True: set(), False: set()}
        for _, selection, denied in selections(rule.condition):
            for item in () if denied else tree.items(selection):
                if item.field is not None and item.field.name in HOST_NAMES:
                    for value in item.values:
                        if isinstance(value, tree.Text):
                            below = value.parts[0] is tree.Wild.ANY
                            asked[below].add(str(value.parts[-1]).removeprefix("." if below else ""))
        if asked[True] != asked[False]:
            lopsided.append(f"{rule.name}: {asked[True] ^ asked[False]}")
    assert lopsided == []


def test_there_are_sixty_rules_and_every_category_has_some() -> None:
    loud = [rule for rule in bundled().rules if not rule.silent]
    assert len(loud) >= 60
    assert set(Counter(rule.category for rule in loud)) == set(CATEGORIES)
