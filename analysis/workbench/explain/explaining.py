"""Rules and events, explained: step by step, then what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analysis.anomaly import AnomalyRule
from analysis.sigma import tree
from analysis.sigma.correlations.correlation import Correlation
from analysis.sigma.explain import true_of
from analysis.sigma.reading.rule import Rule
from analysis.workbench.explain.counting import counted, told
from analysis.workbench.explain.nearest import Miss, has, misses, shown
from analysis.workbench.new.telling import logsource_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from analysis.sigma.filters import Filter
    from analysis.sigma.pack import RulePack
    from analysis.workbench.chosen import Detection

    Event = tuple[str, Mapping[str, Any]]  # its place, and its columns


_SAID: Final = {
    Rule: ("matches", "does not match"),
    Correlation: ("counted by", "not all counted by"),
    AnomalyRule: ("measured by", "not all measured by"),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A rule and an event (or, of what counts, some events).

    Attributes:
        steps: the conditions, indented, each with yes or no.
        misses: the fewest items that would have to be otherwise.
        held_back: the filters that keep the event from it.
        told: what else there is to say.
    """

    rule: Detection
    place: str
    matched: bool
    steps: tuple[str, ...] = ()
    misses: tuple[Miss, ...] = ()
    held_back: tuple[Filter, ...] = ()
    told: tuple[str, ...] = ()

    def text(self) -> str:
        """For people."""
        yes, no = _SAID[type(self.rule)]
        head = f"{self.place}: {yes if self.matched else no} {self.rule.title!r}"
        return "\n".join([head, *self.details()])

    def details(self) -> Iterator[str]:
        """The same, line by line, without which rule and event it is about."""
        yield from (f"  {line}" for line in self.steps)
        if self.misses:
            yield f"closest: {len(self.misses)} to go" if len(self.misses) > 1 else "closest: one to go"
            yield from (f"  {miss}" for miss in self.misses)
        for one in self.held_back:
            until = f" until {one.expires}" if one.expires else ""
            yield f"held back by the filter {one.title!r} ({one.path}:{one.line}), {one.owner}{until}"
        yield from self.told

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "rule.id": self.rule.id,
            "title": self.rule.title,
            "file": str(self.rule.path),
            "event": self.place,
            "matched": self.matched,
            "steps": list(self.steps),
            "missing": [
                {
                    "selection": miss.item.selection,
                    "field": miss.item.field.name if miss.item.field else None,
                    "asked": shown(miss.item),
                    "wanted": miss.wanted,
                    "found": miss.found,
                    "hint": miss.hint,
                }
                for miss in self.misses
            ],
            "held_back": [
                {"filter": one.id, "title": one.title, "file": str(one.path), "owner": one.owner}
                for one in self.held_back
            ],
            "told": list(self.told),
        }


def explained(one: Detection, pack: RulePack, events: Sequence[Event]) -> Iterator[Explained]:
    """A rule, event by event; a correlation or an anomaly rule, of all of them together.

    Args:
        one: of `pack`.
        pack: with the rules that it counts, and the filters.
        events: the place of each, for the reader, and its columns.
    """
    if isinstance(one, Rule):
        for place, event in events:
            yield _rule(one, place, event, pack.filters)
        return
    places = ", ".join(place for place, _ in events)
    if isinstance(one, Correlation):
        found = {item.place for item in counted(one, pack, events) if item.group is not None}
        lines = tuple(told(one, pack, events))
        yield Explained(one, places, len(found) == len(events), told=lines)
    else:
        yield _learned(one, places, pack, events)


def _rule(rule: Rule, place: str, event: Mapping[str, Any], filters: Sequence[Filter]) -> Explained:
    if rule.source is None:
        said = f"no sensor makes events of {rule.logsource}; the rule is never run"
        return Explained(rule, place, matched=False, told=(said,))
    of_source = true_of(rule.source, event)
    matched = of_source and true_of(rule.condition, event)
    steps = (f"{_word(of_source)} logsource {rule.logsource}", *_steps(rule.unfiltered, event))
    added = tuple(
        f"{'yes' if true_of(asked, event) else 'no '} filter {filters[number].title!r}"
        for number, asked in rule.filters
    )
    held = tuple(filters[number] for number, asked in rule.filters if not true_of(asked, event))
    more = [] if of_source else [f"the event is of {logsource_of(event)}"]
    more += ["it makes no findings of its own: others count it"] if rule.silent else []
    near = misses(rule.unfiltered, event)
    return Explained(rule, place, matched, (*steps, *added), near, () if near else held, tuple(more))


def _word(truth: bool) -> str:  # noqa: FBT001 - it is what is put into words
    return "yes" if truth else "no "


def _steps(node: tree.Node, event: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """The conditions as indented lines; of an item with many values, those that the event has."""
    said = _word(true_of(node, event))
    indent = "  " * depth
    match node:
        case tree.Item():
            found = has(node, event)
            yield f"{said} {indent}{shown(node, event)}{f'; {found}' if found else ''}"
        case tree.Not(child):
            yield f"{said} {indent}not"
            yield from _steps(child, event, depth + 1)
        case tree.And(children) | tree.Or(children):
            yield f"{said} {indent}{'all of' if isinstance(node, tree.And) else 'any of'}"
            for child in children:
                yield from _steps(child, event, depth + 1)


def _learned(one: AnomalyRule, places: str, pack: RulePack, events: Sequence[Event]) -> Explained:
    rules = [rule for rule in pack.rules if {rule.id, rule.name} & set(one.rules)]
    lines = [f"it measures {one.measure} of what {', '.join(one.rules)} pick, by {', '.join(one.group_by)}"]
    picked = 0
    for place, event in events:
        mine = [rule for rule in rules if rule.source is not None and true_of(rule.condition, event)]
        mine = [rule for rule in mine if rule.source is not None and true_of(rule.source, event)]
        picked += bool(mine)
        lines.append(f"{place}: {'measured, by ' + mine[0].name if mine else 'not measured'}")
        lines += [
            f"  {rule.name or rule.title}: {miss}"
            for rule in rules
            if not mine
            for miss in misses(rule.condition, event)[:1]
        ]
    lines.append("whether it stands out is learned from weeks of events: try molehunt rules backtest")
    return Explained(one, places, picked == len(events), told=tuple(lines))
