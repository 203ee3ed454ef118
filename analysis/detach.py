"""A few rows of a batch without the batch: what is kept must not hold what it was taken from."""

from __future__ import annotations

from io import BytesIO

import polars as pl


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows in memory of their own.

    Rows that were filtered or gathered share the text buffers of the frame they came from: three rows
    kept of each batch keep every batch alive (`rechunk` and `shrink_to_fit` of Polars 2.1 do not help).
    Arrow's stream format writes only the text that is there.
    """
    if frame.is_empty():
        return frame.clear()
    stream = BytesIO()
    frame.write_ipc_stream(stream)
    stream.seek(0)
    return pl.read_ipc_stream(stream)
