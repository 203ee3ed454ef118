"""Correlations as SQL, each kind held to plain Python that looks at every window event by event."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from correlation_reference import Asked, holding
from correlation_stories import START, frame, yaml_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sigma.backends.molehunt import MolehuntBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.one_of(st.integers(0, 20), st.integers(0, 200), st.just(None)),
            "act": st.sampled_from(["a", "b", "c", "ab", "x"]),
            "user": st.sampled_from(["u", "U", "\u03c3", "\u03a3", None]),
            "host": st.sampled_from(["h1", "H1", "h2", "\u0130", "i\u0307", None]),
            "size": st.sampled_from(["1", "2.5", "40", "-7", "no number", "inf", None]),
            "who": st.sampled_from([["u"], ["u", "v"], ["V", "v"], [], None]),
            "account": st.sampled_from(["u", "w", None]),
        }
    ),
    min_size=1,
    max_size=12,
)
LEAST = st.tuples(st.sampled_from(["gt", "gte"]), st.sampled_from([0, 1, 2, 3])).map(lambda bound: (bound,))
ANY = st.tuples(
    st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"]), st.sampled_from([-7, 0, 1, 2, 40])
).map(lambda bound: (bound,))
GROUPS = st.sampled_from([(), ("user",), ("user", "host"), ("who",), ("who", "user")])
ONE = st.just(("ra",))
SOME = st.sampled_from([("ra",), ("ra", "rb"), ("rb", "ra", "rc")])
AND_OR = st.recursive(
    st.tuples(st.just("rule"), st.integers(0, 2)),
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=4,
)
EVERY = ("or", ("rule", 0), ("rule", 1), ("rule", 2))


def asked(kind: str, **keys: object) -> st.SearchStrategy[Asked]:
    return st.builds(Asked, kind=st.just(kind), **{"groups": GROUPS, "rules": SOME, "bounds": LEAST, **keys})


KINDS = {
    "event_count": asked("event_count"),
    "value_count": asked("value_count", fields=st.sampled_from([("host",), ("host", "size"), ("who",)])),
    "value_sum": asked("value_sum", fields=st.just(("size",))),
    "value_avg": asked("value_avg", fields=st.just(("size",)), bounds=ANY),
    "value_median": asked("value_median", fields=st.just(("size",)), bounds=ANY),
    "value_percentile": asked(
        "value_percentile", fields=st.just(("size",)), bounds=ANY, percentile=st.sampled_from([0, 25, 90])
    ),
    "temporal": asked("temporal", rules=st.sampled_from([("ra", "rb", "rc"), ("rb", "ra")])),
    "temporal_ordered": asked(
        "temporal_ordered",
        rules=st.just(("rc", "ra", "rb")),
        bounds=st.sampled_from([(("gte", 3),), (("gt", 2),)]),
    ),
    "temporal with a condition": asked(
        "temporal",
        rules=st.just(("ra", "rb", "rc")),
        bounds=st.just(()),
        condition=AND_OR.map(lambda part: ("and", part, EVERY)),
    ),
    "temporal_ordered with a condition": asked(
        "temporal_ordered",
        rules=st.just(("rb", "ra", "rc")),
        bounds=st.just(()),
        condition=st.just(("and", ("rule", 2), ("and", ("rule", 0), ("rule", 1)))),
    ),
    "a count, and then a rule": st.builds(
        lambda groups, inner, kind: Asked(
            kind, (replace(inner, groups=groups), "rb"), groups, (("gte", 2.0),), span=30
        ),
        GROUPS,
        st.sampled_from(
            [
                Asked("event_count", ("ra",), bounds=(("gte", 2.0),), span=20, name="inner"),
                Asked("value_count", ("ra", "rc"), (), (("gt", 1.0),), ("host",), span=40, name="inner"),
                Asked("temporal", ("ra", "rc"), bounds=(("gte", 2.0),), span=40, name="inner"),
            ]
        ),
        st.sampled_from(["temporal", "temporal_ordered"]),
    ),
    "aliases": asked(
        "temporal",
        rules=st.just(("ra", "rb")),
        groups=st.sampled_from([("whom",), ("whom", "host")]),
        aliases=st.just({"whom": {"ra": "user", "rb": "account"}}),
        bounds=st.just((("gte", 2),)),
    ),
}


def answers(query: str, events: pl.DataFrame, file: Path) -> list[set[tuple[Any, ...]]]:
    """The moments (seconds since the start) and groups that each engine finds."""
    found = pl.SQLContext(events=events, eager=True).execute(query)
    times = found.select(((pl.col("@timestamp") - START).dt.total_seconds()).alias("at"))["at"]
    mine = set(zip(times, *(found[name] for name in found.columns[:-1]), strict=True))
    events.write_parquet(file)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW events AS FROM '{file}'")
        body = query.rstrip(";")
        rows = connection.execute(
            f'SELECT epoch("@timestamp"), * EXCLUDE ("@timestamp") FROM ({body}) AS found'  # noqa: S608 - ours
        )
        theirs = {(round(row[0] - START.timestamp()), *row[1:]) for row in rows.fetchall()}
    return [mine, theirs]


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_where_every_window_says(kind: str, tmp_path: Path) -> None:
    tried = 0

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(KINDS[kind], EVENTS)
    def run(one: Asked, events: list[dict[str, Any]]) -> None:
        nonlocal tried
        rows = frame(events)
        try:
            (query,) = MolehuntBackend(columns=dict(rows.schema)).convert(
                SigmaCollection.from_yaml(yaml_of(one))
            )
        except SigmaError as refused:
            assume("several values" not in str(refused))
            raise
        tried += 1
        expected = {(item.at, *item.group) for item, holds, _ in holding(one, events) if holds}
        assert answers(query, rows, tmp_path / "events.parquet") == [expected, expected]

    run()
    assert tried > 10
