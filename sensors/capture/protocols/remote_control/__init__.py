"""Tools for remote control that speak bytes of their own; those inside TLS are named by what TLS says."""

from __future__ import annotations

from typing import Final

from sensors.capture.protocols.remote_control import greetings, rustdesk, teamviewer

PROTOCOLS: Final = (*greetings.PROTOCOLS, *rustdesk.PROTOCOLS, *teamviewer.PROTOCOLS)
