"""How much in an hour or a day: sum, count, distinct values, hours of activity.

The same transfer is often logged by several systems (a firewall, Zeek and the proxy see one upload), so
amounts are added up within one `event.dataset` and the largest of the datasets counts; distinct values are
united. On a day on which the account was active and the rule's events exist for anyone, no event means 0,
so that the first large upload of a person who never uploads has a history to be compared with.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from analysis.anomaly.baselines import History
from analysis.anomaly.local_time import with_local_time
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
from analysis.anomaly.partials import RANK, Partial, Shape, column
from analysis.anomaly.reading import Option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Scene

_LEARNED: Final = ("robust_z", "percentile", "ratio")
_DAY: Final = timedelta(days=1)
_WORK: Final = (7, 20)
_SATURDAY: Final = 6
_LOG_FLOOR: Final = 0.5


class Volume:
    """Shared by the measures that put one number on each group and bucket.

    Args:
        how: `sum`, `count`, `distinct` or `hours_active`.
    """

    quantities = frozenset({"value", "days", *_LEARNED})
    learned = frozenset(_LEARNED)
    options: ClassVar[Mapping[str, Option]] = {
        "scale": Option("text", "", ("log", "linear")),
        "floor": Option("number", 0.0),
        "hours": Option("text", "", ("off",)),
    }

    def __init__(self, how: str) -> None:
        self._how = how
        self.field = how in ("sum", "distinct")
        self.why = {
            "sum": "{value} on {day}; usual for this account is {self_median}, for its peers {peer_median}",
            "count": "{value} events on {day}; usual for this account is {self_median}, "
            "for its peers {peer_median}",
            "distinct": "{value} different values on {day}; usual for this account is {self_median}, "
            "for its peers {peer_median}",
            "hours_active": "active in {value} different hours of {day}, and on {days} such days",
        }[how]

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """The measured fields, the group, and for off-hours the claimed zone."""
        zone = ("roster.timezone",) if rule.options["hours"] else ()
        return (*rule.group_by, *zone)

    def shape(self, rule: AnomalyRule) -> Shape:
        """Per group and bucket: a number per dataset, or the distinct values."""
        group = (*rule.group_by, "bucket")
        ends = {"n": "sum", "first": "min", "last": "max"}
        if self._how in ("sum", "count"):
            return Shape((*group, "dataset"), {"amount": "sum", **ends}, group, rule.show)
        return Shape((*group, "item"), ends, group, rule.show)

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """One row per event, with its bucket and its amount or item."""
        if rule.options["hours"] == "off":
            events = _off_hours(events)
        moment = pl.col("@timestamp")
        if self._how == "sum":
            what = measured(rule, events).cast(pl.Float64, strict=False).alias("amount")
        elif self._how == "count":
            what = pl.lit(1.0).alias("amount")
        elif self._how == "distinct":
            what = measured(rule, events).cast(pl.String).alias("item")
        else:
            what = moment.dt.hour().cast(pl.String).alias("item")
        rank = what if self._how == "sum" else pl.lit(0.0)
        frame = events.select(
            *shared_columns(rule, events, rank),
            what,
            column(events, "event.dataset").alias("dataset"),
            moment.dt.truncate(rule.timespan).alias("bucket"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            moment.alias("first"),
            moment.alias("last"),
        )
        return frame.filter(pl.col(what.meta.output_name()).is_not_null())

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """Buckets that are large enough against the baselines; a finding per group and day, or per group."""
        totals = self._totals(rule, whole.cells)
        large = totals.filter(holds(rule.bounds("value")))
        tenured = with_tenure(large, scene).filter(
            holds(rule.bounds("roster.days_since_start", "roster.days_since_end"))
        )
        if tenured.is_empty():
            return empty_verdict(totals.select(rule.group_by).n_unique())
        compared, learning = self._compare(rule, totals, tenured, scene)
        hits = compared.filter(holds(rule.bounds(*_LEARNED)))
        per_group = list(rule.group_by)
        days = pl.col("bucket").dt.date().n_unique().over(per_group).cast(pl.Int64).alias("days")
        hits = hits.with_columns(days, pl.col("bucket").dt.date().alias("day"))
        hits = hits.filter(holds(rule.bounds("days")))
        judged = totals.select(rule.group_by).n_unique() - learning
        if hits.is_empty():
            return empty_verdict(judged, learning)
        unit = per_group if rule.bounds("days") else [*per_group, "day"]
        strongest = hits.sort("value", "bucket", descending=[True, False])
        hits = (
            strongest.group_by(unit, maintain_order=True)
            .agg(
                pl.all().exclude("n", "first", "last").first(),
                pl.col("n").sum(),
                pl.col("first").min(),
                pl.col("last").max(),
            )
            .with_row_index("hit")
        )
        keys = [*per_group, "bucket"]
        shown = hits.select("hit", *keys).join(whole.shown, on=keys, how="inner")
        return Verdict(hits, in_order(shown, "hit", -pl.col(RANK)), judged, learning)

    def _totals(self, rule: AnomalyRule, cells: pl.DataFrame) -> pl.DataFrame:
        """`value` per group and bucket."""
        group = [*rule.group_by, "bucket"]
        value = pl.col("amount").max() if self._how in ("sum", "count") else pl.col("item").n_unique()
        events = pl.col("n").max() if self._how in ("sum", "count") else pl.col("n").sum()
        return cells.group_by(group).agg(
            value.cast(pl.Float64).alias("value"), events, pl.col("first").min(), pl.col("last").max()
        )

    def _compare(
        self, rule: AnomalyRule, totals: pl.DataFrame, large: pl.DataFrame, scene: Scene
    ) -> tuple[pl.DataFrame, int]:
        """`large` with the learned quantities, and how many groups have too little history for them."""
        if rule.baseline is None:
            return large, 0
        points = _points(rule, totals, scene)
        log = rule.options["scale"] == "log" or (not rule.options["scale"] and self._is_bytes(rule))
        floor = rule.options["floor"] or (_LOG_FLOOR if log else 0.0)
        history = History(points, rule.group_by, rule.baseline, floor, log=log)
        coded = large.join(
            history.coded.select(
                *rule.group_by, "bucket", "at", "amount", "account_code", "series_code", "peer_code"
            ),
            on=[*rule.group_by, "bucket"],
            maintain_order="left",
        )
        rows = [_judged(history, rule.baseline.of, point) for point in coded.iter_rows(named=True)]
        learned = pl.DataFrame(rows, infer_schema_length=None)
        compared = pl.concat([coded, learned], how="horizontal") if rows else coded
        known = compared.filter(pl.col("robust_z").is_not_null())
        unknown = compared.filter(pl.col("robust_z").is_null()).select(rule.group_by).n_unique()
        return known, unknown

    def _is_bytes(self, rule: AnomalyRule) -> bool:
        return self._how == "sum" and rule.fields[0].endswith((".bytes", ".size"))


def _judged(
    history: History, kinds: tuple[str, ...], point: dict[str, float]
) -> dict[str, float | bool | None]:
    """The learned quantities of one point: the most cautious of its baselines; null if one is too short."""
    row: dict[str, float | bool | None] = dict.fromkeys((*_LEARNED, "self_median", "peer_median"))
    row["widened"] = False
    found = {kind: history.compare(kind, point) for kind in kinds}
    for kind, usual in found.items():
        if usual is not None:
            row["self_median" if kind == "self" else "peer_median"] = usual.median
            row["widened"] = bool(row["widened"]) or usual.widened or kind == "population"
    known = [usual for usual in found.values() if usual is not None]
    if len(known) == len(found):
        row["robust_z"] = min(usual.z for usual in known)
        row["percentile"] = min(usual.percentile for usual in known)
        row["ratio"] = min(usual.ratio for usual in known)
    return row


def _points(rule: AnomalyRule, totals: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """Values of every group and bucket, with 0 for the active days without events, and the peer columns."""
    points = totals.select(*rule.group_by, "bucket", pl.col("value").alias("amount"))
    if rule.timespan == _DAY and rule.group_by == ("account",):
        covered = totals.select("bucket").unique()
        # Only those who have such events at all: who is never seen by the firewall has no zeros there.
        there = scene.activity.days.join(covered, on="bucket", how="semi")
        there = there.join(totals, on="account", how="semi").select("account", "bucket")
        points = there.join(points, on=["account", "bucket"], how="full", coalesce=True).with_columns(
            pl.col("amount").fill_null(0.0)
        )
    assert rule.baseline is not None  # noqa: S101 - the only caller has seen to it
    return with_person(points, scene).select(
        *rule.group_by, "bucket", "amount", *dict.fromkeys(n for n in rule.baseline.peer_by if n != "account")
    )


def _off_hours(events: pl.DataFrame) -> pl.DataFrame:
    """Events outside 07:00 to 20:00 of a weekday in the account's claimed zone."""
    local = pl.col("local_time")
    worktime = local.dt.hour().is_between(*_WORK, closed="left") & (local.dt.weekday() < _SATURDAY)
    return with_local_time(events, "@timestamp", "roster.timezone").filter(~worktime)
