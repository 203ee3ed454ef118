"""NTLM messages (MS-NLMP) wherever they stand in what was said: as they are, in SPNEGO, or in base64."""

# ruff: noqa: PLR2004, C901, FBT001, SIM110 - numbers are ASCII and those of the formats; kernels have no objects
from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture import little, wide
from sensors.capture.protocols import texts
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

NEGOTIATE, CHALLENGE, AUTHENTICATE = 1, 2, 3
STATUS_LINE: Final = 4  # of HTTP, where those are asked for
ROW, SIDE, AT, KIND, START, END, DECODED, COLUMNS = range(8)
_SIGNATURE: Final = np.frombuffer(b"NTLMSSP\0", np.uint8)
_BASE64: Final = np.frombuffer(b"TlRMTVNTUAA", np.uint8)  # the signature, and the first bits of what follows
_SCHEME: Final = np.frombuffer(b"egotiate ", np.uint8)  # behind a colon, a space and N or n
_HTTP: Final = np.frombuffer(b"HTTP/1.", np.uint8)
_FIRST: Final = np.isin(np.arange(256), list(b"NT:"))  # what a message may begin with
_FIRST_OF_LINE: Final = np.arange(256) == ord("H")
_UNICODE: Final = 1  # flags (MS-NLMP, 2.2.2.5)
_FIXED: Final = 64  # bytes of an authenticate message before which flags stand only if nothing else does
_ROOM: Final = 1 << 10  # messages, to begin with
_PAIRS: Final = 16  # names looked at in a challenge
_NTLM1: Final = 24  # bytes of an answer of the first version
# Where the fields stand that say length and place of a value.
_CHALLENGE_FIELDS: Final = {"target": 12}
_AUTHENTICATE_FIELDS: Final = {"domain": 28, "user": 36, "workstation": 44}
_NAMES: Final = {  # AV_PAIR (MS-NLMP, 2.2.2.1)
    1: "server.name.netbios",
    2: "server.domain.netbios",
    3: "server.name.dns",
    4: "server.domain.dns",
    5: "server.name.tree",
}


def spoken(streams: Streams) -> Array:
    """Which rows have an NTLM message, as a mask."""
    fits = np.zeros(len(streams), np.bool_)
    rows = np.flatnonzero(~_sealed(streams))
    some = streams.only(rows)
    found, _ = search(some.data, some.starts, some.ends, lines=False)
    fits[rows[found[:, ROW]]] = True
    return fits


def _sealed(streams: Streams) -> Array:
    """What need not be searched: TLS and SSH."""
    return streams.begins(0, b"\x16\x03") | streams.begins(1, b"\x16\x03") | streams.begins(1, b"SSH-")


def search(data: Array, starts: Array, ends: Array, *, lines: bool) -> tuple[Array, Array]:
    """NTLM messages, or the status lines of HTTP.

    Returns:
        A row each: row, side and place in the stream, kind, span, and whether the span is of the second
        array, of what stood in base64. A message's end is that of what can belong to it. Of a status line
        the span is its code.
    """
    sizes = np.array([_ROOM, _ROOM * 64], np.int64)
    while True:  # again with more room, until there is enough
        found, decoded = np.empty((sizes[0], COLUMNS), np.int64), np.empty(sizes[1], np.uint8)
        find(data, starts, ends, lines, found, decoded, sizes)
        if sizes[0] <= len(found) and sizes[1] <= len(decoded):
            return found[: sizes[0]], decoded


def messages(streams: Streams) -> pl.DataFrame:
    """What NTLM messages say, in the order they stand in each direction.

    Returns:
        `row`, `side`, `at`, `kind` (Int64); `target` and the names of the server by `_NAMES`, the
        `version` of who speaks; `user`, `domain`, `workstation`, and `protocol` (NTLMv1 or NTLMv2) of
        authenticate messages. Of what proves the password nothing is given.
    """
    found, decoded = search(streams.data, streams.starts, streams.ends, lines=False)
    parts = []
    for source, data in enumerate((streams.data, decoded)):
        mine = found[found[:, DECODED] == source]
        start, end, kind = mine[:, START], mine[:, END], mine[:, KIND]
        parts.append(
            pl.DataFrame(
                {name: mine[:, column] for name, column in _PLACES.items()}
                | _worded(data, start, end, kind)
                | _named(data, start, end, kind)
            )
        )
    return pl.concat(parts).sort("row", "side", "at")


