"""Rules as a converter would write them: one Polars expression a rule, each on its own, nothing shared.

It is obvious and complete, and kind to itself in two things: the events of each logsource are picked once,
not once a rule, and their fields are made text and lower-cased once, not once an item. Its matches are held
to the real ones by `match.py`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import polars as pl

from analysis.sigma import RulePack, tree
from analysis.sigma.written import written

ROW: Final = "row"
# Columns that are not part of an event as its source wrote it; keywords do not look there.
NOT_CONTENT: Final = (
    "@timestamp", "account", "roster.", "molehunt.", "log.", "event.module", "event.dataset", "event.hash",
)  # fmt: skip
_COMPARE: Final = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_FALSE: Final = pl.lit(value=False)


def match(pack: RulePack, frame: pl.DataFrame, dataset: str) -> set[tuple[int, int]]:
    """The (rule, row) pairs of one batch, rule after rule."""
    frame = frame.with_columns(pl.lit(dataset).alias("event.dataset"))
    by_source: dict[tree.Node, list[int]] = {}
    for number, rule in enumerate(pack.rules):
        if rule.source is not None:
            by_source.setdefault(rule.source, []).append(number)
    found = set()
    for source, numbers in by_source.items():
        rows = Texts(frame).rows(source)
        if len(rows):
            events = Texts(frame[rows])
            for number in numbers:
                among = events.rows(pack.rules[number].condition)
                found |= {(number, int(row)) for row in rows.gather(among)}
    return found


class Texts:
    """Events' fields as text, and in lower case, made when first asked for."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self._made: dict[tuple[tuple[str, ...], bool], pl.Series | None] = {}
        self._numbers = pl.int_range(frame.height, dtype=pl.UInt32, eager=True).alias(ROW)
        self.content = [
            name for name in frame.columns if not name.startswith(NOT_CONTENT) and ".geo." not in name
        ]

    def rows(self, node: tree.Node) -> pl.Series:
        """The rows that `node` is true of."""
        asked = Asked(self)
        expression = _node(node, asked)
        events = pl.DataFrame([*asked.columns.values(), self._numbers])
        return events.select(pl.col(ROW).filter(expression))[ROW]

    def of(self, field: tree.Field, *, cased: bool) -> pl.Series | None:
        """The text of a field; None if no event has it."""
        key = (field.columns, cased)
        if key not in self._made:
            self._made[key] = self._text(field, cased=cased)
        return self._made[key]

    def _text(self, field: tree.Field, *, cased: bool) -> pl.Series | None:
        have = self._frame.columns
        places = [
            column
            for column in field.columns
            if all(name is None or name in have for _, name in tree.pieces(column))
        ]
        if not places:
            return None
        many = any(isinstance(self._frame.schema.get(place), pl.List) for place in places)
        parts = []
        for place in places:
            pieces = [
                part
                for literal, name in tree.pieces(place)
                for part in (pl.lit(literal) if literal else None, self._written(name) if name else None)
                if part is not None
            ]
            part = pl.concat_str(pieces) if len(pieces) > 1 else pieces[0]
            is_list = isinstance(self._frame.schema.get(place), pl.List)
            parts.append(pl.when(part.is_not_null()).then(pl.concat_list(part)) if many > is_list else part)
        text = pl.coalesce(parts)
        if not cased:
            text = text.list.eval(pl.element().str.to_lowercase()) if many else text.str.to_lowercase()
        return self._frame.select(text.alias("text"))["text"]

    def _written(self, name: str) -> pl.Expr:
        return written(pl.col(name), self._frame.schema[name])


class Asked:
    """The columns that one rule's expression reads."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.columns: dict[tuple[tuple[str, ...], bool], pl.Series] = {}

    def column(self, field: tree.Field, *, cased: bool) -> tuple[pl.Expr | None, bool]:
        """A field's text, None if no event has it, and whether it is a list."""
        key = (field.columns, cased)
        if key not in self.columns:
            text = self.texts.of(field, cased=cased)
            if text is None:
                return None, False
            self.columns[key] = text.alias(f"text {len(self.columns)}")
        series = self.columns[key]
        return pl.col(series.name), isinstance(series.dtype, pl.List)


