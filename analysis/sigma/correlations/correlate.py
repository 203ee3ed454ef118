"""Matches into findings of correlations: gathered batch by batch, counted at the end, exactly.

What is kept of an event is numbers only (time, group, value) for each correlation that counts it, and what
may be quoted of it once. Beyond a fixed size both are written to a temporary folder, the numbers in the order
of groups, so that a correlation is judged some hundred thousand events at a time; a group that is larger is
held whole, but by its numbers alone. What may be quoted is read for the few events that a finding shows, and
where one correlation counts another.

A finding is made for each group and each account in its windows.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from analysis.detach import detached
from analysis.finding import LOCATORS
from analysis.sigma.correlations.chain import passed_on
from analysis.sigma.correlations.correlation import TEMPORAL, VALUES, Correlation
from analysis.sigma.correlations.fired import Portion, Telling, totals
from analysis.sigma.correlations.gather import AT, LOW, OF_HIGH, OF_LOW, PATH, VALUE, Batch, who
from analysis.sigma.correlations.items import EVENT, HIGH, Items, portions
from analysis.sigma.correlations.paths import Path, paths
from analysis.sigma.correlations.quotable import Kept
from analysis.sigma.correlations.spool import MEMORY, Spools
from analysis.sigma.correlations.windows import Counted, judged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analysis.finding import Finding
    from analysis.sigma.correlations.items import Columns
    from analysis.sigma.correlations.sliding import Array
    from analysis.sigma.pack import RulePack

SOURCE_ROW: Final = "molehunt.row"
_ALWAYS: Final = (*LOCATORS, SOURCE_ROW, "account", "host.name")


class Correlations:
    """Gathers the matched events that the correlations of a pack count.

    Args:
        pack: whose `match` made the matches.
        memory: bytes of gathered events, beyond which they are written to a temporary folder.
    """

    def __init__(self, pack: RulePack, memory: int = MEMORY) -> None:
        self._pack = pack
        self._paths = paths(pack)
        self._spools = Spools(memory)
        self._items = [self._spools.watch(Items()) for _ in pack.correlations]
        self._evidence = self._spools.watch(Kept())
        self._outer = _outer(pack.correlations)
        self._columns: dict[int, set[str]] = defaultdict(set)
        self._feeds: dict[int, list[tuple[int, int]]] = defaultdict(list)  # rule → correlations and paths
        for number, ways in enumerate(self._paths):
            for index, way in enumerate(ways):
                self._columns[way.rule].update(way.columns)
                if not way.below:
                    self._feeds[way.rule].append((number, index))

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame) -> None:
        """Take in the matches of one batch.

        Args:
            frame: the batch, with `account` where attribution knows it, and `molehunt.row` (any integers)
                where `holding` is to say it again. Events without a time are left out: no window has them.
            matches: what `RulePack.match` said of it.

        Raises:
            OSError: there is no room for what must be written.
        """
        batch, matched = self._batch(frame, matches)
        height = batch.events.height
        if not height:
            return
        used = np.zeros(height, bool)
        gathered: dict[int, list[Columns]] = defaultdict(list)
        for rule, events in matched:
            for number, index in self._feeds[rule]:
                way, correlation = self._paths[number][index], self._pack.correlations[number]
                found = batch.items(events, way, index, correlation)
                used[found[EVENT]] = True
                gathered[number].append(found)
        self._take_in(batch.events, frame.height, used, gathered)

    def _take_in(
        self, events: pl.DataFrame, batch: int, used: Array, gathered: Mapping[int, list[Columns]]
    ) -> None:
        """Keep the events of a batch that anything counts, numbered, and their items."""
        at = events["@timestamp"].dt.cast_time_unit("us").to_physical().to_numpy()
        numbers = self._evidence.rows + (
            np.arange(events.height) if used.all() else np.cumsum(used, dtype=np.int64) - 1
        )
        for number, parts in gathered.items():
            items = _once(parts, self._pack.correlations[number], events.height)
            row = items[EVENT]
            self._items[number].add({**items, EVENT: numbers[row], AT: at[row]})
        kept = _kept(events, used, batch)
        self._evidence.add(kept, who(kept))
        self._spools.settle()

    def _batch(self, frame: pl.DataFrame, matches: pl.DataFrame) -> tuple[Batch, list[tuple[int, Array]]]:
        """The events that correlations count and that have a time, and for each rule the rows of its own."""
        rules, rows = matches["rule"].to_numpy(), matches["row"].to_numpy()
        wanted = np.isin(rules, list(self._feeds))
        if "@timestamp" not in frame.columns:
            wanted[:] = False
        elif frame["@timestamp"].null_count():
            wanted &= frame["@timestamp"].is_not_null().to_numpy()[rows]
        if not wanted.all():
            rules, rows = rules[wanted], rows[wanted]
        by_rule = _parted(rules, rows)
        columns = set(_ALWAYS).union(*(self._columns[rule] for rule, _ in by_rule))
        events = frame.select(name for name in frame.columns if name in columns)
        there = np.zeros(frame.height, bool)
        there[rows] = True
        if not there.all():
            place = np.cumsum(there, dtype=np.int64) - 1
            events = events.filter(pl.Series(there))
            by_rule = [(rule, place[mine]) for rule, mine in by_rule]
        return Batch(events), by_rule

    def find(self) -> Iterator[Finding]:
        """The findings, in order of correlation, group and account.

        Raises:
            OSError: what was gathered cannot be written or read again.
        """
        everything = range(len(self._items))
        with self._passed() as passed:
            for number, correlation in enumerate(self._pack.correlations):
                found = [
                    totals(portion, self._evidence)
                    for portion in self._judged(number, passed, everything)
                    if not correlation.silent and portion.judged.holds.any()
                ]
                if found:
                    yield from Telling(correlation, self._paths[number], self._evidence).findings(found)

    def holding(self, correlation: str) -> pl.DataFrame:
        """The events at which the condition of a correlation holds, silent or not.

        Give the batches a column `molehunt.row` (the number of each event in its source, say) to know them
        again. What is counted is judged anew by each call.

        Args:
            correlation: its id or name.

        Returns:
            `molehunt.row` where the batches had it, and the `LOCATORS` they had, a row an event, in order of
            `molehunt.row`, or of time.

        Raises:
            KeyError: the pack has no such correlation.
        """
        asked = [n for n, one in enumerate(self._pack.correlations) if correlation in (one.id, one.name)]
        if not asked:
            raise KeyError(correlation)
        found: list[pl.DataFrame] = []
        wanted = self._under(asked[0])
        with self._passed() as passed:
            for number in range(asked[0] + 1):
                rows = [
                    portion.rows(portion.judged.holds).select(EVENT)
                    for portion in self._judged(number, passed, wanted)
                ]
                found = rows if number == asked[0] else []
        return self._located(found)

    def _under(self, number: int) -> set[int]:
        """A correlation, and those that it counts, by way of others too."""
        under = {number}
        for one in range(number, -1, -1):  # those that others count come before them
            if any(by in under for by, _ in self._outer[one]):
                under.add(one)
        return under

    @contextmanager
    def _passed(self) -> Iterator[dict[int, Items]]:
        """Room for what correlations pass on to others, for as long as they are judged."""
        counting = {by for outer in self._outer.values() for by, _ in outer}
        passed = {by: self._spools.watch(Items()) for by in sorted(counting)}
        try:
            yield passed
        finally:
            for items in passed.values():
                self._spools.forget(items)

    def _judged(self, number: int, passed: Mapping[int, Items], wanted: Collection[int]) -> Iterator[Portion]:
        """Where a correlation holds, portion by portion; what it passes on to others is added to theirs."""
        if number not in wanted:
            return
        correlation, ways = self._pack.correlations[number], self._paths[number]
        counted = [self._items[number], *([passed[number]] if number in passed else [])]
        for items in portions(counted):
            portion = Portion(items, judged(_counted(items, ways, correlation), correlation))
            for by, reference in self._outer[number]:
                if by not in wanted:
                    continue
                outer = [(n, way) for n, way in enumerate(self._paths[by]) if way.reference == reference]
                found = passed_on(portion, ways, self._pack.correlations[by], outer, self._evidence)
                passed[by].add(found)
                self._spools.settle()
            yield portion

    def _located(self, found: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Where events are, each once."""
        rows = pl.concat(found) if found else pl.DataFrame()
        if rows.is_empty():
            return pl.DataFrame(schema={SOURCE_ROW: pl.Int64})
        located = self._evidence.having(rows[EVENT].unique().sort(), (SOURCE_ROW, *LOCATORS))
        order = [name for name in (SOURCE_ROW, "@timestamp", EVENT) if name in located.columns]
        names = [name for name in (SOURCE_ROW, *LOCATORS) if name in located.columns]
        return located.sort(order, nulls_last=True).select(names)


