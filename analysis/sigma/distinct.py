"""The distinct values of a column, and which of them a value of a rule matches.

A predicate sees each distinct value once, however many rows have it. All literals that the rules look for in
a column are found in one pass (Aho-Corasick, Polars' `extract_many`); a wildcard pattern is tried only on
values that hold its longest literal part.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from analysis.sigma import tree
from analysis.sigma.fold import fold_values
from analysis.sigma.written import texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]

ONE_PASS_FROM: Final = 6  # fewer literals are found faster one by one
SHORTEST: Final = 3  # shorter literals are everywhere; a pass over all of them would find too much
INTEGER: Final = r"^[+-]?[0-9]{1,18}$"
DECIMAL: Final = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$#&-~")
_COMPARE: Final = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_IPV4: Final = r"^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$"
_TIME: Final = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,]\d+)?\s*(Z|z|[+-]\d\d:?\d\d)?$"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text pattern is compared.

    Attributes:
        kind: equals, starts, ends, contains, pattern or anything.
        literal: what to compare with, folded unless cased; of a pattern, its longest literal part.
        regex: of a pattern, the whole of it.
    """

    kind: str
    literal: str
    cased: bool
    regex: str = ""


def shape(text: tree.Text, folded: Mapping[str, str]) -> Shape:  # noqa: PLR0911 - one form a line
    """The comparison that a text pattern asks for.

    Args:
        text: the pattern.
        folded: its literal parts, folded.
    """
    parts = [part if text.cased or isinstance(part, tree.Wild) else folded[part] for part in text.parts]
    any_ = tree.Wild.ANY
    match parts:
        case []:
            return Shape("equals", "", text.cased)
        case [tree.Wild.ANY]:
            return Shape("anything", "", text.cased)
        case [str(literal)]:
            return Shape("equals", literal, text.cased)
        case [str(literal), tree.Wild.ANY]:
            return Shape("starts", literal, text.cased)
        case [tree.Wild.ANY, str(literal)]:
            return Shape("ends", literal, text.cased)
        case [tree.Wild.ANY, str(literal), tree.Wild.ANY]:
            return Shape("contains", literal, text.cased)
    body = "".join(
        (".*" if part is any_ else ".") if isinstance(part, tree.Wild) else escape(part) for part in parts
    )
    longest = max((part for part in parts if isinstance(part, str)), key=len, default="")
    return Shape("pattern", longest, text.cased, rf"(?s)\A{body}\z")


