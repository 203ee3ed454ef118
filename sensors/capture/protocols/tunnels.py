"""What is spoken inside of SOCKS, of HTTP's CONNECT, and behind the PROXY protocol's header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensors.capture.conversations import Streams
from sensors.capture.protocols import http, proxy_protocol, socks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.capture.conversations import Array

_CARRIERS: Final[tuple[Callable[[Streams], Array], ...]] = (
    proxy_protocol.carried,
    socks.carried,
    http.carried,
)


def inside(streams: Streams) -> Streams:
    """The same rows, beginning behind what only set tunnels up; as they are where there was no such thing.

    Readers that are given what this gives say places (`at`) from there: what was passed over,
    `inside(streams).starts - streams.starts`, has to be added.
    """
    for carried in _CARRIERS:
        streams = Streams(streams.data, carried(streams), streams.ends, streams.ports)
    return streams
