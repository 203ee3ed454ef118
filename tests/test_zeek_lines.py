"""Zeek's lines: headers, values, what cannot be read, and input that means harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zeek_reading import CONN, ENDS, ROW, SAMPLES, header, in_memory, read

from sensors.sensor import Source
from sensors.values import text_values
from sensors.zeek import kinds, tsv

# --- headers ----------------------------------------------------------------------------------------------


def test_a_header_that_changes_in_mid_file_holds_from_there_on() -> None:
    dns = header("dns", ts="time", **ENDS, query="string", rejected="bool")
    narrow = header("conn", ts="time", uid="string", conn_state="string")
    more = "1791885602\tC2\t10.0.0.1\t1001\t10.0.0.3\t53\tx.example\tF\n"
    rows = read(
        in_memory(CONN + ROW + "#close\t2026\n" + dns + more + narrow + "1791885603\tC3\tS0\n" + CONN + ROW)
    )
    assert [row["event.dataset"] for row in rows] == [
        "zeek.connection",
        "zeek.dns",
        "zeek.connection",
        "zeek.connection",
    ]
    assert rows[1]["dns.question.name"] == "x.example"
    assert rows[2]["event.id"] == "C3"
    assert "source.ip" not in rows[2]
    assert [row["log.file.line"] for row in rows] == [8, 17, 25, 33]


def test_another_separator_and_other_marks_are_obeyed() -> None:
    text = (
        "#separator \\x7c\n#set_separator|;\n#empty_field|EMPTY\n#unset_field|NIL\n#path|http\n"
        "#fields|ts|id.orig_h|id.resp_h|user_agent|resp_mime_types|uri\n"
        "#types|time|addr|addr|string|vector[string]|string\n"
        "1791885600|10.0.0.1|10.0.0.2|-|a/b;c\\x3bd|EMPTY\n1791885601|10.0.0.1|10.0.0.2|NIL|EMPTY|/x\n"
    )
    one, other = read(in_memory(text))
    assert one["user_agent.original"] == "-"
    assert one["zeek.http.resp_mime_types"] == ["a/b", "c;d"]
    assert "url.original" not in one
    assert other["url.path"] == "/x"
    assert not {"user_agent.original", "zeek.http.resp_mime_types"} & other.keys()


def test_a_header_without_path_is_known_by_its_fields_or_the_name() -> None:
    text = CONN.replace("#path\tconn\n", "") + ROW
    assert read(in_memory(text))[0]["event.dataset"] == "zeek.connection"
    bare = "#separator \\x09\n#fields\tts\tuid\tx\n#types\ttime\tstring\tstring\n1791885600\tC1\ty\n"
    assert read(in_memory(bare, "ssh.2026.log"))[0]["event.dataset"] == "zeek.ssh"
    assert read(in_memory(bare, "x.log"))[0]["zeek.log.x"] == "y"


def test_a_log_nobody_knows_keeps_its_fields_under_its_own_name() -> None:
    text = header("../../etc/x", ts="time", uid="string", **{"what ever": "string", "n": "set[count]"})
    (row,) = read(in_memory(text + "1791885600\tC1\tyes\t1,2\n"))
    assert row["event.dataset"] == "zeek.etc_x"
    assert row["zeek.etc_x.what_ever"] == "yes"
    assert row["zeek.etc_x.n"] == "1,2"


# --- lines that cannot be read ----------------------------------------------------------------------------


def test_lines_that_do_not_fit_their_header_are_named_and_the_others_read() -> None:
    source = in_memory(
        "stray\n" + CONN + ROW + "1791885602\tC2\t10.0\nx\n" + ROW[:-1] + "\tsurplus\n" + ROW + ROW[:30]
    )
    rows = read(source)
    assert [row["log.file.line"] for row in rows] == [9, 13]
    assert sum(each.count for each in source.unread) == 5
    assert {each.reason.split(";")[0] for each in source.unread} == {
        "no #fields header stands before this line, so its columns have no names",
        "fewer fields than the 8 of the header",
        "more fields than the 8 of the header",
    }
    short = next(each for each in source.unread if each.reason.startswith("fewer"))
    assert (short.line, short.count, short.sample) == (10, 2, "1791885602\tC2\t10.0")


def test_a_separator_too_many_at_the_end_of_each_line_is_no_field() -> None:
    source = in_memory(CONN + ROW[:-1] + "\t\n" + ROW)
    assert len(read(source)) == 2
    assert source.unread == []


def test_a_record_without_a_time_is_named() -> None:
    source = in_memory(CONN + ROW.replace("1791885601.25", "-") + ROW.replace("1791885601.25", "soon") + ROW)
    assert len(read(source)) == 1
    assert [(each.line, each.count) for each in source.unread] == [(8, 2)]
    assert "no time" in source.unread[0].reason


def test_a_header_of_a_million_fields_is_named_and_costs_nothing() -> None:
    source = in_memory(
        "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join("a" * 5000) + "\n1\t2\n" + CONN + ROW
    )
    assert len(read(source)) == 1
    assert "5,000 fields" in source.unread[0].reason


# --- values -----------------------------------------------------------------------------------------------


def test_escapes_are_undone_once_and_in_their_order() -> None:
    assert tsv.unescaped(r"a\x09b") == "a\tb"
    assert tsv.unescaped(r"\\x41") == r"\x41"
    assert tsv.unescaped(r"\\\x41") == "\\A"
    assert tsv.unescaped(r"M\xc3\xa4rz") == "März"
    assert tsv.unescaped(r"\xff\x41") == r"\xffA"
    assert tsv.unescaped(r"C:\dir") == r"C:\dir"
    assert tsv.unescaped(r"\x2d") == "-"


def test_the_marks_of_unset_and_empty_are_no_values_unless_escaped() -> None:
    text = header("http", ts="time", **ENDS, user_agent="string", tags="set[enum]", referrer="string")
    head = "1791885600\tC1\t10.0.0.1\t1\t10.0.0.2\t80\t"
    one, two = read(in_memory(text + head + "\\x2d\ta,-,b\t-\n" + head + "(empty)\t(empty)\t\\x28empty)\n"))
    assert one["user_agent.original"] == "-"
    assert one["zeek.http.tags"] == ["a", "b"]
    assert "http.request.referrer" not in one
    assert two["http.request.referrer"] == "(empty)"
    assert not {"user_agent.original", "zeek.http.tags"} & two.keys()


def test_times_of_every_form_are_the_same_moment() -> None:
    forms = ["1791885601.25", "1791885601250", "1791885601250000", "2026-10-13T10:00:01.250000Z"]
    forms += ["2026-10-13T10:00:01.25+0000", "2026-10-13T12:00:01.250+02:00"]
    moments = text_values.moment(pl.Series(forms), ZoneInfo("UTC")).to_list()
    assert set(moments) == {datetime(2026, 10, 13, 10, 0, 1, 250_000, UTC)}
    assert (
        text_values.moment(
            pl.Series(["-1", "nan", "inf", "1e30", "soon", None]), ZoneInfo("UTC")
        ).null_count()
        == 6
    )


def test_a_time_without_a_zone_is_of_the_given_one_or_a_guess() -> None:
    row = ROW.replace("1791885601.25", "2026-10-13 06:00:01.25")
    (given_zone,) = read(in_memory(CONN + row, zone="America/New_York"))
    assert given_zone["@timestamp"] == datetime(2026, 10, 13, 10, 0, 1, 250_000, UTC)
    assert "molehunt.guess" not in given_zone
    (guessed,) = read(in_memory(CONN + row))
    assert guessed["molehunt.guess"] == ["zone"]
    assert "molehunt.guess" not in read(in_memory(CONN + ROW))[0]


def test_whole_numbers_that_do_not_fit_are_null() -> None:
    numbers = text_values.whole(pl.Series(["7", "7.0", "-", "18446744073709551615", "1e400", "nan", None]))
    assert numbers.to_list() == [7, 7, None, None, None, None, None]


def test_secrets_in_clear_text_are_left_behind(sources_of: Callable[[Path], Iterator[Source]]) -> None:
    for name in ("others.log", "http.log", "json/others.log", "json/http.log"):
        for source in sources_of(SAMPLES / name):
            assert b"s3cret" in source.head or b"<password-not-seen>" in source.head
            assert "s3cret" not in str(rows := read(source))
            assert "<password-not-seen>" not in str(rows)


# --- input that means harm --------------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from(
        ["-", "(empty)", "T", "F", "1", "1e999", "nan", "1791885600.5", "10.0.0.1", "::1", "a,b", "\\x09"]
    ),
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n\r\t"), max_size=8),
)
NAMES = st.sampled_from(
    [
        "ts",
        "uid",
        "id.orig_h",
        "id.resp_h",
        "id.orig_p",
        "proto",
        "duration",
        "answers",
        "query",
        "uri",
        "",
        "x y",
        "^x.*$",
        "*",
    ]
)
TYPES = st.sampled_from(
    ["time", "string", "addr", "port", "count", "bool", "set[string]", "vector[interval]", "odd["]
)
PATHS = st.sampled_from([*kinds.kinds(), "", "own", "../x", "\\x00", "\u202e"])


@st.composite
def hostile_tsv(draw: st.DrawFn) -> str:
    lines = ["#separator \\x09"]
    for _ in range(draw(st.integers(1, 4))):
        fields = draw(st.lists(st.tuples(NAMES, TYPES), max_size=6))
        lines.append("#path\t" + draw(PATHS))
        lines.append("\t".join(["#fields", *(name for name, _ in fields)]))
        if draw(st.booleans()):
            lines.append("\t".join(["#types", *(kind for _, kind in fields)]))
        for _ in range(draw(st.integers(0, 4))):
            cells = draw(st.lists(CELL, min_size=max(0, len(fields) - 1), max_size=len(fields) + 1))
            lines.append("\t".join(cells))
        lines.append(
            draw(st.sampled_from(["#close\t1", "#", "#separator \\x2c", "#set_separator\t", "", "#types"]))
        )
    return "\n".join(lines)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hostile_tsv())
def test_whatever_a_tsv_log_holds_every_line_is_an_event_or_named(text: str) -> None:
    source = in_memory("#path\tx\n#fields\tts\n" + text)
    rows = read(source)
    lines = [line.removesuffix("\r") for line in source.open().read().decode().split("\n")]
    assert len(rows) + sum(each.count for each in source.unread) == sum(
        1 for line in lines if line and not line.startswith("#")
    )


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), CELL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.dictionaries(st.one_of(NAMES, st.just("_path"), CELL), VALUE, max_size=8), max_size=6), PATHS
)
def test_whatever_a_json_log_holds_every_record_is_an_event_or_named(
    records: list[dict[str, Any]], path: str
) -> None:
    first = json.dumps({"_path": path or "conn", "ts": 1791885600})
    source = in_memory(
        "\n".join(
            [first, *(json.dumps(record, allow_nan=False) if _finite(record) else "{" for record in records)]
        )
    )
    rows = read(source)
    assert rows
    assert len(rows) + sum(each.count for each in source.unread) == 1 + len(records)


def _finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
