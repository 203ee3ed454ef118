"""Templates: what the records of a set are made of, who said so, and where.

RFC 3954 sections 5.2 and 6.1 (NetFlow v9), RFC 7011 section 3.4 (IPFIX). A template holds from where it is
said; records that stand before the first one of their number are read by that. The fixed records of the
versions before (https://www.cisco.com/c/en/us/td/docs/net_mgmt/netflow_collection_engine/3-6/user/guide/format.html)
are templates that everyone knows.
"""

from __future__ import annotations

import re
import struct
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from sensors.netflow.walk import IPFIX, V5, V6, V7, V9

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE: Final = 65_535
_REVERSE: Final = 29305  # RFC 5103
_YAF, _YAF_REVERSE = 6871, 1 << 14
_SCOPES: Final = {1: "system", 2: "interface", 3: "lineCard", 4: "cache", 5: "template"}  # RFC 3954, 6.1
_MOST_FIELDS: Final = 1024


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its element's name (empty if nobody knows it), how its octets are read, how many."""

    name: str
    kind: str
    length: int
    scope: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """The fields of a record, in order; `options` says something of the exporter, not of a flow."""

    fields: tuple[Field, ...]
    options: bool = False

    @property
    def fixed(self) -> bool:
        """Whether all records have one length."""
        return all(each.length != VARIABLE for each in self.fields)

    @property
    def least(self) -> int:
        """The length of the shortest record, in octets."""
        return sum(1 if each.length == VARIABLE else each.length for each in self.fields)


@cache
def elements() -> dict[tuple[int, int], tuple[str, str]]:
    """Name and type of each information element, by enterprise and number."""
    raw = tomllib.loads((files("sensors") / "netflow" / "elements.toml").read_text("utf-8"))
    return {
        (int(enterprise), int(element)): (said.split()[0], said.split()[1])
        for enterprise, table in raw.items()
        for element, said in table.items()
    }


def snake(name: str) -> str:
    """`sourceIPv4Address` as `source_ipv4_address`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.replace("IPv", "Ipv"))
    return parted.lower()


def _element(enterprise: int, number: int, length: int, *, scope: bool) -> Field:
    name, kind = elements().get((enterprise, number), ("", ""))
    if enterprise == _REVERSE and (forward := elements().get((0, number))):
        name, kind = f"reverse{forward[0][0].upper()}{forward[0][1:]}", forward[1]
    widths = {"ip4": 4, "ip6": 16, "mac": 6}
    if length != VARIABLE and kind in widths and length != widths[kind]:
        kind = "hex"  # a shortened prefix, or what only bears the number
    if kind in {"n", "s", "ms", "ntp"} and length != VARIABLE and not 1 <= length <= 8:  # noqa: PLR2004
        kind = "hex"
    return Field(name, kind, length, scope)


def _fields(body: bytes, at: int, count: int, scopes: int, version: int) -> tuple[tuple[Field, ...], int]:
    found = []
    for index in range(count):
        number, length = struct.unpack_from(">HH", body, at)
        at += 4
        enterprise = 0
        if version == IPFIX and number & 0x8000:
            (enterprise,) = struct.unpack_from(">I", body, at)
            number, at = number & 0x7FFF, at + 4
        if version == V9 and index < scopes and number in _SCOPES:
            found.append(Field(_SCOPES[number], "hex" if length > 8 else "n", length, scope=True))  # noqa: PLR2004
        else:
            found.append(_element(enterprise, number, length, scope=index < scopes))
    return tuple(found), at


def parsed(body: bytes, version: int, *, options: bool) -> Iterator[tuple[int, Template | None]]:
    """The templates of a template set by number, None for one that is withdrawn.

    Raises:
        ValueError: the set contradicts itself or is cut off; what came before was given.
    """
    at, header = 0, 6 if options else 4
    while at + header <= len(body):
        number, count = struct.unpack_from(">HH", body, at)
        if number == 0 and count == 0:
            return  # padding
        scopes = struct.unpack_from(">H", body, at + 4)[0] if options else 0
        if options and version == V9:  # lengths in octets, of the scopes and of the options
            scopes, count = count // 4, (count + scopes) // 4
        at += header
        if number < 256 or count > _MOST_FIELDS or scopes > count:  # noqa: PLR2004 - RFC 7011, 3.4.1
            raise ValueError("a template here contradicts itself")
        if count == 0:
            yield number, None
            continue
        try:
            fields, at = _fields(body, at, count, scopes, version)
        except struct.error:
            raise ValueError("a template here is cut off") from None
        template = Template(fields, options)
        if not 1 <= template.least <= 65_535:  # noqa: PLR2004 - no set is longer
            raise ValueError("a template here makes records of no length, or longer than a packet")
        yield number, template


@dataclass(slots=True)
class Known:
    """The templates of one source: for each (version, exporter, domain, number) where which one was said."""

    said: dict[tuple[int, int, int, int], list[tuple[int, Template]]] = field(default_factory=dict)

    def add(self, key: tuple[int, int, int, int], offset: int, template: Template) -> None:
        """Remember a template; one that only says again what holds takes no room."""
        there = self.said.setdefault(key, [])
        if not there or there[-1][1] != template:
            there.append((offset, template))


_ENDS: Final = "8:4 12:4 15:4 10:2 14:2 2:4 1:4 22:4 21:4 7:2 11:2"


def _legacy(tail: str) -> Template:
    # 65535 is in no table: octets that say nothing here.
    return Template(
        tuple(
            _element(0, int(number), int(length), scope=False)
            for number, length in (each.split(":") for each in f"{_ENDS} {tail}".split())
        )
    )


LEGACY: Final = {
    V5: _legacy("65535:1 6:1 4:1 5:1 16:2 17:2 9:1 13:1 65535:2"),
    V6: _legacy("65535:1 6:1 4:1 5:1 16:2 17:2 9:1 13:1 65535:6"),
    V7: _legacy("65535:1 6:1 4:1 5:1 16:2 17:2 9:1 13:1 65535:6"),
}
