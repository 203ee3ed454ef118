"""Sigma's correlations as SQL: windows that slide and end at each event, both ends included.

The statement gives a row for each group and moment at which the condition holds; groups are written without
case, as they are compared. Polars has no window frames by time, so counts of events are told by looking back
as many events as are asked for, what was seen last by running maxima, and what a window holds (its distinct
values, their sum) by joining events to those of the same group in the two spans of time around theirs: work
that grows with the square of the events in one window, as nothing that both engines run avoids.

The meaning is that of rules/README.md. Refused is what one look at each window cannot answer: counts of
correlations, upper bounds and denials of what grows as events arrive (they are asked of every window that an
event is in), the percentile of an event's own value, and several rules with different fields where events are
counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, cast

from sigma.backends.molehunt import literal
from sigma.backends.molehunt.column import BETWEEN, without_case
from sigma.backends.molehunt.expression import condition
from sigma.backends.molehunt.reading import condition_of, field_of
from sigma.backends.molehunt.seen import OPERATORS, Seen
from sigma.backends.molehunt.values import Values
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError

from analysis.sigma import tree
from analysis.sigma.fold import UNLIKE_LOWER

if TYPE_CHECKING:
    from sigma.backends.molehunt.table import Table
    from sigma.correlations import SigmaCorrelationCondition, SigmaRuleReference

GROWING: Final = ("event_count", "value_count", "value_sum")
_MEASURES: Final = {
    "value_count": 'COUNT(DISTINCT b."value")',
    "value_sum": 'SUM(b."value")',
    "value_avg": 'AVG(b."value")',
    "value_median": 'MEDIAN(b."value")',
    "value_percentile": 'QUANTILE_CONT(b."value", {share})',
}
_ALL_LETTERS: Final = frozenset("".join((*UNLIKE_LOWER.values(), "i")))


class CorrelationQuery:
    """The statement of one correlation.

    Args:
        rule: whose references are resolved and have been through the pipelines.
        table: where the events are.
        time: the column that says when an event was.
        name: to tell its parts from those of a correlation that counts it.
    """

    def __init__(self, rule: SigmaCorrelationRule, table: Table, time: str, name: str = "1") -> None:
        self._rule = rule
        self._name = name
        self._events = literal.name(f"matched events {name}")
        self._table = table
        self._time = field_of(time)
        self._fields = list(dict.fromkeys(rule.group_by or ()))
        self._groups = [literal.name(f"group {index}") for index in range(1, len(self._fields) + 1)]
        self._kind = rule.type.name.lower()
        self._span = f"INTERVAL '{rule.timespan.seconds} seconds'"

    def text(self) -> str:
        """The statement.

        Raises:
            SigmaError: SQL cannot say it, with the reason.
        """
        named = zip(self._groups, self._fields, strict=True)
        shown = [f"{group} AS {literal.name(field)}" for group, field in named]
        shown.append(f'"at" AS {literal.name(self._time.name)}')
        held, parts = self._held()
        return f"WITH {_listed(parts)}\nSELECT DISTINCT {', '.join(shown)}\nFROM (\n{held}\n) AS held"

    def _held(self) -> tuple[str, dict[str, str]]:
        """The moments and groups at which the condition holds, and the named parts that this refers to."""
        parts = self._matched()
        if self._kind == "event_count":
            return self._counted(), parts
        if self._kind in _MEASURES:
            return self._measured(), parts
        return Seen(self._rule, self._groups, self._span).text(self._events), parts

    # --- the events that are counted ----------------------------------------------------------------------

    def _matched(self) -> dict[str, str]:
        """When, in which group, by which rule and with which value; each event once in each group."""
        queries: list[str] = []
        parts: dict[str, str] = {}
        listed = False
        for index, (reference, asked) in enumerate(self._counted_as()):
            if asked is None:
                query, inner = self._passed_on(index, reference)
                queries.append(query)
                parts |= inner
            else:
                found, several = self._of(index, reference, asked)
                queries += found
                listed |= several
        texts = [*self._groups, *(['"value"'] if self._kind == "value_count" else [])]
        folded = [f"{without_case(name, _ALL_LETTERS)} AS {name}" for name in texts]
        others = [name for name in ('"rule"', '"at"', '"value"') if name not in texts]
        columns = ", ".join([*folded, *others, *(['"event"'] if listed else [])])
        known = " AND ".join(f"{name} IS NOT NULL" for name in ['"at"', *self._groups])
        every = "DISTINCT " if listed else ""
        together = "\nUNION ALL\n".join(queries)
        parts[self._events] = f"SELECT {every}{columns} FROM (\n{together}\n) AS every\nWHERE {known}"
        return parts

    def _counted_as(self) -> list[tuple[SigmaRuleReference, tree.Node | None]]:
        """What is asked of events, rule by rule, or for all rules together where an event counts once.

        Of a correlation that is counted, nothing is asked.
        """
        references = self._rule.referenced_rules
        for one in references:
            one.rule.get_conversion_result()  # raises where it has not been through the pipelines
        asked = [
            (one, None if isinstance(one.rule, SigmaCorrelationRule) else condition_of(one.rule))
            for one in references
        ]
        if self._kind.startswith("temporal"):
            return asked
        nodes = [node for _, node in asked if node is not None]
        if len(nodes) < len(asked):
            raise SigmaFeatureNotSupportedByBackendError(
                f"a {self._kind} of another correlation: in SQL only a temporal one can count those",
                source=self._rule.source,
            )
        named = (*self._fields, *self._named())
        if len({tuple(self._field(name, one) for name in named) for one in references}) > 1:
            raise SigmaFeatureNotSupportedByBackendError(
                "its rules name the fields to group by or to measure differently: in SQL an event that "
                "several of them match would count more than once",
                source=self._rule.source,
            )
        return [(references[0], tree.Or(tuple(nodes)))]

    def _passed_on(self, index: int, reference: SigmaRuleReference) -> tuple[str, dict[str, str]]:
        """The moments at which another correlation holds, in the same groups, and the named parts of that."""
        inner = CorrelationQuery(
            cast("SigmaCorrelationRule", reference.rule),
            self._table,
            self._time.name,
            f"{self._name}.{index}",
        )
        if set(inner._fields) != set(self._fields) or any(
            self._field(name, reference) != field_of(name) for name in self._fields
        ):
            raise SigmaFeatureNotSupportedByBackendError(
                f"it counts another correlation ({reference.reference}) with other fields to group by; in "
                "SQL they must be the same",
                source=self._rule.source,
            )
        held, parts = inner._held()
        theirs = [inner._groups[inner._fields.index(name)] for name in self._fields]
        same = "".join(f", {their} AS {mine}" for their, mine in zip(theirs, self._groups, strict=True))
        return f'SELECT {index} AS "rule", "at"{same}, NULL AS "value" FROM (\n{held}\n) AS held', parts

    def _of(self, index: int, reference: SigmaRuleReference, asked: tree.Node) -> tuple[list[str], bool]:
        """The events that are asked for, and whether one may be in several groups."""
        values = Values(self._table)
        where = condition(asked, values)
        when = values.column(self._time)
        at = when.sql if when.kind in ("time", "clock") else values.time(self._time)
        value = self._value(values, reference)
        shown = [f'{index} AS "rule"', f'{at} AS "at"']
        fields = [self._field(name, reference) for name in self._fields]
        lists = [field for field in fields if values.column(field).several]
        if len(lists) > 1 or any(values.column(field).kind == "joined" for field in lists):
            raise self._several(lists[0].columns[0], "grouped by beside others")
        for group, field in zip(self._groups, fields, strict=True):
            column = values.column(field)
            shown.append(f"{f'UNNEST({column.sql})' if column.several else values.text(field)} AS {group}")
        listed = bool(lists) and not self._kind.startswith("temporal")
        if listed:  # one event with the same value twice counts once
            shown.append(f'{values.event()} AS "event"')
        # A list without values gives no row: the event itself ends a window all the same.
        each = [value, "NULL"] if value.startswith("UNNEST(") else [value]
        if lists and len(each) > 1:
            raise self._several(self._named()[0], f"measured beside {lists[0].columns[0]}")
        return [values.query(where, ", ".join([*shown, f'{one} AS "value"'])) for one in each], listed

    def _field(self, name: str, reference: SigmaRuleReference) -> tree.Field:
        """A field of the correlation in the events of one rule, by the aliases."""
        for alias in self._rule.aliases:
            if alias.alias == name:
                for one, own in alias.mapping.items():
                    if one.reference == reference.reference:
                        return field_of(own)
        return field_of(name)

    def _named(self) -> list[str]:
        """The fields that are measured."""
        named = getattr(self._rule.condition, "fieldref", None) or []
        return (named if isinstance(named, list) else [named]) if self._kind in _MEASURES else []

    def _value(self, values: Values, reference: SigmaRuleReference) -> str:
        fields = [self._field(name, reference) for name in self._named()]
        if not fields:
            return "NULL"
        first = values.column(fields[0])
        if self._kind == "value_count" and len(fields) == 1 and first.kind == "list":
            return f"UNNEST({first.sql})"
        several = [field.columns[0] for field in fields if values.column(field).several]
        if several:
            raise self._several(several[0], f"measured by {self._kind}")
        if self._kind != "value_count":
            return values.number(fields[0])
        texts = [values.text(field) for field in fields]
        if len(texts) == 1:
            return texts[0]
        nothing = " AND ".join(f"{text} IS NULL" for text in texts)
        # A missing value is not the empty text.
        joined = f" || {literal.text(BETWEEN)} || ".join(
            f"COALESCE({text}, {literal.text(BETWEEN)})" for text in texts
        )
        return f"CASE WHEN {nothing} THEN NULL ELSE {joined} END"

    def _several(self, name: str, how: str) -> SigmaFeatureNotSupportedByBackendError:
        return SigmaFeatureNotSupportedByBackendError(
            f"{name} may have several values and cannot be {how} in SQL", source=self._rule.source
        )

    # --- windows ------------------------------------------------------------------------------------------

    def _counted(self) -> str:
        """Moments by the number of events in the window that ends there."""
        bound = self._bound()
        least = math.ceil(bound.count) if bound.op.name == "GTE" else math.floor(bound.count) + 1
        if least <= 1:
            return f"SELECT * FROM {self._events} AS seen"
        partition = f"PARTITION BY {', '.join(self._groups)} " if self._groups else ""
        window = f'({partition}ORDER BY "at")'
        looks = f'LEAD("at") OVER {window} AS "next", LAG("at", {least - 1}) OVER {window} AS "first"'
        # Of events of one moment the last has all of them behind it.
        return (
            f"SELECT * FROM (\n  SELECT *, {looks}\n  FROM {self._events}\n) AS seen\n"
            f'WHERE ("next" IS NULL OR "next" > "at") AND "first" >= "at" - {self._span}'
        )

    def _bound(self) -> SigmaCorrelationCondition:
        """The comparison, if one look at each window answers it."""
        bound = cast("SigmaCorrelationCondition", self._rule.condition)
        if self._kind in GROWING and bound.op.name not in ("GT", "GTE"):
            raise SigmaFeatureNotSupportedByBackendError(
                f"{self._kind} with {bound.op.name.lower()}: in SQL it can only be gt or gte",
                source=self._rule.source,
            )
        if self._kind == "value_percentile" and bound.percentile is None:
            raise SigmaFeatureNotSupportedByBackendError(
                "value_percentile without `percentile:`: in SQL it needs one", source=self._rule.source
            )
        return bound

    def _measured(self) -> str:
        """Moments by a measure of the values in the window that ends there."""
        bound = self._bound()
        measure = _MEASURES[self._kind].format(share=(bound.percentile or 0) / 100)
        shown = "".join(f"{group}, " for group in self._groups)
        spans = f'CAST(FLOOR(EXTRACT(EPOCH FROM "at") / {self._rule.timespan.seconds}) AS BIGINT)'
        same = "".join(f" AND a.{group} = b.{group}" for group in self._groups)
        mine = ", ".join([*(f"a.{group}" for group in self._groups), 'a."at"'])
        return (
            f'SELECT * FROM (\n  SELECT {mine}, {measure} AS "measured"\n'
            f'  FROM (SELECT DISTINCT {shown}"at", {spans} AS "span" FROM {self._events}) AS a\n'
            f'  JOIN (\n    SELECT {shown}"at" AS "when", "value", {spans} AS "span" FROM {self._events}\n'
            "    UNION ALL\n"
            f'    SELECT {shown}"at" AS "when", "value", {spans} + 1 AS "span" FROM {self._events}\n'
            f'  ) AS b ON a."span" = b."span"{same}\n'
            f'  WHERE b."when" <= a."at" AND b."when" >= a."at" - {self._span}\n'
            f"  GROUP BY {mine}\n) AS measures\n"
            f'WHERE "measured" {OPERATORS[bound.op.name.lower()]} {literal.number(bound.count)}'
        )


def _listed(parts: dict[str, str]) -> str:
    return ",\n".join(f"{name} AS (\n{query}\n)" for name, query in parts.items())
