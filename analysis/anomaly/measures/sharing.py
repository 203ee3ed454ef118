"""Several accounts on one thing: an address at home, a device, a fingerprint, a phone, a factor.

What many share is an office, a carrier's address translation or a common phone model; what a declared
household shares is a home. Both are left out, and so are the company's own networks and private addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from analysis.anomaly.measures.measure import (
    Verdict,
    empty_verdict,
    holds,
    in_order,
    shared_columns,
    with_person,
    with_tenure,
)
from analysis.anomaly.partials import Partial, Shape
from analysis.anomaly.reading import Option
from analysis.anomaly.surroundings import without_own, without_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Scene

_LEFT_OUT: Final = ("own_networks", "private", "households")
_ADDRESSES: Final = frozenset({"source.ip", "client.ip", "destination.ip", "server.ip"})
_NAMED: Final = 4
_OWN_SHOWN: Final = 2


class SharedBy:
    """`shared_by`: accounts that were on the same value on the same days.

    `accounts` counts those on the value, `days` the days on which the account was on it and another one,
    too, `span_days` the days from the first to the last of them (colleagues on one journey share a hotel for
    a week, not for a month), and `homes` the distinct regions that HR has on file as their homes.
    """

    quantities = frozenset({"accounts", "days", "span_days", "homes"})
    learned: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[Mapping[str, Option]] = {
        "leave-out": Option("texts", _LEFT_OUT, _LEFT_OUT),
        "at-most": Option("number", 8.0),
        # Two accounts of one factor need not use it on the same day: then the whole span counts as one.
        "together": Option("text", "day", ("day", "ever")),
    }
    field = True
    why = "on {group} together with {sharers} on {days} days; {homes} different homes are on file"

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """An account and the value."""
        return ("account", *rule.group_by)

    def shape(self, rule: AnomalyRule) -> Shape:
        """Per value, account and day: first, last, how often."""
        keys = (*rule.group_by, "account", "bucket")
        return Shape(keys, {"n": "sum", "first": "min", "last": "max"}, keys, rule.show, first=1)

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """One row per event with its day."""
        moment = pl.col("@timestamp")
        return events.select(
            *shared_columns(rule, events, pl.lit(0.0)),
            *(pl.col(name) for name in ("account",) if name not in rule.show),
            moment.dt.truncate("1d").alias("bucket"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            moment.alias("first"),
            moment.alias("last"),
        )

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """One finding per value and account."""
        value = list(rule.group_by)
        judged = whole.cells.select(value).n_unique()
        cells = self._eligible(rule, with_person(whole.cells, scene), scene)
        day = [*value, "bucket"] if rule.options["together"] == "day" else value
        together = cells.filter(pl.col("unit").n_unique().over(day) > 1)
        if together.is_empty():
            return empty_verdict(judged)
        # Accounts that met the others on too few days do not count as sharers either.
        sharers = _per_account(together, value).filter(holds(rule.bounds("days", "span_days")))
        counted = sharers.with_columns(
            pl.col("account").n_unique().over(value).cast(pl.Int64).alias("accounts"),
            pl.col("home").drop_nulls().n_unique().over(value).cast(pl.Int64).alias("homes"),
            pl.col("account").sort().over(value, mapping_strategy="join").alias("all_accounts"),
        ).filter(pl.col("unit").n_unique().over(value) > 1)
        hits = with_tenure(counted, scene).filter(
            holds(rule.bounds("accounts", "homes", "roster.days_since_start", "roster.days_since_end"))
        )
        if hits.is_empty():
            return empty_verdict(judged)
        hits = hits.sort(*value, "account").with_row_index("hit").with_columns(_others().alias("sharers"))
        group = pl.concat_str(*(pl.col(name).cast(pl.String) for name in value), separator=" ")
        shown = _shown(hits, whole.shown, value)
        return Verdict(hits.with_columns(group.alias("group")).drop("all_accounts"), shown, judged)

    def _eligible(self, rule: AnomalyRule, cells: pl.DataFrame, scene: Scene) -> pl.DataFrame:
        """Cells of values that say something, with `unit`: the household, or the account alone."""
        value = list(rule.group_by)
        left_out = rule.options["leave-out"]
        many = pl.col("account").n_unique().over(value)
        cells = cells.filter((many > 1) & (many <= rule.options["at-most"]))
        for name in _ADDRESSES.intersection(value):
            if "own_networks" in left_out:
                cells = without_own(cells, name, scene.site)
            if "private" in left_out:
                cells = without_private(cells, name)
        unit = pl.col("account")
        if "households" in left_out:
            unit = pl.coalesce("roster.household", "account")
        return cells.with_columns(unit.alias("unit"))


def _per_account(together: pl.DataFrame, value: list[str]) -> pl.DataFrame:
    """How each account shared each value."""
    # A suburb has a name of its own, so that a couple may live in two cities, but hardly in two states.
    place = pl.coalesce("roster.location_region", "roster.location_city")
    home = pl.concat_str("roster.location_country", place, separator="/", ignore_nulls=True)
    return together.group_by(*value, "account").agg(
        pl.col("bucket").n_unique().cast(pl.Int64).alias("days"),
        ((pl.col("bucket").max() - pl.col("bucket").min()).dt.total_days() + 1).alias("span_days"),
        pl.when(place.is_not_null()).then(home).first().alias("home"),
        pl.col("unit").first(),
        pl.col("n").sum(),
        pl.col("first").min(),
        pl.col("last").max(),
    )


def _shown(hits: pl.DataFrame, shown: pl.DataFrame, value: list[str]) -> pl.DataFrame:
    """Events of the account on the value, then one of each account that it shares it with."""
    pairs = hits.select("hit", *value, pl.col("account").alias("whose"), "all_accounts")
    each = pairs.rename({"all_accounts": "account"}).explode("account").join(shown, on=[*value, "account"])
    own = pl.col("whose") == pl.col("account")
    place = pl.int_range(pl.len()).over("hit", "account")
    ordered = in_order(each, "hit", ~own, "account", "@timestamp")
    return ordered.filter(place < pl.when(own).then(_OWN_SHOWN).otherwise(1)).drop("whose")


def _others() -> pl.Expr:
    """The other accounts, by name, the first few."""
    others = pl.col("all_accounts").list.set_difference(pl.concat_list("account")).list.sort()
    more = others.list.len().cast(pl.Int64) - _NAMED
    named = others.list.head(_NAMED).list.join(", ")
    return (
        pl.when(more > 0).then(pl.concat_str(named, pl.lit(" and "), more, pl.lit(" more"))).otherwise(named)
    )
