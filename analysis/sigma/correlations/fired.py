"""Where correlations hold, into findings: one for each group and each account in the windows that hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.finding import LOCATORS
from analysis.sigma.correlations.gather import AT, LOW, PATH, has_host, key_of, same_account
from analysis.sigma.correlations.items import EVENT, HIGH
from analysis.sigma.correlations.quotable import Kept, together
from analysis.sigma.matching.column import series_of
from analysis.sigma.quote import ACCOUNT, HOST, SHOWN, Total, finding
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.finding import Finding
    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.correlations.items import Columns
    from analysis.sigma.correlations.paths import Path
    from analysis.sigma.correlations.sliding import Array
    from analysis.sigma.correlations.windows import Judged

HOLDS: Final = "_holds"
WHEN: Final = "_when"
RUN: Final = "_run"
_MEASURED: Final = "_measured"
_FINDING: Final = "_finding"
_PLACE: Final = "_place"
_GROUP: Final = "_group{}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Portion:
    """Items of some groups of a correlation, and where its condition holds."""

    items: Columns
    judged: Judged

    def rows(self, wanted: Array) -> pl.DataFrame:
        """Items by group and time, with `HOLDS`, `WHEN` and `RUN`.

        Args:
            wanted: of the arrays of `judged`, which.
        """
        judged = self.judged
        order = judged.order[wanted]
        return pl.DataFrame({name: column[order] for name, column in self.items.items()}).with_columns(
            pl.Series(HOLDS, judged.holds[wanted]),
            pl.Series(WHEN, judged.when[wanted]),
            pl.Series(RUN, judged.run[wanted]),
            pl.Series(_MEASURED, judged.measured[wanted]),
        )


def totals(portion: Portion, evidence: Kept) -> pl.DataFrame:
    """A row for each finding: its numbers, and the first events behind it.

    Args:
        portion: some groups.
        evidence: the events, for whose accounts they are.
    """
    inside = portion.rows(portion.judged.inside)
    who = evidence.who(inside[EVENT].to_numpy())
    inside = inside.with_columns(pl.Series(ACCOUNT, same_account(who)), pl.Series(HOST, has_host(who)))
    whose = (HIGH, LOW, ACCOUNT)
    most = pl.col(_MEASURED).filter(HOLDS).max().over(HIGH, LOW)
    numbers = (
        inside.with_columns(most)
        .group_by(whose)
        .agg(pl.col(_MEASURED).first(), pl.col(AT).min().alias("first"), pl.col(AT).max().alias("last"))
    )
    once = inside.unique((*whose, EVENT), keep="first", maintain_order=True)
    events = once.group_by(whose, maintain_order=True).agg(
        pl.len().alias("count"),
        pl.col(EVENT).filter(pl.col(HOST)).first().alias(HOST),
        pl.col(EVENT).head(SHOWN),
        pl.col(PATH).head(SHOWN),
    )
    return events.join(numbers, on=whose, how="left", maintain_order="left")


@dataclass(frozen=True, slots=True)
class Telling:
    """What findings of a correlation are told with.

    Attributes:
        paths: the ways to it.
        evidence: the events.
    """

    correlation: Correlation
    paths: Sequence[Path]
    evidence: Kept

    def findings(self, totals: Sequence[pl.DataFrame]) -> Iterator[Finding]:
        """The findings, in order of group and account."""
        whole = pl.concat(totals).with_row_index(_FINDING)
        shown = whole.select(_FINDING, HIGH, LOW, EVENT, PATH).explode(EVENT, PATH)
        columns = {name for path in self.paths for name in path.columns} | {"account", "host.name"}
        wanted = pl.concat([shown[EVENT], whole[HOST].drop_nulls()]).unique().sort()
        known = self.evidence.having(wanted, (*LOCATORS, *sorted(columns.difference(LOCATORS))))
        quoted, groups = self._looked_up(shown, known)
        whole = whole.with_columns(
            _text("account", whole[EVENT].list.first(), ACCOUNT, known),
            _text("host.name", whole[HOST], HOST, known),
        )
        told = sorted(
            ((groups[row[_FINDING]], row[ACCOUNT], row) for row in whole.iter_rows(named=True)),
            key=lambda one: one[:2],
        )
        fields = tuple(dict.fromkeys(column for path in self.paths for column in path.quoting.fields))
        for group, account, row in told:
            words = dict(zip(self.correlation.group_by, group, strict=True))
            first, last = (_EPOCH + timedelta(microseconds=row[name]) for name in ("first", "last"))
            total = Total(account, row[HOST], row["count"], first, last)
            words |= {"value": _plain_number(row[_MEASURED])}
            yield finding(self.correlation, total, quoted[row[_FINDING]], fields, words)

    def _looked_up(
        self, shown: pl.DataFrame, known: pl.DataFrame
    ) -> tuple[dict[int, pl.DataFrame], dict[int, tuple[str, ...]]]:
        """What each finding quotes, and the names of its group as its first event writes them."""
        kept = []
        names: list[tuple[int, int, tuple[str, ...]]] = []
        for (number,), rows in shown.with_row_index(_PLACE).partition_by(PATH, as_dict=True).items():
            path = self.paths[number]
            events = _with(rows, known, (*LOCATORS, *path.columns))
            quoted = path.quoting.keep(events)
            kept.append(pl.concat([events.select(_FINDING, _PLACE), quoted], how="horizontal"))
            names += _names(events, path)
        whole = together(kept).sort(_PLACE)
        parts = whole.partition_by(_FINDING, as_dict=True, maintain_order=True)
        groups = {number: group for _, number, group in sorted(names, reverse=True)}
        return {int(number): part for (number,), part in parts.items()}, groups


def _text(column: str, events: pl.Series, name: str, known: pl.DataFrame) -> pl.Series:
    """A column of each of some events, "" where there is none."""
    rows = _with(events.alias(EVENT).to_frame(), known, (column,))
    if column not in rows.columns:
        return pl.repeat("", len(events), dtype=pl.String, eager=True).alias(name)
    return rows[column].cast(pl.String).fill_null("").alias(name)


def _with(rows: pl.DataFrame, known: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Rows with some of what is known of their events."""
    mine = known.select(EVENT, *(name for name in known.columns if name in columns))
    return rows.join(mine, on=EVENT, how="left", maintain_order="left")


def _names(events: pl.DataFrame, path: Path) -> list[tuple[int, int, tuple[str, ...]]]:
    """Place, finding and group of each event."""
    groups = [_GROUP.format(index) for index in range(len(path.groups))]
    rows = events.select(_PLACE, _FINDING, HIGH, LOW)
    for field, name in zip(path.groups, groups, strict=True):
        series = series_of(field, events)
        if series is None:  # it was there when they were gathered
            return []
        rows = rows.with_columns(texts(series).alias(name))
    for name in groups:
        rows = rows.explode(name) if isinstance(rows.schema[name], pl.List) else rows
    rows = rows.drop_nulls(groups) if groups else rows
    high, low = key_of([rows[name] for name in groups], rows.height)
    rows = rows.filter(pl.Series(high) == pl.col(HIGH), pl.Series(low) == pl.col(LOW))
    return [
        (place, number, tuple(names))
        for place, number, *names in rows.select(_PLACE, _FINDING, *groups).iter_rows()
    ]


def _plain_number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{value:.2f}"
