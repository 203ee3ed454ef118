"""What both sides of SSH agree upon (RFC 4253, 7.1), and fingerprints of what they offer.

HASSH: https://github.com/salesforce/hassh. The lists of an implementation are few: each is looked at once.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.capture.conversations import Array

# Name-lists of a KEXINIT, in their order.
NAMES: Final = (
    "kex", "host_key", "cipher_to_server", "cipher_to_client", "mac_to_server", "mac_to_client",
    "compression_to_server", "compression_to_client",
)  # fmt: skip
CHOSEN: Final = {  # as Zeek's ssh.log has it
    "zeek.ssh.algorithm.key_exchange": ("kex", "kex"),
    "zeek.ssh.algorithm.host_key": ("host_key", "host_key"),
    "zeek.ssh.algorithm.cipher": ("cipher_to_server", "cipher_to_client"),
    "zeek.ssh.algorithm.mac": ("mac_to_server", "mac_to_client"),
    "zeek.ssh.algorithm.compression": ("compression_to_server", "compression_to_client"),
}
HASHED: Final = {
    "hassh": tuple(f"client_{name}" for name in ("kex", *NAMES[2::2])),
    "hasshServer": tuple(f"server_{name}" for name in ("kex", *NAMES[3::2])),
}


def agreed(offers: pl.DataFrame) -> pl.DataFrame:
    """The algorithms chosen, a row for each row of lists.

    Args:
        offers: columns `client_…` and `server_…` of `NAMES`, lists with commas; null where none was seen.

    Returns:
        The columns of `CHOSEN`: the first of the client's that the server has too, null if there is none.
    """
    return pl.DataFrame([_both(offers, *lists).alias(name) for name, lists in CHOSEN.items()])


def _both(offers: pl.DataFrame, there: str, back: str) -> pl.Series:
    ways = [offers.select(f"client_{name}", f"server_{name}") for name in (there, back)]
    first, second = (_each(way, lambda pair: _first(*pair)) for way in ways)
    if there == back:
        return first
    apart = "To server: " + first.fill_null("-") + ", to client: " + second.fill_null("-")
    chosen = pl.when(first.eq_missing(second)).then(first).otherwise(apart)
    return pl.select(chosen).to_series()


def _first(client: str | None, server: str | None) -> str | None:
    if client is None or server is None:
        return None
    offered = frozenset(server.split(","))
    return next((name for name in client.split(",") if name and name in offered), None)


def _each(frame: pl.DataFrame, made: Callable[[tuple[str | None, ...]], str | None]) -> pl.Series:
    """A function of each row, called once for those that are alike."""
    alike = frame.select(pl.struct(pl.all()).rank("dense").cast(pl.Int64) - 1).to_series()
    first = frame.with_columns(alike.alias("alike")).unique("alike", keep="any").sort("alike").drop("alike")
    values = pl.Series([made(row) for row in first.iter_rows()], dtype=pl.String)
    return values.gather(alike)


def fingerprints(offers: pl.DataFrame) -> pl.DataFrame:
    """HASSH and hasshServer, and the text that is hashed; null where a list is missing.

    Args:
        offers: as for `agreed`.
    """
    made = []
    for name, lists in HASHED.items():
        text = offers.select(pl.concat_str(lists, separator=";")).to_series()
        md5 = _each(text.to_frame(), lambda one: _md5(one[0]))
        made += [md5.alias(f"zeek.ssh.{name}"), text.alias(f"zeek.ssh.{name}Algorithms")]
    return pl.DataFrame(made)


def _md5(text: str | None) -> str | None:
    return None if text is None else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def keys(data: Array, starts: Array, ends: Array) -> pl.Series:
    """The SHA-256 of each host key as OpenSSH writes it; null where the span begins below 0."""
    hashes: list[str | None] = [None] * len(starts)
    for row in np.flatnonzero(starts >= 0).tolist():
        digest = hashlib.sha256(data[starts[row] : ends[row]].tobytes()).digest()
        hashes[row] = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    return pl.Series(hashes, dtype=pl.String)


def first_keys(data: Array, spans: Array) -> pl.Series:
    """The MD5 of each host key of SSH-1 with colons, as its tools wrote it.

    Args:
        data: bytes, UInt8.
        spans: where exponent and modulus begin and end, four columns; -1 where there is none.
    """
    hashes: list[str | None] = [None] * len(spans)
    for row in np.flatnonzero((spans >= 0).all(axis=1)).tolist():
        exponent, behind, modulus, end = spans[row].tolist()
        both = data[modulus:end].tobytes() + data[exponent:behind].tobytes()
        hashes[row] = hashlib.md5(both, usedforsecurity=False).digest().hex(":")
    return pl.Series(hashes, dtype=pl.String)
