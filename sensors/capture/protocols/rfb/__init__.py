"""VNC's RFB (RFC 6143): versions, how one proved who one is and whether it was believed, the desktop seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import texts
from sensors.capture.protocols.rfb import walk

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

# https://www.iana.org/assignments/rfb; what Zeek names is named as it does.
METHODS: Final = (
    dict.fromkeys((*range(3, 16), *range(128, 256)), "RealVNC")
    | dict.fromkeys(range(30, 36), "Apple")
    | {
        0: "Invalid", 1: "None", 2: "VNC", 16: "Tight", 17: "Ultra", 18: "TLS",
        19: "VeNCrypt", 20: "GTK-VNC SASL", 21: "MD5 hash authentication", 22: "Colin Dean xvp",
        23: "Secure Tunnel", 24: "Integrated SSH", 30: "Apple Remote Desktop", 112: "MS-Logon I",
        113: "MS-Logon II", 114: "SecureVNC plugin",
    }
)  # fmt: skip
OF_REALVNC: Final = {5: "RA2", 6: "RA2ne", 129: "RA256", 130: "RA2ne 256"}
SUBTYPES: Final = {
    (16, 1): "None", (16, 2): "VNC", (16, 16): "Tight", (16, 129): "Unix login", (16, 130): "External",
    (19, 256): "Plain", (19, 257): "TLSNone", (19, 258): "TLSVnc", (19, 259): "TLSPlain",
    (19, 260): "X509None", (19, 261): "X509Vnc", (19, 262): "X509Plain", (19, 263): "TLSSASL",
    (19, 264): "X509SASL",
}  # fmt: skip
_SUBTYPES: Final = 1 << 16  # for one number of method and subtype
_NUMBERS: Final = {
    "zeek.rfb.width": walk.WIDE,
    "zeek.rfb.height": walk.HIGH,
    "capture.rfb.depth": walk.DEPTH,
}
_TEXTS: Final = {
    "event.reason": walk.REASON,
    "zeek.rfb.desktop_name": walk.NAME,
    "user.name": walk.USER,
    "capture.rfb.repeater.target": walk.TARGET,
}


def fits(streams: Streams) -> Array:
    """Where a side begins with a version of twelve bytes."""
    said = np.zeros(len(streams), np.bool_)
    for side in (CLIENT, SERVER):
        said |= (
            streams.begins(side, b"RFB 0")
            & streams.begins(side, b".", offset=7)
            & streams.begins(side, b"\n", offset=11)
        )
    return said


def events(streams: Streams) -> pl.DataFrame:
    """One event for each flow in which a version was said."""
    found = np.full((len(streams), walk.WIDTH), -1, np.int64)
    walk.read(streams.data, streams.starts, streams.ends, found)
    rows = np.flatnonzero((found[:, [walk.SERVER, walk.CLIENT]] >= 0).any(axis=1))
    found = found[rows]
    speaks = np.where(found[:, walk.SERVER] >= 0, SERVER, CLIENT)
    backwards = found[:, walk.REVERSED] == 1
    frame = pl.DataFrame({"row": rows, "side": np.where(backwards, 1 - speaks, speaks)})
    said = texts.columns(streams.data, _spans(found))
    return frame.with_columns(
        pl.lit(0, pl.Int64).alias("at"),
        pl.lit("capture.rfb").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "info"]).alias("event.type"),
        pl.lit("handshake").alias("event.action"),
        pl.lit("rfb").alias("network.protocol"),
        *(column.str.replace_all(r"\p{Cc}", "\ufffd") for column in said),
        pl.when(pl.Series(~backwards)).then(said.get_column("user.name")).alias("source.user.name"),
        *(_number(found[:, cell]).cast(pl.String).alias(name) for name, cell in _NUMBERS.items()),
        *_proof(found),
        _offered(streams.data, found),
        _number(found[:, walk.SHARED]).cast(pl.Boolean).alias("zeek.rfb.share_flag"),
        pl.when(pl.Series(backwards)).then(pl.lit("true")).alias("capture.rfb.reverse"),
    )


def _spans(found: Array) -> dict[str, tuple[Array, Array]]:
    """Where the texts stand."""
    spans = {name: (found[:, cell], found[:, cell + 1]) for name, cell in _TEXTS.items()}
    for side, cell in (("client", walk.CLIENT), ("server", walk.SERVER)):
        for part, offset in (("major", 4), ("minor", 8)):
            start = np.where(found[:, cell] >= 0, found[:, cell] + offset, -1)
            spans[f"zeek.rfb.version.{side}.{part}"] = start, start + 3
    return spans


def _number(cells: Array) -> pl.Series:
    """Numbers, null for those that were not found."""
    return pl.select(pl.when(pl.Series(cells) >= 0).then(pl.Series(cells))).to_series()


def _proof(found: Array) -> list[pl.Series]:
    """How the viewer was asked who it is, and whether it was believed."""
    method, result = _number(found[:, walk.METHOD]), _number(found[:, walk.RESULT])
    subtype = _number(found[:, walk.SUBTYPE])
    known = {one * _SUBTYPES + two: name for (one, two), name in SUBTYPES.items()}
    both = method * _SUBTYPES + subtype.clip(upper_bound=_SUBTYPES - 1)
    named = both.replace_strict(known, default=subtype.cast(pl.String), return_dtype=pl.String)
    return [
        _named(method, METHODS).alias("zeek.rfb.auth.method"),
        named.fill_null(method.replace_strict(OF_REALVNC, default=None, return_dtype=pl.String)).alias(
            "capture.rfb.auth.subtype"
        ),
        (result == 0).alias("zeek.rfb.auth.success"),
        _named(result, {0: "success", 1: "failure", 2: "failure"}).alias("event.outcome"),
    ]


def _named(numbers: pl.Series, names: dict[int, str]) -> pl.Series:
    """Names of numbers, and the number itself where it has none."""
    return numbers.replace_strict(names, default=numbers.cast(pl.String), return_dtype=pl.String)


def _offered(data: Array, found: Array) -> pl.Series:
    """The security types that the server has, a list for each row."""
    starts, ends = found[:, walk.OFFERED], found[:, walk.OFFERED + 1]
    sizes = ends - starts
    row = np.repeat(np.arange(len(found)), sizes)
    places = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(starts, sizes)
    types = pl.DataFrame(
        {"row": row, "type": _named(pl.Series(data[places].astype(np.int64)), METHODS | OF_REALVNC)}
    )
    lists = types.group_by("row", maintain_order=True).agg("type")
    rows = pl.DataFrame({"row": np.arange(len(found))})
    joined = rows.join(lists, on="row", how="left", maintain_order="left")
    return joined.get_column("type").alias("capture.rfb.security_types")


PROTOCOL: Final = OverTcp("rfb", fits, events)
