"""Correlations, told as stories; tests/test_sigma_correlate_reference.py holds each kind to plain Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from sigma_cases import pack_of, rule_text

from analysis.sigma import Correlations

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.finding import Finding
    from analysis.sigma import RulePack

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
SPAN = 60
RULES = [rule_text(f"  s: {{act: {name}}}\n  condition: s", name=f"r{name}") for name in "abc"]


def correlation(kind: str, condition: str, rules: str = "ra", **keys: str) -> str:
    body = {"type": kind, "rules": f"[{rules}]", "group-by": "[user]", "timespan": f"{SPAN}s", **keys}
    lines = [f"  {key}: {value}" for key, value in body.items()] + (
        [f"  condition: {condition}"] if condition else []
    )
    return "\n".join(
        ["title: counted", "why: '{user} did {count} of {value}'", "level: high", "correlation:", *lines, ""]
    )


def frame(events: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {"at": pl.Int64, "act": pl.String, "user": pl.String, "host": pl.String, "size": pl.String}
    rows = pl.DataFrame([{name: event.get(name) for name in schema} for event in events], schema=schema)
    return rows.with_columns(
        (pl.lit(START) + pl.duration(seconds=pl.col("at"))).alias("@timestamp"),
        pl.col("user").alias("account"),
        pl.lit("x.log").alias("log.file.path"),
        pl.int_range(1, pl.len() + 1).alias("log.file.line"),
    )


def found(folder: Path, text: str, events: list[dict[str, Any]]) -> list[Finding]:
    pack = pack_of(folder, *RULES, text)
    assert pack.errors == []
    return found_by(pack, events)


def found_by(pack: RulePack, events: list[dict[str, Any]], batch: int = 100) -> list[Finding]:
    gathered = Correlations(pack)
    for part in frame(events).iter_slices(batch):
        gathered.add(part, pack.match(part, ""))
    return list(gathered.find())


def event(at: int, act: str = "a", user: str | None = "u", **more: str) -> dict[str, Any]:
    return {"at": at, "act": act, "user": user, **more}


def test_what_the_finding_says(tmp_path: Path) -> None:
    events = [
        event(0, host="h1"),
        event(10, host="h2"),
        event(20, host="h3"),
        event(500),
        event(30, user="v"),
    ]
    (one,) = found(tmp_path, correlation("event_count", "{gte: 3}"), events)
    assert (one.account, one.count) == ("u", 3)
    assert (one.first_seen, one.last_seen) == (START, START + timedelta(seconds=20))
    assert one.why == "u did 3 of 3"
    assert [item.line for item in one.evidence] == [1, 2, 3]
    assert one.evidence[0].fields["act"] == "a"
    assert one.level.name == "HIGH"


def test_both_ends_of_a_window_belong_to_it(tmp_path: Path) -> None:
    text = correlation("event_count", "{gte: 2}")
    assert len(found(tmp_path, text, [event(0), event(SPAN)])) == 1
    assert found(tmp_path, text, [event(0), event(SPAN + 1)]) == []


def test_events_of_one_moment_are_in_order_either_way(tmp_path: Path) -> None:
    text = correlation("temporal_ordered", "", "ra, rb")
    assert len(found(tmp_path, text, [event(5, "b"), event(5, "a")])) == 1
    assert found(tmp_path, text, [event(4, "b"), event(5, "a")]) == []


def test_what_must_be_absent_is_looked_for_on_both_sides(tmp_path: Path) -> None:
    text = correlation("temporal", "ra and not rb", "ra, rb")
    assert len(found(tmp_path, text, [event(100)])) == 1
    assert found(tmp_path, text, [event(100), event(100 + SPAN, "b")]) == []
    assert found(tmp_path, text, [event(100), event(100 - SPAN, "b")]) == []
    assert len(found(tmp_path, text, [event(100), event(101 + SPAN, "b")])) == 1


def test_many_accounts_at_one_place_are_all_found(tmp_path: Path) -> None:
    text = correlation("value_count", "{field: account, gte: 3}").replace("[user]", "[host]")
    events = [event(n, user=user, host="h") for n, user in enumerate("uvw")] + [
        event(3, user="z", host="other")
    ]
    assert [f.account for f in found(tmp_path, text, events)] == ["u", "v", "w"]


def test_aliases_join_what_events_name_differently(tmp_path: Path) -> None:
    text = correlation("temporal", "", "ra, rb", aliases="{who: {ra: user, rb: host}}").replace(
        "[user]", "[who]"
    )
    assert len(found(tmp_path, text, [event(0, "a", user="u"), event(1, "b", user="x", host="u")])) == 2
    assert found(tmp_path, text, [event(0, "a", user="u"), event(1, "b", user="u", host="x")]) == []


def test_a_group_field_with_several_values_groups_by_each(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: 2}").replace("[user]", "[who]"))
    events = frame([event(0), event(1)]).with_columns(who=pl.Series([["x", "y"], ["y"]]))
    gathered = Correlations(pack)
    gathered.add(events, pack.match(events, ""))
    (one,) = gathered.find()
    assert one.count == 2


def test_correlations_of_correlations(tmp_path: Path) -> None:
    many = correlation("event_count", "{gte: 3}").replace("title: counted", "title: many\nname: many")
    twice = correlation("event_count", "{gte: 2}", "many", timespan="1h").replace(
        "title: counted", "title: twice"
    )
    pack = pack_of(tmp_path, *RULES, many, twice)
    assert pack.errors == []

    def titles(events: list[dict[str, Any]]) -> list[str]:
        return [finding.title for finding in found_by(pack, events)]

    burst = [event(n) for n in range(6)]  # one run of events at which it holds counts once
    assert titles(burst) == []
    assert titles(burst + [event(n + 600) for n in range(3)]) == ["twice"]


def named(name: str, text: str) -> str:
    return text.replace("title: counted", f"title: {name}\nname: {name}")


def test_an_event_that_two_rules_match_counts_once(tmp_path: Path) -> None:
    both = rule_text("  s: {act: [a, b]}\n  condition: s", name="both")
    pack = pack_of(tmp_path, *RULES, both, correlation("event_count", "{gte: 2}", "ra, both"))
    assert found_by(pack, [event(0)]) == []
    assert [finding.count for finding in found_by(pack, [event(0), event(1, "b")])] == [2]


def test_a_burst_does_not_pass_an_upper_bound_on_its_way(tmp_path: Path) -> None:
    some = correlation("event_count", "{gt: 1, lte: 3}")
    assert len(found(tmp_path, some, [event(0), event(1)])) == 1
    assert found(tmp_path, some, [event(n) for n in range(4)]) == []
    few = correlation("event_count", "{lt: 3}")
    assert found(tmp_path, few, [event(n) for n in range(5)]) == []
    silent_later = [event(n) for n in range(5)] + [event(500)]
    assert [one.first_seen for one in found(tmp_path, few, silent_later)] == [START + timedelta(seconds=500)]
    assert found(tmp_path, correlation("event_count", "{eq: 2}"), [event(n) for n in range(3)]) == []
    assert found(tmp_path, correlation("event_count", "{neq: 2}"), [event(0), event(1)]) == []


def test_thresholds_may_be_fractions(tmp_path: Path) -> None:
    text = correlation("event_count", "{gte: 2.5}")
    assert found(tmp_path, text, [event(0), event(1)]) == []
    assert len(found(tmp_path, text, [event(0), event(1), event(2)])) == 1


def test_what_a_large_number_swallows_comes_back(tmp_path: Path) -> None:
    text = correlation("value_sum", "{field: size, eq: 0.5}", timespan="1s")
    events = [event(0, size="1e30"), event(1, size="0.25"), event(2, size="0.25")]
    (finding,) = found(tmp_path, text, events)
    assert finding.last_seen == START + timedelta(seconds=2)


def test_events_without_a_time_or_a_group_are_in_no_window(tmp_path: Path) -> None:
    text = correlation("event_count", "{gte: 2}")
    assert found(tmp_path, text, [{"act": "a", "user": "u"}, {"act": "a", "user": "u"}]) == []
    assert found(tmp_path, text, [event(0, user=None), event(1, user=None)]) == []


def test_text_is_the_same_in_any_case(tmp_path: Path) -> None:
    text = correlation("event_count", "{gte: 2}")
    assert len(found(tmp_path, text, [event(0, user="Straße"), event(1, user="STRAßE")])) == 2  # accounts
    values = correlation("value_count", "{field: host, gte: 2}")
    assert found(tmp_path, values, [event(0, host="WS01"), event(1, host="ws01")]) == []


def test_a_number_is_the_same_as_its_text(tmp_path: Path) -> None:
    pack = pack_of(tmp_path, *RULES, correlation("event_count", "{gte: 2}").replace("[user]", "[port]"))
    gathered = Correlations(pack)
    for port in (pl.Series([22]), pl.Series(["22"])):
        one = frame([event(0)]).with_columns(port=port)
        gathered.add(one, pack.match(one, ""))
    (one_finding,) = gathered.find()
    assert [item.line for item in one_finding.evidence] == [1, 1]


def test_whoever_was_sprayed_is_in_the_outer_correlation(tmp_path: Path) -> None:
    """The inner one groups by host, the outer by user: each user that the inner one counted is passed on."""
    spray = named("spray", correlation("value_count", "{field: user, gte: 3}")).replace("[user]", "[host]")
    then = named("then", correlation("temporal_ordered", "", "spray, rb"))
    pack = pack_of(tmp_path, *RULES, spray, then)
    attempts = [event(n, user=user, host="h") for n, user in enumerate("uvw")]

    def accounts(*more: dict[str, Any]) -> list[str]:
        return [f.account for f in found_by(pack, [*attempts, *more])]

    assert accounts(event(5, "b", user="u")) == ["u"]
    assert accounts(event(5, "b", user="z")) == []
    assert accounts(event(1, "b", user="u")) == []  # before it was a spray


def test_the_share_of_a_value_as_the_specification_has_it(tmp_path: Path) -> None:
    """`value_percentile` without a percentile: a process that is at most one in a hundred on its machine."""
    text = correlation("value_percentile", "{field: host, lte: 1}")
    events = [event(n // 4, host="common") for n in range(99)]
    assert found(tmp_path, text, events) == []
    assert len(found(tmp_path, text, [*events, event(30, host="rare")])) == 1
    assert found(tmp_path, text, [*events[1:], event(30, host="rare")]) == []


def test_where_a_condition_holds(tmp_path: Path) -> None:
    text = named("three", correlation("event_count", "{gte: 3}"))
    pack = pack_of(tmp_path, *RULES, text)
    gathered = Correlations(pack)
    events = frame([event(9), event(0), event(5), event(200)])
    numbered = events.with_columns(pl.Series("molehunt.row", [7, 3, 5, 1]))
    gathered.add(numbered, pack.match(numbered, ""))
    holding = gathered.holding("three")
    assert holding.columns[0] == "molehunt.row"
    assert holding["molehunt.row"].to_list() == [7]
    assert holding["log.file.line"].to_list() == [1]
    assert Correlations(pack).holding("three").is_empty()
    with pytest.raises(KeyError):
        gathered.holding("another")
