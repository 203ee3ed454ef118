"""What the Elastic Common Schema says in the same way for every product: addresses, people, `related.*`.

All work on columns of text; none loops over rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import schema
from sensors.reading import patterns
from sensors.reading.distinct import by_value
from sensors.values.listed import union

if TYPE_CHECKING:
    from collections.abc import Iterable

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_HEX = "[0-9A-Fa-f]{1,4}"
# RFC 4291, 2.2: eight groups; `::` once for one or more groups of zeros; an IPv4 address may be the last two.
_IPV6 = "|".join(
    [
        rf"(?:{_HEX}:){{7}}(?:{_HEX}|:)",
        *(rf"(?:{_HEX}:){{{n}}}(?:(?::{_HEX}){{1,{7 - n}}}|:)" for n in range(6, 0, -1)),
        rf":(?:(?::{_HEX}){{1,7}}|:)",
        rf"(?:{_HEX}:){{6}}{_IPV4}",
        *(rf"(?:{_HEX}:){{{n}}}(?::{_HEX}){{0,{5 - n}}}:{_IPV4}" for n in range(5, 0, -1)),
        rf":(?::{_HEX}){{0,5}}:{_IPV4}",
    ]
)
IP: Final = rf"^(?:{_IPV4}|(?:{_IPV6})(?:%[0-9A-Za-z_.-]+)?)$"
_PERSON = r"^(?:LOCAL\\+)?(?:(?P<domain>[^\\]+)\\+)?(?P<name>[^\\@]+)(?:@(?P<realm>[^\\/@\s]+))?$"
# What products write where there is no user.
_NOBODY: Final = ("", "-", "*****", "unknown", "Unknown", "<unknown>", "N/A", "n/a", "None", "none", "(null)")

# What they write where there is no address.
NOWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here

# https://www.iana.org/assignments/protocol-numbers
PROTOCOLS: Final = {
    "icmp": "1", "igmp": "2", "ipv4": "4", "tcp": "6", "egp": "8", "udp": "17", "dccp": "33", "ipv6": "41",
    "ipv6-route": "43", "ipv6-frag": "44", "rsvp": "46", "gre": "47", "esp": "50", "ah": "51",
    "ipv6-icmp": "58", "ipv6-nonxt": "59", "ipv6-opts": "60", "eigrp": "88", "ospf": "89", "pim": "103",
    "vrrp": "112", "l2tp": "115", "sctp": "132",
}  # fmt: skip


def is_ip(text: pl.Expr) -> pl.Expr:
    """Whether text is one IPv4 or IPv6 address, and nothing else."""
    return by_value(text, lambda one: one.str.contains(IP), pl.Boolean)


def address(side: str, text: pl.Expr | None = None) -> list[pl.Expr]:
    """`<side>.address`, and from it `<side>.ip` or `<side>.domain`; `text` defaults to the address column."""
    text = pl.col(f"{side}.address") if text is None else text
    ip = is_ip(text)
    return [
        text.alias(f"{side}.address"),
        pl.when(ip).then(text).alias(f"{side}.ip"),
        pl.when(~ip & (text != "")).then(text).alias(f"{side}.domain"),
    ]


def person(frame: pl.DataFrame, text: str, *roots: str) -> pl.DataFrame:
    r"""Adds name, domain and e-mail address of `DOMAIN\name`, `name@realm` or `name`, under each root.

    A text of another form is a name as it stands; what says that there is nobody gives nothing.

    Args:
        frame: has the column `text`, with people as the log writes them.
        text: name of that column.
        roots: `user` gives `user.name`, `user.domain`, `user.email`.
    """
    raw = frame[text].str.strip_chars(" \"'")
    raw = raw.set(raw.is_in(_NOBODY), None)
    parts = patterns.groups(raw, _PERSON)
    named = parts.with_columns(raw=raw).select(
        name=pl.coalesce("name", "raw"),
        domain=pl.coalesce("domain", "realm"),
        email=pl.when(pl.col("realm").str.contains(".", literal=True)).then(
            pl.concat_str("name", pl.lit("@"), "realm")
        ),
    )
    return frame.with_columns(
        named[part].alias(f"{root}.{part}") for root in roots for part in ("name", "domain", "email")
    )


def related(columns: Iterable[str]) -> pl.Expr:
    """The distinct values of text columns, in their order, as one list; null where there is none."""
    names = list(columns)
    return pl.map_batches(
        [pl.col(name) for name in names], union, return_dtype=pl.List(pl.String), is_elementwise=True
    )


def relations(frame: pl.DataFrame, **lists: tuple[str, ...]) -> pl.DataFrame:
    """Adds `related.ip`, `related.user`, `related.hosts` from those of the named columns that there are."""
    filled = {column.name for column in frame.iter_columns() if column.null_count() < frame.height}
    present = {f"related.{kind}": [name for name in names if name in filled] for kind, names in lists.items()}
    return frame.with_columns(related(names).alias(kind) for kind, names in present.items() if names)


def only(frame: pl.DataFrame, vendor: str) -> pl.DataFrame:
    """The time, and the columns of the schema or under the vendor's root that have a value in them."""
    known = schema.dictionary()
    return frame.select(
        name
        for name in frame.columns
        if (name in known or name.startswith(f"{vendor}."))
        and (frame[name].null_count() < frame.height or name == "@timestamp")
    )