def escape(text: str) -> str:
    """`text` as a regular expression that matches it and nothing else."""
    return "".join("\\" + char if char in _SPECIAL else char for char in text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The literals that all rules together look for in one column, by whether they are case-sensitive."""

    equal: Mapping[bool, frozenset[str]]
    within: Mapping[bool, frozenset[str]]


NOTHING_WANTED: Final = Wanted({}, {})


class Distinct:
    """Distinct values, none of them null, and what can be asked of them.

    Args:
        values: of one type; order is free.
        wanted: literals that will be asked for, so that one pass can look for all.
        folded: text → folded text, for every literal of the rules.
    """

    def __init__(self, values: pl.Series, wanted: Wanted, folded: Mapping[str, str]) -> None:
        self.values = values
        self._wanted = wanted
        self._folded_literals = folded
        self._masks: dict[tree.Value, Mask] = {}
        self._equal: dict[bool, dict[str, NDArray[np.uint32]]] = {}
        self._within: dict[bool, dict[str, NDArray[np.uint32]]] = {}

    def matching(self, value: tree.Value) -> Mask:
        """Which values `value` matches."""
        found = self._masks.get(value)
        if found is None:
            found = self._masks[value] = self._evaluate(value)
        return found

    def _evaluate(self, value: tree.Value) -> Mask:  # noqa: PLR0911 - one case a type
        match value:
            case tree.Text():
                return self._text(shape(value, self._folded_literals))
            case tree.AnyOf(values):
                return np.asarray(np.any([self.matching(inner) for inner in values], axis=0))
            case tree.Number(number):
                return self._number("eq", number)
            case tree.Compare(how, number):
                return self._number(how, number)
            case tree.Truth(truth):
                if self.values.dtype == pl.Boolean:
                    return (self.values == truth).to_numpy()
                return (self.folded == ("true" if truth else "false")).to_numpy()
            case tree.Regex(pattern, flags):
                flagged = f"(?{flags}){pattern}" if flags else pattern
                return self.text.str.contains(flagged).to_numpy()
            case tree.Network(network):
                return self._inside(network.version, int(network[0]), int(network[-1]))
            case tree.TimePart(part, number):
                return self._time_part(part, number)
        raise TypeError(f"{value!r} is not asked of values")

    # --- text ---------------------------------------------------------------------------------------------

    @cached_property
    def text(self) -> pl.Series:
        """The values as text: numbers as they are written, true and false, times in ISO 8601."""
        return texts(self.values)

    @cached_property
    def folded(self) -> pl.Series:
        """The values as text without case."""
        return fold_values(self.text)

    def _text(self, asked: Shape) -> Mask:
        values = self.text if asked.cased else self.folded
        if asked.kind == "anything":
            return np.ones(len(values), bool)
        if asked.kind == "equals":
            return self._mask(self._equals(asked, values))
        candidates = self._holding(asked, values)
        if asked.kind == "contains":
            if candidates is None:
                return values.str.contains(asked.literal, literal=True).to_numpy()
            return self._mask(candidates)
        near = values if candidates is None else values.gather(candidates)
        if asked.kind == "starts":
            hit = near.str.starts_with(asked.literal)
        elif asked.kind == "ends":
            hit = near.str.ends_with(asked.literal)
        else:
            hit = near.str.contains(asked.regex)
        return hit.to_numpy() if candidates is None else self._mask(candidates[hit.to_numpy()])

    def _mask(self, ids: NDArray[np.uint32]) -> Mask:
        mask = np.zeros(len(self.values), bool)
        mask[ids] = True
        return mask

    def _equals(self, asked: Shape, values: pl.Series) -> NDArray[np.uint32]:
        wanted = self._wanted.equal.get(asked.cased, frozenset())
        if asked.literal not in wanted:
            return np.flatnonzero((values == asked.literal).to_numpy()).astype(np.uint32)
        if asked.cased not in self._equal:
            looked = pl.DataFrame({"v": pl.Series(sorted(wanted), dtype=pl.String)})
            rows = values.alias("v").to_frame().with_row_index("i").join(looked, on="v", how="semi")
            self._equal[asked.cased] = _grouped(rows)
        return self._equal[asked.cased].get(asked.literal, _NONE)

    def _holding(self, asked: Shape, values: pl.Series) -> NDArray[np.uint32] | None:
        """Ids of the values that hold the literal, or None if they were not looked for in the one pass."""
        wanted = self._wanted.within.get(asked.cased, frozenset())
        if asked.literal not in wanted or len(wanted) < ONE_PASS_FROM:
            return None
        if asked.cased not in self._within:
            found = values.str.extract_many(sorted(wanted), overlapping=True).alias("v").to_frame()
            rows = found.with_row_index("i").filter(pl.col("v").list.len() > 0).explode("v").unique()
            self._within[asked.cased] = _grouped(rows)
        return self._within[asked.cased].get(asked.literal, _NONE)

    # --- numbers, times, addresses --------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> tuple[pl.Series, pl.Series]:
        """The values as integers, exact, and as floating-point numbers; null where they are none."""
        kind = self.values.dtype
        if kind.is_integer():
            return self.values.cast(pl.Int64, strict=False), self.values.cast(pl.Float64)
        if kind.is_float():
            return pl.repeat(None, len(self.values), dtype=pl.Int64, eager=True), self.values.cast(pl.Float64)
        if kind != pl.String:
            none = pl.repeat(None, len(self.values), dtype=pl.Int64, eager=True)
            return none, none.cast(pl.Float64)
        frame = self.values.alias("").to_frame()
        text = pl.col("").str.strip_prefix("+")
        whole = pl.when(pl.col("").str.contains(INTEGER)).then(text)
        decimal = pl.when(pl.col("").str.contains(DECIMAL)).then(text)
        numbers = frame.select(
            whole=whole.cast(pl.Int64, strict=False), decimal=decimal.cast(pl.Float64, strict=False)
        )
        return numbers["whole"], numbers["decimal"]

    def _number(self, how: str, number: float) -> Mask:
        whole, decimal = self._numbers
        compare = _COMPARE.get(how, operator.eq)
        close = compare(decimal, float(number)).fill_null(value=False).to_numpy()
        if not isinstance(number, int) or abs(number) >= 1 << 63:
            return np.asarray(close)
        exact = compare(whole, number)
        known = exact.is_not_null().to_numpy()
        return np.asarray(np.where(known, exact.fill_null(value=False).to_numpy(), close))

    @cached_property
    def _times(self) -> pl.Series:
        kind = self.values.dtype
        if isinstance(kind, pl.Datetime):
            return self.values.dt.convert_time_zone("UTC") if kind.time_zone else self.values
        if kind != pl.String:
            return pl.repeat(None, len(self.values), dtype=pl.Datetime("us"), eager=True)
        parts = self.values.alias("").to_frame().select(pl.col("").str.extract_groups(_TIME)).unnest("")
        clock = pl.col("2").str.pad_end(8, "x").str.replace("xxx", ":00", literal=True)
        local = pl.concat_str(pl.col("1"), pl.lit("T"), clock).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us"
        )
        digits = pl.col("3").str.replace(":", "", literal=True)
        hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
        minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False)
        ahead = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1) * (hours * 60 + minutes)
        return parts.select(local - pl.duration(minutes=ahead.fill_null(0)))["1"]

    def _time_part(self, part: str, number: int) -> Mask:
        times = self._times.dt
        parts = {
            "minute": times.minute, "hour": times.hour, "day": times.day,
            "week": times.week, "month": times.month, "year": times.year,
        }  # fmt: skip
        return (parts[part]().cast(pl.Int64) == number).fill_null(value=False).to_numpy()

    @cached_property
    def _addresses(self) -> tuple[NDArray[np.int64], Mask, NDArray[np.uint64], NDArray[np.uint64]]:
        """IPv4 addresses as numbers (-1 if none); whether it is IPv6, its upper and its lower half.

        An IPv4 address written in IPv6 (`::ffff:10.0.0.1`, RFC 4291 2.5.5.2) is the IPv4 address.
        """
        text = self.text
        octets = text.alias("").to_frame().select(pl.col("").str.extract_groups(_IPV4)).unnest("")
        number = pl.lit(0, dtype=pl.Int64)
        valid = pl.lit(value=True)
        for column in octets.columns:
            octet = pl.col(column).cast(pl.Int64, strict=False)
            number = number * 256 + octet
            valid &= octet <= 255  # noqa: PLR2004 - an octet
        four = octets.select(pl.when(valid).then(number).fill_null(-1).alias("n"))["n"].to_numpy().copy()
        is_six = np.zeros(len(text), bool)
        upper = np.zeros(len(text), np.uint64)
        lower = np.zeros(len(text), np.uint64)
        for place in np.flatnonzero(text.str.contains(":", literal=True).to_numpy()):
            address = _ipv6(text[int(place)])
            if isinstance(address, IPv4Address):
                four[place] = int(address)
            elif address is not None:
                is_six[place] = True
                upper[place], lower[place] = divmod(int(address), 1 << 64)
        return four, is_six, upper, lower

    def _inside(self, version: int, first: int, last: int) -> Mask:
        """Addresses of the IP version from `first` to `last`."""
        four, is_six, upper, lower = self._addresses
        if version == 4:  # noqa: PLR2004 - the version
            return np.asarray((four >= first) & (four <= last))
        first_up, first_low = (np.uint64(part) for part in divmod(first, 1 << 64))
        last_up, last_low = (np.uint64(part) for part in divmod(last, 1 << 64))
        above = (upper > first_up) | ((upper == first_up) & (lower >= first_low))
        below = (upper < last_up) | ((upper == last_up) & (lower <= last_low))
        return np.asarray(is_six & above & below)


_NONE: Final = np.zeros(0, np.uint32)


def _grouped(rows: pl.DataFrame) -> dict[str, NDArray[np.uint32]]:
    """Ids of `i` by text of `v`."""
    groups = rows.group_by("v").agg("i")
    return {text: ids.to_numpy() for text, ids in zip(groups["v"], groups["i"], strict=True)}


def _ipv6(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
