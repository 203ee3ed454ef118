from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from anomaly_cases import START
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.anomaly.baselines import History, usual
from analysis.anomaly.language import Baseline

DAY = timedelta(days=1)


def test_the_same_every_day_is_not_anomalous_at_a_small_change() -> None:
    got = usual(12, [10] * 20, 0, log=False)
    assert got.z == pytest.approx(2 / math.sqrt(10))
    assert (got.median, got.n, got.ratio) == (10, 20, 1.2)


def test_bytes_are_compared_by_factors() -> None:
    small = usual(2_000_000, [1_000_000] * 20, 0.5, log=True)
    large = usual(2_000_000_000, [1_000_000_000] * 20, 0.5, log=True)
    assert small.z == pytest.approx(large.z, abs=1e-4)
    assert small.z == pytest.approx(math.log(2) / 0.5, abs=1e-4)


def test_a_weekly_burst_is_usual_on_its_day_and_a_larger_one_is_not() -> None:
    weekly = [1e6, 1e6, 1e6, 1e6, 5e9] * 4
    assert usual(5e9, weekly, 0.5, log=True).z < 2
    assert usual(5e9, [1e6] * 20, 0.5, log=True).z > 10


def test_a_few_wild_days_do_not_hide_the_next_one() -> None:
    assert usual(5e9, [1e6] * 19 + [9e9], 0.5, log=True).z > 10


def test_over_nothing_the_ratio_is_infinite_and_the_percentile_counts_ties_half() -> None:
    got = usual(0, [0, 0, 0, 1], 0, log=False)
    assert (usual(3, [0, 0], 0, log=False).ratio, got.percentile) == (math.inf, 37.5)


POINTS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 40), st.integers(0, 1000)),
    min_size=1,
    max_size=60,
    unique_by=lambda point: point[:2],
)
TEAM = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": None}


@settings(max_examples=50, deadline=None)
@given(POINTS, st.integers(1, 5), st.integers(1, 3))
def test_groups_are_what_a_loop_gathers(
    points: list[tuple[str, int, int]], minimum: int, people: int
) -> None:
    baseline = Baseline(("self",), 10 * DAY, ("team",), minimum, people)
    frame = pl.DataFrame(
        {
            "account": [name for name, _, _ in points],
            "bucket": [START + day * DAY for _, day, _ in points],
            "amount": [float(amount) for _, _, amount in points],
            "team": pl.Series([TEAM[name] for name, _, _ in points], dtype=pl.String),
        }
    )
    history = History(frame, ["account"], baseline, 1.0, log=False)
    for row in history.coded.iter_rows(named=True):
        name, day = row["account"], (row["bucket"] - START).days
        for kind in ("self", "peer", "population"):
            group = slow_group(points, kind, name, day, baseline)
            got = history.compare(kind, row)
            assert (got is None) == (len(group) < minimum)
            if got is not None:
                assert got.n == len(group)
                assert got.median == float(np.median(group))
                assert got.z == pytest.approx(usual(row["amount"], group, 1.0, log=False).z)


def slow_group(points: list[Any], kind: str, name: str, day: int, baseline: Baseline) -> list[int]:
    if kind == "self":
        earlier = [amount for who, when, amount in points if who == name and day - 10 <= when < day]
        if len(earlier) >= baseline.minimum:
            return earlier
        return [
            amount
            for who, when, amount in points
            if who == name and day - 10 <= when < day + 10 and when != day
        ]
    others = [(who, amount) for who, when, amount in points if who != name and day - 10 <= when <= day]
    peers = [(who, amount) for who, amount in others if TEAM[who] == TEAM[name] and TEAM[name]]
    if kind == "peer" and len({who for who, _ in peers}) >= baseline.people:
        return [amount for _, amount in peers]
    return [amount for _, amount in others]
