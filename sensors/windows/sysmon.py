"""What Sysmon packs into one datum: hashes, registry paths and values, the sides of a connection.

Datum names and formats: Sysmon's own manifest (learn.microsoft.com/sysinternals/downloads/sysmon).
"""

from __future__ import annotations

from functools import partial
from typing import Final

import polars as pl

from sensors.reading.distinct import by_value
from sensors.values import ecs
from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, SPAN, tables

# Whose hashes an event carries: those of the process that starts, or those of the file it is about.
_OF_PROCESS: Final = (1, 25)
_OF_FILE: Final = (6, 7, 11, 15, 23, 24, 26, 27, 28, 29)
_HASHES: Final = {
    "hash.md5": (r"(?:^|,)MD5=([0-9A-Fa-f]{32})", 32),
    "hash.sha1": (r"SHA1=([0-9A-Fa-f]{40})", 40),
    "hash.sha256": (r"SHA256=([0-9A-Fa-f]{64})", 64),
    "pe.imphash": (r"IMPHASH=([0-9A-Fa-f]{32})", 32),
}
_HIVES: Final = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_DYN_DATA": "HKDD",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_PERFORMANCE_DATA": "HKPD",
    "HKEY_USERS": "HKU",
    **{hive: hive for hive in ("HKCR", "HKCC", "HKCU", "HKDD", "HKLM", "HKPD", "HKU")},
}


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the fields that are inside a datum of Sysmon's events."""
    group = tables().groups["sysmon"]
    if not (frame["_group"] == group).any():
        return frame
    frame = _hashed(frame, group)
    frame = _registry(frame, group)
    return _connected(frame, group)


def _event(group: int, *codes: int) -> pl.Expr:
    return pl.col("_key").is_in([group * SPAN + code for code in codes])


def _hashed(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    named = [name for name in (f"{EVENT_DATA}Hashes", f"{EVENT_DATA}Hash") if name in frame.columns]
    if not named:
        return frame
    hashes = pl.coalesce(named)
    # Sysmon writes zeros for a hash that it could not make.
    found = {
        field: by_value(hashes, partial(_hash, pattern=pattern, none="0" * length))
        for field, (pattern, length) in _HASHES.items()
    }
    of_process, of_file = _event(group, *_OF_PROCESS), _event(group, *_OF_FILE)
    frame = values.added(frame, {f"process.{field}": value for field, value in found.items()}, of_process)
    frame = values.added(frame, {f"file.{field}": value for field, value in found.items()}, of_file)
    kinds = [f"_{kind}" for kind in found]
    frame = frame.with_columns(value.alias(f"_{kind}") for kind, value in found.items())
    return values.added(frame, {"related.hash": ecs.related(kinds)}, pl.col("_group") == group).drop(kinds)


def _hash(hashes: pl.Expr, pattern: str, none: str) -> pl.Expr:
    return hashes.str.extract(pattern, 1).str.to_lowercase().replace(none, None)


def _registry(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    column = f"{EVENT_DATA}TargetObject"
    if column not in frame.columns:
        return frame
    path = pl.col(column)
    fields = {
        "registry.hive": path.str.extract(r"^([^\\]+)").replace_strict(
            _HIVES, default=None, return_dtype=pl.String
        ),
        "registry.key": path.str.extract(r"^[^\\]+\\(.+)$"),
        "registry.value": path.str.extract(r"([^\\]+)$"),
    }
    if (details := f"{EVENT_DATA}Details") in frame.columns:
        data = values.text(pl.col(details))
        short = data.str.extract(r"(?i)^DWORD \(0x([0-9a-f]{8})\)$").str.to_integer(base=16, strict=False)
        halves = data.str.extract_groups(r"(?i)^QWORD \(0x([0-9a-f]{8})-0x([0-9a-f]{8})\)$")
        high, low = (halves.struct.field(half).str.to_integer(base=16, strict=False) for half in ("1", "2"))
        long = high * (1 << 32) + low
        fields["registry.data.strings"] = pl.coalesce(short.cast(pl.String), long.cast(pl.String), data)
        fields["registry.data.type"] = (
            pl.when(short.is_not_null())
            .then(pl.lit("SZ_DWORD"))
            .when(long.is_not_null())
            .then(pl.lit("SZ_QWORD"))
            .when(data == "Binary Data")
            .then(pl.lit("REG_BINARY"))
            .when(data.is_not_null())
            .then(pl.lit("REG_SZ"))
        )
    return values.added(frame, fields, _event(group, 12, 13, 14))


def _connected(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    fields = {}
    if (initiated := f"{EVENT_DATA}Initiated") in frame.columns:
        fields["network.direction"] = pl.col(initiated).replace_strict(
            {"true": "egress", "false": "ingress"}, default=None, return_dtype=pl.String
        )
    if (v6 := f"{EVENT_DATA}SourceIsIpv6") in frame.columns:
        fields["network.type"] = pl.col(v6).replace_strict(
            {"true": "ipv6", "false": "ipv4"}, default=None, return_dtype=pl.String
        )
    return values.added(frame, fields, _event(group, 3))
