"""A rule's condition (`analysis.sigma.tree`) as an SQL expression, true of the events that match alone.

It may be NULL where an event lacks a value; below NOT that is made false, as molehunt has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sigma.backends.molehunt import literal, network, regex
from sigma.backends.molehunt.column import BETWEEN
from sigma.backends.molehunt.values import KEYWORDS
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError

from analysis.sigma import tree
from analysis.sigma.fold import UNLIKE_LOWER, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sigma.backends.molehunt.values import Values

EXACT: Final = 1 << 53  # floating-point numbers hold every integer up to here
LONGEST: Final = 1 << 63
_ROW: Final = 16  # operands in a row: Polars takes cubic time over long ones
_DEEPEST: Final = 16  # levels: Polars reads no SQL that nests deeper than some 40 brackets
_COMPARE: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "="}
_ANY: Final = tree.Wild.ANY
_ALL_LETTERS: Final = (*UNLIKE_LOWER.values(), "i\u0307")


def condition(node: tree.Node, values: Values) -> str:
    """The expression.

    Args:
        node: what is asked of an event.
        values: of the table that is asked; it learns what the expression uses.

    Raises:
        SigmaError: SQL cannot say it, with the reason.
    """
    if _depth(node) > _DEEPEST:
        raise SigmaFeatureNotSupportedByBackendError(
            f"the condition nests more than {_DEEPEST} levels deep, which Polars refuses; write it flatter"
        )
    said = _Expression(values)
    if isinstance(node, tree.And) and node.children:
        return "\n  AND ".join(said.of(child) for child in _flat(node.children, tree.And))
    return said.of(node)


def _depth(node: tree.Node) -> int:
    match node:
        case tree.Not(child):
            return 1 + _depth(child)
        case tree.And(children) | tree.Or(children):
            same = type(node)
            return max((_depth(one) + (not isinstance(one, same)) for one in children), default=0)
    return 0


class _Expression:
    def __init__(self, values: Values) -> None:
        self._values = values

    def of(self, node: tree.Node) -> str:
        match node:
            case tree.Item():
                return self._item(node)
            case tree.Not(child):
                return _denied(self.of(child))
            case tree.And(children):
                return _row("AND", [self.of(child) for child in _flat(children, tree.And)], "TRUE")
            case tree.Or(children):
                return _row("OR", [self.of(child) for child in _flat(children, tree.Or)], "FALSE")

    def _item(self, item: tree.Item) -> str:
        field = item.field or KEYWORDS
        if item.every:
            said = _row("AND", [self._value(value, field) for value in item.values], "TRUE")
        else:
            said = self._any_of(item.values, field)
        return _denied(said) if item.negated else said

    def _any_of(self, values: Sequence[tree.Value], field: tree.Field) -> str:
        """Any of the values; texts that are compared as a whole stand in one list."""
        several = self._values.column(field).several
        listed: dict[bool, list[str]] = {}
        said = []
        for value in values:
            whole = None if several else _whole(value)
            if whole is None:
                said.append(self._value(value, field))
            else:
                listed.setdefault(whole[1], []).append(whole[0])
        for cased, texts in listed.items():
            name = self._values.text(field) if cased else self._values.folded(field, texts)
            quoted = ", ".join(dict.fromkeys(literal.text(text) for text in texts))
            said.append(f"{name} IN ({quoted})" if len(texts) > 1 else f"{name} = {quoted}")
        return _row("OR", said, "FALSE")

    def _value(self, value: tree.Value, field: tree.Field) -> str:  # noqa: C901, PLR0911 - one case a type
        match value:
            case tree.Text():
                return self._text(value, field)
            case tree.AnyOf(values):
                return self._any_of(values, field)
            case tree.Number(number):
                return self._number("eq", number, field)
            case tree.Compare(how, number):
                return self._number(how, number, field)
            case tree.Truth(truth):
                return self._text(tree.Text(("true" if truth else "false",)), field)
            case tree.Null():
                return f"{self._values.text(field)} IS NULL"
            case tree.Exists(exists):
                there = _row(
                    "OR", [f"{self._values.text(field)} IS NOT NULL", *self._values.nulls(field)], ""
                )
                return there if exists else _denied(there)
            case tree.Regex(pattern, flags):
                return self._regex(pattern, flags, field)
            case tree.Network():
                return self._network(value, field)
            case tree.TimePart(part, number, how):
                when = self._values.time(field) if part in ("hour", "minute") else self._values.day(field)
                return f"EXTRACT({part.upper()} FROM {when}) {_COMPARE[how]} {literal.number(number)}"
            case tree.Reference():
                return self._reference(value, field)

    # --- text ---------------------------------------------------------------------------------------------

    def _text(self, asked: tree.Text, field: tree.Field) -> str:  # noqa: PLR0911 - one case a form
        parts = [part if asked.cased or isinstance(part, tree.Wild) else fold(part) for part in asked.parts]
        if asked.cased:
            name = self._values.text(field)
        else:
            literals = [part for part in parts if isinstance(part, str)]
            # İ is one letter, its lower case two: who counts letters has to know.
            name = self._values.folded(field, [*literals, "i"] if tree.Wild.ONE in parts else literals)
        if self._values.column(field).several:
            return _among(name, parts)
        match parts:
            case []:
                return f"{name} = ''"
            case [tree.Wild.ANY]:
                return f"{name} IS NOT NULL"
            case [str(text)]:
                return f"{name} = {literal.text(text)}"
            case [str(text), tree.Wild.ANY]:
                return f"STARTS_WITH({name}, {literal.text(text)})"
            case [tree.Wild.ANY, str(text)]:
                return f"ENDS_WITH({name}, {literal.text(text)})"
            case [tree.Wild.ANY, str(text), tree.Wild.ANY]:
                return _contains(name, text)
        return f"{name} ~ {literal.text(f'(?s-im)^{_pattern(parts)}$')}"

    def _regex(self, pattern: str, flags: str, field: tree.Field) -> str:
        between = BETWEEN if self._values.column(field).several else ""
        try:
            shared = regex.shared(pattern, flags, between)
        except regex.UnsharedError as problem:
            raise SigmaFeatureNotSupportedByBackendError(
                f"the regular expression /{pattern}/ is not the same to Polars and DuckDB: it has {problem}; "
                "write it without"
            ) from problem
        return f"{self._values.text(field)} ~ {literal.text(shared)}"

    def _reference(self, value: tree.Reference, field: tree.Field) -> str:
        for one in (field, value.field):
            if self._values.column(one).several:
                raise SigmaFeatureNotSupportedByBackendError(
                    f"fieldref: {one.columns[0]} has several values, which SQL cannot pair with another's"
                )
        if value.starts and value.ends:
            raise SigmaFeatureNotSupportedByBackendError(
                "fieldref with contains: Polars' SQL cannot look for one column's text within another's"
            )
        if value.cased:
            mine, theirs = self._values.text(field), self._values.text(value.field)
        else:
            mine = self._values.folded(field, _ALL_LETTERS)
            theirs = self._values.folded(value.field, _ALL_LETTERS)
        if value.starts or value.ends:
            return f"{'STARTS_WITH' if value.starts else 'ENDS_WITH'}({mine}, {theirs})"
        return f"{mine} = {theirs}"

    # --- numbers and addresses ----------------------------------------------------------------------------

    def _number(self, how: str, number: float, field: tree.Field) -> str:
        close = f"{self._values.number(field)} {_COMPARE[how]} {literal.number(number)}"
        if not isinstance(number, int) or abs(number) <= EXACT or abs(number) >= LONGEST:
            return close
        exact = self._values.integer(field)
        return f"CASE WHEN {exact} IS NULL THEN {close} ELSE {exact} {_COMPARE[how]} {number} END"

    def _network(self, value: tree.Network, field: tree.Field) -> str:
        name = self._values.text(field)
        several = self._values.column(field).several
        inside = f"{name} ~ {_whole_value(network.pattern(value.network), several=several)}"
        if not network.holds_mapped(value.network):
            return inside
        if several:
            raise SigmaFeatureNotSupportedByBackendError(
                f"{value.network} holds the IPv4 addresses written as IPv6, which SQL cannot leave out where "
                "a field has several values"
            )
        return f"({inside} AND NOT {name} ~ {_whole_value(network.mapped(), several=False)})"


def _flat(children: Sequence[tree.Node], kind: type[tree.And | tree.Or]) -> list[tree.Node]:
    """Children, and the children of those that are of the same kind."""
    found: list[tree.Node] = []
    for child in children:
        if isinstance(child, kind):
            found += _flat(child.children, kind)
        else:
            found.append(child)
    return found


def _row(link: str, parts: Sequence[str], none: str) -> str:
    """Parts in a row, each in brackets if it is a row itself; a long row in rows of rows."""
    if not parts:
        return none
    rows = list(parts)
    while len(rows) > _ROW:
        rows = [_row(link, rows[at : at + _ROW], none) for at in range(0, len(rows), _ROW)]
    return rows[0] if len(rows) == 1 else "(" + f" {link} ".join(rows) + ")"


def _denied(said: str) -> str:
    inner = said[1:-1] if said.startswith("(") and _closes_last(said) else said
    return f"NOT COALESCE({inner}, FALSE)"


def _closes_last(said: str) -> bool:
    """Whether the bracket that begins `said` ends it."""
    depth = 0
    quote = ""
    for at, char in enumerate(said):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if not depth:
                return at == len(said) - 1
    return False


def _whole(value: tree.Value) -> tuple[str, bool] | None:
    """The literal of a text without wildcards, folded unless it is cased, and whether it is."""
    match value:
        case tree.Text((str(text),), cased):
            return (text if cased else fold(text)), cased
    return None


def _contains(name: str, text: str) -> str:
    """Polars' STRPOS takes a regular expression, and its LIKE has no ESCAPE."""
    if "%" in text or "_" in text:
        return f"{name} ~ {literal.text(f'(?s-im)^.*{regex.literal(text)}.*$')}"
    return f"{name} LIKE {literal.text(f'%{text}%')}"


