"""One rule and one event, slowly and plainly: which item of which selection matched, and what failed.

It is what the fast evaluation in `match.py` is held to by tests, so it shares nothing with it but the tree:
plain Python over a mapping of columns to values. Only regular expressions go to the same engines, because
their dialect is by definition those engines'.
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.sigma import tree
from analysis.sigma.fold import fold
from analysis.sigma.matching.keywords import is_content
from analysis.sigma.regex import Late, compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from analysis.sigma.reading.rule import Rule

_COMPARE: Final = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq,
}  # fmt: skip
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?"
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
# Columns that a JSON event names with null: there, though without a value.
NULL_FIELDS: Final = "molehunt.null_fields"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One step of a rule and whether it was true of the event.

    Attributes:
        text: the step in words: an item with its values, or and, or, not.
        found: the event's own values of an item's field, as text.
    """

    text: str
    matched: bool
    found: str = ""
    parts: tuple[Explanation, ...] = ()

    def lines(self, indent: int = 0) -> Iterator[str]:
        """The steps as indented lines of text."""
        said = f" (the event has {self.found})" if self.found else ""
        yield f"{'  ' * indent}{'yes' if self.matched else 'no '}  {self.text}{said}"
        for part in self.parts:
            yield from part.lines(indent + 1)


def explain(rule: Rule, event: Mapping[str, Any]) -> Explanation:
    """Whether `rule` matches `event`, step by step.

    Args:
        rule: any rule of a pack.
        event: dotted column names to values; a column that is missing or None has no value.
    """
    if rule.source is None:
        return Explanation(f"no sensor makes events of logsource {rule.logsource}", matched=False)
    source = _explained(rule.source, event)
    condition = _explained(rule.condition, event)
    matched = source.matched and condition.matched
    parts = (
        Explanation(f"logsource {rule.logsource}", source.matched, parts=(source,)),
        Explanation("detection", condition.matched, parts=(condition,)),
    )
    return Explanation(rule.title, matched, parts=parts)


def _explained(node: tree.Node, event: Mapping[str, Any]) -> Explanation:
    match node:
        case tree.Item():
            found = None if node.field is None else values_of(node.field, event)
            shown = "" if node.field is None else ", ".join(as_text(one) for one in found or []) or "no value"
            matched = true_of(node, event)
            late = any(_late(value, found or []) for value in node.values)
            return Explanation(str(node) + late * " (given up: out of time)", matched, shown[:200])
        case tree.Not(child):
            part = _explained(child, event)
            return Explanation("not", not part.matched, parts=(part,))
        case tree.And(children):
            parts = tuple(_explained(child, event) for child in children)
            return Explanation("all of", all(part.matched for part in parts), parts=parts)
        case tree.Or(children):
            parts = tuple(_explained(child, event) for child in children)
            return Explanation("any of", any(part.matched for part in parts), parts=parts)


def _late(value: tree.Value, found: Sequence[object]) -> bool:
    """Whether an expression ran out of time on any of the values."""
    if isinstance(value, tree.AnyOf):
        return any(_late(inner, found) for inner in value.values)
    if not isinstance(value, tree.Regex):
        return False
    return any(_searched(value.pattern, value.flags, as_text(one)) is None for one in found)


def true_of(node: tree.Node, event: Mapping[str, Any]) -> bool:
    """Whether `node` is true of `event`."""
    match node:
        case tree.Item():
            link = all if node.every else any
            return link(_value_true(value, node.field, event) for value in node.values) != node.negated
        case tree.Not(child):
            return not true_of(child, event)
        case tree.And(children):
            return all(true_of(child, event) for child in children)
        case tree.Or(children):
            return any(true_of(child, event) for child in children)


def values_of(field: tree.Field, event: Mapping[str, Any]) -> list[Any]:
    """The values of a field in an event: of the first of its columns that has any; none if none has."""
    for column in field.columns:
        whole = column in event or "{" not in column
        value = event.get(column) if whole else _put_together(column, event)
        if value is not None:
            return _listed(value)
    return []


def _listed(value: object) -> list[Any]:
    """The values of a column, none of them null."""
    found = value if isinstance(value, list) else [value]
    return [one for one in found if one is not None]


def _put_together(column: str, event: Mapping[str, Any]) -> str | None:
    """`{a}b{c}` with the values of a and c; None if one has none, or several."""
    parts = []
    for text, name in tree.pieces(column):
        found = "" if name is None else event.get(name)
        if found is None or isinstance(found, list):
            return None
        parts += [text, as_text(found)]
    return "".join(parts)


