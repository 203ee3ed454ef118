"""The search for a filter that takes the false hits of a rule away, and leaves the true ones.

The hits of the rule are parted by what is known of them: called false, known to be true (by a verdict, or as
an example beside the rule), not judged. What the false ones share is asked of all others; see `likeness.py`
and `smallest.py`. The filter that is found is then run (`proof.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.sigma import tree
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.detection import Reading, read_selection
from analysis.workbench.tune.hits import FILE, LINE
from analysis.workbench.tune.likeness import Likeness, Shared, shared_by
from analysis.workbench.tune.parted import COUNTER, EXAMPLE, FALSE, OPEN, TRUE
from analysis.workbench.tune.smallest import Answers, Choice, choices, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from analysis.sigma.reading.rule import Rule
    from analysis.sigma.taxonomy import Taxonomy
    from analysis.workbench.tune.parted import Hits

_LOOKED_AT: Final = 5_000  # false hits in which likenesses are sought; all of them must then show them


@dataclass(frozen=True, slots=True)
class Found:
    """What the search came to.

    Attributes:
        shared: what was considered; likenesses: those of it that all false hits have.
        choices: sets of them, the chosen one first; none if there is no such filter.
        in_the_way: true hits and examples that fit the nearest sets; some of them, if there is no filter.
        counts: hits by kind.
        unsaid: field → true hits and examples that do not have it, and so cannot vouch for it.
        refused: a line that would do but for being about people alone, if there is no filter.
    """

    shared: Shared
    likenesses: tuple[Likeness, ...]
    choices: tuple[Choice, ...]
    in_the_way: tuple[str, ...]
    counts: dict[str, int]
    unsaid: dict[str, int] = field(default_factory=dict)
    refused: Likeness | None = None

    @property
    def lines(self) -> tuple[Likeness, ...]:
        """Those of the chosen set."""
        return tuple(self.likenesses[line] for line in self.choices[0].lines)


def search(rule: Rule, taxonomy: Taxonomy, hits: Hits) -> Found:
    """Find the smallest set of lines that all false hits satisfy, and no true one."""
    false = _some_false(hits)
    shared = shared_by(false, rule, taxonomy)
    reading = Reading(lambda name: taxonomy.field(name, rule.logsource))
    nodes = [read_selection("s", {one.key: one.written}, reading, ()) for one in shared.likenesses]
    told = _Told(nodes)
    for kind, dataset, frame in hits.batches():
        told.add(kind, dataset, frame)
    lines = [line for line in range(len(nodes)) if told.all_false[line]]
    likenesses = tuple(shared.likenesses[line] for line in lines)
    answers = told.answers(lines)
    chosen = tuple(choices(likenesses, answers)) if likenesses else ()
    blocking = (
        () if chosen or not likenesses else tuple(told.places[row] for row in nearest(likenesses, answers))
    )
    fields = [likenesses[line].field for line in chosen[0].lines] if chosen else []
    unsaid = {name: _lacking(taxonomy.field(name, rule.logsource), hits) for name in fields}
    unsaid = {name: count for name, count in unsaid.items() if count}
    refused = None if chosen else _about_people(likenesses, answers)
    return Found(shared, likenesses, chosen, blocking, told.counts, unsaid, refused)


def _about_people(likenesses: Sequence[Likeness], answers: Answers) -> Likeness | None:
    """The first line about people that fits nothing which is to be kept."""
    fit = (one for line, one in enumerate(likenesses) if one.who and not answers.in_the_way((line,)).size)
    return next(fit, None)


def _some_false(hits: Hits) -> pl.DataFrame:
    parts: list[pl.DataFrame] = []
    for kind, _, frame in hits.batches():
        if kind == FALSE:
            parts.append(frame.head(_LOOKED_AT - sum(part.height for part in parts)))
    return pl.concat([part for part in parts if part.height], how="diagonal_relaxed")


def _lacking(asked: tree.Field, hits: Hits) -> int:
    """True hits and examples without a value of a field."""
    count = 0
    for kind, _, frame in hits.batches():
        if kind in (TRUE, EXAMPLE):
            columns = [name for name in asked.sources if name in frame.columns]
            empty = pl.all_horizontal(pl.col(columns).is_null()) if columns else pl.lit(value=True)
            count += frame.select(empty.alias("v").cast(pl.Int64)).sum().item() if columns else frame.height
    return count


class _Told:
    """What each line says of each hit, kept once for each different answer."""

    def __init__(self, nodes: Sequence[tree.Node]) -> None:
        self._plan = Plan((tree.ALWAYS, node) for node in nodes)
        self._sources = [{name for one in tree.fields(node) for name in one.sources} for node in nodes]
        self._lines = len(nodes)
        self.all_false = np.ones(self._lines, np.bool_)
        self._keep: dict[bytes, str] = {}
        self._others: dict[bytes, int] = {}
        self._accounts: dict[bytes, set[str]] = {}
        self.counts: dict[str, int] = {}

    def add(self, kind: str, dataset: str, frame: pl.DataFrame) -> None:
        """Take in hits of one kind."""
        self.counts[kind] = self.counts.get(kind, 0) + frame.height
        if kind == COUNTER or not self._lines:
            return
        fits = np.zeros((frame.height, self._lines), np.bool_)
        found = self._plan.match(frame, dataset)
        fits[found["row"].to_numpy(), found["rule"].to_numpy()] = True
        if kind == FALSE:
            self.all_false &= fits.all(axis=0)
            return
        if kind != OPEN:
            fits = np.hstack([fits, fits | self._unsaid(frame)])
        rows, first, where, counts = np.unique(
            np.packbits(fits, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        if kind == OPEN:
            for number, account in _whose(frame, where):
                self._accounts.setdefault(rows[number].tobytes(), set()).add(account)
        for row, at, count in zip(rows, first.tolist(), counts.tolist(), strict=True):
            if kind == OPEN:
                self._others[row.tobytes()] = self._others.get(row.tobytes(), 0) + count
            else:
                self._keep.setdefault(row.tobytes(), f"{frame[FILE][at]}:{frame[LINE][at]} ({kind})")

    @property
    def places(self) -> list[str]:
        """Where the first true hit or example stands that gave each answer."""
        return list(self._keep.values())

    def answers(self, lines: list[int]) -> Answers:
        """All answers to some of the lines."""
        keep = _unpacked(self._keep, 2 * self._lines)
        others = _unpacked(self._others, self._lines)
        weights = np.array(list(self._others.values()), np.int64)
        perhaps = keep[:, self._lines :]
        accounts = tuple(frozenset(self._accounts.get(row, ())) for row in self._others)
        return Answers(keep[:, lines], perhaps[:, lines], others[:, lines], weights, accounts)

    def _unsaid(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Where an event has no value that a line could be held against."""
        had = {name: frame[name].is_not_null().to_numpy() for name in frame.columns}
        none = np.zeros(frame.height, np.bool_)
        said = [
            np.any([none, *(had[name] for name in names if name in had)], axis=0) for names in self._sources
        ]
        return ~np.stack(said, axis=1)


def _whose(frame: pl.DataFrame, where: NDArray[np.intp]) -> Iterator[tuple[int, str]]:
    """For each different answer the accounts that gave it."""
    if "account" in frame.columns:
        said = frame.select(pl.Series("number", where.ravel()), "account")
        yield from said.drop_nulls().unique(maintain_order=True).iter_rows()


def _unpacked(packed: dict[bytes, str] | dict[bytes, int], columns: int) -> NDArray[np.bool_]:
    rows = np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), (columns + 7) // 8)
    return np.unpackbits(rows, axis=1, count=columns).astype(np.bool_)
