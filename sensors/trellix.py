"""Trellix: trace events of EDR and threat events of ePolicy Orchestrator, as their clouds hand them out.

Fields after https://developer.manage.trellix.com (EDR data export, ePO `/epo/v2/events`), mapping after
Elastic's integrations `trellix_edr_cloud` and `trellix_epo_cloud`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.shapes.endpoint_records import EndpointRecords

_LENGTHS: Final = {32: "md5", 40: "sha1", 64: "sha256"}


def _after(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Events of ePolicy Orchestrator without what only says `None`; hashes by their length."""
    if kind != "epo":
        return frame
    frame = frame.with_columns(
        pl.when(pl.col(pl.String).str.to_lowercase() != "none").then(pl.col(pl.String)).name.keep()
    )
    return frame.with_columns(
        pl.when(pl.col(f"{what}.hash.md5").str.len_bytes() == length)
        .then(f"{what}.hash.md5")
        .alias(f"{what}.hash.{name}")
        for what in ("process", "file")
        for length, name in _LENGTHS.items()
    )


SENSOR: Final = EndpointRecords(
    "trellix", "trellix.toml", "trellix_edr_cloud trellix_epo_cloud", after=_after
)
