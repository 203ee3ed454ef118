from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from anomaly_cases import at, events
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis import profile

SIGN_IN: dict[str, Any] = {
    "account": "ann",
    "event.category": ["authentication"],
    "event.outcome": "success",
    "event.dataset": "okta.system",
    "source.ip": "203.0.113.9",
    "source.geo.city_name": "Newark",
    "source.geo.country_iso_code": "US",
}
UPLOAD: dict[str, Any] = {
    "account": "ann",
    "event.category": ["network"],
    "event.dataset": "zeek.connection",
    "source.ip": "10.1.2.3",
    "destination.ip": "198.51.100.7",
    "source.bytes": 1000,
}


def told(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.sort(frame.columns).to_dicts()


def test_a_sign_in_is_an_hour_a_day_a_place_and_a_dataset() -> None:
    got = profile.partial(
        events([{**SIGN_IN, "@timestamp": at(0, 14.5)}, {**SIGN_IN, "@timestamp": at(0, 15)}])
    )
    day = date(2026, 3, 2)
    assert told(got["hours"]) == [
        {"account": "ann", "day": day, "hour": 14, "events": 1},
        {"account": "ann", "day": day, "hour": 15, "events": 1},
    ]
    assert told(got["days"]) == [{"account": "ann", "day": day, "events": 2}]
    place = got["places"].row(0, named=True)
    assert (place["source.ip"], place["city"], place["country"], place["events"]) == (
        "203.0.113.9",
        "Newark",
        "US",
        2,
    )
    assert (place["first"], place["last"]) == (at(0, 14.5), at(0, 15))
    assert got["outbound"].is_empty()


@pytest.mark.parametrize(
    "change",
    [
        {"event.outcome": "failure"},
        {"azure.signinlogs.category": "NonInteractiveUserSignInLogs"},
        {"azure.signinlogs.properties.is_interactive": "false"},
        {"event.category": ["session"], "event.outcome": "failure"},
        {"event.category": ["file"], "event.dataset": "o365.audit", "event.outcome": "failure"},
        {"winlog.event_data.LogonType": "3"},
        {"account.kind": "service"},
        {"event.category": ["network"]},
        {
            "event.category": ["process"],
            "process.parent.name": "services.exe",
            "event.dataset": "windows.sysmon_operational",
        },
        {"event.category": ["file"], "event.dataset": "o365.audit", "event.action": "FileSyncDownloadedFull"},
    ],
)
def test_what_machines_do_is_no_human_activity(change: dict[str, Any]) -> None:
    got = profile.partial(events([{**SIGN_IN, **change, "@timestamp": at(0)}]))
    assert got["hours"].is_empty()
    assert got["days"]["events"].to_list() == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"winlog.event_data.LogonType": "10"},
        {"event.category": ["session"]},
        {"event.code": "4801", "event.category": ["host"]},
        {"event.category": ["file"], "event.dataset": "o365.audit", "event.action": "FileDownloaded"},
        {"event.category": ["process"], "process.parent.name": "Explorer.EXE"},
    ],
)
def test_what_persons_do_is_human_activity(change: dict[str, Any]) -> None:
    got = profile.partial(events([{**SIGN_IN, **change, "@timestamp": at(0)}]))
    assert got["hours"]["events"].to_list() == [1]


def test_only_traffic_from_inside_to_outside_went_out() -> None:
    rows = [
        UPLOAD,
        {**UPLOAD, "destination.ip": "10.9.9.9"},
        {**UPLOAD, "source.ip": "198.51.100.200"},
        {**UPLOAD, "source.bytes": None},
        {**UPLOAD, "destination.ip": None},
        {**UPLOAD, "destination.ip": None, "destination.domain": "mega.example", "source.bytes": 50},
        {**UPLOAD, "event.category": ["authentication"]},
    ]
    got = profile.partial(events([{**row, "@timestamp": at(0)} for row in rows]))
    assert got["outbound"]["bytes"].to_list() == [1050]
    assert set(got["destinations"]["destination"]) == {"198.51.100.7", "mega.example"}
    assert got["places"].is_empty()


