"""System logs that say in words what later versions have fields for.

Before 9.1, GlobalProtect wrote to the system log (subtype `globalprotect`): `GlobalProtect gateway user
authentication succeeded. Login from: 203.0.113.5, Source region: US, User name: alice, Client OS version: …`.
All versions write there who logged in to the firewall itself: `User 'admin' logged in via Web from 192.0.2.1 using
https`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_KEYS: Final = {
    "login_from": r"Login from: ([0-9A-Fa-f.:]+)",
    "srcregion": r"Source region: ([^,]+)",
    "said_user": r"User name: ([^,]+?)(?:,|\. |\.?$)",
    "private_ip": r"Private IP: ([0-9A-Fa-f.:]*[0-9A-Fa-f])",
    "client_ver": r"Client version: ([^,]+?)(?:,|\.$|$)",
    "client_os_ver": r"Client OS version: (.+?)(?:\.$|, [A-Z][a-z]+[^,]*:|$)",
    "machinename": r"Device name: ([^,]+)",
    "said_reason": r"Reason: (.+?)\.?$",
}
_ADMIN: Final = (
    r"^(?:User '?(?P<user>[^' ]+)'? logged (?P<way>in|out) via \S+ from (?P<from>\S+)(?: using \S+)?)",
    r"^(?P<way>failed) authentication for user '(?P<user>[^']*)'\. +Reason: (?P<reason>.*?)\.? From: (?P<from>\S+?)\.?$",
    r"^(?P<way>authenticated) for user '(?P<user>[^']*)'\. .*?From: (?P<from>\S+?)\.?$",
)
_OUTCOMES: Final = {"in": "success", "out": "success", "failed": "failure", "authenticated": "success"}


def described(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields that the descriptions of system logs hold, and `is_vpn`: whether it is GlobalProtect's."""
    sub = pl.col("subtype").str.to_lowercase() if "subtype" in frame.columns else pl.lit("")
    event = pl.col("eventid") if "eventid" in frame.columns else pl.lit(None, pl.String)
    old = (pl.col("type") == "SYSTEM") & ((sub == "globalprotect") | event.str.starts_with("globalprotect"))
    flags = frame.with_columns(
        old=old.fill_null(value=False), is_vpn=((pl.col("type") == "GLOBALPROTECT") | old).fill_null(value=False)
    )
    if "opaque" not in frame.columns:
        return flags.drop("old")
    system = pl.col("type") == "SYSTEM"
    words = pl.when("old").then("opaque")
    found = flags.with_columns(words.str.extract(key, 1).alias(f"said.{name}") for name, key in _KEYS.items())
    said = found.select(pl.when(system & ~pl.col("old")).then("opaque").alias("opaque"))["opaque"]
    for number, form in enumerate(_ADMIN):
        parts = said.str.extract_groups(form).struct.unnest()
        found = found.with_columns(parts[name].alias(f"admin{number}.{name}") for name in parts.columns)

    def first(name: str) -> pl.Expr:
        there = [f"admin{n}.{name}" for n in range(len(_ADMIN)) if f"admin{n}.{name}" in found.columns]
        return pl.coalesce(there)

    merged = {name: [pl.col(f"said.{name}")] for name in _KEYS}
    merged["login_from"].append(first("from"))
    merged["said_user"].append(first("user"))
    merged["said_reason"].append(first("reason"))
    result = found.with_columns(
        pl.coalesce(*([pl.col(name)] if name in frame.columns else []), *columns).alias(name)
        for name, columns in merged.items()
    ).with_columns(
        first("way").replace_strict(_OUTCOMES, default=None, return_dtype=pl.String).alias("said_outcome")
    )
    return result.drop(name for name in result.columns if name == "old" or name.startswith(("said.", *(f"admin{n}." for n in range(len(_ADMIN))))))
