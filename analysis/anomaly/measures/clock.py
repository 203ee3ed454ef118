"""A day that is lived in another time zone than the one on file.

From the hours (UTC) in which an account was active on each day, read in the claimed zone (daylight saving
time as it was), the circular shift is estimated that lays a working day best over them, and how many of
the days agree with it. A night owl and a person eight zones away look alike here: this measure says which
hours were worked, not where, and the rules that use it are never decisive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import polars as pl

from analysis.anomaly.local_time import with_local_time
from analysis.anomaly.measures.measure import (
    Verdict,
    empty_verdict,
    holds,
    in_order,
    shared_columns,
    with_person,
    with_tenure,
)
from analysis.anomaly.partials import Partial, Shape, column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Scene
    from analysis.anomaly.reading import Option

_HOURS: Final = 24
_NINE: Final = 9
_WORKDAY_HOURS: Final = 8
# How well each local hour fits a working day from nine to five: full inside, less at the edges.
_TEMPLATE: Final = np.array(
    [0, 0, 0, 0, 0, 0, 0, 0.25, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 0.75, 0.25, 0, 0, 0, 0, 0]
)
_EARLIEST: Final = 11
# A day agrees with the estimate if it fits that nearly as well as it fits any shift.
_AGREES: Final = 0.7
_ALIKE_HOURS: Final = 3
_LEAST_DAYS: Final = 3
_FEWEST_PEERS: Final = 3
_EASTMOST: Final = 14


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a day's activity lies from a working day.

    Attributes:
        hours: -11 to 12; positive is later than the claimed zone's working day.
        stability: share of the active days that agree, 0 to 1.
        concentration: length of the circular mean of activity, 0 (round the clock) to 1 (one hour).
        days: active days.
    """

    hours: int
    stability: float
    concentration: float
    days: int


def estimate(by_day: np.ndarray) -> Shift:
    """The shift of activity given as a table of days by 24 local hours (true where active)."""
    activity = by_day.astype(np.float64)
    hours = _best(activity.sum(axis=0))
    turns = np.exp(2j * np.pi * np.arange(_HOURS) / _HOURS)
    total = activity.sum()
    fits = _fits(activity)
    here, claimed = fits[:, hours + _EARLIEST], fits[:, _EARLIEST]
    agree = (here >= _AGREES * fits.max(axis=1)) & ((here > claimed) | (hours == 0))
    return Shift(
        hours=hours,
        stability=float(np.mean(agree)) if len(agree) else 0.0,
        concentration=float(abs((activity.sum(axis=0) * turns).sum()) / total) if total else 0.0,
        days=len(activity),
    )


def _fits(activity: np.ndarray) -> np.ndarray:
    """How well each row of 24 hours fits a working day shifted by -11 to 12 hours."""
    templates = np.stack([np.roll(_TEMPLATE, shift) for shift in range(-_EARLIEST, _HOURS - _EARLIEST)])
    fits: np.ndarray = activity @ templates.T
    return fits


