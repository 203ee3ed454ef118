from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sensors.reading.zones import utc, zone


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("+01:00", 60),
        ("-0300", -180),
        ("UTC+9", 540),
        ("+05:45", 345),
        ("-02:30", -150),
        ("+00:00", 0),
        ("GMT-12", -720),
    ],
)
def test_an_offset_keeps_to_itself_all_year(text: str, minutes: int) -> None:
    for month in (1, 7):
        noon = datetime(2026, month, 1, 12, tzinfo=UTC)
        clock = pl.select(pl.lit(noon).dt.replace_time_zone(None).alias("clock"))
        told = clock.select(utc(pl.col("clock"), zone(text))).item()
        assert told == noon - timedelta(minutes=minutes)


def test_clocks_put_back_and_forward() -> None:
    clocks = [datetime(2026, 3, 8, 2, 30), datetime(2026, 11, 1, 1, 30), datetime(2026, 7, 1, 12)]  # noqa: DTZ001 - clocks on a wall
    told = pl.DataFrame({"clock": clocks}).select(utc(pl.col("clock"), zone("America/New_York")))["clock"]
    assert told.to_list() == [
        datetime(2026, 3, 8, 7, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 7, 1, 16, tzinfo=UTC),
    ]


def test_names_are_taken_and_nonsense_is_refused_plainly() -> None:
    assert str(zone(" America/Chicago ")) == "America/Chicago"
    for text in ("Chicago/America", "../etc/passwd", "", "+25:00", "+01:75"):
        with pytest.raises(ValueError, match="no time zone"):
            zone(text)
