"""FortiGate's logs: traffic, UTM, and events with those of SSL-VPN and IPsec tunnels.

Lines of `key=value` in syslog or in a downloaded file, after Fortinet's "FortiOS Log Message Reference" (5.0
to 7.6); mapping after Elastic's integration `fortinet_fortigate`, but that of a VPN `source.ip` is the remote
end, `source.nat.ip` the address it was lent inside, and the source's bytes those that the remote end sent;
of a session that ended `event.start` is when it began. Elsewhere `event.start` is `eventtime`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sensors.fortinet.columns import finished
from sensors.fortinet.reading import records
from sensors.reading import framing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source

_QUOTE = r'(?:\\?")?'
# Keys that CEF has too stand there behind the vendor's prefix (`FTNTFGTlogid=`). Two searches, each of one
# pass: one pattern for both would look for the second from each of many firsts.
_FIRST: Final = re.compile(rf"(?:^|[\s>,{{\"])(?:log_?id|eventtime|date)={_QUOTE}[0-9-]*")
_SECOND: Final = re.compile(
    rf"[\s,]type={_QUOTE}(?:traffic|event|utm|virus|webfilter|ips|attack|emailfilter|spam|anomaly|voip|dlp|"
    rf"app-ctrl|waf|dns|ssh|ssl|cifs|gtp|http|contentlog|file-filter|icap|sctp-filter|virtual-patch|casb){_QUOTE}"
    rf"[\s,]{{1,9}}subtype=|[\s,]log_id={_QUOTE}[0-9]{{10}}{_QUOTE}[\s,]{{1,9}}type="
)
_PROXY: Final = re.compile(
    rf"(?:^|[\s>,])(?:devid|device_id)={_QUOTE}FPX|[\s,]type={_QUOTE}http{_QUOTE}[\s,]+subtype="
)


def told(head: bytes) -> bool:
    """Whether at least half of the lines are of Fortinet's key=value logs."""
    lines = [line for line in framing.text_head(head).splitlines() if line.strip()]
    return bool(lines) and 2 * sum(map(_fits, lines)) >= len(lines)


def _fits(line: str) -> bool:
    return bool(_FIRST.search(line) and _SECOND.search(line))


def of_a_proxy(head: bytes) -> bool:
    """Whether a FortiProxy wrote any of the lines."""
    return bool(_PROXY.search(framing.text_head(head)))


class FortiGate:
    """The sensor."""

    name = "fortigate"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the name says nothing
        """Whether at least half of the lines are Fortinet's, and none a FortiProxy's."""
        return told(head) and not of_a_proxy(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per line; a line of another format is named as unread."""
        yield from finished(records(source), "firewall", "fortinet_fortigate.log", "Fortigate", "firewall")


SENSOR: Final = FortiGate()
