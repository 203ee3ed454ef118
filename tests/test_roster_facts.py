"""Facts that are drawn from a roster's columns: households, bank changes, regions of one spelling."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from analysis.context import load_context

ROSTER = """\
employee_id,name,email,department,location_city,location_region,location_country,start_date,home_address,\
shipping_address_region,bank_change_dates
1,Ann Lee,ann@corp.example,Sales,Toronto,ON,CA,2026-01-05,12 Elm St.,Ontario,
2,Bob Lee,bob@corp.example,Sales,Toronto,ON,CA,2026-01-05,12 elm st,ON,2025-12-01;2026-01-20;2026-03-01
3,Cy Roe,cy@corp.example,Sales,Ottawa,ON,CA,2026-01-05,12 Elm St,ON,2025-12-01
4,Di Poe,di@corp.example,Sales,Ottawa,ON,CA,2026-01-05,Ottawa,ON,
5,Ed Poe,ed@corp.example,Sales,Ottawa,ON,CA,2026-01-05,Ottawa,ON,
"""


def people(tmp_path: Path) -> dict[str, dict[str, object]]:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER)
    at = datetime(2026, 10, 12, tzinfo=UTC)
    names = [f"{name}@corp.example" for name in ("ann", "bob", "cy", "di", "ed")]
    events = pl.DataFrame({"account": names, "@timestamp": [at] * len(names)})
    return {row["account"][:2]: row for row in load_context(path).enrich(events).iter_rows(named=True)}


def test_one_home_address_is_one_household_and_a_town_is_none(tmp_path: Path) -> None:
    found = people(tmp_path)
    assert found["an"]["roster.household"] == found["bo"]["roster.household"] == "home address 1"
    assert [found[who]["roster.household"] for who in ("cy", "di", "ed")] == [None, None, None]


def test_bank_changes_are_counted_and_dated_from_the_start(tmp_path: Path) -> None:
    found = people(tmp_path)
    assert (found["bo"]["roster.bank_changes"], found["bo"]["roster.bank_change_days"]) == (3, 15)
    assert (found["cy"]["roster.bank_changes"], found["cy"]["roster.bank_change_days"]) == (1, None)
    assert found["an"]["roster.bank_change_days"] is None


def test_a_region_is_one_whether_short_or_long(tmp_path: Path) -> None:
    assert {row["roster.shipping_address_region"] for row in people(tmp_path).values()} == {"Ontario"}
    assert {row["roster.location_region"] for row in people(tmp_path).values()} == {"Ontario"}
