"""Who was there on which day, whatever they did: what a baseline needs to tell quiet from absent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.anomaly.partials import column
from analysis.detach import detached
from sensors.schema import TIME

if TYPE_CHECKING:
    from datetime import datetime

# What a person is by the roster; the same for all events of an account on one day, so that the greatest
# of them is that value and merging stays associative.
PERSON: Final = (
    "account.kind",
    "roster.department",
    "roster.team",
    "roster.title",
    "roster.timezone",
    "roster.household",
    "roster.location_city",
    "roster.location_region",
    "roster.location_country",
    "roster.days_since_start",
    "roster.days_since_end",
)


@dataclass(frozen=True, slots=True)
class Activity:
    """Days and people.

    Attributes:
        days: account, bucket (start of the UTC day), n (events), first, last, and `PERSON`.
        coverage: event.dataset, first, last: the time that each kind of log covers.
    """

    days: pl.DataFrame
    coverage: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Activity:
        """Of one batch of enriched events."""
        events = frame.select(
            "@timestamp",
            column(frame, "event.dataset"),
            *(column(frame, name) for name in ("account", *PERSON)),
        )
        people = events.filter(pl.col("account").is_not_null())
        moment = pl.col("@timestamp")
        return cls(
            detached(
                people.group_by("account", moment.dt.truncate("1d").alias("bucket")).agg(
                    pl.len().cast(pl.Int64).alias("n"),
                    moment.min().alias("first"),
                    moment.max().alias("last"),
                    *(pl.col(name).max() for name in PERSON),
                )
            ),
            events.group_by("event.dataset").agg(moment.min().alias("first"), moment.max().alias("last")),
        )

    @classmethod
    def merge(cls, parts: list[Activity]) -> Activity:
        """Of all events together (at least one part)."""
        days = pl.concat([part.days for part in parts]).group_by("account", "bucket")
        coverage = pl.concat([part.coverage for part in parts]).group_by("event.dataset")
        ends = (pl.col("first").min(), pl.col("last").max())
        return cls(
            days.agg(pl.col("n").sum(), *ends, *(pl.col(name).max() for name in PERSON)),
            coverage.agg(*ends),
        )

    @classmethod
    def none(cls) -> Activity:
        """Of no events."""
        return cls.of(pl.DataFrame(schema={"@timestamp": TIME}))

    def people(self) -> pl.DataFrame:
        """One row per account: `PERSON` (as of the last day), first and last event, active days."""
        return self.days.group_by("account").agg(
            pl.col("first").min(),
            pl.col("last").max(),
            pl.len().alias("days"),
            *(pl.col(name).sort_by("bucket").last() for name in PERSON),
        )

    def begin(self) -> datetime | None:
        """Time of the first event of any kind, None without events."""
        first = self.coverage["first"].min()
        return first if self.coverage.height else None  # type: ignore[return-value] # a datetime column
