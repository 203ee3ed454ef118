"""What a correlation makes of a few events, in words: which it counts, and how near its condition came.

Plain Python over each window, for stories that fit on a screen; `analysis.sigma.correlations` is what runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.sigma.correlations.correlation import COMPARED, TEMPORAL, Correlation
from analysis.sigma.explain import as_text, explain, values_of
from analysis.workbench.explain.nearest import misses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from analysis.sigma.pack import RulePack
    from analysis.sigma.reading.rule import Rule

_MEASURES: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "value_sum": fsum, "value_avg": fmean, "value_median": median,
}  # fmt: skip
_NO_TIME: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Counted:
    """An event that a correlation counts.

    Attributes:
        place: as the reader knows it: a line.
        rule: which of the counted rules it matches.
        group: the values of the group-by fields; None if it lacks one, and is left out.
        lacks: the group-by field that it lacks.
        values: those of the field that is measured.
    """

    place: str
    rule: str
    at: datetime
    group: tuple[str, ...] | None
    lacks: str
    values: tuple[str, ...]


def counted(
    one: Correlation, pack: RulePack, events: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[Counted]:
    """The events that one of the rules of a correlation matches, each for each rule."""
    rules = [rule for rule in pack.rules if {rule.id, rule.name} & set(one.rules)]
    for place, event in events:
        for rule in rules:
            if explain(rule, event).matched:
                yield _counted(one, pack, rule, place, event)


def _counted(one: Correlation, pack: RulePack, rule: Rule, place: str, event: Mapping[str, Any]) -> Counted:
    def values(name: str) -> list[str]:
        return [as_text(value) for value in values_of(pack.taxonomy.field(name, rule.logsource), event)]

    group: list[str] = []
    lacks = ""
    for name in one.group_by:
        alias = one.aliases.get(name, {})
        found = values(alias.get(rule.name) or alias.get(rule.id) or name)
        lacks = lacks or ("" if found else name)
        group.append(", ".join(found))
    at = event.get("@timestamp")
    return Counted(
        place,
        rule.name or rule.title,
        at if isinstance(at, datetime) else _NO_TIME,
        None if lacks else tuple(group),
        lacks,
        tuple(
            " and ".join(part) for part in [[value for name in one.counted for value in values(name)]] if part
        ),
    )


def told(one: Correlation, pack: RulePack, events: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Lines that say what a correlation counts of some events."""
    by = f" by {', '.join(one.group_by)}" if one.group_by else ""
    needs = " and ".join(f"{name} {number:g}" for name, number in one.bounds)
    condition = str(one.document["correlation"].get("condition") or needs) if one.kind in TEMPORAL else needs
    of = f" of {', '.join(one.counted)}" if one.counted else ""
    span = one.document["correlation"].get("timespan")
    yield f"it needs {one.kind}{of} {condition} in {span}{by}; it counts {', '.join(one.rules)}"
    outer = {key for other in pack.correlations for key in (other.id, other.name) if key in one.rules}
    if outer:
        yield f"what {', '.join(sorted(outer))} counts is another correlation: explain that one first"
    found = list(counted(one, pack, events))
    places = {item.place for item in found}
    for place, event in events:
        if place not in places:
            yield f"{place}: not counted"
            yield from (f"  {line}" for line in _why_not(one, pack, event))
    for item in found:
        if item.group is None:
            yield f"{item.place}: {item.rule}, but it lacks {item.lacks}, so it is left out"
    yield from _windows(one, [item for item in found if item.group is not None])


def _why_not(one: Correlation, pack: RulePack, event: Mapping[str, Any]) -> Iterator[str]:
    for rule in pack.rules:
        if {rule.id, rule.name} & set(one.rules):
            near = misses(rule.condition, event)
            why = str(near[0]) if near else f"it is not of {rule.logsource}"
            yield f"{rule.name or rule.title}: {why}"


def _windows(one: Correlation, found: Sequence[Counted]) -> Iterator[str]:
    """The window of each group in which most was measured."""
    for group in dict.fromkeys(item.group for item in found):
        mine = sorted((item for item in found if item.group == group), key=lambda item: item.at)
        windows = [[item for item in mine if end.at - one.timespan <= item.at <= end.at] for end in mine]
        best = max(windows, key=lambda window: _measured(one, window)[0])
        number, words = _measured(one, best)
        known = one.expression is None and not (one.kind == "value_percentile" and one.tells_values_apart)
        holds = all(COMPARED[name](number, bound) for name, bound in one.bounds)
        said = (", enough" if holds else ", not enough") if known else ""
        named = ", ".join(f"{name} {value}" for name, value in zip(one.group_by, group or (), strict=True))
        where = f"for {named}, " if named else ""
        yield f"{where}{len(mine)} counted; most in one window: {words or f'{number:g}'}{said}"


def _measured(one: Correlation, window: Sequence[Counted]) -> tuple[float, str]:
    """What a correlation compares, for one window; in words, if it is no number."""
    seen = dict.fromkeys(item.rule for item in window)
    if one.kind in TEMPORAL:
        return len(seen), ", ".join(seen)
    if one.kind == "event_count":
        return len({item.place for item in window}), ""
    values = [value for item in window for value in item.values]
    if one.tells_values_apart:
        return len(set(values)), f"{len(set(values))} ({', '.join(list(dict.fromkeys(values))[:5])})"
    numbers = sorted(number for value in values if (number := _number(value)) is not None)
    if not numbers:
        return 0.0, "no number"
    if one.kind == "value_percentile":
        return float(np.percentile(numbers, one.percentile or 0)), ""
    return _MEASURES[one.kind](numbers), ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
