"""Sigma's correlations as SQL: windows that slide and end at each event, both ends included.

The statement gives a row for each group and moment at which the condition holds. Polars has no window frames
by time, so counts of events are told by looking back as many events as are asked for, what was seen last by
running maxima, and what a window holds (its distinct values, their sum) by joining events to those of the
same group in the two spans of time around theirs: work that grows with the square of the events in one
window, as nothing that both engines run avoids.

Events of the same moment are in each other's windows, and for `temporal_ordered` in any order. Events that
lack a group-by field are left out. Refused are correlations of correlations, and upper bounds and denials of
what grows as events arrive: molehunt asks those of every window that an event is in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, cast

from sigma.backends.molehunt import literal
from sigma.backends.molehunt.column import BETWEEN
from sigma.backends.molehunt.expression import condition
from sigma.backends.molehunt.reading import condition_of, field_of
from sigma.backends.molehunt.seen import OPERATORS, Seen
from sigma.backends.molehunt.values import Values
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError

if TYPE_CHECKING:
    from sigma.backends.molehunt.table import Table
    from sigma.correlations import SigmaCorrelationCondition, SigmaRuleReference

    from analysis.sigma import tree

GROWING: Final = ("event_count", "value_count", "value_sum")
_MEASURES: Final = {
    "value_count": 'COUNT(DISTINCT b."value")',
    "value_sum": 'COALESCE(SUM(b."value"), 0)',
    "value_avg": 'AVG(b."value")',
    "value_median": 'MEDIAN(b."value")',
    "value_percentile": 'QUANTILE_CONT(b."value", {share})',
}


class CorrelationQuery:
    """The statement of one correlation.

    Args:
        rule: whose references are resolved and have been through the pipelines.
        table: where the events are.
        time: the column that says when an event was.
    """

    def __init__(self, rule: SigmaCorrelationRule, table: Table, time: str) -> None:
        self._rule = rule
        self._table = table
        self._time = field_of(time)
        self._fields = list(rule.group_by or ())
        self._groups = [literal.name(f"group {index}") for index in range(1, len(self._fields) + 1)]
        self._kind = rule.type.name.lower()
        self._span = f"INTERVAL '{rule.timespan.seconds} seconds'"

    def text(self) -> str:
        """The statement.

        Raises:
            SigmaError: SQL cannot say it, with the reason.
        """
        if self._kind == "event_count":
            body = self._counted()
        elif self._kind in _MEASURES:
            body = self._measured()
        else:
            windows = Seen(self._rule, self._groups, self._span)
            body = windows.text('"matched events"')
        shown = [
            f"{group} AS {literal.name(field)}"
            for group, field in zip(self._groups, self._fields, strict=True)
        ]
        shown.append(f'"at" AS {literal.name(self._time.name)}')
        return (
            f'WITH "matched events" AS (\n{_indented(self._matched())}\n)\n'
            f"SELECT DISTINCT {', '.join(shown)}\nFROM (\n{_indented(body)}\n) AS held"
        )

    # --- the events that are counted ----------------------------------------------------------------------

    def _matched(self) -> str:
        parts = [self._of(index, reference) for index, reference in enumerate(self._rule.referenced_rules)]
        together = "\nUNION ALL\n".join(parts)
        if not self._groups:
            return f'SELECT * FROM (\n{_indented(together)}\n) AS every WHERE "at" IS NOT NULL'
        known = " AND ".join(f"{group} IS NOT NULL" for group in self._groups)
        return f'SELECT * FROM (\n{_indented(together)}\n) AS every WHERE "at" IS NOT NULL AND {known}'

    def _of(self, index: int, reference: SigmaRuleReference) -> str:
        """The events of one rule: when, in which group, with which value."""
        if isinstance(reference.rule, SigmaCorrelationRule):
            raise SigmaFeatureNotSupportedByBackendError(
                f"it counts another correlation ({reference.reference}); in SQL only rules can be counted",
                source=self._rule.source,
            )
        values = Values(self._table)
        where = condition(condition_of(reference.rule), values)
        when = values.column(self._time)
        at = when.sql if when.kind in ("time", "clock") else values.time(self._time)
        shown = [f'{index} AS "rule"', f'{at} AS "at"']
        for group, name in zip(self._groups, self._fields, strict=True):
            shown.append(f"{_group(values, self._field(name, reference))} AS {group}")
        shown.append(f'{self._value(values, reference)} AS "value"')
        return values.query(where, ", ".join(shown))

    def _field(self, name: str, reference: SigmaRuleReference) -> tree.Field:
        """A field of the correlation in the events of one rule, by the aliases."""
        for alias in self._rule.aliases:
            if alias.alias == name:
                for one, own in alias.mapping.items():
                    if one.reference == reference.reference:
                        return field_of(own)
        return field_of(name)

    def _value(self, values: Values, reference: SigmaRuleReference) -> str:
        named = getattr(self._rule.condition, "fieldref", None)
        if self._kind not in _MEASURES or not named:
            return "NULL"
        fields = [self._field(name, reference) for name in (named if isinstance(named, list) else [named])]
        if self._kind != "value_count":
            return values.number(fields[0])
        texts = [values.text(field) for field in fields]
        if len(texts) == 1:
            return texts[0]
        nothing = " AND ".join(f"{text} IS NULL" for text in texts)
        mark = f" || {literal.text(BETWEEN)} || "
        joined = mark.join(f"COALESCE({text}, '')" for text in texts)
        return f"CASE WHEN {nothing} THEN NULL ELSE {joined} END"

    # --- windows ------------------------------------------------------------------------------------------

    def _counted(self) -> str:
        """Moments by the number of events in the window that ends there."""
        bound = self._bound()
        least = math.ceil(bound.count) if bound.op.name == "GTE" else math.floor(bound.count) + 1
        if least <= 1:
            return 'SELECT * FROM "matched events" AS seen'
        window = window_of(self._groups)
        looks = f'LEAD("at") OVER ({window}) AS "next", LAG("at", {least - 1}) OVER ({window}) AS "first"'
        # Of events of one moment the last has all of them behind it.
        return (
            f'SELECT * FROM (\n  SELECT *, {looks}\n  FROM "matched events"\n) AS seen\n'
            f'WHERE {_LAST_OF_MOMENT} AND "first" >= "at" - {self._span}'
        )

    def _bound(self) -> SigmaCorrelationCondition:
        """The comparison, if one look at each window answers it.

        What grows as events arrive is below any number at first: molehunt asks an upper bound of all windows
        that an event is in.
        """
        bound = cast("SigmaCorrelationCondition", self._rule.condition)
        if self._kind in GROWING and bound.op.name not in ("GT", "GTE"):
            raise SigmaFeatureNotSupportedByBackendError(
                f"{self._kind} with {bound.op.name.lower()}: in SQL it can only be gt or gte",
                source=self._rule.source,
            )
        return bound

    def _measured(self) -> str:
        """Moments by a measure of the values in the window that ends there."""
        bound = self._bound()
        share = (bound.percentile or 0) / 100 if self._kind == "value_percentile" else 0
        measure = _MEASURES[self._kind].format(share=share)
        shown = "".join(f"{group}, " for group in self._groups)
        spans = f'CAST(FLOOR(EXTRACT(EPOCH FROM "at") / {self._rule.timespan.seconds}) AS BIGINT)'
        same = "".join(f" AND a.{group} = b.{group}" for group in self._groups)
        mine = ", ".join([*(f"a.{group}" for group in self._groups), 'a."at"'])
        return (
            f'SELECT * FROM (\n  SELECT {mine}, {measure} AS "measured"\n'
            f'  FROM (SELECT DISTINCT {shown}"at", {spans} AS "span" FROM "matched events") AS a\n'
            f'  JOIN (\n    SELECT {shown}"at" AS "when", "value", {spans} AS "span" FROM "matched events"\n'
            "    UNION ALL\n"
            f'    SELECT {shown}"at" AS "when", "value", {spans} + 1 AS "span" FROM "matched events"\n'
            f'  ) AS b ON a."span" = b."span"{same}\n'
            f'  WHERE b."when" <= a."at" AND b."when" >= a."at" - {self._span}\n'
            f"  GROUP BY {mine}\n) AS measures\n"
            f'WHERE "measured" {OPERATORS[bound.op.name.lower()]} {literal.number(bound.count)}'
        )


_LAST_OF_MOMENT: Final = '("next" IS NULL OR "next" > "at")'


def window_of(groups: list[str]) -> str:
    """What stands behind OVER, in brackets."""
    partition = f"PARTITION BY {', '.join(groups)} " if groups else ""
    return f'{partition}ORDER BY "at"'


def _group(values: Values, field: tree.Field) -> str:
    """A group-by field: an event with several values is in the group of each."""
    column = values.column(field)
    if column.kind == "joined":
        raise SigmaFeatureNotSupportedByBackendError(
            f"group-by {field.name}: one of its columns has several values and another one; name one of them"
        )
    return f"UNNEST({column.sql})" if column.kind == "list" else values.text(field)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
