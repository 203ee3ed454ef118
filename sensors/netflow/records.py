"""Sets of one template to columns: all records of the template at once."""

# Compiled: offsets are the formats' own numbers, and the branches of one packet stand together.
# ruff: noqa: PLR2004, PLR0911

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.compiled import kernel
from sensors.netflow.walk import BODY, LENGTH, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensors.netflow.templates import Template

_WIDEST: Final = 1024  # octets of one value; the rest of a longer one is not shown
_NTP_EPOCH: Final = 2_208_988_800  # seconds from 1900 to 1970
_MICRO: Final = 1_000_000
_HEX: Final = pl.Series([f"{octet:02X}" for octet in range(256)])
_DECIMAL: Final = pl.Series([str(octet) for octet in range(256)])


def decode(
    data: NDArray[np.uint8], sets: NDArray[np.int64], template: Template
) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """A column for each field that has a name; and of each record its set's row and its first octet.

    Args:
        data: the whole source.
        sets: rows of the table of sets, all of this template.
        template: what their records are made of.
    """
    sizes = np.array([each.length for each in template.fields], np.int64)
    if template.fixed:
        counts = sets[:, LENGTH] // template.least
        owner = np.repeat(np.arange(len(sets)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = sets[owner, BODY] + within * template.least
        places = np.cumsum(sizes) - sizes
        spots = [
            (starts + place, np.full(len(starts), size)) for place, size in zip(places, sizes, strict=True)
        ]
    else:
        bodies = np.ascontiguousarray(sets[:, [BODY, LENGTH]])
        count = _parse(data, bodies, sizes, np.empty((0, 0), np.int64), np.empty((0, 0, 2), np.int64))
        own, parts = np.empty((count, 2), np.int64), np.empty((count, len(sizes), 2), np.int64)
        _parse(data, bodies, sizes, own, parts)
        owner, starts = own[:, 0], own[:, 1]
        spots = [(parts[:, at, 0].copy(), parts[:, at, 1].copy()) for at in range(len(sizes))]
    columns = {"~": pl.Series(starts)}  # even of a template without any name
    for each, (at, size) in zip(template.fields, spots, strict=True):
        if each.name:
            group = "scope." if each.scope else "options." if template.options else ""
            columns[group + each.name] = _column(data, at, size, each.kind)
    return pl.DataFrame(columns), owner, starts


@kernel
def _parse(
    data: NDArray[np.uint8], bodies: NDArray[np.int64], sizes: NDArray[np.int64], own: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> int:  # fmt: skip
    """Where the fields of records of no fixed length lie (RFC 7011, 7); how many records there are.

    Fills nothing if there is no room: the first call counts.
    """
    count = 0
    for row in range(bodies.shape[0]):
        at = bodies[row, 0]
        end = at + bodies[row, 1]
        while at < end:
            start, whole = at, True
            for index in range(sizes.size):
                size = sizes[index]
                if size == 65_535:
                    size = int(data[at]) if at < end else 0
                    at += 1
                    if size == 255:
                        size = number(data, at, 2) if at + 2 <= end else 0
                        at += 2
                if at + size > end:
                    whole = False
                    break
                if count < own.shape[0]:
                    parts[count, index, 0], parts[count, index, 1] = at, size
                at += size
            if not whole:
                break
            if count < own.shape[0]:
                own[count, 0], own[count, 1] = row, start
            count += 1
    return count


@kernel
def _integers(
    data: NDArray[np.uint8], at: NDArray[np.int64], size: NDArray[np.int64], out: NDArray[np.uint64]
) -> None:
    for row in range(at.size):
        value = np.uint64(0)
        for index in range(min(size[row], 8)):
            value = (value << np.uint64(8)) | np.uint64(data[at[row] + index])
        out[row] = value


@kernel
def _octets(
    data: NDArray[np.uint8], at: NDArray[np.int64], size: NDArray[np.int64], out: NDArray[np.uint8]
) -> None:
    """The octets of each value, with zeros behind a short one."""
    for row in range(at.size):
        for index in range(min(size[row], out.shape[1])):
            out[row, index] = data[at[row] + index]


def _column(data: NDArray[np.uint8], at: NDArray[np.int64], size: NDArray[np.int64], kind: str) -> pl.Series:
    if kind in {"n", "s", "ms", "ntp"}:
        return _numbers(data, at, size, kind)
    if kind == "float":
        return _floats(data, at, size)
    widest = min(int(size.max(initial=0)), _WIDEST)
    octets = np.zeros((at.size, widest), np.uint8)
    _octets(data, at, size, octets)
    if kind == "ip4" and widest == 4:
        return _joined([_DECIMAL.gather(octets[:, part]) for part in range(4)], ".")
    if kind == "mac" and widest == 6:
        return _joined([_HEX.gather(octets[:, part]) for part in range(6)], "-")
    if kind == "ip6" and widest == 16:
        return _addresses6(octets)
    if not widest:
        return pl.Series([None], dtype=pl.String).new_from_index(0, at.size)
    if kind == "text":
        decoded = np.char.decode(octets.view(f"S{widest}").ravel(), "utf-8", "replace")
        text = pl.Series(decoded.tolist(), dtype=pl.String).str.strip_chars_end("\0 ")
        return text.set(text == "", None)
    return _hexadecimal(octets, pl.Series(size))


def _hexadecimal(octets: NDArray[np.uint8], size: pl.Series) -> pl.Series:
    """Octets as hexadecimal digits."""
    whole = octets.tobytes().hex()
    width = 2 * octets.shape[1]
    rows = pl.Series([whole[at : at + width] for at in range(0, len(whole), width)], dtype=pl.String)
    return rows.to_frame("text").select(pl.col("text").str.head(2 * size)).to_series()


def _numbers(data: NDArray[np.uint8], at: NDArray[np.int64], size: NDArray[np.int64], kind: str) -> pl.Series:
    values = np.zeros(at.size, np.uint64)
    _integers(data, at, size, values)
    if kind == "n":
        return pl.Series(values)
    if kind == "ntp":
        seconds = (values >> np.uint64(32)).astype(np.int64) - _NTP_EPOCH
        micros = ((values & np.uint64(0xFFFFFFFF)) * np.uint64(_MICRO) >> np.uint64(32)).astype(np.int64)
        moments = np.where(values == 0, 0, seconds * _MICRO + micros)
    else:
        most = np.uint64(1 << 44)  # the year 2527 in milliseconds: what is beyond is no time
        moments = np.where(values < most, values, 0).astype(np.int64) * (_MICRO if kind == "s" else 1000)
        moments = np.where(moments < 1 << 54, moments, 0)
    series = pl.Series(moments)
    return series.set(series == 0, None).cast(pl.Datetime("us", "UTC"))


def _floats(data: NDArray[np.uint8], at: NDArray[np.int64], size: NDArray[np.int64]) -> pl.Series:
    values = np.zeros(at.size, np.uint64)
    _integers(data, at, size, values)
    narrow = values.astype(np.uint32).view(np.float32).astype(np.float64)
    return pl.Series(np.where(size == 8, values.view(np.float64), narrow))


def _joined(parts: list[pl.Series], separator: str) -> pl.Series:
    names = [str(at) for at in range(len(parts))]
    return (
        pl.DataFrame(dict(zip(names, parts, strict=True)))
        .select(pl.concat_str(names, separator=separator))
        .to_series()
    )


def _addresses6(octets: NDArray[np.uint8]) -> pl.Series:
    """IPv6 addresses as text, each distinct one written once."""
    halves = octets.view(">u8").astype(np.uint64)
    pairs = pl.DataFrame({"high": halves[:, 0], "low": halves[:, 1]})
    distinct = pairs.unique(maintain_order=True)
    written = [
        socket.inet_ntop(socket.AF_INET6, ((high << 64) | low).to_bytes(16, "big"))
        for high, low in distinct.iter_rows()
    ]
    named = distinct.with_columns(pl.Series("text", written, pl.String))
    return pairs.join(named, on=["high", "low"], how="left", maintain_order="left")["text"]
