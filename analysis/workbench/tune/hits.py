"""The hits of one rule, on disk: as many as there are, and read as often as a search needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from analysis.sigma import RulePack
    from analysis.workbench.opened import Days, Opened

_NUMBERS: Final = ("log.file.line", "winlog.record_id", "molehunt.frame.number")
FILE: Final = "_file"
LINE: Final = "_line"


@dataclass(frozen=True, slots=True)
class KeptHits:
    """Hits, written batch by batch.

    Attributes:
        folder: where they lie.
        parts: the dataset and the file of each batch.
        count: of all hits.
        paths: the logs that they are of.
    """

    folder: Path
    parts: tuple[tuple[str, Path], ...]
    count: int
    paths: frozenset[str]

    def batches(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Dataset and events of each batch, enriched, with `_file` and `_line`, in the order of the lake."""
        for dataset, path in self.parts:
            yield dataset, pl.read_parquet(path)


def keep_hits(pack: RulePack, number: int, opened: Opened, days: Days, folder: Path) -> KeptHits:
    """Run a rule over a lake and keep its hits.

    Args:
        pack: with the rule.
        number: the rule's.
        opened: the lake and its context.
        days: look at these alone.
        folder: an empty one.
    """
    known = opened.known()
    parts: list[tuple[str, Path]] = []
    paths: set[str] = set()
    count = 0
    for batch in opened.batches(days, said="running the rule"):
        events = known.add(batch.frame)
        found = pack.match(events, batch.dataset).filter(pl.col("rule") == number)["row"]
        if found.is_empty():
            continue
        hits = placed(events[found])
        path = folder / f"{len(parts):06d}.parquet"
        said = (one.name for one in hits if one.name in (FILE, LINE) or one.null_count() < hits.height)
        hits.select(said).write_parquet(path)
        parts.append((batch.dataset, path))
        paths.update(hits[FILE].drop_nulls().unique())
        count += hits.height
    return KeptHits(folder, tuple(parts), count, frozenset(paths))


def placed(events: pl.DataFrame) -> pl.DataFrame:
    """The events with `_file` and `_line`: where they stand, as `FILE:LINE` (record, frame) names it."""
    numbers = [pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS if name in events.columns]
    path = pl.col("log.file.path") if "log.file.path" in events.columns else pl.lit(None, pl.String)
    line = pl.coalesce(numbers) if numbers else pl.lit(None, pl.Int64)
    return events.with_columns(path.alias(FILE), line.alias(LINE))


def same_file(asked: str, paths: Collection[str]) -> tuple[str, ...]:
    """The logs that a person may mean by a path: itself, or those that it ends, or that end it."""
    wanted = _parts(asked)
    exact = [path for path in paths if _parts(path) == wanted]
    ending = [path for path in paths if _ends(_parts(path), wanted) or _ends(wanted, _parts(path))]
    return tuple(sorted(exact or ending))


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part != "."]


def _ends(whole: list[str], end: list[str]) -> bool:
    return whole[len(whole) - len(end) :] == end if len(end) <= len(whole) else False


def rows_at(events: pl.DataFrame, places: Iterable[tuple[str, int]]) -> pl.DataFrame:
    """The events that stand at any of the places."""
    asked = pl.DataFrame(list(places), schema={FILE: pl.String, LINE: pl.Int64}, orient="row")
    return events.join(asked, on=[FILE, LINE], how="semi", maintain_order="left")
