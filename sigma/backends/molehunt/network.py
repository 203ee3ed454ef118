"""Addresses inside a network, as a regular expression over their text.

SQL has no addresses that both engines know. Every way to write an IPv6 address is spelled out: leading zeros,
`::` in any place that the network's zeros allow, the last 32 bits as an IPv4 address, a zone after `%` (RFC
4291, section 2.2; RFC 4007, section 11). An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is in the IPv4
networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HEX: Final = "0123456789abcdef"
_GROUPS: Final = 8
_QUADS: Final = 6  # groups before an address whose end is written as IPv4
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ZONE: Final = r"(?:%[^%/\x{241f}]+)?"


def pattern(network: IPv4Network | IPv6Network) -> str:
    """A regular expression of the addresses in `network`, for the whole text, without case.

    An IPv6 network's includes the IPv4 addresses written as IPv6 in it; see `holds_mapped`.
    """
    if isinstance(network, IPv6Network):
        return _six(network)
    prefix = IPv6Network((int(_MAPPED[0]) | int(network[0]), 96 + network.prefixlen))
    return f"(?:{_four(int(network[0]), network.prefixlen)}|{_six(prefix)})"


def holds_mapped(network: IPv4Network | IPv6Network) -> bool:
    """Whether an IPv6 network overlaps with the IPv4 addresses written as IPv6, which count as IPv4."""
    return isinstance(network, IPv6Network) and network.overlaps(_MAPPED)


@cache
def mapped() -> str:
    """Every IPv4 address written as IPv6."""
    return _six(_MAPPED)


def _four(first: int, length: int) -> str:
    octets = []
    for index in range(4):
        bits = min(max(length - 8 * index, 0), 8)
        low = (first >> (8 * (3 - index))) & 0xFF
        octets.append(_OCTET if bits == 0 else _octets(low, low + (1 << (8 - bits)) - 1))
    return r"\.".join(octets)


def _octets(low: int, high: int) -> str:
    """The numbers from `low` to `high`; at most 128, so a list is short enough."""
    if low == high:
        return str(low)
    by_tens: dict[str, str] = {}
    for number in range(low, high + 1):
        by_tens.setdefault(str(number)[:-1], "")
        by_tens[str(number)[:-1]] += str(number)[-1]
    return "(?:" + "|".join(f"{tens}{_digits(ones)}" for tens, ones in by_tens.items()) + ")"


def _digits(digits: str) -> str:
    if len(digits) == 1:
        return digits
    order = _HEX.index(digits[0])
    if digits == _HEX[order : order + len(digits)]:
        return (
            f"[{digits[0]}-{digits[-1]}]" if digits[-1].isdigit() or digits[0].isalpha() else _mixed(digits)
        )
    return f"[{digits}]"


def _mixed(digits: str) -> str:
    """Hexadecimal digits on either side of 9."""
    return f"[{digits[0]}-9a-{digits[-1]}]"


@dataclass(frozen=True, slots=True)
class _Group:
    """Sixteen bits of an address, some of them given: a set of hexadecimal digits for each four."""

    nibbles: tuple[str, str, str, str]

    @property
    def free(self) -> bool:
        return self.nibbles == (_HEX,) * 4

    @property
    def may_be_zero(self) -> bool:
        return all("0" in nibble for nibble in self.nibbles)

    @property
    def text(self) -> str:
        """The group as it may be written, with or without leading zeros."""
        if self.free:
            return "[0-9a-f]{1,4}"
        forms = [
            "".join(_digits(nibble) for nibble in self.nibbles[skipped:])
            for skipped in range(4)
            if all("0" in nibble for nibble in self.nibbles[:skipped])
        ]
        return forms[0] if len(forms) == 1 else "(?:" + "|".join(forms) + ")"


def _six(network: IPv6Network) -> str:
    first, length = int(network[0]), network.prefixlen
    groups = []
    for index in range(_GROUPS):
        value = (first >> (16 * (7 - index))) & 0xFFFF
        nibbles = []
        for place in range(4):
            bits = min(max(length - 16 * index - 4 * place, 0), 4)
            low = (value >> (4 * (3 - place))) & 0xF
            nibbles.append(_HEX[low : low + (1 << (4 - bits))])
        groups.append(_Group((nibbles[0], nibbles[1], nibbles[2], nibbles[3])))
    last = _four(first & 0xFFFFFFFF, max(length - 96, 0))
    forms = [_row(groups), f"{_row(groups[:_QUADS])}:{last}"]
    for before in range(_GROUPS):
        forms += _shortened(groups, before, last)
    return "(?:" + "|".join(forms) + ")" + _ZONE


def _row(groups: list[_Group]) -> str:
    """Groups with colons between."""
    parts: list[str] = []
    for index, group in enumerate(groups):
        if index and group.free and groups[index - 1].free:
            continue
        free = 0
        while group.free and index + free < len(groups) and groups[index + free].free:
            free += 1
        parts.append(group.text if free < 2 else f"{group.text}(?::{group.text}){{{free - 1}}}")  # noqa: PLR2004 - more than one
    return ":".join(parts)


def _shortened(groups: list[_Group], before: int, last: str) -> list[str]:
    """The forms with `::` after `before` groups."""
    head = _row(groups[:before]) + "::"
    free = "[0-9a-f]{1,4}"
    if all(group.free for group in groups[before:]):
        most = _GROUPS - 1 - before
        tail = f"(?:{free}(?::{free}){{0,{most - 1}}})?" if most else ""
        forms = [head + tail]
        if most >= 2:  # noqa: PLR2004 - as many groups as an IPv4 address takes
            forms.append(f"{head}(?:{free}:){{0,{most - 2}}}{last}")
        return forms
    forms = []
    for zeros in range(1, _GROUPS - before + 1):
        if not groups[before + zeros - 1].may_be_zero:
            break
        rest = groups[before + zeros :]
        forms.append(head + _row(rest))
        if len(rest) >= 2:  # noqa: PLR2004 - as above
            inner = _row(rest[:-2])
            forms.append(f"{head}{inner}{':' if inner else ''}{last}")
    return forms
