from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors.reading import framing
from sensors.sensor import Source

Make = Callable[..., Source]


def framed(source: Source) -> pl.DataFrame:
    return pl.concat(
        [
            pl.DataFrame(
                schema={"text": pl.String, "log.offset": pl.Int64, "log.file.line": pl.Int64},
            ),
            *framing.lines(source),
        ]
    )


def test_lines_have_their_place(source: Make) -> None:
    made = source(b"\xef\xbb\xbfone\r\n\r\n\ntwo\nthree")
    assert framed(made).rows() == [("one", 3, 1), ("two", 11, 4), ("three", 15, 5)]
    assert made.unread == []


def test_utf16_is_read(source: Make) -> None:
    made = source("\N{BYTE ORDER MARK}größe\nzwei\n".encode("utf-16-le"))
    assert framed(made)["text"].to_list() == ["größe", "zwei"]


def test_what_is_not_utf8_is_kept_and_named(source: Make) -> None:
    made = source(b"fine\nbad \xff\xfe here\nfine again\n")
    rows = framed(made).rows()
    assert [row[0] for row in rows] == [
        "fine",
        "bad \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} here",
        "fine again",
    ]
    assert [row[1] for row in rows] == [0, 5, 17]
    assert [(each.line, each.offset) for each in made.unread] == [(2, 5)]


def test_a_line_too_long_is_skipped_and_named(source: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LINE_BYTES", 1000)
    monkeypatch.setattr(framing, "CHUNK_BYTES", 300)
    made = source(b"a\n" + b"x" * 5000 + b"\nb\n" + b"y" * 500 + b"\nlast")
    assert framed(made)["text"].str.head(3).to_list() == ["a", "b", "yyy", "las"]
    assert framed(made)["log.file.line"].to_list() == [1, 3, 4, 5]
    assert (made.unread[0].line, made.unread[0].offset) == (2, 2)
    assert "5,001 bytes" in made.unread[0].reason


def test_a_line_of_a_hundred_megabytes_does_not_fill_memory(source: Make) -> None:
    made = source(b"a\n" + b"x" * 100_000_000 + b"\nb\n")
    assert framed(made)["text"].to_list() == ["a", "b"]
    assert "100,000,001 bytes" in made.unread[0].reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=9)),
    chunk=st.integers(1, 20),
)
def test_any_chunking_gives_the_lines_of_the_file(source: Make, pieces: list[str], chunk: int) -> None:
    content = "\n".join(pieces).encode()
    made = source(content)
    expected, offset = [], 0
    for number, raw in enumerate(content.split(b"\n"), 1):
        if raw and not (offset == 0 and raw == b"\xef\xbb\xbf"):
            expected.append((raw.decode(), offset, number))
        offset += len(raw) + 1
    if expected and expected[0][0].startswith("\ufeff"):
        return  # a byte order mark at the start of a file is no text; tested above
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "CHUNK_BYTES", chunk)
        assert framed(made).rows() == expected
