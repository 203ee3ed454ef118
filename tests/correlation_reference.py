"""Correlations the slow way: plain Python, every window event by event. What the fast way is held to."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]
OPERATORS = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq,
    "neq": operator.ne,
}  # fmt: skip
LOWER = ("gt", "gte")
GROWS = ("event_count", "value_count", "value_sum", "temporal", "temporal_ordered")


@dataclass(frozen=True)
class Asked:
    """A correlation; `condition` is ("rule", index), ("not", x), ("and", …) or ("or", …)."""

    kind: str
    rules: tuple[Any, ...] = ("ra",)  # names of rules, or of what is `Asked` itself
    groups: tuple[str, ...] = ("user",)
    bounds: tuple[tuple[str, float], ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float | None = None
    condition: tuple[Any, ...] | None = None
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    span: int = 60
    name: str = "asked"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(rule.name if isinstance(rule, Asked) else rule for rule in self.rules)


@dataclass(frozen=True)
class Item:
    """An event in a group."""

    at: int
    rule: int
    event: int
    group: tuple[str, ...]
    values: tuple[Any, ...] = ()
    names: tuple[tuple[str, str], ...] = ()  # alias → field of this event
    of: tuple[str, ...] = ()  # the group of the correlation that passed it on


def folded(value: object) -> str:
    return str(value).casefold()


def listed(value: object) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if one is not None]


def matches(event: Event, rule: str) -> bool:
    return rule.removeprefix("r") in event["act"]


def field_of(asked: Asked, reference: str, name: str, below: dict[str, str]) -> str:
    own = asked.aliases.get(name, {}).get(reference, name)
    return below.get(own, own)


def grouped(asked: Asked, events: list[Event]) -> list[Item]:
    found: list[Item] = []
    for number, rule in enumerate(asked.rules):
        if isinstance(rule, Asked):
            found += passed_on(asked, number, rule, events)
            continue
        for index, event in enumerate(events):
            if event["at"] is None or not matches(event, rule):
                continue
            found += items_of(asked, number, index, event["at"], events, {})
    return found


def items_of(
    asked: Asked, number: int, index: int, at: int, events: list[Event], below: dict[str, str]
) -> list[Item]:
    reference = asked.names[number]
    names = {**below, **{a: field_of(asked, reference, a, below) for a in asked.aliases}}
    event = events[index]
    each = [sorted({folded(v) for v in listed(event[names.get(g, g)])}) for g in asked.groups]
    values = tuple(listed(event[names.get(f, f)]) or [None] for f in asked.fields)
    return [
        Item(at, number, index, group, tuple(product(*values)), tuple(sorted(names.items())))
        for group in product(*each)
    ]


def one_rule_an_event(asked: Asked, items: list[Item]) -> list[Item]:
    """Where events are counted, one that several rules matched counts once."""
    if asked.kind.startswith("temporal"):
        return items
    plain = [item for item in items if not item.of]
    plain.sort(key=lambda item: item.rule, reverse=True)
    first = {(item.event, item.group): item.rule for item in plain}
    return [item for item in items if item.of or first[item.event, item.group] == item.rule]


def number_of(value: object) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def measured(  # noqa: PLR0911 - a return for each kind
    asked: Asked, window: list[Item], own: Item
) -> float | None:
    if asked.kind == "event_count":
        return len(window)
    if asked.kind == "temporal":
        return len({item.rule for item in window})
    if asked.kind == "temporal_ordered":
        rules = range(len(asked.rules))
        return max(
            k for k in range(len(asked.rules) + 1) if any(in_order(window, c) for c in combinations(rules, k))
        )
    combined = [
        tuple(None if v is None else folded(v) for v in value) for item in window for value in item.values
    ]
    there = [value for value in combined if any(v is not None for v in value)]
    if asked.kind == "value_count":
        return len(set(there))
    if asked.kind == "value_percentile" and asked.percentile is None:
        (mine,) = [tuple(None if v is None else folded(v) for v in value) for value in own.values]
        return None if mine == (None,) else 100 * there.count(mine) / len(there)
    numbers = sorted(n for item in window for (v,) in item.values if (n := number_of(v)) is not None)
    if not numbers:
        return None
    if asked.kind == "value_sum":
        return math.fsum(numbers)
    if asked.kind == "value_avg":
        return math.fsum(numbers) / len(numbers)
    part = 50 if asked.kind == "value_median" else asked.percentile
    assert part is not None
    place = (len(numbers) - 1) * (part / 100)
    low, high = numbers[int(place)], numbers[min(int(place) + 1, len(numbers) - 1)]
    return low + (high - low) * (place - int(place))


def in_order(window: list[Item], rules: tuple[int, ...]) -> bool:
    at = -math.inf
    for rule in rules:
        times = [item.at for item in window if item.rule == rule and item.at >= at]
        if not times:
            return False
        at = min(times)
    return True


def holding(asked: Asked, events: list[Event]) -> list[tuple[Item, bool, float | None]]:
    """Every item, whether the condition holds when it arrives, and the number that it is asked of."""
    items = one_rule_an_event(asked, grouped(asked, events))
    found = []
    for item in items:
        group = [other for other in items if other.group == item.group]
        window = [other for other in group if item.at - asked.span <= other.at <= item.at]
        later = [other for other in group if item.at <= other.at <= item.at + asked.span]
        if asked.condition is not None:
            around = window + later
            rules = {other.rule for other in window}
            found.append((item, said(asked, window, {other.rule for other in around}), len(rules)))
            continue
        number = measured(asked, window, item)
        if number is None:
            found.append((item, False, None))
            continue
        holds = all(OPERATORS[how](number, bound) for how, bound in asked.bounds)
        if asked.kind in GROWS:
            ends = [[o for o in group if x.at - asked.span <= o.at <= x.at] for x in later]
            most = max(
                n for end, x in zip(ends, later, strict=True) if (n := measured(asked, end, x)) is not None
            )
            holds &= all(OPERATORS[how](most, bound) for how, bound in asked.bounds if how not in LOWER)
        found.append((item, holds, number))
    return found


def said(asked: Asked, window: list[Item], around: set[int]) -> bool:
    assert asked.condition is not None
    rules = range(len(asked.rules))
    if asked.kind == "temporal":
        return true(asked.condition, {item.rule for item in window}, around)
    return any(
        in_order(window, chosen) and true(asked.condition, set(chosen), around)
        for k in range(len(asked.rules) + 1)
        for chosen in combinations(rules, k)
    )


def true(condition: tuple[Any, ...], before: set[int], around: set[int], *, denied: bool = False) -> bool:
    """Whether a condition is true; `denied` asks for its opposite."""
    word, *parts = condition
    if word == "rule":
        return parts[0] not in around if denied else parts[0] in before
    if word == "not":
        return true(parts[0], before, around, denied=not denied)
    each = [true(part, before, around, denied=denied) for part in parts]
    return all(each) if (word == "and") != denied else any(each)


def passed_on(  # noqa: C901 - step by step, as the words of rules/README.md
    asked: Asked, number: int, inner: Asked, events: list[Event]
) -> list[Item]:
    """What fired, in the groups of the correlation that counts it."""
    found: dict[tuple[Any, ...], Item] = {}
    judged = holding(inner, events)
    for group in {item.group for item, _, _ in judged}:
        mine = sorted({item.at for item, _, _ in judged if item.group == group})
        fired = {item.at for item, holds, _ in judged if holds and item.group == group}
        runs: dict[int, int] = {}
        for before, at in zip([None, *mine], mine, strict=False):
            runs[at] = runs.get(before, at) if before in fired else at  # type: ignore[arg-type]
        for item in [item for item, _, _ in judged if item.group == group]:
            when = min((at for at in fired if item.at <= at <= item.at + inner.span), default=None)
            if when is None:
                continue
            for outer in items_of(asked, number, item.event, when, events, dict(item.names)):
                if any(  # a list that both group by: only the value that fired
                    dict(item.names).get(g, g) == dict(outer.names).get(h, h) and a != b
                    for g, a in zip(inner.groups, item.group, strict=True)
                    for h, b in zip(asked.groups, outer.group, strict=True)
                ):
                    continue
                told = replace(outer, of=group)
                same: tuple[Any, ...] = (group, outer.group, when)
                if not asked.kind.startswith("temporal"):
                    same = (group, outer.group, runs[when])
                    if asked.kind == "value_count":
                        for value in outer.values:
                            key = (*same, tuple(folded(v) for v in value))
                            if key not in found or told_by(told, events) < told_by(found[key], events):
                                found[key] = replace(told, values=(value,))
                        continue
                if same not in found or told_by(told, events) < told_by(found[same], events):
                    found[same] = told
    return list(found.values())


def told_by(item: Item, events: list[Event]) -> tuple[int, int, int]:
    """Which of several events tells of a firing: that it fired at, or the nearest; of equals, the first."""
    return item.at, -events[item.event]["at"], item.event


def findings(asked: Asked, events: list[Event]) -> list[tuple[tuple[str, ...], str, int, int, int]]:
    """Group, account, number of events, first and last of each finding."""
    judged = holding(asked, events)
    inside = [
        item
        for item, _, _ in judged
        if any(
            holds and other.group == item.group and item.at <= other.at <= item.at + asked.span
            for other, holds, _ in judged
        )
    ]
    told = []
    for group, account in sorted({(item.group, str(events[item.event]["account"] or "")) for item in inside}):
        mine = [i for i in inside if i.group == group and str(events[i.event]["account"] or "") == account]
        times = [item.at for item in mine]
        told.append((group, account, len({item.event for item in mine}), min(times), max(times)))
    return told
