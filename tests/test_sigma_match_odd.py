"""Columns, names, numbers and texts that no sensor of ours makes often, held to the row-by-row evaluation."""

from __future__ import annotations

import threading
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_cases import pack_of, rule_text

from analysis.sigma import tree
from analysis.sigma.explain import matches, true_of
from analysis.sigma.fold import fold
from analysis.sigma.matching.match import NULL_FIELDS, Plan
from analysis.sigma.matching.wild import contains
from analysis.sigma.tree import Wild

BIG = 2**63


def field(name: str, *columns: str) -> tree.Field:
    return tree.Field(name, columns or (name,))


def item(*values: tree.Value, name: str | None = "f", every: bool = False) -> tree.Item:
    return tree.Item("s", None if name is None else field(name), values, every)


def text(*parts: str | Wild) -> tree.Text:
    return tree.Text(parts)


def holds(part: str) -> tree.Text:
    return text(Wild.ANY, part, Wild.ANY)


def agreed(frame: pl.DataFrame, *nodes: tree.Node) -> list[tuple[int, int]]:
    """The matches, which both evaluations must find."""
    found = Plan((tree.ALWAYS, node) for node in nodes).match(frame, "test").rows()
    events = frame.with_columns(pl.lit("test").alias("event.dataset")).to_dicts()
    plainly = [
        (number, row)
        for number, node in enumerate(nodes)
        for row, event in enumerate(events)
        if true_of(node, event)
    ]
    assert found == plainly
    return plainly


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (pl.Int8, [-100, 99, 0, 5]),
        (pl.UInt8, [0, 255, 7]),
        (pl.Int16, [-30_000, 30_000, 0]),
        (pl.Int32, [-(2**31), 2**31 - 1]),
        (pl.Int64, [-BIG, BIG - 1, 0]),
        (pl.UInt64, [BIG, BIG + 1, BIG - 1, 0, 2**64 - 1]),
        (pl.Int128, [BIG, 2**100, 2**100 + 1, -(2**100), 1]),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_whole_numbers_of_any_width_are_exact(
    kind: type[pl.DataType], numbers: list[int], *, listed: bool
) -> None:
    asked = [*numbers, BIG, 10**400, -(10**400)]
    nodes: list[tree.Node] = [item(tree.Number(number)) for number in asked]
    nodes += [item(tree.Compare(how, number)) for number in asked for how in ("lt", "lte", "gt", "gte")]
    column = pl.Series(
        "f", [[number] for number in numbers] if listed else numbers, dtype=pl.List(kind) if listed else kind
    )
    found = agreed(column.to_frame(), *nodes)
    assert [pair for pair in found if pair[0] < len(numbers)] == [(row, row) for row in range(len(numbers))]


def test_a_fraction_of_nothing_is_the_whole_number() -> None:
    frame = pl.DataFrame({"f": [2**53, 2**53 + 1]})
    whole, fraction = item(tree.Number(2**53)), item(tree.Number(float(2**53)))
    assert agreed(frame, whole, fraction) == agreed(frame, fraction, whole) == [(0, 0), (1, 0)]


def test_numbers_beyond_floating_point_are_compared_with_texts_and_fractions() -> None:
    frame = pl.DataFrame({"f": ["1", "9" * 400, "x"], "g": [1.5, float("inf"), float("nan")]})
    asked: list[tree.Value] = [
        tree.Compare("lt", 10**400),
        tree.Compare("gt", -(10**400)),
        tree.Number(10**400),
    ]
    agreed(frame, *(item(value, name=name) for value in asked for name in "fg"))


@pytest.mark.parametrize(
    "name", ["{", "}", "{a}", "{}", "a{b", "{0!r}", "{a:x}", "*", "^f$", "c0", "0", "row"]
)
def test_names_of_columns_mean_nothing_but_themselves(name: str) -> None:
    values = pl.Series(name, ["x", "y", "axb"], dtype=pl.Categorical)
    frame = pl.DataFrame([values, pl.Series("f", ["y", "x", "z"])])
    named = tree.Item("s", field(name), (text("x"),))
    either = tree.Item("s", field("both", "absent", name, "f"), (holds("x"),))
    found = agreed(frame, item(holds("x"), name=None), item(text("x"), name=None), named, either)
    assert found[0] == (0, 0)
    assert [row for number, row in found if number == 2] == [0]


