"""Where TLS begins in what two sides said: at once, or behind plain text that agreed on it.

Such text is: STARTTLS of SMTP (RFC 3207), IMAP and POP3 (RFC 2595), NNTP, ManageSieve, XMPP, LDAP and IRC,
FTP's AUTH (RFC 4217), PostgreSQL's and MySQL's request for TLS, RDP's connection request (X.224), AMQP, RFB's
VeNCrypt, TDS (in whose packets the handshake lies), Android's debug bridge; and proxies: CONNECT, SOCKS, and
HAProxy's PROXY line.
"""
# ruff: noqa: PLR2004 - numbers are those of the formats; kernels have no objects

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture.protocols.tls.texts import one, two
from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

# Columns of `places`: by role where it begins (-1: nowhere), then facts of the row.
CLIENT_AT: Final = 0
SERVER_AT: Final = 1
TURNED: Final = 2  # the client of TLS is the one who is called
BEFORE: Final = 3  # what was spoken before: 1 + its number in `SPOKEN`
IS_V2: Final = 4  # the client hello has the form of SSL 2.0
WIDTH: Final = 5

_SEARCHED: Final = 1 << 14  # bytes of plain text, at most
_LONGEST: Final = 0x4900  # of a record: 2 ** 14 + 2048, and some
_SERVED: Final = 1
_ASKED: Final = 0

_LINES: Final = (
    (_SERVED, b"220", "smtp"),
    (_ASKED, b"EHLO", "smtp"),
    (_ASKED, b"ehlo", "smtp"),
    (_ASKED, b"AUTH TLS", "ftp"),
    (_ASKED, b"AUTH SSL", "ftp"),
    (_SERVED, b"* OK", "imap"),
    (_SERVED, b"+OK", "pop3"),
    (_ASKED, b"CAPA", "pop3"),
    (_ASKED, b"STLS", "pop3"),
    (_SERVED, b"200 ", "nntp"),
    (_SERVED, b"201 ", "nntp"),
    (_SERVED, b'"IMPLEM', "sieve"),
    (_ASKED, b"<?xml", "xmpp"),
    (_ASKED, b"<stream", "xmpp"),
    (_SERVED, b"<?xml", "xmpp"),
    (_ASKED, b"CONNECT ", "http"),
    (_ASKED, b"PROXY ", "proxy-protocol"),
    (_ASKED, b"\r\n\r\n\0\r\nQUIT\n", "proxy-protocol"),
    (_ASKED, b"\0\0\0\x08\x04\xd2\x16", "postgresql"),
    (_ASKED, b"\x20\0\0\x01", "mysql"),
    (_ASKED, b"\x03\0\0", "rdp"),
    (_SERVED, b"\x03\0\0", "rdp"),
    (_ASKED, b"\x04\x01", "socks"),
    (_ASKED, b"\x05", "socks"),
    (_ASKED, b"\x30", "ldap"),
    (_ASKED, b"AMQP\x02", "amqp"),
    (_ASKED, b"RFB 003.", "rfb"),
    (_ASKED, b"CAP ", "irc"),
    (_ASKED, b"STARTTLS", "irc"),
    (_ASKED, b"NICK ", "irc"),
    (_ASKED, b"CNXN", "adb"),
    (_ASKED, b"\x12\x01", "tds"),
)
SPOKEN: Final = tuple(name for _, _, name in _LINES)
_FTP: Final = 1 + SPOKEN.index("ftp")
_SIDES: Final = np.array([side for side, *_ in _LINES], np.int64)
_BEHIND: Final = np.cumsum([len(text) for _, text, _ in _LINES])
_TEXT: Final = np.frombuffer(b"".join(text for _, text, _ in _LINES), np.uint8)


def places(streams: Streams) -> Array:
    """Where TLS begins in each row, Int64, `WIDTH` columns; offsets are from the first byte of the side."""
    found = np.full((len(streams), WIDTH), -1, np.int64)
    # A layout of another kind would be compiled for anew.
    _find(streams.data, np.ascontiguousarray(streams.starts), np.ascontiguousarray(streams.ends), found)
    return found


def has(places: Array) -> Array:
    """Which rows have a beginning, as a mask."""
    mask: Array = (places[:, CLIENT_AT] >= 0) | (places[:, SERVER_AT] >= 0)
    return mask


@kernel
def _find(data: Array, starts: Array, ends: Array, found: Array) -> None:
    for row in range(len(starts)):
        found[row, TURNED] = found[row, BEFORE] = found[row, IS_V2] = 0
        first = _hello(data, starts[row, 0], ends[row, 0])
        other = _hello(data, starts[row, 1], ends[row, 1])
        # A proxy's line is the client's alone: the server may begin at once.
        before = _spoken(data, starts[row], ends[row]) if not first and (other == 2 or not other) else 0
        if before:
            _behind(data, starts[row], ends[row], before, found[row])
        if found[row, CLIENT_AT] < 0 and found[row, SERVER_AT] < 0 and (first or other):
            if first == 2 or first == 4 or (not first and (other == 1 or other == 3)):  # noqa: PLR1714 - a set costs
                found[row, TURNED] = 1
                first, other = other, first
            _at_once(data, starts[row], ends[row], first, other, found[row])


