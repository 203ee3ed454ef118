"""pySigma's parsed condition, after all pipelines, as molehunt's own tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sigma.backends.molehunt.as_molehunt import BETWEEN_COLUMNS, AsRead
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError, SigmaValueError

from analysis.sigma import tree
from analysis.sigma.reading.detection import Reading, read_keyword
from analysis.sigma.reading.documents import RuleProblem
from analysis.sigma.reading.from_pysigma import read_value

if TYPE_CHECKING:
    from sigma.rule import SigmaRule
    from sigma.types import SigmaType


def field_of(name: str) -> tree.Field:
    """A field's name as a pipeline left it: a column, or several of which the first with a value counts."""
    return tree.Field(name, tuple(name.split(BETWEEN_COLUMNS)))


_READING: Final = Reading(field_of)


def condition_of(rule: SigmaRule) -> tree.Node:
    """What a rule asks: any of its conditions.

    Raises:
        SigmaError: a value cannot be read.
    """
    nodes = tuple(node_of(condition.parsed) for condition in rule.detection.parsed_condition)
    return nodes[0] if len(nodes) == 1 else tree.Or(nodes)


def node_of(condition: object) -> tree.Node:
    """A part of a condition.

    Raises:
        SigmaError: a value cannot be read.
    """
    match condition:
        case ConditionAND():
            return tree.And(tuple(node_of(part) for part in condition.args))
        case ConditionOR():
            return _either(tuple(node_of(part) for part in condition.args))
        case ConditionNOT():
            return tree.Not(node_of(condition.args[0]))
        case ConditionFieldEqualsValueExpression():
            return tree.Item("", field_of(condition.field), (_value(condition.value),))
        case ConditionValueExpression():
            return tree.Item("", None, (_keyword(condition.value),))
    raise SigmaFeatureNotSupportedByBackendError(f"a condition of the kind {type(condition).__name__}")


def _either(nodes: tuple[tree.Node, ...]) -> tree.Node:
    """Any of them; values of one field stand together, so that the query can list them."""
    gathered: dict[tree.Field | None, list[tree.Value]] = {}
    others: list[tree.Node] = []
    for node in nodes:
        if isinstance(node, tree.Item):
            gathered.setdefault(node.field, []).extend(node.values)
        else:
            others.append(node)
    items = [tree.Item("", field, tuple(values)) for field, values in gathered.items()]
    together = (*items, *others)
    return together[0] if len(together) == 1 else tree.Or(together)


def _value(value: SigmaType) -> tree.Value:
    if isinstance(value, AsRead):
        return value.value
    try:
        return read_value(value, _READING)
    except RuleProblem as problem:
        raise SigmaValueError(_said(problem)) from problem


def _keyword(value: SigmaType) -> tree.Value:
    if isinstance(value, AsRead):
        return value.value
    try:
        return read_keyword(read_value(value, _READING))
    except RuleProblem as problem:
        raise SigmaValueError(_said(problem)) from problem


def _said(problem: RuleProblem) -> str:
    """The reason, with the advice that fits a conversion."""
    reason, _, advice = str(problem).partition("; ")
    if reason.startswith("placeholder "):
        return f"{reason}; use a pipeline that replaces it, or molehunt rules convert --site FILE"
    return f"{reason}; {advice}"
