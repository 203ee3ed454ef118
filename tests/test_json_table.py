"""JSON records and tables, held against a slow reading of the same JSON row by row."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.reading import framing, json_table
from sensors.sensor import HEAD_BYTES, Source

SAMPLE = {
    "actor": {"id": "00u1", "alternateId": "ann@corp.example", "detail": None},
    "client": {"ipAddress": "203.0.113.9", "geo": {"lat": 48.2, "lon": -16.37}, "zones": ["a", "b"]},
    "target": [{"id": "t1", "type": "User", "x": {"y": 1}}, {"id": "t2", "note": 'a "quoted" },{ brace'}],
    "text": "mine",
    "log": {"offset": 7},
    "ok": True,
}


def in_memory(content: bytes) -> Source:
    return Source(
        path="x.json",
        name="x.json",
        sha256="0" * 64,
        head=content[:HEAD_BYTES],
        zone=ZoneInfo("UTC"),
        modified=datetime(2026, 11, 1, tzinfo=UTC),
        opener=lambda: io.BytesIO(content),
    )


def all_records(source: Source) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"text": pl.String, "log.offset": pl.Int64, "log.file.line": pl.Int64})
    return pl.concat([empty, *json_table.records(source)])


def framed(*rows: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"text": rows, "log.offset": range(len(rows)), "log.file.line": range(1, len(rows) + 1)},
        schema={"text": pl.String, "log.offset": pl.Int64, "log.file.line": pl.Int64},
    )


def tabled(*rows: str) -> pl.DataFrame:
    source = in_memory(b"")
    table = json_table.table(framed(*rows), source)
    assert source.unread == []
    return table


# --- the table against a slow reference -------------------------------------------------------------------

WORDS = st.text(st.characters(), max_size=6)  # any code point, halves of surrogate pairs among them
KEYS = st.one_of(st.sampled_from(["a", "b", "a.b", "A", "", "text", "log.offset"]), WORDS)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=6)


def shown(text: str) -> str:
    """Text as a column has it: halves of surrogate pairs and NUL stand as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, item in value.items():
        path = f"{prefix}{shown(key)}"
        if isinstance(item, dict):
            row.update(flatten(item, f"{path}."))
        elif item is not None:
            row[path] = item
    return row


def agrees(column: str, value: object) -> bool:
    if isinstance(value, str):
        return column == shown(value)
    return json.loads(column) == value and (not isinstance(value, bool) or column in {"true", "false"})


@settings(deadline=None, max_examples=150)
@given(
    st.lists(RECORDS, min_size=1, max_size=5),
    st.sampled_from(["escaped", "as it is"]),
    st.sampled_from([None, 1]),
)
@example([{"a": {"b": 1}, "a.b": 2}], "escaped", None)
@example([{"a": 1}, {"a": {"b": 1}}, {"a": [1, {"z": None}]}, {"a": "x"}], "as it is", None)
def test_table_is_what_a_slow_reading_finds(
    rows: list[dict[str, Any]], spelling: str, indent: int | None
) -> None:
    texts = []
    for row in rows:
        text = json.dumps(row, ensure_ascii=spelling == "escaped", indent=indent)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(row, indent=indent)
        texts.append(text)
    table = tabled(*texts)
    assert table["text"].to_list() == texts
    names = {path for row in rows for path in flatten(row)}
    renamed = {f"record.{name}" if name in json_table.FRAME else name for name in names}
    assert set(table.columns[3:]) == renamed
    for row, got in zip(rows, table.iter_rows(named=True), strict=True):
        wanted = flatten(row)
        for name in names:
            column = got[f"record.{name}" if name in json_table.FRAME else name]
            if name in wanted:
                assert agrees(column, wanted[name]), (name, column, wanted[name])
            else:
                assert column is None


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_every_row_is_a_row_or_unread_and_what_orjson_reads_is_a_row(data: st.DataObject) -> None:
    good = json.dumps(SAMPLE)
    rows = []
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good)))
        drop = data.draw(st.integers(0, 5))
        rows.append(good[:at] + data.draw(st.text('{}[]",:\\0-.eEntu \n\0é', max_size=4)) + good[at + drop :])
    source = in_memory(b"")
    table = json_table.table(framed(*rows), source)
    assert table.height + sum(unread.count for unread in source.unread) == len(rows)
    kept = set(table["log.file.line"])
    for line, row in enumerate(rows, 1):
        try:
            readable = isinstance(orjson.loads(row), dict)
        except orjson.JSONDecodeError:
            continue
        assert (line in kept) == readable, row


