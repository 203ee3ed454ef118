"""Measures on hand-made events, and every measure against a slow reference over any split of the events."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from anomaly_cases import all_of, at, events, hunted, rule
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.anomaly import Anomalies, AnomalyRule
from analysis.anomaly.measures.clock import estimate
from analysis.context import Context, Site
from analysis.finding import Finding

WORKDAYS = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
PLACE = {"source.geo.location.lat": 40.0, "source.geo.location.lon": -74.0, "source.as.number": 1}


def found(one: AnomalyRule, rows: list[dict[str, Any]], context: Context | None = None) -> list[Finding]:
    return list(hunted(one, events(rows), context).find())


def uploads(account: str, days: list[int], size: int, **more: object) -> list[dict[str, Any]]:
    return [{"account": account, "@timestamp": at(day), "source.bytes": size + day, **more} for day in days]


VOLUME = {
    "measure": "sum",
    "field": "source.bytes",
    "baseline": {"of": ["self", "peer"], "minimum": 5, "people": 2},
    "condition": {"robust_z": {"gt": 4}, "value": {"gte": 1000}},
}


def test_a_person_without_history_is_learning_and_that_is_said() -> None:
    rows = [row for name in "abc" for row in uploads(name, WORKDAYS, 100)] + uploads("new", [11], 10**9)
    anomalies = hunted(rule(**VOLUME), events(rows))
    assert list(anomalies.find()) == []
    assert [one.reason for one in anomalies.not_run()] == ["learning: 1 of 4 have too little history"]


def test_self_and_peer_must_both_agree() -> None:
    peers = [row for name in "abc" for row in uploads(name, WORKDAYS, 100)]
    own = uploads("mo", WORKDAYS, 100)
    assert len(found(rule(**VOLUME), [*peers, *own, *uploads("mo", [12], 10**6)])) == 1
    usual_for_self = uploads("mo", [*WORKDAYS, 12], 10**6)
    assert found(rule(**VOLUME), [*peers, *usual_for_self]) == []
    usual_for_peers = [row for name in "abc" for row in uploads(name, WORKDAYS, 10**6)]
    assert found(rule(**VOLUME), [*usual_for_peers, *own, *uploads("mo", [12], 10**6)]) == []


def test_the_first_upload_of_a_person_who_never_uploads_is_compared_with_zeros() -> None:
    rows = [row for name in "abc" for row in uploads(name, WORKDAYS, 100)]
    rows += [{"account": "mo", "@timestamp": at(day)} for day in WORKDAYS]
    only = {**VOLUME, "baseline": {"of": ["self"], "minimum": 5}}
    one = found(rule(**only), [*rows, *uploads("mo", [11], 10**6)])
    assert [f.account for f in one] == ["mo"]
    assert "usual for this account is 0 B" in one[0].why


def test_one_transfer_in_two_logs_counts_once() -> None:
    rows = [row for name in "abcd" for row in uploads(name, WORKDAYS, 100)]
    twice = [
        {"account": "a", "@timestamp": at(11), "source.bytes": 700, "event.dataset": name}
        for name in ("x", "y")
    ]
    assert found(rule(**VOLUME), [*rows, *twice]) == []
    together = [{**row, "event.dataset": "x"} for row in twice]
    assert len(found(rule(**VOLUME), [*rows, *together])) == 1


def test_a_peer_group_that_is_too_small_is_widened_to_everyone() -> None:
    rows = [row for name in "abcd" for row in uploads(name, WORKDAYS, 10**6, **{"roster.department": "eng"})]
    rows += uploads("mo", [*WORKDAYS, 12], 10, **{"roster.department": "hr"})
    rows += uploads("mo", [12], 10**6)
    assert found(rule(**VOLUME), rows) == []


def test_service_accounts_are_nobodys_behaviour() -> None:
    rows = [row for name in "abc" for row in uploads(name, WORKDAYS, 100)]
    rows += uploads("svc", WORKDAYS, 100, **{"account.kind": "service"})
    assert found(rule(**VOLUME), [*rows, *uploads("svc", [12], 10**7, **{"account.kind": "service"})]) == []


def test_hours_active_counts_hours_and_days() -> None:
    rows = [{"account": "a", "@timestamp": at(day, hour)} for day in (0, 1) for hour in range(20)]
    condition = {"value": {"gte": 20}, "days": {"gte": 2}}
    one = found(rule(measure="hours_active", condition=condition), rows)
    assert len(one) == 1
    assert one[0].count == 40
    assert found(rule(measure="hours_active", condition=condition), rows[:20]) == []


def test_off_hours_follow_the_zone_on_file_and_its_summer_time() -> None:
    # 2026-03-08 America/New_York moved from UTC-5 to UTC-4: 11:30 UTC is 06:30 before, 07:30 after.
    new_york = {"roster.timezone": "America/New_York"}
    one = rule(measure="count", hours="off", condition={"value": {"gte": 1}})
    before = [{"account": "a", "@timestamp": datetime(2026, 3, 6, 11, 30, tzinfo=UTC), **new_york}]
    after = [{"account": "a", "@timestamp": datetime(2026, 3, 9, 11, 30, tzinfo=UTC), **new_york}]
    weekend = [{"account": "a", "@timestamp": datetime(2026, 3, 14, 15, 0, tzinfo=UTC), **new_york}]
    assert len(found(one, before)) == 1
    assert found(one, after) == []
    assert len(found(one, weekend)) == 1


def test_first_seen_leaves_out_what_the_site_allows_by_department() -> None:
    site = Site(sanctioned_remote_support=("ScreenConnect (corp.screenconnect.com)", "AnyDesk (IT)"))
    rows = [{"account": "a", "@timestamp": at(0), "roster.department": "IT"}]
    rows += [{"account": "b", "@timestamp": at(0), "roster.department": "Sales"}]
    for account, department in (("a", "IT"), ("b", "Sales")):
        for tool in ("AnyDesk.exe", "ScreenConnect.ClientService.exe"):
            rows.append(
                {
                    "account": account,
                    "@timestamp": at(9),
                    "process.name": tool,
                    "roster.department": department,
                }
            )
    one = rule(measure="first_seen", field="process.name", condition={"value": {"gte": 1}})
    assert len(found(one, rows)) == 2
    allowed = found(one, rows, Context(site=site))
    assert [(f.account, f.why.split(" on ")[0]) for f in allowed] == [("b", "first use of anydesk.exe")]


def test_first_seen_says_learning_while_the_logs_are_young() -> None:
    rows = [{"account": "a", "@timestamp": at(day), "process.name": f"p{day}"} for day in range(4)]
    anomalies = hunted(
        rule(measure="first_seen", field="process.name", condition={"value": {"gte": 1}}), events(rows)
    )
    assert list(anomalies.find()) == []
    assert anomalies.not_run()[0].reason == "learning: 1 of 1 have too little history"


def test_who_was_hired_while_the_logs_run_has_no_earlier_time() -> None:
    rows = [{"account": "old", "@timestamp": at(day), "process.name": "git"} for day in range(20)]
    new = {"account": "new", "@timestamp": at(15), "process.name": "anydesk.exe"}
    one = rule(measure="first_seen", field="process.name", condition={"value": {"gte": 1}})
    assert found(one, [*rows, new]) == []
    assert [f.account for f in found(one, [*rows, {**new, "roster.days_since_start": 2}])] == ["new"]


SHARED = {
    "measure": "shared_by",
    "field": "account",
    "group-by": ["source.ip"],
    "condition": {"accounts": {"gte": 2}, "days": {"gte": 3}},
}


def on_address(account: str, days: range, ip: str = "203.0.113.9", **more: object) -> list[dict[str, Any]]:
    return [{"account": account, "@timestamp": at(day), "source.ip": ip, **more} for day in days]


def test_sharing_needs_the_same_days() -> None:
    together = [*on_address("a", range(4)), *on_address("b", range(4))]
    apart = [*on_address("a", range(4)), *on_address("b", range(4, 8))]
    assert sorted(f.account for f in found(rule(**SHARED), together)) == ["a", "b"]
    assert found(rule(**SHARED), apart) == []
    assert len(found(rule(**SHARED, together="ever"), apart)) == 2


def test_sharing_shows_the_others_events_too() -> None:
    one = found(rule(**SHARED), [*on_address("a", range(4)), *on_address("b", range(4))])[0]
    assert one.why == "on 203.0.113.9 together with b on 4 days; 0 different homes are on file"
    assert [shown.fields["account"] for shown in one.evidence] == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("more", "context"),
    [
        ({}, Context(site=Site(corporate_egress={"NYC": (ip_network("203.0.113.0/28"),)}))),
        ({"roster.household": "h1"}, None),
        ({"source.ip": "10.0.0.7"}, None),
        ({"source.ip": "100.64.3.7"}, None),
    ],
)
def test_sharing_leaves_out_the_own_the_private_and_households(
    more: dict[str, object], context: Context | None
) -> None:
    rows = [{**row, **more} for name in "ab" for row in on_address(name, range(4))]
    assert found(rule(**SHARED), rows, context) == []


def test_a_third_person_in_a_household_is_still_sharing() -> None:
    rows = [row for name in "ab" for row in on_address(name, range(4), **{"roster.household": "h1"})]
    assert len(found(rule(**SHARED), [*rows, *on_address("c", range(4))])) == 3


def test_what_many_share_is_no_home() -> None:
    rows = [row for number in range(9) for row in on_address(f"p{number}", range(4))]
    assert found(rule(**SHARED), rows) == []
    assert len(found(rule(**SHARED, **{"at-most": 9}), rows)) == 9


TRAVEL = {"measure": "travel_speed", "condition": {"speed_kmh": {"gte": 900}, "distance_km": {"gte": 500}}}


def sign_in(hour: float, lat: float, lon: float, ip: str, **more: object) -> dict[str, Any]:
    where = {"source.geo.location.lat": lat, "source.geo.location.lon": lon, "source.ip": ip}
    return {"account": "a", "@timestamp": at(0, hour), **where, **more}


def test_travel_takes_off_the_radii_of_accuracy() -> None:
    here, there = sign_in(9, 40.0, -74.0, "203.0.113.1"), sign_in(9.5, 45.0, -74.0, "203.0.113.2")
    one = found(rule(**TRAVEL), [here, there])[0]
    assert "556 km apart (1112 km/h" in one.why
    assert found(rule(**TRAVEL), [{**here, "source.geo.accuracy": 100.0}, there]) == []


def test_travel_leaves_out_one_network_and_the_own_and_shared_addresses() -> None:
    pair = [
        {**sign_in(9, 40.0, -74.0, "203.0.113.1"), "source.as.number": 1},
        {**sign_in(9.5, 60.0, 10.0, "198.51.100.2"), "source.as.number": 2},
    ]
    assert len(found(rule(**TRAVEL), pair)) == 1
    assert found(rule(**TRAVEL), [{**row, "source.as.number": 3} for row in pair]) == []
    egress = Context(site=Site(corporate_egress={"OSL": (ip_network("198.51.100.0/24"),)}))
    assert found(rule(**TRAVEL), pair, egress) == []
    crowd = [{**pair[1], "account": f"p{number}"} for number in range(9)]
    assert found(rule(**TRAVEL), [*pair, *crowd]) == []


def test_travel_evidence_is_both_ends() -> None:
    one = found(rule(**TRAVEL, show=["source.ip"]), [
        sign_in(8, 40.0, -74.0, "203.0.113.1"), sign_in(9, 40.0, -74.0, "203.0.113.1"),
        sign_in(9.1, 60.0, 10.0, "203.0.113.2"), sign_in(9.9, 60.0, 10.0, "203.0.113.2"),
    ])[0]  # fmt: skip
    assert [(shown.line, shown.fields["source.ip"]) for shown in one.evidence] == [
        (2, "203.0.113.1"),
        (3, "203.0.113.2"),
    ]


CLOCK = {
    "measure": "clock_shift",
    "condition": {"shift_hours": {"gte": 5}, "days": {"gte": 8}, "stability": {"gte": 0.7}},
}


def day_by_day(zone: str, local_hours: list[int], lives_in: str, days: int = 14) -> list[dict[str, Any]]:
    """Activity at `local_hours` of the zone that is lived in, in March 2026, when summer time begins."""
    rows = []
    for day in range(days):
        for hour in local_hours:
            local = datetime(2026, 3, 2, hour, 20, tzinfo=ZoneInfo(lives_in)) + timedelta(days=day)
            rows.append({"account": "a", "@timestamp": local.astimezone(UTC), "roster.timezone": zone})
    return rows


@pytest.mark.parametrize(
    ("claimed", "lived", "fits"),
    [
        ("America/New_York", "Asia/Shanghai", 8),
        ("America/Los_Angeles", "Asia/Shanghai", 8),
        ("Europe/Warsaw", "Asia/Shanghai", 8),
        ("America/Chicago", "Asia/Vladivostok", 10),
        ("Asia/Kolkata", "Europe/London", 0.5),
    ],
)
def test_a_day_lived_elsewhere_is_named(claimed: str, lived: str, fits: float) -> None:
    one = found(rule(**CLOCK), day_by_day(claimed, [9, 10, 11, 13, 14, 16], lived))
    assert len(one) == 1
    said = re.search(r"about UTC([+-])(\d\d):(\d\d)", one[0].why)
    assert said
    east = (int(said[2]) + int(said[3]) / 60) * (1 if said[1] == "+" else -1)
    assert abs(east - fits) <= 1
    assert claimed in one[0].why


@pytest.mark.parametrize(
    ("claimed", "lived", "hours"),
    [
        ("America/New_York", "America/New_York", [9, 10, 11, 13, 14, 16]),
        ("America/New_York", "America/New_York", [6, 7, 8, 10, 13]),
        ("America/New_York", "America/New_York", [12, 13, 15, 17, 19]),
        ("Asia/Seoul", "Asia/Seoul", [9, 10, 11, 13, 14, 16]),
        ("America/New_York", "America/Los_Angeles", [9, 10, 11, 13, 14, 16]),
        ("Asia/Kathmandu", "Asia/Kathmandu", [9, 11, 14, 17]),
    ],
)
def test_a_day_lived_where_it_is_on_file_is_not(claimed: str, lived: str, hours: list[int]) -> None:
    assert found(rule(**CLOCK), day_by_day(claimed, hours, lived)) == []


def test_a_night_owl_is_found_with_both_hours_and_a_shifted_team_is_not() -> None:
    owl = day_by_day("America/New_York", [20, 21, 23], "America/New_York")
    owl += [{**row, "@timestamp": row["@timestamp"] + timedelta(hours=3)} for row in owl]
    one = found(rule(**CLOCK), owl)[0]
    assert "America/New_York" in one.why
    team = [{**row, "account": name, "roster.department": "night shift"} for name in "abcde" for row in owl]
    condition = {**CLOCK["condition"], "peers_alike": {"lt": 0.5}}
    alike = rule(measure="clock_shift", baseline={"of": ["peer"]}, condition=condition)
    assert found(alike, team) == []
    assert len(found(alike, owl)) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(-11, 12), st.integers(5, 20), st.integers(0, 2**32))
def test_the_estimate_finds_the_shift_that_was_put_in(shift: int, days: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = np.zeros((days, 24), dtype=bool)
    for day in range(days):
        for hour in random.choice(np.arange(8, 18), size=6, replace=False):
            table[day, (hour + shift) % 24] = True
    got = estimate(table)
    assert abs((got.hours - shift + 12) % 24 - 12) <= 2
    assert got.stability >= 0.7 or abs(shift) < 4  # near the claimed hours a day fits both
    assert got.days == days


def test_round_the_clock_has_no_concentration() -> None:
    assert estimate(np.ones((10, 24), dtype=bool)).concentration == pytest.approx(0)


# Every measure over any split of the events, against the plainest computation.

EVENT = st.fixed_dictionaries(
    {
        "account": st.sampled_from(["a", "b", "c"]),
        "@timestamp": st.integers(0, 12 * 24 * 4).map(lambda quarter: at(0, quarter / 4)),
        "source.bytes": st.integers(0, 2000),
        "event.dataset": st.sampled_from(["x", "y"]),
        "destination.domain": st.sampled_from(["d1", "d2", "d3", None]),
        "source.ip": st.sampled_from(["203.0.113.1", "203.0.113.2"]),
        "roster.timezone": st.just("America/New_York"),
    }
)
EVENTS = st.lists(EVENT, min_size=1, max_size=30)
SPLIT = st.lists(st.integers(0, 3), min_size=30, max_size=30)
Row = dict[str, Any]


def split_findings(one: AnomalyRule, rows: list[Row], split: list[int]) -> list[Finding]:
    """Findings when the events come in four batches, some perhaps empty, in another order."""
    frame = events(rows)
    anomalies = Anomalies([one])
    for part in range(4):
        batch = frame.filter(pl.Series([number == part for number in split[: len(rows)]]))
        if batch.height:
            anomalies.add(batch, all_of(batch), ["pick"])
    return sorted(anomalies.find(), key=lambda f: (f.account, f.first_seen))


def as_one(one: AnomalyRule, rows: list[Row]) -> list[Finding]:
    return sorted(hunted(one, events(rows)).find(), key=lambda f: (f.account, f.first_seen))


MEASURES = {
    "sum": {"field": "source.bytes", "condition": {"value": {"gt": 1500}}},
    "count": {"timespan": "1h", "condition": {"value": {"gte": 2}}},
    "distinct": {"field": "destination.domain", "condition": {"value": {"gte": 2}}},
    "hours_active": {"condition": {"value": {"gte": 2}}},
    "first_seen": {"field": "destination.domain", "warm-up": "1d", "condition": {"value": {"gte": 1}}},
    "clock_shift": {"condition": {"shift_hours": {"gte": 1}}},
    "shared_by": {"field": "account", "group-by": ["source.ip"], "condition": {"accounts": {"gte": 2}}},
}


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=12, deadline=None)
@given(EVENTS, SPLIT)
def test_any_split_finds_the_same(measure: str, rows: list[Row], split: list[int]) -> None:
    one = rule(measure=measure, **MEASURES[measure])
    assert split_findings(one, rows, split) == as_one(one, rows)


@settings(max_examples=12, deadline=None)
@given(EVENTS, SPLIT)
def test_any_split_of_journeys_finds_the_same(rows: list[Row], split: list[int]) -> None:
    placed = [
        {**row, "source.geo.location.lat": 10.0 if row["source.ip"].endswith("1") else 60.0,
         "source.geo.location.lon": 5.0} for row in rows
    ]  # fmt: skip
    one = rule(measure="travel_speed", condition={"speed_kmh": {"gte": 100}})
    assert split_findings(one, placed, split) == as_one(one, placed)


def day_of(row: Row) -> datetime:
    return row["@timestamp"].replace(hour=0, minute=0, second=0, microsecond=0)


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_sums_against_a_loop(rows: list[Row]) -> None:
    totals: dict[tuple[str, datetime], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        totals[row["account"], day_of(row)][row["event.dataset"]] += row["source.bytes"]
    expected = sorted(key for key, sets in totals.items() if max(sets.values()) > 1500)
    got = as_one(rule(measure="sum", **MEASURES["sum"]), rows)
    assert [(f.account, day_of({"@timestamp": f.first_seen})) for f in got] == expected


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_distinct_values_and_hours_against_a_loop(rows: list[Row]) -> None:
    for measure, value in (
        ("distinct", lambda row: row["destination.domain"]),
        ("hours_active", lambda row: row["@timestamp"].hour),
    ):
        seen: dict[tuple[str, datetime], set[Any]] = defaultdict(set)
        for row in rows:
            if value(row) is not None:
                seen[row["account"], day_of(row)].add(value(row))
        expected = sorted(key for key, values in seen.items() if len(values) >= 2)
        got = as_one(rule(measure=measure, **MEASURES[measure]), rows)
        assert [(f.account, day_of({"@timestamp": f.first_seen})) for f in got] == expected


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_first_values_against_a_loop(rows: list[Row]) -> None:
    one_day = timedelta(days=1)
    begin = {
        name: min(r["@timestamp"] for r in rows if r["account"] == name)
        for name in {r["account"] for r in rows}
    }
    first: dict[tuple[str, str], Row] = {}
    sets: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in sorted(rows, key=lambda row: row["@timestamp"]):
        if row["destination.domain"] is not None:
            first.setdefault((row["account"], row["destination.domain"]), row)
            sets[row["account"], row["destination.domain"]].add(row["event.dataset"])
    logs = {
        name: min(r["@timestamp"] for r in rows if r["event.dataset"] == name)
        for name in {r["event.dataset"] for r in rows}
    }
    expected = {
        (account, day_of(row))
        for (account, value), row in first.items()
        if row["@timestamp"] - max(begin[account], logs[max(sets[account, value])]) >= one_day
    }
    got = as_one(rule(measure="first_seen", **MEASURES["first_seen"]), rows)
    assert {(f.account, day_of({"@timestamp": f.first_seen})) for f in got} == expected


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_sharing_against_a_loop(rows: list[Row]) -> None:
    there: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    for row in rows:
        there[row["source.ip"], day_of(row)].add(row["account"])
    expected = {(ip, account) for (ip, _), names in there.items() if len(names) > 1 for account in names}
    got = as_one(rule(measure="shared_by", **MEASURES["shared_by"]), rows)
    assert {(f.evidence[0].fields["source.ip"], f.account) for f in got} == expected
