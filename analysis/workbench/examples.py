"""Examples beside a rule: all events of `x.match.ndjson` must match, and none of `x.nomatch.ndjson` may.

Of a correlation and of an anomaly rule each file is one story: the first must make a finding, the second must
not. An event is one line of JSON, ECS names dotted or nested, with `event.dataset` and whatever the analysis
would have added (`account`, `roster.*`, geography).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from analysis.anomaly import Anomalies, AnomalyError, parse
from analysis.sigma.correlate import Correlations
from analysis.sigma.correlation import Correlation
from analysis.sigma.documents import SUFFIXES, RuleError
from analysis.sigma.match import Plan
from analysis.sigma.taxonomy import is_column
from analysis.workbench.explaining import explained
from sensors.schema import dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from analysis.sigma.pack import RulePack
    from analysis.sigma.rule import Rule

MATCH: Final = ".match.ndjson"
NOMATCH: Final = ".nomatch.ndjson"
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


def read_events(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The events of a file of examples by line number; a text in the place of one says what is wrong."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        yield number, event_of(line)


def event_of(line: bytes) -> dict[str, Any] | str:
    """The event in a line of JSON, dotted names to values; a text in its place says what is wrong."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error}); write one event a line"
    if not isinstance(value, dict):
        return "an event is a JSON object; write {…} on one line"
    event = flat(value)
    unknown = [name for name in event if not is_column(name)]
    if unknown:
        return f"{unknown[0]!r} is no field of the schema (sensors/ecs.toml); correct its name"
    return event


def flat(event: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted names."""
    result: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def frame_of(events: list[dict[str, Any]]) -> pl.DataFrame:
    """Events as a frame, each column in its type of the schema; what the type cannot hold becomes null."""
    names = dict.fromkeys(name for event in events for name in event)
    return pl.DataFrame([_series(name, [event.get(name) for event in events]) for name in names])


def _series(name: str, values: list[Any]) -> pl.Series:
    kind = dtype(name) if not name.startswith("account") else pl.String()
    if kind == pl.List(pl.String):
        lists = [
            None if v is None else [str(one) for one in v] if isinstance(v, list) else [str(v)]
            for v in values
        ]
        return pl.Series(name, lists, dtype=kind)
    texts = pl.Series(name, [_text(value) for value in values], dtype=pl.String)
    if isinstance(kind, pl.Datetime):
        return texts.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if kind == pl.Boolean:
        return (texts == "true").alias(name)
    return texts.cast(kind, strict=False)


def _text(value: Any) -> str | None:  # noqa: ANN401 - a JSON value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
