"""Addresses as text: one spelling each, which belong inside, and which network of the site they are in."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The documentation ranges (RFC 5737) are not among them: exercises use them as public addresses.
# The documentation ranges (RFC 5737) are not among them: examples and exercises use them as public addresses.
_INSIDE: Final = (
    r"^(?:10\.|127\.|0\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\."
    r"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\."
    r"|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|::1?$|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|ff[0-9a-f]{2}:)"
)


def is_inside(address: pl.Expr) -> pl.Expr:
    """Whether an address (in the spelling of `normal`) cannot be on the public internet; null for null."""
    return address.str.contains(_INSIDE)


def normal(addresses: pl.Series) -> pl.Series:
    """The same addresses in one spelling: IPv6 compressed in lower case, IPv4 inside IPv6 as IPv4.

    What is no address stays as it is, in lower case.
    """
    text = addresses.str.strip_chars().str.to_lowercase()
    longer = text.filter(text.str.contains(":", literal=True)).unique()
    return text.replace({old: _one(old) for old in longer}) if len(longer) else text


def _one(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0].strip("[]"))
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def within(addresses: Iterable[str], networks: Mapping[str, Iterable[Network]]) -> dict[str, str]:
    """For each address that lies in one of the named networks, the name of the narrowest.

    Args:
        addresses: distinct addresses; what is no address is in no network.
        networks: name to its networks.
    """
    flat = sorted(
        ((network, name) for name, group in networks.items() for network in group),
        key=lambda pair: -pair[0].prefixlen,
    )
    found = {}
    for text in addresses if flat else ():
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        name = next((name for network, name in flat if address in network), None)
        if name is not None:
            found[text] = name
    return found
