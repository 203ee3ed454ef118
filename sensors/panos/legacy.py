"""System logs that say in words what later versions have fields for.

Before 9.1, GlobalProtect wrote to the system log (subtype `globalprotect`): `GlobalProtect gateway user
authentication succeeded. Login from: 203.0.113.5, Source region: US, User name: alice, ...`. All versions
write there who logged in to the firewall itself: `User 'admin' logged in via Web from 192.0.2.1 using https`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.panos.layout import text

_KEYS: Final = {
    "login_from": r"Login from: ([0-9A-Fa-f.:]*[0-9A-Fa-f])",
    "srcregion": r"Source region: ([^,]+)",
    "said_user": r"User name: ([^,]+?)(?:,|\. |\.?$)",
    "private_ip": r"Private IP: ([0-9A-Fa-f.:]*[0-9A-Fa-f])",
    "client_ver": r"Client version: ([^,]+?)(?:,|\.$|$)",
    "client_os_ver": r"Client OS version: (.+?)(?:\.$|, [A-Z][A-Za-z ]*:|$)",
    "machinename": r"Device name: ([^,]+)",
    "said_reason": r"Reason: (.+?)\.?$",
}
_ADMIN: Final = (
    r"^User '?(?P<said_user>[^' ]+)'? logged (?P<way>in|out) via \S+ from (?P<login_from>\S+)",
    (
        r"^(?P<way>failed) authentication for user '(?P<said_user>[^']*)'\. +Reason: (?P<said_reason>.*?)\.? "
        r"From: (?P<login_from>\S+?)\.?$"
    ),
    r"^(?P<way>authenticated) for user '(?P<said_user>[^']*)'\. .*?From: (?P<login_from>\S+?)\.?$",
)
_OUTCOMES: Final = {"in": "success", "out": "success", "failed": "failure", "authenticated": "success"}


def described(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields that descriptions of system logs hold, and `is_vpn`: whether it is GlobalProtect's."""
    system = pl.col("type") == "SYSTEM"
    of_vpn = text(frame, "subtype").str.to_lowercase() == "globalprotect"
    old = system & (of_vpn | text(frame, "eventid").str.starts_with("globalprotect"))
    frame = frame.with_columns(
        old=old.fill_null(value=False),
        is_vpn=(old | (pl.col("type") == "GLOBALPROTECT")).fill_null(value=False),
    )
    said = frame.select(
        old=pl.when("old").then(text(frame, "opaque")),
        admin=pl.when(system & ~pl.col("old")).then(text(frame, "opaque")),
    )
    found: dict[str, list[pl.Series]] = {
        name: [said["old"].str.extract(key, 1)] for name, key in _KEYS.items()
    }
    found["way"] = []
    for form in _ADMIN:
        for series in said["admin"].str.extract_groups(form).struct.unnest().iter_columns():
            found[series.name].append(series)
    way = pl.coalesce(found.pop("way")).replace_strict(_OUTCOMES, default=None, return_dtype=pl.String)
    return frame.with_columns(
        way.alias("said_outcome"),
        *(pl.coalesce(text(frame, name), *series).alias(name) for name, series in found.items()),
    ).drop("old")
