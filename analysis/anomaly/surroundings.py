"""What the company says of its own place, as far as it decides whether something is strange there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.context.addresses import is_inside, normal, within

if TYPE_CHECKING:
    from analysis.context import Site

_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_PARTS: Final = re.compile(r"[(\[,;:)\]]+")
_LEAST_LETTERS: Final = 4


def without_own(frame: pl.DataFrame, address: str, site: Site) -> pl.DataFrame:
    """Rows whose `address` lies in none of the site's own networks (offices, egress, pools)."""
    addresses = frame.select(pl.col(address).drop_nulls().unique()).to_series()
    spelled = dict(zip(addresses.to_list(), normal(addresses).to_list(), strict=True))
    inside = within(set(spelled.values()), site.networks())
    own = [written for written, normed in spelled.items() if normed in inside]
    return frame.filter(~pl.col(address).is_in(own))


def without_private(frame: pl.DataFrame, address: str) -> pl.DataFrame:
    """Rows whose `address` can be public: only there does it tell one home from another."""
    return frame.filter(~is_inside(pl.col(address)))


def is_sanctioned(value: pl.Expr, department: pl.Expr, site: Site) -> pl.Expr:
    """Whether a tool or destination (lower case) contains the name of one that the site allows.

    The site writes a product and, in brackets, where it is allowed: a domain ("ScreenConnect
    (corp.screenconnect.com)"), which may be the value as well, or a department ("AnyDesk (IT)"), for whose
    people alone it is then allowed. Names are compared by letters and digits, and need four of them.
    """
    allowed = pl.lit(value=False)
    plain = value.str.replace_all(r"[^a-z0-9]+", "")
    for text in (*site.sanctioned_remote_support, *site.sanctioned_cloud_storage):
        product, *where = [part.strip() for part in _PARTS.split(text) if part.strip()] or [""]
        domains = [part for part in where if "." in part]
        departments = [part for part in where if "." not in part]
        names = [_NOT_WORD.sub("", part.lower()) for part in (product, *domains)]
        names = [name for name in names if len(name) >= _LEAST_LETTERS]
        if not names:
            continue
        named = plain.str.contains_any(names)
        if departments:
            words = "|".join(re.escape(part) for part in departments)
            named &= department.str.contains(rf"(?i)\b(?:{words})\b").fill_null(value=False)
        allowed |= named
    return allowed
