"""What the Security log says in other words than Sysmon: where a registry value is, who began a connection.

Event data: Microsoft's reference of security auditing (4657, 5156, 5157). The short names of registry
roots are those of Sysmon's documentation.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.windows import values
from sensors.windows.tables import EVENT_DATA, SPAN, tables

_VALUE_CHANGED: Final = 4657
_CONNECTION: Final = (5156, 5157)
# Tried from the top; the rest of the path follows. A control set is the current one nearly always.
_ROOTS: Final = (
    (r"(?i)^\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet\d{3}\\", "HKLM\\System\\CurrentControlSet\\"),
    (r"(?i)^\\REGISTRY\\MACHINE\\", "HKLM\\"),
    (r"(?i)^\\REGISTRY\\USER\\", "HKU\\"),
)
_OUTBOUND: Final = "%%14593"
_INBOUND: Final = "%%14592"


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds registry paths as Sysmon writes them, and whether this computer began a connection."""
    group = tables().groups["security"]
    if not (frame["_group"] == group).any():
        return frame
    return _initiated(_registry(frame, group), group)


def _registry(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    name, value = f"{EVENT_DATA}ObjectName", f"{EVENT_DATA}ObjectValueName"
    changed = pl.col("_key") == group * SPAN + _VALUE_CHANGED
    if name not in frame.columns or not frame.select(changed.any()).item():
        return frame
    key = values.text(pl.col(name))
    for root, short in _ROOTS:
        key = key.str.replace(root, short)
    parts = [key] if value not in frame.columns else [key, values.text(pl.col(value))]
    fields = {
        "registry.path": pl.concat_str(parts, separator="\\", ignore_nulls=True),
        "registry.hive": key.str.extract(r"^(HK[A-Z]+)\\"),
        "registry.key": key.str.replace(r"^HK[A-Z]+\\", ""),
    }
    return values.added(frame, fields, changed & key.is_not_null())


def _initiated(frame: pl.DataFrame, group: int) -> pl.DataFrame:
    """Adds `molehunt.network.initiated`, which Sysmon calls Initiated: true or false, as text."""
    if (direction := f"{EVENT_DATA}Direction") not in frame.columns:
        return frame
    said = pl.col(direction).replace_strict(
        {_OUTBOUND: "true", _INBOUND: "false", "Outbound": "true", "Inbound": "false"},
        default=None,
        return_dtype=pl.String,
    )
    connections = pl.col("_key").is_in([group * SPAN + code for code in _CONNECTION])
    return values.added(frame, {"molehunt.network.initiated": said}, connections)
