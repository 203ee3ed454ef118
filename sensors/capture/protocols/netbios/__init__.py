"""Windows' NetBIOS: names, datagrams and sessions (RFC 1001, 1002), browsing ([MS-BRWS])."""

from __future__ import annotations

from typing import Final

from sensors.capture.conversations import OverTcp, OverUdp
from sensors.capture.protocols.netbios import datagram_service, name_service, session_service

PROTOCOLS: Final = (
    OverUdp("netbios-ns", name_service.fits, name_service.events, frozenset({name_service.PORT})),
    OverUdp(
        "netbios-dgm", datagram_service.fits, datagram_service.events, frozenset({datagram_service.PORT})
    ),
    OverTcp("netbios-ssn", session_service.fits, session_service.events),
)
