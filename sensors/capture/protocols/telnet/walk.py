"""Compiled: Telnet's negotiation (RFC 854, 855) and the lines of a login.

Options: terminal type RFC 1091, window size 1073, speed 1079, X display 1096, environment 1408 and 1572,
authentication 2941. Of what is typed only the answer to the question for a name is kept.
"""
# ruff: noqa: PLR2004, C901 - the numbers are the protocol's own

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.compiled import kernel

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

# Columns of what is found, -1 where there is none; spans are two columns.
COMMANDS: Final = 0  # and 1: of client and server
TERMINAL: Final = 2
DISPLAY: Final = 4
SPEED: Final = 6
USER: Final = 8  # of the environment, or of authentication
WIDE: Final = 10
HIGH: Final = 11
ASKED: Final = 12  # 1 for a name, 0 for a password alone
REFUSED: Final = 13  # after the last name
NAME: Final = 14  # bytes of the name in the rows of letters
WIDTH: Final = 15

LETTERS: Final = 64  # of a name at most
OPTIONS: Final = 32  # of a side that are kept
_LINE: Final = 256

_QUESTIONS: Final = tuple(
    np.frombuffer(word, np.uint8) for word in (b"login:", b"username:", b"user name:", b"user:", b"login as:")
)
_SECRETS: Final = tuple(np.frombuffer(word, np.uint8) for word in (b"password", b"passcode", b"passwd"))
_REFUSALS: Final = tuple(
    np.frombuffer(word, np.uint8)
    for word in (
        b"login incorrect", b"login failed", b"login invalid", b"invalid login", b"authentication failed",
        b"authentication failure", b"access denied", b"bad password", b"incorrect password",
    )
)  # fmt: skip
_LAST: Final = np.frombuffer(b"last", np.uint8)
_USER_VARIABLE: Final = np.frombuffer(b"USER", np.uint8)


@kernel
def read(data: Array, starts: Array, ends: Array, found: Array, options: Array, letters: Array) -> None:
    """Take both sides apart.

    Args:
        data: bytes, UInt8.
        starts: where what each side said begins, Int64, rows by client and server.
        ends: the place behind it.
        found: Int64, rows by `WIDTH`, -1 everywhere; filled.
        options: Int64, rows by side by `OPTIONS`, -1 everywhere; filled with 256 verbs and the option.
        letters: UInt8, rows by `LETTERS`, filled with the name given.
    """
    line = np.empty(_LINE, np.uint8)
    for row in range(len(starts)):
        for side in range(2):
            _negotiation(data, starts[row, side], ends[row, side], side, found[row], options[row, side])
        asks = _server_lines(data, starts[row, 1], ends[row, 1], line, found[row], letters[row])
        if asks and found[row, NAME] < 0:
            _first_line(data, starts[row, 0], ends[row, 0], found[row], letters[row])


@kernel
def _negotiation(data: Array, at: int, end: int, side: int, found: Array, options: Array) -> None:
    """Commands of one side."""
    count = 0
    while at < end:
        if data[at] != 0xFF:
            at += 1
            continue
        if at + 2 > end:
            break
        verb = int(data[at + 1])
        if 0xFB <= verb <= 0xFE:
            if at + 3 > end:
                break
            if count < OPTIONS:
                options[count] = verb << 8 | int(data[at + 2])
            count += 1
            at += 3
        elif verb == 0xFA:
            stop = at + 2
            while stop + 1 < end and (data[stop] != 0xFF or data[stop + 1] == 0xFF):
                stop += 2 if data[stop] == 0xFF else 1
            if stop + 1 >= end:
                break
            if side == 0 and stop > at + 3:
                _option(data, at + 2, stop, found)
            count += 1
            at = stop + 2
        else:
            at += 2
    found[COMMANDS + side] = count


@kernel
def _option(data: Array, at: int, stop: int, found: Array) -> None:
    """What a client says of itself in a subnegotiation from `at` to `stop`."""
    kind, verb = data[at], data[at + 1]
    cell = TERMINAL if kind == 24 else SPEED if kind == 32 else DISPLAY if kind == 35 else -1
    if cell >= 0 and verb == 0 and found[cell] < 0:
        found[cell], found[cell + 1] = at + 2, stop
    elif kind == 31 and stop == at + 5:
        found[WIDE] = int(data[at + 1]) << 8 | int(data[at + 2])
        found[HIGH] = int(data[at + 3]) << 8 | int(data[at + 4])
    elif kind == 37 and verb == 3:
        found[USER], found[USER + 1] = at + 2, stop
    elif kind in (36, 39) and verb in (0, 2):
        place = at + 2
        while place < stop:
            behind = place + 1
            while behind < stop and data[behind] > 3:
                behind += 1
            is_user = data[place] in (0, 3) and _is(data, place + 1, behind, _USER_VARIABLE)
            if is_user and behind - place == 5 and behind < stop and data[behind] == 1:
                value = behind + 1
                behind = value
                while behind < stop and data[behind] > 3:
                    behind += 1
                if behind > value:
                    found[USER], found[USER + 1] = value, behind
            place = behind