def _value_true(value: tree.Value, field: tree.Field | None, event: Mapping[str, Any]) -> bool:
    if field is None:
        return any(matches(value, one) for name in event if is_content(name) for one in _listed(event[name]))
    found = values_of(field, event)
    match value:
        case tree.Null():
            return not found
        case tree.Exists(exists):
            listed = event.get(NULL_FIELDS)
            null = listed if isinstance(listed, list) else ()
            return (bool(found) or any(name in null for name in field.columns)) == exists
        case tree.AnyOf(values):
            return any(_value_true(inner, field, event) for inner in values)
        case tree.Reference():
            others = values_of(value.field, event)
            return any(_refers(value, mine, theirs) for mine in found for theirs in others)
        case _:
            return any(matches(value, one) for one in found)


def _refers(value: tree.Reference, mine: object, theirs: object) -> bool:
    a, b = as_text(mine), as_text(theirs)
    if not value.cased:
        a, b = fold(a), fold(b)
    if value.starts and value.ends:
        return b in a
    if value.starts:
        return a.startswith(b)
    return a.endswith(b) if value.ends else a == b


def matches(value: tree.Value, one: object) -> bool:  # noqa: C901, PLR0911 - one case a type
    """Whether one value of an event is what a rule asks for."""
    match value:
        case tree.Text(parts, cased):
            text = as_text(one)
            wanted = [part if cased or isinstance(part, tree.Wild) else fold(part) for part in parts]
            return _like(text if cased else fold(text), wanted)
        case tree.AnyOf(values):
            return any(matches(inner, one) for inner in values)
        case tree.Number(number):
            return _compares("eq", one, number)
        case tree.Compare(how, number):
            return _compares(how, one, number)
        case tree.Truth(truth):
            return fold(as_text(one)) == ("true" if truth else "false")
        case tree.Regex(pattern, flags):
            return _searched(pattern, flags, as_text(one)) is True
        case tree.Network(network):
            try:
                address = ip_address(as_text(one))
            except ValueError:
                return False
            if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
                address = address.ipv4_mapped
            return address in network
        case tree.TimePart(part, number, how):
            found = _time_part(one, part)
            return found is not None and bool(_COMPARE[how](found, number))
    raise TypeError(f"{value!r} is not asked of one value")


def as_text(one: object) -> str:
    """A value as text: true and false, whole floating-point numbers without a point, times in ISO 8601."""
    if isinstance(one, bool):
        return "true" if one else "false"
    if isinstance(one, float) and one.is_integer() and abs(one) < 1e15:  # noqa: PLR2004 - exact up to there
        return str(int(one))
    if isinstance(one, datetime):
        moment = one.astimezone(UTC) if one.tzinfo else one
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return one.isoformat() if isinstance(one, date) else str(one)


def _like(text: str, parts: Sequence[str | tree.Wild]) -> bool:
    """Whether the whole of `text` is `parts`: behind each, the places at which the rest may begin."""
    places = {0}
    for part in parts:
        if part is tree.Wild.ANY:
            places = set(range(min(places), len(text) + 1))
        elif part is tree.Wild.ONE:
            places = {place + 1 for place in places if place < len(text)}
        else:
            places = {place + len(part) for place in places if text.startswith(part, place)}
        if not places:
            return False
    return len(text) in places


def _compares(how: str, one: object, number: float) -> bool:
    if isinstance(one, bool):
        return False
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(one, str):
        text = one
        if _INTEGER.fullmatch(text) and isinstance(number, int):
            return bool(_COMPARE[how](int(text), number))
        return bool(_DECIMAL.fullmatch(text) and _COMPARE[how](float(text), as_float(number)))
    if isinstance(one, int) and isinstance(number, int):
        return bool(_COMPARE[how](one, number))
    return isinstance(one, int | float) and bool(_COMPARE[how](float(one), as_float(number)))


def as_float(number: float) -> float:
    """The nearest floating-point number; of integers beyond them all, infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


@lru_cache(maxsize=4096)
def _searched(pattern: str, flags: str, text: str) -> bool | None:
    """Whether the expression is found; None if time ran out."""
    late = Late()
    found = bool(compiled(pattern, flags).search(pl.Series([text]), late)[0])
    return None if late.timed_out() else found


def _time_part(one: object, part: str) -> int | None:
    moment = one if isinstance(one, date) else _moment(one)
    if isinstance(moment, datetime) and moment.tzinfo:
        moment = moment.astimezone(UTC)
    if moment is None or (part in ("hour", "minute") and not isinstance(moment, datetime)):
        return None
    return moment.isocalendar().week if part == "week" else int(getattr(moment, part))


def _moment(one: object) -> date | None:
    """A point in time, or a day, written as text."""
    found = _TIME.fullmatch(one) if isinstance(one, str) else None
    try:
        if isinstance(one, str) and _DAY.fullmatch(one):
            return date.fromisoformat(one)
        if found is None:
            return None
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ':00'}+00:00")
    except ValueError:
        return None
    ahead = timedelta(hours=int(found[6] or 0), minutes=int(found[7] or 0))
    try:
        return moment + ahead if found[5] == "-" else moment - ahead
    except OverflowError:  # before year 1, or behind 9999
        return None
