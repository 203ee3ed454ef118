"""Two sign-ins too far apart for the time between them.

Great-circle distance less both places' accuracy radii (a GeoIP position is the centre of a region), over
the time between. Places are kept per account and hour, with the first and last time each was seen in it.
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
    with_tenure,
)
from analysis.anomaly.partials import Partial, Shape, column
from analysis.anomaly.reading import Option
from analysis.anomaly.surroundings import without_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Scene

_EARTH_KM: Final = 6_371.0
# Two events in one second are not infinitely fast: clocks of two systems differ by so much.
_LEAST_HOURS: Final = 1 / 60
_PLACE: Final = (
    "source.ip",
    "source.geo.location.lat",
    "source.geo.location.lon",
    "source.geo.accuracy",
    "source.as.number",
    "source.geo.city_name",
    "source.geo.country_iso_code",
)
_LAT: Final = "source.geo.location.lat"
_LON: Final = "source.geo.location.lon"


class TravelSpeed:
    """`travel_speed`: consecutive places of one account, faster than the condition allows."""

    quantities = frozenset({"speed_kmh", "distance_km", "days"})
    learned: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[Mapping[str, Option]] = {
        "leave-out": Option(
            "texts", ("own_networks", "same_as", "shared"), ("own_networks", "same_as", "shared")
        ),
        "at-most": Option("number", 8.0),
    }
    field = False
    why = (
        "{from_place} at {left} and {to_place} at {arrived}: {distance_km} km apart "
        "({speed_kmh} km/h, radii of accuracy taken off)"
    )

    def needs(self, rule: AnomalyRule) -> tuple[str, ...]:
        """An account and coordinates."""
        return (*rule.group_by, "source.ip", _LAT, _LON)

    def shape(self, rule: AnomalyRule) -> Shape:
        """Per account, hour and place: first and last time."""
        keys = tuple(dict.fromkeys((*rule.group_by, "bucket", *_PLACE)))
        return Shape(keys, {"n": "sum", "arrived": "min", "left": "max"}, keys, rule.show, first=1, last=1)

    def prepare(self, rule: AnomalyRule, events: pl.DataFrame) -> pl.DataFrame:
        """One row per sign-in with its place."""
        moment = pl.col("@timestamp")
        have = {*rule.group_by, *rule.show}
        return events.select(
            *shared_columns(rule, events, pl.lit(0.0)),
            *(column(events, name) for name in _PLACE if name not in have),
            moment.dt.truncate("1h").alias("bucket"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            moment.alias("arrived"),
            moment.alias("left"),
        )

    def judge(self, rule: AnomalyRule, whole: Partial, scene: Scene) -> Verdict:
        """The fastest journey of each account and day, or of each account if the condition counts days."""
        left_out: Sequence[str] = rule.options["leave-out"]
        cells = whole.cells
        if "own_networks" in left_out:
            cells = without_own(cells, "source.ip", scene.site)
        if "shared" in left_out:
            sharers = cells.group_by("source.ip").agg(pl.col("account").n_unique().alias("sharers"))
            few = sharers.filter(pl.col("sharers") <= rule.options["at-most"])
            cells = cells.join(few, on="source.ip", how="semi")
        judged = cells["account"].n_unique() if cells.height else 0
        legs = _legs(cells, same_as="same_as" in left_out)
        legs = legs.filter(holds(rule.bounds("speed_kmh", "distance_km")))
        if legs.is_empty():
            return empty_verdict(judged)
        day = pl.col("arrived").dt.date()
        legs = legs.with_columns(day.n_unique().over("account").cast(pl.Int64).alias("days"))
        group = ["account"] if rule.bounds("days") else ["account", day.alias("day")]
        fastest = legs.sort(-pl.col("speed_kmh"), "arrived", *_PLACE)
        hits = (
            with_tenure(
                fastest.group_by(group, maintain_order=True)
                .agg(pl.all().first())
                .with_columns(first="left_before", last="arrived", n=pl.lit(2, dtype=pl.Int64)),
                scene,
            )
            .filter(holds(rule.bounds("days", "roster.days_since_start", "roster.days_since_end")))
            .with_row_index("hit")
        )
        return Verdict(_worded(hits), _ends(hits, whole.shown), judged)


def _legs(cells: pl.DataFrame, *, same_as: bool) -> pl.DataFrame:
    """Consecutive moments of an account at two different places, with distance and speed."""
    place = list(_PLACE)
    moments = pl.concat(
        [
            cells.select("account", "bucket", *place, at="arrived", moment="arrived"),
            cells.select("account", "bucket", *place, at="left", moment="left"),
        ]
    ).unique()
    ordered = moments.sort("account", "at", *place)
    before = ordered.select(pl.col(*place, "at", "bucket").shift(1).over("account").name.suffix("_before"))
    legs = pl.concat([ordered, before], how="horizontal").filter(
        pl.col("source.ip_before").is_not_null() & (pl.col("source.ip_before") != pl.col("source.ip"))
    )
    if same_as:
        other = pl.col("source.as.number") != pl.col("source.as.number_before")
        legs = legs.filter(other.fill_null(value=True))
    return legs.with_columns(_distance().alias("distance_km")).with_columns(
        pl.col("at").alias("arrived"),
        pl.col("at_before").alias("left_before"),
        (
            pl.col("distance_km")
            / ((pl.col("at") - pl.col("at_before")).dt.total_seconds() / 3600).clip(lower_bound=_LEAST_HOURS)
        ).alias("speed_kmh"),
    )


def _distance() -> pl.Expr:
    """Haversine distance in km, less the radii of accuracy, never negative."""
    lat, lat0 = pl.col(_LAT).radians(), pl.col(f"{_LAT}_before").radians()
    lon, lon0 = pl.col(_LON).radians(), pl.col(f"{_LON}_before").radians()
    a = ((lat - lat0) / 2).sin() ** 2 + lat.cos() * lat0.cos() * ((lon - lon0) / 2).sin() ** 2
    whole = 2 * _EARTH_KM * a.clip(0, 1).sqrt().arcsin()
    radii = pl.col("source.geo.accuracy").fill_null(0) + pl.col("source.geo.accuracy_before").fill_null(0)
    return (whole - radii).clip(lower_bound=0)


def _worded(hits: pl.DataFrame) -> pl.DataFrame:
    """`hits` with the places and times as `why` names them."""

    def place(suffix: str) -> pl.Expr:
        parts = [f"source.geo.city_name{suffix}", f"source.geo.country_iso_code{suffix}"]
        named = pl.concat_str(parts, separator=", ", ignore_nulls=True)
        somewhere = pl.when(named == "").then(pl.lit("a place without a name")).otherwise(named)
        return pl.format("{} ({})", somewhere, f"source.ip{suffix}")

    clock = "%Y-%m-%d %H:%M UTC"
    return hits.with_columns(
        place("_before").alias("from_place"),
        place("").alias("to_place"),
        pl.col("left_before").dt.strftime(clock).alias("left"),
        pl.col("arrived").dt.strftime(clock).alias("arrived"),
    )


def _ends(hits: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The last event of the place left and the first of the place reached."""
    sides = [
        hits.select("hit", "account", pl.col(f"source.ip{suffix}").alias("source.ip"), "@timestamp").join(
            shown, on=["account", "source.ip", "@timestamp"], how="inner"
        )
        for suffix, hits in (
            ("_before", hits.with_columns(pl.col("first").alias("@timestamp"))),
            ("", hits.with_columns(pl.col("last").alias("@timestamp"))),
        )
    ]
    both = in_order(pl.concat(sides), "hit", "@timestamp")
    return both.unique(["hit", "@timestamp", "source.ip"], keep="first", maintain_order=True)
