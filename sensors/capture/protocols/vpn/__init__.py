"""VPNs by their own bytes: a module a family, each with its `PROTOCOL` or `PROTOCOLS`."""

from __future__ import annotations

from typing import Final

from sensors.capture.protocols.vpn import anyconnect, esp, ike, l2tp, lines, mesh, openvpn, pptp, wireguard

PROTOCOLS: Final = (
    anyconnect.PROTOCOL,
    esp.PROTOCOL,
    *ike.PROTOCOLS,
    l2tp.PROTOCOL,
    *lines.PROTOCOLS,
    *mesh.PROTOCOLS,
    *openvpn.PROTOCOLS,
    pptp.PROTOCOL,
    wireguard.PROTOCOL,
)