def test_leaves_have_dotted_names_and_stay_text() -> None:
    table = tabled(json.dumps(SAMPLE))
    assert table.row(0, named=True) == {
        "text": json.dumps(SAMPLE),
        "log.offset": 0,
        "log.file.line": 1,
        "actor.id": "00u1",
        "actor.alternateId": "ann@corp.example",
        "client.ipAddress": "203.0.113.9",
        "client.geo.lat": "48.2",
        "client.geo.lon": "-16.37",
        "client.zones": '["a", "b"]',
        "target": json.dumps(SAMPLE["target"]),
        "record.text": "mine",
        "record.log.offset": "7",
        "ok": "true",
    }


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ('{"a":1,"a":2}', {"a": "2"}),
        ('{"a":1,"a":null}', {"a": "1"}),
        ('{"a":{"b":1},"a":{"c":2}}', {"a.b": "1", "a.c": "2"}),
        (r'{"\u0061":"\u00e9\n\/\ud83d\ude00"}', {"a": "é\n/😀"}),
        (r'{"a":"\ud83d","b":"\ude00\ud83d\u0041"}', {"a": "\ufffd", "b": "\ufffd\ufffdA"}),
        ('\0\0{"a":1}\0', {"a": "1"}),
        ('{"a":"tab\there"}', {"a": "tab\there"}),
        ('{"a":1e999,"b":12345678901234567890123}', {"a": "1e999", "b": "12345678901234567890123"}),
        ('{"text":1,"record":{"text":2}}', {"record.text": "2"}),
        ('{"a":{},"b":[]}', {"b": "[]"}),
        (' {"a" : 1 } \r', {"a": "1"}),
    ],
)  # fmt: skip
def test_odd_but_readable(row: str, wanted: dict[str, str]) -> None:
    assert tabled(row).drop(json_table.FRAME).row(0, named=True) == wanted


@pytest.mark.parametrize(
    "row",
    [
        '{"a":1', '{"a":1}}', '{"a":1} x', '{"a" 1}', "{a:1}", '{"a":01}', '{"a":NaN}', '{"a":1,}', "{,}",
        "{", '{"a":tru}', '{"a":"\\x"}', '{"a":"\\u12"}', '{"a":[1,2}', '{"a":[1,]}', '{"a":1.}', '{"a":-}',
        '{"a":.5}', '"a"', "[1]", "17", "\0\0\0", "Nov  3 10:00:00 host app: hello", '{"a":"\0"}', "",
        '{"a":1 "b":2}', '{"a":' + "[" * 99_999 + "]" * 99_999 + "}", '{"a":' * 99_999 + "1" + "}" * 99_999,
    ],
)  # fmt: skip
def test_what_is_no_object_is_named(row: str) -> None:
    source = in_memory(b"")
    table = json_table.table(framed('{"a":"x"}', row, '{"a":"y"}'), source)
    assert table["a"].to_list() == ["x", "y"]
    (unread,) = source.unread
    assert (unread.line, unread.offset, unread.sample) == (2, 1, row[:200])


def test_deep_objects_stay_json_text_below_the_depth_that_is_taken_apart() -> None:
    deep = '{"a":' * 40 + "1" + "}" * 40
    table = tabled(deep)
    (name,) = table.columns[3:]
    assert name == ".".join(["a"] * 32)
    assert table[name].item() == '{"a":' * 8 + "1" + "}" * 8


def test_more_fields_than_fit_are_counted_not_kept() -> None:
    source = in_memory(b"")
    rows = [json.dumps({"common": n} | {f"k{n}_{i}": 1 for i in range(100)}) for n in range(200)]
    table = json_table.table(framed(*rows), source)
    assert "common" in table.columns
    assert len(table.columns) <= 4096 + 3
    (unread,) = source.unread
    assert unread.count == 20_000 + 1 - (len(table.columns) - 3)


