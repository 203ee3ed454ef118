"""Correlations of correlations: what one that fired passes on to one that counts it.

An event is passed on at the first moment at which the condition holds with it in the window, to the group
that the event itself is in: the outer correlation uses its own `group-by` (the specification's note on
temporal_ordered), of every event that the inner one counted. Each moment is passed on once a group. Where the
outer one counts or measures, a run of moments (nothing in between at which the condition does not hold) is
one occurrence, at its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma.correlations.correlation import TEMPORAL, Correlation
from analysis.sigma.correlations.fired import HOLDS, RUN, WHEN, Portion
from analysis.sigma.correlations.gather import AT, LOW, OF_HIGH, OF_LOW, PATH, Batch, Rows
from analysis.sigma.correlations.items import EVENT, HIGH
from analysis.sigma.correlations.quotable import Kept, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.sigma.correlations.items import Columns
    from analysis.sigma.correlations.paths import Path

_OUTER_HIGH: Final = "_outer_high"
_OUTER_LOW: Final = "_outer_low"
_ROW: Final = "_row"


def passed_on(
    portion: Portion,
    inner: Sequence[Path],
    correlation: Correlation,
    outer: Sequence[tuple[int, Path]],
    evidence: Kept,
) -> Columns:
    """What fired, as items of the correlation that counts it.

    Args:
        portion: some groups of the inner correlation.
        inner: the ways to it.
        correlation: the outer one.
        outer: the ways from the one to the other, and their index in the ways to the other.
        evidence: the events.
    """
    judged = portion.judged
    fired = judged.inside
    ways = [(below, number, way) for number, way in outer for below in way.below]
    if all(_same_groups(inner[below], way, correlation) for below, _, way in ways):
        fired = fired & (portion.items[AT][judged.order] == judged.when)
    rows = portion.rows(fired)
    parts = []
    for below, number, way in ways:
        mine = rows.filter(pl.col(PATH) == below)
        if mine.height:
            parts.append(_regrouped(mine, inner[below], way, number, correlation, evidence))
    found = _once(together(parts), correlation) if parts else pl.DataFrame()
    return {column.name: column.to_numpy() for column in found}


def _same_groups(inner: Path, outer: Path, correlation: Correlation) -> bool:
    """Whether a group of the inner correlation is in one group of the outer, and has one value."""
    asked = {one.name for one in outer.groups}
    if correlation.kind == "value_count":
        asked |= {one.name for one in outer.counted}
    return asked <= {one.name for one in inner.groups}


def _regrouped(
    mine: pl.DataFrame, inner: Path, outer: Path, number: int, correlation: Correlation, evidence: Kept
) -> pl.DataFrame:
    """Rows of one way; the groups of the outer correlation stand in `_OUTER_HIGH` and `_OUTER_LOW`."""
    mine = mine.unique((EVENT, HIGH, LOW), keep="first", maintain_order=True)
    columns = {column for one in (*inner.groups, *outer.groups, *outer.counted) for column in one.sources}
    events = evidence.having(mine[EVENT].unique().sort(), tuple(columns))
    batch = Batch(events)
    fields = list(dict.fromkeys((*inner.groups, *outer.groups)))
    rows = Rows.of(np.arange(events.height), events.height)
    for field in fields:
        rows = rows.having(batch.keys(field))
    high, low = rows.key([fields.index(one) for one in inner.groups])
    outer_high, outer_low = rows.key([fields.index(one) for one in outer.groups])
    regrouped = pl.DataFrame(
        {
            EVENT: events[EVENT].to_numpy()[rows.event],
            HIGH: high,
            LOW: low,
            _OUTER_HIGH: outer_high,
            _OUTER_LOW: outer_low,
            _ROW: rows.event,
        }
    )
    found = mine.select(EVENT, HIGH, LOW, AT, WHEN, RUN, HOLDS).join(
        regrouped, on=(EVENT, HIGH, LOW), how="inner", maintain_order="left"
    )
    place, measured = batch.measured(found[_ROW].to_numpy(), outer, correlation)
    found = found.drop(_ROW)
    return (
        (found if place is None else found[place])
        .with_columns(pl.lit(number, pl.UInt16).alias(PATH))
        .with_columns(pl.Series(name, column) for name, column in measured.items())
    )


def _once(found: pl.DataFrame, correlation: Correlation) -> pl.DataFrame:
    """Each moment once a group, or each run; best told by the event that it fired at."""
    same = [HIGH, LOW, _OUTER_HIGH, _OUTER_LOW, WHEN if correlation.kind in TEMPORAL else RUN]
    if correlation.kind == "value_count":
        same += [OF_HIGH, OF_LOW]
    first = found.sort(
        WHEN, HOLDS, AT, EVENT, descending=(False, True, True, False), maintain_order=True
    ).unique(same, keep="first", maintain_order=True)
    return first.with_columns(
        pl.col(WHEN).alias(AT), pl.col(_OUTER_HIGH).alias(HIGH), pl.col(_OUTER_LOW).alias(LOW)
    ).drop(WHEN, RUN, HOLDS, _OUTER_HIGH, _OUTER_LOW)
