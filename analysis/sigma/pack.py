"""A rule pack: what the hunt runs, what it cannot run, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.finding import NotRun
from analysis.sigma import tree
from analysis.sigma.correlations.countable import uncounted
from analysis.sigma.feasible import Input, blocked, partly, possible
from analysis.sigma.filters import in_force, notes, today
from analysis.sigma.matching.match import Batch, Plan
from analysis.sigma.reading.kept import load_kept
from analysis.sigma.sieve import Sieve, Sifted
from analysis.sigma.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.filters import Filter
    from analysis.sigma.reading.documents import RuleError
    from analysis.sigma.reading.rule import Rule

__all__ = ["RulePack", "possible"]


@dataclass(frozen=True)
class RulePack:
    """Rules, loaded and compiled.

    Attributes:
        rules: what `match` numbers.
        correlations: those that others count come first.
        anomalies: documents with `anomaly:`, and their file.
        errors: what is wrong with files and rules, in order of file and line.
        filters: all that were read, those out of force too.
        notes: filters to look at again: expired, of no rule that is loaded, of one that has changed since.
        taxonomy: what names of fields and logsources mean.
    """

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    anomalies: tuple[tuple[dict[str, Any], Path], ...]
    errors: list[RuleError]
    filters: tuple[Filter, ...]
    notes: tuple[RuleError, ...]
    taxonomy: Taxonomy
    _plan: Plan
    _sieve: Sieve

    @classmethod
    def load(
        cls,
        folders: Iterable[Path],
        *,
        placeholders: Mapping[str, Sequence[str]] | None = None,
        taxonomy: Taxonomy | None = None,
        day: date | None = None,
    ) -> RulePack:
        """Read and compile the rules below `folders`. Never raises on a bad rule: see `errors`.

        Args:
            folders: folders (or single files) of rules.
            placeholders: what `%name%` stands for under the modifier `expand`.
            taxonomy: the meaning of names; `AsWritten()` for events that are not ours.
            day: by which filters expire; today if left out.
        """
        taxonomy = taxonomy or Taxonomy()
        loaded = load_kept(folders, taxonomy, placeholders or {})
        day = day or today()
        plan = Plan(None if rule.source is None else (rule.source, rule.condition) for rule in loaded.rules)
        rules = in_force(loaded.rules, loaded.filters, day)
        told = notes(loaded.filters, loaded.rules, loaded.correlations, loaded.anomalies, day)
        return cls(
            rules=rules,
            correlations=tuple(loaded.correlations),
            anomalies=tuple(loaded.anomalies),
            errors=loaded.errors,
            filters=tuple(loaded.filters),
            notes=tuple(told),
            taxonomy=taxonomy,
            _plan=plan,
            _sieve=Sieve(rules),
        )

    def only(self, ids: Collection[str]) -> RulePack:
        """The pack with nothing but the rules, correlations and anomaly rules of these ids.

        What they are is left as it was: one that serves another stays silent without it.
        """
        rules = tuple(rule for rule in self.rules if rule.id in ids)
        return replace(
            self,
            rules=rules,
            correlations=tuple(one for one in self.correlations if one.id in ids),
            anomalies=tuple(pair for pair in self.anomalies if str(pair[0].get("id")) in ids),
            _plan=Plan(None if rule.source is None else (rule.source, rule.unfiltered) for rule in rules),
            _sieve=Sieve(rules),
        )

    def match(self, frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
        """Which events match which rules.

        Args:
            frame: events of one dataset, with what analysis added to them.
            dataset: their `event.dataset`.

        Returns:
            `rule` (index in `rules`) and `row` (number of the row in `frame`), UInt32, ordered by both.
        """
        return self.sift(frame, dataset).matches

    def sift(self, frame: pl.DataFrame, dataset: str) -> Sifted:
        """`match`, and what the filters held back."""
        return self._sieve.sift(frame, dataset, self._plan.match(frame, dataset))

    def encoded(self, frame: pl.DataFrame) -> Batch:
        """A batch of events, to be asked about rule by rule: `Rule.source`, then `Rule.unfiltered`.

        Args:
            frame: events of one dataset, with the column `event.dataset`.
        """
        return Batch(self._plan, frame)

    def plan(self, columns: Mapping[str, Collection[str]]) -> list[NotRun]:
        """The rules and correlations that no event of the input can match, and why.

        Also those that ran out of time on some event. Rules that only serve others are left to those. Time
        runs out in `match`, so ask after it.

        Args:
            columns: dataset → the columns that any of its events has.
        """
        given = Input(columns)
        stopped = {index: reason for index, rule in enumerate(self.rules) if (reason := blocked(rule, given))}
        not_run = [
            NotRun(self.rules[index].id, self.rules[index].title, reason)
            for index, reason in stopped.items()
            if not self.rules[index].silent
        ]
        stuck = {key: reason for index, reason in stopped.items() for key in _keys(self.rules[index])}
        named = {key: rule for rule in self.rules for key in _keys(rule)}
        for correlation in self.correlations:
            lost = [name for name in correlation.rules if name in stuck]
            reasons = {name: f"{name} cannot run: {stuck[name]}" for name in lost}
            for name in correlation.rules:
                if name in named and name not in reasons:
                    rule = named[name]
                    feeding = [given[dataset] for dataset in given.feeding(rule)]
                    reason = uncounted(correlation, name, rule, self.taxonomy, feeding)
                    reasons |= {name: reason} if reason else {}
            if not reasons or correlation.can_hold_without(reasons):
                continue
            stuck |= dict.fromkeys(_keys(correlation), next(iter(reasons.values())))
            if not correlation.silent:
                not_run.append(NotRun(correlation.id, correlation.title, "; ".join(reasons.values())))
        return [*not_run, *self._late()]

    def _late(self) -> Iterator[NotRun]:
        """The rules whose regular expressions were given up on some text."""
        late = {one.pattern: one for plan in (self._plan, self._sieve.plan) for one in plan.late.timed_out()}
        for rule in self.rules if late else ():
            for source in dict.fromkeys(_regexes(rule.condition)):
                if source in late:
                    yield NotRun(rule.id, rule.title, f"not run on every event: {late[source]}")

    def blocked(self, columns: Mapping[str, Collection[str]]) -> list[str | None]:
        """For each rule of `rules`, why no event of the input can match it; None if one can."""
        given = Input(columns)
        return [blocked(rule, given) for rule in self.rules]

    def partly(self, columns: Mapping[str, Collection[str]]) -> list[NotRun]:
        """The rules that can match though some of their selections cannot, and why these cannot.

        Args:
            columns: dataset → the columns that any of its events has.
        """
        given = Input(columns)
        return [
            NotRun(rule.id, rule.title, f"runs, but {reason}")
            for rule in self.rules
            if not rule.silent and blocked(rule, given) is None
            for reason in partly(rule, given)
        ]


def _regexes(node: tree.Node) -> Iterator[str]:
    """The regular expressions of a condition, as `TimedOut.pattern` names them."""
    values = [value for item in tree.items(node) for value in item.values]
    while values:
        value = values.pop()
        if isinstance(value, tree.AnyOf):
            values += value.values
        elif isinstance(value, tree.Regex):
            yield str(value)


def _keys(rule: Rule | Correlation) -> tuple[str, ...]:
    return tuple(key for key in (rule.id, rule.name) if key)
