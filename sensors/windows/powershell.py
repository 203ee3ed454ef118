"""The texts that PowerShell packs its facts into: `ContextInfo` of 4103, the third datum of the classic log.

Both are lines of a key and a value, in a fixed order, `Host Application = powershell.exe …` and
`HostApplication=powershell …`. A value may have several lines (a script given on the command line); it ends
where the next key begins.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, SPAN, tables

# Field → its key, and the key that follows where the value may have several lines.
_CLASSIC: Final = {
    "event.sequence": ("SequenceNumber", ""),
    "_person": ("UserId", ""),
    "process.title": ("HostName", ""),
    "process.entity_id": ("HostId", ""),
    "process.command_line": ("HostApplication", "EngineVersion"),
    "file.path": ("ScriptName", ""),
}
_OPERATIONAL: Final = {
    "event.sequence": ("Sequence Number", ""),
    "_person": ("User", ""),
    "_connected": ("Connected User", ""),
    "process.title": ("Host Name", ""),
    "process.entity_id": ("Host ID", ""),
    "process.command_line": ("Host Application", "Engine Version"),
    "file.path": ("Script Name", ""),
}
_OWN: Final = ("_person", "_connected")


def unpacked(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds what is inside those texts; what was there before stays."""
    groups = tables().groups
    context = f"{EVENT_DATA}ContextInfo"
    if context in frame.columns and (frame["_group"] == groups["powershell"]).any():
        is_pipeline = pl.col("_key") == groups["powershell"] * SPAN + 4103
        frame = _added(frame, pl.when(is_pipeline).then(pl.col(context)), _OPERATIONAL)
    second, third = f"{EVENT_DATA}param2", f"{EVENT_DATA}param3"
    if {second, third} <= set(frame.columns) and (frame["_group"] == groups["powershell_classic"]).any():
        is_pipeline = pl.col("_key") == groups["powershell_classic"] * SPAN + 800
        text = pl.when(is_pipeline).then(pl.col(second)).otherwise(pl.col(third))
        is_classic = pl.col("_group") == groups["powershell_classic"]
        frame = _added(frame, pl.when(is_classic).then(text), _CLASSIC)
    return frame


def _added(frame: pl.DataFrame, text: pl.Expr, keys: dict[str, tuple[str, str]]) -> pl.DataFrame:
    found = frame.select(text.alias("text")).select(
        values.text(_value(pl.col("text"), key, following)).alias(field)
        for field, (key, following) in keys.items()
    )
    found = found.with_columns(_people(found))
    return values.added(frame, {name: pl.lit(found[name]) for name in found.columns if name not in _OWN})


def _value(whole: pl.Expr, key: str, following: str) -> pl.Expr:
    end = rf"(?s:(.*?))\r?\n\s*{following} ?=" if following else r"([^\r\n]*)"
    return whole.str.extract(rf"(?:^|[\r\n])[ \t]*{key} ?= ?{end}").str.strip_chars()


def _people(fresh: pl.DataFrame) -> list[pl.Expr]:
    """Who ran it. In a remote session the connected user came from elsewhere and acts as the other one."""
    me, other = pl.col("_person"), pl.col("_connected") if "_connected" in fresh.columns else None
    if other is None:
        return [values.person(me).alias("user.name"), values.realm(me).alias("user.domain")]
    return [
        values.person(pl.coalesce(other, me)).alias("user.name"),
        values.realm(pl.coalesce(other, me)).alias("user.domain"),
        values.person(other).alias("source.user.name"),
        values.realm(other).alias("source.user.domain"),
        pl.when(other.is_not_null()).then(values.person(me)).alias("destination.user.name"),
        pl.when(other.is_not_null()).then(values.realm(me)).alias("destination.user.domain"),
    ]
