"""The loops of correlations say the same compiled as in plain Python, and few events need no compiler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from correlation_reference import Asked
from correlation_stories import yaml_of
from sigma_cases import pack_of

from analysis.sigma.correlations import sliding
from analysis.sigma.correlations.correlation import TEMPORAL, Correlation
from analysis.sigma.correlations.windows import Counted, Judged, judged

if TYPE_CHECKING:
    from analysis.sigma.correlations.sliding import Array

RULES = tuple(f"r{letter}" for letter in "abcdefghij")
ASKED = {
    "event_count": Asked("event_count", bounds=(("gte", 4.5), ("lte", 9))),
    "value_count": Asked("value_count", fields=("host",), bounds=(("gte", 3),)),
    "share": Asked("value_percentile", fields=("host",), bounds=(("lte", 20),)),
    "value_sum": Asked("value_sum", fields=("size",), bounds=(("gt", 40),)),
    "value_avg": Asked("value_avg", fields=("size",), bounds=(("lt", 5),)),
    "value_median": Asked("value_median", fields=("size",), bounds=(("neq", 10),)),
    "value_percentile": Asked("value_percentile", fields=("size",), percentile=12.5, bounds=(("eq", 3),)),
    "temporal": Asked("temporal", rules=RULES, bounds=(("eq", 4),)),
    "temporal_ordered": Asked("temporal_ordered", rules=RULES[:3], bounds=(("gte", 3),)),
    "temporal_ordered, some": Asked("temporal_ordered", rules=RULES, bounds=(("gte", 4),)),
    "temporal, condition": Asked(
        "temporal",
        rules=RULES,
        condition=("and", ("rule", 9), ("not", ("or", *(("rule", n) for n in range(9))))),
    ),
    "temporal_ordered, condition": Asked(
        "temporal_ordered",
        rules=RULES[:3],
        condition=("or", ("and", ("rule", 0), ("rule", 1)), ("not", ("rule", 2))),
    ),
}


def correlation(asked: Asked, folder: Path) -> Correlation:
    pack = pack_of(folder, yaml_of(asked))
    assert pack.errors == []
    return pack.correlations[0]


def many(one: Correlation, seed: int) -> Counted:
    """Three thousand events of forty groups, many at the same moment."""
    dice = np.random.default_rng(seed)
    events = 3000
    names = dice.integers(-(1 << 63), 1 << 63, (2, 40))
    group = dice.integers(0, 40, events)
    value = dice.choice([np.nan, 1.5, 3.0, -7.0, 1e30, 10.0], events)
    hosts = dice.integers(-(1 << 63), 1 << 63, (2, 9))
    host = dice.integers(0, 9, events)
    return Counted(
        high=names[0][group],
        low=names[1][group],
        at=dice.integers(0, 3000, events) * 1_000_000,
        rule=dice.integers(0, len(one.rules), events) if one.kind in TEMPORAL else None,
        value=value,
        of=of(dice, hosts[:, host]) if one.tells_values_apart else None,
    )


def of(dice: np.random.Generator, keys: Array) -> tuple[Array, Array]:
    """Both halves of these keys, one in ten events without a value."""
    there = dice.random(keys.shape[1]) > 0.1
    return keys[0] * there, keys[1] * there


@pytest.mark.parametrize("kind", ASKED)
def test_compiled_loops_say_what_plain_ones_say(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = correlation(replace(ASKED[kind], span=120), tmp_path)
    for seed in range(3):
        items = many(one, seed)
        said: list[Judged] = []
        for few in (1 << 60, 0):
            monkeypatch.setattr(sliding, "FEW", few)
            said.append(judged(items, one))
        plain, compiled = said
        assert 0 < np.count_nonzero(plain.holds) < len(plain.holds)
        for name in ("order", "holds", "measured", "inside"):
            np.testing.assert_array_equal(getattr(plain, name), getattr(compiled, name), name)
        for name in ("when", "run"):
            np.testing.assert_array_equal(
                getattr(plain, name)[plain.inside], getattr(compiled, name)[plain.inside], name
            )


def test_few_events_need_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = correlation(ASKED["value_count"], tmp_path)
    monkeypatch.setattr(sliding, "_compiled", None)  # whoever calls it fails
    assert judged(many(one, 0), one).holds.any()