def _best(histogram: np.ndarray) -> int:
    """The shift that fits best; of several that fit equally the middle one of those around the smallest."""
    fits = _fits(histogram[None, :])[0]
    best = np.flatnonzero(np.isclose(fits, fits.max())) - _EARLIEST
    nearest = int(best[np.argmin(np.abs(best))])
    run = [shift for shift in best.tolist() if abs(shift - nearest) <= _HOURS // 4]
    return int(np.round(np.median(run))) if nearest else 0


class ClockShift:
    """`clock_shift`: hours between the working day on file and the one that is lived."""

    quantities = frozenset({"shift_hours", "days", "stability", "concentration", "peers_alike"})
    learned = frozenset({"peers_alike"})
    options: ClassVar[Mapping[str, Option]] = {}
    field = False
    why = (
        "active as if the working day were {worked_hours} in {roster.timezone}, the zone on file "
        "(UTC{claimed_offset}); 09:00-17:00 there would be {claimed_utc} UTC, the activity is a working day "
        "at about UTC{fitting_offset} ({worked_utc} UTC); {days} active days, {stability} of them agree"
    )

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """An account whose time zone is on file."""
        return (*rule.group_by, "roster.timezone")

    def shape(self, rule: AnomalyRule) -> Shape:
        """Per account and hour (UTC): how many events."""
        keys = ("account", "bucket", "zone")
        return Shape(keys, {"n": "sum", "first": "min", "last": "max"}, ("account", "hour"), rule.show, 1, 1)

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """One row per event with its hour."""
        moment = pl.col("@timestamp")
        return events.select(
            *shared_columns(rule, events, pl.lit(0.0)),
            column(events, "roster.timezone").alias("zone"),
            moment.dt.truncate("1h").alias("bucket"),
            moment.dt.hour().alias("hour"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            moment.alias("first"),
            moment.alias("last"),
        )

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """One finding per account whose days are shifted, steadily, and not with the whole team."""
        # The middle of the hour, so that zones of half hours are not pulled to one side.
        middle = whole.cells.with_columns(pl.col("bucket") + pl.duration(minutes=30))
        local = with_local_time(middle, "bucket", "zone")
        shifts = pl.DataFrame(list(_shifts(local)), infer_schema_length=None)
        if shifts.is_empty():
            return empty_verdict()
        fewest = max([b.number for b in rule.bounds("days") if b.operator in ("gt", "gte")], default=0)
        learning = shifts.filter(pl.col("days") < fewest).height
        alike = _alike(with_person(shifts, scene), rule)
        placed = alike.with_columns(pl.col("signed_hours").abs().alias("shift_hours"))
        hits = with_tenure(placed, scene).filter(holds(rule.condition))
        judged = shifts.height - learning
        if hits.is_empty():
            return empty_verdict(judged, learning)
        hits = _worded(hits.with_row_index("hit"))
        shown = hits.select("hit", "account", "signed_hours").join(whole.shown, on="account", how="inner")
        local_hour = pl.col("hour").cast(pl.Int64)
        late = ((local_hour - pl.col("hit_middle") + 12) % _HOURS - 12).abs()
        middles = hits.select("hit", pl.col("middle_utc").alias("hit_middle"))
        ordered = in_order(shown.join(middles, on="hit"), "hit", late, "@timestamp")
        ordered = ordered.drop("signed_hours", "hit_middle")
        return Verdict(hits, ordered, judged, learning)


def _shifts(local: pl.DataFrame) -> Iterator[dict[str, object]]:
    """The shift of each account (a row per account, not per event)."""
    slots = local.with_columns(
        pl.col("local_time").dt.hour().alias("local_hour"),
    )
    for (account,), cells in slots.partition_by("account", as_dict=True).items():
        hours = cells["local_hour"].to_numpy().astype(np.int64)
        # Days part where this account is least active: midnight must not cut a stretch of work.
        cut = _quietest(np.bincount(hours, minlength=_HOURS))
        day = cells["local_time"].dt.offset_by(f"-{cut}h").dt.date().rank("dense").to_numpy() - 1
        table = np.zeros((int(day.max()) + 1, _HOURS), dtype=bool)
        table[day, hours] = True
        shift = estimate(table)
        if shift.days < _LEAST_DAYS:
            continue
        last = cells.sort("bucket").tail(1)
        yield {
            "account": account,
            "signed_hours": shift.hours,
            "stability": shift.stability,
            "concentration": shift.concentration,
            "days": shift.days,
            "zone": last["zone"].item(),
            "offset": last["offset"].item(),
            "n": int(cells["n"].sum()),
            "first": cells["first"].min(),
            "last": cells["last"].max(),
        }


def _quietest(histogram: np.ndarray) -> int:
    """Start of the quietest six hours: the night that parts two days, wherever it lies."""
    window = sum(np.roll(histogram, -k) for k in range(6))
    return int((np.argmin(window) + 3) % _HOURS)


def _alike(shifts: pl.DataFrame, rule: AnomalyRule) -> pl.DataFrame:
    """`shifts` with the share of the peers whose days are shifted alike; 0 with fewer than three peers."""
    peer_by = list(rule.baseline.peer_by) if rule.baseline else ["roster.department"]
    mine = shifts.select("account", "signed_hours", *peer_by)
    pairs = mine.join(mine, on=peer_by, suffix="_peer").filter(pl.col("account") != pl.col("account_peer"))
    apart = ((pl.col("signed_hours") - pl.col("signed_hours_peer") + 12) % _HOURS - 12).abs()
    share = pairs.group_by("account").agg(
        pl.when(pl.len() >= _FEWEST_PEERS)
        .then((apart <= _ALIKE_HOURS).mean())
        .otherwise(0.0)
        .alias("peers_alike")
    )
    return shifts.join(share, on="account", how="left").with_columns(pl.col("peers_alike").fill_null(0.0))


def _worded(hits: pl.DataFrame) -> pl.DataFrame:
    """`hits` with both working days in words."""
    start = pl.lit(_NINE) + pl.col("signed_hours")
    fitting = pl.col("offset") - pl.col("signed_hours")
    fitting = (
        pl.when(fitting > _EASTMOST)
        .then(fitting - _HOURS)
        .when(fitting < -(_HOURS // 2))
        .then(fitting + _HOURS)
    )
    fitting = fitting.otherwise(pl.col("offset") - pl.col("signed_hours"))
    claimed_utc = pl.lit(_NINE) - pl.col("offset")
    return hits.with_columns(
        _window(start).alias("worked_hours"),
        _window(start - pl.col("offset")).alias("worked_utc"),
        _window(claimed_utc).alias("claimed_utc"),
        _signed(pl.col("offset")).alias("claimed_offset"),
        _signed(fitting).alias("fitting_offset"),
        ((start - pl.col("offset") + _WORKDAY_HOURS / 2) % _HOURS).alias("middle_utc"),
    )


def _window(start: pl.Expr) -> pl.Expr:
    """A working day that starts at `start` (hours, any sign) as "09:00-17:00"."""
    return pl.concat_str(_clock(start), pl.lit("-"), _clock(start + _WORKDAY_HOURS))


def _clock(hours: pl.Expr) -> pl.Expr:
    minutes = ((hours * 60).round().cast(pl.Int64)) % (_HOURS * 60)
    two = [part.cast(pl.String).str.zfill(2) for part in (minutes // 60, minutes % 60)]
    return pl.concat_str(*two, separator=":")


def _signed(hours: pl.Expr) -> pl.Expr:
    """An offset such as +05:30."""
    minutes = (hours.abs() * 60).round().cast(pl.Int64)
    sign = pl.when(hours < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    two = [part.cast(pl.String).str.zfill(2) for part in (minutes // 60, minutes % 60)]
    return pl.concat_str(sign, pl.concat_str(*two, separator=":"))
