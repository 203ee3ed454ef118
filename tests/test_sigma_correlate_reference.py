"""Correlations, each kind held to plain Python that looks at every window event by event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from correlation_reference import OPERATORS, Asked, findings, holding
from correlation_stories import correlated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RULES = ("ra", "rb", "rc")
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.one_of(st.integers(0, 20), st.integers(0, 200), st.just(None)),
            "act": st.sampled_from(["a", "b", "c", "ab", "x"]),
            "user": st.sampled_from(["u", "U", "v", None]),
            "host": st.sampled_from(["h1", "H1", "h2", "h3", None]),
            "size": st.sampled_from(["1", "2.5", "40", "-7", "no number", "inf", None]),
            "who": st.sampled_from([["u"], ["u", "v"], ["V", "v"], [], None]),
            "account": st.sampled_from(["u", "w", None]),
        }
    ),
    max_size=12,
)
BOUNDS = st.lists(
    st.tuples(st.sampled_from(list(OPERATORS)), st.sampled_from([0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 40.0])),
    min_size=1,
    max_size=2,
    unique_by=lambda bound: bound[0],
)
GROUPS = st.sampled_from([(), ("user",), ("user", "host"), ("who",), ("who", "user")])
SOME_RULES = st.sampled_from([("ra",), ("ra", "rb"), ("rb", "ra", "rc")])


def conditions(rules: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Conditions over so many rules; each is named at the end at least."""
    parts = st.recursive(
        st.tuples(st.just("rule"), st.integers(0, rules - 1)),
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner),
            st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        ),
        max_leaves=4,
    )
    every: tuple[Any, ...] = ("or", *(("rule", index) for index in range(rules)))
    return st.one_of(
        parts.map(lambda part: ("and", part, every)),
        parts.map(lambda part: ("and", part, ("or", ("not", every), every))),
    )


def asked(**keys: object) -> st.SearchStrategy[Asked]:
    return st.builds(Asked, **{"groups": GROUPS, "rules": SOME_RULES, "bounds": BOUNDS.map(tuple), **keys})


KINDS = {
    "event_count": asked(kind=st.just("event_count")),
    "value_count": asked(
        kind=st.just("value_count"), fields=st.sampled_from([("host",), ("host", "size"), ("who",)])
    ),
    "value_sum": asked(kind=st.just("value_sum"), fields=st.just(("size",))),
    "value_avg": asked(kind=st.just("value_avg"), fields=st.just(("size",))),
    "value_median": asked(kind=st.just("value_median"), fields=st.just(("size",))),
    "value_percentile": asked(
        kind=st.just("value_percentile"), fields=st.just(("size",)), percentile=st.sampled_from([0, 12.5, 90])
    ),
    "value_percentile without a percentile": asked(
        kind=st.just("value_percentile"),
        fields=st.just(("host",)),
        bounds=st.sampled_from([(("lte", 50.0),), (("gt", 50.0),), (("eq", 100.0),)]),
    ),
    "temporal": asked(kind=st.just("temporal"), rules=st.sampled_from([RULES, ("rb", "ra")])),
    "temporal_ordered": asked(kind=st.just("temporal_ordered"), rules=st.sampled_from([RULES, ("rb", "ra")])),
    "temporal with a condition": asked(
        kind=st.just("temporal"), rules=st.just(RULES), condition=conditions(3), bounds=st.just(())
    ),
    "temporal_ordered with a condition": asked(
        kind=st.just("temporal_ordered"), rules=st.just(RULES), condition=conditions(3), bounds=st.just(())
    ),
    "aliases": asked(
        kind=st.sampled_from(["temporal", "event_count"]),
        rules=st.just(("ra", "rb")),
        groups=st.sampled_from([("whom",), ("whom", "host")]),
        aliases=st.just({"whom": {"ra": "user", "rb": "account"}}),
        bounds=st.sampled_from([(("gte", 2.0),)]),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_where_every_window_says(kind: str, tmp_path: Path) -> None:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(KINDS[kind], EVENTS, st.integers(1, 12))
    def run(one: Asked, events: list[dict[str, Any]], batch: int) -> None:
        expected = sorted({item.event for item, holds, _ in holding(one, events) if holds})
        found, told = correlated(one, events, batch, tmp_path)
        assert found == expected
        assert told == findings(one, events)

    run()
