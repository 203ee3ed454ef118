"""How close a rule came to an event: the fewest items that would have to be otherwise, and why they fail."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Any, Final

from analysis.sigma import tree
from analysis.sigma.explain import as_text, matches, true_of, values_of
from analysis.sigma.fold import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ADDED: Final = ("account", "roster.", "molehunt.source.network")  # by the hunt, to what sensors read
_LONGEST: Final = 200
_SHOWN: Final = 3  # values of an item that are shown, if it has many
_OF_ONE: Final = (tree.Text, tree.Number, tree.Truth, tree.Regex, tree.Network, tree.Compare, tree.AnyOf)


@dataclass(frozen=True, slots=True)
class Miss:
    """An item that keeps a rule from matching an event.

    Attributes:
        wanted: whether it would have to be true; false for what a `not` denies.
        found: the event's own values, as text; "" if it has none.
        hint: what is near, or what to do; "" if nothing is known.
    """

    item: tree.Item
    wanted: bool
    found: str
    hint: str

    def __str__(self) -> str:
        found = f"; the event has {self.found}" if self.found else "; the event has no value there"
        asked = f"{'' if self.wanted else 'not '}{shown(self.item)}"
        return f"{asked}{'' if self.item.field is None else found}{f': {self.hint}' if self.hint else ''}"


def misses(node: tree.Node, event: Mapping[str, Any]) -> tuple[Miss, ...]:
    """The fewest items that would have to be otherwise for `node` to be true of `event`; () if it is."""
    return tuple(
        Miss(item, wanted, _found(item, event), _hint(item, event) if wanted else "")
        for item, wanted in _fewest(node, event, wanted=True) or ()
    )


def _fewest(
    node: tree.Node, event: Mapping[str, Any], *, wanted: bool
) -> tuple[tuple[tree.Item, bool], ...] | None:
    """The items to change for `node` to be `wanted`; None if no change can make it so."""
    if isinstance(node, tree.Item):
        return () if true_of(node, event) == wanted else ((node, wanted),)
    if isinstance(node, tree.Not):
        return _fewest(node.child, event, wanted=not wanted)
    parts = [_fewest(child, event, wanted=wanted) for child in node.children]
    possible = [part for part in parts if part is not None]
    if isinstance(node, tree.And) == wanted:  # all of them must be so
        return tuple(item for part in possible for item in part) if len(possible) == len(parts) else None
    return min(possible, key=len, default=None)


def shown(item: tree.Item, event: Mapping[str, Any] | None = None) -> str:
    """An item in words, of many values only a few: those that an event has, if any."""
    values = item.values
    if len(values) > _SHOWN:
        found = values_of(item.field, event) if event is not None and item.field is not None else []
        true = [value for value in values if isinstance(value, _OF_ONE) and _true_of_one(value, found)]
        values = tuple(true or values)[:_SHOWN]
    name = item.field.name if item.field else "any field"
    link = " and " if item.every else " or "
    asked = link.join(dict.fromkeys(_words(value) for value in values))[:_LONGEST]
    more = len(item.values) - len(values)
    others = f" ({more} more)" if more else ""
    return f"{item.selection}: {name} {'not: ' if item.negated else ''}{asked}{others}"


def has(item: tree.Item, event: Mapping[str, Any]) -> str:
    """What an event has in the field of an item, in words."""
    found = _found(item, event)
    return "" if item.field is None else f"the event has {found}" if found else "the event has no value there"


def _true_of_one(value: tree.Value, found: Sequence[object]) -> bool:
    return any(matches(value, one) for one in found)


def _words(value: tree.Value) -> str:
    match value:
        case tree.Text(parts, cased):
            literal = "".join(part if isinstance(part, str) else part.value for part in parts)
            inner = [part for part in parts if part is not tree.Wild.ANY]
            how, text = "is", literal
            if len(inner) == 1 and isinstance(inner[0], str) and len(parts) > 1:
                begins, ends = parts[0] is not tree.Wild.ANY, parts[-1] is not tree.Wild.ANY
                how = "begins with" if begins else "ends with" if ends else "contains"
                text = inner[0]
            elif len(inner) != len(parts) or tree.Wild.ONE in parts:
                how = "is like"
            return f"{how} '{text}'" + (" in this case" if cased else "")
        case tree.Number() | tree.Truth() | tree.Null():
            return f"is {value}"
        case tree.Regex():
            return f"matches {value}"
        case tree.Network():
            return f"is {value}"
        case tree.AnyOf(values):
            return " or ".join(dict.fromkeys(_words(inner) for inner in values[:_SHOWN]))
    return str(value)


def _found(item: tree.Item, event: Mapping[str, Any]) -> str:
    if item.field is None:
        return ""
    return ", ".join(as_text(one) for one in values_of(item.field, event))[:_LONGEST]


def _hint(item: tree.Item, event: Mapping[str, Any]) -> str:
    if item.field is None:
        return "no field has it"
    found = [as_text(one) for one in values_of(item.field, event)]
    if not found:
        return _elsewhere(item, event)
    best = max(
        ((_alike(text, one), text, one) for text in _texts(item.values) for one in found),
        key=lambda triple: triple[0],
        default=None,
    )
    return "" if best is None else _difference(best[1], best[2], asked=len(item.values))


def _texts(values: tuple[tree.Value, ...]) -> Iterator[tree.Text]:
    for value in values:
        if isinstance(value, tree.Text):
            yield value
        elif isinstance(value, tree.AnyOf):
            yield from _texts(value.values)


def _alike(text: tree.Text, found: str) -> float:
    return SequenceMatcher(None, fold(_literal(text))[:_LONGEST], fold(found)[:_LONGEST]).ratio()


def _literal(text: tree.Text) -> str:
    return "".join(part for part in text.parts if isinstance(part, str))


def _difference(text: tree.Text, found: str, *, asked: int) -> str:
    """What sets the event's value apart from the one asked for that is nearest to it."""
    literal = _literal(text)
    nearest = f"nearest is: {_words(text)}" if asked > 1 else ""
    if text.cased and fold(literal) == fold(found):
        return "it differs in case only"
    if fold(literal.strip(" .\t")) == fold(found.strip(" .\t")):
        return "it differs in a dot or a blank at an end"
    if literal and fold(literal) in fold(found):
        where = "begins with" if fold(found).startswith(fold(literal)) else "contains"
        where = "ends with" if fold(found).endswith(fold(literal)) and where == "contains" else where
        modifier = {"begins with": "startswith", "contains": "contains", "ends with": "endswith"}[where]
        return f"it {where} {literal!r}: would |{modifier} be right?"
    return nearest


def _elsewhere(item: tree.Item, event: Mapping[str, Any]) -> str:
    """Where an event has what its field does not hold."""
    columns = item.field.sources if item.field else ()
    if any(name.startswith(_ADDED) for name in columns):
        return "a hunt adds it to events; write it into an example to try the rule"
    for name, value in event.items():
        values = value if isinstance(value, list) else [value]
        for text in _texts(item.values):
            if any(one is not None and matches(text, one) for one in values):
                return f"{name} has it"
    named = item.field.name if item.field else ""
    if columns and tuple(columns) != (named,):
        return f"{named} stands for {', '.join(columns)}"
    near = get_close_matches(named, [str(name) for name in event], n=1, cutoff=0.75)
    return f"it has {near[0]}" if near else ""