_PLACES: Final = {"row": ROW, "side": SIDE, "at": AT, "kind": KIND}


def _field(data: Array, start: Array, end: Array, offset: int, rows: Array) -> tuple[Array, Array]:
    """Where the value of a field begins (-1: nowhere in the message) and ends."""
    length = little.number(data, start + offset, end, 2)
    place = little.number(data, start + offset + 4, end, 4)
    there = rows & (length > 0) & (place > 0) & (start + place + length <= end)
    return np.where(there, start + place, -1), np.where(there, start + place + length, -1)


def _worded(data: Array, start: Array, end: Array, kind: Array) -> dict[str, pl.Series]:
    made: dict[str, pl.Series] = {}
    challenge, authenticate = kind == CHALLENGE, kind == AUTHENTICATE
    spans = {name: _field(data, start, end, at, challenge) for name, at in _CHALLENGE_FIELDS.items()}
    spans |= {name: _field(data, start, end, at, authenticate) for name, at in _AUTHENTICATE_FIELDS.items()}
    # Older clients send no flags: their values begin where flags would stand.
    first = np.min([np.where(one >= 0, one - start, _FIXED) for one, _ in spans.values()], axis=0)
    flags = little.number(data, start + np.where(authenticate, 60, 20), end, 4)
    modern = ~authenticate | (first >= _FIXED)
    utf16 = ~modern | (flags < 0) | (flags & _UNICODE > 0)
    for name, (one, two) in spans.items():
        broad = wide.column(data, np.where(utf16, one, -1), two)
        plain = texts.columns(data, {"": (np.where(utf16, -1, one), two)}).to_series()
        made[name] = broad.zip_with(pl.Series(utf16), plain)
    version = start + np.select([challenge, authenticate], [48, 64], 32)
    numbers = [little.number(data, version + at, end, size) for at, size in ((0, 1), (1, 1), (2, 2))]
    has = (
        (flags & 0x2000000 > 0)
        & (flags > 0)
        & (kind != NEGOTIATE)
        & modern
        & (numbers[0] >= 4)
        & (numbers[0] < 20)
    )
    made["version"] = pl.select(
        pl.when(pl.Series(has)).then(pl.concat_str([pl.Series(one) for one in numbers], separator="."))
    ).to_series()
    answer = little.number(data, start + 20, end, 2)
    made["protocol"] = pl.select(
        pl.when(pl.Series(authenticate & (answer > 0))).then(
            pl.when(pl.Series(answer == _NTLM1)).then(pl.lit("NTLMv1")).otherwise(pl.lit("NTLMv2"))
        )
    ).to_series()
    return made


def _named(data: Array, start: Array, end: Array, kind: Array) -> dict[str, pl.Series]:
    """The names of the server in a challenge: numbered values one after the other."""
    at, behind = _field(data, start, end, 40, kind == CHALLENGE)
    spans = {number: (np.full(len(start), -1), np.full(len(start), -1)) for number in _NAMES}
    for _ in range(_PAIRS):
        number = little.number(data, at, behind, 2)
        length = little.number(data, at + 2, behind, 2)
        whole = (number > 0) & (length >= 0) & (at + 4 + length <= behind)
        if not whole.any():
            break
        for wanted, (one, two) in spans.items():
            mine = whole & (number == wanted) & (one < 0)
            one[mine], two[mine] = at[mine] + 4, (at + 4 + length)[mine]
        at = np.where(whole, at + 4 + length, -1)
    return {name: wide.column(data, *spans[number]) for number, name in _NAMES.items()}


