"""The examples beside rules, run: what each rule made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from analysis.anomaly import Anomalies, AnomalyError, parse
from analysis.sigma.correlations.correlate import Correlations
from analysis.sigma.correlations.correlation import Correlation
from analysis.sigma.matching.match import Plan
from analysis.sigma.reading.documents import SUFFIXES, RuleError
from analysis.workbench.examples import MATCH, NOMATCH, frame_of, read_events
from analysis.workbench.explain.explaining import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import polars as pl

    from analysis.sigma.pack import RulePack
    from analysis.sigma.reading.rule import Rule

_TOLD: Final = 20  # lines of what a story came to


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the examples of one rule showed.

    Attributes:
        kind: rule, correlation or anomaly.
        matching, others: events in the one file and in the other.
        failures: each example that is wrong, with its place and the explanation.
    """

    path: Path
    title: str
    kind: str
    matching: int = 0
    others: int = 0
    failures: tuple[RuleError, ...] = ()

    @property
    def untested(self) -> bool:
        """Whether there was nothing to test it with."""
        return not self.matching and not self.others and not self.failures

    def as_json(self) -> dict[str, Any]:
        """The outcome as an object of JSON."""
        return {
            "file": str(self.path),
            "title": self.title,
            "kind": self.kind,
            "match": self.matching,
            "nomatch": self.others,
            "failed": [
                {"file": str(one.path), "line": one.line, "message": one.message} for one in self.failures
            ],
        }


def run_examples(pack: RulePack, asked: Callable[[Path], bool] = lambda _path: True) -> list[Outcome]:
    """The examples of rules, correlations and anomaly rules of a pack, in order of file.

    Args:
        pack: the rules, and those that they count.
        asked: whether the rules of a file are to be tested.
    """
    outcomes = [_run(rule, pack) for rule in pack.rules if asked(rule.path)]
    outcomes += [
        _tell(one.path, one.title, "correlation", partial(_correlates, one, pack), partial(_told, one, pack))
        for one in pack.correlations
        if asked(one.path) and not one.silent
    ]
    outcomes += [
        _tell(
            path,
            str(document.get("title", path.stem)),
            "anomaly",
            partial(_stands_out, document, path, pack),
            partial(_told, document, pack),
        )
        for document, path in pack.anomalies
        if asked(path)
    ]
    return sorted(outcomes, key=lambda outcome: (str(outcome.path), outcome.title))


def orphans(folders: Iterable[Path]) -> Iterator[RuleError]:
    """Files of examples without a rule beside them; they test nothing."""
    for folder in folders:
        for path in sorted(folder.rglob("*.ndjson")) if folder.is_dir() else ():
            stem = path.name.removesuffix(MATCH).removesuffix(NOMATCH)
            if stem != path.name and not any(path.with_name(stem + ending).is_file() for ending in SUFFIXES):
                yield RuleError(path, 1, 1, f"there is no rule {stem}.yml beside these examples; rename them")


def _examples(path: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[RuleError]]:
    """The events of a file, if there is one, by line, and the lines that are none."""
    found = list(read_events(path)) if path.is_file() else []
    events = [(line, event) for line, event in found if not isinstance(event, str)]
    return events, [RuleError(path, line, 1, event) for line, event in found if isinstance(event, str)]


def _run(rule: Rule, pack: RulePack) -> Outcome:
    failures: list[RuleError] = []
    counts = []
    for suffix, wanted in ((MATCH, True), (NOMATCH, False)):
        path = rule.path.with_name(rule.path.stem + suffix)
        events, unread = _examples(path)
        counts.append(len(events))
        failures += [*unread, *_wrong(rule, pack, path, events, wanted=wanted)]
    return Outcome(rule.path, rule.title, "rule", counts[0], counts[1], tuple(failures))


def _tell(
    path: Path,
    title: str,
    kind: str,
    finds: Callable[[pl.DataFrame], bool],
    why: Callable[[Path, list[int], pl.DataFrame], Iterable[str]],
) -> Outcome:
    """The outcome of a rule whose examples are stories."""
    failures: list[RuleError] = []
    counts = []
    for suffix, wanted in ((MATCH, True), (NOMATCH, False)):
        place = path.with_name(path.stem + suffix)
        events, unread = _examples(place)
        counts.append(len(events))
        timeless = [line for line, event in events if event.get("@timestamp") is None]
        unread += [RuleError(place, line, 1, "an event of a story needs a `@timestamp`") for line in timeless]
        failures += unread
        if not events or timeless:
            continue
        try:
            frame = frame_of([event for _, event in events])
            found = finds(frame)
        except AnomalyError as error:
            failures.append(RuleError(path, 1, 1, str(error)))
            continue
        if found != wanted:
            said = "should make a finding and do not" if wanted else "should make no finding and do"
            lines = why(path, [line for line, _ in events], frame)
            failures.append(RuleError(place, 1, 1, "\n  ".join([f"these events {said}", *lines])))
    return Outcome(path, title, kind, counts[0], counts[1], tuple(failures))


def _correlates(correlation: Correlation, pack: RulePack, frame: pl.DataFrame) -> bool:
    gathered = Correlations(pack)
    gathered.add(frame, pack.match(frame, ""))
    return any(finding.detection == correlation.id for finding in gathered.find())


def _stands_out(document: Mapping[str, Any], path: Path, pack: RulePack, frame: pl.DataFrame) -> bool:
    return any(True for _ in _learned(document, path, pack, frame).find())


def _learned(document: Mapping[str, Any], path: Path, pack: RulePack, frame: pl.DataFrame) -> Anomalies:
    learned = Anomalies([parse(document, path)])
    names = [rule.name or rule.id for rule in pack.rules]
    for part in frame.partition_by("event.dataset", maintain_order=True):
        learned.add(part, pack.match(part, ""), names)
    return learned


def _told(
    one: Correlation | Mapping[str, Any], pack: RulePack, path: Path, lines: list[int], frame: pl.DataFrame
) -> Iterator[str]:
    """What a correlation or an anomaly rule made of a story."""
    rule = one if isinstance(one, Correlation) else parse(one, path)
    events = [(f"line {line}", event) for line, event in zip(lines, frame.iter_rows(named=True), strict=True)]
    told = [line for said in explained(rule, pack, events) for line in said.details()]
    yield from told if len(told) <= _TOLD else [*told[: _TOLD // 2], "…", *told[-_TOLD // 2 :]]
    if not isinstance(one, Correlation):
        learned = _learned(one, path, pack, frame)
        yield from (f"{each.reason}" for each in learned.not_run())


def _wrong(
    rule: Rule, pack: RulePack, path: Path, events: list[tuple[int, dict[str, Any]]], *, wanted: bool
) -> Iterator[RuleError]:
    if not events:
        return
    frame = frame_of([event for _, event in events])
    plan = Plan([None if rule.source is None else (rule.source, rule.condition)])
    matched = set(plan.match(frame, "")["row"])
    for row, (line, _) in enumerate(events):
        if (row in matched) != wanted:
            said = "should match and does not" if wanted else "should not match and does"
            (why,) = explained(rule, pack, [("", frame.row(row, named=True))])
            yield RuleError(path, line, 1, "\n  ".join([f"this event {said}", *why.details()]))
