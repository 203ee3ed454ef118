"""Leases and the computers that ask for them: DHCP (RFC 2131, 2132) and DHCPv6 (RFC 8415)."""

from __future__ import annotations

from typing import Final

from sensors.capture.conversations import OverUdp
from sensors.capture.protocols.dhcp import v4, v6

PROTOCOLS: Final = (
    OverUdp("dhcp", v4.fits, v4.events, v4.PORTS),
    OverUdp("dhcpv6", v6.fits, v6.events, v6.PORTS),
)
