"""The hits of a rule parted by what is known of them: false, true, an example beside the rule, not judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma.matching.match import Plan
from analysis.workbench.examples import MATCH, NOMATCH, frame_of, read_events
from analysis.workbench.judged import Judge
from analysis.workbench.places import same_file, with_whole_paths
from analysis.workbench.tune.hits import FILE, LINE, placed, rows_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from analysis.sigma.reading.rule import Rule
    from analysis.workbench.tune.hits import KeptHits

FALSE: Final = "called false"
TRUE: Final = "true by verdict"
EXAMPLE: Final = "true examples"
OPEN: Final = "not judged"
COUNTER: Final = "examples that must not match"
KINDS: Final = (FALSE, TRUE, EXAMPLE, COUNTER, OPEN)
_LOGS: Final = 5  # that a message names


class TuneError(Exception):
    """There is nothing to tune with; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The hits of a rule by what is known of them.

    Attributes:
        kept: all hits.
        verdicts: for each batch of them, whether each hit is right; null where nobody judged.
        examples: the rule's own that it finds; counters: those that it must not find.
    """

    kept: KeptHits
    verdicts: tuple[pl.Series, ...]
    examples: pl.DataFrame
    counters: pl.DataFrame

    def batches(self) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """Kind, dataset and events; the examples first."""
        for kind, frame in ((EXAMPLE, self.examples), (COUNTER, self.counters)):
            if frame.height:
                yield kind, "", frame
        for (dataset, frame), verdict in zip(self.kept.batches(), self.verdicts, strict=True):
            right = verdict.fill_null(value=False)
            for kind, rows in (
                (FALSE, (~verdict).fill_null(value=False)),
                (TRUE, right),
                (OPEN, verdict.is_null()),
            ):
                if rows.any():
                    yield kind, dataset, frame.filter(rows)


def judged(rule: Rule, kept: KeptHits, false: Sequence[tuple[str, int]], verdicts: pl.DataFrame) -> Hits:
    """Part the hits.

    Args:
        rule: with its filters.
        kept: its hits.
        false: places that were called false; `FILE` may be any end of the log's path.
        verdicts: as `read_verdicts` has them.

    Raises:
        TuneError: a place is no hit, or was judged to be right; or nothing was called false.
    """
    places = {place: _meant(place, kept) for place in dict.fromkeys(false)}
    said = with_whole_paths(verdicts, kept.paths)
    rows = [{"rule": rule.id, "file": file, "line": line, "verdict": False} for file, line in places.values()]
    named = pl.DataFrame(rows, schema=said.schema)
    judge = Judge(pl.concat([said, named]), [rule])
    right = said.filter(pl.col("verdict") & pl.col("rule").str.to_lowercase().is_in(_names(rule)))
    for place in set(places.values()) & set(right.select("file", "line").iter_rows()):
        raise TuneError(
            f"{place[0]}:{place[1]} is called false, and true by a verdict; take one of them back"
        )
    found: list[pl.Series] = []
    met: set[tuple[str, int]] = set()
    for _, frame in kept.batches():
        matches = pl.DataFrame({"number": np.zeros(frame.height, np.uint32), "row": np.arange(frame.height)})
        found.append(judge.of(frame, matches))
        met.update(rows_at(frame, places.values()).select(FILE, LINE).iter_rows())
    for file, line in places.values():
        if (file, line) not in met:
            raise TuneError(
                f"{file}:{line} is no hit of {rule.title!r}; `molehunt rules explain {rule.id} --event "
                f"{file}:{line}` says why"
            )
    if not any((~verdict).any() for verdict in found):
        raise TuneError(
            f"no hit of {rule.title!r} is called false; name one by --false FILE:LINE, or by --verdicts "
            "(accounts are named as in the hunt's report if --roster and --site are the same)"
        )
    examples, counters = (_examples(rule, suffix) for suffix in (MATCH, NOMATCH))
    return Hits(kept, tuple(found), _found(rule, examples), counters)


def _meant(place: tuple[str, int], kept: KeptHits) -> tuple[str, int]:
    paths = same_file(place[0], kept.paths)
    if len(paths) > 1:
        raise TuneError(f"{place[0]} may be {' or '.join(paths)}; give more of the path")
    if not paths:
        logs = sorted(kept.paths)
        more = f" and {len(logs) - _LOGS} more" if len(logs) > _LOGS else ""
        raise TuneError(f"no hit stands in {place[0]}; the hits are in {', '.join(logs[:_LOGS])}{more}")
    return paths[0], place[1]


def _names(rule: Rule) -> list[str]:
    return [key.lower() for key in (rule.id, rule.name) if key]


def _examples(rule: Rule, suffix: str) -> pl.DataFrame:
    path = rule.path.with_name(rule.path.stem + suffix)
    events = (
        [(line, event) for line, event in read_events(path) if not isinstance(event, str)]
        if path.is_file()
        else []
    )
    if not events:
        return pl.DataFrame()
    return placed(frame_of([event for _, event in events])).with_columns(
        pl.lit(str(path)).alias(FILE), pl.Series(LINE, [line for line, _ in events], pl.Int64)
    )


def _found(rule: Rule, examples: pl.DataFrame) -> pl.DataFrame:
    if examples.is_empty() or rule.source is None:
        return examples.clear()
    return examples[Plan([(rule.source, rule.condition)]).match(examples, "")["row"]]
