"""Temporal correlations: which rules were seen in the window that ends at a moment, and in which order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from sigma.backends.molehunt import literal
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionOR,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule

_SO_FAR: Final = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
OPERATORS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "<>"}


class Seen:
    """The windows of one temporal correlation.

    Args:
        rule: the correlation.
        groups: the columns to group by.
        span: the length of the window.
    """

    def __init__(self, rule: SigmaCorrelationRule, groups: list[str], span: str) -> None:
        self._rule = rule
        self._groups = groups
        self._span = span
        self._names = [reference.reference for reference in rule.referenced_rules]

    def text(self, source: str) -> str:
        """A statement of the moments of `source` at which the condition holds."""
        if self._rule.type.name == "TEMPORAL_ORDERED":
            return self._in_order(source)
        for index in range(len(self._names)):
            source = self._looked(source, f'CASE WHEN "rule" = {index} THEN "at" END', f"last {index}")
        return f"SELECT * FROM {source} WHERE {self._holds()}"

    def _in_order(self, source: str) -> str:
        before = '"at"'
        for index in self._order():
            # When the latest chain began that goes through all rules before this one and ends with it.
            source = self._looked(source, f'CASE WHEN "rule" = {index} THEN {before} END', f"start {index}")
            before = f'"start {index}"'
        return f'SELECT * FROM {source} WHERE {before} >= "at" - {self._span}'

    @cached_property
    def _extended(self) -> object | None:
        condition = self._rule.condition
        return condition.parsed if isinstance(condition, SigmaExtendedCorrelationCondition) else None

    def _looked(self, source: str, what: str, name: str) -> str:
        """`source` with a column more: the latest `what` up to each moment."""
        partition = f"PARTITION BY {', '.join(self._groups)} " if self._groups else ""
        moment = ", ".join([*self._groups, '"at"'])
        running = f'MAX({what}) OVER ({partition}ORDER BY "at" {_SO_FAR}) AS "running"'
        # Events of one moment see each other, whichever is counted first.
        seen = f'MAX("running") OVER (PARTITION BY {moment}) AS "{name}"'
        inner = f"SELECT *, {running} FROM {source}"
        return f'(\n  SELECT * EXCLUDE ("running"), {seen}\n  FROM ({inner}) AS rows\n) AS rows'

    def _holds(self) -> str:
        if self._extended is not None:
            return self._said(self._extended)
        count = " + ".join(f"CASE WHEN {self._inside(i)} THEN 1 ELSE 0 END" for i in range(len(self._names)))
        bound = self._bound()
        return f"{count} {OPERATORS[bound.op.name.lower()]} {literal.number(bound.count)}"

    def _inside(self, index: int) -> str:
        return f'COALESCE("last {index}" >= "at" - {self._span}, FALSE)'

    def _bound(self) -> SigmaCorrelationCondition:
        bound = cast("SigmaCorrelationCondition", self._rule.condition)
        if bound.op.name not in ("GT", "GTE"):
            raise self._unsayable(
                f"a temporal correlation with {bound.op.name.lower()} can only be gt or gte"
            )
        return bound

    def _order(self) -> list[int]:
        """The rules that must follow each other: all of them, or those that the condition joins by `and`."""
        if self._extended is not None:
            return sorted(set(self._joined(self._extended)))
        bound = self._bound()
        every = len(self._names)
        if not every - 1 < bound.count + (bound.op.name == "GT") <= every:
            raise self._unsayable("some of the rules in order, but not all")
        return list(range(every))

    def _joined(self, part: object) -> list[int]:
        match part:
            case SigmaRuleReference(reference=name):
                return [self._number(name)]
            case CorrelationConditionAND(args=parts):
                return [index for one in parts for index in self._joined(one)]
        raise self._unsayable("an order of rules that are joined by `or` or `not`")

    def _said(self, part: object) -> str:
        """A boolean condition."""
        match part:
            case SigmaRuleReference(reference=name):
                return self._inside(self._number(name))
            case CorrelationConditionAND(args=parts):
                return "(" + " AND ".join(self._said(one) for one in parts) + ")"
            case CorrelationConditionOR(args=parts):
                return "(" + " OR ".join(self._said(one) for one in parts) + ")"
        raise self._unsayable("a rule that must be absent (not): it is asked of every window an event is in")

    def _number(self, name: str) -> int:
        if name not in self._names:
            raise self._unsayable(f"{name!r}, by which `rules:` does not call any of its rules")
        return self._names.index(name)

    def _unsayable(self, what: str) -> SigmaFeatureNotSupportedByBackendError:
        return SigmaFeatureNotSupportedByBackendError(
            f"{what}: SQL cannot say it so that both engines run it", source=self._rule.source
        )