ODD = {
    "struct": pl.Series([{"a": "q"}, None]),
    "list of structs": pl.Series([[{"a": "q"}], []]),
    "list of lists": pl.Series([[["x"], ["y"]], []]),
    "bytes": pl.Series([b"x", b"\xff"]),
    "decimal": pl.Series(["1.50", None]).cast(pl.Decimal(10, 2)),
    "time": pl.Series([time(1, 2, 3), None]),
    "duration": pl.Series([timedelta(seconds=3), None]),
    "object": pl.Series([{1}, {2}], dtype=pl.Object),
    "array": pl.Series([["x", "y"], ["a", None]], dtype=pl.Array(pl.String, 2)),
    "empty lists": pl.Series([[], [None]], dtype=pl.List(pl.Null)),
    "list of categories": pl.Series([["x", "a"], ["b"]], dtype=pl.List(pl.Categorical)),
    "enum": pl.Series(["x", None], dtype=pl.Enum(["x", "y"])),
    "truths": pl.Series([[True], [None, False]]),
    "times": pl.Series([[datetime(2024, 1, 1)], []]),  # noqa: DTZ001 - without a zone
    "days": pl.Series([date(2024, 1, 1), None]),
    "nanoseconds": pl.Series([1, 2**60 + 1]).cast(pl.Datetime("ns", "Asia/Tokyo")),
    "milliseconds": pl.Series([1, 2**40]).cast(pl.Datetime("ms")),
    "fractions": pl.Series([float("nan"), float("inf"), -0.0, 1e15, 1e16]),
    "nothing": pl.Series([None, None]),
    "no rows": pl.Series([], dtype=pl.String),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_columns_of_odd_types_stop_nothing(kind: str) -> None:
    frame = pl.DataFrame([ODD[kind].alias("f"), pl.Series("g", ["x"] * len(ODD[kind]))])
    values: list[tree.Value] = [
        tree.Exists(exists=True),
        text("x"),
        holds("2024"),
        tree.Number(1),
        tree.Compare("gt", 1),
        tree.Null(),
        tree.TimePart("year", 1, "gt"),
        tree.Reference(field("g")),
        tree.Regex("x"),
        tree.Truth(truth=True),
    ]
    several = [
        tree.Item("s", field("m", *columns), (text("x"), holds("true"), holds("x")))
        for columns in (("absent", "f", "g"), ("g", "f"), (r"{f}\{g}", "g"), (r"{g}\{f}",))
    ]
    agreed(frame, item(holds("x"), name=None), *(item(value) for value in values), *several)


def test_patterns_longer_than_the_engine_of_expressions_takes_are_matched() -> None:
    long = 60_000
    values = ["a" * long, "É" * long + "x" + "é" * long, "ab" * 9, "b" + "a" * long, ""]
    ones = (Wild.ONE,) * long
    asked = [
        text(*ones), text(*ones, Wild.ANY), text(Wild.ANY, *ones), text("É" * long, Wild.ONE, "É" * long),
        text("B", *ones, Wild.ANY), text(Wild.ANY, *ones, "X", Wild.ANY, "é", Wild.ONE),
        tree.Text((*ones, Wild.ANY, "É"), cased=True),
    ]  # fmt: skip
    found = Plan((tree.ALWAYS, item(one)) for one in asked).match(pl.DataFrame({"f": values}), "test").rows()
    assert found == [(0, 0), (1, 0), (1, 1), (1, 3), (2, 0), (2, 1), (2, 3), (3, 1), (4, 3), (5, 1)]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "B", "ab", Wild.ANY, Wild.ONE, Wild.ANY]), max_size=7),
    st.booleans(),
    st.text("abAB", max_size=6),
)
def test_long_patterns_are_read_as_short_ones(parts: list[str | Wild], cased: bool, value: str) -> None:  # noqa: FBT001 - drawn
    pattern = tree.Text(tuple(parts), cased=cased)
    values = pl.Series([value if cased else fold(value)])
    assert contains(values, "(?x", pattern)[0] == matches(pattern, value)


