"""The fast evaluation is held to the slow one, over random rules and events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from analysis.sigma import tree
from analysis.sigma.explain import true_of
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.detection import Reading, read_detection
from analysis.sigma.reading.documents import RuleProblem

LETTERS = "aAbBzÉé\u0130\u0131\u017fsS\u03c3\u03c2\u03a3\xb519.-/\\*?:\n "
COLUMNS: dict[str, pl.DataType] = {
    "text": pl.String(),
    "other": pl.String(),
    "address": pl.String(),
    "number": pl.Int64(),
    "real": pl.Float64(),
    "truth": pl.Boolean(),
    "time": pl.Datetime("us", "UTC"),
    "written": pl.String(),
    "list": pl.List(pl.String()),
    "numbers": pl.List(pl.Int64()),
    "day": pl.Date(),
    "molehunt.null_fields": pl.List(pl.String()),
}
FIELDS = {
    **{name: (name,) for name in (*COLUMNS, "absent")},
    "first": ("absent", "text", "number"),
    "mixed": ("number", "list", "real"),
    "joined": (r"{text}\{other}", "other"),
    "around": ("<{number}|{real}>", "<{truth}>{time}", "text"),
}

words = st.text(LETTERS, max_size=5)
addresses = st.sampled_from(
    [
        "10.1.2.3",
        "10.200.0.1",
        "192.168.1.70",
        "010.1.2.3",
        "10.1.2.300",
        "fe80::1",
        "::ffff:10.1.2.3",
        "::",
        "x:y",
    ]
)
times = st.integers(0, 50_000).map(
    lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours, minutes=7)
)
written_times = st.builds(
    lambda moment, form: moment.strftime(form),
    times,
    st.sampled_from(
        [
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%dT%H:%M:%S.123456+02:00",
            "%Y-%m-%dT%H:%M:%S-0530",
            "%H:%M",
            "%Y-%m-%d",
        ]
    ),
)
numerals = st.sampled_from(
    ["1", "9", "+9", "-1", "9.5", "9.0", "1e3", "1e", "007", "99999999999999999999", "0x9"]
)
integers = st.sampled_from([0, 1, -1, 9, 10, 46, 2**62])
reals = st.integers(-20, 40).map(lambda half: half / 2)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


events = st.fixed_dictionaries(
    {
        "text": maybe(words | numerals),
        "other": maybe(words),
        "address": maybe(addresses),
        "number": maybe(integers),
        "real": maybe(reals),
        "truth": maybe(st.booleans()),
        "time": maybe(times),
        "written": maybe(written_times | words),
        "list": maybe(st.lists(maybe(words), max_size=3)),
        "numbers": maybe(st.lists(maybe(integers), max_size=3)),
        "day": maybe(times.map(datetime.date)),
        "molehunt.null_fields": maybe(st.lists(st.sampled_from(["text", "absent", "number"]), max_size=2)),
    }
)

fields = st.sampled_from(list(FIELDS))
text_modifiers = st.sampled_from(
    ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|contains|all",
     "|endswith|neq", "|windash|contains", "|base64offset|contains", "|contains|windash|all",
     "|wide|base64offset|contains", "|cased|windash", "|neq|all", "|utf16le|base64offset|contains|neq",
     "|utf16|base64", "|utf16be|base64offset|contains|all", "|cased|startswith|all", "|expand",
     "|windash|expand|contains"]
)  # fmt: skip
texts = (
    words
    | numerals
    | addresses
    | st.sampled_from(
        ["true", "False", "2025-01*", "*", "?", "a*b?", "", "\\*", "a\\\\*", "%some%", "<%some%*"]
    )
)
PLACEHOLDERS = {"some": ["a*", "B", "-1"]}
regexes = st.sampled_from(
    [
        *("^a", "b$", "a.b", "[A-Z]{2}", "1|9", r"\d", "(?:ab)+", "é", "", "(?i)AB|S", "[^a]", r"\s+\S"),
        *("a(?=b)", "(?<!a)b", "^(?!.*9)", r"(.)\1", "(?<=1)(?i:A)", "(?>a+)b", r"(?=\d)[19]$"),
    ]
)
networks = st.sampled_from(
    [
        "10.0.0.0/9",
        "192.168.1.64/27",
        "fe80::/10",
        "::/0",
        "0.0.0.0/0",
        "10.1.2.3",
        "::ffff:0:0/96",
        "::1/128",
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, object]:  # noqa: PLR0911 - one kind of line each
    """One line of a selection."""
    field = draw(fields)
    kind = draw(
        st.sampled_from(["text", "text", "scalar", "re", "cidr", "compare", "exists", "part", "fieldref"])
    )
    some = st.lists
    if kind == "text":
        return field + draw(text_modifiers), draw(texts | some(texts, min_size=1, max_size=4))
    if kind == "scalar":
        scalars = integers | reals | st.booleans() | st.none() | texts
        return field + draw(st.sampled_from(["", "|neq", "|all"])), draw(
            scalars | some(scalars, min_size=1, max_size=3)
        )
    if kind == "re":
        flags = draw(st.sampled_from(["", "|i", "|s", "|m|i", "|neq", "|all", "|startswith", "|endswith|i"]))
        return f"{field}|re{flags}", draw(regexes | some(regexes, min_size=1, max_size=3))
    if kind == "cidr":
        name = draw(st.sampled_from(["address", field]))
        link = draw(st.sampled_from(["", "|neq", "|all"]))
        return f"{name}|cidr{link}", draw(some(networks, min_size=1, max_size=2))
    if kind == "compare":
        return f"{field}|{draw(st.sampled_from(['lt', 'lte', 'gt', 'gte']))}", draw(integers | reals)
    if kind == "exists":
        return f"{field}|exists", draw(st.booleans())
    if kind == "part":
        part = draw(st.sampled_from(["minute", "hour", "day", "week", "month", "year"]))
        how = draw(st.sampled_from(["", "|gt", "|lte", "|neq"]))
        name = draw(st.sampled_from(["time", "written", "day", field]))
        return f"{name}|{part}{how}", draw(st.sampled_from([2024, 2025] if part == "year" else [1, 7, 12]))
    how = draw(
        st.sampled_from(["", "|startswith", "|endswith", "|contains", "|neq", "|all", "|startswith|neq"])
    )
    cased = draw(st.sampled_from(["", "|cased"]))
    return f"{field}{cased}|fieldref{how}", draw(fields | some(fields, min_size=1, max_size=3))


selections = (
    st.lists(lines(), min_size=1, max_size=3).map(dict)
    | st.lists(st.lists(lines(), min_size=1, max_size=2).map(dict), min_size=1, max_size=3)
    | st.lists(words.filter(bool) | integers, min_size=1, max_size=2)
    | st.builds(
        lambda chain, keywords: {chain: keywords},
        st.sampled_from(
            ["|all", "|contains", "|startswith", "|endswith", "|cased", "|neq", "|windash", "|base64"]
        ),
        st.lists(words.filter(bool), min_size=1, max_size=2),
    )
    | st.builds(lambda chain, keyword: {chain: keyword}, st.sampled_from(["|re", "|re|i"]), regexes)
    | st.lists(
        words.filter(bool) | st.lists(lines(), min_size=1, max_size=2).map(dict), min_size=1, max_size=3
    )
    | st.lists(st.lists(words.filter(bool), min_size=1, max_size=2), min_size=1, max_size=2)
)
conditions = st.sampled_from(
    [
        "a",
        "not a",
        "a and b",
        "a or not b",
        "a and not (b or c)",
        "1 of them",
        "all of them",
        "not 1 of b*",
        ["a", "b and c"],
    ]
)


@st.composite
def detections(draw: st.DrawFn) -> dict[str, object]:
    parts: dict[str, object] = {name: draw(selections) for name in "abc"}
    return {**parts, "condition": draw(conditions)}


def read(detection: dict[str, object]) -> tree.Node:
    reading = Reading(lambda name: tree.Field(name, FIELDS.get(name, (name,))), PLACEHOLDERS)
    return read_detection(detection, reading)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, schema=COLUMNS)


@settings(max_examples=150, deadline=None)
@given(st.lists(detections(), min_size=1, max_size=3), st.lists(events, min_size=1, max_size=8))
def test_matching_columns_is_matching_row_by_row(
    rules: list[dict[str, object]], rows: list[dict[str, Any]]
) -> None:
    nodes = []
    for rule in rules:
        try:
            nodes.append(read(rule))
        except RuleProblem as problem:
            event(f"refused: {str(problem)[:30]}")
    assume(nodes)
    found = Plan((tree.ALWAYS, node) for node in nodes).match(frame_of(rows), "test")
    plainly = [
        (number, row)
        for number, node in enumerate(nodes)
        for row, values in enumerate(rows)
        if true_of(node, values)
    ]
    assert found.rows() == plainly
    event(f"matches: {min(len(plainly), 3)}")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(detections(), min_size=1, max_size=4),
    st.lists(events, min_size=2, max_size=8),
    st.integers(1, 5),
)
def test_batches_change_nothing(
    rules: list[dict[str, object]], rows: list[dict[str, Any]], size: int
) -> None:
    nodes = []
    for rule in rules:
        try:
            nodes.append(read(rule))
        except RuleProblem:
            continue
    plan = Plan((tree.ALWAYS, node) for node in nodes)
    frame = frame_of(rows)
    whole = set(plan.match(frame, "test").rows())
    parts = {
        (rule, row + start)
        for start in range(0, len(rows), size)
        for rule, row in plan.match(frame[start : start + size], "test").rows()
    }
    assert parts == whole


def matched(asked: dict[str, object], **columns: list[Any]) -> list[int]:
    reading = Reading(lambda name: tree.Field(name, (name,)))
    node = read_detection({"s": asked, "condition": "s"}, reading)
    return Plan([(tree.ALWAYS, node)]).match(pl.DataFrame(columns), "test")["row"].to_list()


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        (r"\\server\*", {r"\server*"}),  # a doubled backslash is one, and `\*` is a star
        (r"\\server\\*", {r"\server\x"}),
        (r"\server\\*", {r"\server\x"}),  # a single backslash before a letter is itself
        (r"\\\\server\\*", {r"\\server\x"}),
        (r"a\*b", {"a*b"}),
        (r"a\\*b", {r"a\xb"}),
        ("a?b", {"axb", "a*b", "a?b"}),
        (r"a\?b", {"a?b"}),
        ("a*b", {"axb", "a*b", "a?b", r"a\xb"}),
    ],
)
def test_backslashes_and_wildcards(pattern: str, hits: set[str]) -> None:
    values = [r"\server\x", r"\\server\x", r"\server*", "a*b", "axb", "a?b", r"a\xb"]
    assert {values[row] for row in matched({"f": pattern}, f=values)} == hits


def test_null_absent_and_empty_are_told_apart_as_far_as_a_table_can() -> None:
    values = ["x", "", None]
    assert matched({"f": None}, f=values) == [2]
    assert matched({"f": ""}, f=values) == [1]
    assert matched({"f|exists": True}, f=values) == [0, 1]
    assert matched({"g": None}, f=values) == [0, 1, 2]
    assert matched({"g|exists": False}, f=values) == [0, 1, 2]
    assert matched({"g": "x"}, f=values) == []
    assert matched({"f|neq": "x"}, f=values) == [1, 2]


def test_a_list_matches_if_any_of_its_values_does() -> None:
    lists = [["a", "b"], ["c"], [], None]
    assert matched({"f": "B"}, f=lists) == [0]
    assert matched({"f|all": ["a", "b"]}, f=lists) == [0]
    assert matched({"f|exists": False}, f=lists) == [2, 3]


def test_numbers_beyond_the_exact_range_of_floating_point_stay_apart() -> None:
    big = 2**53
    assert matched({"f": big + 1}, f=[big, big + 1]) == [1]
    assert matched({"f|gt": big}, f=[str(big), str(big + 1)]) == [1]


def test_many_literals_are_found_in_one_pass_as_they_are_one_by_one() -> None:
    literals = [f"word{number}" for number in range(50)] + ["wor", "ord4", "4"]
    values = [f"x {literal.upper()} y" for literal in literals]
    reading = Reading(lambda name: tree.Field(name, (name,)))
    nodes = [read_detection({"s": {"f|contains": one}, "condition": "s"}, reading) for one in literals]
    found = Plan((tree.ALWAYS, node) for node in nodes).match(pl.DataFrame({"f": values}), "")
    plainly = [
        (number, row)
        for number, one in enumerate(literals)
        for row, value in enumerate(values)
        if one in value.lower()
    ]
    assert found.rows() == plainly


def test_no_rules_and_no_events_match_nothing() -> None:
    assert Plan([]).match(pl.DataFrame({"f": ["x"]}), "").is_empty()
    found = Plan([(tree.ALWAYS, tree.ALWAYS)]).match(pl.DataFrame({"f": []}, schema={"f": pl.String}), "")
    assert found.schema == {"rule": pl.UInt32, "row": pl.UInt32}
    assert found.is_empty()
