"""IKE, which sets up IPsec: versions 1 and 2, beside ESP on port 4500, and inside TCP.

RFC 2408 (3.1 header, 3.4 to 3.16 payloads), RFC 2409, RFC 7296 (3.1 to 3.12), RFC 3947 and 3948 (port 4500:
four zero bytes in front), RFC 9329 (TCP: the word IKETCP, then lengths). Payloads are read until the
encrypted one.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp, OverUdp
from sensors.capture.protocols import fields, texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams, Streams

HEADER: Final = 28
MARKER: Final = 4
TCP_WORD: Final = b"IKETCP"
OLD, NEW = 0x10, 0x20  # versions
EXCHANGES: Final = {OLD: (1, 2, 4, 5, 6, 32, 33), NEW: (34, 35, 36, 37, 38, 39, 40, 41, 43, 44)}
FLAGS: Final = {OLD: 0x07, NEW: 0x38}
_ENCRYPTED_1: Final = 1
_RESPONSE_2: Final = 0x20
_IDENTITY, _VENDOR_1, _VENDOR_2 = 5, 13, 43
_NAMES: Final = (2, 3, 11)  # an identity that is a name: FQDN, user and domain, key id
_ASSOCIATION_1, _ASSOCIATION_2, _SEALED, _SEALED_PIECE = 1, 33, 46, 53
_GENERIC, _PROPOSAL = 4, 8  # bytes of headers: of a payload and an attribute; of a proposal and a transform
_BASIC: Final = 0x8000  # an attribute whose value follows at once
PAYLOADS, CHOICES = 32, 64  # of a message, that are looked at
ENCRYPTION, GROUP, AUTHENTICATION = (
    1,
    4,
    3,
)  # numbers of the transforms of version 2 and attributes of version 1


@cache
def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "ike_names.toml").read_text("utf-8"))


def _heads(data: Array, starts: Array, ends: Array) -> Array:
    """Where the header begins; -1 where there is none."""
    marked = fields.zeros(data, starts, ends, MARKER)
    at = starts + np.where(marked, MARKER, 0)
    version = fields.number(data, at + 17, ends, 1)
    exchange = fields.number(data, at + 18, ends, 1)
    flags = fields.number(data, at + 19, ends, 1)
    fits = fields.number(data, at + 24, ends, 4) == ends - at
    fits &= (ends - at >= HEADER) & ~fields.zeros(data, at, ends, 8)
    known = np.zeros(len(at), np.bool_)
    for one, exchanges in EXCHANGES.items():
        known |= (version == one) & np.isin(exchange, exchanges) & (flags & ~FLAGS[one] == 0)
    return np.where(fits & known, at, -1)


def fits_udp(datagrams: Datagrams) -> Array:
    """Which datagrams are a message, whatever the port."""
    return fields.narrowed(datagrams, _versioned, _messages)


def _versioned(datagrams: Datagrams) -> Array:
    return np.isin(datagrams.byte(17), (OLD, NEW)) | np.isin(datagrams.byte(17 + MARKER), (OLD, NEW))


def _messages(datagrams: Datagrams) -> Array:
    found: Array = _heads(datagrams.data, datagrams.starts, datagrams.ends) >= 0
    return found


def events_udp(datagrams: Datagrams) -> pl.DataFrame:
    """One event a message."""
    at = _heads(datagrams.data, datagrams.starts, datagrams.ends)
    rows = np.flatnonzero(at >= 0)
    return _events(datagrams.data, at[rows], datagrams.ends[rows], {"row": rows})


def fits_tcp(streams: Streams) -> Array:
    """Which clients begin with the word."""
    return streams.begins(CLIENT, TCP_WORD)


def events_tcp(streams: Streams) -> pl.DataFrame:
    """The first message of each side."""
    told = []
    for side, skipped in ((CLIENT, len(TCP_WORD)), (SERVER, 0)):
        starts = streams.starts[:, side] + skipped
        length = fields.number(streams.data, starts, streams.ends[:, side], 2)
        whole = (length > HEADER) & (starts + length <= streams.ends[:, side])
        at = np.full(len(streams), -1, np.int64)
        at[whole] = _heads(streams.data, starts[whole] + 2, (starts + length)[whole])
        rows = np.flatnonzero(at >= 0)
        places: dict[str, Array | pl.Series] = {
            "row": rows,
            "side": np.full(len(rows), side, np.int64),
            "at": np.full(len(rows), skipped, np.int64),
            "~answers": np.full(len(rows), side == SERVER),
        }
        told.append(_events(streams.data, at[rows], (starts + length)[rows], places))
    return pl.concat(told)


def _events(data: Array, at: Array, ends: Array, places: dict[str, Array | pl.Series]) -> pl.DataFrame:
    version = fields.number(data, at + 17, ends, 1)
    exchange = pl.Series(fields.number(data, at + 18, ends, 1)).cast(pl.String)
    flags = fields.number(data, at + 19, ends, 1)
    answered = ~fields.zeros(data, at + 8, ends, 8)
    told = fields.events(
        "ike",
        places,
        {
            "event.action": exchange.replace_strict(_tables()["exchange"]),
            "event.outcome": pl.select(
                pl.when(pl.Series(answered, dtype=pl.Boolean)).then(pl.lit("success"))
            ).to_series(),
            "capture.ike.version": pl.Series(np.where(version == OLD, "1", "2")),
            "capture.ike.exchange_type": exchange,
            "capture.ike.init_spi": fields.hexes(data, at, ends, 8),
            "capture.ike.resp_spi": fields.hexes(data, np.where(answered, at + 8, -1), ends, 8),
            "capture.ike.message_id": fields.hexes(data, at + 20, ends, 4),
            "capture.ike.response": pl.Series((version == NEW) & (flags & _RESPONSE_2 > 0))
            .cast(pl.String)
            .set(pl.Series(version == OLD), None),
        },
    )
    told = told.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("~number"))
    found = np.empty((4, PAYLOADS * len(at)), np.int64)
    payloads = found[:, : walk(data, at, ends, found)]
    old = (version == OLD).astype(np.int64)
    chosen = np.empty((3, CHOICES * len(at)), np.int64)
    chosen = chosen[:, : offers(data, payloads, old, chosen)]
    for more in (_vendors(data, *payloads), _identities(data, *payloads), _offered(old, *chosen)):
        told = told.join(more, on="~number", how="left", maintain_order="left")
    return told.drop("~number")


def _vendors(data: Array, rows: Array, kinds: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """The vendor ids of each message: names of those that are known, else their digits."""
    some = np.flatnonzero((kinds == _VENDOR_1) | (kinds == _VENDOR_2))
    longest = np.minimum(ends[some] - starts[some], 20)
    pieces = [
        pl.DataFrame(
            {
                "~number": rows[some[longest == size]],
                "id": fields.hexes(data, starts[some[longest == size]], ends[some[longest == size]], size),
            }
        )
        for size in np.unique(longest[longest > 0]).tolist()
    ]
    empty = pl.DataFrame(schema={"~number": pl.Int64, "id": pl.String})
    named = pl.col("id")
    for digits, name in _tables()["vendor"].items():
        named = pl.when(pl.col("id").str.starts_with(digits)).then(pl.lit(name)).otherwise(named)
    return (
        pl.concat([empty, *pieces])
        .group_by("~number", maintain_order=True)
        .agg(named.unique(maintain_order=True).sort().alias("capture.ike.vendor_ids"))
    )


def _identities(data: Array, rows: Array, kinds: Array, starts: Array, ends: Array) -> pl.DataFrame:
    """The name that a side of an aggressive exchange gives of itself."""
    some = np.flatnonzero((kinds == _IDENTITY) & (ends - starts > MARKER))
    some = some[np.isin(data[starts[some]], _NAMES)]
    some = some[fields.firsts(rows[some])]
    text = texts.columns(data, {"capture.ike.identity": (starts[some] + MARKER, ends[some])})
    return pl.DataFrame({"~number": rows[some]}).hstack(text)


def _offered(old: Array, rows: Array, kinds: Array, values: Array) -> pl.DataFrame:
    """What a message's first association offers or chooses, each once."""
    first = old[rows] > 0
    tables = _tables()
    columns: list[pl.Expr] = []
    flat = pl.DataFrame(
        {"~number": rows, "kind": kinds, "value": pl.Series(values).cast(pl.String), "first": first}
    )
    both = (
        pl.when("first")
        .then(pl.col("value").replace(tables["encryption_1"]))
        .otherwise(pl.col("value").replace(tables["encryption_2"]))
    )
    for name, kind, text in (
        ("encryption", ENCRYPTION, both),
        ("group", GROUP, pl.col("value").replace(tables["group"])),
        ("authentication", AUTHENTICATION, pl.col("value").replace(tables["authentication"])),
    ):
        wanted = pl.col("kind") == kind
        if name == "authentication":
            wanted &= pl.col("first")
        columns.append(text.filter(wanted).unique(maintain_order=True).alias(f"capture.ike.{name}"))
    told = flat.group_by("~number", maintain_order=True).agg(columns)
    return told.with_columns(pl.when(pl.col(name).list.len() > 0).then(name) for name in told.columns[1:])