DAYS = [
    "2024-01-01",
    " 2024-01-01",
    "2024-01-01 ",
    "2024-01-01\n",
    "2024-01-01T23:59:60Z",
    "2024-01-01T24:00",
    "0000-01-01T00:00Z",
    "2024-02-30",
    "9999-12-31T23:59-99:99",
    "2024-01-01T00:00:00.123456789012Z",
    "\u0662\u0660\u0662\u0664-01-01",
    "2024-01-01 10:00 +0100",
]


def test_times_written_as_text_are_read_alike() -> None:
    found = agreed(
        pl.DataFrame({"f": DAYS}), item(tree.TimePart("year", 2024)), item(tree.TimePart("hour", 9))
    )
    assert found == [(0, 0), (0, 9), (0, 11), (1, 11)]


def test_a_null_that_is_there_is_seen_by_filters_too(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's
    rule = rule_text("  s:\n    g: x\n  condition: s", title="one", id="11111111-1111-4111-8111-111111111111")
    sieve = (
        "title: sieve\nlogsource: {product: test}\nfilter:\n  rules: any\n"
        "  s:\n    f|exists: false\n  condition: s\n"
    )
    pack = pack_of(tmp_path, rule, sieve)
    frame = pl.DataFrame({"g": ["x", "x"], NULL_FIELDS: [["f"], ["h"]]})
    assert pack.match(frame, "test")["row"].to_list() == [1]


def test_an_events_own_field_named_as_ours_stops_nothing() -> None:
    frame = pl.DataFrame({"g": ["x", "y"], NULL_FIELDS: ["f", "g"]})
    assert agreed(frame, item(tree.Exists(exists=True)), item(tree.Exists(exists=True), name="g")) == [
        (1, 0),
        (1, 1),
    ]


PIECES = ["a", "B", "ab", "\n", "\0", "é", "É", "ß", "x\ny", "\u03c3", "\U0001f600", "\\", "aaaa"]
joined = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
literals = joined.filter(bool)
patterns = st.one_of(
    literals.map(holds),
    st.builds(lambda part: text(part, Wild.ANY), literals),
    st.builds(lambda part: text(Wild.ANY, part), literals),
    joined.map(lambda part: text(*([part] if part else []))),
    st.builds(lambda a, b: text(a, Wild.ANY, b), literals, literals),
    st.builds(lambda a, cased: tree.Text((Wild.ANY, a, Wild.ANY), cased), literals, st.booleans()),
    st.lists(st.sampled_from([Wild.ANY, Wild.ONE]), max_size=3).map(lambda parts: text(*parts)),
    st.sampled_from(
        [tree.Regex("a.b"), tree.Regex("^B", "i"), tree.Number(1), tree.Truth(truth=True), tree.Regex("")]
    ),
)
FIELDS = [field("f"), field("l"), field("n"), field("fn", "n", "f"), field("lf", "l", "f"),
          field("t", r"{f}\{n}"), field("c"), None]  # fmt: skip
items = st.builds(
    lambda one, values, every, negated: tree.Item("s", one, tuple(values), every, negated),
    st.sampled_from(FIELDS),
    st.lists(
        patterns | st.lists(patterns, min_size=1, max_size=3).map(lambda some: tree.AnyOf(tuple(some))),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
    st.booleans(),
)
nodes = st.recursive(
    items,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: tree.And(tuple(some))),
        st.lists(inner, max_size=3).map(lambda some: tree.Or(tuple(some))),
        inner.map(tree.Not),
    ),
    max_leaves=5,
)
events = st.fixed_dictionaries(
    {
        "f": st.none() | joined,
        "l": st.none() | st.lists(st.none() | joined, max_size=3),
        "n": st.none() | st.sampled_from([0, 1, -1, BIG - 1]),
        "c": st.none() | st.sampled_from(["a", "B", "É"]),
    }
)
SCHEMA = {"f": pl.String(), "l": pl.List(pl.String()), "n": pl.Int64(), "c": pl.Categorical()}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(nodes, min_size=1, max_size=30), st.lists(st.lists(events, max_size=6), min_size=1, max_size=3)
)
def test_packs_of_rules_over_several_batches(
    rules: list[tree.Node], batches: list[list[dict[str, Any]]]
) -> None:
    plan = Plan((tree.ALWAYS if number % 3 else rules[0], node) for number, node in enumerate(rules))
    for rows in batches:
        found = plan.match(pl.DataFrame(rows, schema=SCHEMA), "test").rows()
        plainly = [
            (number, row)
            for number, node in enumerate(rules)
            for row, values in enumerate(rows)
            if true_of(node, values) and (number % 3 or true_of(rules[0], values))
        ]
        assert found == plainly


