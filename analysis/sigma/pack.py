"""A rule pack: what the hunt runs, what it cannot run, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis.finding import NotRun
from analysis.sigma import tree
from analysis.sigma.column import present_columns
from analysis.sigma.explain import matches
from analysis.sigma.filters import in_force, notes, today
from analysis.sigma.kept import load_kept
from analysis.sigma.match import Plan
from analysis.sigma.sieve import Sieve, Sifted
from analysis.sigma.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from analysis.sigma.correlation import Correlation
    from analysis.sigma.documents import RuleError
    from analysis.sigma.filters import Filter
    from analysis.sigma.rule import Rule


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

    def plan(self, columns: Mapping[str, Collection[str]]) -> list[NotRun]:
        """The rules and correlations that no event of the input can match, and why.

        Also those that ran out of time on some event. Rules that only serve others are left to those. Time
        runs out in `match`, so ask after it.

        Args:
            columns: dataset → the columns that any of its events has.
        """
        blocked = {index: reason for index, reason in enumerate(self.blocked(columns)) if reason}
        by_name = {key: self.rules[index] for index in blocked for key in _keys(self.rules[index])}
        not_run = [
            NotRun(self.rules[index].id, self.rules[index].title, reason)
            for index, reason in blocked.items()
            if not self.rules[index].silent
        ]
        stuck = {key: blocked[self.rules.index(rule)] for key, rule in by_name.items()}
        for correlation in self.correlations:
            reasons = [f"{name} cannot run: {stuck[name]}" for name in correlation.rules if name in stuck]
            needs_all = correlation.kind.startswith("temporal") and correlation.expression is None
            if not reasons or (len(reasons) < len(correlation.rules) and not needs_all):
                continue
            stuck |= dict.fromkeys(_keys(correlation), reasons[0])
            if not correlation.silent:
                not_run.append(NotRun(correlation.id, correlation.title, "; ".join(reasons)))
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
        return [_blocked(rule, columns) for rule in self.rules]


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


def _blocked(rule: Rule, columns: Mapping[str, Collection[str]]) -> str | None:
    if rule.source is None:
        return f"molehunt reads no logs of {rule.logsource}"
    feeding = [name for name, have in columns.items() if possible(rule.source, have, name) is not False]
    if not feeding:
        return f"the input has no events of {rule.logsource}"
    missing: set[str] | None = None
    for name in feeding:
        if possible(rule.condition, columns[name], name) is not False:
            return None
        absent = {f.name for f in tree.fields(rule.condition) if not present_columns(f, columns[name])}
        missing = absent if missing is None or len(absent) < len(missing) else missing
    if not missing:
        return f"its condition asks for what no event of {rule.logsource} in the input can be"
    return f"no event of {rule.logsource} carries {', '.join(sorted(missing))}"


def possible(node: tree.Node, columns: Collection[str], dataset: str) -> bool | None:
    """Whether events of a dataset with these columns can match: no, always, or perhaps (None)."""
    match node:
        case tree.Item():
            return _possible_item(node, columns, dataset)
        case tree.Not(child):
            answer = possible(child, columns, dataset)
            return None if answer is None else not answer
        case tree.And(children):
            answers = [possible(child, columns, dataset) for child in children]
            return False if False in answers else None if None in answers else True
        case tree.Or(children):
            answers = [possible(child, columns, dataset) for child in children]
            return True if True in answers else None if None in answers else False


def _possible_item(item: tree.Item, columns: Collection[str], dataset: str) -> bool | None:
    if item.field is None:
        return None
    if item.field.columns == ("event.dataset",):
        if any(isinstance(value, tree.Null | tree.Exists | tree.Reference) for value in item.values):
            return None
        link = all if item.every else any
        return link(matches(value, dataset) for value in item.values) != item.negated
    if present_columns(item.field, columns):
        return None
    answers = [
        isinstance(value, tree.Null) or (isinstance(value, tree.Exists) and not value.exists)
        for value in item.values
    ]
    return (all(answers) if item.every else any(answers)) != item.negated
