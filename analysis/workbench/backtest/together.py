"""What each of many rules adds to a run of all: its own part, apart from what they share.

Shared are reading and encoding the events, finding those of a logsource, and the one search of each column
for the literals of all rules. What two rules ask alike is worked out once, for the first of them.
"""

from __future__ import annotations

import operator
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from analysis.anomaly import Anomalies, AnomalyRule
from analysis.sigma import Correlations, Rule, tree
from analysis.sigma.matching.match import KEYWORDS, SCHEMA
from analysis.sigma.pack import possible
from analysis.workbench.chosen import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from analysis.context import Context
    from analysis.sigma.matching.match import Batch
    from analysis.sigma.matching.rows import Leaf, Rows
    from analysis.workbench.chosen import Chosen, Detection

    Measured: TypeAlias = dict[str, tuple[int, float]]  # by dataset: rows, and CPU seconds


class Together:
    """Measures the chosen rules in one run.

    Attributes:
        shared: what all took together.
    """

    def __init__(self, chosen: Chosen, context: Context) -> None:
        self._pack = pack = chosen.pack
        self._groups = _grouped(pack.rules)
        self._names = [rule.name or rule.id for rule in pack.rules]
        numbers = {rule.id: number for number, rule in enumerate(pack.rules)}
        self._counted = [
            [numbers[key] for key in sorted(counted(one, pack)) if key in numbers]
            for one in chosen.detections
        ]
        self._counters = {
            place: _Counter(one, chosen, context)
            for place, one in enumerate(chosen.detections)
            if not isinstance(one, Rule)
        }
        self._own: list[Measured] = [{} for _ in pack.rules]
        self.shared: Measured = {}

    def add(self, frame: pl.DataFrame, dataset: str) -> None:
        """Run the rules over one batch of enriched events."""
        if "event.dataset" not in frame.columns:
            frame = frame.with_columns(pl.lit(dataset).alias("event.dataset"))
        have = frozenset(frame.columns)
        meant = [group for group in self._groups if possible(group.source, have, dataset) is not False]
        if not meant:
            return
        began = time.process_time()
        batch = self._pack.encoded(frame)
        batch.load(columns for group in meant for columns in group.looked_at)
        asking = [(group, batch.source(group.source)) for group in meant]
        _search(batch, [group for group, source in asking if source.count])
        _count(self.shared, dataset, frame.height, time.process_time() - began)
        found = [rows for group, source in asking for rows in self._asked(batch, dataset, group, source)]
        batch.clear()
        if self._counters:
            matches = _table(found)
            for counter in self._counters.values():
                counter.add(frame, matches, self._names, dataset)

    def _asked(self, batch: Batch, dataset: str, group: _Group, source: Leaf) -> Iterator[tuple[int, Rows]]:
        """The rows that each rule of a group matches; what each took is counted."""
        for number, condition in group.rules:
            began = time.process_time()
            rows = batch.rule(source, condition) if source.count else None
            _count(self._own[number], dataset, batch.height, time.process_time() - began)
            if rows is not None and len(rows):
                yield number, rows

    def of(self, place: int) -> tuple[Measured, float]:
        """What the detection at `place` took with all that it counts, by dataset, and at the end."""
        counter = self._counters.get(place)
        parts = [self._own[number] for number in self._counted[place]]
        if counter is None:
            return (parts[0] if parts else {}), 0.0
        whole = {
            dataset: (rows, seconds + sum(part[dataset][1] for part in parts if dataset in part))
            for dataset, (rows, seconds) in counter.measured.items()
            if any(dataset in part for part in parts)
        }
        return whole, counter.end()

    def own(self) -> Iterator[Measured]:
        """What each rule took, and what each correlation and anomaly rule took of its own."""
        yield from self._own
        for counter in self._counters.values():
            yield counter.measured


class _Group:
    """The rules that look at the same events.

    Attributes:
        source: which events.
        looked_at: the columns of every field that `source` asks about.
        rules: number and condition of each.
        first: of every field that the conditions ask about, by its columns, one item that does.
    """

    def __init__(self, source: tree.Node) -> None:
        self.source = source
        self.looked_at = {_columns(item) for item in tree.items(source)}
        self.rules: list[tuple[int, tree.Node]] = []
        self.first: dict[tuple[str, ...], tree.Item] = {}

    def take(self, number: int, condition: tree.Node) -> None:
        """One more rule."""
        self.rules.append((number, condition))
        for item in tree.items(condition):
            self.first.setdefault(_columns(item), item)


class _Counter:
    """A correlation or an anomaly rule at work on the matches of all."""

    def __init__(self, one: Detection, chosen: Chosen, context: Context) -> None:
        self._correlations = self._anomalies = None
        if isinstance(one, AnomalyRule):
            self._anomalies = Anomalies([one], context)
        ids = counted(one, chosen.pack)
        those = tuple(each for each in chosen.pack.correlations if each.id in ids)
        if those:
            self._correlations = Correlations(replace(chosen.pack, correlations=those))
        self.measured: Measured = {}

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame, names: list[str], dataset: str) -> None:
        """Take in the matches of one batch."""
        began = time.process_time()
        if self._correlations is not None:
            self._correlations.add(frame, matches)
        if self._anomalies is not None:
            self._anomalies.add(frame, matches, names)
        _count(self.measured, dataset, frame.height, time.process_time() - began)

    def end(self) -> float:
        """The seconds that judging takes, once all is gathered."""
        began = time.process_time()
        for gathered in (self._correlations, self._anomalies):
            for _ in gathered.find() if gathered is not None else ():
                pass
        return time.process_time() - began


def _grouped(rules: Iterable[Rule]) -> list[_Group]:
    """By the events that they look at, each as the first rule has it: so does the pack's plan."""
    by_source: dict[tree.Node, _Group] = {}
    known: dict[int, _Group] = {}  # by identity: to hash a tree takes long
    for number, rule in enumerate(rules):
        if rule.source is not None:
            if id(rule.source) not in known:
                known[id(rule.source)] = by_source.setdefault(rule.source, _Group(rule.source))
            known[id(rule.source)].take(number, rule.unfiltered)
    return list(by_source.values())


def _search(batch: Batch, groups: list[_Group]) -> None:
    """Do what is done once for all rules, so that the first that asks does not bear it."""
    first = {columns: item for group in groups for columns, item in group.first.items()}
    batch.load(first)
    for item in first.values():
        batch.leaf(item)


def _columns(item: tree.Item) -> tuple[str, ...]:
    return item.field.columns if item.field else KEYWORDS


def _count(measured: Measured, dataset: str, rows: int, seconds: float) -> None:
    had, took = measured.get(dataset, (0, 0.0))
    measured[dataset] = had + rows, took + seconds


def _table(found: list[tuple[int, Rows]]) -> pl.DataFrame:
    """As `Plan.match` has it."""
    if not found:
        return pl.DataFrame(schema=SCHEMA)
    found.sort(key=operator.itemgetter(0))
    numbers = np.repeat([number for number, _ in found], [len(rows) for _, rows in found])
    rows = np.concatenate([rows for _, rows in found])
    return pl.DataFrame({"rule": numbers.astype(np.uint32), "row": rows}, schema=SCHEMA)