def test_many_broken_rows_are_named_together() -> None:
    source = in_memory(b"")
    json_table.table(framed(*["nonsense"] * 1000), source)
    assert len(source.unread) < 200
    assert sum(unread.count for unread in source.unread) == 1000


# --- accessors --------------------------------------------------------------------------------------------


def test_accessors_know_absent_columns_and_case() -> None:
    table = tabled(
        '{"a":"","b":"7","ClientIP":"192.0.2.1"}', '{"a":"x","b":"7.9","clientIp":"192.0.2.2"}', '{"b":"z"}'
    )
    got = table.select(
        json_table.text(table, "a", "b").alias("a_or_b"),
        json_table.text(table, "nothing").alias("nothing"),
        json_table.text(table, "clientip").alias("any_case"),
        json_table.text(table, "ClientIP").alias("this_case"),
        json_table.number(table, "b").alias("number"),
        json_table.integer(table, "b").alias("integer"),
    )
    assert got.to_dict(as_series=False) == {
        "a_or_b": ["7", "x", "z"],
        "nothing": [None, None, None],
        "any_case": ["192.0.2.1", "192.0.2.2", None],
        "this_case": ["192.0.2.1", "192.0.2.2", None],
        "number": [7.0, 7.9, None],
        "integer": [7, 7, None],
    }
    assert got.schema["nothing"] == pl.String


def test_texts_are_lists_whatever_was_there() -> None:
    table = tabled(
        '{"a":["x",1,null,true,{"k":[1]},"q\\u00e9"]}', '{"a":"one"}', '{"a":[]}', '{"b":1}', '{"a":[1,2]}'
    )
    got = table.select(json_table.texts(table, "a")).to_series()
    assert got.to_list() == [["x", "1", "true", '{"k":[1]}', "qé"], ["one"], [], None, ["1", "2"]]
    absent = table.with_columns(json_table.texts(table, "none"))["none"]
    assert absent.to_list() == [None] * 5
    assert absent.dtype == pl.List(pl.String)
    filtered = table.filter(pl.col("b").is_null())
    assert filtered.select(json_table.texts(filtered, "a")).to_series().len() == 4


def test_objects_give_the_asked_keys() -> None:
    rows = ['{"t":[{"id":"a","n":{"m":1}},{"id":2},"odd",null]}', '{"t":{"id":"single"}}', '{"t":[]}', "{}"]
    table = tabled(*rows, '{"t":"[{\\"id\\":\\"text\\"}]"}')
    got = table.select(json_table.objects(table, "t", "id", "n.m")).to_series().to_list()
    assert got[0] == [{"id": "a", "n.m": "1"}, {"id": "2", "n.m": None}, {"id": None, "n.m": None}]
    assert got[2:] == [[], None, [{"id": "text", "n.m": None}]]


def test_json_gives_inner_objects_as_written() -> None:
    table = tabled('{"a":{"b":{"c":1,"d":[1]}}}', '{"a":{"b":2}}')
    assert table.select(json_table.json(table, "a.b.d")).to_series().to_list() == ["[1]", None]
    assert json.loads(table.select(json_table.json(table, "a")).to_series()[0]) == {"b": {"c": 1, "d": [1]}}
    assert [json.loads(text) for text in table.select(json_table.json(table, "a.b")).to_series()] == [
        {"c": 1, "d": [1]},
        2,
    ]
    assert table.with_columns(json_table.json(table, "z"))["z"].to_list() == [None, None]


# --- records ----------------------------------------------------------------------------------------------


