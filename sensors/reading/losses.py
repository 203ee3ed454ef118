"""What could not be read, named: the first rows of a batch one by one, the others together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from sensors.sensor import Source

_NAMED: Final = 100


def name_lost(rows: pl.DataFrame, reason: str, source: Source) -> None:
    """Name rows in `source.unread`.

    Args:
        rows: `log.offset`, `log.file.line`, and their `text`, or else their beginning as `sample`.
        reason: one plain sentence.
        source: what is being read.
    """
    sample = "text" if "text" in rows.columns else "sample"
    columns = rows.select(sample, "log.offset", "log.file.line")
    for begins, offset, line in columns.head(_NAMED).iter_rows():
        source.lost(reason, line=line, offset=offset, sample=begins or "")
    for begins, offset, line in columns.slice(_NAMED, 1).iter_rows():
        source.lost(
            f"{reason}; the first of many from here on",
            line=line,
            offset=offset,
            sample=begins or "",
            count=rows.height - _NAMED,
        )
