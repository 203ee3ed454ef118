from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sensors.zones import zone


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("+01:00", 60),
        ("-0300", -180),
        ("UTC+9", 540),
        ("+05:45", 345),
        ("+09:30", 570),
        ("+00:00", 0),
        ("GMT-12", -720),
    ],
)
def test_an_offset_is_a_zone_that_keeps_to_it(text: str, minutes: int) -> None:
    found = zone(text)
    for month in (1, 7):
        assert datetime(2026, month, 1, tzinfo=UTC).astimezone(found).utcoffset() == timedelta(
            minutes=minutes
        )
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    local = pl.Series([noon]).dt.replace_time_zone(None).dt.replace_time_zone(found.key)
    assert local.dt.convert_time_zone("UTC")[0] == noon - timedelta(minutes=minutes)


def test_names_are_taken_and_nonsense_is_refused_plainly() -> None:
    assert zone(" America/Chicago ").key == "America/Chicago"
    for text in ("Chicago/America", "../etc/passwd", "", "+25:00", "+00:07"):
        with pytest.raises(ValueError, match=r"zone|offset"):
            zone(text)