OVERLAPPING = st.lists(
    st.tuples(*[st.none() | st.sampled_from(["a", "b", "1"])] * 2, st.none() | st.sampled_from([1, 2])),
    min_size=1,
    max_size=6,
)
COLUMNS = st.permutations(["a", "b", "copy", "n", "always"]).flatmap(
    lambda names: st.integers(1, 5).map(lambda count: names[:count])
)


@settings(max_examples=80, deadline=None)
@given(OVERLAPPING, st.lists(COLUMNS, min_size=1, max_size=3), patterns)
def test_columns_that_say_nothing_new_change_nothing(
    rows: list[tuple[str | None, str | None, int | None]], fields: list[list[str]], asked: tree.Value
) -> None:
    a, b, n = (list(column) for column in zip(*rows, strict=True))
    columns = {"a": a, "b": b, "copy": a, "n": n, "always": ["a"] * len(rows)}
    schema = dict.fromkeys(("a", "b", "copy", "always"), pl.String()) | {"n": pl.Int64()}
    values: list[tuple[tree.Value, ...]] = [(asked,), (tree.Null(),), (tree.Number(1),)]
    nodes = [tree.Item("s", field("x", *names), some) for names in fields for some in values]
    agreed(pl.DataFrame(columns, schema=schema), *nodes)


@pytest.mark.parametrize(
    "literal", ["-5", "2.5", "inf", "e+", "2026-07", "t10:", "z", "xyz", "long", "i̇", "i"]
)
@pytest.mark.parametrize("others", [(), ("longer than a view holds",), ("xyz", "2.5")])
def test_keywords_of_any_length_in_columns_of_any_type(literal: str, others: tuple[str, ...]) -> None:
    frame = pl.DataFrame(
        {
            "whole": [-5, 25, None],
            "fraction": [2.5, float("inf"), 1e300],
            "when": [datetime(2026, 7, 1, 10, 11, 12), None, datetime(2025, 1, 1)],  # noqa: DTZ001
            "text": ["xyz", "İ", "a text that is long, longer than a view holds"],
            "texts": [["x", "xyz"], [], ["Z", None]],
        }
    )
    agreed(frame, item(*map(holds, (literal, *others)), name=None))


def test_threads_may_share_a_plan() -> None:
    nodes = [item(holds(f"w{number}")) for number in range(300)]
    frame = pl.DataFrame({"f": [f"xw{number}" for number in range(500)]})
    expected = Plan((tree.ALWAYS, node) for node in nodes).match(frame, "test")
    plan = Plan((tree.ALWAYS, node) for node in nodes)
    found: list[pl.DataFrame] = []
    threads = [threading.Thread(target=lambda: found.append(plan.match(frame, "test"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.equals(expected) for one in found] == [True] * 4