def _kept(events: pl.DataFrame, used: Array, batch: int) -> pl.DataFrame:
    """Some events, which must not hold the memory of a batch that they are a small part of."""
    kept = events if used.all() else events.filter(pl.Series(used))
    return kept if kept.height * 2 > batch else detached(kept)


def _outer(correlations: Sequence[Correlation]) -> dict[int, list[tuple[int, int]]]:
    """Correlation → those that count it, and as which of their rules."""
    numbers = {key: number for number, one in enumerate(correlations) for key in (one.id, one.name) if key}
    outer: dict[int, list[tuple[int, int]]] = {number: [] for number in range(len(correlations))}
    for number, one in enumerate(correlations):
        for reference, name in enumerate(one.rules):
            if name in numbers:
                outer[numbers[name]].append((number, reference))
    return outer


def _parted(rules: Array, rows: Array) -> list[tuple[int, Array]]:
    """The rows of each rule, in the order they had."""
    if (rules[1:] < rules[:-1]).any():
        order = np.argsort(rules, kind="stable")
        rules, rows = rules[order], rows[order]
    begins = np.flatnonzero(np.r_[True, rules[1:] != rules[:-1]]) if len(rules) else np.zeros(0, np.int64)
    return (
        [(int(rules[begin]), mine) for begin, mine in zip(begins, np.split(rows, begins[1:]), strict=True)]
        if len(rules)
        else []
    )


