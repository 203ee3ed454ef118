"""Matches into findings of correlations: gathered batch by batch, counted at the end, exactly.

What is kept of an event is numbers only (time, group, value) for each correlation that counts it, and what
may be quoted of it once for each rule. Beyond a fixed size both are written to a temporary folder, the
numbers sorted by group, so that a correlation is judged a few million events at a time; a group that is
larger is held whole, but by its numbers alone. What may be quoted is read for the few events that a finding
shows, and where one correlation counts another.

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
from analysis.sigma.chain import passed_on
from analysis.sigma.correlation import TEMPORAL, VALUES, Correlation
from analysis.sigma.fired import Portion, Telling, totals
from analysis.sigma.gather import AT, LOW, OF_HIGH, OF_LOW, PATH, THERE, VALUE, Batch, accounts
from analysis.sigma.paths import Path, paths
from analysis.sigma.quote import ACCOUNT, HOST, who_and_when
from analysis.sigma.spool import EVENT, HIGH, MEMORY, Spool, Spools, portions, together
from analysis.sigma.windows import Counted, judged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analysis.finding import Finding
    from analysis.sigma.pack import RulePack
    from analysis.sigma.sliding import Array

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
        self._items = [self._spools.spool(HIGH) for _ in pack.correlations]
        self._evidence = self._spools.spool(EVENT, ascending=True)
        self._outer = _outer(pack.correlations)
        self._columns: dict[int, set[str]] = defaultdict(set)
        self._feeds: dict[int, list[tuple[int, int]]] = defaultdict(list)  # rule → correlations and paths
        self._arrived = 0
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
        matched = matches.filter(pl.col("rule").is_in(list(self._feeds)))
        if matched.is_empty() or "@timestamp" not in frame.columns:
            return
        batch, matched = self._batch(frame, matched)
        used = np.zeros(batch.events.height, bool)
        gathered: dict[int, list[pl.DataFrame]] = defaultdict(list)
        for (rule,), rows in matched.partition_by("rule", as_dict=True).items():
            events = rows["row"].to_numpy()
            for number, index in self._feeds[int(rule)]:
                way, correlation = self._paths[number][index], self._pack.correlations[number]
                found = batch.items(events, way, index, correlation)
                used[found[EVENT].to_numpy() - self._arrived] = True
                gathered[number].append(found)
        for number, parts in gathered.items():
            self._items[number].add(_once(parts, self._pack.correlations[number]))
        self._evidence.add(_kept(batch.events, used, frame.height))
        self._arrived += batch.events.height
        self._spools.settle()

    def _batch(self, frame: pl.DataFrame, matched: pl.DataFrame) -> tuple[Batch, pl.DataFrame]:
        """The matched events that have a time, numbered, and the matches by row of these."""
        columns = set(_ALWAYS).union(*(self._columns[rule] for rule in matched["rule"].unique()))
        matched = matched.filter(frame["@timestamp"].is_not_null().gather(matched["row"]))
        wanted = np.zeros(frame.height, bool)
        wanted[matched["row"].to_numpy()] = True
        place = np.cumsum(wanted, dtype=np.uint32) - np.uint32(1)
        events = frame.select(name for name in frame.columns if name in columns)
        events = events if wanted.all() else events.filter(pl.Series(wanted))
        events = events.with_columns(pl.int_range(self._arrived, self._arrived + events.height).alias(EVENT))
        who = who_and_when(events)
        known = {
            EVENT: events[EVENT].to_numpy(),
            AT: events["@timestamp"].dt.cast_time_unit("us").cast(pl.Int64).to_numpy(),
            ACCOUNT: accounts(who[ACCOUNT]),
            HOST: (who[HOST] != "").to_numpy(),
        }
        mine = pl.Series("row", place[matched["row"].to_numpy()])
        return Batch(events, known), matched.select("rule", mine)

    def find(self) -> Iterator[Finding]:
        """The findings, in order of correlation, group and account.

        Raises:
            OSError: what was gathered cannot be written or read again.
        """
        everything = range(len(self._items))
        with self._passed() as passed:
            for number, correlation in enumerate(self._pack.correlations):
                found = [
                    totals(portion)
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
    def _passed(self) -> Iterator[dict[int, Spool]]:
        """Room for what correlations pass on to others, for as long as they are judged."""
        counting = {by for outer in self._outer.values() for by, _ in outer}
        passed = {by: self._spools.spool(HIGH) for by in sorted(counting)}
        try:
            yield passed
        finally:
            for spool in passed.values():
                self._spools.forget(spool)

    def _judged(self, number: int, passed: Mapping[int, Spool], wanted: Collection[int]) -> Iterator[Portion]:
        """Where a correlation holds, portion by portion; what it passes on to others is added to theirs."""
        if number not in wanted:
            return
        correlation, ways = self._pack.correlations[number], self._paths[number]
        spools = [self._items[number], *([passed[number]] if number in passed else [])]
        for rows in portions(spools):
            portion = Portion(rows, judged(_counted(rows, ways, correlation), correlation))
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
        rows = together(found)
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


def _counted(rows: pl.DataFrame, ways: Sequence[Path], correlation: Correlation) -> Counted:
    def numbers(name: str) -> Array:
        return rows[name].to_numpy().view(np.int64)

    rule = value = of = None
    if correlation.kind in TEMPORAL:
        rule = np.array([way.reference for way in ways], np.int64)[rows[PATH].to_numpy()]
    elif correlation.tells_values_apart:
        of = (numbers(OF_HIGH), numbers(OF_LOW), rows[THERE].to_numpy())
    elif correlation.kind in VALUES:
        value = rows[VALUE].to_numpy()  # null is NaN
    return Counted(numbers(HIGH), numbers(LOW), rows[AT].to_numpy(), rule, value, of)


def _once(parts: list[pl.DataFrame], correlation: Correlation) -> pl.DataFrame:
    """Items of one batch, an event that several rules matched only by the first, but for temporal ones."""
    whole = pl.concat(parts)
    if len(parts) == 1 or correlation.kind in TEMPORAL:
        return whole
    if sum(part[EVENT].n_unique() for part in parts) == whole[EVENT].n_unique():
        return whole
    return whole.filter(pl.col(PATH) == pl.col(PATH).min().over(EVENT, HIGH, LOW))
