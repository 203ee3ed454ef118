"""What columns alone decide: never held against an event, and told by the field that is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_cases import pack_of
from test_sigma_match import COLUMNS, detections, events, frame_of, read

from analysis.sigma import RulePack, bundled_rules, tree
from analysis.sigma.feasible import Input, blocked, decisive, possible
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.documents import RuleProblem
from analysis.sigma.taxonomy import Taxonomy

WINDOWS = {
    "windows.sysmon_operational": ["event.dataset", "event.code", "process.executable"],
    "system.security": ["event.dataset", "event.code", "user.name"],
    "zeek.dns": ["event.dataset", "dns.question.name"],
}


@settings(max_examples=200, deadline=None)
@given(detections(), st.lists(events, min_size=1, max_size=6), st.sets(st.sampled_from(sorted(COLUMNS))))
def test_what_is_called_impossible_never_matches_and_what_is_called_certain_always(
    detection: dict[str, object], rows: list[dict[str, Any]], dropped: set[str]
) -> None:
    try:
        node = read(detection)
    except RuleProblem:
        return
    frame = frame_of(rows).drop("molehunt.null_fields", *(dropped - {"molehunt.null_fields"}))
    frame = frame.with_columns(pl.lit("test").alias("event.dataset"))
    answer = possible(node, frame.columns, "test")
    matched = Plan([(tree.ALWAYS, node)]).match(frame, "test").height
    if answer is not None:
        assert matched == (frame.height if answer else 0)
        fields = {field.name for field in tree.fields(node)}
        assert decisive(node, frame.columns, "test") <= fields


def rule(detection: str, logsource: str = "product: windows") -> str:
    return f"title: r\nname: r\nlogsource: {{{logsource}}}\ndetection:\n{detection}\n"


def told(text: str, folder: Path) -> tuple[list[str], list[str]]:
    pack = pack_of(folder, text, taxonomy=Taxonomy())
    assert pack.errors == []
    return [one.reason for one in pack.plan(WINDOWS)], [one.reason for one in pack.partly(WINDOWS)]


@pytest.mark.parametrize(
    ("detection", "missing"),
    [
        # A field that an optional filter reads is not what keeps the rule from running.
        ("  s: {Image: x, Nowhere: y}\n  f: {Elsewhere: z}\n  condition: s and not f", "Nowhere"),
        ("  s: {Nowhere: y}\n  t: {Elsewhere: z}\n  condition: s or t", "Elsewhere, Nowhere"),
        ("  s: {Nowhere: y}\n  t: {Elsewhere: z, Nowhere: y}\n  condition: s and t", "Elsewhere, Nowhere"),
        ("  s: {Image|fieldref: Nowhere}\n  condition: s", "Nowhere"),
        ("  s: {Image: x}\n  f: {Nowhere: null}\n  condition: s and not f", "Nowhere"),
        ("  s: {Image: x}\n  t: {Nowhere|exists: true}\n  condition: all of them", "Nowhere"),
    ],
)
def test_the_reason_names_the_field_that_decides(detection: str, missing: str, tmp_path: Path) -> None:
    assert told(rule(detection), tmp_path) == ([f"no event of product windows carries {missing}"], [])


@pytest.mark.parametrize(
    ("detection", "selection", "missing"),
    [
        ("  s: {Image: x}\n  t: {Nowhere: y}\n  condition: s or t", "t", "Nowhere"),
        (
            "  s_a: {Image: x}\n  s_b: {Nowhere: y, Elsewhere: z}\n  condition: 1 of s_*",
            "s_b",
            "Elsewhere, Nowhere",
        ),
        (
            "  s: {Image: x}\n  t: [{Nowhere: y}, {Elsewhere: z}]\n  condition: s or t",
            "t",
            "Elsewhere, Nowhere",
        ),
    ],
)
def test_a_selection_that_can_never_match_is_a_note(
    detection: str, selection: str, missing: str, tmp_path: Path
) -> None:
    reason = (
        f"runs, but selection {selection!r} can never match: no event of product windows carries {missing}"
    )
    assert told(rule(detection), tmp_path) == ([], [reason])


@pytest.mark.parametrize(
    "detection",
    [
        "  s: {Image: x}\n  f: {Nowhere: y}\n  condition: s and not f",
        "  s: {Image: x}\n  f: {Nowhere: y}\n  condition: s and not 1 of f*",
        "  s: {Image: x}\n  t: [{Nowhere: y}, {Image: z}]\n  condition: s or t",
        "  s: {Image: x}\n  t: {User: y}\n  condition: s or t",
        "  s: [keyword]\n  t: {Image: y}\n  condition: s or t",
    ],
)
def test_what_can_match_is_left_in_peace(detection: str, tmp_path: Path) -> None:
    assert told(rule(detection), tmp_path) == ([], [])


def test_what_rules_of_one_logsource_share_is_what_each_is_told_alone() -> None:
    pack = RulePack.load([bundled_rules()])
    every = {column for rule in pack.rules for column in rule.fields}
    columns = {
        "zeek.dns": ["dns.question.name", "source.ip"],
        "okta.system": sorted(every),
        "system.security": ["event.code", "event.action", "winlog.event_data.SubjectUserName"],
    }
    together = pack.blocked(columns)
    assert together == [blocked(rule, Input(columns)) for rule in pack.rules]
    assert {None} < set(together)
    given = Input(columns)
    for rule in pack.rules:
        if rule.source is not None:
            asked = [name for name in columns if possible(rule.source, columns[name], name) is not False]
            assert given.feeding(rule) == asked
