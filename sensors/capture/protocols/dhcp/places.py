"""Options of DHCP as columns: a row a message, by the place of each option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dhcp.options import CODE, END, ROW, START
from sensors.capture.protocols.dns.printable import HEX, TEXT, shown

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

PLAIN: Final = r"^[\x20-\x5b\x5d-\x7e]+$"  # without the backslash, which stands before what is no text


class Places:
    """Where the options of messages are.

    Args:
        data: bytes.
        found: row, code, start and end of each option.
        height: how many messages there are.
    """

    def __init__(self, data: Array, found: Array, height: int) -> None:
        self._data, self._height = data, height
        self._found = found[::-1]  # what is written last counts: the first of its code

    def spans(self, code: int) -> tuple[Array, Array]:
        """Where the option begins and ends in each message; -1 where it is not there."""
        starts, ends = np.full(self._height, -1, np.int64), np.full(self._height, -1, np.int64)
        mine = self._found[self._found[:, CODE] == code]
        starts[mine[:, ROW]], ends[mine[:, ROW]] = mine[:, START], mine[:, END]
        return starts, ends

    def text(self, code: int, form: int = TEXT, skip: int = 0) -> pl.Series:
        """An option in a form of `printable`, without its first `skip` bytes; null where it is not there."""
        starts, ends = self.spans(code)
        return shown(self._data, np.where(starts >= 0, np.minimum(starts + skip, ends), -1), ends, form)

    def text_or_hex(self, code: int, skip: int = 0) -> pl.Series:
        """An option as text if it is that, else as hex."""
        return either(self.text(code, TEXT, skip), self.text(code, HEX, skip))

    def number(self, code: int, size: int, offset: int = 0) -> pl.Series:
        """A number of so many bytes at `offset` in an option; null where it is shorter."""
        starts, ends = self.spans(code)
        there = (starts >= 0) & (starts + offset + size <= ends)
        return numbers(self._data, np.where(there, starts + offset, -1), size)


def numbers(data: Array, places: Array, size: int) -> pl.Series:
    """Numbers of so many bytes; null where the place is below 0."""
    there = places >= 0
    value = np.zeros(len(places), np.int64)
    for index in range(size):
        value[there] = value[there] << 8 | data[places[there] + index]
    return pl.Series(value).set(pl.Series(~there), None)


def either(text: pl.Series, hexed: pl.Series) -> pl.Series:
    """The text where all of it is ASCII that can be shown, else the hex."""
    return pl.select(pl.when(text.str.contains(PLAIN)).then(text).otherwise(hexed)).to_series()


def mac(hexed: pl.Series) -> pl.Series:
    """Twelve digits of hex as ECS writes a MAC address; null for all else, and for zeros."""
    spelled = hexed.str.to_uppercase().str.replace_all("(..)", "${1}-").str.strip_chars_end("-")
    good = (hexed.str.len_bytes() == 12) & (hexed != "0" * 12)  # noqa: PLR2004
    return pl.select(pl.when(good).then(spelled)).to_series()
