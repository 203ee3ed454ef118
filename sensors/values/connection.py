"""What any two ends of a connection say of it: IP version, protocol number, direction, Community ID.

The Community ID (https://github.com/corelight/community-id-spec, version 1, seed 0) is the same in all logs
of a connection, whichever product wrote them and whichever end it saw first.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.values import community_id, ecs

if TYPE_CHECKING:
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
    kinds = np.where(known, source_long, community_id.NONE)
    bare = np.int64(-1)  # a protocol without ports
    ports = np.where(ported, port, bare), np.where(ported, other, bare)
    return community_id.ids((source, destination), kinds, protocol, ports, one_way)


def _packed(column: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Addresses as 16 bytes each (IPv4 in the first four), and 0 for IPv4, 1 for IPv6, -1 for neither."""
    packed, kinds, others = community_id.addresses(column.cast(pl.String))
    rows = np.flatnonzero(others)
    if len(rows):
        rest = column.gather(rows).alias("text")
        distinct = rest.unique()
        found = [_sixteen(text) for text in distinct]  # distinct addresses, not events
        number = pl.DataFrame({"text": distinct, "number": np.arange(len(distinct))})
        index = (
            rest.to_frame().join(number, on="text", how="left", maintain_order="left")["number"].to_numpy()
        )
        packed[rows] = np.array([address for address, _ in found], np.uint8)[index]
        kinds[rows] = np.array([kind for _, kind in found])[index]
    return packed, kinds


def _sixteen(text: str) -> tuple[list[int], int]:
    """The bytes of an address that may have a zone, and its kind."""
    for kind, family in ((community_id.SHORT, socket.AF_INET), (community_id.LONG, socket.AF_INET6)):
        with suppress(OSError, ValueError):
            found = socket.inet_pton(family, text.partition("%")[0])
            return list(found.ljust(16, b"\0")), kind
    return [0] * 16, community_id.NONE


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
