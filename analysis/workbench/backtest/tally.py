"""The hits of one rule, by day and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Who:
    """What an account, or a host where no account is known, had of a rule's hits.

    Attributes:
        days: hits by day (UTC).
        right, wrong: hits by verdict.
    """

    account: str
    host: str
    hits: int
    days: dict[date, int]
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The hits of one rule.

    Attributes:
        hits: all of them; undated: those without a time.
        days: by day (UTC).
        alerts: by day, the accounts (or hosts) that had a hit: what an analyst looks at.
        who: by account or host, most hits first.
        right, wrong: by verdict.
    """

    hits: int
    undated: int
    days: dict[date, int]
    alerts: dict[date, int]
    who: tuple[Who, ...]
    right: int
    wrong: int

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Tally:
        """From the columns of `hits.SCHEMA`, rows of one rule."""
        if rows.is_empty():  # which most rules of a big pack are
            return cls(0, 0, {}, {}, (), 0, 0)
        dated = rows.drop_nulls("day")
        by_day = dated.group_by("day").agg(
            pl.col("hits").sum(), people=pl.struct("account", "host").n_unique()
        )
        ordered = by_day.sort("day")
        people = rows.partition_by("account", "host", as_dict=True)
        who = (_who(str(account), str(host), part) for (account, host), part in people.items())
        return cls(
            hits=_sum(rows),
            undated=_sum(rows) - _sum(dated),
            days=dict(ordered.select("day", "hits").iter_rows()),
            alerts=dict(ordered.select("day", "people").iter_rows()),
            who=tuple(sorted(who, key=lambda one: (-one.hits, one.account, one.host))),
            right=_sum(rows.filter("verdict")),
            wrong=_sum(rows.filter(~pl.col("verdict"))),
        )


def _who(account: str, host: str, rows: pl.DataFrame) -> Who:
    days = rows.drop_nulls("day").group_by("day").agg(pl.col("hits").sum()).sort("day")
    return Who(
        account,
        host,
        _sum(rows),
        dict(days.iter_rows()),
        _sum(rows.filter("verdict")),
        _sum(rows.filter(~pl.col("verdict"))),
    )


def _sum(rows: pl.DataFrame) -> int:
    return int(rows["hits"].sum())
