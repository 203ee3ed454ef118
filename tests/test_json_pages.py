"""Rows that hold several records, against the plain questions in Polars."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.reading.json_cut import PAGE
from sensors.reading.json_pages import several

PIECES = st.sampled_from(
    ['{"value":', '{ "data" : {', '"hits" :', "[", "[ ", "{", "}", "]", "{}", "}{", '"a":1', ",", " ",
     "\u00a0", "\t", "\u00e9", "x" * 31, '"Records":', '"kind":"a",', '"result": [ {"a": 1} ]', '{"logs":[{']
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=12).map("".join) | st.none(), min_size=1))
@example(['{"value" : [ ]}', '{"value":[1]}', '{"a":"[","value":[{', ",", "[", "", None])
def test_rows_of_several_records_are_told(rows: list[str | None]) -> None:
    column = pl.Series(rows, dtype=pl.String)
    plain = (
        column.str.contains(PAGE)
        | column.str.contains("}{", literal=True)
        | column.str.starts_with("[")
        | column.str.ends_with(",")
    )
    assert several(column).to_list() == plain.fill_null(value=False).to_list()
