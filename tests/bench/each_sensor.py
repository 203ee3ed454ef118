"""How fast every sensor reads its own samples, beside two who do less; run it on an idle machine.

    python tests/bench/each_sensor.py [--megabytes 16] [NAME...]

Each sample of text under `samples/` becomes a log of the size asked for (`grown.py`: headers stand once). A
row says events and megabytes a CPU second of the reading (opening, hashing and typing counted), megabytes a
second by the clock, the CPU milliseconds in which all sensors looked at the file to find the one, and two
ratios of CPU time in the same run: of the sensor to reading the file as lines with Polars and doing nothing
else, which is best small, and of a plain Python loop to the sensor, which is best large.

The loop does what someone would write for one log: of JSON, `json.loads` a line (or the whole file, if it is
one array), the record made one flat dictionary of dotted names; of CSV, `csv.reader` and a dictionary by the
header; of other lines, one regular expression that finds words and pairs, the pairs made a dictionary. From
that dictionary as many values are taken as the sensor has columns, by name, and the record's first time in
ISO 8601 is parsed by `datetime.fromisoformat`. It types, checks and splits nothing else, keeps no record, and
knows neither what a field means nor where the record stands.

At the end stands a line for each family (see `grown.family`), with the medians of its samples and the worst.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grown
import polars as pl

from sensors import files, schema
from sensors.sensor import Source, claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
APART = {"scenario", "scenario_maker", "capture", "mapped"}
TEXT = {".log", ".csv", ".json", ".ndjson", ".txt", ".trace", ".tsv"}
PAIR = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S+)|(\S+)')
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


@dataclass(slots=True)
class Read:
    """What one reading of a file gave, and what it cost in seconds."""

    sensor: str = ""
    events: int = 0
    columns: set[str] = field(default_factory=set)
    looking: float = 0
    reading: float = 0
    clock: float = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A sample's figures."""

    sample: str
    family: str
    speed: float
    clock: float
    lines: float
    loop: float


def samples(wanted: list[str]) -> Iterator[Path]:
    for path in sorted(SAMPLES.rglob("*")):
        product = path.relative_to(SAMPLES).parts[0]
        if path.suffix in TEXT and product not in APART and (not wanted or product in wanted):
            yield path


def read(path: Path) -> Read:
    done = Read()
    begin, begin_clock = time.process_time(), time.perf_counter()
    for source in files.sources(path):
        if isinstance(source, Source):
            looked, looked_clock = time.process_time(), time.perf_counter()
            takers = claims(source.head, source.name)
            done.looking += time.process_time() - looked
            begin_clock += time.perf_counter() - looked_clock
            done.sensor = takers[0].name if takers else ""
            for frame in takers[0].read(source) if takers else ():
                typed = schema.conform(frame)
                done.events += typed.height
                done.columns.update(typed.columns)
    done.reading = time.process_time() - begin - done.looking
    done.clock = time.perf_counter() - begin_clock
    return done


def lines(path: Path) -> None:
    pl.read_csv(
        path,
        separator="\x01",
        has_header=False,
        quote_char=None,
        infer_schema=False,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    )


def loop(path: Path, family: str, width: int) -> None:
    """The plain loop: see above."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="" if family == "csv" else None) as stream:
        records = (
            _of_json(stream)
            if family == "json"
            else _of_csv(stream)
            if family == "csv"
            else _of_lines(stream)
        )
        first = list(islice(records, 1_000))
        names = list(dict.fromkeys(name for record in first for name in record))
        names = [*names, *(f"absent {number}" for number in range(width))][:width]
        clock = next((name for record in first for name, value in record.items() if _is_time(value)), "")
        for part in (first, records):
            for record in part:
                [record.get(name) for name in names]
                with suppress(ValueError, TypeError):
                    datetime.fromisoformat(record[clock]) if clock in record else None


def _is_time(value: object) -> bool:
    return isinstance(value, str) and ISO.match(value) is not None


def _of_json(stream: Iterable[str]) -> Iterator[dict[str, Any]]:
    text = iter(stream)
    first = next(text, "")
    try:
        json.loads(first)
    except ValueError:  # not one record a line
        for record in _parsed("".join([first, *text])):
            yield _flat(record)
        return
    for part in ([first], text):
        for line in part:
            with suppress(ValueError):
                for record in _inside(json.loads(line)):
                    yield _flat(record)


def _parsed(text: str) -> Iterator[Any]:
    """The records of an array, a page, or of values one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while begin := re.compile(r"[^\s,]").search(text, at):
        try:
            value, at = decoder.raw_decode(text, begin.start())
        except ValueError:
            return
        yield from _inside(value)