@kernel
def _at_once(data: Array, starts: Array, ends: Array, asked: int, served: int, found: Array) -> None:
    """Place both sides of which one begins with a hello; the other may begin with an alert, too."""
    turned = found[TURNED]
    if asked == 1 or asked == 3:  # noqa: PLR1714
        found[CLIENT_AT] = 0
        found[IS_V2] = asked == 3
    if served == 2 or served == 4 or _is_alert(data, starts[1 - turned], ends[1 - turned]):  # noqa: PLR1714
        found[SERVER_AT] = 0


@kernel
def _behind(data: Array, starts: Array, ends: Array, before: int, found: Array) -> None:
    """Search for hellos behind plain text."""
    for side in range(2):
        last = min(ends[side] - 44, starts[side] + _SEARCHED)
        for at in range(starts[side], last + 1):
            if data[at] == 0x16 and data[at + 1] == 3 and _is_sure(data, at, side + 1):
                found[side] = at - starts[side]
                break
    if found[CLIENT_AT] < 0 and found[SERVER_AT] < 0:
        return
    found[BEFORE] = before
    at = starts[0] + found[CLIENT_AT] - 10
    if at >= starts[0] and found[CLIENT_AT] > 0 and data[at] & 0xDF == 0x41 and data[at + 1] & 0xDF == 0x55:
        found[BEFORE] = _FTP  # AUTH TLS: greetings of mail and of files are alike
    if found[SERVER_AT] < 0:
        last = min(ends[1] - 7, starts[1] + _SEARCHED)
        for at in range(starts[1], last + 1):
            if _is_alert(data, at, ends[1]) and at + 7 == ends[1]:
                found[SERVER_AT] = at - starts[1]


@kernel
def _spoken(data: Array, starts: Array, ends: Array) -> int:
    """Which protocol, of those that can go over to TLS, the first bytes are like: 1 + its number, or 0."""
    begin = 0
    for which in range(len(_SIDES)):
        at = starts[_SIDES[which]]
        size = _BEHIND[which] - begin
        if at + size <= ends[_SIDES[which]]:
            same = True
            for k in range(size):
                if data[at + k] != _TEXT[begin + k]:
                    same = False
                    break
            if same:
                return which + 1
        begin = _BEHIND[which]
    # MySQL's greeting: its length, number 0, version 10.
    at = starts[1]
    if at + 5 <= ends[1] and data[at + 3] == 0 and data[at + 4] == 10:
        return _MYSQL
    return 0


_MYSQL: Final = 1 + SPOKEN.index("mysql")


@kernel
def _hello(data: Array, at: int, end: int) -> int:
    """What stands at the beginning: 1 a client hello, 2 a server hello, 3 and 4 those of SSL 2.0; or 0."""
    if at + 6 > end:
        return 0
    if data[at] & 0x80:
        return _hello_2(data, at, end)
    is_tls = data[at + 1] == 3 and data[at + 2] <= 4
    is_tlcp = data[at + 1] == 1 and data[at + 2] == 1
    kind = one(data, at + 5)
    size = two(data, at + 3)
    if data[at] != 0x16 or not (is_tls or is_tlcp) or kind < 1 or kind > 2 or size < 1 or size > _LONGEST:
        return 0
    if size >= 6 and at + 11 <= end and not _is_version(two(data, at + 9)):
        return 0
    return kind


@kernel
def _is_version(version: int) -> bool:
    """SSL 3.0 to TLS 1.3, its drafts and experiments, TLCP."""
    return 0x0300 <= version <= 0x0304 or 0x7E00 <= version <= 0x7FFF or version == 0x0101


@kernel
def _hello_2(data: Array, at: int, end: int) -> int:
    """Hellos of SSL 2.0, whose lengths must agree."""
    if at + 13 > end:
        return 0
    size = two(data, at) & 0x7FFF
    if data[at + 2] == 1:
        version = two(data, at + 3)
        suites, session, challenge = two(data, at + 5), two(data, at + 7), two(data, at + 9)
        known = version == 2 or 0x0300 <= version <= 0x0303
        whole = suites + session + challenge + 9 == size
        fits = suites > 0 and suites % 3 == 0 and session <= 32 and 16 <= challenge <= 32
        return 3 if known and whole and fits else 0
    if data[at + 2] == 4 and two(data, at + 5) == 2:
        whole = two(data, at + 7) + two(data, at + 9) + two(data, at + 11) + 11 == size
        return 4 if whole and two(data, at + 9) % 3 == 0 else 0
    return 0


@kernel
def _is_sure(data: Array, at: int, kind: int) -> bool:
    """Whether a hello of the kind stands here, 44 bytes of which are there."""
    size = two(data, at + 3)
    return (
        data[at + 2] <= 4
        and 42 <= size <= _LONGEST
        and data[at + 5] == kind
        and data[at + 6] == 0
        and (two(data, at + 7) + 4 >= size or kind == 2)
        and _is_version(two(data, at + 9))
        and data[at + 43] <= 32
    )


@kernel
def _is_alert(data: Array, at: int, end: int) -> bool:
    """Whether an alert in plain stands here."""
    return (
        at + 7 <= end
        and data[at] == 0x15
        and data[at + 1] == 3
        and data[at + 2] <= 4
        and two(data, at + 3) == 2
        and (data[at + 5] == 1 or data[at + 5] == 2)
    )
