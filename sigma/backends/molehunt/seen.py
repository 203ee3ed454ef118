"""Temporal correlations: which rules were seen in the window that ends at a moment, and in which order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

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
        for index in range(len(self._names)):
            source = self._looked(source, f'CASE WHEN "rule" = {index} THEN "at" END', f"last {index}")
        if not self._ordered:
            lasts = [f'"last {index}"' for index in range(len(self._names))]
            return f"SELECT * FROM {source} WHERE {self._holds(lasts)}"
        before = '"at"'
        for index in self._order():
            # When the latest chain began that goes through all rules before this one and ends with it.
            source = self._looked(source, f'CASE WHEN "rule" = {index} THEN {before} END', f"start {index}")
            before = f'"start {index}"'
        starts = [f'"start {index}"' for index in self._order()]
        return f"SELECT * FROM {source} WHERE {self._holds(starts)}"

    @property
    def _ordered(self) -> bool:
        return bool(self._rule.type.name == "TEMPORAL_ORDERED")

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

    def _holds(self, seen: list[str]) -> str:
        inside = [f'COALESCE({name} >= "at" - {self._span}, FALSE)' for name in seen]
        if self._extended is not None:
            said = self._said(self._extended)
            return " AND ".join([said, *inside]) if self._ordered else said
        bound = cast("SigmaCorrelationCondition", self._rule.condition)
        if bound.op.name not in ("GT", "GTE"):
            raise SigmaFeatureNotSupportedByBackendError(
                f"a temporal correlation with {bound.op.name.lower()}: in SQL it can only be gt or gte"
            )
        count = " + ".join(f"CASE WHEN {one} THEN 1 ELSE 0 END" for one in inside)
        return f"{count} {OPERATORS[bound.op.name.lower()]} {bound.count}"

    def _order(self) -> list[int]:
        """The rules that must follow each other: all, or of a boolean condition those asked for outright."""
        if self._extended is None:
            return list(range(len(self._names)))
        return self._outright(self._extended)

    def _outright(self, part: object) -> list[int]:
        match part:
            case SigmaRuleReference(reference=name):
                return [self._names.index(name)]
            case CorrelationConditionAND(args=parts):
                return sorted({index for one in parts for index in self._outright(one)})
        return []

    def _said(self, part: object) -> str:
        """A boolean condition."""
        match part:
            case SigmaRuleReference(reference=name):
                return f'COALESCE("last {self._names.index(name)}" >= "at" - {self._span}, FALSE)'
            case CorrelationConditionAND(args=parts):
                return "(" + " AND ".join(self._said(one) for one in parts) + ")"
            case CorrelationConditionOR(args=parts):
                return "(" + " OR ".join(self._said(one) for one in parts) + ")"
        raise SigmaFeatureNotSupportedByBackendError(
            "a correlation that denies a rule (not): molehunt asks that of every window that an event is in, "
            "and SQL cannot"
        )