@kernel
def find(
    data: Array,
    starts: Array,
    ends: Array,
    lines: bool,
    found: Array,
    decoded: Array,
    sizes: Array,
) -> None:
    """Fills `found` and `decoded` as far as they have room, and `sizes` with the room that is needed."""
    number, used = 0, 0
    first = _FIRST_OF_LINE if lines else _FIRST
    for row in range(len(starts)):
        for side in range(2):
            begin, end = starts[row, side], ends[row, side]
            at = begin
            while True:
                while at + 12 <= end and not first[data[at]]:
                    at += 1
                if at + 12 > end:
                    break
                kind, start, stop, encoded, after = 0, at, end, 0, at + 1
                if lines:
                    if (
                        data[at] == 0x48
                        and (at == begin or data[at - 1] == 0x0A)
                        and _stands(data, at, end, _HTTP)
                    ):
                        kind, start, stop = STATUS_LINE, at + 9, at + 12
                elif data[at] == 0x4E and _stands(data, at, end, _SIGNATURE):
                    kind = _kind(data, at, end)
                else:
                    text = _token(data, at, end)
                    if text >= 0:
                        after, size = _decode(data, text, end, decoded, used)
                        start, stop, encoded = _inside(decoded, used, used + size), used + size, 1
                        kind = _kind(decoded, start, stop) if start >= 0 else 0
                        used = stop
                if kind:
                    if number < len(found):
                        found[number, ROW], found[number, SIDE], found[number, AT] = row, side, at - begin
                        found[number, KIND], found[number, START], found[number, END] = kind, start, stop
                        found[number, DECODED] = encoded
                    number += 1
                at = after
    sizes[0], sizes[1] = number, used


@kernel
def _stands(data: Array, at: int, end: int, text: Array) -> bool:
    if at + len(text) > end:
        return False
    for k in range(len(text)):
        if data[at + k] != text[k]:
            return False
    return True


@kernel
def _kind(data: Array, at: int, end: int) -> int:
    """Which message begins here; 0 if none does."""
    if at + 12 > end or data[at + 9] or data[at + 10] or data[at + 11] or data[at + 8] > AUTHENTICATE:
        return 0
    return int(data[at + 8])


@kernel
def _token(data: Array, at: int, end: int) -> int:
    """Where base64 with a message in it begins, here or behind the name of HTTP's scheme; or -1."""
    if data[at] == 0x54 and _stands(data, at, end, _BASE64):
        return at
    if data[at] == 0x3A and data[at + 2] | 0x20 == 0x6E and _stands(data, at + 3, end, _SCHEME):
        token = at + 3 + len(_SCHEME)
        if token < end and (data[token] == 0x59 or data[token] == 0x6F):  # what SPNEGO's first byte becomes
            return token
    return -1


@kernel
def _inside(decoded: Array, at: int, end: int) -> int:
    """Where the signature stands in what was decoded; -1 if nowhere, or if there was no room for it."""
    if end > len(decoded):
        return -1
    while at + 12 <= end:
        if decoded[at] == 0x4E and _stands(decoded, at, end, _SIGNATURE):
            return at
        at += 1
    return -1


@kernel
def _decode(data: Array, at: int, end: int, decoded: Array, used: int) -> tuple[int, int]:
    """Decodes base64 (RFC 4648) up to what is none; the place behind it, and the number of bytes."""
    bits, held, size = 0, 0, 0
    while at < end:
        byte = int(data[at])
        if 0x41 <= byte <= 0x5A:
            value = byte - 0x41
        elif 0x61 <= byte <= 0x7A:
            value = byte - 0x61 + 26
        elif 0x30 <= byte <= 0x39:
            value = byte - 0x30 + 52
        elif byte in (0x2B, 0x2F):
            value = 62 if byte == 0x2B else 63
        else:
            break
        bits, held, at = (bits << 6 | value) & 0xFFFF, held + 6, at + 1
        if held >= 8:
            held -= 8
            if used + size < len(decoded):
                decoded[used + size] = bits >> held & 0xFF
            size += 1
    return at, size
