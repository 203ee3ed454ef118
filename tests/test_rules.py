"""Every rule that molehunt brings passes its own check and its own examples."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from analysis.finding import CATEGORIES
from analysis.sigma import RulePack, bundled_rules
from analysis.workbench.examples import Outcome, run_examples
from analysis.workbench.lint import check


@cache
def bundled() -> RulePack:
    return RulePack.load([bundled_rules()])


@cache
def outcomes() -> dict[str, Outcome]:
    return {
        f"{outcome.path.relative_to(bundled_rules())}: {outcome.title}": outcome
        for outcome in run_examples(bundled())
    }


def test_every_rule_passes_the_check() -> None:
    assert [str(error) for error in check(bundled(), [bundled_rules()])] == []


@pytest.mark.parametrize("name", outcomes())
def test_the_examples_of_each_rule_are_right(name: str) -> None:
    assert [str(failure) for failure in outcomes()[name].failures] == []


def test_every_rule_that_makes_findings_has_examples_on_either_side() -> None:
    loud = {(rule.path, rule.title) for rule in bundled().rules if not rule.silent}
    lacking = [
        name
        for name, outcome in outcomes().items()
        if (outcome.path, outcome.title) in loud and not (outcome.matching and outcome.others)
    ]
    assert lacking == []


def test_there_are_sixty_rules_and_every_category_has_some() -> None:
    loud = [rule for rule in bundled().rules if not rule.silent]
    assert len(loud) >= 60
    assert set(Counter(rule.category for rule in loud)) == set(CATEGORIES)
