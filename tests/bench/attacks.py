"""The attack events, blown up to many mixed ones: as NDJSON, and read by our sensors into a lake.

Every copy of the 32,916 events is another day, with other computers, users and processes: dates, record and
process ids, process and logon GUIDs, logon ids, SIDs, source ports, computer names and users' folders differ
from copy to copy, and every fourth command line ends in an argument that no other has. Paths of Windows,
call traces, script blocks and hashes repeat, as they do in life. A tenth of the text is distinct then, and
one text in 25; `Facts` counts it.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import polars as pl

from analysis.intake import read_into
from analysis.lake import Lake

MADE: Final = 1  # raise it when other events are made of the same input
# Marks that stand for what a copy puts in: its number in two digits, its day, its computers' GUID prefix.
NUMBER, DAY, PREFIX = b"\x01", b"\x02", b"\x03"
# Where they go. JSON escapes control characters, so the input has none of them.
MARKS: Final = (
    (rb'("EventRecordID":\d+)', rb"\1" + NUMBER),
    (rb'("Computer":"[^".]+)', rb"\1-" + NUMBER),
    (rb"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d)", DAY + rb"\1"),
    (rb'("\w+G(?:uid|UID)":"\{?)[0-9A-Fa-f]{8}(?=-)', rb"\1" + PREFIX),
    (rb'("ScriptBlockId":"\{?)[0-9A-Fa-f]{8}(?=-)', rb"\1" + PREFIX),
    (rb'("\w*ProcessI[dD]":\d{3,})', rb"\1" + NUMBER),
    (rb'("\w*ProcessI[dD]":"0x[0-9a-f]{3,})', rb"\1" + NUMBER),
    (rb'("\w*LogonI[dD]":"0x[0-9a-f]{5,})', rb"\1" + NUMBER),
    (rb"(S-1-5-21-\d+-\d+-\d+)\d\d", rb"\1" + NUMBER),
    (rb'("SourcePort":\d{3})\d\d', rb"\1" + NUMBER),
    (rb'("IpPort":"\d{3})\d\d', rb"\1" + NUMBER),
    (rb'(:\\\\Users\\\\(?!Public)[^\\"]+)', rb"\1" + NUMBER),
)
_COMMAND_LINE: Final = re.compile(rb'"(?:Parent)?CommandLine":"(?:[^"\\]|\\.)*')


@dataclass(frozen=True, slots=True)
class Facts:
    """What the made lake holds.

    Attributes:
        values: texts in its columns; distinct: how many different ones, by column.
        text_bytes: bytes of those texts; distinct_bytes: of the different ones.
    """

    events: int
    raw_bytes: int
    parquet_bytes: int
    values: int
    distinct: int
    text_bytes: int
    distinct_bytes: int


def template(attacks: Path) -> list[bytes]:
    """The lines of the events with marks where copies differ.

    Args:
        attacks: NDJSON, compressed with gzip, as evtx_dump writes events.
    """
    text = gzip.decompress(attacks.read_bytes())
    for pattern, put in MARKS:
        text = re.sub(pattern, put, text)
    number = itertools.count()

    def unlike(found: re.Match[bytes]) -> bytes:
        at = next(number)
        return found[0] if at % 4 else b"%b --job=%d.%b" % (found[0], at, NUMBER)

    return _COMMAND_LINE.sub(unlike, text).splitlines(keepends=True)


def copies(lines: list[bytes], events: int) -> Iterator[bytes]:
    """As many copies as make `events`, the last one cut."""
    for copy, begin in enumerate(range(0, events, len(lines))):
        text = b"".join(lines[: events - begin])
        day = b"2026-%02d-%02d" % (7 + copy // 28, 1 + copy % 28)
        prefix = b"%08X" % (0xA5C10000 + copy * 7919)
        yield text.replace(NUMBER, b"%02d" % (copy % 100)).replace(DAY, day).replace(PREFIX, prefix)


def make(attacks: Path, events: int, folder: Path) -> Facts:
    """The events under `folder`: `raw/*.ndjson` and `lake/`. What is there already is kept.

    Args:
        attacks: see `template`.
        events: how many.
        folder: made if it is not there; about 1.3 GB for a million events.
    """
    made = folder / f"made-{MADE}-{events}.json"
    if made.is_file():
        return Facts(**json.loads(made.read_bytes()))
    shutil.rmtree(folder, ignore_errors=True)
    raw = folder / "raw"
    raw.mkdir(parents=True)
    for number, text in enumerate(copies(template(attacks), events)):
        (raw / f"{number:03d}.ndjson").write_bytes(text)
    lake = Lake(folder / "lake")
    intake = read_into(
        lake,
        [raw],
        lambda _path: None,
        is_context=lambda _path: False,
        skip=lambda _path: False,
        progress=lambda _path: None,
    )
    if intake.unread:
        raise SystemExit(f"events that were made could not be read: {intake.unread[:3]}")
    facts = _facts(folder)
    made.write_text(json.dumps(asdict(facts)))
    return facts


def _facts(folder: Path) -> Facts:
    lake = Lake(folder / "lake")
    files = list((folder / "lake" / "events").rglob("*.parquet"))
    names = {name for columns in lake.columns().values() for name in columns}
    values = distinct = text_bytes = distinct_bytes = 0
    for name in sorted(names):
        parts = [path for path in files if name in pl.read_parquet_schema(path)]
        column = pl.concat([pl.read_parquet(path, columns=[name]) for path in parts], how="vertical_relaxed")
        series = column[name].drop_nulls()
        if series.dtype != pl.String:
            continue
        unique = series.unique()
        values += series.len()
        distinct += unique.len()
        text_bytes += int(series.str.len_bytes().sum())
        distinct_bytes += int(unique.str.len_bytes().sum())
    return Facts(
        events=sum(lake.rows().values()),
        raw_bytes=sum(path.stat().st_size for path in (folder / "raw").iterdir()),
        parquet_bytes=sum(path.stat().st_size for path in files),
        values=values,
        distinct=distinct,
        text_bytes=text_bytes,
        distinct_bytes=distinct_bytes,
    )
