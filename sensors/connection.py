"""What any two ends of a connection say of it: IP version, protocol number, direction, Community ID.

The Community ID (https://github.com/corelight/community-id-spec, version 1, seed 0) is the same in all logs
of a connection, whichever product wrote them and whichever end it saw first.
"""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors import ecs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PRIVATE: Final = (
    r"^(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|(?i:f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)"
    r"|::1$)"
)
_WITH_PORTS: Final = (1, 6, 17, 58, 132)
_ICMP: Final = (1, 58)
# Type of a message of ICMP to that of its answer; a type that has none is a flow of its own direction.
_ANSWERS: Final = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
    58: {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 144: 145, 145: 144,
         139: 140, 140: 139},
}  # fmt: skip
_BLOCK: Final = 64  # bytes; the longest message, of IPv6, has 40
_TYPES: Final = 256
_PORTS: Final = 65_536

# https://www.iana.org/assignments/protocol-numbers, by number
NAMES: Final = {number: name for name, number in ecs.PROTOCOLS.items()}


def transport(number: pl.Expr) -> pl.Expr:
    """The name of an IANA protocol number given as text or number; a number that has none stays as it is."""
    return number.cast(pl.String).replace(NAMES)


def described(frame: pl.DataFrame, icmp: tuple[str, str] | None = None) -> pl.DataFrame:
    """Adds `network.type`, `network.iana_number` and, if there is none yet, `network.community_id`.

    Args:
        frame: has `source.ip`, `destination.ip`, ports if any, and `network.transport` in small letters.
        icmp: columns with type and code of ICMP, if the log has them.
    """
    needed = ("source.ip", "destination.ip", "network.transport")
    if not set(needed) & set(frame.columns):
        return frame
    lacking = [name for name in needed if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in lacking)
    either = pl.coalesce("source.ip", "destination.ip")
    number = pl.col("network.transport").replace_strict(
        ecs.PROTOCOLS | {"icmpv6": "58", "icmp6": "58"}, default=None, return_dtype=pl.String
    )
    numbered = pl.when(pl.col("network.transport").str.contains(r"^[0-9]{1,3}$")).then("network.transport")
    frame = frame.with_columns(
        pl.when(either.str.contains(":", literal=True))
        .then(pl.lit("ipv6"))
        .when(either.is_not_null())
        .then(pl.lit("ipv4"))
        .alias("network.type"),
        pl.coalesce(number, numbered).alias("network.iana_number"),
    )
    ids = community_ids(frame, icmp)
    if "network.community_id" in frame.columns:
        ids = frame["network.community_id"].fill_null(ids)
    return frame.with_columns(ids.alias("network.community_id")).drop(lacking)


def direction(source: str = "source.ip", destination: str = "destination.ip") -> pl.Expr:
    """`internal`, `outbound`, `inbound` or `external`, by which end has a private address."""
    inside = pl.col(source).str.contains(_PRIVATE)
    inside_there = pl.col(destination).str.contains(_PRIVATE)
    return (
        pl.when(inside & inside_there)
        .then(pl.lit("internal"))
        .when(inside & ~inside_there)
        .then(pl.lit("outbound"))
        .when(inside_there & ~inside)
        .then(pl.lit("inbound"))
        .when(inside.is_not_null() & inside_there.is_not_null())
        .then(pl.lit("external"))
    )


def community_ids(frame: pl.DataFrame, icmp: tuple[str, str] | None = None) -> pl.Series:
    """The Community ID of each row; null where an address, the protocol or a port is missing."""
    source, source_long = _packed(frame["source.ip"])
    destination, destination_long = _packed(frame["destination.ip"])
    protocol = _numbers(frame, "network.iana_number", _TYPES)
    port, other = (_numbers(frame, f"{side}.port", _PORTS) for side in ("source", "destination"))
    one_way = np.zeros(frame.height, bool)
    if icmp is not None:
        port, other, one_way = _icmp_ports(frame, icmp, protocol, port, other)
    ported = np.isin(protocol, _WITH_PORTS)
    known = (
        (source_long >= 0)
        & (source_long == destination_long)
        & (protocol >= 0)
        & (~ported | ((port >= 0) & (other >= 0)))
    )
    blocks = np.zeros((frame.height, _BLOCK), np.uint8)
    lengths = np.zeros(frame.height, np.int64)
    order = np.concatenate([source, _big(port)], axis=1), np.concatenate([destination, _big(other)], axis=1)
    swap = ~one_way & _greater(*order)
    first, second = (np.where(swap[:, None], order[1 - at], order[at]) for at in (0, 1))
    for size, long in ((4, 0), (16, 1)):
        rows = known & (source_long == long)
        at = 2
        for address in (first, second):
            blocks[rows, at : at + size] = address[rows, :size]
            at += size
        blocks[rows, at] = protocol[rows]
        with_ports = rows & ported
        blocks[with_ports, at + 2 : at + 4] = first[with_ports, 16:]
        blocks[with_ports, at + 4 : at + 6] = second[with_ports, 16:]
        lengths[rows] = at + 2
        lengths[with_ports] = at + 6
    digests = _sha1(blocks[known], lengths[known])
    text = pl.Series(
        [f"1:{base64.b64encode(digest).decode()}" for digest in _distinct(digests)], dtype=pl.String
    )
    whole = np.full(frame.height, len(text))
    whole[known] = np.arange(len(text))
    return text.append(pl.Series([None], dtype=pl.String)).gather(whole)


