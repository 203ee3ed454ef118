"""Matches into findings: one for each rule and account (or host, where there is none), however many events.

Batches leave partial totals and the first few events of each; memory is bounded by accounts times rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.detach import detached
from analysis.sigma.quote import ACCOUNT, AT, HOST, SHOWN, Quoting, Total, finding, who_and_when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.finding import Finding
    from analysis.sigma.pack import RulePack

_KEY: Final = ("rule", ACCOUNT, HOST)
_SEEN_ON: Final = "_seen_on"  # the host of an event; HOST is part of the key only where no account is known
_MERGE_ROWS: Final = 200_000  # partial totals kept before they are merged
_MERGE_PARTS: Final = 16  # batches of quoted events of one rule kept before they are merged


class Findings:
    """Gathers the matches of a rule pack.

    Args:
        pack: whose `match` made the matches.
    """

    def __init__(self, pack: RulePack) -> None:
        self._pack = pack
        self._silent = [index for index, rule in enumerate(pack.rules) if rule.silent]
        self._quoting: dict[int, Quoting] = {}
        self._totals: list[pl.DataFrame] = []
        self._kept: dict[int, list[pl.DataFrame]] = {}

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame) -> None:
        """Take in the matches of one batch.

        Args:
            frame: the batch, with `account` where attribution knows it.
            matches: what `RulePack.match` said of it.
        """
        loud = matches.filter(~pl.col("rule").is_in(self._silent))
        if loud.is_empty():
            return
        hits = pl.concat([loud, who_and_when(frame)[loud["row"]]], how="horizontal").with_columns(
            pl.col(HOST).alias(_SEEN_ON),
            pl.when(pl.col(ACCOUNT) == "").then(HOST).otherwise(pl.lit("")).alias(HOST),
        )
        totals = hits.group_by(_KEY).agg(
            pl.len().alias("count"),
            pl.col(AT).min().alias("first"),
            pl.col(AT).max().alias("last"),
            pl.col("row").sort_by(AT, "row").head(SHOWN),
        )
        self._totals.append(detached(totals.drop("row")))
        if sum(part.height for part in self._totals) > _MERGE_ROWS:
            self._totals = [self._merged()]
        shown = (
            totals.select(*_KEY, "row")
            .explode("row")
            .join(hits.select("rule", "row", AT, _SEEN_ON), on=["rule", "row"], how="left")
        )
        for (rule,), rows in shown.partition_by("rule", as_dict=True).items():
            self._keep(int(rule), frame, rows)

    def _keep(self, rule: int, frame: pl.DataFrame, rows: pl.DataFrame) -> None:
        kept = self._words(rule).keep(frame[rows["row"]])
        parts = self._kept.setdefault(rule, [])
        parts.append(detached(pl.concat([rows.select(ACCOUNT, HOST, AT, _SEEN_ON), kept], how="horizontal")))
        if len(parts) > _MERGE_PARTS:
            parts[:] = [detached(_first_few(parts))]

    def _words(self, rule: int) -> Quoting:
        if rule not in self._quoting:
            one = self._pack.rules[rule]
            self._quoting[rule] = Quoting(one.evidence_fields, one.why, self._pack.taxonomy, one.logsource)
        return self._quoting[rule]

    def _merged(self) -> pl.DataFrame:
        return (
            pl.concat(self._totals)
            .group_by(_KEY)
            .agg(pl.col("count").sum(), pl.col("first").min(), pl.col("last").max())
        )

    def find(self) -> Iterator[Finding]:
        """The findings, in order of rule, account and host."""
        if not self._totals:
            return
        totals = self._merged().sort(_KEY)
        for (number,), of_rule in totals.partition_by("rule", as_dict=True, maintain_order=True).items():
            rule = self._pack.rules[int(number)]
            kept = _first_few(self._kept[int(number)]).partition_by(ACCOUNT, HOST, as_dict=True)
            for row in of_rule.iter_rows(named=True):
                first_few = kept[row[ACCOUNT], row[HOST]]
                host = first_few[_SEEN_ON][0]
                total = Total(row[ACCOUNT], host, row["count"], row["first"], row["last"])
                yield finding(rule, total, first_few, rule.evidence_fields)


def _first_few(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The first events of each account and host, in order of time; of equal times, those read first."""
    together = pl.concat(parts, how="diagonal_relaxed")
    return (
        together.sort(AT, maintain_order=True)
        .group_by(ACCOUNT, HOST, maintain_order=True)
        .head(SHOWN)
        .select(together.columns)
    )
