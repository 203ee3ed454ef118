"""Members of records as text, against Polars' own `json_path_match`."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.reading.json_members import objects

KEYS = st.sampled_from(["a", "b", "p", "long key", "\u00e9", 'q"'])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=6).filter(lambda text: text[:1] != "{"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=4)


def expected(records: list[str], path: str) -> list[str | None]:
    """Objects, and text of no length, as Polars gives them."""
    found = pl.Series(records).str.json_path_match(path).to_list()
    given = [json.loads(record) for record in records]
    for step in path.removeprefix("$['").removesuffix("']").split("']['"):
        given = [one.get(step) if isinstance(one, dict) else None for one in given]
    return [
        text if isinstance(one, dict) or one == "" else None for text, one in zip(found, given, strict=True)
    ]


@settings(max_examples=80, deadline=None)
@given(records=st.lists(RECORDS, min_size=1), tight=st.booleans(), plain=st.booleans())
def test_members_are_those_that_polars_finds(
    records: list[dict[str, object]], *, tight: bool, plain: bool
) -> None:
    texts = [json.dumps(one, separators=(",", ":") if tight else None, ensure_ascii=plain) for one in records]
    assert objects(pl.Series(texts), ["p"]).to_list() == expected(texts, "$['p']")
    assert objects(pl.Series(texts), ["p", "a"]).to_list() == expected(texts, "$['p']['a']")


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ('{"p":{"a":1}}', '{"a":1}'),
        ('{"p": {"a" : 1.50} }', '{"a":1.5}'),
        ('{"p":{"a":1e5}}', '{"a":100000.0}'),
        ('{"p":{"a":1},"p":{"b":2}}', '{"b":2}'),
        ('{"\\u0070":{"a":1}}', '{"a":1}'),
        ('{"p":""}', ""),
        ('{"p":"text"}', None),
        ('{"p":[{"a":1}]}', None),
        ('{"p":null}', None),
        ('{"p":{"a":1', None),
        ("no record", None),
        ("", None),
        (None, None),
    ],
)
def test_what_stands_there(record: str | None, found: str | None) -> None:
    assert objects(pl.Series([record], dtype=pl.String), ["p"]).to_list() == [found]
