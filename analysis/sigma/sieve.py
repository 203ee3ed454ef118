"""Filters over matches: asked only of the events that a rule found, so that they cost little.

What they hold back is not lost: it is counted, and the report says how much, and by which filter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from analysis.finding import HeldBack
from analysis.sigma import tree
from analysis.sigma.matching.match import NULL_FIELDS, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from analysis.sigma.filters import Filter
    from analysis.sigma.reading.rule import Rule

HELD: Final = {"rule": pl.UInt32, "row": pl.UInt32, "filter": pl.UInt32}


class Sifted(NamedTuple):
    """Matches after the filters.

    Attributes:
        matches: `rule` and `row` of those that all filters of the rule let pass, ordered by both.
        held: `rule`, `row` and `filter` (its number in the pack) of the others; of several filters that hold
            one back, the first.
    """

    matches: pl.DataFrame
    held: pl.DataFrame


class Sieve:
    """The filters of a pack.

    Args:
        rules: with the filters that are in force.

    Attributes:
        plan: the conditions of the filters.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        conditions: dict[tree.Node, int] = {}
        links = [
            (number, place, conditions.setdefault(node, len(conditions)))
            for number, rule in enumerate(rules)
            for place, node in rule.filters
        ]
        schema = {"rule": pl.UInt32, "filter": pl.UInt32, "condition": pl.UInt32}
        self._links = pl.DataFrame(links, schema=schema, orient="row")
        self.plan = Plan((tree.ALWAYS, node) for node in conditions)
        self._columns = _read_by(conditions)

    def sift(self, frame: pl.DataFrame, dataset: str, matches: pl.DataFrame) -> Sifted:
        """Part the matches of rules without their filters.

        Args:
            frame: the events that were matched.
            dataset: their `event.dataset`.
            matches: `rule` and `row`, as `Plan.match` has them.
        """
        asked = matches.join(self._links, on="rule", how="inner", maintain_order="left_right")
        if asked.is_empty():
            return Sifted(matches, pl.DataFrame(schema=HELD))
        rows = asked["row"].unique().sort()
        events = frame if self._columns is None else frame.select(self._read(frame))
        answers = self.plan.match(events[rows], dataset)
        passed = pl.DataFrame({"condition": answers["rule"], "row": rows.gather(answers["row"])})
        stopped = asked.join(passed, on=["condition", "row"], how="anti", maintain_order="left")
        held = stopped.unique(["rule", "row"], keep="first", maintain_order=True).select(*HELD)
        kept = matches.join(held, on=["rule", "row"], how="anti", maintain_order="left")
        return Sifted(kept, held)

    def _read(self, frame: pl.DataFrame) -> list[str]:
        """The columns that the filters read; one at least, for a frame without any has no height."""
        assert self._columns is not None  # noqa: S101 - asked only then
        return [name for name in frame.columns if name in self._columns] or frame.columns[:1]


def _read_by(conditions: Iterable[tree.Node]) -> frozenset[str] | None:
    """The columns that conditions read; None for all of them, which keywords do."""
    nodes = tuple(conditions)
    if any(item.field is None for node in nodes for item in tree.items(node)):
        return None
    fields = {column for node in nodes for field in tree.fields(node) for column in field.sources}
    return frozenset((*fields, "event.dataset", NULL_FIELDS))


class Suppressed:
    """Counts what filters held back, batch by batch."""

    def __init__(self, rules: Sequence[Rule], filters: Sequence[Filter]) -> None:
        self._rules = rules
        self._filters = filters
        self._counts: dict[tuple[int, int], int] = {}

    def add(self, held: pl.DataFrame) -> None:
        """Take in what `Sieve.sift` held back of one batch."""
        for rule, place, count in held.group_by("rule", "filter").len().iter_rows():
            self._counts[rule, place] = self._counts.get((rule, place), 0) + count

    def told(self) -> tuple[HeldBack, ...]:
        """By rule and filter, in the order of the pack."""
        return tuple(
            self._told(self._rules[rule], self._filters[place], count)
            for (rule, place), count in sorted(self._counts.items())
        )

    def _told(self, rule: Rule, one: Filter, count: int) -> HeldBack:
        return HeldBack(
            detection=rule.id,
            title=rule.title,
            filter=one.title,
            path=str(one.path),
            owner=one.owner,
            reason=one.reason,
            expires=one.expires,
            count=count,
        )
