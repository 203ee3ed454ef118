"""How the texts of Windows events become values of ECS fields: addresses, accounts, numbers, times.

Every function takes and gives an expression over text; what a text does not hold is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading.distinct import by_value
from sensors.schema import TIME
from sensors.values.ecs import is_ip
from sensors.windows.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECOND: Final = 1_000_000_000  # in nanoseconds, ECS' unit of durations
_ZEROS: Final = "{00000000-0000-0000-0000-000000000000}"


def added(frame: pl.DataFrame, fields: Mapping[str, pl.Expr], when: pl.Expr | None = None) -> pl.DataFrame:
    """Adds fields to the rows that `when` picks (all, if it is not given); a value that is there stays."""
    present = frozenset(frame.columns)
    columns = []
    for name, value in fields.items():
        found = value if when is None else pl.when(when).then(value)
        columns.append((pl.coalesce(pl.col(name), found) if name in present else found).alias(name))
    return frame.with_columns(columns)


def text(value: pl.Expr) -> pl.Expr:
    """The text itself; what Windows writes for nothing (`-`, an empty GUID) is null."""
    if not value.meta.root_names():
        return pl.when((value != "") & (value != "-") & (value != _ZEROS)).then(value)
    return value.map_batches(_said, return_dtype=pl.String, is_elementwise=True)


def _said(column: pl.Series) -> pl.Series:
    column = column.cast(pl.String)
    nothing = (column == "") | (column == "-") | (column == _ZEROS)
    return column.set(nothing, None) if nothing.any() else column


def account(value: pl.Expr) -> pl.Expr:
    """`jdoe` of `jdoe@corp.example`."""
    return by_value(value, _account)


def _account(value: pl.Expr) -> pl.Expr:
    return text(value.str.extract(r"^([^@]+)"))


def person(value: pl.Expr) -> pl.Expr:
    r"""`jdoe` of `CORP\jdoe` and `jdoe@corp.example`."""
    return by_value(value, _person)


def _person(value: pl.Expr) -> pl.Expr:
    return text(value.str.extract(r"([^\\@]+)(?:@[^\\@]*)?$"))


def realm(value: pl.Expr) -> pl.Expr:
    r"""`CORP` of `CORP\jdoe`, `corp.example` of `jdoe@corp.example`."""
    return by_value(value, _realm)


def _realm(value: pl.Expr) -> pl.Expr:
    return text(value.str.extract(r"^([^\\]+)\\[^\\]").fill_null(value.str.extract(r"^[^\\@]+@([^\\@]+)$")))


def host(value: pl.Expr) -> pl.Expr:
    r"""`gw.corp.example` of `gw.corp.example:3389`, `\\gw.corp.example`, `gw.corp.example/x`; no address."""
    return by_value(value, _host)


def _host(value: pl.Expr) -> pl.Expr:
    name = value.str.extract(r"^\\*([^:\\/?]+)")
    return text(pl.when(~is_ip(name)).then(name))


def domain(value: pl.Expr) -> pl.Expr:
    """`www.corp.example` of `www.corp.example.`: programs and servers may write the root's dot."""
    return text(value.str.replace(r"^(.+)\.$", "$1"))  # a dot alone is the root itself


def address(value: pl.Expr) -> pl.Expr:
    r"""The address of `10.0.0.5`, `10.0.0.5:33`, `[fe80::1%5]:33`, `\\10.0.0.5` and `::ffff:10.0.0.5`."""
    return by_value(value, _address)


def _address(value: pl.Expr) -> pl.Expr:
    bare = value.str.extract(r"^\\*(?:\[([^\]]+)\](?::\d+)?|.*)$").fill_null(
        value.str.extract(r"^\\*([0-9.]+|[0-9A-Fa-f:]+[0-9.]*)(?:%\w+|:\d+)?$")
    )
    mapped = bare.str.extract(r"(?i)^::ffff:([0-9.]+)$").fill_null(bare)
    return pl.when(is_ip(mapped)).then(mapped.str.replace(r"%.*$", ""))


def port(value: pl.Expr) -> pl.Expr:
    """3389 of `10.0.0.5:3389` and `[fe80::1]:3389`."""
    return value.str.extract(r"(?:\]|^[0-9.]+):(\d+)$").cast(pl.Int64, strict=False)


