"""Events as files that other tools read: ECS NDJSON, and Parquet."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

# A quote inside a JSON string is escaped, so `,"name":null` can only be a member; and the first member of
# our rows is never null.
_NULL_MEMBER: Final = re.compile(rb',"[^"\\]+":null')
_NEVER_NULL: Final = "event.dataset"


def ndjson(frames: Iterable[pl.DataFrame], out: BinaryIO) -> int:
    """One JSON object an event with dotted ECS names, nothing where there is no value; how many events."""
    count = 0
    for frame in frames:
        times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
        ordered = frame.select(_NEVER_NULL, pl.exclude(_NEVER_NULL)).with_columns(
            pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        )
        text = io.BytesIO()
        ordered.write_ndjson(text)
        out.write(_NULL_MEMBER.sub(b"", text.getvalue()))
        count += frame.height
    return count


def file(frames: Iterable[pl.DataFrame], path: Path) -> int:
    """All events as a file, Parquet or NDJSON by its ending; how many events.

    Raises:
        OSError: it cannot be written.
    """
    if path.suffix == ".parquet":
        return parquet(frames, path)
    with path.open("wb") as out:
        return ndjson(frames, out)


def parquet(frames: Iterable[pl.DataFrame], path: Path) -> int:
    """All events as one Parquet file with the columns of all batches; how many events.

    Batches are written aside first, for the columns are known only when all were seen.
    """
    count = 0
    with tempfile.TemporaryDirectory(prefix=".molehunt-", dir=path.parent) as aside:
        parts = []
        for number, frame in enumerate(frames):
            part = Path(aside, f"{number:06d}.parquet")
            frame.write_parquet(part, compression="zstd", compression_level=1)
            parts.append(pl.scan_parquet(part))
            count += frame.height
        whole = Path(aside, "whole.parquet")
        if parts:
            pl.concat(parts, how="diagonal").sink_parquet(whole, compression="zstd", maintain_order=True)
        else:
            pl.DataFrame(schema={"@timestamp": pl.Datetime("us", "UTC")}).write_parquet(whole)
        whole.replace(path)
    return count