def _counted(items: Columns, ways: Sequence[Path], correlation: Correlation) -> Counted:
    rule = value = of = None
    if correlation.kind in TEMPORAL:
        rule = np.array([way.reference for way in ways], np.int64)[items[PATH]]
    elif correlation.tells_values_apart:
        of = (items[OF_HIGH].view(np.int64), items[OF_LOW].view(np.int64))
    elif correlation.kind in VALUES:
        value = items[VALUE]
    return Counted(items[HIGH].view(np.int64), items[LOW].view(np.int64), items[AT], rule, value, of)


def _once(parts: list[Columns], correlation: Correlation, events: int) -> Columns:
    """Items of one batch, an event that several rules matched only by the first, but for temporal ones."""
    if len(parts) == 1:
        return parts[0]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if correlation.kind in TEMPORAL or not _overlap(parts, events):
        return whole
    frame = pl.DataFrame(whole)
    first = frame.select(pl.col(PATH) == pl.col(PATH).min().over(EVENT, HIGH, LOW)).to_series().to_numpy()
    return {name: column[first] for name, column in whole.items()}


def _overlap(parts: list[Columns], events: int) -> bool:
    """Whether several have items of one event."""
    seen = np.zeros(events, bool)
    for part in parts:
        if seen[part[EVENT]].any():
            return True
        seen[part[EVENT]] = True
    return False
