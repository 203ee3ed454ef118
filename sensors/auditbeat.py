"""Auditbeat's auditd documents (and auditd_manager's of Elastic Agent), as written before they are dated.

Fields after https://www.elastic.co/docs/reference/beats/auditbeat/exported-fields-auditd. They name most of
what they say in ECS already; the time is that of the audit records which they were made of.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors import schema
from sensors.shapes.endpoint_records import EndpointRecords, column

_OURS: Final = ("event.module", "event.dataset", "event.hash", "log.offset", "log.file.line", "log.file.path")


def _more(frame: pl.DataFrame, kind: str) -> list[pl.Expr]:  # noqa: ARG001 - there is one kind
    known = schema.dictionary()
    named = [
        name
        for name in frame.columns
        if name in known and name not in _OURS and name not in {"@timestamp", "event.id", "source.ip"}
    ]
    moment = pl.col("text").str.extract(r"audit\((\d{9,11}\.\d+):\d+\)", 1).cast(pl.Float64, strict=False)
    return [
        *(column(frame, name, [name]).alias(name) for name in named),
        pl.from_epoch((moment * 1000).round().cast(pl.Int64), "ms")
        .dt.replace_time_zone("UTC")
        .alias("@timestamp"),
    ]


SENSOR: Final = EndpointRecords("auditbeat", "auditbeat.toml", "auditd", _more, timeless=True)
