"""How fast correlations are judged, in events a CPU second; run it on an idle machine.

    python tests/bench/correlate.py [MILLIONS] [KIND...]

Events of thirty days, of a thousand groups and of a million, in batches of half a million; windows of
ten minutes. `held` is from gathered events to where the condition holds, everything in memory; `Polars`
the same by its `rolling().over()`, sorting included, where it can say it (two million events); `plainly`
the reference of the tests (two thousand events of ten groups). `whole` is everything: batches taken in
(realistic columns, spilled to disk as they are in a hunt) and findings made; beside it the most memory
that this process has had.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "tests")]

from correlation_reference import Asked, holding  # noqa: E402 - found by the line above
from correlation_stories import yaml_of  # noqa: E402 - found by the line above
from sigma_cases import pack_of  # noqa: E402 - found by the line above

from analysis.sigma import Correlations, RulePack  # noqa: E402 - found by the line above

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
        yield frame, dice.integers(0, 3, count)


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


def main() -> None:
    events = int(float(sys.argv[1]) * 1_000_000) if len(sys.argv) > 1 else 10_000_000
    heads = "".join(f" {head:>12}" for head in ("held", "Polars", "plainly", "whole"))
    print(f"{'events a CPU second':20} {'groups':>9}{heads} {'MiB':>6}")
    for groups in (1000, 1_000_000):
        for kind in sys.argv[2:] or KINDS:
            asked = KINDS[kind]
            with tempfile.TemporaryDirectory() as folder:
                pack = pack_of(Path(folder), yaml_of(asked))
            assert pack.errors == [], pack.errors
            columns = ["@timestamp", "user", "host", "size"]
            held(gathered(pack, 100_000, 1000, columns, 1 << 40))  # loads what is compiled
            everything = gathered(pack, events, groups, columns, 1 << 40)
            spent = cpu(lambda everything=everything: held(everything))
            del everything
            whole = sum(whole_run(pack, events, groups))
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            peer = by_polars(kind, min(events, 2_000_000), groups)
            print(
                f"{kind:20} {groups:9,} {rate(events, spent)} {rate(min(events, 2_000_000), peer)} "
                f"{rate(2000, plainly(asked))} {rate(events, whole)} {most:6,}",
                flush=True,
            )


def whole_run(pack: RulePack, events: int, groups: int) -> Iterator[float]:
    kept = Correlations(pack)
    for frame, rules in batches(events, groups):
        found = matches(pack, rules)
        yield cpu(lambda frame=frame, found=found: kept.add(frame, found))
    yield cpu(lambda: list(kept.find()))


if __name__ == "__main__":
    main()