def _inside(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return value
    pages = (one for one in value.values() if isinstance(one, list) and one and isinstance(one[0], dict))
    return next(pages, [value]) if isinstance(value, dict) and len(value) <= 2 else [value]


def _flat(record: Any) -> dict[str, Any]:  # noqa: ANN401
    flat: dict[str, Any] = {}
    if isinstance(record, dict):
        _flatten(record, "", flat)
    return flat


def _flatten(record: dict[str, Any], root: str, flat: dict[str, Any]) -> None:
    for key, value in record.items():
        if isinstance(value, dict):
            _flatten(value, f"{root}{key}.", flat)
        else:
            flat[root + key] = value


def _of_csv(stream: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Records by the names that the first line, or a line of `#Fields` or `#fields`, gives."""
    text = iter(stream)
    first = next(text, "")
    if not first.startswith("#"):
        rows = csv.reader(text)
        names = next(csv.reader([first]))
        yield from (dict(zip(names, row, strict=False)) for row in rows)
        return
    names = []
    between = "\t" if "\\x09" in first else None
    for line in text:
        if line.startswith("#"):
            names = line.split()[1:] if line.lower().startswith("#fields") else names
        else:
            yield dict(zip(names, line.rstrip("\n").split(between), strict=False))


def _of_lines(stream: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in stream:
        found = {}
        for number, match in enumerate(PAIR.finditer(line)):
            key, value, word = match.groups()
            found[key or str(number)] = value or word
        yield found


def cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measured(sample: Path, folder: Path, megabytes: int) -> Row:
    content = sample.read_bytes()
    path = folder / sample.name
    path.write_bytes(content)
    read(path)  # compiled code is loaded before anything is measured
    long = grown.grown(content, sample.suffix, megabytes << 20)
    path.write_bytes(long)
    kind, size = grown.family(content, sample.suffix), len(long) / 1e6
    done = read(path)
    against = cpu(lambda: lines(path)), cpu(lambda: loop(path, kind, len(done.columns)))
    path.unlink()
    shown = f"{done.sensor or 'nobody'}: {sample.relative_to(SAMPLES)}"
    row = Row(
        shown,
        kind,
        size / done.reading,
        size / done.clock,
        done.reading / against[0],
        against[1] / done.reading,
    )
    rate = f"{done.events / done.reading:12,.0f} {row.speed:9.1f} {row.clock:9.1f} {done.looking * 1e3:8.1f}"
    print(f"{shown:52} {rate} {row.lines:8.1f} {row.loop:7.1f}", flush=True)
    return row


def summary(rows: list[Row]) -> Iterator[str]:
    for kind in sorted({row.family for row in rows}):
        found = [row for row in rows if row.family == kind]
        medians = [
            statistics.median(getattr(row, name) for row in found)
            for name in ("speed", "clock", "lines", "loop")
        ]
        worst = min(found, key=lambda row: row.speed)
        said = "{:9.1f} {:9.1f} {:8} {:8.1f} {:7.1f}".format(*medians[:2], "", *medians[2:])
        title = f"{kind}, median of {len(found)}"
        yield f"{title:52} {'':12} {said}   slowest {worst.speed:.1f}: {worst.sample}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=16)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    given = arguments.parse_args()
    heads = f"{'events/CPU s':>12} {'MB/CPU s':>9} {'MB/s':>9} {'claim ms':>8} {'x lines':>8} {'loop x':>7}"
    print(f"{'sample':52} {heads}")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(sample, Path(folder), given.megabytes) for sample in samples(given.names)]
    for line in summary(rows):
        print(line)


if __name__ == "__main__":
    main()
