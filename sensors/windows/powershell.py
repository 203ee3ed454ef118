"""The texts that PowerShell packs its facts into: `ContextInfo` of 4103, the third datum of the classic log.

Both are lines of a key and a value, in a fixed order, `Host Application = powershell.exe …` and
`HostApplication=powershell …`. A value may have several lines (a script given on the command line); it ends
where the next key begins.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.event_json import EVENT_DATA
from sensors.windows.tables import SPAN, tables

# Field → (key, the keys that may follow it, how its value is read).
_CLASSIC: Final = {
    "event.sequence": ("SequenceNumber", "", values.number),
    "_person": ("UserId", "", values.text),
    "process.title": ("HostName", "", values.text),
    "process.entity_id": ("HostId", "", values.text),
    "process.command_line": ("HostApplication", "EngineVersion", values.text),
    "file.path": ("ScriptName", "", values.text),
}
_OPERATIONAL: Final = {
    "event.sequence": ("Sequence Number", "", values.number),
    "_person": ("User", "", values.text),
    "_connected": ("Connected User", "", values.text),
    "process.title": ("Host Name", "", values.text),
    "process.entity_id": ("Host ID", "", values.text),
    "process.command_line": ("Host Application", "Engine Version", values.text),
    "file.path": ("Script Name", "", values.text),
}
_OWN: Final = ("_person", "_connected")


def unpacked(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds what is inside those texts; what was there before stays."""
    groups = tables().groups
    texts: list[tuple[pl.Expr, dict[str, tuple[str, str, object]]]] = []
    context = f"{EVENT_DATA}ContextInfo"
    if context in frame.columns and (frame["_group"] == groups["powershell"]).any():
        modules = pl.col("_key") == groups["powershell"] * SPAN + 4103
        texts.append((pl.when(modules).then(pl.col(context)), dict(_OPERATIONAL)))
    third, second = f"{EVENT_DATA}param3", f"{EVENT_DATA}param2"
    if second in frame.columns and (frame["_group"] == groups["powershell_classic"]).any():
        classic = pl.col("_group") == groups["powershell_classic"]
        pipeline = pl.col("_key") == groups["powershell_classic"] * SPAN + 800
        state = pl.col(third) if third in frame.columns else pl.lit(None, pl.String)
        whole = pl.when(pipeline).then(pl.col(second)).when(classic).then(state)
        texts.append((whole, dict(_CLASSIC)))
    for whole, keys in texts:
        frame = _added(frame, whole, keys)
    return frame


def _added(
    frame: pl.DataFrame, whole: pl.Expr, keys: dict[str, tuple[str, str, object]]
) -> pl.DataFrame:
    found = frame.select(whole.alias("whole")).to_series()
    rows = frame.with_columns(found.alias("_whole"))
    fresh = rows.select(
        _read(how, _value(pl.col("_whole"), key, following)).alias(field)
        for field, (key, following, how) in keys.items()
    )
    fresh = fresh.with_columns(_people(fresh))
    return frame.with_columns(
        fresh[name] if name not in frame.columns else frame[name].fill_null(fresh[name])
        for name in fresh.columns
        if name not in _OWN
    )


def _read(how: object, value: pl.Expr) -> pl.Expr:
    return how(value) if callable(how) else value  # type: ignore[no-any-return] # every `how` gives an expression


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
