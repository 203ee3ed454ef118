"""The first time: a tool, a repository or a destination that an account never had before, rare for others.

In the first days of the logs everything is new; a value counts as new only after `warm-up`, or where the
roster says that the person is new, too (`roster.days_since_start` in the condition), so that there is no
earlier time that the logs could have missed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from analysis.anomaly.measures.measure import (
    Verdict,
    empty_verdict,
    holds,
    in_order,
    measured,
    shared_columns,
    with_person,
    with_tenure,
)
from analysis.anomaly.partials import Partial, Shape, column
from analysis.anomaly.reading import Option
from analysis.anomaly.surroundings import is_sanctioned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Scene

_PER_VALUE: Final = ("peers", "others", "amount", "roster.days_since_start", "roster.days_since_end")
_NAMED: Final = 5


class FirstSeen:
    """`first_seen`: new for the account, and as rare among others as the condition asks."""

    quantities = frozenset({"value", "peers", "others", "amount"})
    learned: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[Mapping[str, Option]] = {
        "warm-up": Option("span", timedelta(days=7)),
        "amount": Option("text", ""),
        "leave-out": Option("texts", ("sanctioned",), ("sanctioned",)),
    }
    field = True
    why = "first use of {items} on {day}; {others} other accounts have it"

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """The group; for a condition on tenure also the roster."""
        return rule.group_by

    def shape(self, rule: AnomalyRule) -> Shape:
        """Per group and value: first, last, how often, how much."""
        keys = (*rule.group_by, "item")
        folds = {"n": "sum", "amount": "sum", "first": "min", "last": "max", "dataset": "max"}
        return Shape(keys, folds, keys, rule.show, first=2)

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """One row per event with its value, lower case."""
        amount = column(events, rule.options["amount"]) if rule.options["amount"] else pl.lit(0)
        moment = pl.col("@timestamp")
        return events.select(
            *shared_columns(rule, events, pl.lit(0.0)),
            measured(rule, events).cast(pl.String).str.to_lowercase().alias("item"),
            amount.cast(pl.Float64, strict=False).fill_null(0).alias("amount"),
            column(events, "event.dataset").alias("dataset"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            moment.alias("first"),
            moment.alias("last"),
        ).filter(pl.col("item").is_not_null())

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """Values that are new, rare and large enough; one finding per group and day."""
        cells = _with_holders(rule, whole.cells, scene)
        if "sanctioned" in rule.options["leave-out"]:
            cells = cells.filter(~is_sanctioned(pl.col("item"), pl.col("roster.department"), scene.site))
        tenured = with_tenure(cells.with_columns(last="first"), scene)
        new, learning = _split_learning(rule, tenured, scene)
        new = new.filter(holds(rule.bounds(*_PER_VALUE))).with_columns(pl.col("first").dt.date().alias("day"))
        group = [*rule.group_by, "day"]
        hits = (
            new.sort("amount", "item", descending=[True, False])
            .group_by(group, maintain_order=True)
            .agg(
                pl.len().cast(pl.Int64).alias("value"),
                pl.col("item").head(_NAMED).str.join(", ").alias("items"),
                pl.col("item").alias("all_items"),
                pl.col("amount", "n").sum(),
                pl.col("peers", "others").max(),
                pl.col("first").min(),
                pl.col("last").max(),
                pl.col("roster.days_since_start", "roster.days_since_end").first(),
            )
            .filter(holds(rule.bounds("value")))
        )
        judged = tenured["account"].n_unique() - learning
        if hits.is_empty():
            return empty_verdict(judged, learning)
        hits = hits.with_row_index("hit")
        which = hits.select("hit", *rule.group_by, pl.col("all_items").alias("item")).explode("item")
        shown = which.join(whole.shown, on=[*rule.group_by, "item"], how="inner")
        return Verdict(hits.drop("all_items"), in_order(shown, "hit", "@timestamp"), judged, learning)


def _with_holders(rule: AnomalyRule, cells: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """`cells` with how many other accounts have the value: among peers, and at all."""
    peer_by = list(rule.baseline.peer_by) if rule.baseline else ["roster.department"]
    placed = with_person(cells, scene)
    holders = placed.select("account", "item", *peer_by).unique()
    at_all = holders.group_by("item").agg((pl.len() - 1).cast(pl.Int64).alias("others"))
    peers = holders.drop_nulls(peer_by).group_by("item", *peer_by)
    near = peers.agg((pl.len() - 1).cast(pl.Int64).alias("peers"))
    return (
        placed.join(at_all, on="item", how="left")
        .join(near, on=["item", *peer_by], how="left")
        # Without a roster everyone is a peer: rarity among all is the more cautious answer.
        .with_columns(pl.col("peers").fill_null(pl.col("others")))
    )


def _split_learning(rule: AnomalyRule, cells: pl.DataFrame, scene: Scene) -> tuple[pl.DataFrame, int]:
    """The cells that are new, and for how many accounts newness cannot be told yet at all."""
    people = scene.activity.people().select(
        "account", pl.col("first").alias("account_begin"), pl.col("last").alias("account_end")
    )
    logs = scene.activity.coverage.select("event.dataset", pl.col("first").alias("logs_begin"))
    warm = pl.lit(rule.options["warm-up"], dtype=pl.Duration("us"))
    # Hired while the logs were running: then the account's first event is its very first.
    hired = pl.col("roster.days_since_start") <= (pl.col("first") - pl.col("logs_begin")).dt.total_days()
    begin = pl.when(hired).then("logs_begin").otherwise(pl.max_horizontal("account_begin", "logs_begin"))
    told, ever_told = (pl.col(moment) - begin >= warm for moment in ("first", "account_end"))
    if rule.bounds("roster.days_since_start"):
        told |= pl.col("roster.days_since_start").is_not_null()
        ever_told |= pl.col("roster.days_since_start").is_not_null()
    marked = (
        cells.join(people, on="account", how="left")
        .join(logs, left_on="dataset", right_on="event.dataset", how="left")
        .with_columns(
            told.fill_null(value=False).alias("told"), ever_told.fill_null(value=False).alias("ever")
        )
    )
    learning = marked.group_by("account").agg(pl.col("ever").any()).filter(~pl.col("ever")).height
    return marked.filter("told").drop("told", "ever", "account_begin", "account_end", "logs_begin"), learning
