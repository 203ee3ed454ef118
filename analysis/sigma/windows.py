"""Sliding windows over events, exact: does a correlation's condition hold when this event arrives?

Each event ends a window `[t - T, t]`, both ends included. Events of the same moment are all in it, in either
order: logs of one second's resolution cannot say which came first.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.sigma.correlation import Absent, Correlation, Either, Every, Expression, Seen
from analysis.sigma.quote import AT

if TYPE_CHECKING:
    from datetime import timedelta

KEY: Final = "_key"
REF: Final = "_ref"
VALUE: Final = "_value"
HOLDS: Final = "_holds"
MEASURED: Final = "_measured"
_OPERATORS: Final = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq,
    "neq": operator.ne,
}  # fmt: skip
_LAST: Final = "_last{}"
_NEXT: Final = "_next{}"
_START: Final = "_start{}"


def holding(events: pl.DataFrame, correlation: Correlation) -> pl.DataFrame:
    """The events, with `HOLDS` (the condition holds when it arrives) and `MEASURED` (the number compared).

    Args:
        correlation: what is counted.
        events: `KEY` (group), `AT`, `REF` (index of the rule in `correlation.rules`) and `VALUE`, sorted by
            `KEY` and `AT`.
    """
    if correlation.kind.startswith("temporal"):
        return _temporal(events, correlation)
    measured = {
        "event_count": pl.len(),
        "value_count": pl.col(VALUE).drop_nulls().n_unique(),
        "value_sum": pl.col(VALUE).sum(),
        "value_avg": pl.col(VALUE).mean(),
        "value_median": pl.col(VALUE).median(),
        "value_percentile": pl.col(VALUE).quantile(correlation.percentile / 100, "linear"),
    }[correlation.kind]
    events = events.with_columns(
        measured.rolling(AT, period=correlation.timespan, closed="both")
        .over(KEY)
        .cast(pl.Float64)
        .alias(MEASURED)
    )
    return events.with_columns(_within_bounds(correlation).alias(HOLDS))


def _within_bounds(correlation: Correlation) -> pl.Expr:
    parts = [_OPERATORS[how](pl.col(MEASURED), number) for how, number in correlation.bounds]
    return pl.all_horizontal(parts).fill_null(value=False)


def _temporal(events: pl.DataFrame, correlation: Correlation) -> pl.DataFrame:
    span = correlation.timespan
    count = len(correlation.rules)
    moment = [KEY, AT]
    for index in range(count):
        mine = pl.when(pl.col(REF) == index).then(AT)
        events = events.with_columns(mine.forward_fill().over(KEY).alias(_LAST.format(index)))
        events = events.with_columns(pl.col(_LAST.format(index)).max().over(moment))
    if correlation.kind == "temporal_ordered":
        events = _ordered(events, correlation)
        seen = [pl.col(_START.format(index)) >= pl.col(AT) - span for index in _order(correlation)]
    else:
        seen = [pl.col(_LAST.format(index)) >= pl.col(AT) - span for index in range(count)]
    number = pl.sum_horizontal(part.fill_null(value=False).cast(pl.Float64) for part in seen)
    events = events.with_columns(number.alias(MEASURED))
    if correlation.expression is None:
        return events.with_columns(_within_bounds(correlation).alias(HOLDS))
    for index in range(count):
        mine = pl.when(pl.col(REF) == index).then(AT)
        events = events.with_columns(mine.backward_fill().over(KEY).alias(_NEXT.format(index)))
        events = events.with_columns(pl.col(_NEXT.format(index)).min().over(moment))
    holds = _said(correlation.expression, span, absent=False)
    if correlation.kind == "temporal_ordered":
        holds &= pl.col(MEASURED) == len(seen)
    return events.with_columns(holds.alias(HOLDS))


def _ordered(events: pl.DataFrame, correlation: Correlation) -> pl.DataFrame:
    """For each rule, when the latest chain that goes through all before it and ends with it began."""
    before: pl.Expr = pl.col(AT)
    for index in _order(correlation):
        name = _START.format(index)
        began = pl.when(pl.col(REF) == index).then(before)
        events = events.with_columns(began.forward_fill().over(KEY).alias(name))
        events = events.with_columns(pl.col(name).max().over([KEY, AT]))
        before = pl.col(name)
    return events


def _order(correlation: Correlation) -> list[int]:
    """The rules that must follow each other: all, or of a boolean condition those it asks for outright."""
    if correlation.expression is None:
        return list(range(len(correlation.rules)))
    return _outright(correlation.expression)


def _outright(expression: Expression) -> list[int]:
    match expression:
        case Seen(index):
            return [index]
        case Every(parts):
            return sorted({index for part in parts for index in _outright(part)})
    return []


def _said(expression: Expression, span: timedelta, *, absent: bool) -> pl.Expr:
    """A boolean condition. What is denied must be absent on both sides of the event, `span` each way."""
    match expression:
        case Seen(index):
            seen = (pl.col(_LAST.format(index)) >= pl.col(AT) - span).fill_null(value=False)
            if absent:
                seen |= (pl.col(_NEXT.format(index)) <= pl.col(AT) + span).fill_null(value=False)
            return seen
        case Absent(part):
            return ~_said(part, span, absent=not absent)
        case Every(parts):
            return reduce(operator.and_, [_said(part, span, absent=absent) for part in parts])
        case Either(parts):
            return reduce(operator.or_, [_said(part, span, absent=absent) for part in parts])