def _distinct(digests: NDArray[np.uint8]) -> Sequence[bytes]:
    joined = digests.tobytes()
    return [joined[at : at + 20] for at in range(0, len(joined), 20)]


def _packed(column: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Addresses as 16 bytes each (IPv4 in the first four), and 0 for IPv4, 1 for IPv6, -1 for neither."""
    distinct = column.unique()
    packed = np.zeros((len(distinct), 16), np.uint8)
    kinds = np.full(len(distinct), -1)
    for at, text in enumerate(distinct):  # distinct addresses, not events
        for kind, family in enumerate((socket.AF_INET, socket.AF_INET6)):
            try:
                found = socket.inet_pton(family, (text or "").partition("%")[0])
            except (OSError, ValueError):
                continue
            packed[at, : len(found)] = np.frombuffer(found, np.uint8)
            kinds[at] = kind
    number = pl.DataFrame({"text": distinct, "number": np.arange(len(distinct))})
    rows = (
        column.alias("text")
        .to_frame()
        .join(number, on="text", how="left", nulls_equal=True, maintain_order="left")
    )
    index = rows["number"].to_numpy()
    return packed[index], kinds[index]


def _numbers(frame: pl.DataFrame, name: str, below: int) -> NDArray[np.int64]:
    """A column of numbers, -1 where there is none or none that fits."""
    if name not in frame.columns:
        return np.full(frame.height, -1)
    column = frame[name].cast(pl.Int64, strict=False)
    return column.set(~column.is_between(0, below - 1), None).fill_null(-1).to_numpy()


def _icmp_ports(
    frame: pl.DataFrame,
    icmp: tuple[str, str],
    protocol: NDArray[np.int64],
    port: NDArray[np.int64],
    other: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Ports with type and answering type in place of those of ICMP; its code where there is no answer."""
    kind, code = (_numbers(frame, name, _TYPES) for name in icmp)
    one_way = np.zeros(frame.height, bool)
    for number in _ICMP:
        answers = np.full(_TYPES + 1, -1)
        for asked, answered in _ANSWERS[number].items():
            answers[asked] = answered
        rows = (protocol == number) & (kind >= 0)
        answer = answers[kind]
        port = np.where(rows, kind, port)
        other = np.where(rows, np.where(answer >= 0, answer, np.maximum(code, 0)), other)
        one_way |= rows & (answer < 0)
    return port, other, one_way


def _big(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.maximum(numbers, 0).astype(">u2").view(np.uint8).reshape(-1, 2)


def _greater(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether rows of `one` come after those of `other`, byte by byte."""
    differs = one != other
    at = differs.argmax(axis=1)
    rows = np.arange(len(one))
    greater: NDArray[np.bool_] = differs[rows, at] & (one[rows, at] > other[rows, at])
    return greater


def _sha1(blocks: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """SHA-1 (FIPS 180-4) of messages of one block each, all at once: 20 bytes a row."""
    count = len(blocks)
    padded = blocks.copy()
    padded[np.arange(count), lengths] = 0x80
    padded[:, 62:] = (lengths * 8).astype(">u2").view(np.uint8).reshape(-1, 2)
    words = [*padded.view(">u4").astype(np.uint32).T]
    for at in range(16, 80):
        words.append(_rolled(words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16], 1))
    start = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
    a, b, c, d, e = (np.full(count, value, np.uint32) for value in start)
    for at, word in enumerate(words):
        mixed, constant = (
            ((b & c) | (~b & d), 0x5A827999),
            (b ^ c ^ d, 0x6ED9EBA1),
            ((b & c) | (b & d) | (c & d), 0x8F1BBCDC),
            (b ^ c ^ d, 0xCA62C1D6),
        )[at // 20]
        a, b, c, d, e = _rolled(a, 5) + mixed + e + word + np.uint32(constant), a, _rolled(b, 30), c, d
    ended = np.stack(
        [value + np.uint32(given) for value, given in zip((a, b, c, d, e), start, strict=True)], axis=1
    )
    return ended.astype(">u4").view(np.uint8)


def _rolled(words: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    return (words << np.uint32(bits)) | (words >> np.uint32(32 - bits))