@kernel
def _is(data: Array, at: int, stop: int, text: Array) -> bool:
    """Whether a text stands here; small letters of it stand for both."""
    if at + len(text) > stop:
        return False
    for k in range(len(text)):
        letter = data[at + k]
        if letter != text[k] and (letter | 0x20 != text[k] or not 0x61 <= text[k] <= 0x7A):
            return False
    return True


@kernel
def _has(line: Array, size: int, words: tuple[Array, ...]) -> bool:
    """Whether one of the words is in a line."""
    for word in words:
        for at in range(size - len(word) + 1):
            if _is(line, at, size, word):
                return True
    return False


@kernel
def _question(line: Array, size: int) -> int:
    """Where the answer to the question for a name begins, 0 if none is asked.

    It stands at the beginning of its line; `login:` may have a host's name before it. What says when one was
    here last is none.
    """
    at = 0
    for step in range(2):
        while at < size and line[at] == 0x20:
            at += 1
        if step and _is(line, at, size, _QUESTIONS[0]):
            return at + len(_QUESTIONS[0])
        if step == 0:
            for word in _QUESTIONS:
                if _is(line, at, size, word):
                    return at + len(word)
            if at + 4 <= size and _is(line, at, size, _LAST):
                return 0
            while at < size and line[at] != 0x20:
                at += 1
    return 0


@kernel
def _server_lines(data: Array, at: int, end: int, line: Array, found: Array, letters: Array) -> bool:
    """Find what is asked, and the name that is echoed; whether a name is asked for first, and not echoed."""
    size, first, asked = 0, 0, False
    while at <= end:
        over = at == end or data[at] in (0x0A, 0x0D)
        if not over:
            size, at = _typed(data, at, end, line, size)
            continue
        place = _question(line, size)
        secret = _has(line, size, _SECRETS)
        if place and not secret:
            blank = place
            while blank < size and line[blank] == 0x20:
                blank += 1
            first = first or (1 if blank == size else 2)
            asked = True
            found[ASKED], found[REFUSED] = 1, -1
            if at < end:
                _name(line, place, size, found, letters)
        elif secret:
            first = first or 2
            found[ASKED] = max(0, found[ASKED])
        if asked and _has(line, size, _REFUSALS):
            found[REFUSED] = 1
        size = 0
        at += 1
    return first == 1


@kernel
def _typed(data: Array, at: int, end: int, line: Array, size: int) -> tuple[int, int]:
    """One byte more of a line, without commands and what was rubbed out; its size and the next place."""
    letter = data[at]
    if letter == 0xFF and at + 1 < end:
        verb = data[at + 1]
        if verb == 0xFA:
            at += 2
            while at + 1 < end and (data[at] != 0xFF or data[at + 1] == 0xFF):
                at += 2 if data[at] == 0xFF else 1
            return size, at + 2
        return size, at + (3 if verb >= 0xFB and verb != 0xFF else 2)
    if letter in (0x08, 0x7F):
        return max(0, size - 1), at + 1
    if letter >= 0x20 and size < len(line):
        line[size] = letter
        return size + 1, at + 1
    return size, at + 1


@kernel
def _name(line: Array, at: int, size: int, found: Array, letters: Array) -> None:
    """Keep what stands behind a question, if it can be a name: one word."""
    while at < size and line[at] == 0x20:
        at += 1
    while size > at and line[size - 1] == 0x20:
        size -= 1
    if not 0 < size - at <= LETTERS:
        return
    for k in range(at, size):
        if line[k] <= 0x20 or line[k] == 0x7F:
            return
    found[NAME] = size - at
    letters[: size - at] = line[at:size]


@kernel
def _first_line(data: Array, at: int, end: int, found: Array, letters: Array) -> None:
    """Without an echo: the client's first line, which answers the first question."""
    line = np.empty(LETTERS + 1, np.uint8)
    size = 0
    while at < end and data[at] != 0x0A and data[at] != 0x0D:
        size, at = _typed(data, at, end, line, size)
    if at < end and size <= LETTERS:
        _name(line, 0, size, found, letters)
