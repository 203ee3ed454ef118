"""How the texts of Windows events become values of ECS fields: addresses, accounts, numbers, times.

Every function takes and gives an expression over text; what a text does not hold is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.ecs import is_ip
from sensors.schema import TIME

if TYPE_CHECKING:
    from collections.abc import Callable

_SECOND: Final = 1_000_000_000  # in nanoseconds, ECS' unit of durations
_ZEROS: Final = "{00000000-0000-0000-0000-000000000000}"


def text(value: pl.Expr) -> pl.Expr:
    """The text itself; what Windows writes for nothing (`-`, an empty GUID) is null."""
    return pl.when(value.is_in(["", "-", _ZEROS]).not_()).then(value)


def account(value: pl.Expr) -> pl.Expr:
    """`jdoe` of `jdoe@corp.example`."""
    return text(value.str.extract(r"^([^@]+)"))


def person(value: pl.Expr) -> pl.Expr:
    r"""`jdoe` of `CORP\jdoe` and `jdoe@corp.example`."""
    return text(value.str.extract(r"([^\\@]+)(?:@[^\\@]*)?$"))


def realm(value: pl.Expr) -> pl.Expr:
    r"""`CORP` of `CORP\jdoe`, `corp.example` of `jdoe@corp.example`."""
    return text(value.str.extract(r"^([^\\]+)\\[^\\]").fill_null(value.str.extract(r"^[^\\@]+@([^\\@]+)$")))


def host(value: pl.Expr) -> pl.Expr:
    r"""`gw.corp.example` of `gw.corp.example:3389`, `\\gw.corp.example` and `gw.corp.example/wsman?x`; no address."""
    name = value.str.extract(r"^\\*([^:\\/?]+)")
    return text(pl.when(~is_ip(name)).then(name))


def address(value: pl.Expr) -> pl.Expr:
    r"""The address of `10.0.0.5`, `10.0.0.5:3389`, `[10.0.0.5]:3389`, `\\10.0.0.5`, `::ffff:10.0.0.5`, `fe80::1%5`."""
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


def time(value: pl.Expr) -> pl.Expr:
    """An instant: `2024-05-01T08:00:00.1234567Z`, `2024-05-01 08:00:00.123`, with or without an offset.

    Windows writes instants in UTC (SystemTime, UtcTime), whether or not it says so; what is finer than
    microseconds is cut off.
    """
    parts = value.str.extract_groups(
        r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)? ?(?:Z|UTC|([+-]\d\d):?(\d\d))?$"
    )
    day, clock_, fraction, hours, minutes = (parts.struct.field(str(at)) for at in (1, 2, 3, 4, 5))
    local = pl.format("{}T{}.{}", day, clock_, fraction.fill_null("0").str.pad_end(6, "0")).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.6f", strict=False, time_unit="us"
    )
    sign = pl.when(hours.str.starts_with("-")).then(-1).otherwise(1)
    offset = pl.duration(
        minutes=(
            hours.cast(pl.Int64, strict=False) * 60 + sign * minutes.cast(pl.Int64, strict=False)
        ).fill_null(0)
    )
    return (local - offset).dt.replace_time_zone("UTC").cast(TIME)


HOW: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "text": text,
    "name": account,
    "person": person,
    "realm": realm,
    "host": host,
    "ip": address,
    "port": port,
    "number": number,
    "guid": guid,
    "lower": lambda value: text(value.str.to_lowercase()),
    "rdn": rdn,
    "dc": domain_component,
    "seconds": seconds,
    "clock": clock,
}
