"""Which hits one of two runs of a rule has and the other has not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.detach import detached
from analysis.finding import LOCATORS
from analysis.sigma.quote import ACCOUNT, AT, HOST, NO_TIME, who_and_when
from analysis.workbench.places import place_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

EXAMPLES: Final = 5
_COUNTED: Final = ("before", "after", "gained", "lost")
_MERGE_ROWS: Final = 200_000
_SCHEMA: Final = {
    "rule": pl.String(),
    ACCOUNT: pl.String(),
    HOST: pl.String(),
    **dict.fromkeys(_COUNTED, pl.Int64()),
}
_SHOWN: Final = {
    "rule": pl.String(),
    "gained": pl.Boolean(),
    AT: pl.Datetime("us", "UTC"),
    "whom": pl.String(),
    "place": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One hit; `at` is None where the event has no time, `whom` the account, or the host without one."""

    at: datetime | None
    whom: str
    place: str


@dataclass(slots=True)
class Gains:
    """What one rule had in two runs.

    Attributes:
        before, after: hits.
        gained, lost: hits of the second run alone, and of the first alone.
        accounts_before, accounts_after: accounts, or hosts where none is known, that had hits.
        new_accounts, gone_accounts: those that had hits in one run alone.
        more, less: examples of what was gained and lost, the first by time.
    """

    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    accounts_before: int = 0
    accounts_after: int = 0
    new_accounts: list[str] = field(default_factory=list)
    gone_accounts: list[str] = field(default_factory=list)
    more: list[Example] = field(default_factory=list)
    less: list[Example] = field(default_factory=list)


class GainsOfRules:
    """Counts the hits of two runs; memory is bounded by rules and accounts.

    Args:
        rules: the ids of those that are compared.
    """

    def __init__(self, rules: Collection[str]) -> None:
        self._rules = pl.DataFrame({"rule": sorted(rules)}, schema={"rule": pl.String()})
        self._counts = [pl.DataFrame(schema=_SCHEMA)]
        self._shown = pl.DataFrame(schema=_SHOWN)

    def add(self, frame: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Take in one batch.

        Args:
            frame: enriched events.
            before: `rule` (its id) and `row` of the first run's matches.
            after: of the second's.
        """
        both = (
            before.with_columns(before=True)
            .join(after.with_columns(after=True), on=["rule", "row"], how="full", coalesce=True)
            .join(self._rules, on="rule", how="semi")
            .sort("rule", "row")
        )
        if both.is_empty():
            return
        was, now = pl.col("before").fill_null(value=False), pl.col("after").fill_null(value=False)
        sides = both.select(before=was, after=now, gained=now & ~was, lost=was & ~now)
        who = who_and_when(frame)[both["row"]]
        host = pl.when(pl.col(ACCOUNT) == "").then(HOST).otherwise(pl.lit("")).alias(HOST)
        told = pl.concat([both.select("rule", "row"), who, sides], how="horizontal").with_columns(host)
        counts = told.group_by("rule", ACCOUNT, HOST).agg(pl.col(_COUNTED).sum().cast(pl.Int64))
        self._counts.append(detached(counts))
        if sum(part.height for part in self._counts) > _MERGE_ROWS:
            self._counts = [self._merged()]
        self._show(frame, told)

    def _show(self, frame: pl.DataFrame, told: pl.DataFrame) -> None:
        """Keep the first few hits that one run alone has."""
        moved = told.filter(pl.col("gained") | pl.col("lost")).sort(AT, "row", maintain_order=True)
        few = _few(moved)
        places = frame.select(name for name in LOCATORS if name in frame.columns)[few["row"]]
        texts = [place_of(row) for row in places.iter_rows(named=True)]
        whom = pl.when(pl.col(ACCOUNT) != "").then(ACCOUNT).otherwise(HOST).alias("whom")
        kept = few.select("rule", "gained", AT, whom, pl.Series("place", texts, dtype=pl.String))
        self._shown = _few(pl.concat([self._shown, detached(kept)]).sort(AT, maintain_order=True))

    def _merged(self) -> pl.DataFrame:
        return pl.concat(self._counts).group_by("rule", ACCOUNT, HOST).agg(pl.col(_COUNTED).sum())

    def of(self, rule: str) -> Gains:
        """What was counted of one rule."""
        if len(self._counts) > 1:
            self._counts = [self._merged()]
        mine = self._counts[0].filter(pl.col("rule") == rule).sort(ACCOUNT, HOST)
        whom = mine.select(pl.when(pl.col(ACCOUNT) != "").then(ACCOUNT).otherwise(HOST))[ACCOUNT]
        shown = self._shown.filter(pl.col("rule") == rule)
        more, less = (
            [
                Example(None if at == NO_TIME else at, by, place)
                for at, by, place in shown.filter(pl.col("gained") == side)
                .select(AT, "whom", "place")
                .iter_rows()
            ]
            for side in (True, False)
        )
        before, after, gained, lost = (int(mine[name].sum()) for name in _COUNTED)
        return Gains(
            before,
            after,
            gained,
            lost,
            accounts_before=mine.filter(pl.col("before") > 0).height,
            accounts_after=mine.filter(pl.col("after") > 0).height,
            new_accounts=whom.filter(mine["before"] == 0).to_list(),
            gone_accounts=whom.filter(mine["after"] == 0).to_list(),
            more=more,
            less=less,
        )


def _few(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("rule", "gained", maintain_order=True).head(EXAMPLES).select(rows.columns)