def number(value: pl.Expr) -> pl.Expr:
    """An integer, in decimal digits or as `0x…`."""
    hexadecimal = value.str.extract(r"^0[xX]([0-9A-Fa-f]{1,15})$").str.to_integer(base=16, strict=False)
    return pl.coalesce(hexadecimal, value.cast(pl.Int64, strict=False))


def guid(value: pl.Expr) -> pl.Expr:
    """A GUID as Windows prints it, in braces and lower case, so that exports of different tools agree."""
    plain = value.str.strip_chars("{}").str.to_lowercase()
    return text(pl.when(plain != "").then(pl.concat_str(pl.lit("{"), plain, pl.lit("}"))))


def sid(value: pl.Expr) -> pl.Expr:
    """A security identifier; S-1-0-0 is nobody's."""
    return pl.when(value != "S-1-0-0").then(value)


def rdn(value: pl.Expr) -> pl.Expr:
    r"""First value of a distinguished name, `Doe, Jane` of `CN=Doe\, Jane,OU=Staff,DC=corp` (RFC 4514)."""
    first = value.str.extract(r"^[A-Za-z]+=((?:[^,\\]|\\.)+)")
    return text(first.str.replace_all(r"\\([,+\x22\\<>;= #])", "$1").fill_null(value))


def domain_component(value: pl.Expr) -> pl.Expr:
    """First domain component of a distinguished name: `corp` of `…,DC=corp,DC=example`."""
    return value.str.extract(r"(?i)(?:^|,)DC=([^,]+)")


def seconds(value: pl.Expr) -> pl.Expr:
    """A number of seconds in nanoseconds."""
    return number(value) * _SECOND


def clock(value: pl.Expr) -> pl.Expr:
    """`hh:mm:ss` in nanoseconds."""
    parts = value.str.extract_groups(r"^(\d+):(\d\d):(\d\d)$")
    hours, minutes, rest = (parts.struct.field(str(at)).cast(pl.Int64) for at in (1, 2, 3))
    return ((hours * 60 + minutes) * 60 + rest) * _SECOND


def times(column: pl.Series) -> pl.Series:
    """Instants: `2024-05-01T08:00:00.1234567Z`, `2024-05-01 08:00:00.123`, with or without an offset.

    Windows writes instants in UTC (SystemTime, UtcTime), whether or not it says so; what is finer than
    microseconds is cut off.
    """
    plain = column.str.strip_suffix("Z")
    found = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    for way in (_spaced, _any_time):
        if found.null_count() == column.null_count():
            break
        found = found.fill_null(way(plain.set(found.is_not_null(), None)))
    return found.dt.replace_time_zone("UTC").cast(TIME).alias(column.name)


def _spaced(column: pl.Series) -> pl.Series:
    return column.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")


def _any_time(column: pl.Series) -> pl.Series:
    """Instants with an offset, and with whatever else tools put between their parts."""
    parts = column.str.extract_groups(
        r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)? ?(?:UTC|([+-])(\d\d):?(\d\d))?$"
    ).struct.unnest()
    day, clock_, fraction, sign, hours, minutes = parts.columns
    local = pl.format(
        "{}T{}.{}", day, clock_, pl.col(fraction).fill_null("0").str.pad_end(6, "0")
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    ahead = pl.col(hours).cast(pl.Int64) * 60 + pl.col(minutes).cast(pl.Int64)
    signed = pl.when(pl.col(sign) == "-").then(-ahead).otherwise(ahead).fill_null(0)
    return parts.select(local - pl.duration(minutes=signed)).to_series()


def _named(names: dict[str, str]) -> Callable[[pl.Expr], pl.Expr]:
    return lambda value: value.replace_strict(names, default=None, return_dtype=pl.String)


HOW: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "text": lambda value: value,  # `mapping` hands out texts that are free of what means nothing
    "name": account,
    "person": person,
    "realm": realm,
    "host": host,
    "domain": domain,
    "ip": address,
    "port": port,
    "number": number,
    "sid": sid,
    "guid": guid,
    "lower": lambda value: text(value.str.to_lowercase()),
    "rdn": rdn,
    "protocol": _named(tables().protocols),
    "direction": _named(tables().directions),
    "record": _named(tables().records),
    "rcode": _named(tables().rcodes),
    "dc": domain_component,
    "located": lambda value: text(value.str.replace(r"(?s)^.*:_", "")),  # as Defender tells places
    "seconds": seconds,
    "clock": clock,
}
