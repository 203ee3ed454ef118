"""A sample as a long log of the same source: headers stand once, what is under them again and again."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.reading import json_records, json_scan
from sensors.reading.json_cut import Cutter, after_page_opens

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKS: Final = b"\xef\xbb\xbf"  # a byte order mark stands once as well
_NUMBER: Final = re.compile(rb'(?:^|,)"?[-\d]')


def family(content: bytes, ending: str) -> str:
    """What a log is written as: `json`, `csv` (or tabs, or W3C's `#Fields`), `pairs`, `cef` or `lines`."""
    begin = content.lstrip(_MARKS + b" \r\n")[:1]
    if begin in {b"{", b"["} and json_records.peek(content):
        return "json"
    if begin == b"#" or ending in {".csv", ".tsv"}:
        return "csv"
    if re.search(rb"\b(?:CEF|LEEF):\s?\d", content):
        return "cef"
    pairs, words = len(re.findall(rb'[\w.-]+=(?:"[^"]*"|\S)', content)), len(content.split())
    return "pairs" if pairs * 2 > words else "lines"


def grown(content: bytes, ending: str, size: int) -> bytes:
    """The log that `content` is the beginning of, of about `size` bytes.

    An array or a page of JSON stays one, with more records in it. Lines that begin with `#`, and a CSV's
    line of names, stand before what they head and nowhere else; where a sample has several such heads, each
    is followed by its own lines alone.
    """
    kind = family(content, ending)
    if kind == "json" and (around := _around(content)):
        head, records, tail = around
        return head + b",\n".join([records] * _times(records, size)) + tail
    lines = content.splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += b"\n"
    headed = kind == "csv" and ending == ".csv" and not _NUMBER.search(lines[0])
    sections = _sections(lines[headed:]) if kind == "csv" else [(b"", b"".join(lines))]
    times = _times(b"".join(body for _, body in sections), size)
    return b"".join([*lines[:headed], *(head + body * times for head, body in sections)])


def _times(body: bytes, size: int) -> int:
    return max(1, size // max(1, len(body)))


def _around(content: bytes) -> tuple[bytes, bytes, bytes] | None:
    """What stands before, in and after the records of the array or page that `content` is, if it is one."""
    text = content.lstrip(_MARKS).rstrip()
    blank = len(content) - len(content.lstrip(_MARKS))
    at = after_page_opens(text)
    if not (at or text.startswith(b"[")) or text[-1:] not in {b"]", b"}"}:
        return None
    if _whole_first_line(text):
        return None
    spans, _ = Cutter().feed(text, final=True, at=at)
    begin, end = blank + int(spans[0, 0]), blank + int(spans[-1, 1])
    return content[:begin], content[begin:end], content[end:]


def _whole_first_line(text: bytes) -> bool:
    """Whether the first line is one JSON value, and others follow."""
    first, _, others = text.partition(b"\n")
    data = np.frombuffer(first, np.uint8)
    return bool(others.strip()) and json_scan.value_end(data, 0, len(data)) == len(first.rstrip())


def _sections(lines: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Each run of lines that begin with `#`, and the lines up to the next."""
    sections = [(b"", b"")]
    for is_head, run in groupby(lines, lambda line: line.startswith(b"#")):
        if is_head:
            sections.append((b"".join(run), b""))
        else:
            sections[-1] = (sections[-1][0], b"".join(run))
    return sections
