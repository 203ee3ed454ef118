"""How many events of a lake are of a rule's logsource."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from analysis.sigma import tree
from analysis.sigma.matching.match import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from analysis.sigma.reading.rule import Rule


class Looked:
    """Counts the events that rules look at, whether they match or not: those of their logsources."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        numbers: dict[tree.Node, int] = {}
        known: dict[int, int] = {}  # by identity: to hash a tree takes long
        for rule in rules:
            if rule.source is not None and id(rule.source) not in known:
                known[id(rule.source)] = numbers.setdefault(rule.source, len(numbers))
        self._sources = list(numbers)
        self._of_rule = {rule.id: known[id(rule.source)] for rule in rules if rule.source is not None}
        self._plan = Plan((tree.ALWAYS, source) for source in self._sources)
        self._counts: Counter[tuple[int, str]] = Counter()

    def columns(self) -> frozenset[str]:
        """What `add` reads."""
        fields = (field for source in self._sources for field in tree.fields(source))
        return frozenset(("event.dataset", *(column for field in fields for column in field.sources)))

    def add(self, frame: pl.DataFrame, dataset: str) -> None:
        """Take in a batch."""
        for number, events in self._plan.match(frame, dataset).group_by("rule").len().iter_rows():
            self._counts[number, dataset] += events

    def of(self, ids: Iterable[str]) -> dict[str, int]:
        """Events by dataset; where several rules look at one dataset, those of the one that sees most."""
        sources = {self._of_rule[key] for key in ids if key in self._of_rule}
        found: dict[str, int] = {}
        for (source, dataset), events in sorted(self._counts.items()):
            if source in sources:
                found[dataset] = max(events, found.get(dataset, 0))
        return found
