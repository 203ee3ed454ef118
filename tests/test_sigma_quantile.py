"""Quantiles of sliding windows are those of the numbers in each window, however they are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.sigma.correlations import quantile, sliding

GROUPS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from([np.nan, -7.0, 0.0, 1.5, 3.0, 10.0, 1e30])),
        min_size=1,
        max_size=40,
    ).map(lambda events: sorted(events, key=lambda event: event[0])),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("few", [1 << 60, 0], ids=["plain", "compiled"])
@pytest.mark.parametrize("narrow", [0, 5, 1000])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS, span=st.sampled_from([0, 1, 9, 60]), part=st.sampled_from([0.0, 0.125, 0.5, 0.95, 1.0]))
def test_each_window_has_the_quantile_of_its_numbers(
    few: int,
    narrow: int,
    groups: list[list[tuple[int, float]]],
    span: int,
    part: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sliding, "FEW", few)
    monkeypatch.setattr(quantile, "NARROW", narrow)
    monkeypatch.setattr(quantile, "NARROW_PLAIN", narrow)
    events = [event for group in groups for event in group]
    at = np.array([when for when, _ in events], np.int64)
    value = np.array([number for _, number in events], np.float64)
    starts = np.cumsum([0, *map(len, groups)])
    oldest, behind = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
    sliding.loop(sliding.windows, len(at))(at, starts, span, oldest, behind)
    found = quantile.quantiles(oldest, behind, starts, value, part)
    for row in range(len(at)):
        held = value[oldest[row] : behind[row]]
        held = held[~np.isnan(held)]
        expected = np.quantile(held, part) if len(held) else np.nan
        np.testing.assert_allclose(found[row], expected, rtol=1e-12)
