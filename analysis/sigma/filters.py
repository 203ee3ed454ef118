"""Sigma filters: a further condition of rules, kept in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.sigma import tree
from analysis.sigma.detection import Reading, read_detection
from analysis.sigma.documents import Document, RuleError, RuleProblem
from analysis.sigma.rule import Rule, read_logsource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.sigma.taxonomy import Logsource, Taxonomy


@dataclass(frozen=True, slots=True)
class Filter:
    """A Sigma filter: a further condition of the rules it names, or of all on its logsource (None)."""

    document: Document
    logsource: Logsource
    rules: tuple[str, ...] | None
    detection: Mapping[str, Any]


def read_filter(document: Document) -> Filter:
    """Read a filter document.

    Raises:
        RuleProblem: The document is no filter of Sigma's.
    """
    source = read_logsource(document.value.get("logsource"))
    body = document.value["filter"]
    if not isinstance(body, dict):
        raise RuleProblem("`filter:` must be a mapping of rules, selections and a condition", ("filter",))
    rules = body.get("rules")
    if rules is None:
        raise RuleProblem("`rules:` is missing; list the rules to filter, or write `any`", ("filter",))
    named = rules if isinstance(rules, list) else [rules]
    everything = not named or [str(name).lower() for name in named] == ["any"]
    return Filter(document, source, None if everything else tuple(str(name) for name in named), body)


def apply_filter(
    one: Filter, rules: list[Rule], taxonomy: Taxonomy, placeholders: Mapping[str, Sequence[str]]
) -> list[RuleError]:
    """Add the filter's condition, as it is written, to each of `rules` that it is about, in place."""
    for index, rule in enumerate(rules):
        if one.rules is not None and not {rule.id, rule.name} & set(one.rules):
            continue
        if not _covers(one.logsource, rule.logsource):
            continue
        reading = Reading(lambda name, rule=rule: taxonomy.field(name, rule.logsource), placeholders)  # type: ignore[misc]  # a default binds the loop's rule
        try:
            condition = read_detection(one.detection, reading, ("filter",))
        except RuleProblem as problem:
            return [one.document.error(str(problem), *problem.keys)]
        both = tree.And((rule.condition, condition))
        columns = frozenset(column for f in tree.fields(both) for column in f.sources)
        rules[index] = replace(rule, condition=both, fields=columns)
    return []


def _covers(wide: Logsource, narrow: Logsource) -> bool:
    return all(
        mine is None or mine == theirs
        for mine, theirs in (
            (wide.category, narrow.category),
            (wide.product, narrow.product),
            (wide.service, narrow.service),
        )
    )