@pytest.mark.parametrize(
    "change",
    [
        {"event.outcome": "failure"},
        {"event.dataset": "o365.audit", "event.outcome": "failure"},
        {"account.basis": "vpn lease, destination"},
        {"event.category": ["network"], "event.dataset": "zeek.connection"},
        {"source.ip": "10.0.0.7"},
    ],
)
def test_what_others_did_is_no_place_of_the_account(change: dict[str, Any]) -> None:
    basis = change.get("account.basis", "user")
    row = {**SIGN_IN, **{name: value for name, value in change.items() if name != "account.basis"}}
    frame = events([{**row, "@timestamp": at(0)}]).with_columns(pl.lit(basis).alias("account.basis"))
    assert profile.partial(frame)["places"].is_empty()


def test_two_logs_of_one_upload_are_not_added_up() -> None:
    rows = [
        {**UPLOAD, "@timestamp": at(0)},
        {**UPLOAD, "@timestamp": at(0), "event.dataset": "cisco_asa.log", "source.bytes": 1100},
    ]
    left = profile.outbound(profile.partial(events(rows)))
    assert left.rows() == [("ann", date(2026, 3, 2), 1100, ["198.51.100.7"])]


def test_the_largest_destinations_come_first() -> None:
    rows = [
        {**UPLOAD, "@timestamp": at(0), "destination.domain": f"d{n}.example", "source.bytes": n}
        for n in range(1, 9)
    ]
    left = profile.outbound(profile.partial(events(rows)), most=2)
    assert left["destinations"].to_list() == [["d8.example", "d7.example"]]


def test_events_of_nobody_and_no_events_give_empty_tables_of_the_schema() -> None:
    nobody = profile.partial(events([{"@timestamp": at(0), "event.category": ["network"]}]))
    for tables in (nobody, profile.merge([]), profile.merge([{}, {}])):
        assert {name: dict(table.schema) for name, table in tables.items()} == profile.SCHEMAS
        assert all(table.is_empty() for table in tables.values())


ROWS = st.fixed_dictionaries(
    {
        "account": st.sampled_from(["ann", "bob", None]),
        "@timestamp": st.integers(0, 80).map(lambda hours: at(0, hours)),
        "event.category": st.sampled_from([["authentication"], ["network"], ["session"]]),
        "event.dataset": st.sampled_from(["okta.system", "zeek.connection"]),
        "event.outcome": st.sampled_from(["success", "failure"]),
        "source.ip": st.sampled_from(["10.0.0.1", "203.0.113.1", "203.0.113.2"]),
        "destination.ip": st.sampled_from([None, "198.51.100.1", "10.0.0.2"]),
        "source.bytes": st.one_of(st.none(), st.integers(0, 10**6)),
        "host.name": st.sampled_from([None, "LT-1", "lt-1"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=25), st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_any_split_merges_to_the_whole(rows: list[dict[str, Any]], where: list[int]) -> None:
    split = [[row for row, part in zip(rows, where, strict=False) if part == number] for number in range(4)]
    gathered = profile.Gathered()
    for part in split:
        if part:
            gathered.add(profile.partial(events(part)))
            gathered.whole()  # in the middle, as with many batches
    merged = gathered.whole()
    whole = profile.partial(events(rows))
    for name, table in whole.items():
        assert_frame_equal(table, merged[name], check_row_order=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=25))
def test_days_are_what_counting_one_by_one_gives(rows: list[dict[str, Any]]) -> None:
    counted: dict[tuple[str, date], int] = {}
    for row in rows:
        if row["account"]:
            key = (row["account"], row["@timestamp"].date())
            counted[key] = counted.get(key, 0) + 1
    got = profile.partial(events(rows))["days"]
    assert {(account, day): n for account, day, n in got.rows()} == counted