def wrapped(rows: list[dict[str, Any]], how: str) -> bytes:
    lines = [json.dumps(row) for row in rows]
    pretty = [json.dumps(row, indent=2) for row in rows]
    return {
        "lines": "\n".join(lines) + "\n",
        "lines without the last end": "\n\n".join(lines),
        "windows lines": "\r\n".join(lines) + "\r\n",
        "array": json.dumps(rows),
        "array, one a line": "[\n" + ",\n".join(lines) + "\n]\n",
        "pretty array": json.dumps(rows, indent=4),
        "pretty objects": "\n".join(pretty),
        "objects run together": "".join(lines),
        "graph page": json.dumps({"@odata.context": "https://graph", "value": rows, "@odata.nextLink": "x"}),
        "pretty page": json.dumps({"Records": rows, "more": {"deep": [1, 2]}}, indent=2),
        "pages, one a line": "\n".join(json.dumps({"value": [row]}) for row in rows),
        "pages run together": "".join(json.dumps({"value": [row], "x": 1}, indent=1) for row in rows),
        "arrays, one a line": "\n".join(json.dumps([row, row][:1]) for row in rows),
        "splunk": "\n".join(json.dumps({"preview": False, "offset": 1, "result": row}) for row in rows),
        "elastic": "\n".join(json.dumps({"_index": "x", "sort": [1], "_source": r, "f": {}}) for r in rows),
        "elastic search": json.dumps(
            {"took": 3, "hits": {"total": {"value": 2}, "hits": [{"_id": "1", "_source": r} for r in rows]}}
        ),
        "text sequence": "".join(f"\x1e{line}\n" for line in lines),
        "byte order mark": "\ufeff" + "\n".join(lines),
    }[how].encode()  # fmt: skip


WRAPPINGS = [
    "lines", "lines without the last end", "windows lines", "array", "array, one a line", "pretty array",
    "pretty objects", "objects run together", "graph page", "pretty page", "pages, one a line",
    "pages run together", "arrays, one a line", "splunk", "elastic", "elastic search", "text sequence",
    "byte order mark",
]  # fmt: skip


@pytest.mark.parametrize("how", WRAPPINGS)
@pytest.mark.parametrize("chunk", [17, 1 << 20])
def test_records_come_out_of_any_wrapping(how: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "CHUNK_BYTES", chunk)
    rows = [SAMPLE | {"n": n} for n in range(5)]
    content = wrapped(rows, how)
    source = in_memory(content)
    frame = all_records(source)
    assert source.unread == []
    assert [json.loads(text) for text in frame["text"]] == rows
    for text, offset, line in frame.iter_rows():
        if how not in {"splunk", "splunk raw", "beats", "elastic", "elastic search"}:
            assert content[offset:].startswith(text.encode())
        assert content.count(b"\n", 0, offset) + 1 == line
    assert [row["n"] for row in json_table.peek(source.head)] == [0, 1, 2, 3, 4]


def test_a_wrapping_longer_than_the_head_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "CHUNK_BYTES", 5000)
    for how in WRAPPINGS:
        rows = [SAMPLE | {"n": n} for n in range(400)]
        source = in_memory(wrapped(rows, how))
        assert [json.loads(text)["n"] for text in all_records(source)["text"]] == list(range(400)), how
        assert source.unread == [], how


def test_records_that_merely_look_like_pages_stay_whole() -> None:
    activity = {
        "kind": "admin#reports",
        "id": {"time": "x"},
        "actor": {"email": "a"},
        "events": [{"name": "n"}],
    }
    listed = {"Operation": "x", "value": [{"a": 1}]}
    source = in_memory(wrapped([activity, listed], "lines"))
    assert [json.loads(text) for text in all_records(source)["text"]] == [activity, listed]


def test_a_message_that_no_shipper_carries_stays() -> None:
    row = {"message": json.dumps(SAMPLE), "user": "ann"}
    source = in_memory(wrapped([row], "lines"))
    assert [json.loads(text) for text in all_records(source)["text"]] == [row]


def test_empty_sources_have_no_records() -> None:
    for content in (b"", b"\n\n", b"[]", b"{}", b'{"value":[]}', b" \0"):
        source = in_memory(content)
        rows = sum(json_table.table(frame, source).height for frame in json_table.records(source))
        assert rows == (content == b"{}")


