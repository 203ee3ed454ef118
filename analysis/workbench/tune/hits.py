"""The hits of one rule, on disk: as many as there are, and read as often as a search needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.workbench.places import file_of, line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from analysis.sigma import RulePack
    from analysis.workbench.opened import Days, Opened

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
    return events.with_columns(file_of(events).alias(FILE), line_of(events).alias(LINE))


def rows_at(events: pl.DataFrame, places: Iterable[tuple[str, int]]) -> pl.DataFrame:
    """The events that stand at any of the places."""
    asked = pl.DataFrame(list(places), schema={FILE: pl.String, LINE: pl.Int64}, orient="row")
    return events.join(asked, on=[FILE, LINE], how="semi", maintain_order="left")
