"""Remote desktops whose first bytes say no more than what they are; the signatures are data beside this."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sensors.capture.conversations import Array, Datagrams, Streams

_SIDES: Final = {"client": CLIENT, "server": SERVER}
_LONGEST: Final = 64  # bytes of a text
_PRINTABLE: Final = (0x20, 0x7E)
_HEX: Final = 2  # letters a byte


def _fixed(pattern: str) -> Iterator[tuple[int, bytes]]:
    """The pieces of a pattern between bytes that may be any, and where they begin."""
    joined = pattern.replace(" ", "")
    for piece in re.finditer(r"[0-9a-f]+", joined):
        yield piece.start() // _HEX, bytes.fromhex(piece[0])


def _begins(streams: Streams, signature: Mapping[str, Any]) -> Array:
    """Which rows fit a signature of TCP."""
    fits = np.ones(len(streams), np.bool_)
    for name, side in _SIDES.items():
        for offset, piece in _fixed(signature.get(name, "")):
            fits &= streams.begins(side, piece, offset)
    return fits


def _fits(signatures: Sequence[Mapping[str, Any]], streams: Streams) -> Array:
    fits = np.zeros(len(streams), np.bool_)
    for each in signatures:
        fits |= _begins(streams, each)
    return fits


def _events(signatures: Sequence[Mapping[str, Any]], streams: Streams) -> pl.DataFrame:
    """One event a flow; of the first signature that fits."""
    left = np.ones(len(streams), np.bool_)
    frames = []
    for signature in signatures:
        rows = np.flatnonzero(left & _begins(streams, signature))
        left[rows] = False
        said = np.where(streams.ends[rows, CLIENT] > streams.starts[rows, CLIENT], CLIENT, SERVER)
        place = pl.DataFrame({"row": rows, "side": said})
        frame = place.with_columns(pl.lit(0, pl.Int64).alias("at"), *_same(signature))
        for column, (side, offset) in signature.get("texts", {}).items():
            frame = frame.with_columns(_text(streams.only(rows), _SIDES[side], offset).alias(column))
        frames.append(frame)
    return pl.concat(frames, how="diagonal")


def _same(signature: Mapping[str, Any]) -> list[pl.Expr]:
    """The columns that every event of a signature has."""
    return [
        pl.lit(f"capture.{signature['name']}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit(signature["name"]).alias("network.protocol"),
        pl.lit(signature["application"]).alias("network.application"),
    ]


def _text(streams: Streams, side: int, offset: int) -> pl.Series:
    """The printable text that stands at a place of what a side said; null where there is none."""
    starts, ends = streams.starts[:, side] + offset, streams.ends[:, side]
    places = starts[:, None] + np.arange(_LONGEST)
    there = places < ends[:, None]
    letters = np.where(there, streams.data[np.where(there, places, 0)] if len(streams.data) else 0, 0)
    printable = (letters >= _PRINTABLE[0]) & (letters <= _PRINTABLE[1])
    sizes = np.where(printable.all(axis=1), _LONGEST, (~printable).argmax(axis=1))
    starts = np.where(sizes > 0, starts, -1)
    return texts.columns(streams.data, {"text": (starts, starts + sizes)}).get_column("text")


def _datagrams(signatures: Sequence[Mapping[str, Any]], datagrams: Datagrams) -> Array:
    """Which datagrams fit one of the signatures."""
    fits = np.zeros(len(datagrams), np.bool_)
    for signature in signatures:
        one = np.isin(datagrams.ports, signature["ports"]).any(axis=1)
        for offset, piece in _fixed(signature["begins"]):
            one &= datagrams.begins(piece, offset)
        length = signature["length"]
        first, second = (datagrams.byte(length["at"] + k) for k in range(_HEX))
        high, low = (first, second) if length["order"] == "big" else (second, first)
        fits |= one & (high * 256 + low + length["more"] == datagrams.size())
    return fits


def _firsts(signatures: Sequence[Mapping[str, Any]], datagrams: Datagrams) -> pl.DataFrame:
    """One event a flow: of the first datagram that fits."""
    rows = np.flatnonzero(_datagrams(signatures, datagrams))
    _, first = np.unique(datagrams.flow[rows], return_index=True)
    return pl.DataFrame({"row": rows[first]}).with_columns(_same(signatures[0]))


def _protocols() -> Iterator[OverTcp | OverUdp]:
    table = tomllib.loads((files("sensors.capture.protocols") / "remote_desktops.toml").read_text("utf-8"))
    for kind, signatures in table.items():
        for name in dict.fromkeys(each["name"] for each in signatures):
            some = [each for each in signatures if each["name"] == name]
            if kind == "tcp":
                yield OverTcp(name, partial(_fits, some), partial(_events, some))
            else:
                ports = frozenset(port for each in some for port in each["ports"])
                yield OverUdp(name, partial(_datagrams, some), partial(_firsts, some), ports)


PROTOCOLS: Final = tuple(_protocols())
