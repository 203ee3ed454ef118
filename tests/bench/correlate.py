"""How fast correlations are, in events a CPU second; run it on an idle machine.

    python tests/bench/correlate.py [MILLIONS] [KIND...]

Events of thirty days, of a thousand groups and of a million, in batches of half a million, each as the lake
has it (written to Parquet and read again, which is not counted); windows of ten minutes. `end to end` is all
that a hunt pays for: batches and matches taken in, groups told apart, everything put aside on disk, read
again, judged, findings made; beside it its parts, `taken in` and `found`, in nanoseconds an event, how much
of both the system took, and the most memory that a process of its own had,
the events that this bench makes up among it. `judged` is from gathered events
in memory to where the condition holds, `Polars` the same by its `rolling().over()`, sorting included, where
it can say it (two million events), `plainly` the reference of the tests (two thousand events of ten groups).
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "tests")]

from correlation_reference import Asked, holding  # noqa: E402 - found by the line above
from correlation_stories import yaml_of  # noqa: E402 - found by the line above
from sigma_cases import pack_of  # noqa: E402 - found by the line above

from analysis.sigma import Correlations, RulePack  # noqa: E402 - found by the line above
from analysis.sigma.correlations.spool import MEMORY  # noqa: E402 - found by the line above

BATCH = 500_000
SPAN = 600
DAYS = 30
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
KINDS = {
    "event_count": Asked("event_count", bounds=(("gte", 1000),), span=SPAN),
    "value_count": Asked("value_count", fields=("host",), bounds=(("gte", 1000),), span=SPAN),
    "value_sum": Asked("value_sum", fields=("size",), bounds=(("gte", 1e12),), span=SPAN),
    "value_avg": Asked("value_avg", fields=("size",), bounds=(("gte", 1e12),), span=SPAN),
    "value_median": Asked("value_median", fields=("size",), bounds=(("gte", 1e12),), span=SPAN),
    "value_percentile": Asked(
        "value_percentile", fields=("size",), percentile=95, bounds=(("gte", 1e12),), span=SPAN
    ),
    "temporal": Asked("temporal", rules=("ra", "rb", "rc"), bounds=(("gte", 3),), span=10),
    "temporal_ordered": Asked("temporal_ordered", rules=("ra", "rb", "rc"), bounds=(("gte", 3),), span=10),
    "temporal, and not": Asked(
        "temporal",
        rules=("ra", "rb", "rc"),
        condition=("and", ("rule", 0), ("rule", 1), ("not", ("rule", 2))),
        span=10,
    ),
    "event_count, lte": Asked("event_count", bounds=(("gte", 1000), ("lte", 2000)), span=SPAN),
}
MEASURES = {
    "event_count": pl.len(),
    "value_count": pl.col("host").n_unique(),
    "value_sum": pl.col("size").sum(),
    "value_avg": pl.col("size").mean(),
    "value_median": pl.col("size").median(),
    "value_percentile": pl.col("size").quantile(0.95, "linear"),
}


def batches(events: int, groups: int) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """Batches in order of time, and the rule that each event matches, of three."""
    dice = np.random.default_rng(1)
    users = pl.Series("user", [f"user{number:07d}@corp.example" for number in range(groups)])
    hosts = pl.Series("host", [f"WS{number:05d}.corp.example" for number in range(20_000)])
    words = pl.Series(
        "process.command_line", [f"C:\\Windows\\System32\\tool{n}.exe /x {n:060d}" for n in range(50_000)]
    )
    step = DAYS * 86_400_000_000 // events
    for begin in range(0, events, BATCH):
        count = min(BATCH, events - begin)
        whom = users.gather(dice.integers(0, groups, count))
        at = np.sort(START + begin * step + dice.integers(0, step * count, count))
        frame = pl.DataFrame(
            [
                pl.Series("@timestamp", at).cast(pl.Datetime("us", "UTC")),
                whom,
                whom.alias("account"),
                hosts.gather(dice.integers(0, len(hosts), count)),
                pl.Series("size", dice.integers(0, 100_000, count)),
                words.gather(dice.integers(0, len(words), count)),
                pl.Series("log.file.line", np.arange(begin, begin + count) + 1),
                pl.Series("log.offset", np.arange(begin, begin + count) * 200),
            ]
        ).with_columns(
            pl.lit("windows.sysmon_operational").alias("event.dataset"),
            pl.lit("evidence/2026-01/sysmon.ndjson.gz").alias("log.file.path"),
            pl.lit("9f" * 32).alias("molehunt.source.sha256"),
            pl.col("host").alias("host.name"),
        )
        yield read_again(frame), dice.integers(0, 3, count)


def read_again(frame: pl.DataFrame) -> pl.DataFrame:
    """A batch as it comes from a lake; what is picked from a list of texts lies in memory as nothing does."""
    file = BytesIO()
    frame.write_parquet(file)
    file.seek(0)
    return pl.read_parquet(file)


def cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def matches(pack: RulePack, rules: np.ndarray) -> pl.DataFrame:
    mine = pl.DataFrame({"rule": (rules % len(pack.rules)).astype(np.uint32)})
    return mine.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")).sort(
        "rule", maintain_order=True
    )


def gathered(pack: RulePack, events: int, groups: int, columns: list[str], memory: int) -> Correlations:
    kept = Correlations(pack, memory)
    for frame, rules in batches(events, groups):
        kept.add(frame.select(columns), matches(pack, rules))
    return kept


def held(kept: Correlations) -> None:
    with kept._passed() as passed:
        for portion in kept._judged(0, passed, {0}):
            assert portion.judged.holds is not None


def by_polars(kind: str, events: int, groups: int) -> float | None:
    if kind not in MEASURES:
        return None
    names = ["@timestamp", "user", "host", "size"]
    frame = pl.concat([frame.select(names) for frame, _ in batches(events, groups)]).rechunk()
    asked = MEASURES[kind].rolling("@timestamp", period=f"{SPAN}s", closed="both").over("user")
    return cpu(lambda: frame.sort("user", "@timestamp").select(asked))


def plainly(asked: Asked) -> float:
    events = []
    for frame, rules in batches(2000, 10):
        rows = frame.select("user", "host", "size", at=pl.col("@timestamp").dt.epoch("s")).to_dicts()
        events += [{**row, "act": "abc"[rule]} for row, rule in zip(rows, rules.tolist(), strict=True)]
    return cpu(lambda: holding(asked, events))


def rate(events: int, spent: float | None) -> str:
    return f"{'':>12}" if spent is None else f"{events / spent:12,.0f}"


class Spent(NamedTuple):
    """What a run cost: CPU seconds, those of them that the system took, and the most memory in MiB."""

    taken_in: float
    found: float
    system: float
    most: int

    @property
    def whole(self) -> float:
        return self.taken_in + self.found


def asked_for(kind: str) -> RulePack:
    with tempfile.TemporaryDirectory() as folder:
        pack = pack_of(Path(folder), yaml_of(KINDS[kind]))
    assert pack.errors == [], pack.errors
    return pack


def end_to_end(kind: str, events: int, groups: int) -> Spent:
    pack = asked_for(kind)
    run(pack, 2 * BATCH, groups, memory=1 << 20)  # loads what is compiled, and runs once over the disk
    return run(pack, events, groups, memory=MEMORY)


def run(pack: RulePack, events: int, groups: int, memory: int) -> Spent:
    kept = Correlations(pack, memory)
    taken_in = system = 0.0
    for frame, rules in batches(events, groups):
        found = matches(pack, rules)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_stime
        taken_in += cpu(lambda frame=frame, found=found: kept.add(frame, found))
        system += resource.getrusage(resource.RUSAGE_SELF).ru_stime - before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_stime
    finding = cpu(lambda: list(kept.find()))
    system += resource.getrusage(resource.RUSAGE_SELF).ru_stime - before
    return Spent(taken_in, finding, system, most())


def most() -> int:
    """The most memory that this process has had, in MiB; Linux's other figure begins with the parent's."""
    try:
        said = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return next(int(line.split()[1]) for line in said.splitlines() if line.startswith("VmHWM")) // 1024


def main() -> None:
    events = int(float(sys.argv[1]) * 1_000_000) if len(sys.argv) > 1 else 10_000_000
    few = min(events, 2_000_000)
    heads = "".join(f" {head:>12}" for head in ("end to end", "judged", "Polars", "plainly"))
    parts = f"{'taken in':>9} {'found':>6} {'system':>7} {'MiB':>6}"
    print(f"{'events a CPU second':20} {'groups':>9}{heads}   {parts}")
    for groups in (1000, 1_000_000):
        for kind in sys.argv[2:] or KINDS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                spent = alone.submit(end_to_end, kind, events, groups).result()
            pack = asked_for(kind)
            columns = ["@timestamp", "user", "host", "size"]
            held(gathered(pack, 100_000, 1000, columns, 1 << 40))  # loads what is compiled
            everything = gathered(pack, events, groups, columns, 1 << 40)
            judging = cpu(lambda everything=everything: held(everything))
            del everything
            each = [f"{seconds / events * 1e9:.0f}" for seconds in spent[:3]]
            print(
                f"{kind:20} {groups:9,} {rate(events, spent.whole)} {rate(events, judging)} "
                f"{rate(few, by_polars(kind, few, groups))} {rate(2000, plainly(KINDS[kind]))}   "
                f"{each[0]:>9} {each[1]:>6} {each[2]:>7} {spent.most:6,}",
                flush=True,
            )


if __name__ == "__main__":
    main()