def _pattern(parts: Sequence[str | tree.Wild], char: str = ".") -> str:
    return "".join(
        (f"{char}*" if part is _ANY else char) if isinstance(part, tree.Wild) else regex.literal(part)
        for part in parts
    )


def _among(name: str, parts: Sequence[str | tree.Wild]) -> str:
    """A pattern that one value of several must be, in a text with `BETWEEN` around each."""
    texts = [part for part in parts if isinstance(part, str)]
    if any(BETWEEN in text for text in texts):
        return "FALSE"
    match parts:
        case [tree.Wild.ANY]:
            return f"{name} IS NOT NULL"
        case [tree.Wild.ANY, str(text), tree.Wild.ANY]:
            return _contains(name, text)
    whole = len(parts) == len(texts)
    if whole or (len(parts) == 2 and len(texts) == 1):  # noqa: PLR2004 - a text and a wildcard
        begins = "" if parts and parts[0] is _ANY else BETWEEN
        ends = "" if parts and parts[-1] is _ANY else BETWEEN
        if tree.Wild.ONE not in parts:
            return _contains(name, begins + "".join(texts) + ends)
    body = BETWEEN + _pattern(parts, f"[^{BETWEEN}]") + BETWEEN
    return f"{name} ~ {literal.text(f'(?s-im)^.*{body}.*$')}"


def _whole_value(pattern: str, *, several: bool) -> str:
    if several:
        return literal.text(f"(?is-m)^.*{BETWEEN}{pattern}{BETWEEN}.*$")
    return literal.text(f"(?is-m)^{pattern}$")
