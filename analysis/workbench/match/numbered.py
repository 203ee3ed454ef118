"""Matches of a pack over JSON lines as they are: the number of each event's line, and of the rule."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.sigma.correlations.correlate import SOURCE_ROW, Correlations
from analysis.workbench.match.as_written import LINE, Asked, column, tables
from analysis.workbench.match.moments import moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.sigma.pack import RulePack
    from sensors.sensor import Source

_SCHEMA: Final = pl.Schema({"event": pl.Int64(), "rule": pl.Int64()})


def numbered(pack: RulePack, source: Source, times: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Which events of a source match which rules, in order of event and rule, in bounded batches.

    Rules that only serve others are left out.

    Args:
        pack: loaded with the taxonomy `as_written.Names`.
        source: JSON lines; lines that are no events, and events that a correlation cannot count because they
            have no time, are named in `unread`.
        times: fields that may hold an event's time; the first that does counts.

    Yields:
        `event`, the number of its line, and `rule`, its place in the pack: rules first, then correlations.
    """
    if pack.correlations:
        yield from _with_correlations(pack, source, times)
        return
    for table in tables(source, Asked.by(pack)):
        yield _loud(pack, table, pack.match(table, ""))


def _loud(pack: RulePack, table: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    loud = [index for index, rule in enumerate(pack.rules) if not rule.silent]
    found = matches.filter(pl.col("rule").is_in(loud))
    events = table[LINE].gather(found["row"]).alias("event")
    return found.select(events, pl.col("rule")).cast(_SCHEMA).sort("event", "rule")


def _with_correlations(pack: RulePack, source: Source, times: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The same where correlations are counted when all is read; what rules match waits on disk till then."""
    gathered = Correlations(pack)
    ends: list[int] = []
    with tempfile.TemporaryDirectory(prefix="molehunt-") as folder:
        for table in tables(source, Asked.by(pack, times)):
            matches = pack.match(table, "")
            told = [table[column(name)] for name in times if column(name) in table.columns]
            timed = table.with_columns(moments(told, table.height), table[LINE].alias(SOURCE_ROW))
            _name_timeless(pack, timed, matches, source)
            gathered.add(timed, matches)
            _loud(pack, table, matches).write_parquet(_part(folder, len(ends)))
            ends.append(table[LINE][-1] if table.height else ends[-1] if ends else 0)
        correlated = _correlated(pack, gathered)
        begin = 0
        for number, end in enumerate(ends):
            mine = correlated.filter(pl.col("event").is_between(begin, end, closed="right"))
            yield pl.concat([pl.read_parquet(_part(folder, number)), mine]).sort("event", "rule")
            begin = end


def _part(folder: str, number: int) -> Path:
    return Path(folder, f"{number:06d}.parquet")


def _correlated(pack: RulePack, gathered: Correlations) -> pl.DataFrame:
    found = [pl.DataFrame(schema=_SCHEMA)]
    for number, one in enumerate(pack.correlations, len(pack.rules)):
        if not one.silent:
            lines = gathered.holding(one.id)[SOURCE_ROW]
            found.append(pl.DataFrame({"event": lines, "rule": number}, schema=_SCHEMA))
    return pl.concat(found)


def _name_timeless(pack: RulePack, timed: pl.DataFrame, matches: pl.DataFrame, source: Source) -> None:
    """Name the events that correlations would count, had they a time."""
    named = {name for one in pack.correlations for name in one.rules}
    counted = [index for index, rule in enumerate(pack.rules) if {rule.id, rule.name} & named]
    rows = matches.filter(pl.col("rule").is_in(counted))["row"].unique().sort()
    lines = timed[rows].filter(pl.col("@timestamp").is_null())[LINE]
    if len(lines):
        reason = "the event says no time that can be read, so correlations leave it out; see --time-field"
        source.lost(reason, line=lines[0], count=len(lines))
