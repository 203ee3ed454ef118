"""Correlations, held to a plain count over every window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


events_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 200),
            "act": st.sampled_from("abcx"),
            "user": st.sampled_from(["u", "v", None]),
            "host": st.sampled_from(["h1", "h2", "h3", None]),
            "size": st.sampled_from(["1", "2.5", "40", "no number", None]),
        }
    ),
    max_size=14,
)


def windows(events: list[dict[str, Any]], user: str, acts: str) -> list[list[dict[str, Any]]]:
    """What each window that ends at an event holds."""
    mine = [event for event in events if event["user"] == user and event["act"] in acts]
    return [[e for e in mine if last["at"] - SPAN <= e["at"] <= last["at"]] for last in mine]


def numbers(window: list[dict[str, Any]]) -> list[float]:
    return [float(e["size"]) for e in window if e["size"] not in (None, "no number")]


def hosts(window: list[dict[str, Any]]) -> set[str]:
    return {e["host"] for e in window if e["host"] is not None}


def in_order(window: list[dict[str, Any]], acts: str) -> bool:
    best = min((e["at"] for e in window if e["act"] == acts[0]), default=None)
    for act in acts[1:]:
        if best is None:
            return False
        best = min((e["at"] for e in window if e["act"] == act and e["at"] >= best), default=None)
    return best is not None


HOLDS = {
    ("event_count", "{gte: 3}", "ra, rb"): ("ab", lambda w: len(w) >= 3),
    ("event_count", "{gt: 1, lte: 3}", "ra"): ("a", lambda w: 1 < len(w) <= 3),
    ("event_count", "{eq: 2}", "ra"): ("a", lambda w: len(w) == 2),
    ("value_count", "{field: host, gte: 2}", "ra"): ("a", lambda w: len(hosts(w)) >= 2),
    ("value_sum", "{field: size, gt: 42.4}", "ra"): ("a", lambda w: sum(numbers(w)) > 42.4),
    ("value_avg", "{field: size, gte: 2.5}", "ra"): (
        "a", lambda w: bool(n := numbers(w)) and sum(n) / len(n) >= 2.5,
    ),
    ("temporal", "", "ra, rb, rc"): ("abc", lambda w: {e["act"] for e in w} == set("abc")),
    ("temporal", "{gte: 2}", "ra, rb, rc"): ("abc", lambda w: len({e["act"] for e in w}) >= 2),
    ("temporal_ordered", "", "ra, rb, rc"): ("abc", lambda w: in_order(w, "abc")),
}  # fmt: skip


@pytest.mark.parametrize("asked", HOLDS, ids=str)
def test_a_finding_for_whoever_has_a_window_that_holds(
    asked: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    acts, holds = HOLDS[asked]
    pack = pack_of(tmp_path_factory.mktemp("rules"), *RULES, correlation(*asked))

    @settings(max_examples=40, deadline=None)
    @given(events_strategy, st.integers(1, 9))
    def run(events: list[dict[str, Any]], batch: int) -> None:
        expected = [
            user for user in ("u", "v") if any(holds(window) for window in windows(events, user, acts))
        ]
        assert [f.account for f in found_by(pack, events, batch)] == expected

    run()


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
