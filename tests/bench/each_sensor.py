"""How fast every sensor reads its own samples, beside two who do less; run it on an idle machine.

    python tests/bench/each_sensor.py [--megabytes 16] [NAME...]

Each sample of text under `samples/` is repeated to the size asked for. A row says events and megabytes a CPU
second, and two ratios of CPU time in the same run: to reading the file as lines with Polars and doing nothing
else, and of a plain Python loop (json.loads a line, or one regular expression that finds words and pairs) to
the sensor; the first is best small, the second large.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from sensors import files, schema
from sensors.sensor import Source, claims

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
APART = {"scenario", "scenario_maker", "capture", "mapped"}
TEXT = {".log", ".csv", ".json", ".ndjson", ".txt", ".trace", ".tsv"}
PAIR = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S+)|(\S+)')


def samples(wanted: list[str]) -> Iterator[Path]:
    for path in sorted(SAMPLES.rglob("*")):
        product = path.relative_to(SAMPLES).parts[0]
        if path.suffix in TEXT and product not in APART and (not wanted or product in wanted):
            yield path


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


def loop(path: Path) -> None:
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line.startswith(("{", "[")):
                with suppress(ValueError):
                    json.loads(line)
            else:
                for _ in PAIR.finditer(line):
                    pass


def read(path: Path) -> tuple[str, int]:
    name, count = "", 0
    for source in files.sources(path):
        if isinstance(source, Source):
            takers = claims(source.head, source.name)
            name = takers[0].name if takers else ""
            count += sum(schema.conform(frame).height for frame in takers[0].read(source)) if takers else 0
    return name, count


def cpu(work: Callable[[Path], object], path: Path) -> float:
    begin = time.process_time()
    work(path)
    return time.process_time() - begin


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--megabytes", type=int, default=16)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    given = arguments.parse_args()
    print(f"{'sample':44} {'events/CPU s':>12} {'MB/CPU s':>9} {'x lines':>8} {'loop x':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples(given.names):
            content = sample.read_bytes()
            path = Path(folder, sample.name)
            path.write_bytes(content)
            name, _ = read(path)  # compiled code is loaded before anything is measured
            end = b"" if content.endswith(b"\n") else b"\n"
            path.write_bytes((content + end) * max(1, (given.megabytes << 20) // max(1, len(content))))
            begin = time.process_time()
            _, events = read(path)
            spent = time.process_time() - begin
            rate = f"{events / spent:12,.0f} {path.stat().st_size / 1e6 / spent:9.1f}"
            ratios = f"{spent / cpu(lines, path):8.1f} {cpu(loop, path) / spent:7.1f}"
            shown = f"{name or 'nobody'}: {sample.relative_to(SAMPLES)}"
            print(f"{shown:44} {rate} {ratios}", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