def _node(node: tree.Node, asked: Asked) -> pl.Expr:
    match node:
        case tree.Item():
            answers = [_value(value, node.field, asked) for value in node.values]
            whole = _all(answers) if node.every else _any(answers)
            return ~whole if node.negated else whole
        case tree.Not(child):
            return ~_node(child, asked)
        case tree.And(children):
            return _all(_node(child, asked) for child in children)
        case tree.Or(children):
            return _any(_node(child, asked) for child in children)


def _all(answers: Iterable[pl.Expr]) -> pl.Expr:
    """All of them; a chain of & as long as a rule's list of values takes seconds to build and to plan."""
    return pl.all_horizontal(pl.lit(value=True), *answers)


def _any(answers: Iterable[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(_FALSE, *answers)


def _value(  # noqa: PLR0911 - one case a kind
    value: tree.Value, field: tree.Field | None, asked: Asked
) -> pl.Expr:
    """Whether a field (any field, for a keyword) has a value; never null."""
    if isinstance(value, tree.AnyOf):
        return _any(_value(one, field, asked) for one in value.values)
    if field is None:
        return _any(_value(value, tree.Field(name, (name,)), asked) for name in asked.texts.content)
    folds = tree.Text | tree.Truth | tree.Reference
    cased = not isinstance(value, folds) or (isinstance(value, tree.Text) and value.cased)
    text, many = asked.column(field, cased=cased)
    if text is None:
        return pl.lit(value=isinstance(value, tree.Null) or value == tree.Exists(exists=False))
    present = (text.list.drop_nulls().list.len() > 0).fill_null(value=False) if many else text.is_not_null()
    match value:
        case tree.Null():
            return ~present
        case tree.Exists(exists):
            return present if exists else ~present
        case tree.Reference():
            return _refers(value, text, asked)
    test = _test(value)
    answer = text.list.eval(test(pl.element()).fill_null(value=False)).list.any() if many else test(text)
    return answer.fill_null(value=False)


def _refers(value: tree.Reference, mine: pl.Expr, asked: Asked) -> pl.Expr:
    theirs, _ = asked.column(value.field, cased=False)
    if theirs is None:
        return _FALSE
    answer = {
        (False, False): mine == theirs,
        (True, False): mine.str.starts_with(theirs),
        (False, True): mine.str.ends_with(theirs),
        (True, True): mine.str.contains(theirs, literal=True),
    }[value.starts, value.ends]
    return answer.fill_null(value=False)


def _test(value: tree.Value) -> Callable[[pl.Expr], pl.Expr]:
    """What one value asks of text."""
    match value:
        case tree.Text(parts, cased):
            asked = [part if cased or isinstance(part, tree.Wild) else part.lower() for part in parts]
            return lambda text: _like(asked, text)
        case tree.Regex(pattern, flags):
            return lambda text: text.str.contains(f"(?{flags}){pattern}" if flags else pattern)
        case tree.Number(number):
            return lambda text: _number(text) == number
        case tree.Compare(how, number):
            return lambda text: _COMPARE[how](_number(text), number)
        case tree.Truth(truth):
            return lambda text: text == ("true" if truth else "false")
        case tree.Network(network):
            return lambda text: text.map_batches(
                lambda values: _inside(values, network), return_dtype=pl.Boolean
            )
    raise SystemExit(f"the naive evaluation does not know {value!r}; write it")


def _like(parts: list[str | tree.Wild], text: pl.Expr) -> pl.Expr:
    match parts:
        case []:
            return text == ""
        case [str(whole)]:
            return text == whole
        case [str(start), tree.Wild.ANY]:
            return text.str.starts_with(start)
        case [tree.Wild.ANY, str(end)]:
            return text.str.ends_with(end)
        case [tree.Wild.ANY, str(inner), tree.Wild.ANY]:
            return text.str.contains(inner, literal=True)
    wild = {tree.Wild.ANY: ".*", tree.Wild.ONE: "."}
    pattern = "".join(wild[part] if isinstance(part, tree.Wild) else re.escape(part) for part in parts)
    return text.str.contains(f"(?s)^(?:{pattern})$")


def _number(text: pl.Expr) -> pl.Expr:
    return pl.coalesce(text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False))


def _inside(values: pl.Series, network: IPv4Network | IPv6Network) -> pl.Series:
    """Whether addresses are in a network; each distinct one is read once."""
    return values.is_in([one for one in values.unique().drop_nulls() if _is_inside(one, network)])


def _is_inside(text: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in network