@kernel
def _short(data: Array, place: int) -> int:
    """The number of two bytes at a place."""
    return np.int64(data[place]) << 8 | np.int64(data[place + 1])  # type: ignore[return-value]


@kernel
def walk(data: Array, at: Array, ends: Array, found: Array) -> int:
    """Payloads in the clear, columns of `found`: row, type, where its body begins and ends; rows ascend."""
    kept = 0
    for row in range(len(at)):
        if data[at[row] + 17] == OLD and data[at[row] + 19] & _ENCRYPTED_1:
            continue
        kind, place = np.int64(data[at[row] + 16]), at[row] + HEADER
        for _ in range(PAYLOADS):
            if kind in (0, _SEALED, _SEALED_PIECE) or place + _GENERIC > ends[row]:
                break
            size = _short(data, place + 2)
            if size < _GENERIC or place + size > ends[row]:
                break
            found[0, kept], found[1, kept] = row, kind
            found[2, kept], found[3, kept] = place + _GENERIC, place + size
            kept += 1
            kind, place = np.int64(data[place]), place + size
    return kept


@kernel
def offers(data: Array, payloads: Array, old: Array, found: Array) -> int:
    """What associations offer, columns of `found`: row, what is chosen, the choice's number."""
    kept = 0
    for one in range(payloads.shape[1]):
        row = payloads[0, one]
        if payloads[1, one] != (_ASSOCIATION_1 if old[row] else _ASSOCIATION_2):
            continue
        place, end = payloads[2, one] + (_GENERIC * 2 if old[row] else 0), payloads[3, one]
        for _ in range(CHOICES):
            if place + _PROPOSAL > end:
                break
            stop = place + _short(data, place + 2)
            if stop < place + _PROPOSAL or stop > end:
                break
            inner = place + _PROPOSAL + np.int64(data[place + 6])
            kept = _transforms(data, inner, stop, old[row], row, found, kept)
            place = stop
    return kept


@kernel
def _transforms(data: Array, place: int, end: int, old: int, row: int, found: Array, kept: int) -> int:
    """The transforms of one proposal; in version 1 it is their attributes that matter."""
    for _ in range(CHOICES):
        if place + _PROPOSAL > end:
            break
        stop = place + _short(data, place + 2)
        if stop < place + _PROPOSAL or stop > end:
            break
        if not old and kept < CHOICES * (row + 1):
            found[0, kept], found[1, kept], found[2, kept] = row, data[place + 4], _short(data, place + 6)
            kept += 1
        place += _PROPOSAL
        while old and place + _GENERIC <= stop and kept < CHOICES * (row + 1):
            kind, value = _short(data, place), _short(data, place + 2)
            if kind & _BASIC:
                found[0, kept], found[1, kept], found[2, kept] = row, kind & ~_BASIC, value
                kept += 1
                value = 0
            place += _GENERIC + value
        place = stop
    return kept


PROTOCOLS: Final = (OverUdp("ike", fits_udp, events_udp), OverTcp("ike", fits_tcp, events_tcp))
