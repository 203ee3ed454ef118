"""What it costs to match SigmaHQ's whole Windows pack, beside what else one could do with the same bytes.

    python tests/bench/match.py [--events 1000000] [--rules FOLDER] [--attacks FILE] [--made FOLDER] [PART...]

Run it on an idle machine. The attack events are blown up to as many as asked for (see `attacks.py`; a million
take 1.5 GB of disk and some minutes the first time, and are kept in `--made`) and read into a lake. Each part
runs in a process of its own, in the same run. A row says events a CPU second (all threads and child processes
counted), seconds of CPU and of the clock, the process's peak memory, and what an event costs compared to
molehunt with the lake read. Parts:

    load      the pack from YAML, and as it was kept
    whole     the lake read and all rules matched; matching alone; reading alone
    rules     500, 1,000, 2,000 rules of the pack, and all of SigmaHQ, over the same events
    scenario  the sample scenario's own logs, with our own rules and the pack, accounts and context known
    naive     one Polars expression a rule (`naive.py`) over a slice; its matches must equal ours
    scan      one Aho-Corasick pass for the literals of all rules over the NDJSON, and over the lake's texts
    peers     rsigma, zircolite, hayabusa, chainsaw, if they are on PATH, over the same NDJSON
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import attacks
import naive
import peers
import polars as pl

from analysis import ALLOCATOR
from analysis.context import load_context
from analysis.intake import read_into
from analysis.known import Known
from analysis.lake import Batch, Lake
from analysis.sigma import RulePack, bundled_rules, tree

REPO = Path(__file__).resolve().parents[2]
TRUTH = REPO.parent / "shared" / "truth" / "sigma"
SCENARIO = REPO / "samples" / "scenario"
WINDOWS = re.compile(r"^\s+product:\s*windows\s*$", re.MULTILINE)
PACK = ("rules", "rules-emerging-threats", "rules-threat-hunting")
SHORTEST = 3  # shorter literals than these tell nothing, and fill the scan's answer
CHUNK = 64 << 20
Work = Callable[..., "dict[str, Spent]"]
NAIVE_EVENTS = 100_000


@dataclass
class Spent:
    """What one piece of work cost."""

    events: int
    cpu: float
    clock: float
    said: str = ""
    peak: int = 0


class Watch:
    """CPU seconds of this process, its threads and its children, and seconds of the clock."""

    def __init__(self) -> None:
        self.cpu = self.clock = 0.0

    def __enter__(self) -> Self:
        self._begin = cpu(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu += cpu() - self._begin[0]
        self.clock += time.perf_counter() - self._begin[1]

    def spent(self, events: int, said: str = "") -> Spent:
        return Spent(events, self.cpu, self.clock, said)


def cpu() -> float:
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def windows_files(folder: Path) -> list[Path]:
    """The rules of the pack, in an order that is always the same and mixes kinds."""
    found = [
        path
        for part in PACK
        for path in sorted((folder / part).rglob("*.yml"))
        if WINDOWS.search(path.read_text("utf-8"))
    ]
    random.Random(0).shuffle(found)  # noqa: S311 - an order, no secret
    return found


def load(folder: Path, made: Path) -> dict[str, Spent]:
    del made
    rows: dict[str, Spent] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name, kept in (("YAML", ""), ("kept", cache), ("kept", cache)):  # kept, then found
            os.environ["MOLEHUNT_CACHE"] = kept
            for what, paths in (("windows pack", windows_files(folder)), ("all of SigmaHQ", [folder])):
                with Watch() as watch:
                    pack = RulePack.load(paths)
                said = f"{len(pack.rules):,} rules, {len(pack.errors)} refused"
                rows[f"load {what}, {name}"] = watch.spent(0, said)
    return rows


def ready(pack: RulePack, made: Path) -> Spent:
    """What is done once a process and a pack: compiled code is loaded, the plan made. It is counted apart."""
    first = next(Lake(made / "lake").batches())
    with Watch() as watch:
        pack.match(first.frame.head(1000), first.dataset)
    return watch.spent(0)


def matched(pack: RulePack, batches: Iterator[Batch]) -> tuple[Spent, Spent, Spent]:
    """All of it; matching alone; reading alone."""
    reading, matching, events, matches = Watch(), Watch(), 0, 0
    while True:
        with reading:
            batch = next(batches, None)
        if batch is None:
            break
        with matching:
            matches += pack.match(batch.frame, batch.dataset).height
        events += batch.frame.height
        del batch  # or it would be in memory beside the next
    both = Spent(events, reading.cpu + matching.cpu, reading.clock + matching.clock, f"{matches:,} matches")
    return both, matching.spent(events), reading.spent(events)


def whole(folder: Path, made: Path) -> dict[str, Spent]:
    pack = RulePack.load(windows_files(folder))
    once = ready(pack, made)
    both, matching, reading = matched(pack, Lake(made / "lake").batches())
    rows = {"molehunt, lake read": both, "  matching alone": matching, "  reading alone": reading}
    return rows | {"  once a process, beside that": once}


def some_rules(folder: Path, made: Path, count: int) -> dict[str, Spent]:
    pack = RulePack.load(windows_files(folder)[:count] if count else [folder])
    ready(pack, made)
    both, matching, _ = matched(pack, Lake(made / "lake").batches())
    matching.said = both.said
    return {f"  matching {len(pack.rules):,} rules": matching}


def scenario(folder: Path, made: Path) -> dict[str, Spent]:
    del made
    context = load_context(
        *(SCENARIO / name for name in ("roster.csv", "geo-city.mmdb", "geo-asn.mmdb", "site.toml"))
    )
    pack = RulePack.load([bundled_rules(), *windows_files(folder)])
    with tempfile.TemporaryDirectory() as place:
        lake = Lake(Path(place, "lake"))
        read_into(
            lake,
            [path for path in SCENARIO.iterdir() if path.is_dir()],
            context.site.zone_for,
            is_context=lambda _path: False,
            skip=lambda _path: False,
            progress=lambda _path: None,
        )
        known = Known.of(lake, context)
        added = (Batch(batch.dataset, known.add(batch.frame)) for batch in lake.batches())
        both, matching, _ = matched(pack, added)
    said = f"{both.said}, {len(pack.rules):,} rules"
    return {"scenario, matching alone": Spent(both.events, matching.cpu, matching.clock, said)}


def slices(made: Path, events: int) -> Iterator[Batch]:
    """Some events of every dataset, in the proportions of the whole, in batches as large as can be."""
    lake = Lake(made / "lake")
    rows = lake.rows()
    share = min(1.0, events / sum(rows.values()))
    left = {name: round(count * share) for name, count in rows.items()}
    for batch in lake.batches():
        frame = batch.frame.head(left[batch.dataset])
        left[batch.dataset] -= frame.height
        if frame.height:
            yield Batch(batch.dataset, frame)


def naively(folder: Path, made: Path) -> dict[str, Spent]:
    pack = RulePack.load(windows_files(folder))
    ready(pack, made)
    slow, fast, events, pairs = Watch(), Watch(), 0, 0
    for batch in slices(made, NAIVE_EVENTS):
        with slow:
            theirs = naive.match(pack, batch.frame, batch.dataset)
        with fast:
            ours = pack.match(batch.frame, batch.dataset)
        if theirs != set(ours.iter_rows()):
            one, row = min(theirs.symmetric_difference(ours.iter_rows()))
            raise SystemExit(f"naive and real disagree: {pack.rules[one].title}, {batch.dataset} row {row}")
        events, pairs = events + batch.frame.height, pairs + len(theirs)
    return {
        "one expression a rule": slow.spent(events, f"{pairs:,} matches, equal to ours"),
        "  molehunt on that slice": fast.spent(events),
    }


def literals(pack: RulePack) -> list[str]:
    """Every literal of every text that a rule looks for, lower-cased."""

    def texts(values: tuple[tree.Value, ...]) -> Iterator[tree.Text]:
        for value in values:
            if isinstance(value, tree.Text):
                yield value
            elif isinstance(value, tree.AnyOf):
                yield from texts(value.values)

    items = (item for rule in pack.rules for item in tree.items(rule.condition))
    parts = (part for item in items for text in texts(item.values) for part in text.parts)
    return sorted({part.lower() for part in parts if isinstance(part, str) and len(part) >= SHORTEST})


def scan_raw(folder: Path, made: Path) -> dict[str, Spent]:
    pack = RulePack.load(windows_files(folder))
    wanted = [json.dumps(text, ensure_ascii=False)[1:-1] for text in literals(pack)]
    watch, events, size, found = Watch(), 0, 0, 0
    for path in sorted((made / "raw").iterdir()):
        with path.open("rb") as stream:
            while lines := stream.readlines(CHUNK):
                series = pl.Series([line.decode() for line in lines])
                events, size = events + len(lines), size + sum(map(len, lines))
                with watch:
                    found += hits(series, wanted)
    said = f"{size / 1e6 / watch.cpu:.0f} MB a CPU second, {len(wanted):,} literals, {found:,} places"
    return {"one scan of the NDJSON": watch.spent(events, said)}


def scan_columns(folder: Path, made: Path) -> dict[str, Spent]:
    wanted = literals(RulePack.load(windows_files(folder)))
    watch, events, size, found = Watch(), 0, 0, 0
    for batch in Lake(made / "lake").batches():
        events += batch.frame.height
        texts = [series.drop_nulls() for series in batch.frame.select(pl.col(pl.String))]
        series = pl.concat([text.alias("text") for text in texts])
        size += int(series.str.len_bytes().sum())
        with watch:
            found += hits(series, wanted)
    said = f"{size / 1e6 / watch.cpu:.0f} MB a CPU second, {found:,} places"
    return {"one scan of the lake's texts": watch.spent(events, said)}


def peer(folder: Path, made: Path, name: str) -> dict[str, Spent]:
    spent, clock, peak, said = peers.run(name, windows_files(folder), made / "raw")
    return {name: Spent(sum(Lake(made / "lake").rows().values()) if spent else 0, spent, clock, said, peak)}


def hits(series: pl.Series, wanted: list[str]) -> int:
    return int(series.str.to_lowercase().str.find_many(wanted, overlapping=True).list.len().sum())


def apart(work: Work, *given: object) -> dict[str, Spent]:
    """Do it in a fresh process, so that its memory is its own, and comes as it does to the command."""
    os.environ["_RJEM_MALLOC_CONF"] = ALLOCATOR  # in this process Polars was first and has set its own
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        rows, peak = pool.submit(_weighed, work, *given).result()
    for row in rows.values():
        row.peak = row.peak or peak
    return rows


def _weighed(work: Work, *given: object) -> tuple[dict[str, Spent], int]:
    rows = work(*given)
    # Not getrusage: that counts the memory of the process that started this one.
    (kib,) = re.findall(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return rows, int(kib) >> 10


def parts(folder: Path, made: Path) -> dict[str, list[tuple[Work, tuple[object, ...]]]]:
    given = (folder, made)
    return {
        "load": [(load, given)],
        "whole": [(whole, given)],
        "rules": [(some_rules, (*given, count)) for count in (500, 1000, 2000, 0)],
        "scenario": [(scenario, given)],
        "naive": [(naively, given)],
        "scan": [(scan_raw, given), (scan_columns, given)],
        "peers": [(peer, (*given, name)) for name in peers.COMMANDS],
    }


def asked() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--rules", type=Path, default=TRUTH / "sigmahq")
    arguments.add_argument("--attacks", type=Path, default=TRUTH / "events" / "windows_attacks.ndjson.gz")
    arguments.add_argument("--made", type=Path, default=Path(tempfile.gettempdir(), "molehunt-bench"))
    arguments.add_argument("parts", nargs="*", metavar="PART")
    given = arguments.parse_args()
    for needed in (given.rules, given.attacks):
        if not needed.exists():
            sys.exit(f"{needed} is not here; say where it is with --rules and --attacks")
    return given


def main() -> None:
    given = asked()
    made = given.made / str(given.events)
    facts = attacks.make(given.attacks, given.events, made)
    print(
        f"{facts.events:,} events: {facts.raw_bytes / 1e6:,.0f} MB of NDJSON, "
        f"{facts.parquet_bytes / 1e6:,.0f} MB of Parquet; {facts.values:,} texts, "
        f"{facts.distinct:,} distinct; {facts.text_bytes / 1e6:,.0f} MB of text, "
        f"{facts.distinct_bytes / 1e6:,.0f} MB of it distinct"
    )
    print(f"{'':30} {'events/CPU s':>12} {'CPU s':>8} {'clock s':>8} {'peak MiB':>8} {'x whole':>8}")
    known = parts(given.rules, made)
    base = None
    for name in given.parts or known:
        for work, needs in known[name]:
            for label, row in apart(work, *needs).items():
                each = row.cpu / row.events if row.events else 0
                base = base or (each if name == "whole" else None)
                rate = f"{row.events / row.cpu:12,.0f}" if row.events else " " * 12
                ratio = f"{each / base:8.2f}" if base and each else " " * 8
                print(
                    f"{label:30} {rate} {row.cpu:8.2f} {row.clock:8.2f} {row.peak:8,} {ratio}  {row.said}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