@pytest.mark.parametrize("how", ["array, one a line", "pretty array", "pretty objects", "pretty page"])
def test_a_broken_record_costs_itself_alone(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "CHUNK_BYTES", 100)
    rows = [SAMPLE | {"n": n} for n in range(5)]
    content = wrapped(rows, how).replace(b'"n": 2', b'"n": 2 oops')
    source = in_memory(content)
    frame = all_records(source)
    assert [json.loads(text)["n"] for text in frame["text"]] == [0, 1, 3, 4]
    (unread,) = source.unread
    assert unread.offset is not None
    assert content[unread.offset :].startswith(unread.sample.encode())
    assert unread.sample.startswith("{")
    assert unread.line == content.count(b"\n", 0, unread.offset) + 1


def test_a_broken_record_in_an_array_on_one_line_costs_itself_alone() -> None:
    content = wrapped([SAMPLE | {"n": n} for n in range(5)], "array").replace(b'"n": 2', b'"n": 2 oops')
    source = in_memory(content)
    assert [json.loads(text)["n"] for text in all_records(source)["text"]] == [0, 1, 3, 4]
    assert len(source.unread) == 1


@pytest.mark.parametrize("how", WRAPPINGS)
def test_half_a_record_at_the_end_is_named(how: str) -> None:
    rows = [SAMPLE | {"n": n} for n in range(3)]
    content = wrapped(rows, how)
    content = content[: content.rindex(b"ok")]
    source = in_memory(content)
    found = [json_table.table(frame, source) for frame in json_table.records(source)]
    assert sum(table.height for table in found) == 2
    assert len(source.unread) == 1


def test_a_log_that_begins_amid_a_record_is_read_from_the_next_line() -> None:
    source = in_memory(b'.9","ok":true}\n{"a":1}\n{"a":2}\n')
    tables = [json_table.table(frame, source) for frame in json_table.records(source)]
    assert pl.concat(tables)["a"].to_list() == ["1", "2"]
    assert [unread.line for unread in source.unread] == [1]


def test_pretty_json_that_begins_amid_a_record_is_read_from_the_next_one() -> None:
    content = wrapped([SAMPLE | {"n": n} for n in range(4)], "pretty array")
    source = in_memory(content[200:])
    assert [json.loads(text)["n"] for text in all_records(source)["text"]] == [1, 2, 3]
    assert len(source.unread) == 1


def test_text_between_records_is_named() -> None:
    source = in_memory(b'[{"a":1},\nwhat is this\nand this\n{"a":2}]')
    assert all_records(source)["text"].to_list() == ['{"a":1}', '{"a":2}']
    (unread,) = source.unread
    assert (unread.line, unread.sample[:4]) == (2, "what")


def test_bytes_that_are_not_utf8_stay_visible() -> None:
    source = in_memory(b'[{"a":"caf\xe9"},{"a":2}]')
    assert json.loads(all_records(source)["text"][0]) == {"a": "caf\ufffd"}


def test_a_record_without_end_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.reading.json_cut.LINE_BYTES", 10_000)
    monkeypatch.setattr(framing, "CHUNK_BYTES", 1000)
    source = in_memory(b'[{"a":1},\n{"a":"' + b"x" * 100_000 + b'"},\n{"a":2}]')
    assert all_records(source)["text"].to_list() == ['{"a":1}', '{"a":2}']
    (unread,) = source.unread
    assert unread.line == 2


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_mutations_never_raise_and_never_vanish(data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(WRAPPINGS))
    content = bytearray(wrapped([SAMPLE | {"n": n} for n in range(3)], how))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        what = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"}", b"[", b"]", b"\n", b"\\", b"\0"])
        )
        content[at : at + data.draw(st.integers(0, 8))] = what
    source = in_memory(bytes(content))
    height = 0
    for frame in json_table.records(source):
        table = json_table.table(frame, source)
        height += table.height
        table.select(
            json_table.objects(table, "target", "id", "x.y"), json_table.texts(table, "client.zones")
        )
        for text, offset, line in table.select(json_table.FRAME).iter_rows():
            as_written = text.encode() in bytes(content).replace(b"\0", b" ")
            assert as_written or "\ufffd" in text or "\0" in text or how in {"beats", "splunk raw"}
            assert 0 <= offset < len(content)
            assert line >= 1
    assert height or source.unread or not bytes(content).strip(b" \r\n\t[]{},\0\x1e\xef\xbb\xbf")
    json_table.peek(source.head)
